"""Days that a program stored as midnights of another time zone: 2020-12-31 16:00 may be 2021-01-01 in China."""

from __future__ import annotations

import datetime
import re

import pyarrow as pa

from qbase.core.text import Text
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_model import Recipe
from qbase.tables import ColumnRule, Contract

NOON = 12 * 60
SHANGHAI = 16 * 60  # midnight there, in universal time
_CLOCK = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})(?:T| +)(\d{1,2}):(\d{2})(?::00(?:\.0+)?)?", re.ASCII)


def settle_midnights(
    raw: pa.ChunkedArray, days: pa.Array, column: ColumnRule, contract: Contract, recipe: Recipe
) -> pa.Array:
    """Return the days of a column; ask where all of them carry the time of day that is midnight elsewhere.

    Parameters
    ----------
    raw : pyarrow.ChunkedArray
        Cells as they stand.
    days : pyarrow.Array
        ISO days as read.
    column : ColumnRule
        A column of days.
    contract : Contract
        Of its table.
    recipe : Recipe
        With the answers given: accepted, an afternoon belongs to the next day.

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    DataError
        The times are those of midnights elsewhere, and nobody has said what is meant (QB360).
    """
    texts = raw.to_pylist()
    clocks = _shared_clocks({text for text, day in zip(texts, days.to_pylist(), strict=True) if day is not None})
    key = f"midnight:{column.name}"
    if not clocks or key in recipe.reject:
        return days
    if key not in recipe.accept:
        shown = next(text for text in texts if _CLOCK.fullmatch(text.strip()))
        zh = f"“{column.text.zh}”的时刻全是 {clocks}，是别的时区的零点，{shown} 应记作次日"
        en = f"every “{column.text.en}” is at {clocks}, midnight in another zone: {shown} stands for the next day"
        ask([Question(key=key, text=Text(zh, en))], contract.name)
    moved = [_day_of(text, day) for text, day in zip(texts, days.to_pylist(), strict=True)]
    return pa.array(moved, pa.string())


def _shared_clocks(texts: set[str]) -> str:
    """Return the time of day that all cells have, or the two an hour apart that summer time makes of one; else none."""
    matches = [_CLOCK.fullmatch(text.strip()) for text in texts]
    found = [match for match in matches if match is not None]
    if not found or len(found) < len(matches):
        return ""
    minutes = sorted({60 * int(match[2]) + int(match[3]) for match in found})
    is_offset = minutes[0] > 0 and minutes[-1] - minutes[0] in (0, 60) and all(m % 15 == 0 for m in minutes)
    if len(minutes) > 2 or not is_offset or (len({match[1] for match in found}) < 2 and minutes != [SHANGHAI]):
        return ""
    return ", ".join(f"{m // 60:02d}:{m % 60:02d}" for m in minutes)


def _day_of(text: str, day: str | None) -> str | None:
    match = _CLOCK.fullmatch(text.strip())
    if match is None or day is None or 60 * int(match[2]) + int(match[3]) < NOON:
        return day
    return (datetime.date.fromisoformat(day) + datetime.timedelta(days=1)).isoformat()
