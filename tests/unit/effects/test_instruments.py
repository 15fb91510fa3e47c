"""Instruments of a policy: told apart only where each came first often enough, refused where doses tell nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Plan, Policy, Spell, Text, conclude
from qbase.core.errors import PolicyError
from qbase.effects import advise, estimate_instruments
from qbase.effects.comparison.dose_starts import cut_alone, place_doses
from qbase.effects.comparison.outcome_grid import build_grid
from qbase.effects.credibility.dose_checks import DoseTest, check_doses, compare_doses, recent_failures

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up", bounds=(-math.inf, math.inf))
QUARTERS = pd.period_range("2018Q1", periods=20, freq="Q")
N, EACH = 18, 5
WORDS = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
PLAN = Plan(outcome=ID, instruments=("W1", "W3"), post_hoc=False, **WORDS)
Case = tuple[Panel, Policy, pd.DataFrame]


def outcomes(y: np.ndarray, names: list[str], order: np.ndarray | None = None) -> Panel:
    frame = pd.DataFrame(
        {"entity": np.repeat(names, y.shape[1]), "period": np.tile(QUARTERS.astype(str), len(names)), ID: y.ravel()}
    )
    frame = frame if order is None else frame.iloc[order]
    return Panel.from_frame(frame, entity="entity", period="period", freq="Q", indicators={ID: RATE}, in_percent=True)


def build(*, gap: int = 5, first: int = EACH, plan: Plan | None = PLAN, late: int = 0) -> Case:
    """Return a case: W1 first in some clusters, W3 in the other treated, the second after a gap.

    ``late``: quarters from the policy to the first instrument.
    """
    names = [f"K{i:02d}" for i in range(N)]
    y = 80 + np.random.default_rng(5).normal(size=(N, len(QUARTERS)))
    spells, doses = [], []
    for i in range(2 * EACH):
        start = 8 + i % 3
        spells.append(Spell(entity=names[i], start=QUARTERS[start]))
        codes = ("W1", "W3") if i < first else ("W3", "W1")
        for code, begins in zip(codes, (start + late, start + late + gap), strict=True):
            doses += [(names[i], q, code, (1.0 + i / 10) * (t >= begins)) for t, q in enumerate(QUARTERS)]
    policy = Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=tuple(spells), plan=plan)
    frame = pd.DataFrame(doses, columns=["entity", "period", "instrument", "value"])
    return outcomes(y, names), policy, frame


def test_each_instrument_of_the_plan_has_a_result_that_names_it_and_is_moderate_at_most() -> None:
    results = estimate_instruments(*build()[:2], ID, build()[2])
    assert [result.settings["instrument"] for result in results] == ["W1", "W3"]
    for result in results:
        assert result["att"].n_treated == EACH
        assert result.grade in ("moderate", "limited")
        assert "ran alone" in result.say().items[0].en
        assert "单独实施期间" in result.say().items[0].zh
        assert not any("Set afterwards" in note.en for note in result.notes)
        assert "dose_unpredicted" in [check.name for check in result.checks]


@pytest.mark.parametrize(("gap", "first", "counts"), [(3, EACH, {"W1": 0, "W3": 0}), (5, 4, {"W1": 4, "W3": 6})])
def test_too_little_apart_or_too_few_clusters_is_unanswered_with_what_would_be_needed(gap, first, counts) -> None:
    panel, policy, doses = build(gap=gap, first=first)
    results = estimate_instruments(panel, policy, ID, doses)
    assert [result.estimates for result in results] == [(), ()]
    assert dict(results[0].settings["clusters_first"]) == counts
    said = results[0].say().items[0]
    assert "5 clusters are needed for each" in said.en
    assert f"（W1） {counts['W1']} 个" in said.zh
    assert list(results[1].tables["starts"]["instrument"].unique()) == ["W3"]


def test_quarters_of_the_policy_outside_the_time_alone_are_left_out() -> None:
    panel, policy, doses = build(late=2)
    grid = build_grid(panel, policy, ID)
    starts = place_doses(grid, dataclasses.replace(policy, doses=doses))
    cut = cut_alone(grid, starts, "W1")
    assert cut.entities == (*(f"K{i:02d}" for i in range(EACH)), *(f"K{i:02d}" for i in range(2 * EACH, N)))
    seen = np.isfinite(cut.y[0])
    assert seen.tolist() == [t < 8 or 10 <= t < 15 for t in range(len(QUARTERS))]
    assert cut.start[0] == 10
    assert np.isnan(cut.start[EACH:]).all()


def test_what_another_instrument_did_later_cannot_move_the_effect() -> None:
    panel, policy, doses = build()
    moved = panel.data[ID].to_numpy().reshape(N, -1).copy()
    for i in range(2 * EACH):
        moved[i, 8 + i % 3 + 5 :] += 40
    other = outcomes(moved, [f"K{i:02d}" for i in range(N)])
    for a, b in zip(
        estimate_instruments(panel, policy, ID, doses), estimate_instruments(other, policy, ID, doses), strict=True
    ):
        assert a["att"].value == pytest.approx(b["att"].value, abs=1e-9)
        assert a["att"].ci_low == pytest.approx(b["att"].ci_low, abs=1e-9)


def test_the_order_of_rows_and_the_names_of_instruments_and_clusters_change_nothing() -> None:
    panel, policy, doses = build()
    plain = estimate_instruments(panel, policy, ID, doses)
    shuffled = doses.sample(frac=1, random_state=1).reset_index(drop=True)
    y = panel.data[ID].to_numpy().reshape(N, -1)
    order = np.random.default_rng(2).permutation(y.size)
    mixed = estimate_instruments(outcomes(y, [f"K{i:02d}" for i in range(N)], order), policy, ID, shuffled)
    swapped = doses.assign(instrument=doses["instrument"].map({"W1": "W3", "W3": "W1"}))
    turned = estimate_instruments(panel, policy, ID, swapped)[::-1]
    renamed = {f"K{i:02d}": f"Z{N - i:02d}" for i in range(N)}
    spells = tuple(dataclasses.replace(s, entity=renamed[s.entity]) for s in policy.spells)
    named = estimate_instruments(
        outcomes(y, list(renamed.values())), dataclasses.replace(policy, spells=spells), ID,
        doses.assign(entity=doses["entity"].map(renamed)),
    )  # fmt: skip
    for others in (mixed, turned, named):
        for a, b in zip(plain, others, strict=True):
            assert a["att"].value == pytest.approx(b["att"].value, abs=1e-9)
            assert a["att"].std_error == pytest.approx(b["att"].std_error, abs=1e-9)


def test_what_the_locked_plan_does_not_name_is_set_afterwards() -> None:
    panel, policy, doses = build(plan=dataclasses.replace(PLAN, instruments=("W3",)))
    results = estimate_instruments(panel, policy, ID, doses, instruments=["W1", "W3"])
    assert all(any("Set afterwards" in note.en for note in result.notes) for result in results)
    assert all("set afterwards" in result.notes[-1].en for result in results)


def _no_policy(panel: Panel, policy: Policy, doses: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([doses, pd.DataFrame([("K17", QUARTERS[9], "W2", 1.0)], columns=doses.columns)])


def _early(panel: Panel, policy: Policy, doses: pd.DataFrame) -> pd.DataFrame:
    return doses.assign(
        value=np.where((doses["entity"] == "K00") & (doses["period"] == QUARTERS[5]), 1, doses["value"])
    )


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        (None, ["W1", "W2", "W3"], "at most two"),
        (None, ["W9"], "W9"),
        (None, [], "singles out none"),
        (lambda p, q, d: d.assign(value=0.0), ["W1"], "no doses"),
        (lambda p, q, d: d.iloc[:0], ["W1"], "no doses"),
        (_early, ["W1"], "K00: W1 from 2019Q2, the policy from 2020Q1"),
        (_no_policy, ["W1"], "K17: W2 from 2020Q2, no policy"),
        (lambda p, q, d: pd.concat([d, d.iloc[:1]]), ["W1"], "twice"),
        (lambda p, q, d: d.assign(value=-1.0), ["W1"], "-1.0"),
        (lambda p, q, d: d.assign(value="much"), ["W1"], "much"),
        (lambda p, q, d: d.assign(period="sometime"), ["W1"], "sometime"),
        (lambda p, q, d: d.assign(instrument="V1"), ["W1"], "V1"),
        (lambda p, q, d: d.drop(columns="value"), ["W1"], "no value"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_four_lines(
    change: Callable[[Panel, Policy, pd.DataFrame], pd.DataFrame] | None, asked: list[str], said: str
) -> None:
    panel, policy, doses = build()
    given = doses if change is None else change(panel, policy, doses)
    with pytest.raises(PolicyError) as caught:
        estimate_instruments(panel, policy, ID, given, instruments=asked)
    assert caught.value.code == "QB569"
    assert said in str(caught.value)


def test_doses_a_policy_carries_serve_in_the_spelling_of_the_panel() -> None:
    panel, policy, doses = build()
    written = doses.assign(entity=doses["entity"].str.lower())
    carried = estimate_instruments(panel, dataclasses.replace(policy, doses=written), ID)
    plain = estimate_instruments(panel, policy, ID, doses)
    assert carried[0]["att"] == plain[0]["att"]
    with pytest.raises(PolicyError, match="QB569"):
        estimate_instruments(panel, policy, ID)


def test_without_a_plan_nothing_is_declared() -> None:
    panel, policy, doses = build(plan=None)
    with pytest.raises(PolicyError, match="QB569"):
        estimate_instruments(panel, policy, ID, doses)


def test_recent_failures_are_those_of_four_quarters_less_earlier_ones_by_hand() -> None:
    panel, policy, _ = build()
    grid = build_grid(panel, policy, ID)
    by_hand = -(grid.y[:, 4:8].mean(axis=1) - grid.y[:, :4].mean(axis=1))
    assert recent_failures(grid, 8) == pytest.approx(by_hand)
    n = np.full(grid.y.shape, 10.0)
    n[:, 7] = 30
    counted = dataclasses.replace(grid, n=n, k=n * grid.y / 100)
    weighed = 100 - (grid.y[:, 4:8] * [10, 10, 10, 30]).sum(axis=1) / 60 - (100 - grid.y[:, :4].mean(axis=1))
    assert recent_failures(counted, 8) == pytest.approx(weighed)
    assert np.isnan(recent_failures(grid, 4)).all(), "nothing earlier to compare with"


def test_sizes_that_follow_failures_are_found_though_dates_do_not() -> None:
    panel, policy, doses = build()
    grid = build_grid(panel, policy, ID)
    starts = place_doses(grid, dataclasses.replace(policy, doses=doses))
    gaps = np.array([recent_failures(grid, int(s))[i] for i, s in enumerate(starts.own("W1")[:EACH])])
    sizes = starts.size.copy()
    sizes[:EACH, 0] = 5 + gaps
    followed = compare_doses(grid, dataclasses.replace(starts, size=sizes), "W1", seed=1)
    assert followed.p_size < 0.05
    sizes[:EACH, 0] = 1.0
    level = compare_doses(grid, dataclasses.replace(starts, size=sizes), "W1", seed=1)
    assert np.isnan(level.p_size)
    assert level.p_value == level.p_onset == followed.p_onset


@pytest.mark.parametrize(
    ("p", "detectable", "effect", "passed", "said"),
    [
        (math.nan, math.nan, 3.0, False, "cannot be tested"),
        (0.01, 1.0, 3.0, False, "return to normal"),
        (0.5, 1.0, -3.0, True, "80% power"),
        (0.5, 4.0, 3.0, None, "proves nothing"),
    ],
)
def test_a_test_that_cannot_be_made_is_not_passed_and_a_weak_one_adds_nothing(p, detectable, effect, passed, said):
    test = DoseTest(gap=0.5, p_onset=p, p_size=math.nan, p_value=p, detectable=detectable, n_starts=7)
    check = check_doses(test, "W2", effect=effect)
    assert check.passed is passed
    assert said in check.text.en


def advised(case: Case, *, with_doses: bool = True):
    panel, policy, doses = case
    return advise(panel, dataclasses.replace(policy, doses=doses if with_doses else None), ID)


def test_the_advice_tells_where_the_data_carry_the_instruments_of_the_plan_and_the_letter_then_estimates_them() -> None:
    panel, policy, doses = build()
    advice = advised((panel, policy, doses))
    option = advice.find("instruments")
    assert (option.can, option.is_asked, advice.can("instruments")) == (True, True, True)
    assert "innovation (W3) 5" in option.why.en
    assert option.title in [row[0] for row in advice.table().rows]
    assert advice.lead.name == "imputation"
    apart = estimate_instruments(panel, dataclasses.replace(policy, doses=doses), ID)
    limits = [text.en for text in conclude(*apart).limits]
    assert all(any(f"Counts only quarters in which {name}" in text for text in limits) for name in ("agg", "innov"))


@pytest.mark.parametrize(("gap", "first", "n"), [(3, EACH, "(W1) 0, innovation (W3) 0"), (5, 4, "(W1) 4")])
def test_the_advice_counts_the_clusters_where_instruments_cannot_be_told_apart(gap: int, first: int, n: str) -> None:
    option = advised(build(gap=gap, first=first)).find("instruments")
    assert not option.can
    assert "only the whole policy can be judged" in option.why.en
    assert n in option.why.en


def test_the_advice_says_which_doses_are_missing_or_impossible_and_still_leads() -> None:
    panel, policy, doses = build()
    without = advised((panel, policy, doses), with_doses=False)
    assert "no doses of its entities" in without.find("instruments").why.en
    early = doses.assign(value=doses["value"].where(doses["instrument"] != "W1", 1.0))
    advice = advised((panel, policy, early))
    assert not advice.can("instruments")
    assert "before the policy" in advice.find("instruments").why.en
    assert advice.lead.name == without.lead.name == "imputation"


@pytest.mark.parametrize("plan", [None, dataclasses.replace(PLAN, instruments=())])
def test_without_instruments_in_the_plan_the_advice_has_one_sentence_and_no_row_of_them(
    plan: Plan | None,
) -> None:
    advice = advised(build(plan=plan))
    option = advice.find("instruments")
    assert (option.can, option.is_asked) == (False, False)
    table = advice.table()
    assert option.title not in [row[0] for row in table.rows]
    assert "Effects of single instruments: no plan" in table.note.en
    assert option.why.zh in table.note.zh
