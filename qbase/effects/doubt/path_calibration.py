"""What placebos say of a path: tests of its leads, a band over its event times, and intervals of single terms."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np
from scipy import stats

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.heavy_tails import Tails, read_tails
from qbase.effects.doubt.history_noise import with_caution
from qbase.effects.doubt.lead_power import TEST_LEVEL, normal_slope, placebo_slope
from qbase.effects.doubt.moved_noise import read_moved_noise
from qbase.effects.doubt.path_statistics import joint_f, largest_t, quadratic_f, sum_by_cluster
from qbase.effects.doubt.placebo_paths import BatchEstimator, Exchange, Replay, without_effect
from qbase.effects.fitting.joint_bands import sup_t_value
from qbase.effects.fitting.path_fit import Ints, PathFit, clustered_vcov
from qbase.stats.testing.adoption_permutations import TIE, attainable_p, inverted_limits, permutation_p

ENOUGH = 3
"""A band covers event times behind which three treated stand."""


SPREAD_DRAWS = 299
"""Placebos that tell a standard deviation."""


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
        Whether the smallest attainable p value is below .05.
    slope : float or None
        The straight drift of the treated, a period, that this test finds with power .8; None where that is not known.
    carried : float or None
        What that drift, going on after the start, would add to the overall effect.
    """

    statistic: float
    p_value: float
    p_floor: float | None
    kind: Literal["F", "max_t"]
    n_leads: int
    n_draws: int
    is_testable: bool
    slope: float | None = None
    carried: float | None = None


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


def calibrate_path(
    grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange | None, *, level: float
) -> Calibration:
    """Test the leads jointly and find the band over event times, both from the same placebos.

    The overall effect is taken out of the outcomes first, so that it is not mistaken for noise in histories that others
    take on. Coefficients are held against how placebos vary and move together, not against clustered errors: those of a
    few treated clusters with few batches are now and then next to nothing, and t explodes (max t of 8 treated of 36
    with three batches a cell: 28 % at 5 %).

    Parameters
    ----------
    grid, replay, fit
        The comparison, made ready, and its estimate.
    exchange : Exchange or None
        None takes Hotelling's F and the simulated sup-t value.
    level : float
        Of the band.
    """
    leads, family = find_leads(fit), find_family(fit)
    if exchange is None:
        return _asymptotic(grid, replay, fit, leads, family, level=level)
    drawn = placebo_paths(grid, replay, fit, exchange)
    tails = read_tails(grid, replay) if is_rescaled(replay, exchange) else None
    half, joint_p = placebo_band(
        fit.beta[family],
        drawn[:, family],
        level=level,
        n_clusters=int(grid.cluster.max()) + 1,
        tails=None if tails is None else tails.of_terms(family),
    )
    whole = np.full(len(fit.terms), np.nan)
    whole[family] = half
    drift = read_drift(grid, replay, exchange)
    return Calibration(
        lead_f=_tested("F", fit.beta[leads], drawn[:, leads], drift=None if drift is None else drift[[0, *leads]]),
        lead_t=_tested(
            "max_t", fit.beta[leads], drawn[:, leads], tails=None if tails is None else tails.of_terms(leads)
        ),
        half=whole,
        joint_p=joint_p,
        is_scaled=is_rescaled(replay, exchange),
    )


def placebo_paths(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange) -> Floats:
    """Return the coefficients of placebos of outcomes less the estimated effects, shape (A, K)."""
    bare = without_effect(grid, fit)
    if exchange.kind == "dates":
        return np.concatenate(list(replay.of_dates(bare, exchange.places)))
    return np.concatenate(list(replay.of_histories(bare.y, exchange.places, seed=exchange.seed)))


def known_error(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange) -> float:
    """Return the best guess of the standard error of the overall effect, free of effect and caution.

    Placebos that test an effect vary by more than its noise: histories hold the effect, and shocks of the treated are
    taken a little larger. A test with known variance would be spared both. `SPREAD_DRAWS` placebos tell it to 4 %.

    Parameters
    ----------
    grid, replay, fit, exchange
        See `calibrate_path`.
    """
    places = exchange.places
    if len(places) > SPREAD_DRAWS:
        rows = np.random.default_rng(exchange.seed).choice(len(places), SPREAD_DRAWS, replace=False)
        places = places[np.sort(rows)]
    plain = dataclasses.replace(replay, noise=with_caution(replay.noise, grid.is_treated, 0.0))
    drawn = placebo_paths(grid, plain, fit, dataclasses.replace(exchange, places=places))
    return float(_spread(drawn[:, :1])[0])


def invert_placebos(grid: OutcomeGrid, replay: Replay, fit: PathFit, exchange: Exchange, *, level: float) -> Inverted:
    """Return for each term its p value against no effect, and the constant effects that placebos do not reject.

    The placebos of an effect τ are those of the outcome less τ times those of the treatment itself, for the estimator
    is linear; two rounds of placebos answer every τ. Where dates are exchanged instead there is no interval. To take
    the estimate out of the histories first would gain no power at the same size: residuals then need widening by t.
    Ends at which the treated would vary more than before are moved out (`MovedNoise`); p values know of no effect.

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
        beta = np.concatenate(list(replay.of_dates(grid, exchange.places)))
        lever = None
    else:
        treated = np.where(np.isfinite(grid.y), (grid.event_time >= 0).astype(float), np.nan)
        beta = np.concatenate(list(replay.of_histories(grid.y, exchange.places, seed=exchange.seed)))
        lever = np.concatenate(list(replay.of_histories(treated, exchange.places)))
    for k in np.flatnonzero(np.isfinite(fit.beta)):
        p[k] = permutation_p(abs(fit.beta[k]), np.abs(beta[:, k]))
        if lever is not None:
            nearest, farthest = inverted_limits(beta[:, k] - fit.beta[k] * lever[:, k], lever[:, k], level=level)
            low[k], high[k] = fit.beta[k] - farthest, fit.beta[k] - nearest
    spread = _spread(beta if lever is None else beta - fit.beta[0] * lever)
    moved = read_moved_noise(grid, replay) if is_rescaled(replay, exchange) else None
    if moved is not None:
        for term in map(int, np.flatnonzero(np.isfinite(fit.beta))):
            at, error = float(fit.beta[term]), float(spread[term])
            low[term], high[term] = (moved.move_out(at, float(end), term, error) for end in (low[term], high[term]))
    return Inverted(spread=spread, low=low, high=high, p=p)


def _spread(drawn: Floats) -> Floats:
    """Return how far placebos vary by term; nan where a term was never drawn."""
    spread, is_drawn = np.full(drawn.shape[1], np.nan), np.isfinite(drawn).any(axis=0)
    spread[is_drawn] = np.nanstd(drawn[:, is_drawn], axis=0)
    return spread


def is_rescaled(replay: Replay, exchange: Exchange) -> bool:
    """Return whether histories change places at the size of noise of their new place."""
    return replay.noise.root is not None and exchange.kind == "histories"


def find_leads(fit: PathFit) -> Ints:
    """Return the positions of event times before the start that are estimated with some noise."""
    at = fit.pick("event", leads=True)
    return at[np.isfinite(fit.beta[at]) & (np.abs(fit.influence[:, at]).max(axis=0) > 0)] if len(at) else at


def find_family(fit: PathFit) -> Ints:
    """Return the positions of the event times a joint band covers: those with three treated or more behind them."""
    at = fit.pick("event")
    if not len(at):
        return at
    return at[np.isfinite(fit.beta[at]) & (fit.n_treated[at] >= ENOUGH) & fit.influence[:, at].any(axis=0)]


def read_drift(grid: OutcomeGrid, replay: Replay, exchange: Exchange | None) -> Floats | None:
    """Return what a straight drift of one unit a period in every treated entity does to each term, shape (K,).

    None where the estimator is not linear in the outcome.
    """
    if not (isinstance(replay.estimator, BatchEstimator) or (exchange is not None and exchange.kind == "histories")):
        return None
    line = np.where(grid.is_treated[:, None], np.nan_to_num(grid.event_time), 0.0)
    return replay.estimator(dataclasses.replace(grid, y=np.where(np.isfinite(grid.y), line, np.nan))).beta


def _tested(
    kind: Literal["F", "max_t"],
    beta: Floats,
    drawn: Floats,
    *,
    drift: Floats | None = None,
    tails: Tails | None = None,
) -> LeadTest | None:
    if not len(beta):
        return None
    found = quadratic_f(np.vstack([beta, drawn])) if kind == "F" else largest_lead(beta, drawn, tails)
    floor = attainable_p(float(found[0]), found[1:])
    is_testable = floor < TEST_LEVEL - TIE
    slope = placebo_slope(drawn, drift[1:]) if drift is not None and is_testable else None
    return LeadTest(
        statistic=float(found[0]),
        p_value=permutation_p(float(found[0]), found[1:]),
        p_floor=floor,
        kind=kind,
        n_leads=len(beta),
        n_draws=len(drawn),
        is_testable=is_testable,
        slope=slope,
        carried=None if slope is None or drift is None else slope * float(drift[0]),
    )


def largest_lead(beta: Floats, drawn: Floats, tails: Tails | None = None) -> Floats:
    """Return the largest absolute t of the observed leads, then of each placebo, shape (1 + A,).

    Parameters
    ----------
    beta : numpy.ndarray, shape (q,)
    drawn : numpy.ndarray, shape (A, q)
    tails : Tails or None
        Of these terms, see `placebo_band`.
    """
    every = np.vstack([beta, drawn])
    found = largest_t(every)
    if tails is not None:
        found[0] = tails.as_normal(beta, np.sqrt(np.nanmean(every**2, axis=0))).max()
    return found


def placebo_band(
    beta: Floats, drawn: Floats, *, level: float, n_clusters: int, tails: Tails | None = None
) -> tuple[Floats, float]:
    """Return half widths of a band from placebos, and p of the test it is: no difference at any event time.

    Parameters
    ----------
    beta : numpy.ndarray, shape (E,)
        Event terms.
    drawn : numpy.ndarray, shape (A, E)
        Their placebos.
    level : float
        Of the band.
    n_clusters : int
        The effect taken out of the histories took one of G − 1 degrees of freedom with it; placebos are widened for it.
    tails : Tails or None
        Of these terms: an estimate of few batches is held against placebos by how rarely it would be as large.

    Returns
    -------
    half : numpy.ndarray, shape (E,)
        NaN where the placebos are too few for that level.
    p : float
    """
    if not len(beta):
        return np.empty(0), math.nan
    drawn = drawn * math.sqrt((n_clusters - 1) / max(n_clusters - 2, 1))
    spread = np.sqrt(np.nanmean(drawn**2, axis=0))
    largest = largest_t(drawn / spread, scaled=True)
    seen = beta / spread if tails is None else tails.as_normal(beta, spread)
    p = permutation_p(float(largest_t(seen[None], scaled=True)[0]), largest)
    needed = math.floor((1 - level) * (1 + len(largest)) + TIE)
    if needed < 1:
        return np.full(len(beta), np.nan), p
    # a placebo that could not be estimated counts as wide
    critical = float(np.sort(np.nan_to_num(largest, nan=np.inf))[-needed])
    limits = np.full(len(beta), critical) if tails is None else tails.from_normal(critical, spread)
    return np.where(np.isfinite(limits), limits * spread, np.nan), p


def _asymptotic(
    grid: OutcomeGrid, replay: Replay, fit: PathFit, leads: Ints, family: Ints, *, level: float
) -> Calibration:
    vcov = clustered_vcov(fit, grid.cluster)
    scores = sum_by_cluster(fit.influence, grid.cluster)
    treated = len(np.unique(grid.cluster[grid.is_treated]))
    df = float(min(treated, len(scores) - treated) - 1)
    half = np.full(len(fit.terms), np.nan)
    lead = None
    q = len(leads)
    if q and df > q:
        f = float(joint_f(fit.beta[None, leads], scores[None][:, :, leads])[0])
        # Hotelling: the covariance of few clusters is itself noisy
        p = float(stats.f.sf(f * (df - q + 1) / df, q, df - q + 1))
        drift = read_drift(grid, replay, None)
        slope = None if drift is None else normal_slope(vcov[np.ix_(leads, leads)], drift[leads], df=df)
        lead = LeadTest(
            statistic=f, p_value=p, p_floor=None, kind="F", n_leads=q, n_draws=0, is_testable=True, slope=slope,
            carried=None if slope is None or drift is None else slope * float(drift[0]),
        )  # fmt: skip
    if len(family) and df > len(family):
        inside = vcov[np.ix_(family, family)]
        half[family] = sup_t_value(inside, df, level=level, seed=len(family)) * np.sqrt(np.diag(inside))
    return Calibration(lead_f=lead, lead_t=None, half=half, joint_p=math.nan, is_scaled=False)
