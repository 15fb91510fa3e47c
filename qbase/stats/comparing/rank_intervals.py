"""Ranks with intervals that hold for all entities at once: who cannot be told apart is not put in order."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

from qbase.core.errors import DataError
from qbase.core.given import check_word
from qbase.stats.comparing.funnel_limits import read_counts_of
from qbase.stats.rates.difference_intervals import check_level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Family = Literal["simultaneous", "marginal"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ranks:
    """Ranks of m entities, 1 for the highest value.

    Parameters
    ----------
    rank : numpy.ndarray of int, shape (m,)
        One more than how many values lie above; equal values share a rank.
    low, high : numpy.ndarray of int, shape (m,)
        Best and worst rank that is not refuted.
    is_above : numpy.ndarray of bool, shape (m, m)
        Whether the entity of the row is shown to lie above that of the column.

    Examples
    --------
    >>> from qbase.stats import Ranks, rank_intervals
    >>> ranks = rank_intervals([58, 55, 30], [60, 60, 60])
    >>> isinstance(ranks, Ranks), ranks.is_above[:, 2].tolist()
    (True, [True, True, False])
    """

    rank: Ints
    low: Ints
    high: Ints
    is_above: NDArray[np.bool_]


def rank_intervals(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> Ranks:
    """Return the ranks of rates with intervals that cover all true ranks at once, however few were tested.

    Every pair is tested by Fisher's exact test in both directions; Holm's steps with Shaffer's count of what can still
    be true keep the chance of any wrong order at most one minus the level. No sample need be large: the price is that
    few entities are put in order where little was tested.

    Parameters
    ----------
    passed : array-like, shape (m,)
        Passes; where a weighted rate times its effective number of tests is not whole, it is rounded to the side that
        tells less.
    tested : array-like of int, shape (m,)
        Tests, at least 1.
    level : float
        For all ranks together.

    Returns
    -------
    Ranks
        The highest rate has rank 1.

    Raises
    ------
    DataError
        Counts that cannot be (QB536).
    UsageError
        A level that is none (QB503).

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6,
    65-70. Shaffer, J. P. (1986). Modified sequentially rejective multiple test procedures. JASA 81, 826-831. Mogstad,
    M., Romano, J. P., Shaikh, A. M. and Wilhelm, D. (2024). Inference for ranks with applications to mobility across
    neighbourhoods and academic achievement across countries. Review of Economic Studies 91, 476-518.

    Examples
    --------
    >>> from qbase.stats import rank_intervals
    >>> ranks = rank_intervals([59, 55, 54, 30], [60, 60, 60, 60])
    >>> [f"{r} ({a}-{b})" for r, a, b in zip(ranks.rank, ranks.low, ranks.high)]
    ['1 (1-3)', '2 (1-3)', '3 (1-3)', '4 (4-4)']
    """
    check_level(level)
    k, n = read_counts_of(passed, tested)
    # rows are claimed to lie above columns
    most, least = np.ceil(np.round(k, 9)), np.floor(np.round(k, 9))
    total = least[:, None] + most[None, :]
    p = hypergeom.sf(least[:, None] - 1, n[:, None] + n[None, :], total, n[:, None])
    return _ranks(k / n, _holm(np.asarray(p, dtype=float), 1 - level))


def gaussian_rank_intervals(
    value: ArrayLike,
    std_error: ArrayLike,
    *,
    level: float = 0.95,
    family: Family = "simultaneous",
    draws: int = 1000,
    seed: int = 0,
) -> Ranks:
    """Return the ranks of independent estimates with standard errors, for samples that are large.

    Differences that are not 0 by a studentised maximum put pairs in order; pairs found leave the maximum, step by
    step.

    Parameters
    ----------
    value, std_error : array-like, shape (m,)
        Estimates and their standard errors, above 0.
    level : float
        For all ranks together, or for each alone.
    family : {"simultaneous", "marginal"}
        Whether intervals hold for all ranks at once, or each for its own entity, named before looking.
    draws, seed : int
        Of the simulated maximum.

    Returns
    -------
    Ranks
        The highest value has rank 1. With ``marginal`` a row of ``is_above`` belongs to that entity's own interval.

    Raises
    ------
    DataError
        Standard errors that cannot be (QB536).
    UsageError
        A level that is none (QB503), or a family that is none (QB144).

    References
    ----------
    Mogstad, M., Romano, J. P., Shaikh, A. M. and Wilhelm, D. (2024). Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries. Review of Economic Studies 91, 476-518, section 3.

    Examples
    --------
    >>> from qbase.stats import gaussian_rank_intervals
    >>> ranks = gaussian_rank_intervals([526.6, 525.9, 516.0, 379.7], [2.5, 3.1, 2.6, 2.3])
    >>> ranks.low.tolist(), ranks.high.tolist()
    ([1, 1, 2, 4], [2, 3, 3, 4])
    """
    check_level(level)
    check_word("family", family, get_args(Family))
    x, s = np.asarray(value, dtype=float), np.asarray(std_error, dtype=float)
    if x.ndim != 1 or x.shape != s.shape or not len(x) or not (np.isfinite(x) & np.isfinite(s) & (s > 0)).all():
        raise DataError(
            "QB536", found=f"value of shape {x.shape}, std_error of shape {s.shape}",
            expected="as many standard errors as values, all finite and above 0", fix="leave out what has no error",
        )  # fmt: skip
    spread = np.sqrt(s[:, None] ** 2 + s[None, :] ** 2)
    z = (x[:, None] - x[None, :]) / spread
    noise = np.random.default_rng(seed).standard_normal((draws, len(x))) * s
    rows, columns = np.nonzero(~np.eye(len(x), dtype=bool))
    drawn = (noise[:, rows] - noise[:, columns]) / spread[rows, columns]
    above = np.zeros(z.shape, dtype=bool)
    if family == "simultaneous":
        is_refuted = _steps(z[rows, columns], drawn, level)
        above[rows[is_refuted], columns[is_refuted]] = True
        return _ranks(x, above)
    low, high = np.ones(len(x), dtype=np.int64), np.full(len(x), len(x))
    for j in range(len(x)):
        own = np.flatnonzero((rows == j) | (columns == j))
        is_refuted = _steps(z[rows, columns][own], drawn[:, own], level)
        mine = rows[own] == j
        above[j, columns[own][mine & is_refuted]] = True
        low[j] += int((is_refuted & ~mine).sum())
        high[j] -= int((is_refuted & mine).sum())
    return dataclasses.replace(_ranks(x, above), low=low, high=high)


def _ranks(value: Floats, above: NDArray[np.bool_]) -> Ranks:
    rank = 1 + (value[None, :] > value[:, None] + 1e-12).sum(axis=1)
    low, high = 1 + above.sum(axis=0), len(value) - above.sum(axis=1)
    return Ranks(rank=rank.astype(np.int64), low=low.astype(np.int64), high=high.astype(np.int64), is_above=above)


def _holm(p: Floats, alpha: float) -> NDArray[np.bool_]:
    """Return which one-sided hypotheses, row not above column, are refuted with a family-wise error of alpha.

    Where a true order has groups of equals of sizes g, two hypotheses are true for each pair inside a group and one
    for each pair across groups. So only certain numbers can be true, which is what Shaffer's steps use; no count is
    ever below one for each pair.
    """
    m = len(p)
    above = np.zeros((m, m), dtype=bool)
    rows, columns = np.nonzero(~np.eye(m, dtype=bool))
    if not len(rows):
        return above
    order = np.argsort(p[rows, columns], kind="stable")
    pairs = m * (m - 1) // 2
    possible = pairs + _tied_pairs(m)
    left = len(rows) - np.arange(len(rows))
    true = possible[np.searchsorted(possible, np.maximum(left, pairs), side="right") - 1]
    is_refuted = np.logical_and.accumulate(p[rows, columns][order] <= alpha / true)
    above[rows[order][is_refuted], columns[order][is_refuted]] = True
    return above


def _tied_pairs(m: int) -> Ints:
    """Return, sorted, how many pairs of m entities can be pairs of equals; bit i of a number stands for i pairs."""
    reached = [1]
    for size in range(1, m + 1):
        reached.append(
            functools.reduce(operator.or_, (reached[size - g] << g * (g - 1) // 2 for g in range(1, size + 1)))
        )
    return np.array([i for i, bit in enumerate(bin(reached[m])[:1:-1]) if bit == "1"], dtype=np.int64)


def _steps(z: Floats, drawn: Floats, level: float) -> NDArray[np.bool_]:
    """Return which one-sided hypotheses are refuted; those refuted leave the maximum, their opposites stay in it."""
    is_refuted = np.zeros(len(z), dtype=bool)
    while not is_refuted.all():
        limit = np.quantile(drawn[:, ~is_refuted].max(axis=1), level)
        more = ~is_refuted & (z > limit)
        if not more.any():
            break
        is_refuted |= more
    return is_refuted
