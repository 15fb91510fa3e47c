"""The office calendar of China: days off and make-up days, for the years whose notice the library holds, no other."""

from __future__ import annotations

import datetime
from typing import Literal

DayOff = Literal["run", "skip", "next", "previous"]
CHINA = "china"
# the longest time off was ten days; beyond this something is wrong with the calendar
FARTHEST = 15


class UnknownYearError(LookupError):
    """The office calendar holds no notice for a year; whoever answers all the same would guess."""

    def __init__(self, year: int) -> None:
        super().__init__(year)
        self.year = year


def newest_year() -> int:
    """Return the newest year whose days off are known."""
    from chinese_calendar import constants

    # a year that is known by its first days only is not known
    return max(int(day.year) for day in constants.holidays if (day.month, day.day) == (10, 1))


def oldest_year() -> int:
    """Return the oldest year whose days off are known."""
    from chinese_calendar import constants

    return min(int(day.year) for day in constants.holidays if (day.month, day.day) == (10, 1))


def is_office_day(day: datetime.date) -> bool:
    """Return whether offices work on a day.

    Raises
    ------
    UnknownYearError
        The year is not known; the library is not asked then, whatever it would say.

    Examples
    --------
    >>> import datetime
    >>> from qbase.reports.scheduling.office_calendar import is_office_day
    >>> [is_office_day(datetime.date(2026, 2, day)) for day in (14, 16, 28)]  # make-up Saturday, holiday, make-up
    [True, False, True]
    """
    from chinese_calendar import is_workday

    if not oldest_year() <= day.year <= newest_year():
        raise UnknownYearError(day.year)
    return bool(is_workday(day))


def move_day(day: datetime.date, day_off: DayOff) -> datetime.date | None:
    """Return the day on which to run instead of a day off; None where it is left out.

    Raises
    ------
    UnknownYearError
        A day that had to be asked lies in a year that is not known.
    """
    if day_off == "run" or is_office_day(day):
        return day
    if day_off == "skip":
        return None
    step = datetime.timedelta(days=1 if day_off == "next" else -1)
    for _ in range(FARTHEST):
        day += step
        if is_office_day(day):
            return day
    raise UnknownYearError(day.year)
