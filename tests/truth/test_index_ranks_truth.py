"""Interval of ranks against the truth where there is one: a single rate of known order, drawn again and again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core import Indicator, Panel
from qbase.core.text import same
from qbase.scorecards import IndexDesign, Pillar, build_index
from qbase.scorecards.composite.index_worlds import choose, rank_worlds, set_up
from tests.unit.scorecards.test_rank_robustness import ONE

TRUE = np.linspace(80, 98, 12)
DRAWS, WORLDS, LEVEL = 30, 200, 0.90
SLACK = 0.045
"""Monte Carlo error of a share of 30 x 12 ranks, three standard errors."""


def panel_of(passed: np.ndarray, tested: int) -> Panel:
    columns = {"e": [f"K{i:02d}" for i in range(12)], "y": 2024, "rate": 100 * passed / tested}
    frame = pd.DataFrame({**columns, "rate__n": tested, "rate__k": passed})
    rate = Indicator(id="rate", name=same("rate"), unit="pct", better="up")
    return Panel.from_frame(frame, entity="e", period="y", freq="A", indicators={"rate": rate})


def test_intervals_hold_the_true_rank_as_often_as_they_say() -> None:
    rng = np.random.default_rng(12)
    whole = Pillar(id="whole", name=same("whole"), parts={"rate": 1})
    design = IndexDesign(id="i", name=same("i"), pillars=(whole,), source=same("s"), declared_on="2024-01-01")
    truth = 12 - np.arange(12)
    for tested in (30, 200):
        held = []
        for draw in range(DRAWS):
            index = build_index(panel_of(rng.binomial(tested, TRUE / 100), tested), design)
            setup = set_up(index, ONE)
            chosen = choose(setup, rng.random((WORLDS, len(setup.factors))))
            low, high = np.quantile(
                rank_worlds(setup, chosen, seed=draw + 1), [0.05, 0.95], axis=0, method="inverted_cdf"
            )
            own = truth[[int(e[1:]) for e in index.kept.entities]]
            held.append(((low <= own) & (own <= high)).mean())
        assert np.mean(held) >= LEVEL - SLACK, tested
