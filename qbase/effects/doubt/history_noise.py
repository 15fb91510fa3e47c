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

USUAL = 0.8
"""How shocks last where too few periods tell, or none were found."""

PERSISTENCE = (0.4, 0.6, 0.8, 0.9)
"""Correlations of one period's shock with the next that are tried; the fit hardly changes between them."""

SAME = 1e-6
"""An outcome within this share of 100 k / n is a plain pass rate, whose sampling noise is known."""

CAUTION = 0.25
"""Standard errors of the variance of shocks that last by which the treated are taken to have more of them."""

ALIKE = 1e-4
"""Entities are drawn towards their mean by at most ten thousand batches."""

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
        Lower Cholesky factor of its covariance net of the entity's mean, in the coordinates of `contrast_basis`: the
        best guess, by which a history is freed of the size of its noise. None where all entities are alike.
    cautious : numpy.ndarray, shape (N, T − 1, T − 1), or None
        The same with more shocks that last of the treated: a history gets its size in its new place. Freed by it too,
        those of many treated would be divided by too much (8 of 12 with five times the batches: 7 % at 5 %).
    shared : numpy.ndarray, shape (N,), or None
        Direction, of length 1, in which period means took noise out of the entities' histories, each divided by its own
        noise; None leaves them as they are.
    weight : numpy.ndarray, shape (N,)
        Precision of each entity in the period means.
    batch : numpy.ndarray, shape (N,), or None
        Variance of the outcome of one batch, 10⁴ · p(1 − p); None where the outcome is no plain pass rate.
    scale : numpy.ndarray, shape (N,), or None
        What a share of shocks that last adds to the variance of each.
    error : float
        Standard error of ``lasting``.
    white, lasting, persistence : float
        Shares of the binomial variance of one batch: shocks of one cell, shocks that last, and their correlation from
        one period to the next.
    """

    root: Floats | None
    cautious: Floats | None
    shared: Floats | None
    weight: Floats
    batch: Floats | None = None
    scale: Floats | None = None
    error: float = 0.0
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
    alike = Noise(root=None, cautious=None, shared=None, weight=np.ones(n_entities))
    if grid.n is None or grid.k is None:
        return alike
    untreated = ~(np.arange(grid.n_periods) >= grid.start[:, None]) & (grid.n > 0) & np.isfinite(grid.y)
    if not untreated.any():
        return alike
    size, is_rate = _sizes(grid, untreated)
    shares = _shares(grid, untreated, size, is_rate=is_rate)
    if shares is None:
        return alike
    own, white, lasting, persistence, error = shares
    lag = np.abs(np.subtract.outer(np.arange(grid.n_periods), np.arange(grid.n_periods)))
    relative = size / size.mean()
    own_cells = white + own / _batches(grid.n)
    basis = contrast_basis(grid.n_periods)
    # many small products: one large one waits for threads that are busy elsewhere
    covariance = (basis.T * own_cells[:, None, :]) @ basis
    covariance += (relative * lasting)[:, None, None] * (basis.T @ persistence**lag @ basis)
    covariance *= size[:, None, None]
    weight = 1 / (size * (relative * lasting + own_cells.mean(axis=1)))
    root = np.asarray(np.linalg.cholesky(covariance), dtype=float)
    noise = Noise(
        root=root,
        cautious=root,
        shared=np.sqrt(weight / weight.sum()),
        weight=weight / weight.mean(),
        batch=size if is_rate else None,
        scale=size * relative,
        error=error,
        white=white,
        lasting=lasting,
        persistence=persistence,
    )
    return with_caution(noise, grid.is_treated, CAUTION)


def with_caution(noise: Noise, treated: np.ndarray, errors: float) -> Noise:
    """Return the same with shocks that last of the treated so many standard errors larger, in their new places.

    Parameters
    ----------
    noise : Noise
    treated : numpy.ndarray of bool, shape (N,)
    errors : float
        0 gives the best guess, which tells what a known variance would have found.
    """
    if noise.root is None or noise.scale is None:
        return noise
    n_periods = noise.root.shape[1] + 1
    lag = np.abs(np.subtract.outer(np.arange(n_periods), np.arange(n_periods)))
    basis, mine = contrast_basis(n_periods), noise.root[treated]
    more = errors * noise.error * noise.scale[treated][:, None, None] * (basis.T @ noise.persistence**lag @ basis)
    cautious = noise.root.copy()
    cautious[treated] = np.linalg.cholesky(mine @ np.swapaxes(mine, 1, 2) + more)
    return dataclasses.replace(noise, cautious=cautious)


def _batches(n: Floats) -> Floats:
    """Return batches a cell; a cell without any has the median of its entity's others."""
    if (n > 0).all():
        return n
    typical = np.array([np.median(row[row > 0]) if (row > 0).any() else 1.0 for row in n])
    return np.where(n > 0, n, typical[:, None])


def _sizes(grid: OutcomeGrid, untreated: np.ndarray) -> tuple[Floats, bool]:
    """Return p(1 − p) of each entity in the outcome's unit squared, and whether the outcome is the plain rate."""
    n, k = np.where(untreated, np.asarray(grid.n), 0.0), np.where(untreated, np.asarray(grid.k), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = 100 * k / n
    is_rate = bool(np.allclose(grid.y[untreated], rate[untreated], rtol=SAME, atol=SAME))
    return (1e4 * _spread_of(k.sum(axis=1), n.sum(axis=1)) if is_rate else np.ones(len(n))), is_rate


def _spread_of(k: Floats, n: Floats) -> Floats:
    """Return p(1 − p) of each entity, shares drawn towards their mean as far as chance makes them differ.

    An entity of few batches that happened to pass more often before would else be taken for less noisy, and coming back
    to its level later would be taken for a change (8 treated of 12 with three batches a cell: 8 % at 5 %).

    References
    ----------
    Kleinman, J. C. (1973). Proportions with extraneous variance: single and independent samples. J. American
    Statistical Association 68.
    """
    whole, freedom = n.sum(), (n > 0).sum() - 1
    mean = (k.sum() + 1) / (whole + 2)
    chance = mean * (1 - mean)
    apart = (n * (np.divide(k, n, out=np.full(len(n), mean), where=n > 0) - mean) ** 2).sum() / chance
    alike = (apart - freedom) / max(whole - (n**2).sum() / whole - freedom, 1.0)
    # so many batches of the mean count as the entity's own
    prior = 1 / min(max(alike, ALIKE), 0.5) - 1
    share = (k + prior * mean) / (n + prior)
    return np.asarray(share * (1 - share) * (n + prior) / (n + prior + 1), dtype=float)


def _shares(
    grid: OutcomeGrid, untreated: np.ndarray, size: Floats, *, is_rate: bool
) -> tuple[float, float, float, float, float] | None:
    """Return own, white, lasting, persistence and the error of lasting, by least squares, none below 0."""
    bins = _differences(grid, untreated, size)
    if len(bins.lag) < 3:
        return None
    root = np.sqrt(bins.pairs)
    target = bins.square - bins.sampling if is_rate else bins.square
    best: tuple[float, Floats, float] | None = None
    for persistence in PERSISTENCE if bins.lag.max() > 2 else (USUAL,):
        found, rest = nnls(bins.columns(persistence, is_rate=is_rate) * root[:, None], target * root)
        if best is None or rest < best[0] * (1 - SAME):
            best = (float(rest), found, persistence)
    if best is None:
        return None
    found, persistence = best[1], best[2] if best[1][1] else USUAL
    own = 1.0 if is_rate else float(found[2])
    if own + found[0] <= 0:  # a cell without any noise of its own cannot be freed of it
        return None
    error = bins.error_of(bins.columns(persistence, is_rate=is_rate), target)
    return own, float(found[0]), float(found[1]), persistence, error


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Bins:
    """Half squared differences by lag and by thirds of 1/n, shape (B,): their means, those of 1/n and relative size.

    ``squares`` and ``shares`` hold by entity, (B, N), what each adds to a mean and its share of the pairs.
    """

    lag: Floats
    square: Floats
    sampling: Floats
    relative: Floats
    pairs: Floats
    squares: Floats
    shares: Floats

    def columns(self, persistence: float, *, is_rate: bool) -> Floats:
        """Return what white noise, shocks that last and, where it is not known, sampling add to each mean."""
        listed = [np.ones(len(self.lag)), self.relative * (1 - persistence**self.lag)]
        return np.stack(listed if is_rate else [*listed, self.sampling], axis=1)

    def error_of(self, columns: Floats, target: Floats) -> float:
        """Return the standard error of the variance of shocks that last, clustered by entity."""
        weighted = columns * self.pairs[:, None]
        bread = np.linalg.pinv(weighted.T @ columns)
        rest = target - columns @ (bread @ (weighted.T @ target))
        # of each entity: its sum less what its pairs would have added at the fitted mean
        scores = weighted.T @ (self.squares - self.shares * (self.square - rest)[:, None])
        n = scores.shape[1]
        return float(np.sqrt((bread @ scores @ scores.T @ bread)[1, 1] * n / (n - 1)))


def _differences(grid: OutcomeGrid, untreated: np.ndarray, size: Floats) -> _Bins:
    n = len(grid.y)
    with np.errstate(divide="ignore"):
        inverse = 1 / np.asarray(grid.n, dtype=float)
    residual = two_way_residuals(grid.y, np.where(untreated, 1.0, 0.0))
    standard = residual / np.sqrt(size * (1 - 1 / n))[:, None]
    row = np.broadcast_to(np.arange(n)[:, None], grid.y.shape)
    relative = size / size.mean()
    found, squares, shares = [], [], []
    for lag in range(1, min(LAGS, grid.n_periods - 1) + 1):
        both = untreated[:, lag:] & untreated[:, :-lag]
        if not both.any():
            continue
        half = 0.5 * (standard[:, lag:] - standard[:, :-lag])[both] ** 2
        sampling = 0.5 * (inverse[:, lag:] + inverse[:, :-lag])[both]
        who = row[:, lag:][both]
        cell = _thirds(sampling) * n + who
        square, drawn, pair = (np.bincount(cell, v, minlength=3 * n).reshape(3, n) for v in (half, sampling, None))
        for third in np.flatnonzero(pair.sum(axis=1)):
            pairs = pair[third].sum()
            share = pair[third] / pairs
            found.append((lag, square[third].sum() / pairs, drawn[third].sum() / pairs, share @ relative, pairs))
            squares.append(square[third] / pairs)
            shares.append(share)
    table = np.array(found, dtype=float).reshape(-1, 5).T
    return _Bins(
        lag=table[0], square=table[1], sampling=table[2], relative=table[3], pairs=table[4],
        squares=np.array(squares), shares=np.array(shares),
    )  # fmt: skip


def _thirds(values: Floats) -> np.ndarray:
    """Return 0, 1 or 2 by the thirds of the values: np.quantile's cuts without its checks, half of the time here."""
    at = np.array([1, 2]) * (len(values) - 1) / 3
    below = at.astype(np.int64)
    above = np.minimum(below + 1, len(values) - 1)
    ranked = np.partition(values, np.concatenate([below, above]))
    cuts = ranked[below] + (at - below) * (ranked[above] - ranked[below])
    return np.asarray((values >= cuts[0]).astype(np.int64) + (values >= cuts[1]), dtype=np.int64)


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
