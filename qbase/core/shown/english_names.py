"""English names for Chinese ones that have none on record: a known term, a place with its kind, else the reading."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import NamedTuple

from qbase.core.lazy import read_once
from qbase.core.text import Text

_HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff]+")
_MARKS = str.maketrans({"（": " (", "）": ") ", "、": ", ", "，": ", ", "：": ": ", "；": "; ", "“": '"', "”": '"'})
# names of places and firms: the readings of chief, capital and morning are the rare ones there
_IN_NAMES = {("长", "zhang"): "chang", ("都", "dou"): "du", ("朝", "zhao"): "chao"}
_LONGEST_PLACE = 8


class _Words(NamedTuple):
    terms: dict[str, str]
    kinds: dict[str, str]
    readings: dict[str, str]


@read_once
def _words() -> _Words:
    text = resources.files("qbase.core.shown").joinpath("english_names.toml").read_text(encoding="utf-8")
    return _Words(**tomllib.loads(text))


def name_text(zh: str, en: str | None = None) -> Text:
    """Return a name in both languages; an English one that is not on record is made (`name_in_english`).

    Parameters
    ----------
    zh : str
        As on record; ``中文 / English`` holds both.
    en : str or None
        As on record.

    Examples
    --------
    >>> from qbase.core.shown.english_names import name_text
    >>> name_text("横渚镇"), name_text("K7", None), name_text("云泽省（虚构）/ Yunze (fictional)").en
    (Text(zh='横渚镇', en='Hengzhu Town'), Text(zh='K7', en='K7'), 'Yunze (fictional)')
    """
    if en:
        return Text(zh, en)
    own, _, beside = (part.strip() for part in zh.partition("/"))
    if beside and _HAN.search(own) and not _HAN.search(beside):
        return Text(own, beside)
    return Text(zh, name_in_english(zh))


@functools.lru_cache(maxsize=20_000)
def name_in_english(zh: str) -> str:
    """Return what an English reader is shown of a Chinese name: a term of the trade, a place with its kind, or pinyin.

    Parameters
    ----------
    zh : str
        A name; without Chinese characters it stays as it is.

    Returns
    -------
    str
        Readings follow `pypinyin`; those of places it reads otherwise than their office does stand in
        ``english_names.toml`` (漯河 is Luohe), and 长, 都 and 朝 are chang, du and chao. A name is not translated: what
        is no term and no place is written syllable by syllable.

    Examples
    --------
    >>> from qbase.core.shown.english_names import name_in_english
    >>> [name_in_english(name) for name in ("含水率", "漯河市", "六安市", "质检乙所", "PET-7")]
    ['moisture content', 'Luohe City', "Lu'an City", 'Zhi jian yi suo', 'PET-7']
    """
    if not _HAN.search(zh):
        return zh
    words = _words()
    if zh in words.terms:
        return words.terms[zh]
    kind = next((k for k in words.kinds if zh.endswith(k) and len(zh) > len(k)), None)
    if kind and len(zh) <= _LONGEST_PLACE and _HAN.fullmatch(zh):
        return f"{_joined(_syllables(zh)[: len(zh) - len(kind)])} {words.kinds[kind]}"
    spelt = _HAN.sub(lambda run: f" {' '.join(_syllables(run[0]))} ", zh).translate(_MARKS)
    told = re.sub(r"\s+", " ", re.sub(r"\s+(?=[),:;])|(?<=\()\s+", "", spelt)).strip()
    return told[:1].upper() + told[1:]


def _syllables(zh: str) -> list[str]:
    """Return one syllable per character, a place that is read otherwise as its office reads it."""
    from pypinyin import lazy_pinyin

    # one syllable per character, also where one has no reading; a function that gives a list is declared by its guide
    spelt = lazy_pinyin(zh, errors=list, v_to_u=True)  # type: ignore[arg-type]
    found = [_IN_NAMES.get((c, s), s) for c, s in zip(zh, spelt, strict=True)]
    for place, reading in _words().readings.items():
        at = zh.find(place)
        if at >= 0:
            found[at : at + len(place)] = reading.split()
    return found


def _joined(syllables: list[str]) -> str:
    """Join the syllables of a place; an apostrophe before one that begins with a vowel (Lu'an)."""
    name = "".join(f"'{s}" if place and s[:1] in "aeo" else s for place, s in enumerate(syllables))
    return name[:1].upper() + name[1:]
