"""Two-way fixed effects are the sum of their two-by-two comparisons, found again here by a loop over rows."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, PolicyError
from qbase.core.panel import Panel
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.effects import decompose_twfe, estimate_twfe
from qbase.effects.fitting import pyfixest_guard
from qbase.effects.fitting.pyfixest_guard import choose_demeaner, load_pyfixest, run_feols

SCORE = Indicator(id="score", name=Text("评分", "score"), unit="score", better="up")
LAST = 9


def make_frame(values: np.ndarray) -> pd.DataFrame:
    entities, years = values.shape
    return pd.DataFrame(
        {
            "place": np.repeat([f"P{i:02d}" for i in range(entities)], years),
            "year": np.tile(np.arange(2010, 2010 + years), entities),
            "score": values.ravel(),
        }
    )


def make_panel(frame: pd.DataFrame) -> Panel:
    return Panel.from_frame(frame, entity="place", period="year", freq="A", indicators={"score": SCORE})


def make_policy(starts: dict[int, int]) -> Policy:
    spells = tuple(Spell(entity=f"P{i:02d}", start=2010 + t) for i, t in starts.items())
    return Policy(policy_id="law", title=Text("法", "law"), spells=spells)


STARTS = {0: 3, 1: 3, 2: 3, 3: 5, 4: 5, 5: 8, 6: 8, 7: 8, 8: 8}
VALUES = np.random.default_rng(20261129).normal(size=(14, LAST + 1)).cumsum(axis=1) + np.arange(LAST + 1)


def two_by_two(values: np.ndarray, treated: list[int], others: list[int], before: range, after: range) -> float:
    """The difference of differences, one cell after the other."""

    def mean(who: list[int], when: range) -> float:
        return sum(values[i, t] for i in who for t in when) / (len(who) * len(when))

    return mean(treated, after) - mean(treated, before) - mean(others, after) + mean(others, before)


def by_loop(values: np.ndarray, starts: dict[int, int]) -> dict[tuple[str, str, str], float]:
    years = values.shape[1]
    groups: dict[int, list[int]] = {}
    for entity, start in starts.items():
        groups.setdefault(start, []).append(entity)
    never = [i for i in range(len(values)) if i not in starts]
    found = {}
    for start, who in groups.items():
        if never:
            value = two_by_two(values, who, never, range(start), range(start, years))
            found["treated_vs_never", str(2010 + start), "never"] = value
    for a, b in itertools.combinations(sorted(groups), 2):
        key = (str(2010 + a), str(2010 + b))
        found["earlier_vs_later", *key] = two_by_two(values, groups[a], groups[b], range(a), range(a, b))
        found["later_vs_earlier", *reversed(key)] = two_by_two(
            values, groups[b], groups[a], range(a, b), range(b, years)
        )
    return found


@pytest.mark.parametrize(("values", "starts"), [(VALUES, STARTS), (VALUES[:, :8], {0: 2, 1: 4, 2: 4, 3: 6, 4: 30})])
def test_every_comparison_is_that_of_a_plain_loop_and_they_sum_to_the_estimate(values, starts):
    panel, policy = make_panel(make_frame(values)), make_policy(starts)
    parts = decompose_twfe(panel, policy, "score")
    inside = {entity: start for entity, start in starts.items() if start < values.shape[1]}
    expected = by_loop(values, inside)
    found = parts.set_index(["kind", "treated", "comparison"])["estimate"]
    assert set(found.index) == set(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-10)
    assert parts["weight"].sum() == pytest.approx(1, abs=1e-12)
    assert (parts["weight"] > 0).all()
    whole = estimate_twfe(panel, policy, "score")["att"].value
    assert (parts["weight"] * parts["estimate"]).sum() == pytest.approx(whole, rel=1e-8)


def test_without_anybody_untreated_the_early_years_still_sum_to_the_estimate():
    starts = {i: (3 if i < 6 else 7) for i in range(14)}
    panel, policy = make_panel(make_frame(VALUES[:, :7])), make_policy(starts)
    parts = decompose_twfe(panel, policy, "score")
    # those treated after the data end are the comparison
    assert list(parts["kind"]) == ["treated_vs_never"]
    assert parts["n_comparison"].tolist() == [8]
    whole = estimate_twfe(panel, policy, "score")["att"].value
    assert parts["estimate"].iloc[0] == pytest.approx(whole, rel=1e-9)


def test_those_treated_throughout_are_left_out_as_in_the_estimate():
    panel, policy = make_panel(make_frame(VALUES)), make_policy({**STARTS, 13: -2})
    parts = decompose_twfe(panel, policy, "score")
    assert parts.loc[0, "n_comparison"] == 4
    whole = estimate_twfe(panel, policy, "score")["att"].value
    assert (parts["weight"] * parts["estimate"]).sum() == pytest.approx(whole, rel=1e-8)


def test_an_effect_that_grows_is_pulled_down_by_comparisons_with_the_treated():
    grown = np.zeros((6, 10))
    for i, start in {0: 2, 1: 2, 2: 6, 3: 6}.items():
        grown[i] = np.maximum(np.arange(10) - start + 1, 0)
    parts = decompose_twfe(make_panel(make_frame(grown)), make_policy({0: 2, 1: 2, 2: 6, 3: 6}), "score")
    by = parts.set_index("kind")["estimate"]
    assert by["later_vs_earlier"] < 0, "every effect is positive"
    assert (by["treated_vs_never"] > 0).all()


@pytest.mark.parametrize("gap", ["value", "row"])
def test_a_panel_with_a_gap_is_refused_with_its_place(gap):
    frame = make_frame(VALUES)
    frame = frame.assign(score=frame["score"].where(frame.index != 25)) if gap == "value" else frame.drop(index=25)
    with pytest.raises(DataError, match="QB590") as caught:
        decompose_twfe(make_panel(frame), make_policy(STARTS), "score")
    assert "1 of 140 outcomes missing, first P02 in 2015" in str(caught.value)
    assert "estimate_twfe itself takes gaps" in str(caught.value)


def test_what_carries_no_effect_is_refused_as_everywhere():
    panel = make_panel(make_frame(VALUES))
    with pytest.raises(PolicyError, match="QB513"):
        decompose_twfe(panel, make_policy(dict.fromkeys(range(14), 4)), "score")
    with pytest.raises(PolicyError, match="QB514"):
        decompose_twfe(panel, make_policy({0: 40}), "score")


def test_castle_doctrine_is_decomposed_as_in_the_vignette():
    """Vignette of bacondecomp on CRAN: weights and averages of three kinds, and 0.0818 for the whole."""
    causaldata = pytest.importorskip("causaldata", reason="the example data are not installed")
    data = causaldata.castle.load_pandas().data
    frame = pd.DataFrame({"place": "S" + data["sid"].astype(int).astype(str), "year": data["year"].astype(int)})
    frame["score"] = data["l_homicide"].astype(float)
    first = frame[data["post"] > 0].groupby("place")["year"].min()
    # the column post of this copy starts a year later than the package's own
    spells = tuple(Spell(entity=str(place), start=int(year) - 1) for place, year in first.items())
    policy = Policy(policy_id="castle", title=Text("堡垒法", "Castle doctrine"), spells=spells)
    panel = make_panel(frame)
    parts = decompose_twfe(panel, policy, "score")
    parts["part"] = parts["weight"] * parts["estimate"]
    by = parts.groupby("kind")[["weight", "part"]].sum()
    printed = {
        "earlier_vs_later": (0.05976, -0.00554), "later_vs_earlier": (0.03190, 0.07032),
        "treated_vs_never": (0.90834, 0.08796),
    }  # fmt: skip
    for kind, (weight, estimate) in printed.items():
        assert round(by.loc[kind, "weight"], 5) == weight
        assert round(by.loc[kind, "part"] / by.loc[kind, "weight"], 5) == estimate
    assert round(parts["part"].sum(), 4) == 0.0818
    assert round(estimate_twfe(panel, policy, "score")["att"].value, 4) == 0.0818


def network(rows: int, firms: int, testers: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    firm = rng.integers(0, firms, rows)
    tester = (firm * testers // firms + rng.integers(-20, 21, rows)) % testers
    x = rng.normal(size=rows)
    y = 0.5 * x + 0.01 * firm + rng.normal(size=rows)
    return pd.DataFrame({"firm": firm, "tester": tester, "quarter": rng.integers(0, 8, rows), "x0": x, "y": y})


def test_sparse_networks_of_three_effects_are_solved_another_way_with_the_same_answer(monkeypatch):
    data = network(3000, 120, 60)
    three, two = "y ~ x0 | firm + tester + quarter", "y ~ x0 | firm + quarter"
    _, _, alternating, sparse = load_pyfixest()
    assert isinstance(choose_demeaner(three, data), sparse)
    assert isinstance(choose_demeaner(two, data), alternating)
    dense = pd.concat([network(3000, 12, 10)] * 2, ignore_index=True)
    assert isinstance(choose_demeaner(three, dense), alternating)
    found = run_feols(three, data, vcov="iid", weights=None, plain=False)
    slow = alternating(fixef_tol=1e-12, fixef_maxiter=100_000)
    monkeypatch.setattr(pyfixest_guard, "choose_demeaner", lambda formula, rows: slow)
    other = run_feols(three, data, vcov="iid", weights=None, plain=False)
    assert found._beta_hat == pytest.approx(other._beta_hat, rel=1e-9)
    assert found._vcov == pytest.approx(other._vcov, rel=1e-8)
    assert 0.4 < float(found._beta_hat[0]) < 0.6
