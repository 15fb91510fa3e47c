"""One to three treated against what the controls' own histories would have shown in their place (Conley and Taber)."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.history_noise import Noise, with_caution
from qbase.effects.doubt.placebo_paths import LISTED, Replay
from qbase.effects.fitting.path_fit import Ints, PathFit
from qbase.stats.testing.adoption_permutations import inverted_limits, permutation_p

MOST = 3
"""With more treated their placebos repeat the few untreated histories, and chance looks smaller than it is."""


NO_OWN = 1.25
"""Standard errors by which shocks of the treated are taken to be larger: none of these placebos holds any of them (2 of
12 with shocks that last and five times the batches: 8 % at 5 % by the caution of an exchange, 5 % by this)."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ConleyTaber:
    """P values, intervals and the placebos' standard deviation, each of shape (K,), and the smallest p."""

    p_value: Floats
    ci_low: Floats
    ci_high: Floats
    std_error: Floats
    p_floor: float


def control_places(grid: OutcomeGrid, *, draws: int, seed: int) -> Ints:
    """Return whose history each entity takes on when the treated take those of untreated ones, shape (A, N).

    All ways to deal the untreated histories to the treated where they are few, else draws without repetition; an
    untreated entity keeps its own.
    """
    treated, untreated = np.flatnonzero(grid.is_treated), np.flatnonzero(~grid.is_treated)
    if math.perm(len(untreated), len(treated)) <= LISTED * (draws + 1):
        dealt = np.array(list(itertools.permutations(untreated, len(treated))), dtype=np.int64)
    else:
        rng = np.random.default_rng(seed)
        seen = dict.fromkeys(tuple(rng.choice(untreated, len(treated), replace=False)) for _ in range(2 * draws))
        dealt = np.array(list(seen)[:draws], dtype=np.int64)
    places = np.tile(np.arange(len(grid.y)), (len(dealt), 1))
    places[:, treated] = dealt
    return places


def untreated_only(grid: OutcomeGrid, noise: Noise) -> Noise:
    """Return noise whose period means leave out the treated: their history, with its effect, is nobody's placebo."""
    return dataclasses.replace(noise, weight=np.where(grid.is_treated, 0.0, noise.weight), shared=None)


def control_widening(grid: OutcomeGrid) -> float:
    """Return what placebos are multiplied by: a placebo is part of the average it is held against, a treated is not."""
    n_treated = int(grid.is_treated.sum())
    n_untreated = len(grid.y) - n_treated
    return math.sqrt((n_untreated + n_treated) / (n_untreated - n_treated))


def infer_conley_taber(
    grid: OutcomeGrid, replay: Replay, fit: PathFit, *, level: float, draws: int, seed: int
) -> ConleyTaber:
    """Hold the estimate against placebos whose treated carry untreated histories, rescaled to their own noise.

    Parameters
    ----------
    grid : OutcomeGrid
    replay : Replay
        Of the same grid and an estimator linear in the outcome.
    fit : PathFit
        Of that estimator.
    level, draws, seed
        See `qbase.effects.doubt.few_clusters.infer`.

    Raises
    ------
    DataError
        More than three treated, or as many treated as untreated (QB552).

    References
    ----------
    Conley, T. G. and Taber, C. R. (2011). Inference with "difference in differences" with a small number of policy
    changes. Review of Economics and Statistics 93.
    Ferman, B. and Pinto, C. (2019). Inference in differences-in-differences with few treated groups and
    heteroskedasticity. Review of Economics and Statistics 101.
    """
    n_treated = int(grid.is_treated.sum())
    n_untreated = len(grid.y) - n_treated
    if n_treated > MOST or n_untreated <= n_treated:
        raise DataError(
            "QB552",
            found=f"{n_treated} treated, {n_untreated} untreated",
            expected=f"at most {MOST} treated, and more untreated than treated",
            fix='vcov=None, or vcov="CRV3" from four treated on',
        )
    apart = dataclasses.replace(replay, noise=untreated_only(grid, with_caution(replay.noise, grid.is_treated, NO_OWN)))
    places = control_places(grid, draws=draws, seed=seed)
    beta = np.concatenate(list(apart.of_histories(grid.y, places)))
    beta = beta * control_widening(grid)
    n_terms = len(fit.terms)
    p, low, high = np.full(n_terms, np.nan), np.full(n_terms, np.nan), np.full(n_terms, np.nan)
    for k in np.flatnonzero(np.isfinite(fit.beta)):
        p[k] = permutation_p(abs(fit.beta[k]), np.abs(beta[:, k]))
        nearest, farthest = inverted_limits(beta[:, k], np.zeros(len(beta)), level=level)
        low[k], high[k] = fit.beta[k] - farthest, fit.beta[k] - nearest
    return ConleyTaber(p_value=p, ci_low=low, ci_high=high, std_error=beta.std(axis=0), p_floor=1 / (1 + len(places)))
