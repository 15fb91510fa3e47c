"""The conditional least-favourable hybrid test of Andrews, Roth and Pakes for one worst step before treatment.

For a step s and its sign the hypothesis "the effect is θ" says that no step of the trend after treatment exceeds
Mbar times step s: two inequalities for each period after treatment, with the other effects as nuisance. In general
each θ needs a linear programme. Here its dual has a closed form: the nuisance can absorb every step except the one
sum that l'δ is made of, so the vertices of the dual are

- both inequalities of one period, equally weighted: "step s is not negative";
- all upper ones, or all lower ones, weighted as the later effects enter l: "θ is within reach of the estimate".

All depend on the estimates through two numbers only, a = l'β and b = the estimated step s. So the critical value of
the first stage is a one-dimensional integral, the conditioning interval is the best rival vertex, and no simulation
and no solver is needed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from qbase.effects.sensitivity.event_path import EventPath, Floats

FIRST_STAGE = 0.1
"""Share of the size spent on the least favourable first stage (Rambachan and Roth take alpha / 10)."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
REACH = 9.0
"""Standard errors integrated over: what lies outside has probability 1e-19."""

TINY = 1e-12
"""Share of the scale of a problem that is rounding."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Vertices:
    """Dual vertices for one worst step: row · (a − θ, b) is the statistic of a vertex.

    Parameters
    ----------
    rows : numpy.ndarray, shape (4, 2)
        Upper, lower, and the pairs with the largest and the smallest factor.
    spread : numpy.ndarray, shape (4, 4)
        Covariance of the statistics.
    critical : float
        Of the first stage: exceeded with probability ``FIRST_STAGE`` · alpha when all inequalities bind.
    reach : float
        Mbar times the number of steps in l'δ.
    """

    rows: Floats
    spread: Floats
    critical: float
    reach: float


def steps_before(path: EventPath) -> Floats:
    """Return rows that turn the coefficients into the P steps of the trend before treatment, the base's included."""
    rows = np.diff(np.vstack([np.eye(path.n_pre), np.zeros(path.n_pre)]), axis=0)
    return np.hstack([rows, np.zeros((path.n_pre, path.n_post))])


def find_vertices(path: EventPath, step: Floats, *, limit: float, alpha: float) -> Vertices:
    """Return the vertices for one worst step, signed by its row.

    Parameters
    ----------
    path : EventPath
        The estimates.
    step : numpy.ndarray, shape (P + T,)
        Row of `steps_before`, times its sign.
    limit : float
        Mbar.
    alpha : float
        Size of the whole test.
    """
    t, p = path.n_post, path.n_pre
    later = np.cumsum(path.weights[::-1])[::-1]  # l'δ = Σ later · step of the trend
    after = np.diff(np.vstack([np.zeros(t), np.eye(t)]), axis=0)
    rises = np.hstack([np.zeros((t, p)), after])
    up, down = (_errors(sign * rises - limit * step, path.vcov) for sign in (1, -1))
    floor = TINY * max(float(up.max()), float(down.max()))
    up, down = np.maximum(up, floor), np.maximum(down, floor)
    first = float(later.clip(0) @ up + (-later).clip(0) @ down)
    second = float(later.clip(0) @ down + (-later).clip(0) @ up)
    reach = limit * float(np.abs(later).sum())
    factors = 2 * limit / (up + down)
    rows = np.array([[1 / first, -reach / first], [-1 / second, -reach / second], [0, 0], [0, 0]])
    rows[2:, 1] = -factors.max(), -factors.min()
    both = np.vstack([path.row, step])
    joint = both @ path.vcov @ both.T
    critical = _least_favourable(rows, joint, FIRST_STAGE * alpha)
    return Vertices(rows=rows, spread=rows @ joint @ rows.T, critical=critical, reach=reach)


def accepts(vertices: Vertices, distance: Floats, step: float | Floats, alpha: float) -> NDArray[np.bool_]:
    """Return for each θ whether the hybrid test keeps it.

    Parameters
    ----------
    vertices : Vertices
        See `find_vertices`.
    distance : numpy.ndarray, shape (N,)
        a − θ.
    step : float or numpy.ndarray, shape (N,)
        b, signed like the row of the vertices.
    alpha : float
        Size of the whole test.

    Returns
    -------
    numpy.ndarray, shape (N,)
        True where θ is kept.
    """
    values = np.column_stack([distance, np.broadcast_to(step, len(distance))]) @ vertices.rows.T
    best = np.argmax(values, axis=1)
    value = values[np.arange(len(values)), best]
    low, high = _conditioning(vertices, values, best, value)
    high = np.minimum(high, vertices.critical)
    error = np.sqrt(np.clip(np.diag(vertices.spread), 0, None))[best]
    size = (1 - FIRST_STAGE) * alpha / (1 - FIRST_STAGE * alpha)
    certain = error <= TINY * np.sqrt(np.trace(vertices.spread))
    scale = np.where(certain, 1.0, error)
    tail = _tail_share(value / scale, low / scale, high / scale)
    kept = np.where(certain, value <= 0, tail >= size)
    return np.asarray((value <= 0) | (kept & (value <= vertices.critical)))


def outer_reach(vertices: Vertices, step: float) -> tuple[float, float]:
    """Return how far below and above the estimate θ can lie at most: the first stage rejects beyond."""
    below = vertices.critical / vertices.rows[0, 0] + vertices.reach * step
    above = vertices.critical / -vertices.rows[1, 0] + vertices.reach * step
    return float(below), float(above)


def _conditioning(vertices: Vertices, values: Floats, best: NDArray[np.intp], value: Floats) -> tuple[Floats, Floats]:
    """Return between which values the best vertex stays the best, given all that is independent of it."""
    spread = vertices.spread
    own = np.diag(spread)[best]
    slope = spread[:, best].T / np.where(own > 0, own, 1.0)[:, None]
    rest = values - slope * value[:, None]
    gap = 1 - slope
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = rest / gap
    low = np.where(gap > 1e-10, crossing, -np.inf).max(axis=1)
    high = np.where(gap < -1e-10, crossing, np.inf).min(axis=1)
    return np.minimum(low, value), np.maximum(high, value)


def _tail_share(x: Floats, low: Floats, high: Floats) -> Floats:
    """Return P(N > x | low < N < high) for a standard normal N, from logarithms: both tails may be tiny."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        whole = log_ndtr(-low)
        beyond = np.exp(log_ndtr(-high) - whole)
        share = (np.exp(log_ndtr(-x) - whole) - beyond) / (1 - beyond)
    return np.asarray(np.where(np.isfinite(share), share, 0.0))


def _least_favourable(rows: Floats, joint: Floats, size: float) -> float:
    """Return c with P(largest statistic > c) = size when (a − θ, b) is centred at 0.

    The statistics are below c where a lies between two lines in b and b above a bound: an integral over b.
    """
    error_b = float(np.sqrt(max(joint[1, 1], 0.0)))
    slope = joint[0, 1] / joint[1, 1] if error_b > 0 else 0.0
    rest = float(np.sqrt(max(joint[0, 0] - slope * joint[0, 1], TINY * joint[0, 0])))

    def below(c: float) -> float:
        steepest = -rows[2, 1] * error_b
        start = max(-REACH, -c / steepest) if steepest > 0 else -REACH
        z = start + (REACH - start) * (NODES + 1) / 2
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * WEIGHTS * (REACH - start) / 2
        b = z * error_b
        top = (c - rows[0, 1] * b) / rows[0, 0] - slope * b
        bottom = (c - rows[1, 1] * b) / rows[1, 0] - slope * b
        inside = np.clip(ndtr(top / rest) - ndtr(bottom / rest), 0, None)
        return float(density @ inside)

    largest = float(np.sqrt(np.diag(rows @ joint @ rows.T).max()))
    return float(brentq(lambda c: 1 - below(c) - size, 0.0, -largest * ndtri(size / 8), xtol=1e-13 * largest))


def _errors(rows: Floats, vcov: Floats) -> Floats:
    return np.asarray(np.sqrt(np.clip(np.einsum("ij,jk,ik->i", rows, vcov, rows), 0, None)))
