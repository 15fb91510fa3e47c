"""A cohort against those not treated, made comparable by covariates: doubly robust, by outcome or by propensity."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats

Bools = NDArray[np.bool_]

MOST_PROPENSITY = 0.995
"""Untreated entities with a higher chance of treatment are left out, as in R's ``DRDID``."""

STEPS, CLOSE = 50, 1e-10


def compare_adjusted(
    change: Floats, treated: Bools, compared: Bools, covariates: Floats, weight: Floats, *, adjust: str = "dr"
) -> tuple[Floats, Floats]:
    """Return the effect in each period, adjusted for covariates, and what each entity adds to its error.

    Parameters
    ----------
    change : numpy.ndarray, shape (N, T)
        Outcome less that of the base period; NaN where either is missing.
    treated, compared : numpy.ndarray of bool, shape (N, T)
        Entities of either side observed at both dates.
    covariates : numpy.ndarray, shape (N, p)
        Fixed over time, in any unit: they are standardised here.
    weight : numpy.ndarray, shape (N,)
        Weights of the entities.
    adjust : {"dr", "reg", "ipw"}
        Doubly robust (Hájek weights), outcome regression, or inverse propensity weights (Hájek).

    Returns
    -------
    att : numpy.ndarray, shape (T,)
    influence : numpy.ndarray, shape (N, T)

    Raises
    ------
    DataError
        Covariates that are constant or collinear, or tell the treated from the others completely (QB530).

    References
    ----------
    Sant'Anna, P. H. C. and Zhao, J. (2020). Doubly robust difference-in-differences estimators. J. Econometrics 219;
    the traditional estimator of R's ``DRDID``.
    """
    scaled = _standardised(covariates)
    att, influence = np.full(change.shape[1], np.nan), np.zeros(change.shape)
    # periods with the same entities share their propensity
    keys = np.ascontiguousarray(np.vstack([treated, compared]).T)
    patterns, group = np.unique(keys, axis=0, return_inverse=True)
    for j, pattern in enumerate(patterns):
        columns = np.flatnonzero(group.ravel() == j)
        own, other = np.split(pattern, 2)
        if not own.any() or not other.any():
            continue
        rows = np.flatnonzero(own | other)
        found = _one_pattern(change[np.ix_(rows, columns)], own[rows], scaled[rows], weight[rows], adjust)
        att[columns] = found[0]
        influence[np.ix_(rows, columns)] = found[1]
    return att, influence


def _standardised(covariates: Floats) -> Floats:
    spread = covariates.std(axis=0)
    if not np.isfinite(covariates).all() or (spread <= 1e-12 * np.maximum(np.abs(covariates).max(axis=0), 1)).any():
        raise _not_comparable("a covariate that is missing, or the same for everybody")
    return np.column_stack([np.ones(len(covariates)), (covariates - covariates.mean(axis=0)) / spread])


def _one_pattern(d: Floats, own: Bools, x: Floats, weight: Floats, adjust: str) -> tuple[Floats, Floats]:
    """Return effects and influence of periods in which the same entities are seen."""
    n = len(own)
    w = weight / weight.mean()
    w1 = np.where(own, w, 0.0)
    s1 = w1.mean()
    outcome = None if adjust == "ipw" else _outcome(d, own, x, w)
    rest = d if outcome is None else outcome.residual
    up = (w1[:, None] * rest).mean(axis=0) / s1
    influence = w1[:, None] * (rest - up) / s1
    pull = (w1[:, None] * x).mean(axis=0) / s1
    if adjust == "reg":
        return up, (influence - outcome.part(pull)) / n if outcome is not None else influence
    p = _propensity(x, own, w)
    w0 = w * np.where(~own & (p < MOST_PROPENSITY), p / np.maximum(1 - p, 1e-12), 0.0)
    s0 = w0.mean()
    if not s0 > 0:
        raise _not_comparable("nobody untreated who resembles the treated")
    down = (w0[:, None] * rest).mean(axis=0) / s0
    apart = w0[:, None] * (rest - down) / s0
    hessian = np.linalg.inv((x * (w * p * (1 - p))[:, None]).T @ x)
    influence = influence - apart - ((w * (own - p))[:, None] * x) @ (hessian @ (x.T @ apart))
    if outcome is not None:
        influence = influence - outcome.part(pull - (w0[:, None] * x).mean(axis=0) / s0)
    return up - down, influence / n


def _propensity(x: Floats, own: Bools, w: Floats) -> Floats:
    """Return the chance of being treated, by weighted logistic regression."""
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = expit(x @ beta)
        curve = (x * (w * p * (1 - p))[:, None]).T @ x
        try:
            step = np.linalg.solve(curve, x.T @ (w * (own - p)))
        except np.linalg.LinAlgError as problem:
            raise _not_comparable("covariates that are collinear, or tell the treated from all others") from problem
        beta = beta + step
        if np.abs(step).max() < CLOSE:
            return np.asarray(expit(x @ beta), dtype=float)
        if np.abs(beta).max() > 1e3:
            break
    raise _not_comparable("covariates that tell the treated from all others")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """The change regressed on covariates among those not treated: residuals of all, and leverage of each row."""

    residual: Floats
    leverage: Floats

    def part(self, pull: Floats) -> Floats:
        """Return what each row adds to the error of fitted changes at a point of the covariates."""
        return np.asarray((self.leverage @ pull)[:, None] * self.residual, dtype=float)


def _outcome(d: Floats, own: Bools, x: Floats, w: Floats) -> Outcome:
    w0 = np.where(own, 0.0, w)
    moment = (x * w0[:, None]).T @ x / len(x)
    if np.linalg.cond(moment) > 1e12:
        raise _not_comparable("covariates that are collinear among those not treated")
    inverse = np.linalg.inv(moment)
    beta = inverse @ ((x * w0[:, None]).T @ d / len(x))
    return Outcome(residual=d - x @ beta, leverage=(w0[:, None] * x) @ inverse)


def _not_comparable(found: str) -> DataError:
    return DataError(
        "QB530", found=found, expected="covariates in which treated and untreated overlap",
        fix="fewer covariates, or those that both sides share",
    )  # fmt: skip
