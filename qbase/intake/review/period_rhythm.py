"""How old the last period of a table is, and whether it has about as many rows as the one before.

Some tables have no rhythm: a platform opens, a firm is renamed, a policy starts. Their last row may be years old and
nothing is missing, and one row after eight says nothing; both are told there and not judged. A period that is not over
is told too, and the last one that is over is compared in its place.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from qbase.core.numbers import count
from qbase.core.periods import parse_period
from qbase.core.text import Text
from qbase.core.values import CheckResult

if TYPE_CHECKING:
    import pandas as pd

    from qbase.tables import Contract


def finished_periods(periods: pd.DataFrame, day: datetime.date) -> pd.DataFrame:
    """Return the periods that are over on a day.

    Parameters
    ----------
    periods : pandas.DataFrame
        ``period n``, oldest first.
    day : datetime.date
        The day of judgement.
    """
    return periods[periods["period"].map(lambda code: _ends(str(code)) <= day).astype(bool)]


def check_age(
    contract: Contract, periods: pd.DataFrame, day: datetime.date, warn_days: int, *, is_closed: bool
) -> CheckResult:
    """Say how old the last period is, and judge it where the table has a rhythm.

    Parameters
    ----------
    contract : Contract
        Of the table.
    periods : pandas.DataFrame
        ``period n``, oldest first.
    day : datetime.date
        The day of judgement.
    warn_days : int
        Age beyond which the data count as old.
    is_closed : bool
        The day is the one on which the series was closed.
    """
    if periods.empty:
        text = Text("该表没有时间列，无法判断新旧。", "The table has no column of time, so its age cannot be told.")
        return CheckResult(name="freshness", passed=None, text=text)
    code = str(periods["period"].iloc[-1])
    if _begins(code) > day and contract.period_column and contract.column(contract.period_column).is_observed:
        text = Text(
            f"最近一期为 {code}，晚于 {day.isoformat()}：日期有误，真正的新旧无法判断。",
            f"The last period is {code}, which begins after {day.isoformat()}: "
            "a date is wrong, so the age cannot be told.",
        )
        return CheckResult(name="freshness", passed=False, text=text)
    age = max((day - _ends(code)).days, 0)
    when = Text("（数据系列截止日）", ", the day the series was closed") if is_closed else Text("", "")
    if contract.is_without_rhythm:
        limit = Text("该表的记录随事而来，不判断新旧", "rows come when something happens, so it is not judged")
    else:
        limit = Text(f"上限 {warn_days} 天", f"limit {warn_days} days")
    return CheckResult(
        name="freshness",
        passed=None if contract.is_without_rhythm else age <= warn_days,
        text=Text(
            f"最近一期为 {code}，期末距 {day.isoformat()}{when.zh} {age} 天（{limit.zh}）。",
            f"The last period is {code}; it ended {age} days before {day.isoformat()}{when.en} ({limit.en}).",
        ),
    )


def check_row_count(contract: Contract, periods: pd.DataFrame, finished: pd.DataFrame) -> CheckResult:
    """Compare the rows of the last period that is over with the one before: half to twice as many pass.

    Parameters
    ----------
    contract : Contract
        Of the table.
    periods, finished : pandas.DataFrame
        ``period n``, oldest first: all, and those that are over.
    """
    text = Text("", "")
    if len(finished) < len(periods):
        code, n = str(periods["period"].iloc[-1]), int(periods["n"].iloc[-1])
        text = Text(f"{code} 尚未结束，已有 {count(n)} 行。", f"{code} is not over and has {count(n)} rows so far. ")
    if len(finished) < 2:
        if len(periods) < 2:
            alone = Text("只有一期，没有上期可比。", "There is one period only, and nothing to compare it with.")
        else:
            alone = Text("没有两个已结束的时期可比。", "There are no two periods that are over to compare.")
        return CheckResult(name="row_count", passed=None, text=text + alone)
    (old, before), (new, now) = finished[["period", "n"]].iloc[-2:].itertuples(index=False)
    text += Text(
        f"{new} 有 {count(int(now))} 行，上期 {old} 有 {count(int(before))} 行。",
        f"{new} has {count(int(now))} rows, the period before ({old}) had {count(int(before))}.",
    )
    if contract.is_without_rhythm:
        return CheckResult(name="row_count", passed=None, text=text)
    return CheckResult(name="row_count", passed=bool(before / 2 <= now <= before * 2), text=text)


def _begins(code: str) -> datetime.date:
    return parse_period(code, "Q" if "Q" in code else "A").start_time.date()


def _ends(code: str) -> datetime.date:
    return parse_period(code, "Q" if "Q" in code else "A").end_time.date()
