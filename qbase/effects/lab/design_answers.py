"""What a design says under each placebo policy: the estimate, and the interval or p value that would be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import stats

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.exchanged_histories import missing_noise, standard_histories
from qbase.effects.doubt.few_clusters import FEW, LEAST, MANY
from qbase.effects.doubt.history_noise import Noise, contrast_basis, fit_noise, two_way_residuals
from qbase.effects.doubt.moved_noise import MovedNoise, moved_noise_of
from qbase.effects.doubt.placebo_paths import LISTED
from qbase.effects.fitting.path_fit import Ints
from qbase.effects.lab.batch_group_time import compare_many, group_time_weights
from qbase.effects.lab.batch_imputation import BatchFit, Bools, imputation_weights, impute_many
from qbase.effects.lab.batch_plain import PlainFit, pair_many, regress_many
from qbase.effects.lab.placebo_draws import Played
from qbase.effects.lab.resampled_batches import Resampled
from qbase.effects.lab.untreated_history import History
from qbase.stats.testing.adoption_permutations import (
    exchanged_places,
    inverted_limits,
    list_assignments,
    permutation_p,
)

DesignName = Literal["imputation", "staggered", "synthetic", "before_after", "twfe"]
Fitter = Callable[[Floats, Bools, Floats, Floats], BatchFit]
Weigher = Callable[[Floats, Bools, Floats], Floats]

PATHS: dict[str, tuple[Fitter, Weigher]] = {
    "imputation": (impute_many, imputation_weights),
    "staggered": (compare_many, group_time_weights),
}
BLOCK = 1_000_000
"""Numbers of a block of weights without each entity in turn: 8 MB."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a design says under A placebo policies with M effects each, shape (A, M).

    ``low`` and ``high`` are NaN where no interval would be given, ``p`` where no p value would be, or none that could
    reach the level.
    """

    beta: Floats
    low: Floats
    high: Floats
    p: Floats

    def of_effects(self, part: slice) -> Answers:
        """Return the answers at some of the effects."""
        return Answers(beta=self.beta[:, part], low=self.low[:, part], high=self.high[:, part], p=self.p[:, part])

    def of_policies(self, at: Ints) -> Answers:
        """Return the answers to some of the policies, or in another order."""
        return Answers(beta=self.beta[at], low=self.low[at], high=self.high[at], p=self.p[at])


def join_answers(parts: list[Answers]) -> Answers:
    """Return the answers of several blocks as one."""
    names = [field.name for field in dataclasses.fields(Answers)]
    return Answers(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclasses.dataclass(frozen=True, kw_only=True)
class PathInference:
    """Level of intervals, and how many exchanges of histories, with the seed of their draws."""

    level: float
    permutations: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Exchanged:
    """Who takes whose place under one placebo policy, and at what size of noise: the same for every design.

    Parameters
    ----------
    noise : Noise
        Of the histories.
    places : numpy.ndarray of int, shape (P, N)
        Ways to change places.
    missing : numpy.ndarray, shape (P, T − 1), or None
        See `qbase.effects.doubt.exchanged_histories.missing_noise`.
    n : numpy.ndarray, shape (N, T), or None
        Batches of each cell.
    """

    noise: Noise
    places: Ints
    missing: Floats | None
    n: Floats | None = None


def ready_exchanges(
    history: History, start: Floats, inference: PathInference, resampled: Resampled | None = None
) -> list[Exchanged | None]:
    """Return the exchange of histories of each policy, length A; None where errors answer instead.

    These are as many as forty treated and untreated, or more than three whose noise cannot be rescaled.

    Parameters
    ----------
    history, start, inference, resampled
        See `answer_path`.
    """
    few = _few_side(start)
    if few >= MANY:
        return [None] * len(start)
    found: list[Exchanged | None] = []
    for a, starts in enumerate(start):
        grid = history.grid.with_start(starts)
        if resampled is not None:
            grid = dataclasses.replace(grid, y=resampled.y[a], n=resampled.n[a], k=resampled.k[a])
        noise = fit_noise(grid)
        found.append(None if few > FEW and noise.root is None else _exchange(grid, noise, inference))
    return found


def _exchange(grid: OutcomeGrid, noise: Noise, inference: PathInference) -> Exchanged:
    labels = np.where(grid.is_treated, grid.start, grid.n_periods).astype(np.int64)
    limit = LISTED * (inference.permutations + 1)
    rows = list_assignments(labels, draws=inference.permutations, limit=limit, seed=inference.seed).rows
    return Exchanged(
        noise=noise,
        places=exchanged_places(labels, rows),
        missing=missing_noise(noise, len(rows), inference.seed),
        n=grid.n,
    )


def answer_path(
    history: History,
    start: Floats,
    played: Played,
    design: DesignName,
    inference: PathInference,
    *,
    exchanges: list[Exchanged | None] | None = None,
) -> Answers:
    """Answer by imputation or group-time effects, with the inference of `qbase.effects.doubt.few_clusters.infer`.

    Parameters
    ----------
    history : History
    start : numpy.ndarray, shape (A, N)
        With as many treated in every row.
    played : Played
        Their outcomes.
    design : {"imputation", "staggered"}
    inference : PathInference
    exchanges : list or None
        From `ready_exchanges`, which None asks.
    """
    known = ready_exchanges(history, start, inference) if exchanges is None else exchanges
    is_exchanged = np.array([exchanged is not None for exchanged in known])
    exchanged, others = np.flatnonzero(is_exchanged), np.flatnonzero(~is_exchanged)
    weight, level, parts = history.grid.weight, inference.level, []
    if len(exchanged):
        ready = [exchange for exchange in known if exchange is not None]
        parts.append(_by_exchange(start[exchanged], weight, played.y[exchanged], design, level, ready))
    if len(others):
        parts.append(_by_errors(start[others], weight, played.y[others], design, level))
    return join_answers(parts).of_policies(np.argsort(np.concatenate([exchanged, others])))


def _by_errors(start: Floats, weight: Floats, y: Floats, design: DesignName, level: float) -> Answers:
    """Answer by influence functions with many on both sides, below by the jackknife over entities."""
    fit, weigh = PATHS[design]
    seen: Bools = np.isfinite(y[:, 0])
    found = fit(start, seen, weight, y)
    if _few_side(start) >= MANY:
        n_entities = start.shape[1]
        variance = (found.influence**2).sum(axis=2) * n_entities / (n_entities - 1)
        return by_t(found.beta, np.sqrt(variance), np.full((len(y), 1), n_entities - 1.0), level)
    error = _jackknife_error(start, seen, weight, y, found.beta, weigh)
    answers = by_t(found.beta, error, two_group_df(found, np.isfinite(start)), level)
    return _refuse_few(answers, found.n_treated)


def answer_plain(history: History, start: Floats, played: Played, design: DesignName, *, level: float) -> Answers:
    """Answer by two-way fixed effects with clustered errors, or by before against after with paired ones."""
    seen: Bools = np.isfinite(played.y[:, 0])
    found: PlainFit
    if design == "twfe":
        found = regress_many(start, seen, played.y)
    else:
        found = pair_many(start, seen, history.grid.weight, played.y, history.season)
    return _refuse_few(by_t(found.beta, found.std_error, found.df[:, None], level), found.n_treated)


def by_t(beta: Floats, error: Floats, df: Floats, level: float) -> Answers:
    """Return intervals and p values of t; NaN where there is no error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(error > 0, error, np.nan)
        half = stats.t.ppf(0.5 + level / 2, df) * error
        p = 2 * stats.t.sf(np.abs(beta / error), df)
    return Answers(beta=beta, low=beta - half, high=beta + half, p=p)


def two_group_df(found: BatchFit, treated: Bools) -> Floats:
    """Return Satterthwaite's degrees of freedom, shape (A, M); see `qbase.effects.doubt.cluster_jackknife`."""
    squares, own = found.influence**2, treated[:, None]
    mine, others = np.where(own, squares, 0.0).sum(axis=2), np.where(own, 0.0, squares).sum(axis=2)
    compared = np.maximum((np.where(own, 0.0, squares) > 0).sum(axis=2), 2)
    behind = np.minimum(found.n_treated, treated.sum(axis=1))[:, None].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = (mine + others) ** 2 / (mine**2 / (behind - 1) + others**2 / (compared - 1))
    return np.where(behind > 1, np.minimum(df, treated.shape[1] - 1), np.nan)


def _refuse_few(answers: Answers, n_treated: Ints, *, tells_p: bool = False) -> Answers:
    """Return answers without an interval below three treated, and without a p value unless permutations give it."""
    few = (n_treated < LEAST)[:, None]
    names = ("low", "high") if tells_p else ("low", "high", "p")
    blank = {name: np.where(few, np.nan, getattr(answers, name)) for name in names}
    return dataclasses.replace(answers, **blank)


def _jackknife_error(start: Floats, seen: Bools, weight: Floats, y: Floats, beta: Floats, weigh: Weigher) -> Floats:
    """Return the jackknife error over entities (CRV3), shape (A, M); NaN where one left out leaves no estimate."""
    n_entities = start.shape[1]
    others = ~np.eye(n_entities, dtype=bool)
    squares = np.empty(beta.shape)
    step = max(1, BLOCK // (n_entities * seen[0].size))
    for first in range(0, len(y), step):
        at = slice(first, first + step)
        size = len(seen[at])
        left = (seen[at, None] & others[None, :, :, None]).reshape(-1, *seen.shape[1:])
        own = np.where(others, start[at, None], np.nan).reshape(-1, n_entities)
        pulls = weigh(own, left, weight).reshape(size, n_entities, -1)
        cells = np.nan_to_num(y[at]).reshape(size, y.shape[1], -1)
        deleted = pulls @ np.swapaxes(cells, 1, 2)
        squares[at] = ((deleted - beta[at, None]) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(squares * (n_entities - 1) / n_entities), dtype=float)


def _few_side(start: Floats) -> int:
    treated = np.isfinite(start[0])
    return int(min(treated.sum(), (~treated).sum()))


def _by_exchange(
    start: Floats, weight: Floats, y: Floats, design: DesignName, level: float, exchanges: list[Exchanged]
) -> Answers:
    """Answer by residual histories that change places: `qbase.effects.doubt.path_calibration.invert_placebos`."""
    fit, weigh = PATHS[design]
    seen: Bools = np.isfinite(y[:, 0])
    pulls = weigh(start, seen, weight)
    beta = np.einsum("ant,amnt->am", pulls, np.nan_to_num(y))
    p, low, high = (np.full(beta.shape, np.nan) for _ in range(3))
    since = np.arange(y.shape[3]) - start[:, :, None]
    for a in np.flatnonzero(np.isfinite(beta[:, 0])):
        treated = np.where(seen[a], since[a] >= 0, np.nan)
        drawn, lever = exchange_coefficients(y[a], treated, pulls[a], exchanges[a])
        floor = 1 / (1 + len(drawn))
        moved = _moved_noise(exchanges[a], y[a, 0], since[a], pulls[a])
        for m in range(beta.shape[1]):
            if floor <= 1 - level + 1e-9:
                p[a, m] = permutation_p(abs(beta[a, m]), np.abs(drawn[:, m]))
            nearest, farthest = inverted_limits(drawn[:, m] - beta[a, m] * lever, lever, level=level)
            at = float(beta[a, m])
            low[a, m], high[a, m] = at - farthest, at - nearest
            if moved is not None:
                spread = float(np.nanstd(drawn[:, m] - at * lever))
                low[a, m], high[a, m] = (moved.move_out(at, end, 0, spread) for end in (at - farthest, at - nearest))
    is_bounded = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(is_bounded, low, np.nan), np.where(is_bounded, high, np.nan)
    behind = fit(start, seen, weight, y[:, :1]).n_treated
    return _refuse_few(Answers(beta=beta, low=low, high=high, p=p), behind, tells_p=True)


def _moved_noise(exchanged: Exchanged, y: Floats, since: Floats, pull: Floats) -> MovedNoise | None:
    noise = exchanged.noise
    if noise.batch is None or exchanged.n is None:
        return None
    return moved_noise_of(noise.batch, y, exchanged.n, np.isfinite(y) & (since >= 0), pull[:, :, None])


def exchange_coefficients(
    outcomes: Floats, treated: Floats, pull: Floats, exchanged: Exchanged
) -> tuple[Floats, Floats]:
    """Return the estimates in outcomes whose residual histories changed places, and in the treatment itself.

    What one entity's history adds in another's place is worked out once for each pair; an exchange is a sum over them.

    Parameters
    ----------
    outcomes : numpy.ndarray, shape (M, N, T)
    treated : numpy.ndarray, shape (N, T)
        1 in treated cells, 0 in others, NaN without an outcome.
    pull : numpy.ndarray, shape (N, T)
        Weight of each cell in the estimate.
    exchanged : Exchanged

    Returns
    -------
    drawn : numpy.ndarray, shape (P, M)
    lever : numpy.ndarray, shape (P,)
    """
    noise = exchanged.noise
    every = np.concatenate([outcomes, treated[None]])
    histories = two_way_residuals(every, np.broadcast_to(noise.weight[:, None], pull.shape))
    taken = pull
    if noise.root is not None and noise.cautious is not None:
        histories = standard_histories(histories, noise.root, noise.shared)
        taken = np.einsum("ist,is->it", noise.cautious, pull @ contrast_basis(pull.shape[1]))
    # by [entity in whose place, entity whose history, outcome]
    pairs = np.moveaxis(histories @ taken.T, (2, 1, 0), (0, 1, 2))
    sums = np.asarray(pairs[np.arange(len(pull)), exchanged.places].sum(axis=1), dtype=float)
    drawn, lever = sums[:, :-1], sums[:, -1]
    if exchanged.missing is not None:
        drawn = drawn + (exchanged.missing @ taken.sum(axis=0))[:, None]
    return drawn, lever
