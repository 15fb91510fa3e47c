"""The slope of a rate over time, in numbers: binomial regression of counts, or least squares of weighted rates."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from qbase.stats.regression.clustered_covariance import fit_clustered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOPE = 1
"""Column of the slope in a design; the constant stands before it, seasons after."""

MOST_FIRMS = 1500
"""More clusters than this need no correction for few of them."""

STEEPEST = 25.0
"""Log-odds a year, or of a season, beyond which a fit runs off to a rate of 0 or 1."""

CERTAIN = 1e-5
"""A fitted rate this near to 0 or 1 says that failures (or passes) lie on one side of it, and the slope has no end."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrendFit:
    """A trend of a rate.

    Parameters
    ----------
    slope, std_error : float
        Average marginal effect of a year on the rate, as shares.
    df : float
        Degrees of freedom of the t distribution.
    fitted, low, high : numpy.ndarray, shape (periods,)
        Fitted rates with limits of each, as shares.
    dispersion : float
        Pearson's statistic of the periods over its degrees of freedom: about 1 where nothing moves them beside trend,
        season and what is known of firms.
    dispersion_p : float
        Chance of so much or more.
    coefficients, errors : numpy.ndarray, shape (K,)
        Of the design: constant, slope a year, seasons; on log-odds for counts, shares for weighted rates.
    """

    slope: float
    std_error: float
    df: float
    fitted: Floats
    low: Floats
    high: Floats
    dispersion: float
    dispersion_p: float
    coefficients: Floats
    errors: Floats

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval of the slope."""
        half = self.std_error * float(stats.t.ppf((1 + level) / 2, self.df))
        return self.slope - half, self.slope + half

    @property
    def p_value(self) -> float:
        """Two-sided, against 0."""
        return float(2 * stats.t.sf(abs(self.slope / self.std_error), self.df))


def season_columns(quarter: Ints, n: Floats, k: Floats) -> Floats:
    """Return a column for each quarter of the year beside the first, shape (periods, quarters - 1).

    None where a quarter was not seen in two years, or passed (or failed) throughout, so that its log-odds have no end.
    """
    kinds = np.unique(quarter)
    inside = [(quarter == q) for q in kinds]
    if len(kinds) < 2 or any(m.sum() < 2 or not 0 < k[m].sum() < n[m].sum() for m in inside):
        return np.empty((len(quarter), 0))
    return np.column_stack([m.astype(float) for m in inside[1:]])


def fit_binomial(n: Floats, k: Floats, x: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Fit log-odds of counts by maximum likelihood; coefficients, fitted rates and the inverse information.

    Returns
    -------
    tuple or None
        None where the likelihood has no maximum: failures (or passes) lie on one side.
    """
    if not 0 < k.sum() < n.sum():
        return None
    # of two columns statsmodels reckons fit(scale="X2") wrongly, and HC1 to HC3 are all HC0: only the fit is taken
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sm.GLM(np.column_stack([k, n - k]), x, family=sm.families.Binomial()).fit(maxiter=100)
    beta = np.asarray(found.params, dtype=float)
    rate = expit(x @ beta)
    runs_off = not np.isfinite(beta).all() or np.abs(beta[SLOPE:]).max(initial=0.0) > STEEPEST
    if not found.converged or runs_off or (rate * (1 - rate)).min() < CERTAIN:
        return None
    bread = np.asarray(np.linalg.inv((x * (n * rate * (1 - rate))[:, None]).T @ x), dtype=float)
    return beta, rate, bread


def pearson_dispersion(n: Floats, k: Floats, rate: Floats, effect: Floats | float, df: int) -> tuple[float, float]:
    """Return Pearson's statistic over its degrees of freedom, and the chance of as much.

    Parameters
    ----------
    n, k, rate : numpy.ndarray, shape (periods,)
        Batches, passes, fitted rates.
    effect : numpy.ndarray or float
        By what factor batches of one firm widen the variance of a period.
    df : int
        Periods less coefficients.
    """
    total = float((((k - n * rate) ** 2) / (n * rate * (1 - rate) * effect)).sum())
    return total / df, float(stats.chi2.sf(total, df))


def fit_count_trend(n: Floats, k: Floats, x: Floats, *, level: float = 0.95) -> TrendFit | None:
    """Fit a trend of counts by period; what moves periods beside it widens the interval (quasi-binomial).

    Returns
    -------
    TrendFit or None
        None where the slope has no estimate. The dispersion is never taken below 1.
    """
    found = fit_binomial(n, k, x)
    if found is None:
        return None
    beta, rate, bread = found
    df = len(n) - x.shape[1]
    dispersion = pearson_dispersion(n, k, rate, 1.0, df)
    return _logit_trend(x, beta, bread * max(1.0, dispersion[0]), float(df), dispersion, level)


def fit_firm_trend(
    n: Floats, k: Floats, period: Ints, firm: Ints, x: Floats, likeness: float, *, level: float = 0.95
) -> TrendFit | None:
    """Fit a trend of counts by firm and period, clustered by firm (CR2, Satterthwaite's degrees of freedom).

    What moves all firms of a period together is not seen by clusters of firms: where periods lie further from the
    trend than likeness of batches explains, the variance is widened by that factor and the degrees of freedom are at
    most those of the periods. That the same firms come again and again is no reason to narrow it below that of
    independent batches: a few bad firms carry the slope, and clustered errors are then too small.

    Parameters
    ----------
    n, k : numpy.ndarray, shape (rows,)
        Batches and passes of one firm in one period.
    period, firm : numpy.ndarray of int, shape (rows,)
        Row of ``x``, and a number of the firm.
    x : numpy.ndarray, shape (periods, K)
        Design by period.
    likeness : float
        Correlation of batches of one firm and period.
    level : float
        Of the limits of fitted rates.

    References
    ----------
    Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika 73,
    13-22. Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with
    multi-stage samples. Survey Methodology 28.
    """
    size = len(x)
    total, passed, squares = (np.bincount(period, w, minlength=size).astype(float) for w in (n, k, n**2))
    found = fit_binomial(total, passed, x)
    if found is None:
        return None
    beta, rate, bread = found
    df = size - x.shape[1]
    effect = 1 + likeness * (squares / total - 1)
    dispersion = pearson_dispersion(total, passed, rate, effect, df)
    weight = np.sqrt(n * rate[period] * (1 - rate[period]))
    rows, residual = x[period] * weight[:, None], (k - n * rate[period]) / weight
    if firm.max() < MOST_FIRMS:
        fit = fit_clustered(residual, rows, firm, kind="CR2")
        vcov, free = fit.vcov, float(fit.df[SLOPE])
    else:
        scores = np.zeros((int(firm.max()) + 1, x.shape[1]))
        np.add.at(scores, firm, rows * residual[:, None])
        vcov, free = bread @ (scores.T @ scores) @ bread, float(firm.max())
    if dispersion[0] > 1:
        vcov, free = vcov * dispersion[0], min(free, float(df))
    gradient = marginal_effect(x, beta)[1]
    vcov = vcov * max(1.0, float(gradient @ bread @ gradient) / float(gradient @ vcov @ gradient))
    return _logit_trend(x, beta, vcov, free, dispersion, level)


def fit_rate_trend(rate: Floats, n_eff: Floats, x: Floats, *, level: float = 0.95) -> TrendFit | None:
    """Fit a trend of weighted rates by least squares, weighted by the effective number of batches of each.

    Returns
    -------
    TrendFit or None
        None where every rate is 0, or 1. The variance is at least what the effective numbers promise.
    """
    mean = float(rate @ n_eff / n_eff.sum())
    if not 0 < mean < 1:
        return None
    variance = mean * (1 - mean) / n_eff
    bread = np.asarray(np.linalg.inv((x / variance[:, None]).T @ x), dtype=float)
    beta = bread @ (x / variance[:, None]).T @ rate
    fitted = x @ beta
    df = len(rate) - x.shape[1]
    total = float(((rate - fitted) ** 2 / variance).sum())
    vcov = bread * max(1.0, total / df)
    half = float(stats.t.ppf((1 + level) / 2, df)) * np.sqrt(np.einsum("ij,jk,ik->i", x, vcov, x))
    return TrendFit(
        slope=float(beta[SLOPE]),
        std_error=float(np.sqrt(vcov[SLOPE, SLOPE])),
        df=float(df),
        fitted=fitted,
        low=np.clip(fitted - half, 0, 1),
        high=np.clip(fitted + half, 0, 1),
        dispersion=total / df,
        dispersion_p=float(stats.chi2.sf(total, df)),
        coefficients=beta,
        errors=np.sqrt(np.diag(vcov)),
    )


def marginal_effect(x: Floats, beta: Floats) -> tuple[float, Floats]:
    """Return the average over the periods of the slope of the rate, and its gradient by the coefficients (delta)."""
    rate = expit(x @ beta)
    spread = rate * (1 - rate)
    gradient = beta[SLOPE] * (spread * (1 - 2 * rate)) @ x / len(x)
    gradient[SLOPE] += spread.mean()
    return float(beta[SLOPE] * spread.mean()), np.asarray(gradient, dtype=float)


def curvature_p(n: Floats, k: Floats, x: Floats) -> float | None:
    """Return the p value of a bend: a square of time added to the trend, quasi-binomial; None where it has no fit."""
    bent = np.column_stack([x, x[:, SLOPE] ** 2])
    df = len(n) - bent.shape[1]
    found = fit_binomial(n, k, bent) if df > 0 else None
    if found is None:
        return None
    beta, rate, bread = found
    scale = max(1.0, pearson_dispersion(n, k, rate, 1.0, df)[0])
    return float(2 * stats.t.sf(abs(beta[-1]) / np.sqrt(scale * bread[-1, -1]), df))


def _logit_trend(
    x: Floats, beta: Floats, vcov: Floats, df: float, dispersion: tuple[float, float], level: float
) -> TrendFit:
    slope, gradient = marginal_effect(x, beta)
    eta = x @ beta
    half = float(stats.t.ppf((1 + level) / 2, df)) * np.sqrt(np.einsum("ij,jk,ik->i", x, vcov, x))
    return TrendFit(
        slope=slope,
        std_error=float(np.sqrt(gradient @ vcov @ gradient)),
        df=df,
        fitted=expit(eta),
        low=expit(eta - half),
        high=expit(eta + half),
        dispersion=dispersion[0],
        dispersion_p=dispersion[1],
        coefficients=beta,
        errors=np.sqrt(np.diag(vcov)),
    )
