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
from qbase.effects.doubt.history_noise import SAME, fit_noise, two_way_residuals

Ints = NDArray[np.int64]

LEAST_PERIODS, LEAST_ENTITIES = 4, 4
EDGE = 0.005
"""Levels stay half a percent away from 0 and 100 %: where nothing failed something can."""


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
    level = np.clip((passed + 0.5) / (tested + 1), EDGE, 1 - EDGE)
    white, lasting, persistence = _shocks(some, mine, level)
    n = np.where(np.isfinite(some.y), np.asarray(some.n), 0.0)[:, -before:].astype(np.int64)
    return PastRates(level=level, n=n, white=white, lasting=lasting, persistence=persistence)


def _is_rate(grid: OutcomeGrid, seen: NDArray[np.bool_]) -> bool:
    n, k = np.asarray(grid.n)[seen], np.asarray(grid.k)[seen]
    with np.errstate(invalid="ignore", divide="ignore"):
        return bool(np.allclose(grid.y[seen], 100 * k / n, rtol=SAME, atol=SAME))


def _shocks(grid: OutcomeGrid, untreated: NDArray[np.bool_], level: Floats) -> tuple[Floats, Floats, float]:
    """Return shocks on the log-odds as `fit_noise` finds them; where it finds no size, what batches leave over."""
    noise, chance = fit_noise(grid), level * (1 - level)
    if noise.batch is not None and noise.scale is not None:
        size = noise.batch / 1e4
        white = np.sqrt(noise.white * size)
        lasting = np.sqrt(noise.lasting * noise.scale / 1e4)
        return white / size, lasting / size, noise.persistence
    rest = two_way_residuals(np.where(untreated, grid.y, np.nan) / 100, np.ones(grid.y.shape))[untreated]
    drawn = np.broadcast_to(chance[:, None], grid.y.shape)[untreated] / np.asarray(grid.n)[untreated]
    over = max(float((rest**2).mean() - drawn.mean()), 0.0)
    return np.sqrt(over) / chance, np.zeros(len(level)), 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Futures:
    """A histories of G entities in T quarters, the last H of them to come.

    Parameters
    ----------
    rate : numpy.ndarray, shape (A, G, T)
        True rates without any policy, as shares.
    chance : numpy.ndarray, shape (A, G, T)
        Uniform numbers that decide how many pass.
    n_past : numpy.ndarray of int, shape (A, G, T − H)
        Batches of the past.
    """

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
    return Futures(
        rate=np.asarray(expit(logit(past.level[who])[..., None] + shock), dtype=float),
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
    """Draw the batches of a plan, with effects on the true rates of the treated.

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
        own = rate[:, entity, period]
        moved = np.clip(own + effect / 100, 0.0, 1.0)
        batches = np.maximum(n[:, entity, period], 1)
        y[:, m, entity, period] = 100 * binom.ppf(chance[:, entity, period], batches, moved) / batches
        gain[:, m] = 100 * (moved - own).mean(axis=1)
    return Carried(y=y, n=n.astype(float), k=np.where(n > 0, k, 0.0), gain=gain)
