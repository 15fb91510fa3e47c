"""The page of what moved, for a person to sign off, and the count that the gallery shows of it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.numbers import UNITS_SHORT, digits_for, interval, number
from qbase.core.results.told_numbers import VERDICT_WORDS
from qbase.core.shown.display import sha256_of
from qbase.core.text import Text, join, same
from qbase.core.whole_files import write_atomic
from qbase.reports.comparing.earlier_runs import read_json
from qbase.reports.comparing.moved_numbers import Moves, list_moves
from qbase.reports.rendering.page_rendering import TEMPLATES, date_of, fill, with_font

if TYPE_CHECKING:
    from qbase.lake import Workspace

PAGE = "moved.html"
COUNT = "moved.json"
TEMPLATE = "signoffs.html.j2"
MOST = 100
"""So many runs of each kind stand on the page; the command lists all."""
TITLE = Text("越出上次区间的数", "Numbers beyond their last interval")
BEYOND = Text("越出上次的区间", "beyond its last interval")
WITHOUT = Text("上次是全数统计，现在不同", "was a full count, and differs")


def show_moves(workspace: Workspace) -> pathlib.Path | None:
    """Build the page of what moved anew, where there is something new on it.

    Parameters
    ----------
    workspace : Workspace
        Whose site.

    Returns
    -------
    Path or None
        ``moved.html``, with the counts for the gallery beside it; None while nothing ever moved.
    """
    moves, page, beside = list_moves(workspace), workspace.site / PAGE, workspace.site / COUNT
    if not moves and not page.exists():
        return None
    waiting, signed = [m for m in moves if not m.is_signed], [m for m in moves if m.is_signed]
    listed = [[m.content, m.is_shown, [s.payload() for s in m.signoffs]] for m in moves]
    counts = {
        "schema": 1,
        "waiting": len(waiting),
        "signed": len(signed),
        "content": sha256_of([listed, (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")]),
    }
    if page.exists() and read_json(beside) == counts:
        return page
    context = {
        "lang": "zh",
        "title": TITLE,
        "count": len(waiting),
        "waiting": [_entry(m) for m in waiting[:MOST]],
        "signed": [_entry(m) for m in signed[:MOST]],
        "left_out": {"waiting": max(0, len(waiting) - MOST), "signed": max(0, len(signed) - MOST)},
    }
    workspace.site.mkdir(parents=True, exist_ok=True)
    write_atomic(page, with_font(fill(TEMPLATE, context), TITLE))
    write_atomic(beside, json.dumps(counts))
    return page


def _entry(moves: Moves) -> dict[str, Any]:
    return {
        "moves": moves,
        "when": date_of(moves.slot),
        "before": date_of(moves.slot_before),
        "rows": rows_of(moves.numbers),
        "signoffs": [(s, date_of(s.signed_at)) for s in moves.signoffs],
    }


def rows_of(numbers: Sequence[Mapping[str, Any]]) -> list[tuple[Text, Text, Text, Text, Text]]:
    """Return each number as what it is, its value now, its value then, its period, and why it is listed."""
    return [
        (
            join([Text(**n["whom"]), Text(**n["about"])], zh="：", en=": "),
            _value(n, "after"),
            _value(n, "before"),
            same(str(n["period"]) or "–"),
            say_why(n),
        )
        for n in numbers
    ]


def say_why(moved: Mapping[str, Any]) -> Text:
    """Return why a number is listed."""
    before, after = moved["before"], moved["after"]
    parts = []
    if moved["has_moved"]:
        parts.append(WITHOUT if before["ci_low"] is None else BEYOND)
        if moved["half_widths"] is not None:
            k = number(moved["half_widths"], 1, sign=True)
            parts.append(Text(f"变化 {k} 个半宽", f"by {k} half-widths"))
    if moved["has_turned"]:
        old, new = (VERDICT_WORDS.get(side["verdict"], same("–")) for side in (before, after))
        parts.append(Text(f"判断由“{old.zh}”变为“{new.zh}”", f"verdict: {old.en} → {new.en}"))
    return join(parts, zh="；", en="; ")


def _value(moved: Mapping[str, Any], name: str) -> Text:
    side, unit = moved[name], moved["unit"]
    low, high = side["ci_low"], side["ci_high"]
    digits = digits_for(unit, None, low, high, value=side["value"])
    words, gap = UNITS_SHORT.get(unit, same("")), "" if unit == "pct" else " "
    value = Text(*(f"{number(side['value'], digits)}{gap}{words[lang]}".strip() for lang in ("zh", "en")))
    if low is None or high is None:
        return value
    ends = interval(low, high, digits)
    return Text(f"{value.zh}（{ends.zh}）", f"{value.en} ({ends.en})")
