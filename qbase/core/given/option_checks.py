"""Words and numbers of a call, checked where a value is built: a typing mistake must not become a result."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from qbase.core.errors import UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import UNITS
from qbase.core.text import Text, same

_SAID_UNITS = {"percent": "pct", "percentage": "pct", "share of 1": "share", "rmb": "cny", "yuan": "cny"}
_SAID_UNITS |= {word.casefold(): unit for unit, text in reversed(UNITS.items()) for word in (text.zh, text.en) if word}


def check_word(option: str, word: object, known: Iterable[str]) -> None:
    """Raise when an option holds none of its words.

    Raises
    ------
    UsageError
        The word is none of those known (QB144); the nearest one is named.
    """
    names = list(known)
    if isinstance(word, str) and word in names:
        return
    nearest = suggest_names(word, names).rstrip("?").split(" | ")[0]
    raise _unknown(option, word, names, nearest)


def check_unit(option: str, unit: object) -> None:
    """Raise when a unit is none of `qbase.core.numbers.UNITS`.

    Raises
    ------
    UsageError
        Nobody knows how to write it (QB144); where people call a unit so, the unit is named.
    """
    said = _SAID_UNITS.get(str(unit).strip().casefold())
    if said is not None and unit not in UNITS:
        raise _unknown(option, unit, list(UNITS), said)
    check_word(option, unit, UNITS)


def check_margin(margin: object) -> float | None:
    """Return a margin as a number; None where none was declared.

    Raises
    ------
    UsageError
        It is no finite number above 0 (QB507).
    """
    if margin is None:
        return None
    number = read_number(margin)
    if number is None or not 0 < number < math.inf:
        raise UsageError(
            "QB507",
            margin=margin,
            found=f"margin={margin!r}",
            expected="a finite number above 0, in the unit of the result, or None",
            fix="margin=0.5, or margin=None where none was declared",
        )
    return number


def read_whole(value: object) -> int | None:
    """Return a whole number, also one that came as 3.0; None where it is none."""
    number = read_number(value)
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None


def read_bounds(bounds: Any) -> tuple[float, float]:
    """Return the lowest and the highest value there can be.

    Raises
    ------
    UsageError
        They are not two numbers in order (QB144).
    """
    ends = [read_number(b) for b in bounds] if isinstance(bounds, tuple | list) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] < ends[1]:
        return ends[0], ends[1]
    raise UsageError(
        "QB144",
        option="bounds",
        value=bounds,
        found=f"bounds={bounds!r}",
        expected="(lowest, highest)",
        fix="bounds=(-100, math.inf)",
    )


def read_text(option: str, given: object) -> Text:
    """Return a text in both languages; plain words read alike in both.

    Raises
    ------
    UsageError
        It is neither (QB144).
    """
    if isinstance(given, Text):
        return given
    if isinstance(given, str) and given.strip():
        return same(given)
    raise UsageError(
        "QB144",
        option=option,
        value=given,
        found=f"{option}={given!r}",
        expected="Text(zh, en), or words that read alike in both languages",
        fix=f'{option}=Text("合格率", "pass rate")',
    )


def read_number(value: Any) -> float | None:
    """Return a number, one of numpy's too; None for yes and no, and for text that looks like a number."""
    if isinstance(value, bool | str | bytes) or type(value).__name__ == "bool_":
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _unknown(option: str, word: object, names: list[str], nearest: str) -> UsageError:
    more = f" | … ({len(names)})" if len(names) > 12 else ""
    return UsageError(
        "QB144",
        option=option,
        value=word,
        found=f"{option}={word!r}",
        expected=" | ".join(names[:12]) + more,
        fix=f'{option}="{nearest}"',
    )
