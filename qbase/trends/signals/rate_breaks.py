"""Breaks in the mean of one series: whether, when, how large, and whether the yardstick explains them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import DatedEvent
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Key
from qbase.stats.control.control_limits import Floats
from qbase.stats.control.dated_breaks import DatedBreak, date_breaks, step_at
from qbase.stats.control.mean_breaks import TRIM
from qbase.stats.rates.difference_intervals import check_level
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import find_entity
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.signals.break_words import check_breaks, first_after, label_break, name_break, say_none
from qbase.trends.signals.control_words import INDEPENDENT
from qbase.trends.signals.given_events import Given, read_events, tell_events
from qbase.trends.signals.measured_series import Measured, read_measured, subtract

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

LEAST_PERIODS = 12
"""Six on either side at least: with fewer a flare of one quarter looks like a break."""


def estimate_breaks(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    known: Given | Iterable[Given] | None = None,
    against: str | None = None,
    maturity: Maturity | None = None,
    most: int = 5,
    alpha: float = 0.05,
    level: float = 0.95,
) -> Result:
    """Estimate the breaks in the mean of a series, with the confidence intervals of their dates.

    A break whose interval holds a known change of standard is one of the yardstick: it takes the date of the
    document, its sentence says so, and it is never sold as a change of quality. That its interval holds the start of a
    policy is a coincidence in time, not an effect.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    outcome : str
        Id of a rate, or of a measure without counts (then of one entity).
    entity : str or None
        One entity; None adds all up.
    known : DatedEvent, Policy, a sequence of them, or None
        Dates on record, such as those of `qbase.indicators.list_standard_changes`.
    against : str or None
        Another entity, whose value is subtracted period by period: what moves both cancels out.
    maturity : Maturity or None
        Preliminary periods enter nothing.
    most : int
        Most breaks that are searched.
    alpha : float
        Chance of any break in a series without one.
    level : float
        Of the intervals of dates and steps.

    Returns
    -------
    Result
        Estimand ``change``; terms ``break_1`` … in order of time, each the step in the unit of a difference with an
        interval as wide as the search over dates demands; none where no break was found, or where fewer than 12
        periods were measured, and then ``unanswered`` says so. Tables ``breaks`` (``period low high searched p_value
        step step_low step_high kind title_zh title_en``), ``series`` (with the mean of each segment), ``documented``
        (the step at every known date, whether or not a break was found) and ``events``.

    Raises
    ------
    PanelError
        As for `estimate_control`.
    UsageError
        Unknown entity (QB501), a level that is none (QB503), no event (QB555).
    DataError
        Nothing was measured (QB502).

    References
    ----------
    Andrews, D. W. K. (1993). Econometrica 61. Bai, J. and Perron, P. (1998). Econometrica 66. Bai, J. (1997). Review of
    Economics and Statistics 79.

    Examples
    --------
    >>> from qbase.indicators import build_panel, list_standard_changes
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_breaks
    >>> workspace = open_workspace()
    >>> panel = build_panel(workspace, "D1.batch")
    >>> breaks = estimate_breaks(panel, "D1.batch", entity="K001", known=list_standard_changes(workspace))
    >>> print(breaks.say().items[0].en)
    No break was found in the batch pass rate of the Qingzhao polyester fibre cluster from 2016 Q1 to 2025 Q4 (sup-F p =
    0.62; none found is not none there).
    """
    for share in (level, 1 - alpha):
        check_level(share)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="change", method="sup_f")
    if unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    measured = read_measured(parted.panel, outcome, entity)
    weight = measured.weight
    if against is not None:
        measured, weight = subtract(measured, read_measured(parted.panel, outcome, against))
    entity = None if entity is None else find_entity(panel, entity)
    is_short = len(measured.value) < LEAST_PERIODS
    events = read_events(known, entity, measured.index)
    places = [_last_before(measured.index, e) for e in events]
    found, p = ((), None) if is_short else date_breaks(
        measured.value, weight, documented=tuple(dict.fromkeys(places)), alpha=alpha, most=most, level=level
    )  # fmt: skip
    told = [[e for e, at in zip(events, places, strict=True) if b.low <= at <= b.high] for b in found]
    named = [name_break(measured.index, b, own) for b, own in zip(found, told, strict=True)]
    dates = [periods.code(first_after(measured.index, b, own)) for b, own in zip(found, told, strict=True)]
    is_yardstick = any(kind == "standard" for kind, _ in named)
    return Result(
        estimand="change",
        outcome=measured.indicator,
        unit=difference_unit(measured.indicator.unit),
        method="sup_f",
        estimates=_estimates(measured, found, dates, entity, level),
        subject=measured.subject if against is None else _against(panel, measured, against),
        tables={
            "breaks": _table(measured.index, found, dates, named),
            "series": _series(measured, found, weight),
            "documented": _documented(measured, weight, events, places, found, level),
            "events": tell_events(events, panel.freq),
        },
        checks=(*check_breaks(measured.index, found, told), *parted.checks),
        grade="limited" if is_yardstick or against is not None else "moderate",
        notes=(INDEPENDENT, *notes_of(panel, measured.indicator, entity)),
        settings=_settings(panel, outcome, entity, against)
        | {"alpha": alpha, "level": level, "most": most, "p_any": p},
        labels={f"break_{i + 1}": label_break(measured.index, b, own, level)
                for i, (b, own) in enumerate(zip(found, told, strict=True))},
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        spoken=tuple(range(len(found))),
        unanswered=Text("", "") if found else say_none(measured.index, p, least=LEAST_PERIODS),
    )  # fmt: skip


def _settings(panel: Panel, outcome: str, entity: str | None, against: str | None) -> dict[str, object]:
    return {
        "outcome": outcome, "entity_kind": panel.entity, "entity": entity, "against": against, "trim": TRIM,
        "freq": panel.freq, "sampling": panel.sampling,
    }  # fmt: skip


def _against(panel: Panel, measured: Measured, against: str) -> Text:
    other = panel.label(find_entity(panel, against))
    return Text("{a}与{b}之差", "{a} less that of {b}").format(a=measured.subject, b=other)


def _last_before(index: pd.PeriodIndex, event: DatedEvent) -> int:
    return int(np.flatnonzero(index < event.at(periods.freq_of(index)))[-1])


def _estimates(
    measured: Measured, found: Sequence[DatedBreak], dates: Sequence[str], entity: str | None, level: float
) -> tuple[Estimate, ...]:
    estimates = []
    for i, (b, date) in enumerate(zip(found, dates, strict=True)):
        key: dict[str, Key] = {"period": date}
        if entity is not None:
            key["entity"] = entity
        estimates.append(
            Estimate(
                term=f"break_{i + 1}", key=key, value=b.step, ci_low=b.step_low, ci_high=b.step_high, ci_level=level,
                p_value=b.p_value,
                n_obs=int(measured.n.sum()) if measured.has_counts else None,
            )
        )  # fmt: skip
    return tuple(estimates)


def _table(
    index: pd.PeriodIndex, found: Sequence[DatedBreak], dates: Sequence[str], named: Sequence[tuple[str, Text]]
) -> pd.DataFrame:
    """Return one row per break; dates are those of the first period after it."""
    dates_of = ["period", "low", "high", "searched"]
    columns = [*dates_of, "p_value", "step", "step_low", "step_high", "kind", "title_zh", "title_en"]
    code = [periods.code(p) for p in [*index, index[-1] + 1]]
    rows = [
        (
            date, code[b.low + 1], code[b.high + 1], code[b.searched + 1], b.p_value, b.step, b.step_low,
            b.step_high, kind, title.zh, title.en,
        )
        for b, date, (kind, title) in zip(found, dates, named, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _series(measured: Measured, found: Sequence[DatedBreak], weight: Floats) -> pd.DataFrame:
    edges = [0, *(b.last + 1 for b in found), len(measured.value)]
    segment = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    mean = np.concatenate(
        [np.full(b - a, np.average(measured.value[a:b], weights=weight[a:b])) for a, b in itertools.pairwise(edges)]
    )
    return pd.DataFrame(
        {
            "period": [periods.code(p) for p in measured.index], "n": measured.n, "k": measured.k,
            "value": measured.value, "segment": segment + 1, "mean": mean,
        }
    )  # fmt: skip


def _documented(
    measured: Measured, weight: Floats, events: Sequence[DatedEvent], places: Sequence[int],
    found: Sequence[DatedBreak], level: float,
) -> pd.DataFrame:  # fmt: skip
    """Return the step at each known date, between the breaks on either side of it; no search, so no search penalty."""
    rows, freq = [], periods.freq_of(measured.index)
    for at in dict.fromkeys(places):
        own = [e for e, place in zip(events, places, strict=True) if place == at]
        start = max([b.last + 1 for b in found if b.last < at], default=0)
        stop = min([b.last + 1 for b in found if b.last > at], default=len(measured.value))
        if at - start < 1 or stop - at < 3:
            continue
        part = slice(start, stop)
        step, low, high = step_at(measured.value[part], weight[part], at - start + 1, level)
        title = join([e.title for e in own], zh="；", en="; ")
        rows.append(
            {
                "period": periods.code(own[0].at(freq)), "kind": own[0].kind, "title_zh": title.zh,
                "title_en": title.en, "step": step, "ci_low": low, "ci_high": high,
                "is_in_a_break": any(b.low <= at <= b.high for b in found),
            }
        )  # fmt: skip
    columns = ["period", "kind", "title_zh", "title_en", "step", "ci_low", "ci_high", "is_in_a_break"]
    return pd.DataFrame(rows, columns=columns)
