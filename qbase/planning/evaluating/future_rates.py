"""Years to come as the past has them: levels, shocks of one quarter, shocks that last, and batches drawn from them.

Uniform numbers are drawn once and shared by all designs, effects and numbers of draws, so that what differs between
them is not chance.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit, logit
from scipy.stats import binom

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.history_noise import SAME, USUAL, fit_noise
from qbase.planning.evaluating.past_shocks import estimate_shocks

Ints = NDArray[np.int64]

LEAST_PERIODS, LEAST_ENTITIES = 4, 4
EDGE = 0.005
"""Levels stay half a percent away from 0 and 100 %: where nothing failed something can."""

STRETCH = (16 * np.sqrt(3) / (15 * np.pi)) ** 2
"""The mean of a shaken rate is that of its log-odds divided by √(1 + STRETCH σ²), the logistic curve being nearly the
normal one (Zeger, Liang and Albert, 1988. Models for longitudinal data. Biometrics 44)."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PastRates:
    """What the untreated past says of N entities.

    Parameters
    ----------
    level : numpy.ndarray, shape (N,)
        Pass rates, as shares.
    n : numpy.ndarray of int, shape (N, B)
        Batches in each of the last quarters, 0 where there were none.
    white, lasting : numpy.ndarray, shape (N,)
        Standard deviations of shocks of one quarter and of shocks that last, on the log-odds.
    persistence : float
        Correlation of a lasting shock with that of the next quarter.
    """

    level: Floats
    n: Ints
    white: Floats
    lasting: Floats
    persistence: float


def read_past_rates(grid: OutcomeGrid, before: int) -> PastRates:
    """Return what the untreated cells of a grid say of levels and noise.

    Parameters
    ----------
    grid : OutcomeGrid
        With batches and passes; cells after the start of a policy tell nothing here but their batches.
    before : int
        Quarters of the past that an evaluation will have.

    Raises
    ------
    DataError
        The outcome is no rate of passes among batches (QB633), or too little of it is untreated (QB634).
    """
    seen = np.isfinite(grid.y)
    if grid.n is None or grid.k is None or not _is_rate(grid, seen):
        raise DataError(
            "QB633", outcome=grid.indicator.id,
            found="no passes and batches" if grid.n is None else "an outcome other than passes among batches",
            expected="a rate of passes whose batches are counted", fix='build_panel(workspace, "D1.batch")',
        )  # fmt: skip
    untreated = seen & ~(grid.event_time >= 0) & (grid.n > 0)
    kept = untreated.sum(axis=1) >= LEAST_PERIODS
    if kept.sum() < LEAST_ENTITIES:
        raise DataError(
            "QB634", found=f"{int(kept.sum())} entities with {LEAST_PERIODS} untreated periods",
            expected=f"{LEAST_ENTITIES} or more", fix="a panel that begins earlier, or more entities in it",
        )  # fmt: skip
    some = grid.keep(kept)
    mine = untreated[kept]
    tested, passed = (np.where(mine, np.asarray(x), 0.0).sum(axis=1) for x in (some.n, some.k))
    level = levels_apart(tested, passed)
    white, lasting = _shocks(some, mine, level)
    n = np.where(np.isfinite(some.y), np.asarray(some.n), 0.0)[:, -before:].astype(np.int64)
    return PastRates(level=level, n=n, white=white, lasting=lasting, persistence=USUAL)


def levels_apart(tested: Floats, passed: Floats) -> Floats:
    """Return levels that lie as far apart as true ones do, shape (N,): of their rates chance has moved some outwards.

    Each is drawn to their mean by the square root of what is not chance in how far rates like its own lie apart. Shrunk
    in full they would lie too close, as they stand too many would be near 100 %, where an effect has no room.

    Parameters
    ----------
    tested, passed : numpy.ndarray, shape (N,)

    References
    ----------
    Louis, T. A. (1984). Estimating a population of parameter values using Bayes and empirical Bayes methods. J.
    American Statistical Association 79.
    """
    rate, whole = (passed + 0.5) / (tested + 1), tested.sum()
    mean = passed.sum() / whole
    chance = float((tested * rate * (1 - rate)).sum() / whole)
    apart = (tested * (rate - mean) ** 2).sum() - (len(rate) - 1) * chance
    between = max(apart / (whole - (tested**2).sum() / whole), 0.0)
    kept = np.sqrt(between / (between + chance / tested))
    return np.asarray(np.clip(mean + kept * (rate - mean), EDGE, 1 - EDGE), dtype=float)


def _is_rate(grid: OutcomeGrid, seen: NDArray[np.bool_]) -> bool:
    n, k = np.asarray(grid.n)[seen], np.asarray(grid.k)[seen]
    with np.errstate(invalid="ignore", divide="ignore"):
        return bool(np.allclose(grid.y[seen], 100 * k / n, rtol=SAME, atol=SAME))


def _shocks(grid: OutcomeGrid, untreated: NDArray[np.bool_], level: Floats) -> tuple[Floats, Floats]:
    """Return standard deviations of shocks on the log-odds, by the batch variance the letters' inference takes."""
    batch = fit_noise(grid).batch
    chance = level * (1 - level) if batch is None else batch / 1e4
    found = estimate_shocks(np.where(untreated, grid.y, np.nan) / 100, np.asarray(grid.n), chance)
    white, lasting = (np.sqrt(part) for part in found)
    return white, lasting


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Futures:
    """A histories of G entities in T quarters, the last H of them to come.

    Parameters
    ----------
    level, stretch : numpy.ndarray, shape (A, G)
        Means of the true rates, as shares, and by what their log-odds are stretched for that: shaken, rates near 100 %
        fall further than they rise.
    rate : numpy.ndarray, shape (A, G, T)
        True rates without any policy.
    chance : numpy.ndarray, shape (A, G, T)
        Uniform numbers that decide how many pass.
    n_past : numpy.ndarray of int, shape (A, G, T − H)
        Batches of the past.
    """

    level: Floats
    stretch: Floats
    rate: Floats
    chance: Floats
    n_past: Ints

    def batches(self, n_periods: int, each: int) -> Ints:
        """Return batches up to a quarter, ``each`` in those to come, shape (A, G, n_periods)."""
        to_come = n_periods - self.n_past.shape[2]
        return np.concatenate([self.n_past, np.full((*self.rate.shape[:2], to_come), each)], axis=2)


def draw_futures(past: PastRates, *, n_entities: int, quarters: int, draws: int, seed: int) -> Futures:
    """Draw histories of entities like those of the past, in random order.

    Parameters
    ----------
    past : PastRates
    n_entities : int
        Of each history; where there were fewer, some stand for several alike.
    quarters : int
        To come.
    draws, seed : int
    """
    rng = np.random.default_rng(seed)
    n_past = past.n.shape[1]
    who = np.argsort(rng.random((draws, len(past.level))), axis=1)
    while who.shape[1] < n_entities:
        who = np.hstack([who, np.argsort(rng.random((draws, len(past.level))), axis=1)])
    who = who[:, :n_entities]
    shape = (draws, n_entities, n_past + quarters)
    step = np.sqrt(1 - past.persistence**2) * rng.standard_normal(shape)
    step[..., 0] /= np.sqrt(1 - past.persistence**2)
    shock = lfilter([1.0], [1.0, -past.persistence], step, axis=2)
    shock = past.lasting[who][..., None] * shock + past.white[who][..., None] * rng.standard_normal(shape)
    level, stretch = past.level[who], np.sqrt(1 + STRETCH * (past.white**2 + past.lasting**2))[who]
    return Futures(
        level=level,
        stretch=stretch,
        rate=np.asarray(expit((stretch * logit(level))[..., None] + shock), dtype=float),
        chance=rng.random(shape),
        n_past=past.n[who],
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """Outcomes under M effects, shape (A, M, G, T), in percent; batches and passes without an effect (A, G, T).

    ``gain`` is the average change of the true rates of treated cells, in points, shape (A, M): what was added, less
    what did not fit below 100 %.
    """

    y: Floats
    n: Floats
    k: Floats
    gain: Floats


def carry_out(futures: Futures, start: Floats, effects: Floats, *, n_periods: int, each: int) -> Carried:
    """Draw the batches of a plan, with effects on the levels of the treated.

    Shocks stay what they are on the log-odds, so that near 100 % they move rates less: added to shaken rates, an effect
    would leave the clusters as far apart as they were.

    Parameters
    ----------
    futures : Futures
    start : numpy.ndarray, shape (G,)
        Column of adoption; NaN where there is none up to ``n_periods``.
    effects : numpy.ndarray, shape (M,)
        In percentage points, signed.
    n_periods, each : int
        Quarters up to the evaluation, and batches in each cluster and quarter to come.
    """
    rate, chance = futures.rate[..., :n_periods], futures.chance[..., :n_periods]
    n = futures.batches(n_periods, each)
    k = binom.ppf(chance, np.maximum(n, 1), rate)
    with np.errstate(invalid="ignore"):
        bare = np.where(n > 0, 100 * k / np.maximum(n, 1), np.nan)
    y = np.repeat(bare[:, None], len(effects), axis=1)
    entity, period = np.nonzero(np.arange(n_periods) >= start[:, None])
    gain = np.zeros((len(rate), len(effects)))
    for m, effect in enumerate(effects):
        if not effect or not len(entity):
            continue
        own, level = rate[:, entity, period], futures.level[:, entity]
        with np.errstate(divide="ignore"):
            up = logit(np.clip(level + effect / 100, 0.0, 1.0)) - logit(level)
        moved = expit(logit(own) + futures.stretch[:, entity] * up)
        batches = np.maximum(n[:, entity, period], 1)
        y[:, m, entity, period] = 100 * binom.ppf(chance[:, entity, period], batches, moved) / batches
        gain[:, m] = 100 * (moved - own).mean(axis=1)
    return Carried(y=y, n=n.astype(float), k=np.where(n > 0, k, 0.0), gain=gain)
