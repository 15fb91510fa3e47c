"""What placebos say of a path: tests of its leads, a band over its event times, and intervals of single terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from scipy import stats

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.joint_bands import sup_t_value
from qbase.effects.fitting.path_fit import Ints, PathFit, clustered_vcov
from qbase.effects.fitting.path_statistics import errors_of, joint_f, largest_t, sum_by_cluster
from qbase.effects.fitting.placebo_paths import ENOUGH, Exchange, Replay, without_effects
from qbase.stats.adoption_permutations import TIE, attainable_p, inverted_limits, permutation_p

TEST_LEVEL = 0.05
"""A test that cannot reach this p value is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeadTest:
    """Whether those treated moved apart before: one statistic over all event times before the start.

    Parameters
    ----------
    statistic : float
        Observed.
    p_value : float
        By exchange of histories or dates; asymptotic where ``n_draws`` is 0.
    p_floor : float or None
        The smallest it could have been.
    kind : {"F", "max_t"}
        Joint F, or the largest absolute t.
    n_leads : int
        Event times tested.
    n_draws : int
        Assignments other than the observed one.
    is_testable : bool
        Whether the smallest attainable p value is at most .05.
    """

    statistic: float
    p_value: float
    p_floor: float | None
    kind: Literal["F", "max_t"]
    n_leads: int
    n_draws: int
    is_testable: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Lead tests and the half width of a joint band, shape (K,), NaN where there is none."""

    lead_f: LeadTest | None
    lead_t: LeadTest | None
    half: Floats
    joint_p: float
    is_scaled: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inverted:
    """Standard deviation over placebos, interval and p value of each term, shape (K,)."""

    spread: Floats
    low: Floats
    high: Floats
    p: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Placebos:
    """Statistics of placebo paths: F and largest t of the leads, shape (A,); event terms and their errors, (A, E)."""

    lead_f: Floats
    lead_t: Floats
    path: Floats
    errors: Floats


def calibrate_path(
    grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange | None, *, level: float, has_few: bool
) -> Calibration:
    """Test the leads jointly and find the band over event times, both from the same placebos.

    Effects are taken out of the outcomes first, so that they are not mistaken for noise in histories that others take on.

    Parameters
    ----------
    grid, replay, fit
        The comparison, made ready, and its estimate.
    exchange : Exchange or None
        None takes Hotelling's F and the simulated sup-t value.
    level : float
        Of the band.
    has_few : bool
        Whether at most three clusters are treated: their own noise cannot be seen in a clustered error, so the band is
        as wide at each time as placebos vary there, instead of proportional to the clustered errors.
    """
    leads, family = _leads(fit), _family(fit)
    is_scaled = replay.noise.root is not None and exchange is not None and exchange.kind == "histories"
    if exchange is None:
        return _asymptotic(grid, fit, leads, family, level=level)
    placebos = collect_placebos(_replayed(grid, replay, fit, exchange), grid, leads, family)
    scores = sum_by_cluster(fit.influence, grid.cluster)[None]
    f = float(joint_f(fit.beta[None, leads], scores[:, :, leads])[0]) if len(leads) else math.nan
    t = float(largest_t(fit.beta[None, leads], errors_of(scores[:, :, leads]))[0]) if len(leads) else math.nan
    half, joint_p = _band(fit, scores, family, placebos, level=level, has_few=has_few)
    return Calibration(
        lead_f=_tested("F", f, placebos.lead_f, len(leads)),
        lead_t=_tested("max_t", t, placebos.lead_t, len(leads)),
        half=half,
        joint_p=joint_p,
        is_scaled=is_scaled,
    )


def permutation_leads(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange) -> LeadTest | None:
    """Return the joint F of the leads with its p value by exchange: the part of `calibrate_path` that takes its time."""
    return calibrate_path(grid, replay, fit, exchange, level=0.95, has_few=False).lead_f


def collect_placebos(blocks: Iterable[tuple[Floats, Floats]], grid: OutcomeGrid, leads: Ints, family: Ints) -> Placebos:
    """Reduce placebo paths, block by block, to what is looked at."""
    f, t, path, errors = [], [], [], []
    for beta, influence in blocks:
        wanted = np.union1d(leads, family)
        scores = sum_by_cluster(influence[:, :, wanted], grid.cluster)
        own, seen = np.searchsorted(wanted, leads), np.searchsorted(wanted, family)
        scale = errors_of(scores)
        if len(leads):
            f.append(joint_f(beta[:, leads], scores[:, :, own]))
            t.append(largest_t(beta[:, leads], scale[:, own]))
        path.append(beta[:, family])
        errors.append(scale[:, seen])
    none = np.empty(0)
    return Placebos(
        lead_f=np.concatenate(f) if f else none,
        lead_t=np.concatenate(t) if t else none,
        path=np.concatenate(path),
        errors=np.concatenate(errors),
    )


def invert_placebos(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange, *, level: float) -> Inverted:
    """Return for each term its p value against no effect at all, and the constant effects that placebos do not reject.

    The placebos of an effect τ are those of the outcome less τ times those of the treatment itself, for the estimator is
    linear; two rounds of placebos answer every τ. Where dates are exchanged instead there is no interval.

    Parameters
    ----------
    grid, replay, fit, exchange
        See `calibrate_path`.
    level : float
        Of the intervals, infinite where the placebos are too few.
    """
    n_terms = len(fit.terms)
    p, low, high = np.full(n_terms, np.nan), np.full(n_terms, -np.inf), np.full(n_terms, np.inf)
    if exchange.kind == "dates":
        beta = np.concatenate([b for b, _ in replay.of_dates(grid, exchange.places)])
        lever = None
    else:
        treated = np.where(np.isfinite(grid.y), (grid.event_time >= 0).astype(float), np.nan)
        beta = np.concatenate([b for b, _ in replay.of_histories(grid.y, exchange.places)])
        lever = np.concatenate([b for b, _ in replay.of_histories(treated, exchange.places)])
    for k in np.flatnonzero(np.isfinite(fit.beta)):
        p[k] = permutation_p(abs(fit.beta[k]), np.abs(beta[:, k]))
        if lever is not None:
            nearest, farthest = inverted_limits(_without(beta, lever, fit, k), lever[:, k], level=level)
            low[k], high[k] = fit.beta[k] - farthest, fit.beta[k] - nearest
    spread = np.nanstd(beta if lever is None else beta - fit.beta[0] * lever, axis=0)
    return Inverted(spread=spread, low=low, high=high, p=p)


def _without(beta: Floats, lever: Floats, fit: PathFit, k: int) -> Floats:
    """Return the placebos of a term with a constant effect of its own size taken out of the outcomes."""
    return np.asarray(beta[:, k] - fit.beta[k] * lever[:, k], dtype=float)


def _replayed(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange) -> Iterable[tuple[Floats, Floats]]:
    bare = without_effects(grid, fit)
    if exchange.kind == "dates":
        return replay.of_dates(bare, exchange.places)
    return replay.of_histories(bare.y, exchange.places)


def _leads(fit: PathFit) -> Ints:
    at = fit.pick("event", leads=True)
    return at[np.isfinite(fit.beta[at]) & (np.abs(fit.influence[:, at]).max(axis=0) > 0)] if len(at) else at


def _family(fit: PathFit) -> Ints:
    at = fit.pick("event")
    return at[np.isfinite(fit.beta[at]) & (fit.n_treated[at] >= ENOUGH)] if len(at) else at


def _tested(kind: Literal["F", "max_t"], statistic: float, drawn: Floats, n_leads: int) -> LeadTest | None:
    if not math.isfinite(statistic):
        return None
    floor = attainable_p(statistic, drawn)
    return LeadTest(
        statistic=statistic,
        p_value=permutation_p(statistic, drawn),
        p_floor=floor,
        kind=kind,
        n_leads=n_leads,
        n_draws=len(drawn),
        is_testable=floor <= TEST_LEVEL + TIE,
    )


def _band(
    fit: PathFit, scores: Floats, family: Ints, placebos: Placebos, *, level: float, has_few: bool
) -> tuple[Floats, float]:
    """Return half widths of the band, and p of the test it is: no difference at any event time."""
    half = np.full(len(fit.terms), np.nan)
    if not len(family):
        return half, math.nan
    if has_few:
        drawn = own = np.nanstd(placebos.path, axis=0)
    else:
        drawn, own = placebos.errors, errors_of(scores[:, :, family])[0]
    largest = largest_t(placebos.path, np.broadcast_to(drawn, placebos.path.shape))
    observed = float(largest_t(fit.beta[None, family], own[None])[0])
    # NaN, where a placebo could not be estimated, counts as wide
    ordered = np.sort(np.nan_to_num(largest, nan=np.inf))[::-1]
    needed = math.floor((1 - level) * (1 + len(ordered)) + TIE)
    if needed >= 1:
        half[family] = ordered[needed - 1] * own
    return half, permutation_p(observed, largest)


def _asymptotic(grid: OutcomeGrid, fit: PathFit, leads: Ints, family: Ints, *, level: float) -> Calibration:
    vcov = clustered_vcov(fit, grid.cluster)
    scores = sum_by_cluster(fit.influence, grid.cluster)
    treated = len(np.unique(grid.cluster[grid.is_treated]))
    df = float(min(treated, len(scores) - treated) - 1)
    half = np.full(len(fit.terms), np.nan)
    lead, joint_p = None, math.nan
    q = len(leads)
    if q and df > q:
        f = float(joint_f(fit.beta[None, leads], scores[None][:, :, leads])[0])
        # Hotelling: the covariance of few clusters is itself noisy
        p = float(stats.f.sf(f * (df - q + 1) / df, q, df - q + 1))
        lead = LeadTest(statistic=f, p_value=p, p_floor=None, kind="F", n_leads=q, n_draws=0, is_testable=True)
    if len(family) and df > len(family):
        inside = vcov[np.ix_(family, family)]
        half[family] = sup_t_value(inside, df, level=level, seed=len(family)) * np.sqrt(np.diag(inside))
    return Calibration(lead_f=lead, lead_t=None, half=half, joint_p=joint_p, is_scaled=False)
