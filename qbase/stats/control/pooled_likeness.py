"""How far the periods of many series differ beyond sampling, learnt from all of them together."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qbase.stats.control.control_limits import Floats

Bools = NDArray[np.bool_]

LEAST_ENTITIES = 8
"""Fewer series than this do not tell how far they differ among themselves."""

LEAST_STEPS = 3
"""Fewer steps between neighbouring periods leave a series out of the pool."""

WEIGHED_AT = 0.05
"""Correlation at which steps of unequal n are weighed: any value is unbiased, this one is seldom far from the best."""

FAR = 3.0
"""Robust standard deviations from the median beyond which a series counts as if it lay there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LikenessPool:
    """What many series say of the correlation of the batches of one period.

    Parameters
    ----------
    mean : float
        Weighted mean of the series, in [0, 1]: 0 where periods differ by sampling alone.
    spread : float
        Standard deviation of the true correlations among the series.
    error : float
        Standard error of ``mean``.
    entities : int
        Series that entered.
    p_value : float
        One-sided, against periods that differ by sampling alone.

    Examples
    --------
    >>> from qbase.stats import LikenessPool
    >>> LikenessPool(mean=0.1, spread=0.02, error=0.01, entities=36, p_value=0.0).prior_variance.__round__(4)
    0.0005
    """

    mean: float
    spread: float
    error: float
    entities: int
    p_value: float

    @property
    def prior_variance(self) -> float:
        """Variance of the correlation of one further series, as far as the pool knows."""
        return self.spread**2 + self.error**2


def period_likeness(k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Estimate the correlation of the batches of one period, from steps between neighbouring periods.

    A change that lasts moves one step of many, and a slow one hardly any, so what a series really does is not taken
    for over-dispersion. With v the variance between periods and w that within them, E (p_i - p_j)^2 = 2 v + w (1/n_i +
    1/n_j), and the correlation is v / (v + w); Laney's sigma_Z is the root of 1 + (n - 1) times it.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (S, T)
        Passes and tests; n = 0 (or NaN) where nothing was measured: neighbours are the measured periods on either side.

    Returns
    -------
    tuple of numpy.ndarray, shape (S,)
        The correlation, which chance may take below 0, and what it weighs (proportional to one over its variance).
        NaN and 0 where nearly every period has one batch, fewer than three steps were measured, or all are alike.

    References
    ----------
    von Neumann, J. (1941). Distribution of the ratio of the mean square successive difference to the variance. Annals
    of Mathematical Statistics 12, 367-395. Donner, A. (1986). A review of inference procedures for the intraclass
    correlation coefficient. International Statistical Review 54, 67-82.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import period_likeness
    >>> n = np.full((1, 8), 20.0)
    >>> [period_likeness(np.array([k]), n)[0][0].round(2) for k in ([18.0, 12, 19, 11, 20, 13, 18, 12], [18.0] * 8)]
    [np.float64(0.25), np.float64(-0.05)]
    """
    n = np.nan_to_num(np.asarray(n, dtype=float))
    known = n > 0
    # measured periods come first, so that neighbours stand side by side
    order = np.argsort(~known, axis=-1, kind="stable")
    size, passed = (np.take_along_axis(np.where(known, a, 0.0), order, axis=-1) for a in (n, np.nan_to_num(k)))
    inside = size > 0
    each = np.where(inside, size, 1.0)
    share = passed / each
    spare = np.where(inside, size - 1, 0.0).sum(axis=-1)
    within = (size * share * (1 - share)).sum(axis=-1) / np.maximum(spare, 1.0)
    both = inside[..., 1:] & inside[..., :-1]
    inverse = 1 / each[..., 1:] + 1 / each[..., :-1]
    weight = np.where(both, 1 / (inverse + 2 * WEIGHED_AT) ** 2, 0.0)
    whole = weight.sum(axis=-1)
    moved = (share[..., 1:] - share[..., :-1]) ** 2 - within[..., None] * inverse
    between = (weight * moved).sum(axis=-1) / (2 * np.where(whole > 0, whole, 1.0))
    usable = (both.sum(axis=-1) >= LEAST_STEPS) & (spare >= inside.sum(axis=-1)) & (between + within > 1e-12)
    usable &= within > 0
    ratio = np.clip(between / np.where(usable, between + within, 1.0), -1.0, 1.0)
    return np.where(usable, ratio, np.nan), np.where(usable, whole, 0.0)


def pool_likeness(k: Floats, n: Floats) -> LikenessPool | None:
    """Learn the correlation of the batches of one period, and how far it differs among series, from all of them.

    How far the series differ is the covariance of what the two halves of each say, which holds no sampling error.
    A series that lies far from the others counts as if it lay three robust standard deviations from their median.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (S, T)
        As `period_likeness`.

    Returns
    -------
    LikenessPool or None
        None where fewer than eight series can be used.

    References
    ----------
    Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression. Statistical
    Applications in Genetics and Molecular Biology 3 (a variance learnt from many series). Huber, P. J. (1981). Robust
    Statistics (values drawn in).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import pool_likeness
    >>> rng = np.random.default_rng(1)
    >>> n = np.full((36, 40), 20.0)
    >>> pool = pool_likeness(rng.binomial(20, rng.beta(0.9 * 9, 0.1 * 9, n.shape)).astype(float), n)
    >>> round(pool.mean, 2), pool.entities, pool.p_value < 0.001
    (0.09, 36, True)
    """
    own, weight = period_likeness(k, n)
    used = np.isfinite(own)
    if used.sum() < LEAST_ENTITIES:
        return None
    own, weight = _draw_in(own[used]), weight[used] / weight[used].sum()
    mean, count = float(weight @ own), len(own)
    error = float(np.sqrt((weight**2 * (own - mean) ** 2).sum() * count / (count - 1)))
    middle = k.shape[1] // 2
    first, last = (period_likeness(k[used, half], n[used, half])[0] for half in (slice(0, middle), slice(middle, None)))
    p_value = float(stats.t.sf(mean / error, count - 1)) if error > 0 else float(mean <= 0)
    return LikenessPool(
        mean=max(mean, 0.0), spread=_shared_spread(first, last, weight), error=error, entities=count, p_value=p_value
    )


def _draw_in(values: Floats) -> Floats:
    """Return values with those far from the median put at the edge of what is near."""
    middle = float(np.nanmedian(values))
    reach = FAR * 1.4826 * float(np.nanmedian(np.abs(values - middle)))
    return np.asarray(np.clip(values, middle - reach, middle + reach)) if reach > 0 else values


def _shared_spread(first: Floats, second: Floats, weight: Floats) -> float:
    """Return the root of the weighted covariance of two halves; 0 where it is negative, or halves are missing."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < LEAST_ENTITIES:
        return 0.0
    one, other, share = _draw_in(first[both]), _draw_in(second[both]), weight[both] / weight[both].sum()
    together = (share * (one - share @ one) * (other - share @ other)).sum() / (1 - (share**2).sum())
    return float(np.sqrt(max(0.0, together)))
