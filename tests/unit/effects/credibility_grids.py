"""Grids and a plain estimator for the checks of credibility: differences of means with their influence."""

from __future__ import annotations

import numpy as np

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.credibility.grid_tests import row_means
from qbase.effects.fitting.path_fit import PathFit

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def make_grid(y: np.ndarray, starts: dict[int, int], indicator: Indicator = RATE) -> OutcomeGrid:
    start = np.full(len(y), np.nan)
    for i, s in starts.items():
        start[i] = s
    return OutcomeGrid(
        indicator=indicator, freq="Q", entities=tuple(f"K{i:02d}" for i in range(len(y))), first=200, y=y, n=None,
        k=None, start=start, weight=np.ones(len(y)), cluster=np.arange(len(y)),
    )  # fmt: skip


def noise(n_entities: int = 24, n_periods: int = 20, *, seed: int = 1, sd: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 85 + rng.normal(size=(n_entities, 1)) * 4 + rng.normal(size=(n_entities, n_periods)) * sd


def mean_difference(grid: OutcomeGrid) -> PathFit:
    """Mean after less mean before, treated less never treated: one term, ``att``."""
    treated, never = np.flatnonzero(grid.is_treated), np.flatnonzero(~grid.is_treated)
    influence = np.zeros((len(grid.entities), 1))
    effects = []
    for i in treated:
        s = int(grid.start[i])
        change = row_means(grid.y[:, s:]) - row_means(grid.y[:, :s])
        others = change[never]
        effects.append(change[i] - np.nanmean(others))
        influence[never, 0] -= np.nan_to_num(others - np.nanmean(others)) / np.isfinite(others).sum() / len(treated)
    known = np.array(effects)
    influence[treated, 0] = np.nan_to_num(known - np.nanmean(known)) / np.isfinite(known).sum()
    n = np.array([len(treated)])
    return PathFit(
        terms=(("att", None),), beta=np.array([np.nanmean(known)]), influence=influence, n_treated=n, n_cells=n,
        n_effective=n.astype(float),
    )  # fmt: skip
