"""A cohort against those not treated, made comparable by covariates: doubly robust, by outcome or by propensity."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import expit

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats

MOST_PROPENSITY = 0.995
"""Untreated entities with a higher chance of treatment are left out, as in R's ``DRDID``."""

STEPS, CLOSE = 50, 1e-10


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """The treated, or those they are compared with.

    Parameters
    ----------
    change : numpy.ndarray, shape (n, T)
        Outcome less that of the base period.
    x : numpy.ndarray, shape (n, 1 + p)
        A constant and covariates, see `scale_covariates`.
    weight : numpy.ndarray, shape (n,)
    """

    change: Floats
    x: Floats
    weight: Floats


def scale_covariates(covariates: Floats) -> Floats:
    """Return a constant and standardised covariates: yuan or million yuan give the same answer.

    Raises
    ------
    DataError
        One is missing for somebody, or the same for everybody (QB530).
    """
    spread = covariates.std(axis=0)
    if not np.isfinite(covariates).all() or (spread <= 1e-12 * np.maximum(np.abs(covariates).max(axis=0), 1)).any():
        raise _not_comparable("a covariate that is missing, or the same for everybody")
    return np.column_stack([np.ones(len(covariates)), (covariates - covariates.mean(axis=0)) / spread])


def compare_adjusted(treated: Side, other: Side, *, adjust: str = "dr") -> tuple[Floats, Floats, Floats]:
    """Return the effect in each period, adjusted for covariates, and what each entity adds to its error.

    Parameters
    ----------
    treated, other : Side
        Of the same periods.
    adjust : {"dr", "reg", "ipw"}
        Doubly robust (Hájek weights), outcome regression, or inverse propensity weights (Hájek).

    Returns
    -------
    att : numpy.ndarray, shape (T,)
    of_treated, of_other : numpy.ndarray, shape (n, T)

    Raises
    ------
    DataError
        Covariates are collinear, or tell the treated from the others completely (QB530).

    References
    ----------
    Sant'Anna, P. H. C. and Zhao, J. (2020). Doubly robust difference-in-differences estimators. J. Econometrics 219;
    the traditional estimator of R's ``DRDID``.
    """
    mass = treated.weight.sum()
    up_rest, down_rest, leverage = treated.change, other.change, None
    if adjust != "ipw":
        up_rest, down_rest, leverage = _outcome(treated, other)
    up = treated.weight @ up_rest / mass
    of_treated = (up_rest - up) * (treated.weight / mass)[:, None]
    pull = treated.weight @ treated.x / mass
    if adjust == "reg" and leverage is not None:
        return up, of_treated, down_rest * -(leverage @ pull)[:, None]
    p_treated, p_other, inverse = _propensity(treated, other)
    odds = other.weight * np.where(p_other < MOST_PROPENSITY, p_other / np.maximum(1 - p_other, 1e-12), 0.0)
    total = odds.sum()
    if not total > 0:
        raise _not_comparable("nobody untreated who resembles the treated")
    down = odds @ down_rest / total
    apart = (down_rest - down) * (odds / total)[:, None]
    lean = inverse @ (other.x.T @ apart)
    of_treated -= ((treated.weight * (1 - p_treated))[:, None] * treated.x) @ lean
    np.negative(apart, out=apart)
    apart += ((other.weight * p_other)[:, None] * other.x) @ lean
    if leverage is not None:
        apart -= down_rest * (leverage @ (pull - odds @ other.x / total))[:, None]
    return up - down, of_treated, apart


def _outcome(treated: Side, other: Side) -> tuple[Floats, Floats, Floats]:
    """Return changes of both less what those not treated predict, and the leverage of each of the latter."""
    weighted = other.x * other.weight[:, None]
    moment = weighted.T @ other.x
    if np.linalg.cond(moment) > 1e12:
        raise _not_comparable("covariates that are collinear among those not treated")
    inverse = np.linalg.inv(moment)
    beta = inverse @ (weighted.T @ other.change)
    return treated.change - treated.x @ beta, other.change - other.x @ beta, weighted @ inverse


def _propensity(treated: Side, other: Side) -> tuple[Floats, Floats, Floats]:
    """Return the chances of being treated by weighted logistic regression, and the inverse of its information."""
    beta = np.zeros(treated.x.shape[1])
    gain = treated.weight @ treated.x
    for _ in range(STEPS):
        chances = [expit(side.x @ beta) for side in (treated, other)]
        curve, slope = np.zeros((len(beta),) * 2), gain.copy()
        for side, p in zip((treated, other), chances, strict=True):
            curve += (side.x * (side.weight * p * (1 - p))[:, None]).T @ side.x
            slope -= (side.weight * p) @ side.x
        try:
            inverse = np.linalg.inv(curve)
        except np.linalg.LinAlgError as problem:
            raise _not_comparable("covariates that are collinear, or tell the treated from all others") from problem
        step = inverse @ slope
        if np.abs(step).max() < CLOSE:
            return chances[0], chances[1], np.asarray(inverse, dtype=float)
        beta = beta + step
        if np.abs(beta).max() > 1e3:
            break
    raise _not_comparable("covariates that tell the treated from all others")


def _not_comparable(found: str) -> DataError:
    return DataError(
        "QB530",
        found=found,
        expected="covariates in which treated and untreated overlap",
        fix="fewer covariates, or those that both sides share",
    )
