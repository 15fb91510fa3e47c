"""The mean of several rates with an interval made of their own intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def mean_interval(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, *, weight: ArrayLike = 1.0
) -> tuple[float, float, float]:
    """Return the weighted mean of independent quantities with an interval made of their own (MOVER).

    Parameters
    ----------
    value, low, high : array-like, shape (m,)
        Values with intervals of any kind; Wilson's keep the mean of rates inside 0 and 1.
    weight : array-like, shape (m,) or a number
        Above 0; tests give the pooled rate.

    Returns
    -------
    mean, low, high : float
        In the unit given.

    References
    ----------
    Zou, G. Y., Huang, W. and Zhang, X. (2009). A note on confidence interval estimation for a linear function of
    binomial proportions. Computational Statistics and Data Analysis 53, 1080-1085.

    Examples
    --------
    >>> from qbase.stats import mean_interval, wilson_interval
    >>> rates, tested = [90.0, 80.0, 100.0], [50, 100, 20]
    >>> low, high = wilson_interval([45, 80, 20], tested)
    >>> [round(x, 1) for x in mean_interval(rates, 100 * low, 100 * high, weight=tested)]
    [85.3, 78.8, 89.6]
    """
    x, a, b = (np.asarray(v, dtype=float) for v in (value, low, high))
    share = np.broadcast_to(np.asarray(weight, dtype=float), x.shape)
    share = share / share.sum()
    mean = float(share @ x)
    return mean, mean - float(np.sqrt((share**2) @ (x - a) ** 2)), mean + float(np.sqrt((share**2) @ (b - x) ** 2))
