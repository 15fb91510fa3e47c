"""How far true rates were shaken in the past, beyond what so few batches make them look.

Shocks are a few points² beside the sampling variance of a cell, some hundred where it holds seven batches. Told with
every pair of quarters alike, cells of one or two batches decide, and as no variance can be below 0 what is left of
their error is taken for shocks: plans promised 60 % and found 70. Here each pair counts by how well it tells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.doubt.history_noise import LAGS, USUAL, two_way_residuals

ROUNDS = 3
"""Shocks change how well a pair tells; after three rounds they no longer do."""


def estimate_shocks(y: Floats, n: Floats, chance: Floats) -> tuple[Floats, Floats]:
    """Return the variances of shocks of one quarter and of shocks that last, on the log-odds, each of shape (N,).

    Half the squared difference of two quarters of one entity is, on average, the sampling variance of its cells, which
    is known, and shocks: those of one quarter in full, those that last by 1 − ρ to the power of the lag. Means by lag
    are taken with weights of the inverse squared variance, and both sizes by least squares, none below 0. ρ is 0.8
    throughout: differences do not tell it, and leave to choose, the size grows with the choice.

    Parameters
    ----------
    y : numpy.ndarray, shape (N, T)
        Rates of passes, as shares; NaN where nothing counts.
    n : numpy.ndarray, shape (N, T)
        Batches.
    chance : numpy.ndarray, shape (N,)
        p(1 − p) of each entity.

    References
    ----------
    Carroll, R. J. and Ruppert, D. (1988). Transformation and Weighting in Regression, ch. 2-3.
    """
    seen = np.isfinite(y) & (n > 0)
    sampling = np.where(seen, 1 / np.maximum(n, 1), 0.0)
    relative = chance / chance.mean()
    white, lasting = 0.0, 0.0
    for _ in range(ROUNDS):
        shaken = white + relative[:, None] * lasting
        drawn = sampling * (1 - shaken)  # p(1 − p) of a mean rate holds the shocks, that of a shaken one does not
        whole = drawn + shaken
        weight = np.where(seen, 1 / np.where(seen, chance[:, None] * whole, 1.0), 0.0)
        share = weight / np.maximum(weight.sum(axis=0), np.finfo(float).tiny)
        standard = two_way_residuals(np.where(seen, y, np.nan), weight) / np.sqrt(chance)[:, None]
        # the mean of a quarter takes a part of each cell out and brings a part of every other in
        brought = (share**2 * chance[:, None] * drawn).sum(axis=0) / chance[:, None]
        own = drawn * (1 - 2 * share) + brought
        lags = [lag for lag in range(1, min(LAGS, y.shape[1] - 1) + 1) if (seen[:, lag:] & seen[:, :-lag]).any()]
        if not lags:
            break
        rows = [_at_lag(lag, seen, standard, own, whole, 1 - share, relative) for lag in lags]
        square, kept, alike, precision = np.array(rows).T
        columns = np.stack([kept, kept * alike * (1 - USUAL ** np.array(lags))], axis=1)
        root = np.sqrt(precision)
        (white, lasting), _ = nnls(columns * root[:, None], square * root)
    return white / chance, np.full(len(chance), lasting / chance.mean())


def _at_lag(
    lag: int, seen: NDArray[np.bool_], standard: Floats, own: Floats, whole: Floats, kept: Floats, relative: Floats
) -> tuple[float, float, float, float]:
    """Return of all pairs at a lag: what they differ by beyond sampling, what was kept of shocks, size, precision."""
    both = seen[:, lag:] & seen[:, :-lag]

    def mean(cells: Floats) -> Floats:
        return np.asarray(0.5 * (cells[:, lag:] + cells[:, :-lag])[both], dtype=float)

    beyond = 0.5 * (standard[:, lag:] - standard[:, :-lag])[both] ** 2 - mean(own)
    precision = mean(whole) ** -2.0
    size = np.broadcast_to(relative[:, None], seen.shape)[:, lag:][both]
    total = float(precision.sum())
    return (
        float(precision @ beyond) / total,
        float(precision @ mean(kept)) / total,
        float(precision @ size) / total,
        total,
    )
