"""The difference of two rates whose batches come from firms, some of them drawn in both periods."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.stats.rates.firm_likeness import FirmLikeness, firm_rate_interval
from qbase.stats.rates.wilson import square_and_add

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Drawn = tuple[Ints, Ints]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirmDifference:
    """A difference of two rates, as shares.

    Parameters
    ----------
    value, low, high : float
        Later minus earlier, with its interval.
    correlation : float
        Of the two rates, through firms drawn in both periods.

    Examples
    --------
    >>> from qbase.stats import FirmDifference
    >>> FirmDifference(value=0.05, low=-0.01, high=0.11, correlation=0.2).half_width
    0.06
    """

    value: float
    low: float
    high: float
    correlation: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def compare_firm_rates(before: Drawn, after: Drawn, likeness: FirmLikeness, *, level: float = 0.95) -> FirmDifference:
    """Compare two rates with an interval that knows which batches are of one firm.

    Each rate has the interval of `firm_rate_interval`; they are joined with the correlation of `shared_correlation`.

    Parameters
    ----------
    before, after : tuple of two numpy.ndarray of int, shape (firms,)
        Batches and passes of every firm in each period; 0 and 0 where it was not drawn.
    likeness : FirmLikeness
        Of batches of one firm and period; best from a longer history than these two.
    level : float
        Confidence level.

    Returns
    -------
    FirmDifference

    References
    ----------
    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 1693-1702. Newcombe, R. G. (1998). Improved confidence intervals for the difference
    between binomial proportions based on paired data. Statistics in Medicine 17, 2635-2650.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import compare_firm_rates, fit_firm_likeness
    >>> n, earlier, later = np.full(12, 5), np.array([5, 5, 5, 5, 5, 2] * 2), np.array([5, 5, 5, 5, 5, 4] * 2)
    >>> likeness = fit_firm_likeness(np.tile(n, 2), np.concatenate([earlier, later]), np.repeat([0, 1], 12))
    >>> found = compare_firm_rates((n, earlier), (n, later), likeness)
    >>> [round(x, 3) for x in (found.value, found.low, found.high)]
    [0.067, -0.064, 0.234]
    """
    n = np.array([x[0].sum() for x in (before, after)], dtype=float)
    rate = np.array([x[1].sum() for x in (before, after)], dtype=float) / n
    sum_nn = np.array([(x[0].astype(float) ** 2).sum() for x in (before, after)])
    low, high = firm_rate_interval(rate, n, sum_nn, likeness, level=level)
    correlation = shared_correlation(before, after, likeness)
    earlier, later = ((rate[i], low[i], high[i]) for i in (0, 1))
    found = (float(x) for x in square_and_add(later, earlier, correlation=correlation))
    value, lower, upper = found
    return FirmDifference(value=value, low=max(-1.0, lower), high=min(1.0, upper), correlation=correlation)


def shared_correlation(before: Drawn, after: Drawn, likeness: FirmLikeness, *, cell: Ints | None = None) -> float:
    """Return how far two rates move together because some firms were drawn in both periods.

    The covariance of one firm's results in two periods is taken from the firms drawn in both; it is never below 0 nor
    above the likeness within a period.

    Parameters
    ----------
    before, after : tuple of two numpy.ndarray of int, shape (firms,)
        Batches and passes of every firm in each period; 0 and 0 where it was not drawn.
    likeness : FirmLikeness
        Of batches of one firm and period.
    cell : numpy.ndarray of int, shape (firms,), or None
        Entity of each firm where several are summed: each has a rate of its own in each period, so that what entities
        differ by, which is no chance, makes no two periods alike. None takes all as one.

    Returns
    -------
    float
        Correlation of the two rates, 0 or above; 0 where no firm was drawn in both.

    References
    ----------
    Zou, G. Y. (2007). Toward using confidence intervals to compare correlations. Psychological Methods 12, 399-413
    (limits of a difference of correlated estimates).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_firm_likeness, shared_correlation
    >>> n, passed = np.full(12, 5), np.array([5, 5, 5, 5, 5, 5, 4, 5, 1, 0, 5, 2])
    >>> likeness = fit_firm_likeness(np.tile(n, 2), np.tile(passed, 2), np.repeat([0, 1], 12))
    >>> round(shared_correlation((n, passed), (n, passed), likeness), 2)
    0.89
    """
    (n0, k0), (n1, k1) = ((np.asarray(x, dtype=float) for x in pair) for pair in (before, after))
    both = (n0 > 0) & (n1 > 0)
    p0, p1 = k0.sum() / n0.sum(), k1.sum() / n1.sum()
    scale = np.sqrt(p0 * (1 - p0) * p1 * (1 - p1))
    if both.sum() < 2 or scale <= 0:
        return 0.0
    of = np.zeros(len(n0), dtype=np.int64) if cell is None else np.asarray(cell)
    left = [k - _cell_rates(n, k, of) * n for n, k in ((n0, k0), (n1, k1))]
    products = (left[0] * left[1])[both]
    pairs = (n0 * n1)[both]
    # of few firms each is a good part of the rate it is held against, which hides some of what they share
    seen = pairs.sum() if cell is None else _seen_pairs(n0, n1, of)
    across = float(np.clip(products.sum() / max(seen, 1e-9) / scale, 0.0, likeness.mean))
    effects = [likeness.design_effects(n.sum(), (n**2).sum()) @ likeness.weights / n.sum() for n in (n0, n1)]
    return float(across * pairs.sum() / (n0.sum() * n1.sum()) / np.sqrt(effects[0] * effects[1]))


def _cell_rates(n: Floats, k: Floats, cell: Ints) -> Floats:
    """Return for every firm the rate of its cell; 0 where nothing was drawn there."""
    size, passed = np.bincount(cell, n), np.bincount(cell, k)
    return np.asarray((passed / np.maximum(size, 1.0))[cell])


def _seen_pairs(n0: Floats, n1: Floats, cell: Ints) -> float:
    """Return how many pairs of batches of one firm the products about the rates of cells amount to."""
    size = [np.maximum(np.bincount(cell, n), 1.0) for n in (n0, n1)]
    pairs = np.bincount(cell, n0 * n1)
    own = np.bincount(cell, n0**2 * n1) / size[0] + np.bincount(cell, n0 * n1**2) / size[1]
    return float((pairs - own + pairs**2 / (size[0] * size[1])).sum())
