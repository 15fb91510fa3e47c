"""How many periods pass until a chart with a memory gives an alarm: a false one, or that of a shift."""

from __future__ import annotations

import numpy as np
from scipy import stats


def cusum_run_length(slack: float, limit: float, *, shift: float = 0.0, nodes: int = 100) -> float:
    """Return the mean number of periods until a two-sided CUSUM of independent normals gives an alarm.

    Parameters
    ----------
    slack, limit : float
        Reference value and decision limit, in standard errors.
    shift : float
        Of the mean, in standard errors, from the first period on; 0 counts the periods until a false alarm.
    nodes : int
        Of the quadrature of Page's integral equation.

    References
    ----------
    Brook, D. and Evans, D. A. (1972). An approach to the probability distribution of cusum run length. Biometrika 59.

    Examples
    --------
    >>> from qbase.stats import cusum_run_length
    >>> round(cusum_run_length(0.5, 4.0), 3), round(cusum_run_length(0.5, 4.0, shift=1.0), 2)
    (167.684, 8.38)
    """
    # the two arms never run at once where the limit is at least the slack, so their rates add up
    rates = [1 / _one_sided(slack - moved, limit, nodes) for moved in (shift, -shift)]
    return float(1 / sum(rates))


def _one_sided(slack: float, limit: float, nodes: int) -> float:
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = limit * (x + 1) / 2, limit * w / 2
    kernel = stats.norm.pdf(x[None, :] - x[:, None] + slack) * w[None, :]
    matrix = np.eye(nodes + 1)
    matrix[:nodes, :nodes] -= kernel
    matrix[:nodes, nodes] -= stats.norm.cdf(slack - x)
    matrix[nodes, :nodes] -= stats.norm.pdf(x + slack) * w
    matrix[nodes, nodes] -= stats.norm.cdf(slack)
    return float(np.linalg.solve(matrix, np.ones(nodes + 1))[nodes])


def ewma_run_length(weight: float, sigmas: float, *, shift: float = 0.0, nodes: int = 100) -> float:
    """Return the mean number of periods until a two-sided EWMA with asymptotic limits gives an alarm.

    Parameters
    ----------
    weight, sigmas : float
        Of the newest period; distance of the limits.
    shift : float
        Of the mean, in standard errors, from the first period on; 0 counts the periods until a false alarm.
    nodes : int
        Of the quadrature of the integral equation.

    References
    ----------
    Crowder, S. V. (1987). A simple method for studying run-length distributions of EWMA charts. Technometrics 29.

    Examples
    --------
    >>> from qbase.stats import ewma_run_length
    >>> round(ewma_run_length(0.1, 2.703), 3), round(ewma_run_length(0.1, 2.814, shift=1.0), 1)
    (371.888, 10.3)
    """
    limit = sigmas * np.sqrt(weight / (2 - weight))
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = limit * x, limit * w
    kernel = stats.norm.pdf((x[None, :] - (1 - weight) * x[:, None]) / weight - shift) * w[None, :] / weight
    lengths = np.linalg.solve(np.eye(nodes) - kernel, np.ones(nodes))
    return float(1 + (stats.norm.pdf(x / weight - shift) * w / weight) @ lengths)
