"""Which choice moves the ranks of an index most: Sobol indices through SALib."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.scorecards.composite.index_values import Floats
from qbase.scorecards.composite.index_worlds import Ints, Setup, choose, rank_worlds

BASES = ((8_000, 512), (40_000, 128))
"""Up to so many values of an index, so many base points (powers of 2, as Sobol sequences need)."""
LEAST_BASE = 64


def estimate_sensitivity(setup: Setup, ranks: Ints, *, seed: int) -> pd.DataFrame:
    """Estimate what share of the movement of ranks comes from each choice.

    The quantity explained is the mean absolute shift of ranks against the index as designed. The first-order index is
    the share that goes when that choice alone were settled; the total index the share that stays when all others are.

    Parameters
    ----------
    setup : Setup
        From `qbase.scorecards.composite.index_worlds.set_up`.
    ranks : numpy.ndarray, shape (n,)
        As designed.
    seed : int
        Above 0.

    Returns
    -------
    pandas.DataFrame
        ``factor options first first_half total total_half`` from the largest total index on; halves of 95 % intervals
        (bootstrap). All 0 where no rank ever moves; empty where nothing can be chosen.

    References
    ----------
    Saisana, M., Saltelli, A. and Tarantola, S. (2005). JRSS A 168, 307-323. Saltelli, A. et al. (2010). Computer
    Physics Communications 181, 259-270.
    """
    names = ("factor", "options", "first", "first_half", "total", "total_half")
    if not setup.factors:
        return pd.DataFrame({name: [] for name in names})
    size = next((n for most, n in BASES if setup.index.kept.values.size <= most), LEAST_BASE)
    shares = _analyse(setup, ranks, size, seed)
    options = [_count_options(setup, name) for name in setup.factors]
    table = pd.DataFrame({"factor": setup.factors, "options": options, **shares}, columns=list(names))
    return table.sort_values(["total", "factor"], ascending=[False, True], ignore_index=True)


def _analyse(setup: Setup, ranks: Ints, size: int, seed: int) -> dict[str, Floats]:
    # they import matplotlib and multiprocess
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    d = len(setup.factors)
    problem = {"num_vars": d, "names": list(setup.factors), "bounds": [[0.0, 1.0]] * d}
    # both calls must say the same of second order: else indices are wrong without a word
    uniform = sampling.sample(problem, size, calc_second_order=False, seed=seed)
    moved = np.abs(rank_worlds(setup, choose(setup, uniform), seed=seed, is_bank=True) - ranks).mean(axis=1)
    if np.ptp(moved) == 0:
        return {name: np.zeros(d) for name in ("first", "first_half", "total", "total_half")}
    # a seed of 0 is taken for none
    found = analysis.analyze(problem, moved, calc_second_order=False, seed=max(seed, 1))
    return {"first": found["S1"], "first_half": found["S1_conf"], "total": found["ST"], "total_half": found["ST_conf"]}


def _count_options(setup: Setup, factor: str) -> int:
    """Return how many words a choice has; 0 for what is drawn."""
    if factor == "left_out":
        return len(setup.index.kept.indicators) + 1
    return len(setup.options.get(factor, ()))
