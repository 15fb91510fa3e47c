"""The numbers of a control chart by phase: which chart, limits, rules, the test behind the verdict, targets."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qbase.core.errors import UsageError
from qbase.stats.control.change_scan import LEAST_POINTS, ChangeScan, dispersion_test, scan_changes
from qbase.stats.control.control_limits import ControlChart, laney_chart, p_chart, xmr_chart
from qbase.stats.control.control_rules import RULES, find_signals
from qbase.stats.control.memory_charts import JudgedTogether, Memory, judge_together, memory_paths
from qbase.stats.control.pooled_likeness import LikenessPool
from qbase.stats.control.pooled_verdicts import PooledVerdict, judge_pooled
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.signals.measured_series import Measured

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Chart = Literal["p", "laney", "xmr"]
Variation = Literal["improving", "worsening", "higher", "lower", "common_cause", "all_alike", "too_short"]
Assurance = Literal["always", "sometimes", "never", "cannot_tell", ""]

VERDICT_POINTS = 8
"""Below this a phase has no verdict: the test could hardly find anything."""
TRIAL_POINTS = 12
"""Below this limits are on trial, as the NHS guide has it."""
DISPERSED = 0.05
"""The p′ chart where the periods differ by more than chance would let them in one of twenty quiet series."""
QUIET_DRAWS, QUIET_SEED = 400, 40
STEPS = (5, 10)
"""Percentage points whose chance of being found is told beside a chart without a verdict."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase: positions ``start`` to ``stop`` (not included) of the series, its centre, its verdict.

    ``pooled`` is there where the verdict rests on a variance learnt from the whole panel.
    """

    start: int
    stop: int
    centre: float
    low: float
    high: float
    variation: Variation
    p_value: float
    last: int
    before: float
    after: float
    assurance: Assurance
    together: JudgedTogether | None = None
    pooled: PooledVerdict | None = None

    @property
    def points(self) -> int:
        """Return how many measured periods it has."""
        return self.stop - self.start


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Charted:
    """A whole chart: limits in the unit of the values (NaN where a phase has none), rules by point, phases."""

    chart: Chart
    limits: ControlChart
    signals: dict[str, Bools]
    phases: tuple[Phase, ...]
    of: Ints
    dispersion: float
    dispersion_p: float
    alpha_phase: float
    quiet_share: float
    serial: float
    memory: Memory | None = None
    paths: tuple[Floats, Floats] | None = None


def choose_chart(
    measured: Measured, asked: str, of: Ints, pool: LikenessPool | None = None
) -> tuple[Chart, float, float]:
    """Return the chart, the dispersion of the counts and its p value.

    Counts get a p chart, or Laney's p′ where they, or those of the pool, are over-dispersed within phases; values
    without counts get XmR.

    Raises
    ------
    UsageError
        A word that is no chart, or a chart of counts where there are none (QB556).
    """
    if asked not in ("auto", "p", "laney", "xmr") or (asked in ("p", "laney") and not measured.has_counts):
        held = "counts k and n" if measured.has_counts else "values without counts, or weighted by a design"
        raise UsageError(
            "QB556", chart=asked, outcome=measured.indicator.id, found=f"chart={asked!r}; {held}",
            expected="auto | p | laney | xmr" if measured.has_counts else "auto | xmr", fix='chart="auto"',
        )  # fmt: skip
    if not measured.has_counts:
        return "xmr", math.nan, math.nan
    ratio, p = dispersion_test(measured.k, measured.n, phases=of)
    if asked == "auto":
        is_wide = p <= DISPERSED or (pool is not None and pool.p_value <= DISPERSED)
        return ("laney" if is_wide else "p"), ratio, p
    return asked, ratio, p  # type: ignore[return-value]


def chart_series(
    measured: Measured,
    of: Ints,
    *,
    asked: str,
    alpha: float,
    level: float,
    target: float | None,
    memory: Memory | None = None,
    pool: LikenessPool | None = None,
) -> Charted:
    """Chart a series of T measured periods in phases.

    Parameters
    ----------
    measured : Measured
        The series.
    of : numpy.ndarray of int, shape (T,)
        Phase of each period, from 0.
    asked : str
        ``auto``, ``p``, ``laney`` or ``xmr``.
    alpha : float
        Chance of a verdict other than common cause in any phase of a series in which nothing changes.
    level : float
        Of the interval of a centre.
    target : float or None
        In the unit of the values.
    memory : {"ewma", "cusum"} or None
        A path that is judged together with the test of a lasting change.
    pool : LikenessPool or None
        What other series say of over-dispersion; None learns it from this one alone.
    """
    chart, ratio, p = choose_chart(measured, asked, of, pool)
    edges = [int(np.flatnonzero(of == i)[0]) for i in np.unique(of)] + [len(of)]
    alpha_phase = 1 - (1 - alpha) ** (1 / (len(edges) - 1))
    spans = [slice(a, b) for a, b in itertools.pairwise(edges)]
    verdicts = [_judge(measured, own, chart, pool, memory, alpha_phase) for own in spans]
    limits = _limits(measured, of, chart, _factors(measured, spans, verdicts))
    signals = {r: found[0] for r, found in find_signals(limits.z, limits.value, phases=of[None, :]).items()}
    phases = tuple(
        _remember(
            _phase(measured, limits, own, verdict, chart, ratio, alpha_phase, level, target),
            measured, memory, alpha_phase,
        )
        for own, verdict in zip(spans, verdicts, strict=True)
    )  # fmt: skip
    return Charted(
        chart=chart, limits=limits, signals=signals, phases=phases, of=of, dispersion=ratio, dispersion_p=p,
        alpha_phase=alpha_phase, quiet_share=_quiet_share(measured, of, chart, limits, is_given=_is_pooled(phases)),
        serial=_serial(limits.z[0], of), memory=memory,
        paths=None if memory is None else _paths(measured, phases, memory),
    )  # fmt: skip


def _is_pooled(phases: Sequence[Phase]) -> bool:
    return any(p.pooled is not None for p in phases)


def _judge(
    measured: Measured, own: slice, chart: Chart, pool: LikenessPool | None, memory: Memory | None, alpha: float
) -> PooledVerdict | None:
    """Return the verdict by the variance of the panel; None where the phase has none, or is not like the panel."""
    k, n = measured.k[own], measured.n[own]
    if pool is None or chart == "xmr" or len(k) < VERDICT_POINTS or np.ptp(measured.value[own]) <= 1e-9:
        return None
    found = judge_pooled(k, n, pool, alpha=alpha, memory=memory, steps=[s / 100 for s in STEPS])
    return found if found.is_alike else None


def _factors(measured: Measured, spans: Sequence[slice], verdicts: Sequence[PooledVerdict | None]) -> Floats:
    """Return sigma_z of each period as the panel has it, NaN where the phase is on its own."""
    factor = np.full(len(measured.value), np.nan)
    for own, verdict in zip(spans, verdicts, strict=True):
        if verdict is not None:
            factor[own] = math.sqrt(1 + (float(measured.n[own].mean()) - 1) * verdict.likeness)
    return factor


def _limits(measured: Measured, of: Ints, chart: Chart, factor: Floats) -> ControlChart:
    """Return the limits in the unit of the values; a phase in which nothing varies has none."""
    return _drawn_limits(measured.k[None, :], measured.n[None, :], measured.value[None, :], of, chart, factor)


def _drawn_limits(
    k: Floats, n: Floats, value: Floats, of: Ints, chart: Chart, factor: Floats | None = None
) -> ControlChart:
    if chart == "xmr":
        found, scale = xmr_chart(value, phases=of[None, :]), 1.0
    elif chart == "laney":
        found, scale = laney_chart(k, n, phases=of[None, :], factor=factor), 100.0
    else:
        found, scale = p_chart(k, n, phases=of[None, :]), 100.0
    flat = found.high - found.low <= 1e-12
    low, high = (np.where(flat, np.nan, scale * end) for end in (found.low, found.high))
    return dataclasses.replace(found, value=scale * found.value, centre=scale * found.centre, low=low, high=high)


def _quiet_share(measured: Measured, of: Ints, chart: Chart, limits: ControlChart, *, is_given: bool) -> float:
    """Return the share of charts of the process as it is, and without any change, in which some rule fires.

    They are drawn anew: the points in another order would hold the very point that is in question.
    """
    k, n, value = _quiet_charts(measured, chart, limits)
    drawn = _drawn_limits(k, n, value, of, chart, limits.sigma_z[0] if is_given else None)
    fired = find_signals(drawn.z, drawn.value, phases=np.broadcast_to(of, drawn.value.shape))
    return float(np.any([fired[r].any(axis=1) for r in RULES], axis=0).mean())


def _quiet_charts(measured: Measured, chart: Chart, limits: ControlChart) -> tuple[Floats, Floats, Floats]:
    """Draw passes, tests and values: binomial, beta-binomial as wide as Laney's factor, or normal for an XmR chart."""
    rng = np.random.default_rng([QUIET_SEED, len(measured.value)])
    centre, shape = limits.centre[0], (QUIET_DRAWS, len(measured.value))
    n = np.broadcast_to(measured.n, shape)
    if chart == "xmr":
        sigma = np.nan_to_num(limits.high[0] - limits.low[0]) / 6
        return np.zeros(shape), n, centre + sigma * rng.standard_normal(shape)
    share = np.broadcast_to(np.clip(centre / 100, 0, 1), shape)
    typical = max(float(measured.n.mean()), 2.0)
    alike = np.clip((limits.sigma_z[0] ** 2 - 1) / (typical - 1), 0, 0.99)
    varied = (alike > 0) & (share > 0) & (share < 1)
    total = 1 / np.where(alike > 0, alike, 0.5) - 1
    inside = np.where(varied, share, 0.5)
    share = np.where(varied, rng.beta(inside * total, (1 - inside) * total), share)
    k = rng.binomial(n.astype(np.int64), share).astype(float)
    return k, n, 100 * k / n


def _serial(z: Floats, of: Ints) -> float:
    """Return the correlation of neighbouring points within phases."""
    centred = z.copy()
    for phase in np.unique(of):
        centred[of == phase] -= z[of == phase].mean()
    whole = float((centred**2).sum())
    pairs = centred[1:] * centred[:-1] * (of[1:] == of[:-1])
    return float(pairs.sum()) / whole if whole > 0 else 0.0


def _phase(
    measured: Measured, limits: ControlChart, own: slice, pooled: PooledVerdict | None, chart: Chart, ratio: float,
    alpha: float, level: float, target: float | None,
) -> Phase:  # fmt: skip
    value, weight = measured.value[own], measured.weight[own]
    scan = scan_changes(value[None, :], weight[None, :], least=LEAST_POINTS)
    if pooled is not None:
        scan = dataclasses.replace(scan, p_value=np.array([pooled.p_value]))
    variation = _variation(value, scan, measured.indicator.better, alpha)
    effect = max(1.0, ratio) if pooled is None else _effect(measured.n[own], pooled.likeness)
    centre, low, high = _centre(measured, own, chart, effect, level)
    last = int(scan.last[0])
    return Phase(
        start=own.start, stop=own.stop, centre=centre, low=low, high=high, variation=variation,
        p_value=float(scan.p_value[0]), last=own.start + last if last >= 0 else -1, before=float(scan.before[0]),
        after=float(scan.after[0]), pooled=pooled,
        assurance=_assurance(limits.low[0, own], limits.high[0, own], measured.indicator.better, target),
    )  # fmt: skip


def _effect(n: Floats, likeness: float) -> float:
    """Return by how much batches that are alike within a period widen the variance of the mean of all."""
    return float((n * (1 + (n - 1) * likeness)).sum() / n.sum())


def _remember(phase: Phase, measured: Measured, memory: Memory | None, alpha: float) -> Phase:
    """Return the phase judged by the test and the path together; by the more striking of the two."""
    if memory is None or phase.variation in ("too_short", "all_alike"):
        return phase
    own = slice(phase.start, phase.stop)
    value, weight, better = measured.value[own], measured.weight[own], measured.indicator.better
    if phase.pooled is not None and phase.pooled.together is not None:
        found = phase.pooled.together
    else:
        found = judge_together(value, weight, kind=memory, alpha=alpha)
    phase = dataclasses.replace(phase, p_value=found.p_value, together=found)
    if found.p_value > alpha:
        return dataclasses.replace(phase, variation="common_cause")
    if found.is_by_memory:
        upper, lower = _paths(measured, [phase], memory)
        last, _ = furthest_stretch(upper, lower)
        sides = [np.average(value[s], weights=weight[s]) for s in (slice(0, last + 1), slice(last + 1, None))]
        phase = dataclasses.replace(phase, last=phase.start + last, before=float(sides[0]), after=float(sides[1]))
    return dataclasses.replace(phase, variation=_direction(phase.after > phase.before, better))


def furthest_stretch(upper: Floats, lower: Floats) -> tuple[int, int]:
    """Return the last point before a path set out for its furthest point, and that point; 0 at least."""
    far = int(np.maximum(upper, -lower).argmax())
    path = upper if upper[far] >= -lower[far] else -lower
    back = np.flatnonzero(path[:far] <= 0)
    return (int(back[-1]) if len(back) else 0), far


def _paths(measured: Measured, phases: Sequence[Phase], memory: Memory) -> tuple[Floats, Floats]:
    """Return upper and lower path of the series, begun anew in every phase."""
    found = [
        memory_paths(
            measured.value[None, p.start : p.stop], measured.weight[None, p.start : p.stop], kind=memory,
            variance=None if p.pooled is None else 1e4 * p.pooled.variance,
        )
        for p in phases
    ]  # fmt: skip
    upper, lower = (np.concatenate([pair[i][0] for pair in found]) for i in (0, 1))
    return upper, lower


def _direction(is_up: bool, better: str) -> Variation:
    if better == "none":
        return "higher" if is_up else "lower"
    return "improving" if is_up == (better == "up") else "worsening"


def _variation(value: Floats, scan: ChangeScan, better: str, alpha: float) -> Variation:
    if len(value) < VERDICT_POINTS:
        return "too_short"
    if np.ptp(value) <= 1e-9:
        return "all_alike"
    if scan.p_value[0] > alpha:
        return "common_cause"
    return _direction(bool(scan.after[0] > scan.before[0]), better)


def _centre(measured: Measured, own: slice, chart: Chart, effect: float, level: float) -> tuple[float, float, float]:
    """Return the mean of a phase with its interval: Wilson's, on counts shared out among alike batches; else t."""
    value = measured.value[own]
    if chart != "xmr":
        n, k = float(measured.n[own].sum()), float(measured.k[own].sum())
        low, high = wilson_interval([k / effect], [n / effect], level=level)
        return 100 * k / n, 100 * float(low[0]), 100 * float(high[0])
    mean = float(value.mean())
    if len(value) < 2:
        return mean, mean, mean
    half = float(stats.t.ppf((1 + level) / 2, len(value) - 1) * value.std(ddof=1) / math.sqrt(len(value)))
    return mean, mean - half, mean + half


def _assurance(low: Floats, high: Floats, better: str, target: float | None) -> Assurance:
    """Return whether the limits of a phase lie wholly on one side of a target in every period."""
    if target is None or better == "none":
        return ""
    if not np.isfinite(low).all():
        return "cannot_tell"
    good, bad = (low >= target, high < target) if better == "up" else (high <= target, low > target)
    return "always" if good.all() else "never" if bad.all() else "sometimes"
