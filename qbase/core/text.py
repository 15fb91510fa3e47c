"""A text in both languages; nothing a reader sees exists in one only."""

from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Text:
    """One text, Chinese and English.

    Parameters
    ----------
    zh, en : str
        The same statement in both languages.

    Examples
    --------
    >>> from qbase.core import Text
    >>> cluster = Text("望埭镇涤纶产业集群", "Wangdai polyester fibre cluster")
    >>> Text("{name}批次合格率", "Batch pass rate of the {name}").format(name=cluster)
    Text(zh='望埭镇涤纶产业集群批次合格率', en='Batch pass rate of the Wangdai polyester fibre cluster')
    """

    zh: str
    en: str

    def __getitem__(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en

    def __add__(self, other: Text) -> Text:
        return Text(self.zh + other.zh, self.en + other.en)

    def format(self, **fields: object) -> Text:
        """Fill placeholders; a `Text` field gives each language its own part."""
        return Text(*(getattr(self, lang).format_map(_pick(fields, lang)) for lang in ("zh", "en")))

    def payload(self) -> dict[str, str]:
        """Return ``{"zh": …, "en": …}``."""
        return {"zh": self.zh, "en": self.en}


_ENDS = {"zh": re.compile(r"(?<=。)"), "en": re.compile(r"(?<=\.)\s+(?=[A-Z0-9])")}


def split_sentences(text: Text) -> list[Text]:
    """Return the sentences of a text; the text itself where the two languages have different numbers of them."""
    zh, en = ([part for part in _ENDS[lang].split(text[lang]) if part] for lang in ("zh", "en"))
    return [Text(a, b) for a, b in zip(zh, en, strict=True)] if len(zh) == len(en) > 0 else [text]


def same(text: str) -> Text:
    """Return a text that reads alike in both languages (a code, a number, a name)."""
    return Text(text, text)


def join(texts: list[Text], *, zh: str = "", en: str = " ") -> Text:
    """Join texts with the separator of each language."""
    return Text(zh.join(t.zh for t in texts), en.join(t.en for t in texts))


_BORDER = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")


def spaced(text: Text) -> Text:
    """Put a space where Chinese meets Latin letters or digits: a code in a sentence reads as one."""
    return Text(_BORDER.sub(" ", text.zh), text.en)


def _pick(fields: dict[str, object], lang: str) -> dict[str, object]:
    return {name: value[lang] if isinstance(value, Text) else value for name, value in fields.items()}
