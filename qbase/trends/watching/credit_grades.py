"""Quality-credit grades: how firms are spread over them, and how they move from one year to the next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import multinomial_proportions_confint

from qbase.core.numbers import count, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.cells.inspection_window import require_table
from qbase.stats.rates.difference_intervals import check_level

if TYPE_CHECKING:
    from qbase.lake import Workspace

GRADES = ("A", "B", "C", "D")
TOP = Text("质量信用 A 级企业占比", "share of firms graded A for quality credit")
ASSESSED = Text("参加评价企业", "the firms assessed")
NOT_ALL = Text(
    "占比是参加评价的企业的；哪些企业参加评价并不随机，区间只反映偶然，不反映未参加者。",
    "Shares are of firms assessed. Who is assessed is not left to chance: the intervals tell of chance, not of those "
    "left out.",
)
_GRADES = """
SELECT firm_id, year, any_value(scheme) AS scheme, any_value(scheme_version) AS scheme_version,
       any_value(grade) AS grade, count(DISTINCT grade || ' ' || scheme || ' ' || scheme_version) AS n_grades
FROM credit_grades GROUP BY firm_id, year ORDER BY firm_id, year
"""


def estimate_grades(
    workspace: Workspace, *, year: int | None = None, level: float = 0.95, snapshot: str | None = None
) -> Result:
    """Estimate how firms are spread over quality-credit grades, and how they moved since the year before.

    Parameters
    ----------
    workspace : Workspace
        Holds ``credit_grades``.
    year : int or None
        The last one when None.
    level : float
        Confidence level, for all grades of a distribution (or of a row of the migration) at once.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    Result
        Estimand ``level`` in percent; term ``share`` with keys grade and period, A first. Tables ``distribution``
        (grade, n, share_pct, ci_low, ci_high) and ``migration`` (before, after, n, share_pct, ci_low, ci_high: of the
        firms of a grade a year ago, where they are now). Firms with two grades for one year are left out and counted;
        grades of another scheme or version are never compared (check ``same_scheme``).

    Raises
    ------
    DataError
        There are no grades at all (QB403).
    UsageError
        The level is none (QB503).

    References
    ----------
    Goodman, L. A. (1965). On simultaneous confidence intervals for multinomial proportions. Technometrics 7, 247-254.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_grades
    >>> estimate_grades(open_workspace())
    <Result level:W7.a_share:goodman: the firms assessed>
      share grade=A period=2025: 34.0 %, 95% CI 28.6–39.9, n = 432
      share grade=B period=2025: 42.8 %, 95% CI 37.0–48.8, n = 432
      share grade=C period=2025: 16.7 %, 95% CI 12.7–21.6, n = 432
      share grade=D period=2025: 6.5 %, 95% CI 4.1–10.1, n = 432
    """
    check_level(level)
    at = workspace.snapshot(snapshot)
    require_table(workspace, "credit_grades", at)
    grades = workspace.query(_GRADES, snapshot=at)
    doubled = grades["n_grades"] > 1
    now = int(grades["year"].max()) if year is None else year
    distribution, migration, is_same = spread_grades(grades[~doubled], now, level=level)
    estimates = tuple(
        Estimate(
            term="share",
            key={"grade": grade, "period": str(now)},
            value=value,
            ci_low=low,
            ci_high=high,
            ci_level=level,
            n_obs=int(distribution["n"].sum()),
        )
        for grade, value, low, high in distribution[["grade", "share_pct", "ci_low", "ci_high"]].itertuples(index=False)
    )
    return Result(
        estimand="level",
        outcome=dataclasses.replace(find_indicator("W7.a_share").indicator, short=TOP, counted="firm"),
        unit="pct",
        method="goodman",
        estimates=estimates,
        subject=ASSESSED,
        tables={"distribution": distribution, "migration": migration},
        checks=(_check_scheme(is_same), _check_doubled(int((doubled & (grades["year"] == now)).sum()))),
        notes=(NOT_ALL,),
        labels={"later": _say_moved(migration, now)} if estimates else {},
        settings={"year": now, "level": level},
        sources=(workspace.source("credit_grades", at),),
        unanswered=Text(
            "" if estimates else f"{now} 年没有质量信用等级记录。", f"There are no credit grades of {now}."
        ),
    )


def spread_grades(grades: pd.DataFrame, year: int, *, level: float) -> tuple[pd.DataFrame, pd.DataFrame, bool | None]:
    """Return the distribution of a year, the migration into it, and whether both years share scheme and version.

    Parameters
    ----------
    grades : pandas.DataFrame
        firm_id, year, scheme, scheme_version, grade; one row per firm and year.
    year : int
        Of the distribution.
    level : float
        Of Goodman's simultaneous intervals.
    """
    after, before = (grades[grades["year"] == y] for y in (year, year - 1))
    distribution = _shares(after["grade"], level) if len(after) else _shares(after["grade"], level).iloc[:0]
    same = ["firm_id", "scheme", "scheme_version"]
    both = before[["firm_id"]].merge(after[["firm_id"]], on="firm_id")
    pairs = before[[*same, "grade"]].merge(after[[*same, "grade"]], on=same, suffixes=("_before", "_after"))
    rows = [
        _shares(own["grade_after"], level).rename(columns={"grade": "after"}).assign(before=grade)
        for grade, own in pairs.groupby("grade_before")
    ]
    columns = ["before", "after", "n", "share_pct", "ci_low", "ci_high"]
    migration = pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)
    return distribution, migration, None if both.empty else len(both) == len(pairs)


def _shares(grades: pd.Series[str], level: float) -> pd.DataFrame:
    n = np.array([int((grades == g).sum()) for g in GRADES])
    total = max(int(n.sum()), 1)
    limits = multinomial_proportions_confint(n, alpha=1 - level, method="goodman") if n.sum() else np.zeros((4, 2))
    low, high = np.minimum(limits[:, 0], n / total), np.maximum(limits[:, 1], n / total)
    return pd.DataFrame(
        {"grade": GRADES, "n": n, "share_pct": 100 * n / total, "ci_low": 100 * low, "ci_high": 100 * high}
    )


def _say_moved(migration: pd.DataFrame, year: int) -> Text:
    place = {g: i for i, g in enumerate(GRADES)}
    step = migration["after"].map(place).astype(float) - migration["before"].map(place).astype(float)
    total = int(migration["n"].sum())
    if not total:
        return Text(f"{year - 1} 年没有可比的等级。", f"No grades of {year - 1} can be compared.")
    up, down = (int(migration.loc[moved, "n"].sum()) for moved in (step < 0, step > 0))
    shares = [percent(100 * n / total) for n in (up, down)]
    return Text(
        f"两年都有等级的 {count(total)} 家中，{count(up)} 家上升（{shares[0]}），{count(down)} 家下降（{shares[1]}）。",
        f"Of {count(total)} firms graded in both years {count(up)} moved up ({shares[0]}) and {count(down)} down "
        f"({shares[1]}).",
    )


def _check_scheme(is_same: bool | None) -> CheckResult:
    if is_same is None:
        text = Text("没有两年都参加评价的企业。", "No firm was graded in both years.")
    elif is_same:
        text = Text("两年的评价标准和版本相同。", "Both years use the same scheme and version.")
    else:
        text = Text(
            "部分企业两年的评价标准或版本不同，未作比较。",
            "Some firms were graded under another scheme or version a year before; they are not compared.",
        )
    return CheckResult(name="same_scheme", passed=is_same, text=text)


def _check_doubled(n: int) -> CheckResult:
    if n:
        text = Text(f"{count(n)} 家企业同年有两个等级，未计入。", f"{count(n)} firms have two grades and are left out.")
    else:
        text = Text("没有企业同年有两个等级。", "No firm has two grades for the year.")
    return CheckResult(name="one_grade", passed=n == 0, text=text)
