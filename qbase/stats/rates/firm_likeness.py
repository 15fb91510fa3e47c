"""Batches of one firm are alike: how much so, and what a rate of such batches is known to.

The likeness (intraclass correlation) comes from firms drawn more than once in a period, over as many periods as there
are; what it leaves open stays in the interval as a mixture.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, ndtr

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NODES = 95
"""Rates a likelihood is averaged over, evenly spaced in arcsine: Jeffreys' prior is flat there."""

LIKENESSES = 24
BROAD = 1500
"""Batches of a cell beyond which its likelihood is narrower than the grid, and its own rate is taken."""

BISECTIONS = 32
_RATES = np.sin(np.linspace(0, np.pi / 2, NODES + 2)[1:-1]) ** 2
_RHO = ((np.arange(LIKENESSES) + 0.5) / LIKENESSES) ** 2
# Beta(1/2, 1): a chance of likeness near 0 as a prior of a scale has it, any likeness up to 1
_PRIOR = np.gradient(_RHO) / np.sqrt(_RHO)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirmLikeness:
    """How alike batches of one firm and period are, with what is not known of it.

    Parameters
    ----------
    values : numpy.ndarray, shape (R,)
        Correlations from 0 to 1.
    weights : numpy.ndarray, shape (R,)
        Their posterior weights, summing to 1.
    is_informed : bool
        Whether any firm was drawn twice in a period; without that the weights are those of the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import FirmLikeness
    >>> known = FirmLikeness(values=np.array([0.0, 0.4]), weights=np.array([0.5, 0.5]), is_informed=True)
    >>> round(known.mean, 2), known.design_effects(100.0, 500.0)  # 20 firms with 5 batches each
    (0.2, array([1. , 2.6]))
    """

    values: Floats
    weights: Floats
    is_informed: bool

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(self.values @ self.weights)

    def design_effects(self, n: float, sum_nn: float) -> Floats:
        """Return by what factor the variance of a rate exceeds that of independent batches, for every value.

        Parameters
        ----------
        n, sum_nn : float
            Batches, and the sum over firms of the square of theirs.
        """
        return np.asarray(1 + self.values * (sum_nn / n - 1), dtype=float)


def fit_firm_likeness(n: Ints, k: Ints, cell: Ints) -> FirmLikeness:
    """Fit the correlation of batches of one firm, from firms drawn more than once in a period (beta-binomial).

    Rates of the cells are averaged out under Jeffreys' prior, so that few firms do not make batches look alike or not;
    the correlation is one for all cells, with prior Beta(1/2, 1).

    Parameters
    ----------
    n, k : numpy.ndarray of int, shape (rows,)
        Batches and passes of one firm in one period.
    cell : numpy.ndarray of int, shape (rows,)
        The entity and period; each has a rate of its own.

    Returns
    -------
    FirmLikeness

    References
    ----------
    Crowder, M. J. (1978). Beta-binomial anova for proportions. Applied Statistics 27, 34-37. Lui, K.-J., Cumberland,
    W. G. and Kuo, L. (1996). An interval estimate for the intraclass correlation in beta-binomial sampling. Biometrics
    52, 412-425.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_firm_likeness
    >>> passed = np.array([5, 5, 0, 5, 4, 5, 1, 5, 5, 5])  # of five batches each
    >>> alike = fit_firm_likeness(np.full(10, 5), passed, np.zeros(10, dtype=int))
    >>> round(alike.mean, 2), alike.is_informed
    (0.65, True)
    """
    telling = np.isin(cell, np.unique(cell[n > 1]))
    n, k, cell = n[telling], k[telling], cell[telling]
    if len(n) == 0:
        return FirmLikeness(values=_RHO, weights=_PRIOR / _PRIOR.sum(), is_informed=False)
    pairs, which = np.unique(np.column_stack([n, k]), axis=0, return_inverse=True)
    _, at = np.unique(cell, return_inverse=True)
    tally = np.zeros((int(at.max()) + 1, len(pairs)))
    np.add.at(tally, (at, which.reshape(-1)), 1.0)
    found = _log_likelihood(pairs.astype(float), tally) + np.log(_PRIOR)
    weights = np.exp(found - found.max())
    return FirmLikeness(values=_RHO, weights=weights / weights.sum(), is_informed=True)


def _log_likelihood(pairs: Floats, tally: Floats) -> Floats:
    """Return the log likelihood of every likeness, rates of cells averaged out."""
    n, k = pairs[:, 0], pairs[:, 1]
    table = np.stack([_firm_table(int(batches), int(passed)) for batches, passed in pairs])
    by_cell = np.tensordot(tally, table, axes=1)
    batches, rate = tally @ n, (tally @ k + 0.5) / (tally @ n + 1)
    broad = batches > BROAD
    out: Floats = logsumexp(by_cell[~broad], axis=1).sum(axis=0)
    nearest = np.abs(np.arcsin(np.sqrt(rate[broad]))[:, None] - np.arcsin(np.sqrt(_RATES))).argmin(axis=1)
    return np.asarray(out + by_cell[np.flatnonzero(broad), nearest].sum(axis=0), dtype=float)


@functools.lru_cache(maxsize=512)
def _firm_table(n: int, k: int) -> Floats:
    """Return the log likelihood of one firm for every rate and likeness."""
    total = (1 - _RHO) / _RHO
    a, b = _RATES[:, None] * total, (1 - _RATES)[:, None] * total
    both = gammaln(total + n) - gammaln(total)
    return np.asarray(gammaln(a + k) - gammaln(a) + gammaln(b + n - k) - gammaln(b) - both, dtype=float)


def firm_rate_interval(
    rate: Floats, n: Floats, sum_nn: Floats, likeness: FirmLikeness, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Return intervals of rates whose batches of one firm are alike: Wilson's, on the effective number of batches.

    The tails are averaged over what is not known of the likeness.

    Parameters
    ----------
    rate, n, sum_nn : numpy.ndarray, shape (m,)
        Share that passed, batches, and the sum over firms of the square of theirs.
    likeness : FirmLikeness
        Of batches of one firm.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Where no firm was drawn twice, Wilson's interval.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212. Rao,
    J. N. K. and Scott, A. J. (1992). A simple method for the analysis of clustered binary data. Biometrics 48, 577-585.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import FirmLikeness, firm_rate_interval
    >>> likeness = FirmLikeness(values=np.array([0.0, 0.4]), weights=np.array([0.2, 0.8]), is_informed=True)
    >>> rate, n = np.array([0.9, 0.9]), np.array([100.0, 100.0])  # every batch of another firm; five of each
    >>> low, high = firm_rate_interval(rate, n, np.array([100.0, 500.0]), likeness)
    >>> low.round(3), high.round(3)
    (array([0.826, 0.774]), array([0.945, 0.959]))
    """
    tail = (1 - level) / 2
    effect = 1 + likeness.values[None, :] * (sum_nn / n - 1)[:, None]
    n_eff = n[:, None] / effect
    inner, outer = np.stack([rate, rate]), np.stack([np.zeros_like(rate), np.ones_like(rate)])
    root = np.sqrt(n_eff)
    for _ in range(BISECTIONS):
        middle = (inner + outer) / 2
        spread = np.sqrt(np.maximum(middle * (1 - middle), 1e-300))
        beyond = ndtr(-(np.abs(rate - middle) / spread)[:, :, None] * root) @ likeness.weights
        is_inside = beyond > tail
        inner, outer = np.where(is_inside, middle, inner), np.where(is_inside, outer, middle)
    low, high = (inner + outer) / 2
    return np.where(rate <= 0, 0.0, low), np.where(rate >= 1, 1.0, high)
