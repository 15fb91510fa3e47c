"""Which language to speak, known before the words of the call are parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qbase.core.errors import Lang

SEPARATOR = " | "
TECHNICAL = ("C", "POSIX")


def pick_language(words: Sequence[str], environment: Mapping[str, str], *, otherwise: Lang = "en") -> Lang:
    """Return the language of ``--lang``, else of the locale: Chinese for ``zh…``, English for any other.

    Parameters
    ----------
    words : sequence of str
        Words of the call.
    environment : mapping
        Environment variables; a technical locale such as ``C.UTF-8`` speaks no language.
    otherwise : {"zh", "en"}
        Where neither says: English on the command line, Chinese for pages, which a scheduler makes for officials.
    """
    for index, word in enumerate(words):
        value = word.partition("=")[2] if word.startswith("--lang=") else ""
        if word == "--lang":
            value = words[index + 1] if index + 1 < len(words) else ""
        if value in {"zh", "en"}:
            return "zh" if value == "zh" else "en"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        locale = environment.get(name, "")
        if locale and locale.partition(".")[0] not in TECHNICAL:
            return "zh" if locale.lower().startswith("zh") else "en"
    return otherwise


def part(text: str, lang: Lang) -> str:
    """Return one language of ``中文 | English``; a text without the bar serves both."""
    zh, bar, en = text.partition(SEPARATOR)
    return (zh if lang == "zh" else en) if bar else text
