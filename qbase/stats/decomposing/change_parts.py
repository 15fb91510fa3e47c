"""A change of a rate in two parts: other batches were drawn, or the same kind of batch passed more often."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.stats import norm, t

from qbase.core.errors import DataError, UsageError
from qbase.stats.decomposing.part_gradients import (
    Grouped,
    Part,
    adjusted_part,
    composition_of_groups,
    composition_part,
    group_cells,
    shapley_parts,
    total_part,
    within_of_groups,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_FACTORS = 6
"""All orders of more factors are many, and their crossed groups hold a batch or two each."""

PRIOR_BATCHES = 2.0
"""A group's rate is pulled to the whole's by so many batches before its variance is taken: 3 of 3 is not certainty."""

Doubt = Callable[[Sequence[Part]], pd.DataFrame]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ChangeParts:
    """A change of a rate and what it is made of, as shares (not percentage points).

    Parameters
    ----------
    parts : pandas.DataFrame
        Index ``change``, ``composition``, ``within`` and ``composition[j]`` for each factor j; columns value,
        std_error, low, high. Later minus earlier: a part above 0 raised the rate. ``composition`` + ``within`` is
        ``change``, and the factors' add up to ``composition``.
    adjusted : pandas.DataFrame
        The change at one mix for both periods: index ``first``, ``last``, ``pooled``; columns as above.
    groups : tuple of pandas.DataFrame
        For each factor taken alone, one row per group: ``group n0 k0 n1 k1 share0 share1 rate0 rate1`` and, with
        ``_error``, ``_low`` and ``_high``, ``composition`` and ``within``.
    cells : pandas.DataFrame
        The same counts for the crossed groups, one column per factor.
    common : tuple of float
        Share of the batches of each period whose crossed group has batches in both.
    n_firms : int or None
        Firms by which the doubt was summed up.

    Examples
    --------
    >>> from qbase.stats import decompose_change
    >>> found = decompose_change([30, 70, 60, 40], [27, 42, 54, 24], [0, 0, 1, 1], [["a"], ["b"], ["a"], ["b"]])
    >>> found.parts.loc[["change", "composition", "within"], "value"].round(3).tolist()
    [0.09, 0.09, 0.0]
    """

    parts: pd.DataFrame
    adjusted: pd.DataFrame
    groups: tuple[pd.DataFrame, ...]
    cells: pd.DataFrame
    common: tuple[float, float]
    n_firms: int | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Counts:
    """Rows of counts, and their sums by period and crossed group."""

    n: Floats
    k: Floats
    period: Ints
    cell: Ints
    codes: Ints
    labels: tuple[NDArray[np.object_], ...]
    tested: Floats
    passed: Floats

    @property
    def totals(self) -> Floats:
        found: Floats = self.tested.sum(axis=1, keepdims=True)
        return found

    def grouped(self, factors: Sequence[int]) -> Grouped:
        """Return shares and passes by the groups that some factors make."""
        _, of_cell = np.unique(self.codes[:, list(factors)], axis=0, return_inverse=True)
        return group_cells(self.tested / self.totals, self.passed / self.totals, of_cell.reshape(-1).astype(np.int64))


def decompose_change(
    n: ArrayLike,
    k: ArrayLike,
    period: ArrayLike,
    groups: ArrayLike,
    *,
    firms: ArrayLike | None = None,
    level: float = 0.95,
) -> ChangeParts:
    """Decompose the change of a rate between two periods into composition and change within groups.

    By Kitagawa's symmetric formula: composition is the change of each group's share times its mean rate, within is the
    change of its rate times its mean share, means being those of the two periods; nothing is left over and neither
    period is the standard. Of several factors, composition is that of their crossed groups; each factor gets what
    it adds to the composition explained, averaged over all orders in which factors can be added (Shapley), so their
    order does not matter. A group seen in one period only has no change within: all it brings or takes is composition.

    Doubt is linearised (delta method over the multinomial of groups and passes); with firms the linearised sums go by
    firm, over both periods, with t quantiles of firms minus 1, and are never below those of single batches.

    Parameters
    ----------
    n, k : array-like, shape (m,)
        Batches and passes of any rows; rows of one group are added up.
    period : array-like, shape (m,)
        0 for the earlier period, 1 for the later one.
    groups : array-like, shape (m, q)
        Label of the group each row has by each of 1 to 6 factors.
    firms : array-like, shape (m,), or None
        Whose batches they are; None takes batches as independent.
    level : float
        Confidence level.

    Returns
    -------
    ChangeParts

    Raises
    ------
    UsageError
        Arrays that do not fit, counts that are none, a period with nothing tested, or no factor (QB589).
    DataError
        No group has batches in both periods (QB588).

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. JASA 50, 1168-1194. Das Gupta, P. (1993).
    Standardization and decomposition of rates. US Bureau of the Census P23-186. Shorrocks, A. F. (2013). Decomposition
    procedures for distributional analysis: a unified framework based on the Shapley value. Journal of Economic
    Inequality 11, 99-126.

    Examples
    --------
    Each size passes as often as before; more small firms were drawn, and the rate fell by 6 points all the same.

    >>> from qbase.stats import decompose_change
    >>> size = [["large"], ["small"], ["large"], ["small"]]
    >>> found = decompose_change([200, 100, 100, 300], [190, 80, 95, 240], [0, 0, 1, 1], size)
    >>> (100 * found.parts.loc["change":"within", ["value", "low", "high"]]).round(1) + 0
                 value   low  high
    change        -6.2 -11.2  -1.3
    composition   -6.2  -8.7  -3.8
    within         0.0  -5.5   5.5
    """
    counts, firm = _read(n, k, period, groups, firms)
    factors = counts.codes.shape[1]
    crossed = counts.grouped(range(factors))
    if not crossed.in_both.any():
        raise DataError(
            "QB588",
            found=f"{crossed.share.shape[1]} groups, none of them in both periods",
            expected="at least one group with batches in both periods",
            fix="fewer or coarser factors, or longer periods",
        )
    doubt = _doubt(counts, firm, level)
    change = dataclasses.replace(total_part(crossed.share), value=float(np.diff(crossed.passes.sum(axis=1))[0]))
    composition = composition_part(crossed)
    whole = [change, composition, change + composition.scaled(-1)]
    names = ["change", "composition", "within", *(f"composition[{j}]" for j in range(factors))]
    by_factor = shapley_parts(factors, lambda s: composition_part(counts.grouped(s)))
    pooled = counts.totals[:, 0] / counts.totals.sum()
    mixes = {"first": (1.0, 0.0), "last": (0.0, 1.0), "pooled": (float(pooled[0]), float(pooled[1]))}
    common = crossed.share[:, crossed.in_both].sum(axis=1)
    return ChangeParts(
        parts=doubt([*whole, *by_factor]).set_axis(names),
        adjusted=doubt([adjusted_part(crossed, w) for w in mixes.values()]).set_axis(list(mixes)),
        groups=tuple(_group_table(counts, j, doubt) for j in range(factors)),
        cells=_cell_table(counts),
        common=(float(common[0]), float(common[1])),
        n_firms=None if firm is None else int(firm.max()) + 1,
    )


def _read(
    n: ArrayLike, k: ArrayLike, period: ArrayLike, groups: ArrayLike, firms: ArrayLike | None
) -> tuple[_Counts, Ints | None]:
    tested, passed, when = (np.asarray(x, dtype=float).reshape(-1) for x in (n, k, period))
    table = pd.DataFrame(np.asarray(groups, dtype=object))
    fault = _fault(tested, passed, when, table, firms)
    if fault:
        raise UsageError(
            "QB589",
            found=fault,
            expected="rows with 0 <= k <= n, period 0 or 1, both periods tested, 1 to 6 factors",
            fix="decompose_change(n, k, period, groups)",
        )
    kept = tested > 0
    tested, passed, when, table = tested[kept], passed[kept], when[kept].astype(np.int64), table[kept]
    coded = [pd.factorize(table[c].astype(str), sort=True) for c in table]
    codes, cell = np.unique(np.column_stack([c for c, _ in coded]), axis=0, return_inverse=True)
    cell = cell.reshape(-1).astype(np.int64)
    sums = [np.array([np.bincount(cell, x * (when == p), len(codes)) for p in (0, 1)]) for x in (tested, passed)]
    counts = _Counts(
        n=tested, k=passed, period=when, cell=cell, codes=codes.astype(np.int64),
        labels=tuple(np.asarray(names, dtype=object) for _, names in coded), tested=sums[0], passed=sums[1],
    )  # fmt: skip
    if firms is None:
        return counts, None
    return counts, pd.factorize(pd.Series(np.asarray(firms, dtype=object))[kept].astype(str))[0].astype(np.int64)


def _fault(n: Floats, k: Floats, period: Floats, groups: pd.DataFrame, firms: ArrayLike | None) -> str:
    lengths = {len(n), len(k), len(period), len(groups)} | (set() if firms is None else {len(np.asarray(firms))})
    if len(lengths) > 1:
        return f"arrays of {', '.join(str(x) for x in sorted(lengths))} rows"
    if not 1 <= groups.shape[1] <= MOST_FACTORS:
        return f"{groups.shape[1]} factors"
    if not (np.isfinite(n) & np.isfinite(k)).all() or (k < 0).any() or (k > n * (1 + 1e-12)).any():
        return "passes outside 0 to the number tested"
    if not np.isin(period, (0, 1)).all() or any(n[period == p].sum() <= 0 for p in (0, 1)):
        return f"tested {', '.join(f'{n[period == p].sum():g} in period {p:g}' for p in np.unique(period))}"
    return ""


def _doubt(counts: _Counts, firm: Ints | None, level: float) -> Doubt:
    """Return what turns parts into values with standard errors and intervals."""
    share, passes = counts.tested / counts.totals, counts.passed / counts.totals
    rate = np.divide(counts.passed, counts.tested, out=np.zeros_like(passes), where=counts.tested > 0)
    whole = (counts.passed.sum(axis=1, keepdims=True) + 1) / (counts.totals + 2)
    pulled = (counts.passed + PRIOR_BATCHES * whole) / (counts.tested + PRIOR_BATCHES)
    n_firms = 0 if firm is None else int(firm.max()) + 1
    quantile = float(t.ppf((1 + level) / 2, n_firms - 1)) if n_firms > 1 else float(norm.ppf((1 + level) / 2))

    def doubt(parts: Sequence[Part]) -> pd.DataFrame:
        by_share, by_passes = (np.array([getattr(p, name) for p in parts]) for name in ("by_share", "by_passes"))
        mean = (share * by_share + passes * by_passes).sum(axis=2, keepdims=True)
        # what a batch adds by the group it is of, and by passing or not
        drawn = (by_share + by_passes * rate - mean) / counts.totals
        passing = by_passes / counts.totals
        variance = (counts.tested * (drawn**2 + pulled * (1 - pulled) * passing**2)).sum(axis=(1, 2))
        if firm is not None and n_firms > 1:
            left = counts.k - counts.n * rate[counts.period, counts.cell]
            at = (slice(None), counts.period, counts.cell)
            scores = counts.n * drawn[at] + left * passing[at]
            by_firm = csr_matrix((np.ones(len(firm)), (firm, np.arange(len(firm))))) @ scores.T
            variance = np.maximum(variance, n_firms / (n_firms - 1) * (by_firm**2).sum(axis=0))
        value, error = np.array([p.value for p in parts]), np.sqrt(variance)
        low, high = value - quantile * error, value + quantile * error
        return pd.DataFrame({"value": value, "std_error": error, "low": low, "high": high})

    return doubt


def _group_table(counts: _Counts, factor: int, doubt: Doubt) -> pd.DataFrame:
    grouped = counts.grouped([factor])
    labels = counts.labels[factor]
    table: dict[str, ArrayLike] = {"group": labels}
    for p in (0, 1):
        for name, x in (("n", counts.tested), ("k", counts.passed)):
            table[f"{name}{p}"] = np.bincount(counts.codes[:, factor], x[p], len(labels))
    table |= _rates(table)
    for name, parts in (("composition", composition_of_groups(grouped)), ("within", within_of_groups(grouped))):
        found = doubt(parts)
        for column, end in (("value", ""), ("std_error", "_error"), ("low", "_low"), ("high", "_high")):
            table[name + end] = found[column].to_numpy()
    return pd.DataFrame(table)


def _cell_table(counts: _Counts) -> pd.DataFrame:
    table = pd.DataFrame({j: counts.labels[j][counts.codes[:, j]] for j in range(counts.codes.shape[1])})
    for p in (0, 1):
        table[f"n{p}"], table[f"k{p}"] = counts.tested[p], counts.passed[p]
    return table.assign(**_rates(table))


def _rates(table: Mapping[str, ArrayLike] | pd.DataFrame) -> dict[str, Floats]:
    """Return share of the batches and rate of each group, by period; no rate where nothing was tested."""
    n, k = (np.array([table[f"{name}0"], table[f"{name}1"]], dtype=float) for name in ("n", "k"))
    shares = n / n.sum(axis=1, keepdims=True)
    rates = np.divide(k, n, out=np.full(n.shape, np.nan), where=n > 0)
    return {f"{name}{p}": of[p] for name, of in (("share", shares), ("rate", rates)) for p in (0, 1)}
