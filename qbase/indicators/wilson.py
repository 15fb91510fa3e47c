"""Wilson's interval of proportions, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import proportion_confint

Floats = NDArray[np.float64]


def wilson_interval(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's score interval of proportions, as shares.

    Parameters
    ----------
    passed, tested : array-like, shape (m,)
        Counts; every ``tested`` is above 0.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Inside 0 and 1, never of zero width.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.
    """
    k, n = np.asarray(passed, dtype=float), np.asarray(tested, dtype=float)
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    # the formula gives exactly 0 and 1 here, arithmetic 1e-17 and 1 - 1e-16, which would shut the value out
    return np.where(k == 0, 0.0, np.asarray(low, dtype=float)), np.where(k == n, 1.0, np.asarray(high, dtype=float))
