"""How much heavier than normal the tails of a term are where its treated cells hold few batches.

A placebo in the place of a treated cluster of three batches a cell carries the history of one of seventeen, brought to
its size. The size is then right and the shape is not: an average of a few cells of three batches strays far more often
than one of seventeen. The largest of eight event times lives in those tails (joint bands of 3 of 36 with a fifth of the
batches: 8 % at 5 %).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.placebo_paths import Replay
from qbase.effects.fitting.path_fit import Ints

FARTHEST = 15.0
"""Standard errors up to which tails are worked out; beyond, nothing differs."""

STEPS = 301


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tails:
    """Third and fourth cumulant of each term, shape (K,), from the sampling of batches in treated cells."""

    third: Floats
    fourth: Floats

    def of_terms(self, at: Ints) -> Tails:
        """Return those of some terms."""
        return Tails(third=self.third[at], fourth=self.fourth[at])

    def as_normal(self, beta: Floats, spread: Floats) -> Floats:
        """Return how many errors a normal variable strays as rarely as these terms do |beta|, never more than they do.

        Parameters
        ----------
        beta, spread : numpy.ndarray, shape (K,)
            Coefficients, and how far they vary without any effect.

        Notes
        -----
        Edgeworth's expansion of both tails, P(|X| > t) = 2Φ(−t) + 2φ(t)[κ (t³ − 3t)/24 + γ² (t⁵ − 10t³ + 15t)/72],
        with and without the skewness γ, the larger; an excess κ below 0 makes nothing less rare.

        References
        ----------
        Hall, P. (1992). The Bootstrap and Edgeworth Expansion. Springer, section 2.3.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(beta / spread)
        return _as_normal(t, self.third / spread**3, self.fourth / spread**4)

    def from_normal(self, z: float, spread: Floats) -> Floats:
        """Return how many errors of each term count as ``z`` of a normal variable, shape (K,)."""
        if not z < FARTHEST:
            return np.full(len(spread), z)
        tried = np.linspace(0.0, FARTHEST, STEPS)
        counted = _as_normal(tried[:, None], self.third / spread**3, self.fourth / spread**4)
        return np.array([np.interp(z, column, tried) for column in np.maximum.accumulate(counted, axis=0).T])


def _as_normal(t: Floats, skewness: Floats, excess: Floats) -> Floats:
    heavy = excess / 24 * (t**3 - 3 * t)
    skewed = skewness**2 / 72 * (t**5 - 10 * t**3 + 15 * t)
    more = stats.norm.pdf(t) * np.maximum(np.maximum(heavy, heavy + skewed), 0.0)
    rare = np.clip(stats.norm.sf(t) + more, np.finfo(float).tiny, 0.5)
    return np.asarray(np.where(more > 0, np.minimum(stats.norm.isf(rare), t), t), dtype=float)


def read_tails(grid: OutcomeGrid, replay: Replay) -> Tails | None:
    """Return the cumulants of each term, or None where the outcome is no plain pass rate.

    Parameters
    ----------
    grid : OutcomeGrid
    replay : Replay
        Of the same grid, with an estimator linear in the outcome.
    """
    if replay.noise.batch is None or grid.n is None:
        return None
    treated = grid.is_treated
    third, fourth = cell_cumulants(replay.noise.batch[treated], np.asarray(grid.n)[treated])
    inside = np.isfinite(grid.y[treated])
    return term_cumulants(replay.treated_weights, third[inside], fourth[inside])


def cell_cumulants(batch: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return the third and fourth cumulant of pass rates in percent of n batches, shape (M, T).

    Parameters
    ----------
    batch : numpy.ndarray, shape (M,)
        10⁴ · p(1 − p), the variance of one batch.
    n : numpy.ndarray, shape (M, T)

    Notes
    -----
    The third is taken for a rate above one half; the other sign of all would change nothing, for it enters squared.
    """
    v = np.asarray(batch, dtype=float)[:, None]
    n = np.maximum(n, 1.0)
    return -v * np.sqrt(np.maximum(1e4 - 4 * v, 0.0)) / n**2, v * (1e4 - 6 * v) / n**3


def term_cumulants(weights: Floats, third: Floats, fourth: Floats) -> Tails:
    """Return the cumulants of weighted sums of independent cells: (C, K) weights of cells in terms, (C,) cumulants."""
    return Tails(third=third @ weights**3, fourth=fourth @ weights**4)
