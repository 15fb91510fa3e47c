"""Breaks in the mean of a series: whether, how many, when, and how sure the date is."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from qbase.core.errors import UsageError

Floats = NDArray[np.float64]

TRIM = 0.15
"""Least share of the series in a segment, as Andrews (1993) recommends."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeanBreaks:
    """The least-squares partition of a series into segments of one mean each.

    Parameters
    ----------
    last : tuple of int
        Position (from 0) of the last point of each segment but the final one.
    low, high : tuple of int
        Ends of the confidence interval of each; may lie before 0 or after the series, which is then open there.
    means : tuple of float
        Mean of each segment.
    rss, bic : tuple of float
        Residual sum of squares and BIC with 0, 1, … breaks, up to the most that were searched.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import MeanBreaks, find_breaks
    >>> isinstance(find_breaks(np.array([9.0, 11, 10, 9, 10, 10, 15, 14, 16, 15, 14, 15])), MeanBreaks)
    True
    """

    last: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    means: tuple[float, ...]
    rss: tuple[float, ...]
    bic: tuple[float, ...]


def break_statistics(value: Floats, *, trim: float = TRIM) -> Floats:
    """Return the F statistic of a break in the mean after each point, NaN within ``trim`` of either end.

    Its largest value is sup-F (Andrews 1993).

    Parameters
    ----------
    value : numpy.ndarray, shape (..., T)
        Without gaps.
    trim : float
        Share of the series that lies on either side of a break at least.

    Returns
    -------
    numpy.ndarray, shape (..., T)

    References
    ----------
    Andrews, D. W. K. (1993). Tests for parameter instability and structural change with unknown change point.
    Econometrica 61.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import break_statistics
    >>> found = break_statistics(np.array([9.0, 11, 10, 9, 10, 15, 14, 16, 15, 14]))
    >>> int(np.nanargmax(found)), round(float(np.nanmax(found)), 1)
    (4, 89.3)
    """
    size = value.shape[-1]
    least = _least(size, trim)
    before = np.arange(1, size)
    head = np.cumsum(value, axis=-1)
    whole = head[..., -1:]
    gain = head[..., :-1] ** 2 / before + (whole - head[..., :-1]) ** 2 / (size - before) - whole**2 / size
    total = (value**2).sum(axis=-1, keepdims=True) - whole**2 / size
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = gain / ((total - gain) / (size - 2))
    found = np.full(value.shape, np.nan)
    found[..., least - 1 : size - least] = statistic[..., least - 1 : size - least]
    return found


def find_breaks(
    value: Floats,
    *,
    n_breaks: int | None = None,
    most: int = 5,
    trim: float = TRIM,
    level: float = 0.95,
    equal_variance: bool = False,
) -> MeanBreaks:
    """Find the breaks in the mean of a series by least squares, their number by BIC where it is not given.

    Dates of breaks have the intervals of Bai (1997).

    Parameters
    ----------
    value : numpy.ndarray, shape (T,)
        Without gaps.
    n_breaks : int or None
        How many; None takes the number with the smallest BIC.
    most : int
        Most that are searched; fewer where segments of ``trim`` allow no more.
    trim : float
        Least share of the series in a segment.
    level : float
        Confidence level.
    equal_variance : bool
        Whether all segments vary alike; else each side of a break has its own variance.

    Raises
    ------
    UsageError
        More breaks than fit, or a series too short for one (QB519).

    References
    ----------
    Bai, J. and Perron, P. (2003). Computation and analysis of multiple structural change models. J. Applied
    Econometrics 18. Bai, J. (1997). Estimation of a change point in multiple regression models. Review of Economics
    and Statistics 79.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import find_breaks
    >>> found = find_breaks(np.array([9.0, 11, 10, 9, 10, 10, 15, 14, 16, 15, 14, 15]))
    >>> found.last, found.low, found.high, [round(m, 2) for m in found.means]
    ((5,), (4,), (6,), [9.83, 14.83])
    """
    size = len(value)
    least = _least(size, trim)
    reach = min(most if n_breaks is None else n_breaks, size // least - 1)
    if (n_breaks or 1) > reach:
        raise UsageError(
            "QB519", option="n_breaks", value=str(n_breaks), found=f"{size} periods, segments of {least} at least",
            expected=f"at most {max(reach, 0)} breaks", fix="more periods, or a smaller trim",
        )  # fmt: skip
    rss, places = _partition(value, reach, least)
    bic = [size * (math.log(r / size) + 1 + math.log(2 * math.pi)) + 2 * (m + 1) * math.log(size)
           for m, r in enumerate(rss)]  # fmt: skip
    chosen = int(np.argmin(bic)) if n_breaks is None else n_breaks
    last = places[chosen]
    parts = np.split(value, [i + 1 for i in last])
    spreads = [rss[chosen] / size if equal_variance else float(((p - p.mean()) ** 2).mean()) for p in parts]
    steps = [float(b.mean() - a.mean()) for a, b in itertools.pairwise(parts)]
    ends = [
        _interval(i, step, pair, level) for i, step, pair in zip(last, steps, itertools.pairwise(spreads), strict=True)
    ]
    return MeanBreaks(
        last=tuple(last), low=tuple(e[0] for e in ends), high=tuple(e[1] for e in ends),
        means=tuple(float(p.mean()) for p in parts), rss=tuple(rss), bic=tuple(bic),
    )  # fmt: skip


def _least(size: int, trim: float) -> int:
    return max(2, math.floor(trim * size))


def _partition(value: Floats, most: int, least: int) -> tuple[list[float], list[list[int]]]:
    """Return the smallest residual sums with 0 to ``most`` breaks and where they lie, by dynamic programming."""
    size = len(value)
    head, square = (np.concatenate([[0.0], np.cumsum(v)]) for v in (value, value**2))
    start, stop = np.arange(size)[:, None], np.arange(1, size + 1)[None, :]
    count = stop - start
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = square[stop] - square[start] - (head[stop] - head[start]) ** 2 / count
    cost = np.where(count >= least, cost, np.inf)
    best = cost[0].copy()
    rss, back = [float(best[-1])], []
    for _ in range(most):
        whole = best[:-1, None] + cost[1:]
        came = whole.argmin(axis=0)
        best = whole[came, np.arange(size)]
        back.append(came)
        rss.append(float(best[-1]))
    places = []
    for m in range(most + 1):
        at, found = size - 1, []
        for came in reversed(back[:m]):
            at = int(came[at])
            found.append(at)
        places.append(found[::-1])
    return rss, places


def _interval(last: int, step: float, spread: tuple[float, float], level: float) -> tuple[int, int]:
    if step == 0 or min(spread) <= 0:
        return last, last
    ratio = spread[1] / spread[0]
    tail = (1 - level) / 2
    scale = spread[0] / step**2
    low = argmax_quantile(tail, ratio)
    high = argmax_quantile(1 - tail, ratio)
    return math.floor(last + 1 - high * scale) - 1, math.ceil(last + 1 - low * scale) - 1


def argmax_quantile(p: float, ratio: float) -> float:
    """Return a quantile of `argmax_cdf`, at a probability above 0 and below 1."""
    reach = 10.0
    while argmax_cdf(-reach, ratio) > p or argmax_cdf(reach, ratio) < p:
        reach *= 2
    return float(optimize.brentq(lambda x: argmax_cdf(x, ratio) - p, -reach, reach))


def argmax_cdf(x: float, ratio: float = 1.0) -> float:
    """Return the distribution of Bai's argmax: of W(x) − |x|/2, W of variance 1 left of 0 and ``ratio`` right of it.

    Parameters
    ----------
    x : float
        Distance from the break, in its own scale.
    ratio : float
        Variance after the break over that before.

    References
    ----------
    Bai (1997), appendix B, with one slope and two variances.

    Examples
    --------
    >>> from qbase.stats import argmax_cdf
    >>> argmax_cdf(0.0), round(argmax_cdf(11.0), 3)
    (0.5, 0.975)
    """
    if x > 0:
        # seen from the other side, in units in which its own variance is 1
        return 1.0 - _left(x / ratio, 1.0 / ratio)
    return _left(-x, ratio)


def _left(x: float, ratio: float) -> float:
    """Return the probability that the maximum lies further left than −x."""
    if x == 0:
        return _share_left(ratio)
    root = math.sqrt(x)
    edge = -math.exp(-x / 8) * math.sqrt(x / (2 * math.pi))
    turn = (ratio + 2.0) * ratio / (ratio + 1.0)
    frac = 1.0 / ratio
    far = -turn * math.exp(frac * (1 + frac) * x / 2 + float(stats.norm.logcdf(-(0.5 + frac) * root)))
    near = (x / 2 - 2 + (ratio + 2.0) ** 2 / (ratio + 1.0)) * float(stats.norm.cdf(-root / 2))
    return edge + far + near


def _share_left(ratio: float) -> float:
    return ((ratio + 2.0) ** 2 / (ratio + 1.0) - 2 - (ratio + 2.0) * ratio / (ratio + 1.0)) / 2
