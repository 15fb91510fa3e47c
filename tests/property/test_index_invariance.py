"""What must not change an index and its ranks: order of rows and columns, names, units, the seed of anything else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from qbase.core import Result
from qbase.scorecards import build_index, estimate_rank_robustness
from qbase.scorecards.composite.data_steps import competition_ranks, mean_ranks, normalise
from qbase.scorecards.composite.index_weights import list_nodes
from qbase.scorecards.composite.pillar_means import aggregate
from tests.unit.scorecards.index_cases import design_of, frame_of, panel_of

N = 9
WORLDS = 100
TOLD = ["rank", "median", "low", "high", "share_first", "index"]


def robust_of(frame: pd.DataFrame) -> Result:
    return estimate_rank_robustness(build_index(panel_of(frame), design_of()), worlds=WORLDS)


def told(result: Result) -> pd.DataFrame:
    return result.tables["ranks"].set_index("entity").sort_index()[TOLD]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=2)
def test_neither_the_order_of_rows_nor_names_change_ranks(seed: int) -> None:
    rng, frame = np.random.default_rng(seed), frame_of(N, seed)
    plain = robust_of(frame)
    shuffled = frame.sample(frac=1, random_state=seed).loc[:, [*frame.columns[:2], *rng.permutation(frame.columns[2:])]]
    again = robust_of(shuffled)
    assert told(again).equals(told(plain))
    assert again.tables["choices"].equals(plain.tables["choices"])
    other = dict(zip(frame["cluster_id"], [f"Z{i:03d}" for i in rng.permutation(N)], strict=True))
    renamed = robust_of(frame.assign(cluster_id=frame["cluster_id"].map(other)))
    assert told(renamed).equals(told(plain).rename(index=other).sort_index())
    assert renamed.tables["choices"].equals(plain.tables["choices"])


@given(
    seed=st.integers(0, 10**6), how=st.sampled_from(["arithmetic", "geometric"]), gaps=st.integers(0, 6),
    normalisation=st.sampled_from(["min_max", "z_score", "rank"]),
    weighting=st.sampled_from(["equal", "expert", "entropy"]),
)  # fmt: skip
@settings(max_examples=10)
def test_parts_add_up_to_the_score(seed: int, how: str, gaps: int, normalisation: str, weighting: str) -> None:
    rng, frame = np.random.default_rng(seed), frame_of(N, seed)
    for _ in range(gaps):
        name = rng.choice(["brand", "output"])
        frame.loc[rng.integers(N), [c for c in frame if c.split("__")[0] == name]] = np.nan
    design = design_of(
        aggregation=how, normalisation=normalisation, weighting=weighting, least_entity=0, least_indicator=0
    )
    index = build_index(panel_of(frame), design)
    parts = index.contributions.groupby("entity")["contribution"].sum() + index.base
    assert np.allclose(parts, index.scores.set_index("entity")["index"].sort_index(), atol=1e-9)
    assert np.allclose(index.contributions.groupby("entity")["weight"].sum(), 1)


@given(seed=st.integers(0, 10**6), factor=st.floats(0.01, 1000), shift=st.floats(0, 50))
@settings(max_examples=3)
def test_units_do_not_change_an_index(seed: int, factor: float, shift: float) -> None:
    frame = frame_of(N, seed)
    other = frame.assign(output=factor * frame["output"] + shift)
    for normalisation in ("min_max", "z_score", "rank"):
        plain, moved = (build_index(panel_of(f), design_of(normalisation=normalisation)) for f in (frame, other))
        assert np.allclose(plain.scores["index"], moved.scores["index"], atol=1e-6)


@given(seed=st.integers(0, 10**6), gain=st.floats(0.1, 20))
@settings(max_examples=3)
def test_a_better_value_never_costs_points(seed: int, gain: float) -> None:
    frame = frame_of(N, seed)
    design = design_of(ranges={"output": (0, 400)}, outliers="none")
    for how in ("arithmetic", "geometric"):
        own = dataclasses.replace(design, aggregation=how)
        before = build_index(panel_of(frame), own).scores.set_index("entity")["index"]
        better = frame.assign(output=frame["output"] + gain * (frame["cluster_id"] == "K003"))
        after = build_index(panel_of(better), own).scores.set_index("entity")["index"]
        assert after["K003"] > before["K003"]
        assert np.allclose(after.drop("K003"), before.drop("K003"))


@given(values=arrays(float, (3, 2, 7), elements=st.integers(0, 5).map(float)))
def test_ranks_are_those_of_scipy(values: np.ndarray) -> None:
    assert np.array_equal(mean_ranks(values), rankdata(values, axis=-1))
    assert np.array_equal(competition_ranks(values[:, 0]), rankdata(-values[:, 0], method="min", axis=-1))


@given(
    values=arrays(float, (1, 4, 6), elements=st.one_of(st.floats(1, 100), st.just(np.nan))),
    raw=arrays(float, 6, elements=st.floats(0.1, 5)), how=st.sampled_from(["arithmetic", "geometric"]),
)  # fmt: skip
def test_aggregation_is_that_of_a_plain_loop(values: np.ndarray, raw: np.ndarray, how: str) -> None:
    nodes = list_nodes(design_of(), ("rate", "loss", "brand", "output"))
    weights = [raw[:2] / raw[:2].sum(), raw[2:4] / raw[2:4].sum(), raw[4:] / raw[4:].sum()]
    found = aggregate(values, nodes, [w[None] for w in weights], how)

    def mean(parts: list[float], own: np.ndarray) -> float:
        held = [(x, w) for x, w in zip(parts, own, strict=True) if not np.isnan(x)]
        if not held:
            return np.nan
        f, g = (np.log, np.exp) if how == "geometric" else (float, float)
        return float(g(sum(w * f(x) for x, w in held) / sum(w for _, w in held)))

    for at in range(6):
        low = [mean(list(values[0, :2, at]), weights[0]), mean(list(values[0, 2:, at]), weights[1])]
        assert np.allclose([low[0], low[1], mean(low, weights[2])], [f[0, at] for f in found], equal_nan=True)


@given(values=arrays(float, (2, 3, 6), elements=st.one_of(st.floats(-50, 50), st.just(np.nan), st.just(7.0))))
def test_scores_stay_on_the_scale_and_keep_the_order(values: np.ndarray) -> None:
    ups = np.array([True, False, True])
    for method in ("min_max", "z_score", "rank"):
        scores = normalise(values, method, ups, (1.0, 100.0))
        held = np.isfinite(scores)
        assert (scores[held] >= 1).all()
        assert (method == "z_score") or (scores[held] <= 100 + 1e-9).all()
        assert np.isnan(scores[np.isnan(values)]).all()
        for w, j in np.ndindex(2, 3):
            x, s = (1 if ups[j] else -1) * values[w, j][held[w, j]], scores[w, j][held[w, j]]
            assert (np.diff(s[np.argsort(x, kind="stable")]) >= -1e-9).all()
