"""Does something happen more often where it should not matter: counts against what their strata let expect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm


def stratified_excess(
    happened: ArrayLike, exposed: ArrayLike, *, stratum: Any, group: Any, together: ArrayLike | None = None
) -> pd.DataFrame:
    """Compare, group by group, how often something happened to the exposed with what was to be expected by stratum.

    Within a stratum of n rows, of which x are exposed and to y of which it happened, chance alone lets it happen to
    x · y / n of the exposed, with the variance of a hypergeometric count; both are summed over the strata of a group
    (Mantel and Haenszel).

    Parameters
    ----------
    happened : array-like, shape (n,)
        True or False of each occasion, or how many times it happened.
    exposed : array-like of bool, shape (n,)
        Whether the occasion is of the kind in question.
    stratum : array-like or list of array-like, shape (n,)
        What else decides: product, size, laboratory. Strata of two groups are apart.
    group : array-like, shape (n,)
        Whom a question is about.
    together : array-like, shape (n,), or None
        Occasions that are not independent, such as the items of one batch: the variance is then that of their sums.

    Returns
    -------
    pandas.DataFrame
        One row per group in order: group, n_exposed, observed, expected, variance, z and p_more, the one-sided p value
        of more than expected, with a correction for continuity; nan where nothing can be told.

    References
    ----------
    Mantel, N. and Haenszel, W. (1959). Statistical aspects of the analysis of data from retrospective studies of
    disease. J. National Cancer Institute 22, 719-748.

    Examples
    --------
    >>> from qbase.stats import stratified_excess
    >>> failed_before = [True, True, True, False, False, False, False, True]
    >>> other_laboratory = [True, True, True, False, False, True, False, False]
    >>> found = stratified_excess(other_laboratory, failed_before, stratum=["A"] * 8, group=["town"] * 8)
    >>> found[["observed", "expected", "z"]].round(2)
       observed  expected     z
    0       3.0       2.0  1.32
    """
    y, x = (np.asarray(v, dtype=float) for v in (happened, exposed))
    parts = stratum if isinstance(stratum, list) and len(stratum) and np.ndim(stratum[0]) else [stratum]
    keys = {f"s{i}": np.asarray(part) for i, part in enumerate(parts)}
    rows = pd.DataFrame({"group": np.asarray(group), **keys, "x": x, "y": y, "xy": x * y, "yy": y * y, "n": 1.0})
    cells = rows.groupby(["group", *keys], sort=True, as_index=False)[["x", "y", "xy", "yy", "n"]].sum()
    n, cx, cy = (cells[name].to_numpy(dtype=float) for name in ("n", "x", "y"))
    cells["expected"] = cx * cy / n
    # of all ways to share out what happened among the occasions of a stratum
    cells["variance"] = cx * (n - cx) * (cells["yy"] - cy**2 / n) / (n * np.maximum(n - 1, 1))
    if together is not None:
        cells["variance"] = _clustered(rows.assign(together=np.asarray(together)), ["group", *keys])
    out = cells.groupby("group", as_index=False)[["x", "xy", "expected", "variance"]].sum()
    out = out.rename(columns={"x": "n_exposed", "xy": "observed"})
    gap, sd = (out["observed"] - out["expected"]).to_numpy(dtype=float), np.sqrt(out["variance"].to_numpy(dtype=float))
    known = np.where(sd > 0, sd, np.nan)
    out["z"] = gap / known
    out["p_more"] = norm.sf((gap - np.minimum(0.5, np.abs(gap)) * np.sign(gap)) / known)
    return out


def _clustered(rows: pd.DataFrame, keys: list[str]) -> Any:
    """Return for each cell its share of the variance of its group: squared sums of what belongs together.

    Observed less expected is the sum of (x − x̄)(y − ȳ) over all rows of the cell.
    """
    means = rows.groupby(keys)[["x", "y"]].transform("mean")
    score = ((rows["x"] - means["x"]) * (rows["y"] - means["y"])).groupby([rows["group"], rows["together"]]).sum()
    whole = (score**2).groupby(level=0).sum()
    group = rows.groupby(keys, sort=True, as_index=False)[["x"]].sum()["group"]
    return (group.map(whole) / group.groupby(group).transform("size")).to_numpy(dtype=float)
