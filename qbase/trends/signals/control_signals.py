"""The control chart of a rate or a measure: limits by phase, rules as leads, and a verdict with a known false alarm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.given import check_word
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Key
from qbase.stats.control.memory_charts import Memory
from qbase.stats.rates.difference_intervals import check_level
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import find_entity
from qbase.trends.counts.preliminary_periods import Parted, part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.signals.control_numbers import Charted, Ints, chart_series
from qbase.trends.signals.control_words import INDEPENDENT, check_chart, say_later, tell_phases
from qbase.trends.signals.given_events import Given, read_events, tell_events
from qbase.trends.signals.measured_series import Measured, read_measured
from qbase.trends.signals.panel_likeness import Dispersion, likeness_settings, read_likeness, say_likeness

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

ALPHA = 0.05
NO_SPREAD = Text(
    "{subject}的{outcome}在当前阶段各期数值相同，又没有计数，既不能给出控制界限，也不能给出区间。",
    "The {outcome} of {subject} has one and the same value in every period of the present phase, and no counts: "
    "neither limits nor an interval can be given.",
)
ALL_ALIKE = Text("各期数值相同，不作判断", "No verdict: all values alike")


def estimate_control(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    phases: Given | Iterable[Given] | None = None,
    target: float | None = None,
    chart: Literal["auto", "p", "laney", "xmr"] = "auto",
    memory: Memory | None = None,
    dispersion: Dispersion = "panel",
    maturity: Maturity | None = None,
    alpha: float = ALPHA,
    level: float = 0.95,
) -> Result:
    """Estimate a control chart: centre and limits by phase, the rules that fired, and whether anything changed.

    The usual rules fire somewhere in four to ten of ten quiet charts of 40 quarters, so they mark points to look at
    and no more. The verdict comes from one test of a lasting change per phase: in a series in which nothing changes it
    says "special cause" anywhere with probability ``alpha``, for small n, rates near 1 and over-dispersion alike. How
    far the periods of one entity differ beyond sampling is learnt from all entities of the panel, its own periods
    counting by what they are worth, and the test is held against series drawn so; where that cannot be, or is not
    wanted, it permutes the points of the one series, which finds fewer changes.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    outcome : str
        Id of a rate, ``D1.batch``, or of a measure without counts (then of one entity).
    entity : str or None
        One entity; None adds all up.
    phases : DatedEvent, Policy, Result, a sequence of them, or None
        Limits are set anew at these dates and nowhere else: a policy that starts, a standard that changes, or the
        breaks of `estimate_breaks`.
    target : float or None
        In the unit of the outcome: whether the process as it is meets it always, sometimes or never.
    chart : {"auto", "p", "laney", "xmr"}
        ``auto`` is a p chart, Laney's p′ chart where the counts are over-dispersed within phases (exact conditional
        test, 5 %; or those of the panel are), and XmR where there are no counts or the rate is weighted by its sampling
        design.
    memory : {"ewma", "cusum"} or None
        A path that carries earlier periods on, judged together with the test, with one chance of a false alarm for
        both. Looking back it finds no more than the test alone, which stays the default.
    dispersion : {"panel", "own"}
        ``panel`` learns over-dispersion from at least eight other entities with counts; a chart of all together, of
        values without counts, of a smaller panel, or of an entity whose periods vary more than those of the others,
        falls back to ``own``: Laney's sigma_z and a permutation test of this series alone.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`: preliminary periods are in the series and enter nothing.
    alpha : float
        False alarms over the whole chart, shared out over its phases.
    level : float
        Confidence level of the centres.

    Returns
    -------
    Result
        Estimand ``level``; term ``centre`` per phase, the last one spoken of with the verdict. Table ``series``:
        ``period n k value is_preliminary phase centre lower_limit upper_limit z sigma_z`` and a column per rule
        (``beyond two_of_three shift trend``), with ``memory`` also ``memory_upper memory_lower memory_limit`` in
        standard errors; table ``phases`` with the verdicts (``variation``, ``p_value``, ``assurance``); table
        ``events``. Where values without counts are all alike in the last phase, or every
        period is preliminary, there is no estimate, and ``unanswered`` says so.

    Raises
    ------
    PanelError
        No such indicator (QB123), shrunk values (QB125), a measure without counts over several entities (QB124).
    UsageError
        Unknown entity (QB501), a level or alpha that is none (QB503), no event (QB555), no such chart (QB556),
        no such memory or dispersion (QB144).
    DataError
        Nothing was measured (QB502), or a weighted panel is to be pooled (QB505).

    References
    ----------
    Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering 14. NHS England (2024). Making
    data count: variation and assurance. James, B., James, K. L. and Siegmund, D. (1987). Biometrika 74, 71-83.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_control
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> control = estimate_control(panel, "D1.batch", entity="K001", target=90.0)
    >>> control.method, control.tables["phases"]["variation"].tolist()
    ('laney_chart', ['common_cause'])
    """
    _check_asked(dispersion, memory, target, alpha, level)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="level", method="p_chart")
    if unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    measured = read_measured(parted.panel, outcome, entity)
    entity = None if entity is None else find_entity(panel, entity)
    events = read_events(phases, entity, measured.index)
    of = _phases(measured, [e.at(panel.freq) for e in events])
    learnt = read_likeness(parted.panel, outcome, measured, entity=entity, asked=dispersion)
    charted = chart_series(
        measured, of, asked=chart, alpha=alpha, level=level, target=target, memory=memory, pool=learnt.pool
    )
    estimates = _estimates(measured, charted, entity, level)
    table = tell_events(events, panel.freq)
    said = (say_later(measured, charted, target), say_likeness(learnt, measured, charted))
    later = join([text for text in said if text.zh], zh="", en=" ")
    return Result(
        estimand="level",
        outcome=measured.indicator,
        unit=measured.indicator.unit,
        method=f"{charted.chart}_chart",
        estimates=estimates,
        subject=measured.subject,
        tables={
            "series": _series(measured, charted, parted),
            "phases": tell_phases(measured, charted, table),
            "events": table,
        },
        checks=(*check_chart(measured, charted), *parted.checks),
        notes=(INDEPENDENT, *notes_of(panel, measured.indicator, entity)),
        labels={"later": later + parted.said, "unanswered": ALL_ALIKE},
        settings={
            "outcome": outcome, "entity_kind": panel.entity, "entity": entity, "chart": charted.chart, "asked": chart,
            "target": target, "alpha": alpha, "alpha_phase": charted.alpha_phase, "level": level, "freq": panel.freq,
            "sampling": panel.sampling, "quiet_share": charted.quiet_share,
            **likeness_settings(learnt, charted),
            **({} if memory is None else {"memory": memory}),
        },
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        spoken=(len(estimates) - 1,) if estimates else (),
        unanswered=Text("", "") if estimates else NO_SPREAD,
    )  # fmt: skip


def _check_asked(
    dispersion: Dispersion, memory: Memory | None, target: float | None, alpha: float, level: float
) -> None:
    check_level(level)
    check_level(1 - alpha)
    check_word("dispersion", dispersion, get_args(Dispersion))
    if memory is not None:
        check_word("memory", memory, get_args(Memory))
    if target is not None and not np.isfinite(target):
        raise UsageError("QB503", level=target, found=f"target={target}", expected="a number", fix="target=90")


def _phases(measured: Measured, starts: list[pd.Period]) -> Ints:
    """Return the phase of each measured period; a phase without any is none."""
    began = np.zeros(len(measured.index), dtype=np.int64)
    for start in starts:
        began += np.asarray(measured.index >= start)
    found: Ints = np.unique(began, return_inverse=True)[1]
    return found


def _estimates(measured: Measured, charted: Charted, entity: str | None, level: float) -> tuple[Estimate, ...]:
    found = []
    for phase in charted.phases:
        first, last = (periods.code(measured.index[i]) for i in (phase.start, phase.stop - 1))
        if phase.high - phase.low <= 0:
            if phase is not charted.phases[-1]:
                continue
            return ()
        key: dict[str, Key] = {"period": first if first == last else f"{first}–{last}"}
        if entity is not None:
            key["entity"] = entity
        n = int(measured.n[phase.start : phase.stop].sum()) if measured.has_counts else phase.points
        found.append(
            Estimate(
                term="centre", key=key, value=phase.centre, ci_low=phase.low, ci_high=phase.high, ci_level=level,
                n_obs=n if measured.has_counts else None,
            )
        )  # fmt: skip
    return tuple(found)


def _series(measured: Measured, charted: Charted, parted: Parted) -> pd.DataFrame:
    """Return the series with its limits; preliminary periods have none."""
    frame = measured.frame(parted)
    ripe = ~frame["is_preliminary"].to_numpy(dtype=bool)
    limits = charted.limits
    columns = {
        "centre": limits.centre[0], "lower_limit": limits.low[0], "upper_limit": limits.high[0], "z": limits.z[0],
        "sigma_z": limits.sigma_z[0],
    }  # fmt: skip
    frame["phase"] = 0
    frame.loc[ripe, "phase"] = charted.of + 1
    for name, values in columns.items():
        frame[name] = np.nan
        frame.loc[ripe, name] = values
    if charted.paths is not None:
        limit = [p.together.limit if p.together is not None else np.nan for p in charted.phases]
        for name, path in zip(("memory_upper", "memory_lower"), charted.paths, strict=True):
            frame[name] = np.nan
            frame.loc[ripe, name] = path
        frame["memory_limit"] = np.nan
        frame.loc[ripe, "memory_limit"] = np.array(limit)[charted.of]
    for rule, fired in charted.signals.items():
        frame[rule] = False
        frame.loc[ripe, rule] = fired
    return frame
