"""Everyday words for rules; a specification gets the rule itself."""

from __future__ import annotations

from collections.abc import Mapping

from qbase.reports.scheduling.recurrence import DAYS

_CHINA = {"calendar": "china"}
_MONTH_END, _QUARTER_END = "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1"
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RULE_WORDS: Mapping[str, Mapping[str, str]] = {
    "daily": {"rule": "FREQ=DAILY"},
    **{word: {"rule": f"FREQ=WEEKLY;BYDAY={day}"} for word, day in zip(_WEEK, DAYS, strict=True)},
    "month-start": {"rule": "FREQ=MONTHLY;BYMONTHDAY=1"},
    "month-end": {"rule": _MONTH_END},
    "quarter-end": {"rule": _QUARTER_END},
    "year-end": {"rule": "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=-1"},
    "working-days": {"rule": "FREQ=DAILY", "day_off": "skip", **_CHINA},
    "first-working-day": {"rule": "FREQ=MONTHLY;BYMONTHDAY=1", "day_off": "next", **_CHINA},
    "last-working-day": {"rule": _MONTH_END, "day_off": "previous", **_CHINA},
    "quarter-last-working-day": {"rule": _QUARTER_END, "day_off": "previous", **_CHINA},
}
"""Word -> keys of a ``[schedule.NAME]`` table. The last working day is the office calendar's, no weekday."""


def is_weekday_guess(rule: str) -> bool:
    """Return whether a rule names Monday to Friday and no other day: a working day by habit, not by the calendar."""
    days = [part.partition("=")[2].split(",") for part in rule.split(";") if part.startswith("BYDAY=")]
    return days != [] and set(days[0]) == set(DAYS[:5])
