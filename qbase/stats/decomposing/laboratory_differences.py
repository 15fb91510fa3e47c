"""Laboratories compared on the batches of the same strata: raw differences, pooled ones, and whether any differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2, norm

from qbase.core.errors import DataError, UsageError
from qbase.stats.decomposing.pooled_effects import PooledEffects, shrink_effects

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_CONTRASTS = 2
"""Two laboratories differ or do not; how much laboratories differ is seen among more."""

ALONE = -1
"""Number of the set of a laboratory that shares no stratum with another."""

AT_ONCE = 200
"""Draws of signs held at a time: of 10,000 firms that is 16 MB."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LaboratoryDifferences:
    """How far laboratories differ on the batches of the same strata, as shares.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per laboratory: ``laboratory n k rate n_shared`` (batches in strata with other laboratories), ``raw``
        (its rate minus that of the others in the same strata) with ``raw_error``, and ``value low high`` after partial
        pooling; missing where it shares no stratum with the others.
    spread : tuple of float
        Standard deviation between laboratories: posterior median, low, high.
    p_value : float
        That no laboratory differs from another.
    statistic, df : float, int
        Of the generalised Mantel-Haenszel test.
    effect, covariance : numpy.ndarray, shapes (L,) and (L, L)
        Effects of the laboratories in the order of the table before pooling, 0 on average of each set.
    pooled : PooledEffects
        The same after pooling.
    sets : numpy.ndarray of int, shape (L,)
        Laboratories whose strata hang together, directly or through others, have one number and are compared with each
        other; -1 where one shares no stratum.

    Examples
    --------
    >>> from qbase.stats import compare_laboratories
    >>> n, k = [20, 20, 20, 20, 20, 20], [19, 15, 18, 14, 19, 17]
    >>> found = compare_laboratories(n, k, ["a", "b", "c", "b", "a", "c"], [1, 1, 2, 2, 3, 3])
    >>> found.table[["laboratory", "raw", "value"]].round(3).to_dict("list")
    {'laboratory': ['a', 'b', 'c'], 'raw': [0.15, -0.2, 0.05], 'value': [0.118, -0.153, 0.035]}
    """

    table: pd.DataFrame
    spread: tuple[float, float, float]
    p_value: float
    statistic: float
    df: int
    effect: Floats
    covariance: Floats
    pooled: PooledEffects
    sets: Ints

    @property
    def linked(self) -> NDArray[np.bool_]:
        """Which laboratories are compared with others."""
        found: NDArray[np.bool_] = self.sets != ALONE
        return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Rows of counts with numbers of laboratory, stratum and firm; sums by stratum and laboratory."""

    n: Floats
    k: Floats
    lab: Ints
    stratum: Ints
    firm: Ints | None
    tested: Floats
    passed: Floats

    @property
    def share(self) -> Floats:
        """Share of the batches of each stratum that a laboratory tested, shape (S, L)."""
        found: Floats = self.tested / self.tested.sum(axis=1, keepdims=True)
        return found

    @property
    def rate(self) -> Floats:
        """Rate of each stratum."""
        found: Floats = self.passed.sum(axis=1) / self.tested.sum(axis=1)
        return found


def compare_laboratories(
    n: ArrayLike,
    k: ArrayLike,
    laboratory: ArrayLike,
    stratum: ArrayLike,
    *,
    firms: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 999,
    seed: int = 0,
) -> LaboratoryDifferences:
    """Compare laboratories on the batches of the same strata, such as a cluster's quarter.

    A laboratory's raw difference is its rate minus that of all others in the same strata, with Mantel-Haenszel weights:
    strata in which it is alone say nothing. Raw differences are pulled together by a normal model of true effects
    whose spread is integrated over (restricted likelihood, flat prior), so that a laboratory with few batches is not
    called lenient. Whether any differ is tested by the generalised Mantel-Haenszel statistic; with firms its
    distribution comes from exchanging the signs of firms (score bootstrap), and standard errors go by firm.

    Parameters
    ----------
    n, k : array-like, shape (m,)
        Batches and passes of any rows.
    laboratory, stratum : array-like, shape (m,)
        Who tested them, and what is compared with itself only.
    firms : array-like, shape (m,), or None
        Whose batches they are; None takes batches as independent.
    level : float
        Confidence level, or posterior probability after pooling.
    draws, seed : int
        Of the exchange of signs.

    Returns
    -------
    LaboratoryDifferences

    Raises
    ------
    UsageError
        Arrays that do not fit, or counts that are none (QB589).
    DataError
        Fewer than three laboratories share strata, or nothing differs in them (QB591).

    References
    ----------
    Mantel, N. and Haenszel, W. (1959). JNCI 22, 719-748. Greenland, S. and Robins, J. M. (1985). Estimation of a common
    effect parameter from sparse follow-up data. Biometrics 41, 55-68. Kline, P. and Santos, A. (2012). A score based
    approach to wild bootstrap inference. Journal of Econometric Methods 1, 23-41. Gelman, A. (2006). Prior
    distributions for variance parameters in hierarchical models. Bayesian Analysis 1, 515-534.

    Examples
    --------
    One of four laboratories lets more pass, in whatever cluster it works.

    >>> from qbase.stats import compare_laboratories
    >>> n, k = [30] * 8, [21, 29, 22, 21, 24, 23, 30, 24]
    >>> found = compare_laboratories(n, k, list("abcdacbd"), [1, 1, 1, 1, 2, 2, 2, 2])
    >>> print(found.table[["laboratory", "raw", "value", "low", "high"]].round(2), round(found.p_value, 4))
      laboratory   raw  value   low  high
    0          a -0.08  -0.07 -0.18  0.04
    1          b  0.23   0.20  0.08  0.32
    2          c -0.08  -0.07 -0.18  0.04
    3          d -0.08  -0.07 -0.18  0.04 0.0012
    """
    rows, names = _read(n, k, laboratory, stratum, firms)
    weights, scores, null = _sums(rows)
    sets = _sets(weights)
    linked = sets != ALONE
    if linked.sum() - len(np.unique(sets[linked])) < LEAST_CONTRASTS or not null[np.ix_(linked, linked)].any():
        raise _nothing(rows, linked)
    inverse = np.linalg.pinv(weights[np.ix_(linked, linked)])
    effect = np.zeros(len(names))
    effect[linked] = inverse @ scores[linked]
    covariance = np.zeros_like(weights)
    covariance[np.ix_(linked, linked)] = inverse @ _meat(rows, effect, null)[np.ix_(linked, linked)] @ inverse
    own = np.diag(weights)
    contrast = np.where(linked[:, None], weights / np.where(own > 0, own, 1)[:, None], 0.0)
    pooled = shrink_effects(effect, covariance, sets, level=level)
    statistic, df, p = _test(rows, scores, null, linked, draws, seed)
    quantile = float(norm.ppf((1 + level) / 2))
    value = contrast @ pooled.effect
    half = quantile * _errors(contrast, pooled.covariance)
    tested, passed = rows.tested.sum(axis=0), rows.passed.sum(axis=0)
    table = pd.DataFrame({"laboratory": names, "n": tested, "k": passed, "rate": passed / tested})
    table["n_shared"] = (rows.tested * ((rows.share > 0) & (rows.share < 1))).sum(axis=0)
    raw_error = _errors(contrast, covariance)
    columns = {
        "raw": contrast @ effect, "raw_error": raw_error, "value": value, "low": value - half, "high": value + half
    }  # fmt: skip
    for name, values in columns.items():
        table[name] = np.where(linked, values, np.nan)
    return LaboratoryDifferences(
        table=table, spread=pooled.spread, p_value=p, statistic=statistic, df=df, effect=effect, covariance=covariance,
        pooled=pooled, sets=sets,
    )  # fmt: skip


def _errors(contrast: Floats, covariance: Floats) -> Floats:
    """Return standard errors of contrasts; one of a laboratory alone is 0."""
    found: Floats = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", contrast, covariance, contrast), 0.0))
    return found


def _read(
    n: ArrayLike, k: ArrayLike, laboratory: ArrayLike, stratum: ArrayLike, firms: ArrayLike | None
) -> tuple[_Rows, NDArray[np.object_]]:
    tested, passed = (np.asarray(x, dtype=float).reshape(-1) for x in (n, k))
    labels = [
        np.asarray(x, dtype=object).reshape(-1) for x in (laboratory, stratum, *([] if firms is None else [firms]))
    ]
    lengths = {len(tested), len(passed), *(len(x) for x in labels)}
    is_wrong = len(lengths) > 1 or not (np.isfinite(tested) & np.isfinite(passed)).all()
    if is_wrong or (passed < 0).any() or (passed > tested * (1 + 1e-12)).any() or tested.sum() <= 0:
        raise UsageError(
            "QB589",
            found=f"arrays of {', '.join(str(x) for x in sorted(lengths))} rows, {tested.sum():g} tested",
            expected="rows with 0 <= k <= n, each with its laboratory and stratum",
            fix="compare_laboratories(n, k, laboratory, stratum)",
        )
    kept = tested > 0
    coded = [pd.factorize(pd.Series(x[kept]).astype(str), sort=True) for x in labels]
    lab, part = (c.astype(np.int64) for c, _ in coded[:2])
    shape = (len(coded[1][1]), len(coded[0][1]))
    sums = [csr_matrix((x[kept], (part, lab)), shape=shape).toarray() for x in (tested, passed)]
    rows = _Rows(
        n=tested[kept], k=passed[kept], lab=lab, stratum=part,
        firm=coded[2][0].astype(np.int64) if firms is not None else None, tested=sums[0], passed=sums[1],
    )  # fmt: skip
    return rows, np.asarray(coded[0][1], dtype=object)


def _sums(rows: _Rows) -> tuple[Floats, Floats, Floats]:
    """Return the weights of pairs of laboratories, passes beyond those of their strata, and their null covariance."""
    total, passed, share = rows.tested.sum(axis=1), rows.passed.sum(axis=1), rows.share
    scores = (rows.passed - rows.tested * rows.rate[:, None]).sum(axis=0)

    def spread(by_stratum: Floats) -> Floats:
        scaled = rows.tested * by_stratum[:, None]
        found: Floats = np.diag(scaled.sum(axis=0)) - scaled.T @ share
        return found

    variance = passed * (total - passed) / np.maximum(total * (total - 1), 1)
    return spread(np.ones(len(total))), scores, spread(variance)


def _sets(weights: Floats) -> Ints:
    """Return numbers of the sets of laboratories whose strata hang together."""
    pairs = np.abs(weights - np.diag(np.diag(weights))) > 1e-9
    label = connected_components(csr_matrix(pairs), directed=False)[1]
    return np.where(np.bincount(label)[label] > 1, label, ALONE).astype(np.int64)


def _by_firm(rows: _Rows, left: Floats) -> Floats:
    """Return what is left of rows as scores of laboratories, summed by firm; shape (firms, L)."""
    firm = rows.firm if rows.firm is not None else np.arange(len(rows.n))
    pairs = pd.DataFrame({"stratum": rows.stratum, "firm": firm}).drop_duplicates()
    others = np.maximum(np.bincount(pairs["stratum"], minlength=len(rows.tested)), 2)
    # what is left of few firms is smaller than it was, for their stratum's rate was taken off
    left = left * np.sqrt(others / (others - 1))[rows.stratum]
    n_firms, m = int(firm.max()) + 1, len(left)
    own = csr_matrix((left, (firm, rows.lab)), shape=(n_firms, rows.tested.shape[1]))
    of_strata = csr_matrix((left, (firm, rows.stratum)), shape=(n_firms, len(rows.tested)))
    found: Floats = own.toarray() - of_strata @ rows.share if m else own.toarray()
    return found


def _meat(rows: _Rows, effect: Floats, null: Floats) -> Floats:
    """Return the covariance of the scores: that of single batches, each laboratory's widened to its own by firm."""
    if rows.firm is None:
        return null
    mean = rows.share @ effect
    fitted = rows.rate[rows.stratum] + effect[rows.lab] - mean[rows.stratum]
    sums = _by_firm(rows, rows.k - rows.n * fitted)
    found = len(sums) / max(len(sums) - 1, 1) * sums.T @ sums
    # directions that hang on a firm or two have no spread of their own, so single batches give the pattern
    batches, firms = np.sqrt(np.diag(null)), np.sqrt(np.diag(found))
    scale = np.where(batches > 0, np.maximum(batches, firms) / np.where(batches > 0, batches, 1), 1.0)
    scaled: Floats = null * scale[:, None] * scale[None, :]
    return scaled


def _test(
    rows: _Rows, scores: Floats, null: Floats, linked: NDArray[np.bool_], draws: int, seed: int
) -> tuple[float, int, float]:
    inverse = np.linalg.pinv(null[np.ix_(linked, linked)], rcond=1e-10)
    df = int(np.linalg.matrix_rank(null[np.ix_(linked, linked)], tol=1e-9 * np.abs(null).max()))
    statistic = float(scores[linked] @ inverse @ scores[linked])
    if rows.firm is None:
        return statistic, df, float(chi2.sf(statistic, df))
    sums = _by_firm(rows, rows.k - rows.n * rows.rate[rows.stratum])[:, linked]
    rng, beyond = np.random.default_rng(seed), 0
    for start in range(0, draws, AT_ONCE):
        size = min(AT_ONCE, draws - start)
        signs = 2.0 * rng.integers(0, 2, size=(size, len(sums)), dtype=np.int8) - 1
        drawn = signs @ sums
        beyond += int((np.einsum("ij,jk,ik->i", drawn, inverse, drawn) >= statistic * (1 - 1e-9)).sum())
    return statistic, df, (1 + beyond) / (draws + 1)


def _nothing(rows: _Rows, linked: NDArray[np.bool_]) -> DataError:
    shared = int(((rows.tested > 0).sum(axis=1) > 1).sum())
    return DataError(
        "QB591",
        found=f"{int(linked.sum())} laboratories share strata; {shared} of {len(rows.tested)} strata with two or more",
        expected="three laboratories that share strata in which some batches pass and some fail",
        fix="longer periods, or fewer things held alike within strata",
    )
