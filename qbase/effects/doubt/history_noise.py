"""How much noise each entity's history carries, by its batches and over time, so that histories can be exchanged.

A cell of three batches is noisier than one of thirty. To ask what a treated cluster of few batches would have shown had
the policy done nothing, the history of another cluster is freed of its own noise's size and given that of the treated:
Ferman and Pinto's rescaling, for whole histories instead of one average, since shocks to a cluster last and do not
shrink with the number of batches while the noise of sampling does.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.optimize import nnls

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid

LAGS = 12
"""Three years of quarters: beyond, pairs of one entity are few and tell shocks that last from levels badly."""

PERSISTENCE = (0.0, 0.4, 0.6, 0.8, 0.9)
"""Correlations of one period's shock with the next that are tried; the fit hardly changes between them."""

SAME = 1e-6
"""An outcome within this share of 100 k / n is a plain pass rate, whose sampling noise is known."""

NO_NOISE = 1e-8
"""A residual below this share of the largest outcome is rounding."""

SWEEPS = 30
"""Rounds of taking out entity and period means: with few holes each round ends all but a tenth of what is left."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """The noise of each entity's history.

    Parameters
    ----------
    root : numpy.ndarray, shape (N, T − 1, T − 1), or None
        Lower Cholesky factor of its covariance net of the entity's mean, in the coordinates of `contrast_basis`; None
        where all entities are alike.
    shrinkage : numpy.ndarray, shape (N,)
        How much smaller than its noise an entity's residual is, its own part in the period means being taken out,
        relative to that of equal entities.
    weight : numpy.ndarray, shape (N,)
        Precision of each entity in the period means.
    white, lasting, persistence : float
        Shares of the binomial variance of one batch: shocks of one cell, shocks that last, and their correlation from
        one period to the next.
    """

    root: Floats | None
    shrinkage: Floats
    weight: Floats
    white: float = 0.0
    lasting: float = 0.0
    persistence: float = 0.0


def fit_noise(grid: OutcomeGrid) -> Noise:
    """Estimate the noise of each history: sampling by the batches, single shocks, and shocks that last.

    The variance of a cell is v · (white + own/n) + v² · lasting with v = p(1 − p) of its entity, for shocks that last
    act on the logit scale. White and lasting, and how shocks last, come from half the squared differences of untreated
    cells of one entity, by lag, which are free of the entity's level. For a plain pass rate own = 1 is known; else it
    is estimated too, and v = 1.

    Parameters
    ----------
    grid : OutcomeGrid
        Without counts, all entities are taken as alike.

    Returns
    -------
    Noise

    References
    ----------
    Ferman, B. and Pinto, C. (2019). Inference in differences-in-differences with few treated groups and
    heteroskedasticity. Review of Economics and Statistics 101.
    """
    n_entities = len(grid.y)
    alike = Noise(root=None, shrinkage=np.ones(n_entities), weight=np.ones(n_entities))
    if grid.n is None or grid.k is None:
        return alike
    untreated = ~(np.arange(grid.n_periods) >= grid.start[:, None]) & (grid.n > 0) & np.isfinite(grid.y)
    if not untreated.any():
        return alike
    size, is_rate = _sizes(grid, untreated)
    shares = _shares(grid, untreated, size, is_rate=is_rate)
    if shares is None:
        return alike
    own, white, lasting, persistence = shares
    typical = np.array([np.median(n[n > 0]) if (n > 0).any() else 1.0 for n in grid.n])
    batches = np.where(grid.n > 0, grid.n, typical[:, None])
    lag = np.abs(np.subtract.outer(np.arange(grid.n_periods), np.arange(grid.n_periods)))
    together = lasting * persistence**lag if lasting else np.zeros(lag.shape)
    relative = size / size.mean()
    own_cells = white + own / batches
    covariance = relative[:, None, None] * together + own_cells[:, :, None] * np.eye(grid.n_periods)
    covariance *= size[:, None, None]
    basis = contrast_basis(grid.n_periods)
    weight = 1 / (size * (relative * lasting + own_cells.mean(axis=1)))
    leverage = weight / weight.sum()
    return Noise(
        root=np.asarray(np.linalg.cholesky(basis.T @ covariance @ basis), dtype=float),
        shrinkage=np.sqrt((1 - leverage) / (1 - 1 / n_entities)),
        weight=weight / weight.mean(),
        white=white,
        lasting=lasting,
        persistence=persistence,
    )


def _sizes(grid: OutcomeGrid, untreated: np.ndarray) -> tuple[Floats, bool]:
    """Return p(1 − p) of each entity in the outcome's unit squared, and whether the outcome is the plain rate."""
    n, k = np.where(untreated, np.asarray(grid.n), 0.0), np.where(untreated, np.asarray(grid.k), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = 100 * k / n
    is_rate = bool(np.allclose(grid.y[untreated], rate[untreated], rtol=SAME, atol=SAME))
    share = (k.sum(axis=1) + 1) / (n.sum(axis=1) + 2)
    return (1e4 * share * (1 - share) if is_rate else np.ones(len(n))), is_rate


def _shares(
    grid: OutcomeGrid, untreated: np.ndarray, size: Floats, *, is_rate: bool
) -> tuple[float, float, float, float] | None:
    """Return own, white, lasting and persistence by least squares on half squared differences, none below 0."""
    lags, squares, sampling, relative, pairs = _differences(grid, untreated, size)
    if len(lags) < 3:
        return None
    root = np.sqrt(pairs)
    target = squares - sampling if is_rate else squares
    best: tuple[float, float, float, float, float] | None = None
    for persistence in PERSISTENCE if lags.max() > 2 else (0.0,):
        columns = [np.ones(len(lags))]
        if persistence:
            columns.append(relative * (1 - persistence**lags))
        if not is_rate:
            columns.append(sampling)
        found, rest = nnls(np.stack(columns, axis=1) * root[:, None], target * root)
        lasting = float(found[1]) if persistence else 0.0
        own = 1.0 if is_rate else float(found[-1])
        if best is None or rest < best[0] * (1 - SAME):
            best = (float(rest), own, float(found[0]), lasting, persistence)
    if best is None or best[1] + best[2] <= 0:  # a cell without any noise of its own cannot be freed of it
        return None
    return best[1:]


def _differences(grid: OutcomeGrid, untreated: np.ndarray, size: Floats) -> tuple[Floats, ...]:
    """Return lag, means of half squared difference, 1/n and relative size, and pairs, by lag and by thirds of 1/n."""
    batches = np.asarray(grid.n, dtype=float)
    residual = two_way_residuals(grid.y, np.where(untreated, 1.0, 0.0))
    relative = size / size.mean()
    inflation = len(grid.y) / (len(grid.y) - 1)
    found = []
    for lag in range(1, min(LAGS, grid.n_periods - 1) + 1):
        both = untreated[:, lag:] & untreated[:, :-lag]
        if not both.any():
            continue
        half = 0.5 * (residual[:, lag:] - residual[:, :-lag]) ** 2 / size[:, None] * inflation
        with np.errstate(divide="ignore"):
            inverse = 0.5 * (1 / batches[:, lag:] + 1 / batches[:, :-lag])
        cuts = np.quantile(inverse[both], [1 / 3, 2 / 3])
        shared = np.broadcast_to(relative[:, None], half.shape)
        third = np.digitize(inverse, cuts)
        for part in range(3):
            cells = both & (third == part)
            if cells.any():
                found.append((lag, half[cells].mean(), inverse[cells].mean(), shared[cells].mean(), cells.sum()))
    table = np.array(found, dtype=float).reshape(-1, 5)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4]


def two_way_residuals(y: Floats, weight: Floats) -> Floats:
    """Return outcomes net of entity and period means; 0 where a weight is 0 or an outcome is missing.

    Parameters
    ----------
    y : numpy.ndarray, shape (..., N, T)
        Outcomes; NaN where there is none.
    weight : numpy.ndarray, shape (N, T)
        Weight of each cell in the means; 0 leaves it out.
    """
    w = np.where(np.isfinite(y), weight, 0.0)
    rest = np.where(w > 0, np.nan_to_num(y), 0.0)
    by_entity = np.maximum(w.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
    by_period = np.maximum(w.sum(axis=-2, keepdims=True), np.finfo(float).tiny)
    inside = w > 0
    for _ in range(SWEEPS):
        rest = np.where(inside, rest - (w * rest).sum(axis=-1, keepdims=True) / by_entity, 0.0)
        step = (w * rest).sum(axis=-2, keepdims=True) / by_period
        rest = np.where(inside, rest - step, 0.0)
        if np.abs(step).max() < 1e-12:
            break
    return np.asarray(rest, dtype=float)


def refuse_no_noise(grid: OutcomeGrid) -> None:
    """Raise when untreated cells hold no noise: a standard error would be rounding, and any effect beyond doubt.

    Raises
    ------
    DataError
        Every untreated cell is one number of its entity plus one of its period (QB515).
    """
    y = np.where(grid.event_time >= 0, np.nan, grid.y)
    seen = np.isfinite(y)
    left = int(seen.sum()) - int(seen.any(axis=1).sum()) - int(seen.any(axis=0).sum()) + 1
    if left < 1 or np.abs(two_way_residuals(y, np.ones(y.shape))).max() > NO_NOISE * np.abs(y[seen]).max():
        return
    raise DataError(
        "QB515",
        outcome=grid.indicator.id,
        found="untreated values that are the sum of one number per entity and one per period",
        expected="values that vary within entities over time",
        fix="check the measure and the window",
    )


@functools.lru_cache
def contrast_basis(n_periods: int) -> Floats:
    """Return coordinates of histories net of their mean, shape (T, T − 1): Helmert's contrasts.

    An entity's mean is taken out of its residuals, and with it a part of shocks that last; noise of a history is
    therefore measured where the mean has no part.
    """
    basis = np.zeros((n_periods, n_periods - 1))
    for j in range(1, n_periods):
        basis[:j, j - 1], basis[j, j - 1] = 1.0, -j
    return np.asarray(basis / np.sqrt((basis**2).sum(axis=0)), dtype=float)


def exchange_histories(residuals: Floats, places: np.ndarray, noise: Noise) -> Floats:
    """Return outcomes in which each entity carries another's residual history at its own size of noise.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (N, T)
        From `two_way_residuals`.
    places : numpy.ndarray of int, shape (A, N)
        Whose history each entity takes on.
    noise : Noise
        Of the same entities.

    Returns
    -------
    numpy.ndarray, shape (A, N, T)
    """
    if noise.root is None:
        return np.asarray(residuals[places], dtype=float)
    basis = contrast_basis(residuals.shape[1])
    apart = (residuals / noise.shrinkage[:, None]) @ basis
    standard = np.linalg.solve(noise.root, apart[:, :, None])[:, :, 0]
    # one product of matrices an entity: (N, A, T − 1) @ (N, T − 1, T)
    taken = standard[places.T] @ (np.swapaxes(noise.root, 1, 2) @ basis.T)
    return np.asarray(np.swapaxes(taken, 0, 1), dtype=float)
