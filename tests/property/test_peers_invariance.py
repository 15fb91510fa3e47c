"""What must not change a funnel, a gap or a rank: order, names, which side counts as a pass, one period or two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.core import Indicator, Panel, Text
from qbase.stats import funnel_limits, gaussian_rank_intervals, rank_intervals
from qbase.trends import compare_peers, estimate_gap

FEW = settings(max_examples=10, deadline=None, derandomize=True, database=None)
RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")
ROUNDING = 1e-9


@st.composite
def counts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    m = draw(st.integers(2, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = rng.integers(1, draw(st.sampled_from([6, 40, 300])), m)
    return rng.binomial(n, rng.uniform(0.4, 1.0, m)), n


def panel_of(k: np.ndarray, n: np.ndarray, names: list[str], periods: int = 1) -> Panel:
    rows = [
        (name, 2020 + t, *(int(x) // periods + (t < int(x) % periods) for x in (a, b)))
        for name, a, b in zip(names, n, k, strict=True)
        for t in range(periods)
    ]
    frame = pd.DataFrame(rows, columns=["c", "year", "y__n", "y__k"])
    frame["y"] = 100 * frame["y__k"] / frame["y__n"]
    return Panel.from_frame(frame, entity="c", period="year", freq="A", indicators={"y": RATE})


@FEW
@given(counts(), st.randoms(use_true_random=False))
def test_order_is_nothing(world, random):
    k, n = world
    order = list(range(len(k)))
    random.shuffle(order)
    one, other = funnel_limits(k, n), funnel_limits(k[order], n[order])
    assert (other.phi, other.tau2) == pytest.approx((one.phi, one.tau2), abs=ROUNDING)
    assert np.allclose(one.low[:, order], other.low, atol=ROUNDING)
    assert (one.is_high[:, order] == other.is_high).all()
    first, second = rank_intervals(k, n), rank_intervals(k[order], n[order])
    for field in ("rank", "low", "high"):
        assert (getattr(first, field)[order] == getattr(second, field)).all()


@FEW
@given(counts())
def test_failures_are_passes_seen_from_the_other_side(world):
    k, n = world
    up, down = funnel_limits(k, n), funnel_limits(n - k, n)
    assert up.target == pytest.approx(1 - down.target)
    assert np.allclose(up.low, 1 - down.high, atol=0.02)
    plain, turned = funnel_limits(k, n, dispersion="none"), funnel_limits(n - k, n, dispersion="none")
    assert np.allclose(plain.low, 1 - turned.high, atol=1e-7)
    assert (plain.is_low == turned.is_high).all()
    ranks, worst = rank_intervals(k, n), rank_intervals(n - k, n)
    assert (ranks.is_above == worst.is_above.T).all()
    assert (worst.low == len(k) + 1 - ranks.high).all()


@FEW
@given(counts())
def test_scores_may_be_moved_and_stretched(world):
    k, n = world
    value, error = k / n, 0.5 / np.sqrt(n)
    one, other = (
        gaussian_rank_intervals(value, error, draws=200),
        gaussian_rank_intervals(7 + 300 * value, 300 * error, draws=200),
    )
    assert (one.low == other.low).all()
    assert (one.high == other.high).all()


@FEW
@given(counts())
def test_names_and_cuts_of_the_window_are_nothing(world):
    k, n = world
    names, other = [f"K{i:02d}" for i in range(len(k))], [f"Z{90 - i}" for i in range(len(k))]
    whole = compare_peers(panel_of(k, n, names), "y")
    renamed = compare_peers(panel_of(k, n, other), "y").tables["peers"].set_index("entity").loc[other]
    rows = whole.tables["peers"].set_index("entity").loc[names]
    assert rows["outside"].tolist() == renamed["outside"].tolist()
    assert np.allclose(rows["low_95_pct"], renamed["low_95_pct"])
    if n.min() >= 2:
        cut = compare_peers(panel_of(k, n, names, periods=2), "y", period=("2020", "2021"))
        assert cut.tables["peers"]["outside"].tolist() == whole.tables["peers"]["outside"].tolist()
        assert cut.settings["phi"] == pytest.approx(whole.settings["phi"])
    gap, back = (
        estimate_gap(panel_of(k, n, names), "y", entity=e, peers=[p])["gap"] for e, p in (names[:2], names[1::-1])
    )
    assert (gap.value, gap.ci_low) == pytest.approx((-back.value, -back.ci_high))
