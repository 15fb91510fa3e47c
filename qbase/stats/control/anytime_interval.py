"""Intervals that hold at every look at once: for a rate that is read again each quarter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlog1py, xlogy

Floats = NDArray[np.float64]
STEPS = 60
"""Halvings of an interval of length 1: the ends are then exact to rounding."""


def anytime_interval(
    k: Floats, n: Floats, *, level: float = 0.95, prior: tuple[float, float] = (0.5, 0.5)
) -> tuple[Floats, Floats]:
    """Return the ends of a confidence sequence of a share: with probability ``level`` it holds the share at every look.

    The mixture of likelihood ratios over a Beta prior is a martingale under the true share, so that the shares whose
    ratio stays below 1 / (1 − level) form an interval that is valid whenever one looks (Ville's inequality). Batches
    are taken to be independent with one share; a looser prior is as valid, and wider.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (..., T)
        Passes and tests cumulated to each look, the last axis in time.
    level : float
        Confidence over all looks at once.
    prior : tuple of float
        Shape of the mixing Beta: where the interval is narrowest, never what it may hold.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper end at each look, 0 to 1, of the intersection with all earlier looks.

    References
    ----------
    Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
    Statistics 41. Howard, S. R., Ramdas, A., McAuliffe, J. and Sekhon, J. (2021). Time-uniform, nonparametric,
    nonasymptotic confidence sequences. Annals of Statistics 49.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import anytime_interval
    >>> low, high = anytime_interval(np.array([18.0, 55.0, 110.0]), np.array([20.0, 60.0, 120.0]))
    >>> [f"{a:.3f} to {b:.3f}" for a, b in zip(low, high)]
    ['0.591 to 0.996', '0.755 to 0.987', '0.807 to 0.976']
    """
    a, b = prior
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    most = betaln(a + k, b + n - k) - betaln(a, b) + np.log(1 - level)
    centre = np.where(n > 0, k / np.where(n > 0, n, 1), 0.5)
    ends = []
    for outer in (0.0, 1.0):
        inside, outside = centre.copy(), np.full_like(centre, outer)
        is_open = xlogy(k, outside) + xlog1py(n - k, -outside) >= most
        for _ in range(STEPS):
            middle = (inside + outside) / 2
            holds = xlogy(k, middle) + xlog1py(n - k, -middle) >= most
            inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
        ends.append(np.where(is_open | (n == 0), outer, inside))
    return np.maximum.accumulate(ends[0], axis=-1), np.minimum.accumulate(ends[1], axis=-1)
