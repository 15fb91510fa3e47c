"""Shrinkage of small-sample rates across entities: empirical-Bayes beta-binomial, and Stein's rule for normal values.

Shrunk values are for display, ranking, maps and prediction; trends, changes and effects take counts.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betainc, betaln

from qbase.core.errors import DataError
from qbase.core.text import Text

Floats = NDArray[np.float64]
Prior = Literal["none", "bda", "shrinkage"]

LEAST_ENTITIES = 4
GRID, GRID_SPAN = 15, 4.5
"""Points of the grid in each direction, and its half-width in standard deviations of the posterior."""

BISECTIONS = 26


@dataclasses.dataclass(frozen=True, kw_only=True)
class BetaBinomial:
    """The distribution of true rates across entities.

    Parameters
    ----------
    alpha, beta : float
        Of the beta distribution.

    Examples
    --------
    >>> from qbase.stats import BetaBinomial
    >>> towns = BetaBinomial(alpha=45.0, beta=5.0)
    >>> round(towns.mean, 2), towns.shrink([4, 80], [4, 100]).round(3)  # 4 of 4 passed says little, 80 of 100 much
    (0.9, array([0.907, 0.833]))
    """

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """Mean rate across entities, as a share."""
        return self.alpha / (self.alpha + self.beta)

    def shrink(self, passed: ArrayLike, tested: ArrayLike) -> Floats:
        """Return posterior means given alpha and beta, as shares; doubt about these two is left out."""
        k, n = np.asarray(passed, dtype=float), np.asarray(tested, dtype=float)
        shrunk: Floats = (self.alpha + k) / (self.alpha + self.beta + n)
        return shrunk


def fit_beta_binomial(passed: ArrayLike, tested: ArrayLike, *, prior: Prior = "none") -> BetaBinomial:
    """Fit the beta distribution of true rates to counts of many entities.

    Parameters
    ----------
    passed, tested : array-like, shape (G,)
        Counts of each entity, or effective counts.
    prior : {"none", "bda", "shrinkage"}
        ``none`` maximises the likelihood; the others the posterior of (log alpha/beta, log alpha+beta):
        ``bda`` under the prior of Gelman et al., (alpha+beta)^(-5/2) in (alpha, beta); ``shrinkage`` under a
        uniform prior for the mean and for the share of shrinkage of an entity of mean size, which stays proper
        where every entity passed everything.

    Returns
    -------
    BetaBinomial

    Raises
    ------
    DataError
        Fewer than four entities, or counts that are none (QB435).

    References
    ----------
    Gelman, A. et al. (2014). Bayesian Data Analysis, 3rd edition, section 5.3.

    Examples
    --------
    >>> from qbase.stats import fit_beta_binomial
    >>> found = fit_beta_binomial([45, 52, 30, 61, 20], [50, 55, 40, 64, 28])  # five towns
    >>> round(found.mean, 3), round(found.alpha + found.beta, 1)
    (0.86, 16.8)
    """
    k, n = _counts(passed, tested)
    mode = _mode(k, n, prior)
    alpha, beta = _parameters(mode)
    return BetaBinomial(alpha=float(alpha), beta=float(beta))


def shrink_rates(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Shrink rates towards their common mean, with intervals that carry the doubt about mean and spread.

    The posterior of each rate is averaged over a grid of (log alpha/beta, log alpha+beta) weighted by their own
    posterior, instead of taking the best-fitting pair for true: a fully Bayesian analysis by quadrature, so there
    is no simulation error and the same counts give the same bytes.

    Parameters
    ----------
    passed, tested : array-like, shape (G,)
        Counts, or effective counts of weighted rates; ``tested`` may be 0: then only the others speak.
    level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    pandas.DataFrame
        Columns value, low, high (shares) and weight: the share of the entity's own rate in its value.

    Raises
    ------
    DataError
        Fewer than four entities, or counts that are none (QB435).

    References
    ----------
    Gelman, A. et al. (2014). Bayesian Data Analysis, 3rd edition, section 5.3 (the model).
    Christiansen, C. L. and Morris, C. N. (1997). Hierarchical Poisson regression modeling. JASA 92, 618-632 (the
    uniform shrinkage prior).

    Examples
    --------
    >>> from qbase.stats import shrink_rates
    >>> print(shrink_rates([45, 52, 30, 4], [50, 55, 40, 4]).round(3))
       value    low   high  weight
    0  0.887  0.804  0.953   0.607
    1  0.916  0.839  0.975   0.624
    2  0.801  0.668  0.899   0.564
    3  0.886  0.716  0.994   0.168
    """
    k, n = _counts(passed, tested)
    alpha, beta, weight = _grid(k, n)
    a, b = alpha[None, :] + k[:, None], beta[None, :] + (n - k)[:, None]
    value = (a / (a + b)) @ weight
    tail = (1 - level) / 2
    own = (n[:, None] / (n[:, None] + (alpha + beta)[None, :])) @ weight
    return pd.DataFrame(
        {
            "value": value,
            "low": np.minimum(_quantile(a, b, weight, tail), value),
            "high": np.maximum(_quantile(a, b, weight, 1 - tail), value),
            "weight": own,
        }
    )


def stein_factor(values: ArrayLike, variance: float) -> float:
    """Return how far Stein's rule pulls values of equal variance towards their mean: 0 not at all, 1 wholly.

    Parameters
    ----------
    values : array-like, shape (G,)
        One estimate per entity, more than three.
    variance : float
        Sampling variance of each.

    Returns
    -------
    float
        ``(G - 3) * variance / sum((value - mean)^2)``, at most 1.

    Raises
    ------
    DataError
        Fewer than four values (QB435).

    References
    ----------
    Efron, B. and Morris, C. (1975). Data analysis using Stein's estimator and its generalizations. JASA 70, 311-319.

    Examples
    --------
    >>> from qbase.stats import stein_factor
    >>> round(stein_factor([88.0, 91.5, 93.0, 95.5, 90.0], variance=3.0), 2)
    0.18
    """
    z = np.asarray(values, dtype=float)
    if len(z) < LEAST_ENTITIES or variance <= 0:
        raise refuse_counts(f"{len(z)} values, variance {variance:g}", Text("数值太少", "too few values"))
    spread = float(((z - z.mean()) ** 2).sum())
    return min(1.0, (len(z) - 3) * variance / spread) if spread > 0 else 1.0


def _counts(passed: ArrayLike, tested: ArrayLike) -> tuple[Floats, Floats]:
    k, n = np.asarray(passed, dtype=float), np.asarray(tested, dtype=float)
    if len(k) < LEAST_ENTITIES or not (np.isfinite(k) & np.isfinite(n)).all():
        raise refuse_counts(
            f"{len(k)} entities, finite: {bool(np.isfinite(k).all())}", Text("太少或非有限值", "too few or not finite")
        )
    if (k < 0).any() or (k > n * (1 + 1e-9)).any() or n.sum() <= 0:
        raise refuse_counts("passes outside 0 to the number tested, or nothing tested", Text("计数", "counts"))
    return np.minimum(k, n), n


def refuse_counts(found: str, reason: Text) -> DataError:
    """Return what to raise on counts that cannot be shrunk (QB435)."""
    return DataError(
        "QB435",
        reason_zh=reason.zh,
        reason_en=reason.en,
        found=found,
        expected="4 or more entities with 0 <= k <= n",
        fix="build_panel(…)",
    )


def _parameters(eta: Floats) -> tuple[Floats, Floats]:
    """Return alpha and beta of (log alpha/beta, log alpha+beta), along the last axis."""
    total = np.exp(eta[..., 1])
    share = 1 / (1 + np.exp(-eta[..., 0]))
    return total * share, total * (1 - share)


def _log_posterior(eta: Floats, k: Floats, n: Floats, prior: Prior) -> Floats:
    """Return the log likelihood (and prior with its Jacobian) of points of shape (..., 2)."""
    alpha, beta = _parameters(eta)
    a, b = alpha[..., None], beta[..., None]
    log_likelihood: Floats = (betaln(a + k, b + n - k) - betaln(a, b)).sum(-1)
    total = alpha + beta
    if prior == "none":
        return log_likelihood
    # of (alpha, beta) times their product, or of (mean, total) times mean (1 - mean) total: the Jacobians
    if prior == "bda":
        log_prior = np.log(alpha) + np.log(beta) - 2.5 * np.log(total)
    else:
        log_prior = np.log(alpha) + np.log(beta) - np.log(total) - 2 * np.log(total + n.mean())
    posterior: Floats = log_likelihood + log_prior
    return posterior


def _mode(k: Floats, n: Floats, prior: Prior) -> Floats:
    mean = (k.sum() + 0.5) / (n.sum() + 1)
    start = np.array([np.log(mean / (1 - mean)), 3.0])
    # beyond a million the beta is a point for every count a bureau can hold
    bounds = [(-14.0, 14.0), (-4.0, 14.0)]
    found = minimize(
        lambda eta: -float(_log_posterior(eta, k, n, prior)), start, method="L-BFGS-B", bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9},
    )  # fmt: skip
    mode: Floats = np.asarray(found.x, dtype=float)
    return mode


def _grid(k: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    """Return points (alpha, beta) around the posterior mode and their weights, along its own axes."""
    mode = _mode(k, n, "shrinkage")
    curvature = _curvature(mode, k, n)
    values, vectors = np.linalg.eigh(curvature)
    # a flat direction (few entities, little spread) is searched over as far as it can matter
    sd = 1 / np.sqrt(np.maximum(values, 0.05))
    steps = np.linspace(-GRID_SPAN, GRID_SPAN, GRID)
    mesh = np.stack(np.meshgrid(steps * sd[0], steps * sd[1], indexing="ij"), axis=-1).reshape(-1, 2)
    points = mode + mesh @ vectors.T
    log_weight = _log_posterior(points, k, n, "shrinkage")
    weight = np.exp(log_weight - log_weight.max())
    kept = weight > 1e-5 * weight.max()
    alpha, beta = _parameters(points[kept])
    return alpha, beta, weight[kept] / weight[kept].sum()


def _curvature(mode: Floats, k: Floats, n: Floats, step: float = 1e-2) -> Floats:
    """Return minus the second derivatives of the log posterior at its mode, by differences."""
    shifts = step * np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=float)
    f = _log_posterior(mode + shifts, k, n, "shrinkage").reshape(3, 3)
    mixed = (f[2, 2] - f[2, 0] - f[0, 2] + f[0, 0]) / 4
    second = np.array([[f[2, 1] - 2 * f[1, 1] + f[0, 1], mixed], [mixed, f[1, 2] - 2 * f[1, 1] + f[1, 0]]])
    curvature: Floats = -second / step**2
    return curvature


def _quantile(a: Floats, b: Floats, weight: Floats, tail: float) -> Floats:
    """Return a quantile of mixtures of betas (one per row) by bisection."""
    low, high = np.zeros(len(a)), np.ones(len(a))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = betainc(a, b, middle[:, None]) @ weight < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
