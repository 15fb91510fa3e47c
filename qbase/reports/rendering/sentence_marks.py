"""Words of a sentence that are set apart: its estimate in bold, the head of a statement, what no line may tear."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from markupsafe import Markup, escape

from qbase.core.numbers import UNITS, number
from qbase.core.results.sentences import digits_among
from qbase.core.values import Estimate

_WORDS = sorted({u[lang] for u in UNITS.values() for lang in ("zh", "en") if u[lang]} | {"pp"}, key=len, reverse=True)
_KEY = re.compile(
    r"尚无法判断|看不出升降|cannot tell|cannot be told yet|(?P<number>[+−±]?\d[\d,]*(?:\.\d+)?)\s?(?:"
    + "|".join(map(re.escape, _WORDS))
    # the level of an interval is no result
    + r")(?![A-Za-z0-9%])(?! ?(?:CI|区间|置信|interval|confidence|band))"
)
_HEAD = re.compile(r"[^：:。.]{2,24}[：:]")
_N = r"[+−]?\d[\d,]*(?:\.\d+)?%?"
_TOGETHER = re.compile(rf"{_N}(?:～|–| 至 | to ){_N}|\b[np] [=<>] {_N}")


def keep_together(text: str) -> Markup:
    """Return a sentence whose ranges, counts and p-values are not torn apart at the end of a line."""
    pieces, last = [], 0
    for match in _TOGETHER.finditer(text):
        pieces += [escape(text[last : match.start()]), Markup('<span class="nb">{}</span>').format(match[0])]
        last = match.end()
    return Markup("").join([*pieces, escape(text[last:])])


def said_values(entry: Mapping[str, Any]) -> frozenset[str]:
    """Return the estimates of a recorded result as its sentences write them."""
    values: set[str] = set()
    terms: dict[str, list[Estimate]] = {}
    for one in entry["estimates"]:
        terms.setdefault(one["term"], []).append(Estimate(**one))
    for alike in terms.values():
        places = digits_among(alike, entry["unit"], entry["estimand"], entry["settings"])
        places = 0 if entry["estimand"] == "need" else places
        values |= {number(v, places, sign=sign) for e in alike for v in (e.value, -e.value) for sign in (False, True)}
    return frozenset(values)


def mark_head(text: str) -> Markup:
    """Return a statement of a decision with its head in bold."""
    match = _HEAD.match(text)
    if match is None:
        return keep_together(text)
    return Markup("<b>{}</b>").format(match[0]) + keep_together(text[match.end() :])


def emphasise(text: str, values: Collection[str]) -> Markup:
    """Return a sentence with its estimate, or its “cannot tell”, in bold; other numbers stay plain.

    Parameters
    ----------
    text : str
        One sentence.
    values : collection of str
        The estimates of its result as they are written.
    """
    match = next((m for m in _KEY.finditer(text) if m["number"] is None or m["number"] in values), None)
    if match is None:
        return keep_together(text)
    before, after = keep_together(text[: match.start()]), keep_together(text[match.end() :])
    return before + Markup("<b>{}</b>").format(match[0]) + after
