"""Days that not every month or year has: the 31st, a fifth Monday, 29 February, week 53.

A rule on such a day passes over the months without it, and says nothing. Who wants that says so.
"""

from __future__ import annotations

import datetime

from qbase.reports.scheduling.recurrence import Recurrence, list_walls

LENGTHS = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
# after 28 years the days of the week stand on the same dates again
CYCLE = 28


def find_missing(rule: Recurrence, start: datetime.datetime) -> str:
    """Return the day of a rule that some of its months or years lack, as text; empty when all have it.

    Parameters
    ----------
    rule : Recurrence
        The rule.
    start : datetime.datetime
        Its start, whose day counts where the rule names none.

    Examples
    --------
    >>> import datetime
    >>> from qbase.reports.scheduling.recurrence import parse_recurrence
    >>> from qbase.reports.scheduling.short_months import find_missing
    >>> first = datetime.datetime(2026, 1, 31, 8)
    >>> [find_missing(parse_recurrence(f"FREQ=MONTHLY{more}"), first) for more in ("", ";BYMONTHDAY=-1", ";BYDAY=5MO")]
    ['day 31', '', '5MO']
    """
    if rule.by("BYSETPOS"):
        # the last of 28, 29, 30, 31 is there in every month though the single days are not
        return _empty_period(rule, start)
    shortest = min(LENGTHS.get(month, 31) for month in _months(rule, start))
    days = [day for day in _month_days(rule, start) if abs(day) > shortest]
    if days:
        return f"day {', '.join(map(str, days))}"
    in_months = rule.freq == "MONTHLY" or bool(rule.by("BYMONTH"))
    beyond = [f"{nth}{day}" for nth, day in rule.weekdays if abs(nth) > (4 if in_months else 52)]
    beyond += [f"BYYEARDAY={day}" for day in rule.by("BYYEARDAY") if abs(day) > 365]
    beyond += [f"BYWEEKNO={week}" for week in rule.by("BYWEEKNO") if abs(week) > 52]
    return ", ".join(beyond)


def _months(rule: Recurrence, start: datetime.datetime) -> set[int]:
    """Return the months a rule may fall in."""
    if rule.by("BYMONTH"):
        return set(rule.by("BYMONTH"))
    if rule.freq == "YEARLY" and not rule.by("BYMONTHDAY"):
        return {start.month}
    step = rule.interval if rule.freq == "MONTHLY" else 1
    return {(start.month - 1 + step * turn) % 12 + 1 for turn in range(12)}


def _month_days(rule: Recurrence, start: datetime.datetime) -> tuple[int, ...]:
    has_own = rule.weekdays or rule.by("BYYEARDAY") or rule.by("BYWEEKNO")
    is_implied = rule.freq in {"MONTHLY", "YEARLY"} and not has_own
    # 29 February of a yearly rule stands in its start
    return rule.by("BYMONTHDAY") or ((start.day,) if is_implied else ())


def _empty_period(rule: Recurrence, start: datetime.datetime) -> str:
    """Return the first month or year of a rule in which it has no day; empty when there is none."""
    if rule.freq not in {"MONTHLY", "YEARLY"}:
        return ""
    end = start.replace(year=start.year + CYCLE, day=1)
    plain = Recurrence(
        freq=rule.freq,
        interval=rule.interval,
        week_start=rule.week_start,
        weekdays=rule.weekdays,
        numbers=rule.numbers,
    )
    by_month = rule.freq == "MONTHLY"
    hit = {(wall.year, wall.month if by_month else 0) for wall in list_walls(plain, start, end)}
    for turn in range(rule.interval, CYCLE * (12 if by_month else 1), rule.interval):
        month = start.month - 1 + turn if by_month else 0
        year = start.year + (month // 12 if by_month else turn)
        period = (year, month % 12 + 1 if by_month else 0)
        is_asked = not by_month or not rule.by("BYMONTH") or period[1] in rule.by("BYMONTH")
        if is_asked and period not in hit:
            return f"BYSETPOS={','.join(map(str, rule.by('BYSETPOS')))} in {year}" + f"-{period[1]:02d}" * by_month
    return ""
