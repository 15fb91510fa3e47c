"""What must not change an estimate: order of rows, names of entities, unit of the outcome."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbase.core.errors import PanelError
from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.effects import estimate_event_study, estimate_twfe
from qbase.planning.precision.assured_draws import arm_chance, fewest_firms, known_rate
from qbase.trends import estimate_change, estimate_level

ROUNDING = 1e-7
"""Demeaning stops at a change of 1e-10; sums taken in another order move the next digits."""

ID = "D1.batch"
# a score, so that the counts beside it are only weights
RATE = Indicator(id=ID, name=Text("得分", "score"), unit="score", better="up")
FIRST = parse_period("2020Q1")
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
MANY = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, int]]:
    """An unbalanced panel of 8 to 14 entities over 6 to 9 quarters, some of them treated in turn."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    entities, periods = draw(st.integers(8, 14)), draw(st.integers(6, 9))
    names = [f"K{i:02d}" for i in range(entities)]
    frame = pd.DataFrame([(e, t) for e in names for t in range(periods)], columns=["cluster_id", "t"])
    frame[ID] = rng.normal(90, 3, len(frame))
    frame[f"{ID}__n"] = rng.integers(5, 40, len(frame))
    frame[f"{ID}__k"] = rng.binomial(frame[f"{ID}__n"], 0.9)
    frame["quarter"] = [str(FIRST + int(t)) for t in frame["t"]]
    starts = {names[i]: int(rng.integers(3, periods - 1)) for i in range(draw(st.integers(2, 4)))}
    gaps = (rng.random(len(frame)) < 0.1) & ~frame["cluster_id"].isin(list(starts))
    return frame[~gaps].reset_index(drop=True), starts


def make_panel(frame: pd.DataFrame) -> Panel:
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def make_policy(starts: dict[str, int]) -> Policy:
    spells = tuple(Spell(entity=e, start=FIRST + t) for e, t in starts.items())
    return Policy(policy_id="base", title=Text("政策", "policy"), spells=spells)


def numbers(result) -> np.ndarray:
    columns = ["estimate", "std_error", "conf_low", "conf_high", "joint_low", "joint_high"]
    return result.tidy().reindex(columns=columns).to_numpy(dtype=float)


def estimate_both(frame: pd.DataFrame, starts: dict[str, int]) -> list[np.ndarray]:
    panel, policy = make_panel(frame), make_policy(starts)
    return [
        numbers(estimate_twfe(panel, policy, ID)),
        numbers(estimate_event_study(panel, policy, ID, leads=2, lags=1)),
    ]


@FEW
@given(worlds(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(world, random):
    frame, starts = world
    order = list(frame.index)
    random.shuffle(order)
    for ours, shuffled in zip(estimate_both(frame, starts), estimate_both(frame.loc[order], starts), strict=True):
        np.testing.assert_allclose(shuffled, ours, rtol=ROUNDING, atol=ROUNDING)


@FEW
@given(worlds(), st.randoms(use_true_random=False))
def test_names_of_entities_do_not_matter(world, random):
    frame, starts = world
    old = sorted(frame["cluster_id"].unique())
    new = [f"甲{i}" for i in range(len(old))]
    random.shuffle(new)
    names = dict(zip(old, new, strict=True))
    renamed = frame.assign(cluster_id=frame["cluster_id"].map(names))
    moved = {names[e]: t for e, t in starts.items()}
    for ours, theirs in zip(estimate_both(frame, starts), estimate_both(renamed, moved), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=ROUNDING, atol=ROUNDING)


@FEW
@given(worlds())
def test_ten_times_the_outcome_is_ten_times_the_effect(world):
    frame, starts = world
    tenfold = frame.assign(**{ID: 10 * frame[ID]})
    for ours, theirs in zip(estimate_both(frame, starts), estimate_both(tenfold, starts), strict=True):
        np.testing.assert_allclose(theirs, 10 * ours, rtol=ROUNDING, atol=10 * ROUNDING)


@FEW
@given(worlds(), st.floats(-500, 500))
def test_a_shift_common_to_all_is_no_effect(world, shift):
    frame, starts = world
    shifted = frame.assign(**{ID: frame[ID] + shift + 3.0 * frame["t"]})
    for ours, theirs in zip(estimate_both(frame, starts), estimate_both(shifted, starts), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=ROUNDING, atol=1e-5)


@FEW
@given(worlds())
def test_simultaneous_intervals_hold_the_pointwise_ones(world):
    frame, starts = world
    result = estimate_event_study(make_panel(frame), make_policy(starts), ID, leads=2, lags=1)
    for e in result.estimates:
        if e.n_treated < 3:
            assert (e.ci_low, e.joint_low, e.p_value, e.uncertainty) == (None, None, None, "none_too_few")
        elif e.term == "event":
            assert e.joint_low <= e.ci_low <= e.value <= e.ci_high <= e.joint_high


@FEW
@given(worlds(), st.integers(0, 40))
def test_a_doubled_row_is_refused(world, at):
    frame, _ = world
    doubled = pd.concat([frame, frame.iloc[[at % len(frame)]]])
    with pytest.raises(PanelError, match="QB122"):
        make_panel(doubled)


@MANY
@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=5, max_size=8))
def test_a_rate_and_a_change_stay_where_they_can_be(tested):
    rows = [("K1", str(FIRST + t), n, round(share * n)) for t, (n, share) in enumerate(tested)]
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", f"{ID}__n", f"{ID}__k"])
    panel = make_panel(frame.assign(**{ID: 100 * frame[f"{ID}__k"] / frame[f"{ID}__n"]}))
    for e in estimate_level(panel, ID).estimates:
        assert 0 <= e.ci_low <= e.value <= e.ci_high <= 100
        assert e.ci_low < e.ci_high
    change = estimate_change(panel, ID)["change"]
    assert -100 <= change.ci_low <= change.value <= change.ci_high <= 100
    back = dataclasses.replace(panel, data=_reversed(panel.data))
    there_and_back = estimate_change(back, ID, first=str(FIRST), last=str(FIRST + 4))["change"]
    forward = estimate_change(panel, ID, first=str(FIRST + len(tested) - 5), last=str(FIRST + len(tested) - 1))
    assert there_and_back.value == pytest.approx(-forward["change"].value)
    assert there_and_back.ci_low == pytest.approx(-forward["change"].ci_high)


def _reversed(data: pd.DataFrame) -> pd.DataFrame:
    turned = data.iloc[::-1].copy()
    turned.index = data.index
    return turned


@MANY
@given(st.floats(0, 1), st.floats(0.02, 0.25), st.sampled_from([0.8, 0.9, 0.95]), st.sampled_from([0.5, 0.8, 0.95]))
def test_the_planned_number_keeps_its_chance_and_one_firm_less_does_not(rate, target, level, assurance):
    rates, how = known_rate(rate), {"target": target, "level": level}
    n = fewest_firms(rates, 1, assurance=assurance, **how)
    assert arm_chance(rates, n, 1, **how) >= assurance
    assert n == 1 or arm_chance(rates, n - 1, 1, **how) < assurance
