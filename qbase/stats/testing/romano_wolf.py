"""Several outcomes tested at once: p values that hold for all of them together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbase.stats.testing.adoption_permutations import permutation_p

Floats = NDArray[np.float64]


def romano_wolf_p(observed: ArrayLike, drawn: ArrayLike) -> Floats:
    """Adjust p values of several statistics for being looked at together, step by step downwards.

    The largest statistic is held against the largest of all in each draw, the second against the largest of those left,
    and so on; no p value falls below the one before it. The draws carry how the outcomes move together, so nothing is
    lost where they are alike.

    Parameters
    ----------
    observed : array-like, shape (K,)
        Statistics, large against the null; of one scale, such as absolute t values.
    drawn : array-like, shape (A, K)
        The same under the null: permutations, or a bootstrap centred at the estimates. Each draw is of all K at once.

    Returns
    -------
    numpy.ndarray, shape (K,)
        Adjusted p values; the chance that any true null is rejected at α is at most α where the draws are right.

    References
    ----------
    Romano, J. P. and Wolf, M. (2005). Stepwise multiple testing as formalized data snooping. Econometrica 73.
    Romano, J. P. and Wolf, M. (2016). Efficient computation of adjusted p-values for resampling-based stepdown multiple
    testing. Statistics and Probability Letters 113.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import romano_wolf_p
    >>> drawn = np.abs(np.random.default_rng(1).standard_normal((999, 3)))
    >>> romano_wolf_p([3.1, 2.2, 0.4], drawn).round(3)
    array([0.007, 0.052, 0.684])
    """
    statistics, draws = np.asarray(observed, dtype=float), np.asarray(drawn, dtype=float)
    order = np.argsort(-statistics, kind="stable")
    adjusted = np.empty(len(statistics))
    reached = 0.0
    for step, at in enumerate(order):
        largest = draws[:, order[step:]].max(axis=1)
        reached = max(reached, permutation_p(float(statistics[at]), largest))
        adjusted[at] = reached
    return adjusted
