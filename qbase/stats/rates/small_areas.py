"""Small-area estimates with covariates (Fay and Herriot 1979), for towns whose own samples are too small.

Own code, because the libraries that offer it (samplics, svy-sae) bring polars, some 170 MB, for these few lines.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t

from qbase.core.errors import DataError
from qbase.core.text import Text

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SmallAreas:
    """Estimates of small areas.

    Parameters
    ----------
    areas : pandas.DataFrame
        Index of the input; value, std_error, low, high, weight (share of the direct estimate in the value).
    coefficients : pandas.DataFrame
        Index names of the covariates; value, std_error.
    variance : float
        Between areas, covariates apart (REML).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.stats import estimate_small_areas
    >>> towns = pd.Series([92.0, 81.0, 97.0, 88.0, 86.0], index=["T01", "T02", "T03", "T04", "T05"])
    >>> known = pd.DataFrame({"one": 1.0, "large_firms": [0.4, 0.1, 0.6, 0.3, 0.5]}, index=towns.index)
    >>> found = estimate_small_areas(towns, [1.0, 1.5, 2.0, 1.0, 1.5], known)
    >>> print(found.coefficients.round(1))
                 value  std_error
    one           79.3        4.4
    large_firms   25.1       10.7
    >>> round(found.variance, 1)
    14.2
    """

    areas: pd.DataFrame
    coefficients: pd.DataFrame
    variance: float


def estimate_small_areas(
    direct: pd.Series, std_error: ArrayLike, covariates: pd.DataFrame, *, level: float = 0.95
) -> SmallAreas:
    """Combine direct estimates with what covariates say of areas like these (empirical best linear prediction).

    Parameters
    ----------
    direct : pandas.Series, shape (m,)
        Direct estimates, design-weighted; for rates near 100 % transform them first.
    std_error : array-like, shape (m,)
        Their standard errors, taken for known; above 0, so smooth them over areas where samples are tiny.
    covariates : pandas.DataFrame, shape (m, p)
        With the intercept, and known for every area.
    level : float
        Confidence level.

    Returns
    -------
    SmallAreas
        Mean squared errors by Prasad and Rao with the REML correction of Datta and Lahiri: they include the doubt
        about coefficients and variance. Where the variance is estimated as 0 the errors take the adjusted one of Li
        and Lahiri, which is above 0. Limits by Student's t.

    Raises
    ------
    DataError
        Not more areas than coefficients plus one, a standard error that is not above 0, missing or collinear
        covariates (QB434).

    References
    ----------
    Fay, R. E. and Herriot, R. A. (1979). Estimates of income for small places. JASA 74, 269-277.
    Datta, G. S. and Lahiri, P. (2000). A unified measure of uncertainty of estimated best linear unbiased predictors
    in small area estimation problems. Statistica Sinica 10, 613-627.
    Li, H. and Lahiri, P. (2010). An adjusted maximum likelihood method for solving small area estimation problems.
    Journal of Multivariate Analysis 101, 882-892.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.stats import estimate_small_areas
    >>> towns = pd.Series([92.0, 81.0, 97.0, 88.0, 86.0], index=["T01", "T02", "T03", "T04", "T05"])
    >>> known = pd.DataFrame({"one": 1.0, "large_firms": [0.4, 0.1, 0.6, 0.3, 0.5]}, index=towns.index)
    >>> found = estimate_small_areas(towns, [1.0, 1.5, 2.0, 1.0, 3.0], known)
    >>> print(found.areas[["value", "std_error", "weight"]].round(2))  # T05 is known least and moves most
         value  std_error  weight
    T01  91.68       1.04    0.83
    T02  81.23       1.62    0.69
    T03  96.39       2.03    0.56
    T04  87.88       1.04    0.83
    T05  90.39       2.37    0.36
    """
    y, x = direct.to_numpy(dtype=float), covariates.to_numpy(dtype=float)
    d = np.asarray(std_error, dtype=float) ** 2
    _check(y, d, x)
    variance = _reml_variance(y, d, x)
    v = variance + d
    inverse = np.linalg.inv((x / v[:, None]).T @ x)
    beta = inverse @ (x.T @ (y / v))
    gamma = variance / v
    value = gamma * y + (1 - gamma) * (x @ beta)
    # a variance estimated as 0 would claim that areas like these are alike for certain
    error = _error(x, d, variance if variance > 0 else _reml_variance(y, d, x, is_adjusted=True))
    z = float(t.ppf(0.5 + level / 2, len(y) - x.shape[1]))
    areas = pd.DataFrame(
        {"value": value, "std_error": error, "low": value - z * error, "high": value + z * error, "weight": gamma},
        index=direct.index,
    )
    coefficients = pd.DataFrame({"value": beta, "std_error": np.sqrt(np.diag(inverse))}, index=covariates.columns)
    return SmallAreas(areas=areas, coefficients=coefficients, variance=variance)


def _error(x: Floats, d: Floats, variance: float) -> Floats:
    v = variance + d
    gamma = variance / v
    inverse = np.linalg.inv((x / v[:, None]).T @ x)
    g1 = gamma * d
    g2 = (1 - gamma) ** 2 * np.einsum("ij,jk,ik->i", x, inverse, x)
    g3 = d**2 / v**3 * 2 / float((1 / v**2).sum())
    error: Floats = np.sqrt(g1 + g2 + 2 * g3)
    return error


def _check(y: Floats, d: Floats, x: Floats) -> None:
    m, p = x.shape
    reason = None
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.isfinite(d).all()):
        reason = Text("有缺失值", "missing values")
    elif (d <= 0).any():
        reason = Text("标准误为零", "standard error of 0")
    elif m < p + 2 or np.linalg.matrix_rank(x) < p:
        reason = Text("小域太少或协变量共线", "too few areas or collinear covariates")
    if reason is not None:
        raise DataError(
            "QB434",
            reason_zh=reason.zh,
            reason_en=reason.en,
            found=f"{m} areas, {p} covariates, smallest std_error {math.sqrt(max(float(np.nanmin(d)), 0)):g}",
            expected="complete rows, std_error > 0, areas > covariates + 1, full rank",
            fix="drop areas without a direct estimate, smooth standard errors, name fewer covariates",
        )


def _reml_variance(y: Floats, d: Floats, x: Floats, *, is_adjusted: bool = False) -> float:
    """Return the variance between areas that maximises the restricted likelihood, times itself when adjusted.

    0 where the top lies at 0; adjusted it is always above 0.
    """

    def minus_log_likelihood(variance: float) -> float:
        v = variance + d
        xv = x / v[:, None]
        information = xv.T @ x
        beta = np.linalg.solve(information, xv.T @ y)
        rest = y - x @ beta
        pull = np.log(max(variance, 1e-300)) if is_adjusted else 0.0
        return -pull + 0.5 * float(np.log(v).sum() + np.linalg.slogdet(information)[1] + (rest**2 / v).sum())

    top = 10 * float(np.var(y)) + float(d.max())
    grid = np.r_[0.0, np.geomspace(1e-6 * top, top, 60)]
    values = [minus_log_likelihood(g) for g in grid]
    best = int(np.argmin(values))
    if best == 0:
        return 0.0
    bounds = (float(grid[best - 1]), float(grid[min(best + 1, len(grid) - 1)]))
    found = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    return float(found.x)
