"""How far entities lead the others, and how much of that their laboratories explain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from qbase.core.errors import UsageError
from qbase.stats.decomposing.laboratory_differences import LaboratoryDifferences

Floats = NDArray[np.float64]

MOST_CROSSING = 0.05
"""Beyond this share of batches that would have to change to laboratories nobody compared, nothing is explained."""

PRIOR_BATCHES = 2.0


def decompose_leads(
    n: ArrayLike,
    k: ArrayLike,
    laboratory: ArrayLike,
    entity: ArrayLike,
    period: ArrayLike,
    differences: LaboratoryDifferences,
    *,
    firms: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return each entity's lead over the others of the same periods, and what its laboratories explain of it.

    A lead is the mean over an entity's batches of its rate minus that of all others in the same period. Explained is
    the same mean of the laboratories' effects, not pulled together: that would leave part of a lenient laboratory with
    the entities it serves. What is left is the lead as if all had gone to one laboratory.

    Parameters
    ----------
    n, k : array-like, shape (m,)
        Batches and passes of any rows.
    laboratory, entity, period : array-like, shape (m,)
        Of each row.
    differences : LaboratoryDifferences
        From `compare_laboratories`, of the same laboratories.
    firms : array-like, shape (m,), or None
        Whose batches they are.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        One row per entity: ``entity n lead explained left`` and ``_low``, ``_high`` of each, as shares. Explained and
        left are missing where more than 5 % of the batches would have to be set against laboratories of another set.

    Raises
    ------
    UsageError
        A laboratory that was not compared with the others is not even named among them (QB589).

    Examples
    --------
    Cluster 1 passes more often than the others, for it sends most batches to laboratory b, and for nothing else.

    >>> from qbase.stats import compare_laboratories, decompose_leads
    >>> n, k = [80, 20, 20, 80, 50, 50], [72, 14, 18, 56, 44, 35]
    >>> lab, cluster = list("babaca"), [1, 1, 2, 2, 3, 3]
    >>> found = compare_laboratories(n, k, lab, cluster)
    >>> decompose_leads(n, k, lab, cluster, [2025] * 6, found)[["entity", "lead", "explained"]].round(3)
      entity   lead  explained
    0      1  0.095      0.095
    1      2 -0.085     -0.085
    2      3 -0.010     -0.010
    """
    rows = pd.DataFrame({"n": np.asarray(n, dtype=float), "k": np.asarray(k, dtype=float)})
    rows["firm"] = np.arange(len(rows)) if firms is None else pd.factorize(np.asarray(firms, dtype=object))[0]
    rows["e"], entities = pd.factorize(np.asarray(entity, dtype=object).astype(str), sort=True)
    rows["t"], times = pd.factorize(pd.Series(period))
    names = pd.Index(differences.table["laboratory"])
    rows["lab"] = names.get_indexer(np.asarray(laboratory, dtype=object).astype(str))
    if (rows["lab"] < 0).any():
        raise UsageError(
            "QB589",
            found=f"{int((rows['lab'] < 0).sum())} rows of laboratories that were not compared",
            expected="the laboratories of compare_laboratories",
            fix="give both functions the same rows",
        )
    at = (rows["e"].to_numpy(), rows["t"].to_numpy())
    tested, passed = np.zeros((len(entities), len(times))), np.zeros((len(entities), len(times)))
    np.add.at(tested, at, rows["n"])
    np.add.at(passed, at, rows["k"])
    return _leads(rows, entities, tested, passed, differences, float(norm.ppf((1 + level) / 2)), firms is not None)


def _leads(
    rows: pd.DataFrame, entities: ArrayLike, tested: Floats, passed: Floats, differences: LaboratoryDifferences,
    quantile: float, has_firms: bool,
) -> pd.DataFrame:  # fmt: skip
    others, others_passed = tested.sum(axis=0) - tested, passed.sum(axis=0) - passed
    both = (tested > 0) & (others > 0)
    weight = np.where(both, tested, 0.0)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    per_own, per_other = (np.where(both, weight / np.maximum(x, 1), 0.0) for x in (tested, others))
    lead = (per_own * passed - per_other * others_passed).sum(axis=1)
    contrast = _laboratories(rows, per_own, per_other, len(differences.sets))
    # what laboratories of one set gain those of another cannot have lost: nobody compared them
    sets = np.where(differences.linked, differences.sets, differences.sets.max() + 1 + np.arange(len(differences.sets)))
    crossing = np.array([np.bincount(sets, row) for row in contrast])
    is_known = (np.abs(crossing).sum(axis=1) / 2 <= MOST_CROSSING) & both.any(axis=1)
    variance = _variance(rows, tested, passed, per_own, has_firms)
    variance += _binomial(others, others_passed, per_other)
    # pooled effects would leave part of a lenient laboratory with the clusters it serves
    explained = contrast @ differences.effect
    doubt = np.einsum("ij,jk,ik->i", contrast, differences.covariance, contrast)
    table = pd.DataFrame({"entity": entities, "n": tested.sum(axis=1)})
    parts = {"lead": (lead, variance), "explained": (explained, doubt), "left": (lead - explained, variance + doubt)}
    for name, (value, spread) in parts.items():
        is_told = both.any(axis=1) if name == "lead" else is_known
        half = quantile * np.sqrt(np.maximum(spread, 0.0))
        for column, values in ((name, value), (f"{name}_low", value - half), (f"{name}_high", value + half)):
            table[column] = np.where(is_told, values, np.nan)
    return table


def _laboratories(rows: pd.DataFrame, per_own: Floats, per_other: Floats, size: int) -> Floats:
    """Return by how much each laboratory's share of an entity's batches is above that of the others, shape (E, L)."""
    e, t, lab, n = (rows[name].to_numpy() for name in ("e", "t", "lab", "n"))
    by_period = np.zeros((per_own.shape[1], size))
    np.add.at(by_period, (t, lab), n)
    found: Floats = -per_other @ by_period
    np.add.at(found, (e, lab), (per_own + per_other)[e, t] * n)
    return found


def _binomial(tested: Floats, passed: Floats, per: Floats) -> Floats:
    """Return the variance of a weighted rate whose batches are independent."""
    whole = (passed.sum() + 1) / (tested.sum() + 2)
    rate = (passed + PRIOR_BATCHES * whole) / (tested + PRIOR_BATCHES)
    found: Floats = (tested * rate * (1 - rate) * per**2).sum(axis=1)
    return found


def _variance(rows: pd.DataFrame, tested: Floats, passed: Floats, per: Floats, has_firms: bool) -> Floats:
    batches = _binomial(tested, passed, per)
    if not has_firms:
        return batches
    rate = passed / np.maximum(tested, 1)
    e, t = rows["e"].to_numpy(), rows["t"].to_numpy()
    score = per[e, t] * (rows["k"].to_numpy() - rows["n"].to_numpy() * rate[e, t])
    by_firm = pd.Series(score).groupby([e, rows["firm"].to_numpy()]).sum()
    sums = by_firm.pow(2).groupby(level=0).agg(["sum", "count"]).reindex(range(len(tested)), fill_value=0)
    count = np.maximum(sums["count"].to_numpy(), 2)
    found: Floats = np.maximum(batches, sums["sum"].to_numpy() * count / (count - 1))
    return found
