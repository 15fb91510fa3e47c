"""One rate read again every quarter: the interval that holds at every look, beside the one for a single look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.given import read_number
from qbase.core.numbers import count, interval, level_text, percent
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Key
from qbase.stats.control.anytime_interval import anytime_interval
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.counts.count_checks import check_small_n, notes_of
from qbase.trends.counts.period_counts import Counts, find_entity, read_counts
from qbase.trends.counts.preliminary_periods import part_preliminary

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

RUNNING = Text(
    "反复查看的区间假定起点以来合格率不变；它排除某个数值，说明合格率并非一直是该数值。",
    "The interval for repeated looks takes the rate to be one and the same since the start: where it leaves a value "
    "out, the rate has not been that value all along.",
)


def estimate_looks(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    start: str | pd.Period | None = None,
    reference: float | None = None,
    level: float = 0.95,
    maturity: Maturity | None = None,
) -> Result:
    """Estimate a rate since a start, with an interval that may be read again each period.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts, not weighted.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None pools all entities.
    start : str, pandas.Period or None
        The first look, such as the period of adoption; the panel's first period when None. Declare it beforehand.
    reference : float or None
        In percent: the value watched, such as a target.
    level : float
        Confidence level.
    maturity : Maturity or None
        As for `qbase.trends.estimate_level`: preliminary periods are no looks.

    Returns
    -------
    Result
        Estimand ``level`` in percent. Term ``rate_anytime``: all batches since ``start``, with the interval that holds
        at every look at once; term ``rate``: the same with Wilson's, which holds at one look planned beforehand. Table
        ``looks``: period, n and k since the start, rate_pct, ci_low, ci_high (Wilson), anytime_low, anytime_high and,
        with a reference, is_out and is_out_fixed. Where no single rate agrees with all looks the check
        ``constant_rate`` fails and there is no ``rate_anytime``.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503), a reference outside 0 to
        100 (QB598).
    DataError
        Nothing was tested since the start (QB502), or the panel is weighted (QB597).

    References
    ----------
    Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
    Statistics 41. Howard, S. R. et al. (2021). Time-uniform, nonparametric, nonasymptotic confidence sequences. Annals
    of Statistics 49.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_looks
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> looks = estimate_looks(panel, "D1.batch", entity="K003", start="2024Q1", reference=94.0)
    >>> looks.tables["looks"][["period", "n", "ci_low", "ci_high", "anytime_low", "anytime_high"]].tail(2).round(1)
       period    n  ci_low  ci_high  anytime_low  anytime_high
    6  2025Q3  145    77.3     89.2         72.3          91.9
    7  2025Q4  167    77.5     88.6         72.7          91.9
    """
    if panel.sampling != "naive":
        raise DataError(
            "QB597",
            outcome=outcome,
            found=f"sampling {panel.sampling}",
            expected="counts of batches, not weighted",
            fix='build_panel(…, sampling="naive")',
        )
    watched = _reference(reference)
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    entity = None if entity is None else find_entity(panel, entity)
    counts = read_counts(parted.panel, outcome, entity=entity, level=level)
    begun = panel.periods[0] if start is None else periods.parse_period(start, panel.freq)
    looks = _looks(counts, begun, watched, level)
    if looks.empty:
        counts.at(begun)
    is_one = _is_one_rate(looks)
    fixed, anytime = _estimates(looks, entity, level)
    checks = (
        *([] if watched is None else [_check_reference(looks, watched)]),
        *([] if is_one else [_check_constant()]),
        check_small_n({counts.index[-1]: (int(looks["n"].iloc[-1]), int(looks["k"].iloc[-1]))}, level=level),
        *parted.checks,
    )
    return Result(
        estimand="level",
        outcome=counts.indicator,
        unit=counts.indicator.unit,
        method="anytime",
        estimates=(anytime, fixed) if anytime is not None else (fixed,),
        subject=counts.subject,
        tables={"looks": looks},
        checks=checks,
        notes=(*notes_of(panel, counts.indicator, entity), RUNNING),
        labels={"later": _later(looks, level, is_held=anytime is not None)},
        settings={
            "outcome": outcome,
            "entity_kind": panel.entity,
            "entity": entity,
            "start": periods.code(begun),
            "reference": watched,
            "level": level,
            "freq": panel.freq,
            "sampling": panel.sampling,
        },
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
    )


def _reference(given: float | None) -> float | None:
    if given is None:
        return None
    number = read_number(given)
    if number is None or not 0 < number < 100:
        raise UsageError(
            "QB598", found=f"reference={given!r}", expected="a percentage between 0 and 100", fix="reference=94.0"
        )
    return number


def _looks(counts: Counts, begun: pd.Period, reference: float | None, level: float) -> pd.DataFrame:
    rows = counts.series[counts.index >= begun]
    n, k = (np.cumsum(rows[name].to_numpy(dtype=float)) for name in ("n", "k"))
    if not len(n):
        return pd.DataFrame()
    low, high = wilson_interval(k, n, level=level)
    any_low, any_high = anytime_interval(k, n, level=level)
    looks = pd.DataFrame(
        {
            "period": rows["period"].to_numpy(),
            "n": n.astype(int),
            "k": k.astype(int),
            "rate_pct": 100 * k / n,
            "ci_low": 100 * low,
            "ci_high": 100 * high,
            "anytime_low": 100 * any_low,
            "anytime_high": 100 * any_high,
        }
    )
    if reference is not None:
        looks["is_out"] = (looks["anytime_low"] > reference) | (looks["anytime_high"] < reference)
        looks["is_out_fixed"] = (looks["ci_low"] > reference) | (looks["ci_high"] < reference)
    return looks


def _is_one_rate(looks: pd.DataFrame) -> bool:
    """Tell whether some rate agrees with every look: the interval of all looks together is not empty."""
    return bool(looks["anytime_low"].iloc[-1] < looks["anytime_high"].iloc[-1])


def _estimates(looks: pd.DataFrame, entity: str | None, level: float) -> tuple[Estimate, Estimate | None]:
    first, last = looks.iloc[0], looks.iloc[-1]
    window = last["period"] if len(looks) == 1 else f"{first['period']}–{last['period']}"
    key: dict[str, Key] = {"period": window} if entity is None else {"period": window, "entity": entity}
    ends = {"rate": ("ci_low", "ci_high"), "rate_anytime": ("anytime_low", "anytime_high")}
    made = [
        Estimate(
            term=term,
            key=key,
            value=float(last["rate_pct"]),
            ci_low=float(last[low]),
            ci_high=float(last[high]),
            ci_level=level,
            n_obs=int(last["n"]),
        )
        for term, (low, high) in ends.items()
        if last[low] <= last["rate_pct"] <= last[high]
    ]
    return made[0], made[1] if len(made) == 2 else None


def _later(looks: pd.DataFrame, level: float, *, is_held: bool) -> Text:
    last, times = looks.iloc[-1], count(len(looks))
    fixed = interval(float(last["ci_low"]), float(last["ci_high"]))
    shown = level_text(level)
    if not is_held:
        return Text(
            f"该区间只对事先定好的一次查看成立；已看 {times} 次，各次所见与同一个合格率不相容。",
            f"This interval holds at one look planned beforehand; what was seen at {times} looks does not agree with "
            "one and the same rate.",
        )
    return Text(
        f"该区间在已有的 {times} 次查看中同时成立（{shown}），可以每期都看；"
        f"只看一次的区间为 {fixed.zh}，逐期拿它下结论会误报。",
        f"That interval holds at all {times} looks at once ({shown}) and may be read each time; the one for a single "
        f"look is {fixed.en} and gives false alarms when read again and again.",
    )


def _check_reference(looks: pd.DataFrame, reference: float) -> CheckResult:
    times, mark = count(len(looks)), percent(reference)
    found = looks.loc[looks["is_out"], "period"]
    early = looks.loc[looks["is_out_fixed"], "period"]
    if len(found):
        said = Text(
            f"{times} 次查看中，自 {found.iloc[0]} 起可以排除合格率一直为 {mark}。",
            f"Of {times} looks, from {found.iloc[0]} on the rate cannot have been {mark} all along.",
        )
    elif len(early):
        said = Text(
            f"{times} 次查看都不能排除合格率一直为 {mark}；只看一次的区间曾在 {early.iloc[0]} 排除它，"
            "看的次数多了，这种情况会偶然出现。",
            f"None of {times} looks rules out a rate of {mark} all along; the interval for a single look did in "
            f"{early.iloc[0]}, as happens by chance when one looks often.",
        )
    else:
        said = Text(
            f"{times} 次查看都不能排除合格率一直为 {mark}。",
            f"None of {times} looks rules out that the rate was {mark} all along.",
        )
    return CheckResult(name="looks", passed=None, text=said, table=looks)


def _check_constant() -> CheckResult:
    said = Text(
        "起点以来合格率不是同一个数值：没有一个合格率与各次查看都相容，累计的数字把不同水平混在一起。",
        "The rate has not been one and the same since the start: no single rate agrees with all looks, and the figure "
        "since the start mixes different levels.",
    )
    return CheckResult(name="constant_rate", passed=False, text=said)
