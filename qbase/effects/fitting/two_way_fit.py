"""Two-way fixed effects on a design: coefficients, covariance and degrees of freedom, nothing in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from qbase.core.errors import DataError
from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.fitting.pyfixest_guard import run_feols

Floats = NDArray[np.float64]
Errors = Literal["iid", "CRV1"]
SmallSample = Literal["fixest", "linearmodels"]

NO_DOUBT = 1e-8
"""A standard error below this share of the outcome's spread is rounding left by a perfect fit, not a doubt."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted regression.

    Parameters
    ----------
    terms : tuple of str
        Names of the coefficients.
    beta : numpy.ndarray, shape (K,)
        Coefficients.
    vcov : numpy.ndarray, shape (K, K)
        Their covariance.
    df : float
        Degrees of freedom of t: N − K (iid) or clusters − 1 (CRV1).
    n_obs, n_entities, n_periods, n_singletons : int
        Observations used, their entities and periods, and rows dropped because alone in their entity or period.
    is_used : numpy.ndarray of bool, shape (rows,)
        Rows of the design that entered.
    residual_x : numpy.ndarray, shape (n_obs, K)
        Regressors net of the fixed effects, times the square root of the weight.
    """

    terms: tuple[str, ...]
    beta: Floats
    vcov: Floats
    df: float
    n_obs: int
    n_entities: int
    n_periods: int
    n_singletons: int
    is_used: NDArray[np.bool_]
    residual_x: Floats

    @property
    def std_errors(self) -> Floats:
        """Square roots of the diagonal of the covariance."""
        return np.asarray(np.sqrt(np.diag(self.vcov)), dtype=float)

    def half_width(self, level: float) -> Floats:
        """Return the half widths of the pointwise intervals."""
        return np.asarray(stats.t.ppf(0.5 + level / 2, self.df) * self.std_errors, dtype=float)

    def p_values(self) -> Floats:
        """Return two-sided p values against 0."""
        return np.asarray(2 * stats.t.sf(np.abs(self.beta / self.std_errors), self.df), dtype=float)


def fit_two_way(
    design: Design,
    dummies: Mapping[str, Floats],
    *,
    errors: Errors = "CRV1",
    small_sample: SmallSample = "fixest",
    weighted: bool = False,
) -> Fit:
    """Regress the outcome on dummies, entity effects and period effects.

    Parameters
    ----------
    design : Design
        The rows.
    dummies : mapping
        Term -> regressor, one value per row of the design.
    errors : {"iid", "CRV1"}
        Independent errors, or clustered by entity.
    small_sample : {"fixest", "linearmodels"}
        Factor on the clustered covariance. ``fixest`` (also Stata): G/(G − 1) · (N − 1)/(N − K).
        ``linearmodels``: N/(N − K), without a factor for the number of clusters. K counts slopes and period
        effects; entity effects are nested in the clusters and not counted. With independent errors both are
        N − K with every fixed effect counted.
    weighted : bool
        Weight rows by ``w``.

    Returns
    -------
    Fit

    Raises
    ------
    DataError
        Dummies collinear with the fixed effects (QB517), too few observations (QB516), an outcome explained by
        the fixed effects alone (QB515), a standard error without meaning (QB518).
    """
    terms = tuple(dummies)
    columns = [f"x{i}" for i in range(len(terms))]
    data = design.rows[["entity", "period", "y", "w"]].assign(
        **{c: np.asarray(dummies[t], dtype=float) for c, t in zip(columns, terms, strict=True)}
    )
    is_used = find_company(data["entity"], data["period"])
    used = data[is_used].reset_index(drop=True)
    _check_size(used, len(terms))
    plain = errors == "CRV1" and small_sample == "linearmodels"
    formula = f"y ~ {' + '.join(columns)} | entity + period"
    vcov = {"CRV1": "entity"} if errors == "CRV1" else "iid"
    try:
        model = run_feols(formula, used, vcov=vcov, weights="w" if weighted else None, plain=plain)
    except ValueError as problem:
        if "collinear" not in str(problem):
            raise
        raise _not_identified(list(terms)) from problem
    lost = [terms[columns.index(str(c))] for c in model._collin_vars]
    if lost:
        raise _not_identified(lost)
    return _checked(design, terms, model, used, is_used, errors=errors, plain=plain)


def find_company(entities: pd.Series, periods: pd.Series) -> NDArray[np.bool_]:
    """Return which rows are not alone in their entity or period, the others left out again and again.

    A row alone in its entity or period is fitted exactly by that fixed effect and says nothing.
    """
    kept = np.ones(len(entities), dtype=bool)
    while True:
        e, p = entities[kept], periods[kept]
        company = (e.map(e.value_counts()) > 1).to_numpy() & (p.map(p.value_counts()) > 1).to_numpy()
        if company.all():
            return kept
        kept[np.flatnonzero(kept)[~company]] = False


def _check_size(used: pd.DataFrame, n_terms: int) -> None:
    n, entities, periods = len(used), used["entity"].nunique(), used["period"].nunique()
    parameters = n_terms + entities + periods - 1
    if n <= parameters or entities < 2 or periods < 2:
        raise DataError(
            "QB516",
            found=f"{n} observations of {entities} entities in {periods} periods, {parameters} parameters",
            expected="more observations than parameters, at least 2 entities in 2 periods",
            fix="fewer event times, or a wider window",
        )


def _checked(
    design: Design,
    terms: tuple[str, ...],
    model: Any,
    used: pd.DataFrame,
    is_used: NDArray[np.bool_],
    *,
    errors: Errors,
    plain: bool,
) -> Fit:
    n, entities, times = len(used), used["entity"].nunique(), used["period"].nunique()
    counted = len(terms) + times
    df = float(entities - 1 if errors == "CRV1" else n - counted - entities + 1)
    vcov = np.asarray(model._vcov, dtype=float)
    fit = Fit(
        terms=terms,
        beta=np.asarray(model._beta_hat, dtype=float).ravel(),
        vcov=vcov * n / (n - counted) if plain else vcov,
        df=df,
        n_obs=n,
        n_entities=entities,
        n_periods=times,
        n_singletons=int((~is_used).sum()),
        is_used=is_used,
        residual_x=np.asarray(model._X, dtype=float),
    )
    _check_doubt(design, fit, np.asarray(model._Y, dtype=float), used)
    return fit


def _check_doubt(design: Design, fit: Fit, within: Floats, used: pd.DataFrame) -> None:
    size = float(np.abs(used["y"]).max())
    weight = np.sqrt(used["w"].to_numpy(dtype=float))
    if float(np.abs(within).max()) <= NO_DOUBT * size * float(weight.max()):
        raise DataError(
            "QB515",
            outcome=design.indicator.id,
            found="values that are the sum of one number per entity and one per period",
            expected="values that vary within entities over time",
            fix="check the measure and the window",
        )
    spread = float(np.std(used["y"]))
    diagonal = np.diag(fit.vcov)
    bad = [t for t, v in zip(fit.terms, diagonal, strict=True) if not v > (NO_DOUBT * spread) ** 2]
    if bad:
        raise DataError(
            "QB518",
            term=bad[0],
            found=f"variance {diagonal[fit.terms.index(bad[0])]:.3g}",
            expected="a standard error above 0",
            fix="ask for fewer event times, or more entities",
        )


def _not_identified(lost: list[str]) -> DataError:
    return DataError(
        "QB517",
        terms=", ".join(lost),
        found=f"{len(lost)} dummies collinear with entity and period effects",
        expected="event times observed in entities whose other periods differ",
        fix="fewer leads and lags, or untreated entities in the panel",
    )
