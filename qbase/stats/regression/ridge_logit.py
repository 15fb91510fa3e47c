"""Logistic regression with weights and a ridge: many features, few failures, no coefficient that runs away."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
TOLERANCE, MOST_STEPS = 1e-10, 100
"""Newton's method on a concave function: the last steps gain nothing that is printed."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RidgeLogit:
    """A fitted ridge logit; features are standardised inside.

    Parameters
    ----------
    intercept : float
        Log odds at the mean of all features.
    beta : numpy.ndarray, shape (K,)
        Log odds per standard deviation of each feature.
    mean, scale : numpy.ndarray, shape (K,)
        Of the features, weighted; a constant feature has scale 1 and coefficient 0.
    vcov : numpy.ndarray, shape (1 + K, 1 + K)
        Inverse of the curvature at the optimum, intercept first.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import RidgeLogit, fit_ridge_logit
    >>> x = np.array([[0.0], [1], [2], [3], [4], [5]])
    >>> fit = fit_ridge_logit(np.array([0.0, 0, 1, 0, 1, 1]), x)
    >>> isinstance(fit, RidgeLogit), fit.predict(np.array([[0.0], [5.0]])).round(2)
    (True, array([0.22, 0.78]))
    """

    intercept: float
    beta: Floats
    mean: Floats
    scale: Floats
    vcov: Floats

    def parts(self, x: Floats) -> Floats:
        """Return what each feature adds to the log odds, against its mean, shape (n, K)."""
        return np.asarray((x - self.mean) / self.scale * self.beta, dtype=float)

    def predict(self, x: Floats) -> Floats:
        """Return probabilities, shape (n,)."""
        return np.asarray(expit(self.intercept + self.parts(x).sum(axis=1)), dtype=float)

    def std_errors(self, x: Floats) -> Floats:
        """Return standard errors of the log odds, shape (n,)."""
        z = np.column_stack([np.ones(len(x)), (x - self.mean) / self.scale])
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", z, self.vcov, z)), dtype=float)


def fit_ridge_logit(y: Floats, x: Floats, *, weights: Floats | None = None, ridge: float = 1.0) -> RidgeLogit:
    """Fit a logistic regression by penalised likelihood: a normal prior of variance 1 / ``ridge`` on each coefficient.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        0 or 1.
    x : numpy.ndarray, shape (n, K)
        Features, no constant; each is centred and divided by its standard deviation.
    weights : numpy.ndarray, shape (n,), or None
        Of the observations; scaled to their number.
    ridge : float
        Above 0. The intercept is not penalised.

    Returns
    -------
    RidgeLogit

    References
    ----------
    le Cessie, S. and van Houwelingen, J. C. (1992). Ridge estimators in logistic regression. Applied Statistics 41.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_ridge_logit
    >>> separated = fit_ridge_logit(np.array([0.0, 0, 1, 1]), np.array([[1.0], [2], [3], [4]]))
    >>> separated.beta.round(2)  # plain likelihood has no finite answer here
    array([0.94])
    """
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float) * len(y) / np.sum(weights)
    mean = np.average(x, axis=0, weights=w)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w))
    scale = np.where(scale > 1e-12, scale, 1.0)
    z = np.column_stack([np.ones(len(y)), (x - mean) / scale])
    penalty = np.diag(np.r_[0.0, np.full(x.shape[1], ridge)])
    share = (np.sum(w * y) + 0.5) / (np.sum(w) + 1)
    beta = np.r_[np.log(share / (1 - share)), np.zeros(x.shape[1])]
    value = _objective(beta, z, y, w, penalty)
    for _ in range(MOST_STEPS):
        p = expit(z @ beta)
        curvature = (z * (w * p * (1 - p))[:, None]).T @ z + penalty
        step = np.linalg.solve(curvature, z.T @ (w * (y - p)) - penalty @ beta)
        size = 1.0
        while _objective(beta + size * step, z, y, w, penalty) < value and size > 1e-6:
            size /= 2
        beta = beta + size * step
        gained = _objective(beta, z, y, w, penalty) - value
        value += gained
        if gained < TOLERANCE:
            break
    p = expit(z @ beta)
    curvature = (z * (w * p * (1 - p))[:, None]).T @ z + penalty
    return RidgeLogit(
        intercept=float(beta[0]), beta=beta[1:], mean=mean, scale=scale, vcov=np.asarray(np.linalg.inv(curvature))
    )


def _objective(beta: Floats, z: Floats, y: Floats, w: Floats, penalty: Floats) -> float:
    eta = z @ beta
    return float(np.sum(w * (y * eta - np.logaddexp(0.0, eta))) - beta @ penalty @ beta / 2)
