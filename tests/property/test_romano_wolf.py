"""Adjusted p values lie between the raw ones and Bonferroni's, and keep the order of the statistics."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qbase.stats import permutation_p, romano_wolf_p


@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 6),
    draws=st.integers(1, 120),
    share=st.floats(0, 1),
    rounded=st.booleans(),
)
def test_between_raw_and_bonferroni_and_monotone(seed: int, k: int, draws: int, share: float, rounded: bool) -> None:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((draws + 1, 1))
    every = np.abs(share * common + (1 - share) * rng.standard_normal((draws + 1, k)))
    every = np.round(every, 1) if rounded else every  # ties
    observed, drawn = every[0], every[1:]
    adjusted = romano_wolf_p(observed, drawn)
    raw = np.array([permutation_p(float(s), drawn[:, j]) for j, s in enumerate(observed)])
    assert (adjusted >= raw - 1e-12).all()
    order = np.argsort(-observed, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-12).all()
    # Bonferroni at each step: the chances of those left, added up
    reached = 0.0
    for step, at in enumerate(order):
        total = sum(permutation_p(float(observed[at]), drawn[:, j]) for j in order[step:])
        reached = max(reached, min(1.0, total))
        assert adjusted[at] <= reached + 1e-12


@given(seed=st.integers(0, 10_000))
def test_copies_of_one_statistic_cost_nothing(seed: int) -> None:
    drawn = np.abs(np.random.default_rng(seed).standard_normal((99, 1)))
    adjusted = romano_wolf_p([1.9, 1.9, 1.9], np.repeat(drawn, 3, axis=1))
    assert np.allclose(adjusted, permutation_p(1.9, drawn[:, 0]))
