"""When the yardstick moved and by how much: the same batches judged by the limits of their day and by one fixed set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.periods import freq_of
from qbase.core.policy import DatedEvent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Key
from qbase.stats.control.change_scan import dispersion_test
from qbase.stats.control.control_limits import Floats
from qbase.stats.control.judged_twice import QuietEnd, date_quiet_end
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.rates.wilson import square_and_add, wilson_interval
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import EVERYBODY, PANEL_LEVEL, find_entity, read_counts
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.signals.given_events import Given, read_events, tell_events
from qbase.trends.signals.standard_words import NO_ITEMS, PAIRED, check_change, label_change, name_change, say_unmoved

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

TWICE = ("D1.tightened", "D1.loosened")
"""Passed in their day and fail by one set of limits; the other way round."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Twice:
    """Batches judged twice, by period, in order of time; periods in which none was judged are left out."""

    index: pd.PeriodIndex
    n: Floats
    tightened: Floats
    loosened: Floats

    @property
    def differing(self) -> Floats:
        """Batches judged otherwise, one way or the other."""
        return self.tightened + self.loosened


def estimate_standard_change(
    panel: Panel,
    outcome: str = "D1.batch",
    *,
    entity: str | None = None,
    known: Given | Iterable[Given] | None = None,
    maturity: Maturity | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
) -> Result:
    """Estimate when the limits of today came into force, and what they alone did to a pass rate.

    A tightened standard lowers a pass rate by a few points, too few to be dated by the rate. The same batches judged
    twice tell more: once the limits of today are in force, no batch is judged otherwise by them than in its day. What
    is estimated is a change of the yardstick, never of quality.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``, and ``D1.tightened`` and ``D1.loosened`` of the same window: they need measured items. Built
        with a base year they tell since when limits are other than those of that year.
    outcome : str
        Id of the rate the standard moves.
    entity : str or None
        One entity; None adds all up.
    known : DatedEvent, Policy, a sequence of them, or None
        Dates on record, such as those of `qbase.indicators.list_standard_changes`.
    maturity : Maturity or None
        Preliminary periods enter nothing.
    alpha : float
        Chance of a change where limits differ at random.
    level : float
        Of the interval of the date, and of the effect.

    Returns
    -------
    Result
        Estimand ``change``; term ``break_1``: what the newer limits did to the rate of the batches judged twice, in
        points. None where nothing was measured, where no batch is judged otherwise, or where those that are do not end
        (or begin) at a date, and then ``unanswered`` says which. Table ``breaks`` as that of `estimate_breaks`, kind
        ``standard``, so that a chart takes it as the beginning of a phase; ``series`` (``period n tightened loosened
        value``: judged otherwise, %) and ``events``.

    Raises
    ------
    PanelError
        No such indicator (QB123).
    UsageError
        Unknown entity (QB501), a level that is none (QB503), no event (QB555).

    References
    ----------
    McNemar, Q. (1947). Psychometrika 12 (pairs that differ). Lehmann, E. L. and Casella, G. (1998). Theory of Point
    Estimation, chapter 2 (the end of a uniform distribution).

    Examples
    --------
    >>> from qbase.indicators import build_panel, list_standard_changes
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_standard_change
    >>> workspace = open_workspace()
    >>> panel = build_panel(workspace, ["D1.batch", "D1.tightened", "D1.loosened"])
    >>> found = estimate_standard_change(panel, known=list_standard_changes(workspace))
    >>> found.tables["breaks"][["period", "low", "high", "kind"]].values.tolist()
    [['2021Q1', '2021Q1', '2021Q2', 'standard']]
    """
    check_level(level)
    check_level(1 - alpha)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="change", method="judged_twice")
    if unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    entity = None if entity is None else find_entity(panel, entity)
    indicator, twice = panel.indicator(outcome), read_twice(parted.panel, entity)
    found = None if twice is None else date_quiet_end(twice.differing, twice.n, level=level)
    events = [] if twice is None or found is None else read_events(known, entity, twice.index)
    shown = twice if found is not None and found.p_value <= alpha else None
    own = [] if shown is None or found is None else _inside(events, shown.index, found)
    tables: dict[str, pd.DataFrame] = {}
    labels: dict[str, Text] = {}
    estimates: tuple[Estimate, ...] = ()
    if shown is not None and found is not None:
        step = _step(shown, found, level)
        date = _date(shown.index, found, own)
        tables["breaks"] = _table(shown.index, found, date, step, name_change(date, own))
        estimates = (_estimate(shown, found, date, step, entity, level),)
        labels["break_1"] = label_change(shown.index, found, date, own, level)
    if twice is not None:
        tables |= {"series": _series(twice), "events": tell_events(events, panel.freq)}
    p = None if found is None else found.p_value
    return Result(
        estimand="change", outcome=indicator, unit=difference_unit(indicator.unit), method="judged_twice",
        estimates=estimates, subject=_subject(panel, entity), tables=tables, labels=labels,
        checks=(*(() if shown is None else check_change(own)), *parted.checks),
        grade="moderate" if own else "limited",
        notes=(PAIRED, *notes_of(panel, indicator, entity)),
        settings={
            "outcome": outcome, "twice": list(TWICE), "entity_kind": panel.entity, "entity": entity, "alpha": alpha,
            "level": level, "freq": panel.freq, "sampling": panel.sampling, "p_any": p,
        },
        sources=panel.sources, coverage=panel.coverage_of(outcome), spoken=tuple(range(len(estimates))),
        unanswered=Text("", "") if estimates else NO_ITEMS if twice is None else say_unmoved(
            differing=int(twice.differing.sum()), n=int(twice.n.sum()), p=p
        ),
    )  # fmt: skip


def read_twice(panel: Panel, entity: str | None) -> Twice | None:
    """Read the batches judged twice; None where the panel has none of this entity."""
    if not {f"{i}__{c}" for i in TWICE for c in "kn"} <= set(panel.data.columns):
        return None
    if entity is not None and entity not in panel.entities:
        # an entity nobody knows is told as everywhere else
        read_counts(panel, TWICE[0], entity=entity, level=PANEL_LEVEL)
    own = panel if entity is None else panel.keep([entity])
    if not own.data[f"{TWICE[0]}__n"].sum() > 0:
        return None
    read = [read_counts(own, i, entity=entity, level=PANEL_LEVEL) for i in TWICE]
    n, tightened = (read[0].series[c].to_numpy(dtype=float) for c in ("n", "k"))
    return Twice(
        index=read[0].index, n=n, tightened=tightened, loosened=read[1].series["k"].to_numpy(dtype=float)
    )  # fmt: skip


def _subject(panel: Panel, entity: str | None) -> Text:
    return EVERYBODY.get(panel.entity, Text("全部对象", "all entities")) if entity is None else panel.label(entity)


def _inside(events: Iterable[DatedEvent], index: pd.PeriodIndex, found: QuietEnd) -> list[DatedEvent]:
    """Return the changes of standards on record whose date lies in the interval."""
    first, last = index[found.low], index[found.high] if found.high < len(index) else index[-1] + 1
    return [e for e in events if e.kind == "standard" and first <= e.at(freq_of(index)) <= last]


def _date(index: pd.PeriodIndex, found: QuietEnd, own: list[DatedEvent]) -> pd.Period:
    """Return the first period of the newer limits: that of the document where one gives the date."""
    return min((e.at(freq_of(index)) for e in own), default=index[found.first])


def _step(twice: Twice, found: QuietEnd, level: float) -> tuple[float, float, float]:
    """Return what the newer limits did to the rate of the batches that were judged by others, in points."""
    side = slice(None, found.first) if found.is_newer else slice(found.first, None)
    n = twice.n[side]
    parts = []
    for counts in (twice.loosened[side], twice.tightened[side]):
        deff = max(1.0, dispersion_test(counts, n)[0])
        low, high = wilson_interval([counts.sum() / deff], [n.sum() / deff], level=level)
        parts.append((counts.sum() / n.sum(), low[0], high[0]))
    # by limits of a base year the batches after the change are judged again, and newer limits lose what those pass
    first, second = parts if found.is_newer else parts[::-1]
    value, lower, upper = (100 * float(x) for x in square_and_add(first, second))
    return value, lower, upper


def _table(
    index: pd.PeriodIndex, found: QuietEnd, date: pd.Period, step: tuple[float, float, float], title: Text
) -> pd.DataFrame:
    code = [periods.code(p) for p in [*index, index[-1] + 1]]
    row = {
        "period": periods.code(date), "low": code[found.low], "high": code[found.high],
        "searched": code[found.first], "p_value": found.p_value, "step": step[0], "step_low": step[1],
        "step_high": step[2], "kind": "standard", "title_zh": title.zh, "title_en": title.en,
    }  # fmt: skip
    return pd.DataFrame([row])


def _estimate(
    twice: Twice, found: QuietEnd, date: pd.Period, step: tuple[float, float, float], entity: str | None, level: float
) -> Estimate:
    key: dict[str, Key] = {"period": periods.code(date)}
    if entity is not None:
        key["entity"] = entity
    side = slice(None, found.first) if found.is_newer else slice(found.first, None)
    return Estimate(
        term="break_1", key=key, value=step[0], ci_low=step[1], ci_high=step[2], ci_level=level,
        n_obs=int(twice.n[side].sum()),
    )  # fmt: skip


def _series(twice: Twice) -> pd.DataFrame:
    value = 100 * twice.differing / twice.n
    return pd.DataFrame(
        {
            "period": [periods.code(p) for p in twice.index], "n": twice.n, "tightened": twice.tightened,
            "loosened": twice.loosened, "value": value,
        }
    )  # fmt: skip
