"""Each check of credibility finds what it looks for, and keeps its size where there is nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qbase.core import Policy, PolicyDate, Spell, Text, UsageError
from qbase.effects.comparison.bad_controls import refuse_bad_controls
from qbase.effects.credibility.all_checks import check_credibility, column_of, periods_announced
from qbase.effects.credibility.grid_tests import measure_att
from qbase.effects.credibility.placebo_checks import (
    check_anticipation,
    check_placebo_in_time,
    check_placebo_outcome,
    check_spillover,
)
from qbase.effects.credibility.stability_checks import (
    check_attrition,
    check_leave_one_out,
    check_same_entities,
    check_same_yardstick,
)
from qbase.effects.credibility.timing_checks import (
    check_regression_to_mean,
    check_rush,
    check_serial_correlation,
)
from tests.unit.effects.credibility_grids import RATE, make_grid, mean_difference, noise

STARTS = dict.fromkeys(range(8), 12)
MIXED = {i: 10 + 2 * (i % 3) for i in range(9)}


def moved(rows: slice, columns: slice, by: float, *, seed: int = 1) -> np.ndarray:
    y = noise(seed=seed)
    y[rows, columns] += by
    return y


def test_a_large_true_effect_is_no_effect_before_the_policy() -> None:
    grid = make_grid(moved(slice(0, 8), slice(12, None), 30), STARTS)
    assert measure_att(grid, mean_difference).value == pytest.approx(30, abs=3)
    check = check_placebo_in_time(grid, mean_difference)
    assert check.passed is True
    assert abs(check.table["value"][0]) < 5


def test_a_divergence_before_the_policy_is_a_placebo_effect() -> None:
    check = check_placebo_in_time(make_grid(moved(slice(0, 8), slice(8, None), 8), STARTS), mean_difference)
    assert check.passed is False
    assert "there is an “effect”" in check.text.en
    assert "已有“效果”" in check.text.zh


@pytest.mark.parametrize("starts", [STARTS, MIXED])
def test_the_placebo_keeps_its_size(starts) -> None:
    failed = [
        check_placebo_in_time(make_grid(noise(seed=s), starts), mean_difference).passed is False for s in range(200)
    ]
    assert np.mean(failed) < 0.11


def test_too_few_treated_or_no_history_give_no_placebo() -> None:
    assert check_placebo_in_time(make_grid(noise(), {0: 12, 1: 12}), mean_difference).passed is None
    assert check_placebo_in_time(make_grid(noise(), dict.fromkeys(range(8), 3)), mean_difference).passed is None


def test_an_early_reaction_is_anticipation() -> None:
    early = make_grid(moved(slice(0, 8), slice(10, None), 8), STARTS)
    assert check_anticipation(early, mean_difference, periods=2).passed is False
    assert check_anticipation(make_grid(noise(), STARTS), mean_difference, periods=2).passed is True


def test_an_outcome_the_policy_cannot_move_must_not_move() -> None:
    still, other = make_grid(noise(seed=2), STARTS), make_grid(moved(slice(0, 8), slice(12, None), 9), STARTS)
    assert check_placebo_outcome({"price": still}, mean_difference).passed is True
    check = check_placebo_outcome({"price": still, "rain": other}, mean_difference)
    assert check.passed is False
    assert "rain" in check.text.en
    assert list(check.table["outcome"]) == ["price", "rain"]


def test_several_placebo_outcomes_share_the_level() -> None:
    failed = []
    for seed in range(120):
        grids = {str(j): make_grid(noise(seed=1000 * j + seed), STARTS) for j in range(5)}
        failed.append(check_placebo_outcome(grids, mean_difference).passed is False)
    assert np.mean(failed) < 0.12


def test_neighbours_that_move_with_the_treated_are_spillover() -> None:
    arm = {f"K{i:02d}": ("K00", "K01") for i in range(8, 13)}
    with_effect = moved(slice(0, 8), slice(12, None), 20)
    assert check_spillover(make_grid(with_effect, STARTS), mean_difference, arm).passed is True
    with_effect[8:13, 12:] += 8
    assert check_spillover(make_grid(with_effect, STARTS), mean_difference, arm).passed is False
    assert check_spillover(make_grid(with_effect, STARTS), mean_difference, {}).passed is None


def test_one_cluster_that_carries_the_effect_turns_the_sign() -> None:
    y = moved(slice(0, 8), slice(12, None), -1.5)
    y[0, 12:] += 30
    check = check_leave_one_out(make_grid(y, STARTS), mean_difference)
    assert check.passed is False
    assert "K00" in check.text.en
    assert len(check.table) == 24


def test_an_effect_of_all_keeps_its_sign() -> None:
    grid = make_grid(moved(slice(0, 8), slice(12, None), 8), STARTS)
    check = check_leave_one_out(grid, mean_difference)
    assert check.passed is True
    assert check.table["value"].min() <= measure_att(grid, mean_difference).value <= check.table["value"].max()
    assert check_leave_one_out(make_grid(noise(), {0: 12}), mean_difference).passed is None


def test_who_turns_the_sign_is_named_by_name_where_there_is_one() -> None:
    y = noise(sd=0.5)
    y[0, 12:] += 40
    y[1:8, 12:] -= 3
    grid = make_grid(y, STARTS)
    assert "without K00 its sign turns" in check_leave_one_out(grid, mean_difference).text.en
    named = dataclasses.replace(grid, labels={"K00": Text("甲集群", "First cluster")})
    check = check_leave_one_out(named, mean_difference)
    assert "without First cluster its sign turns" in check.text.en
    assert "剔除甲集群时变号" in check.text.zh
    y = noise(sd=0.01)
    y[:8, 12:] += np.array([5, -5, 5, -5, 5, -5, 5, -5])[:, None] + 0.1
    assert "(or one of 1 more)" in check_leave_one_out(make_grid(y, STARTS), mean_difference).text.en


def test_clusters_of_several_entities_are_left_out_together() -> None:
    grid = make_grid(noise(), STARTS)
    paired = dataclasses.replace(grid, cluster=np.arange(24) // 2)
    assert check_leave_one_out(paired, mean_difference).table["left_out"][0] == "K00, K01"


def test_leaving_the_data_with_the_policy_is_attrition() -> None:
    y = noise()
    assert check_attrition(make_grid(y, STARTS), mean_difference).passed is True
    rng = np.random.default_rng(5)
    y[8:] = np.where(rng.random((16, 20)) < 0.1, np.nan, y[8:])
    y[:8, 12:] = np.where(rng.random((8, 8)) < 0.5, np.nan, y[:8, 12:])
    y[:, 0], y[:, 12] = 85, 85
    assert check_attrition(make_grid(y, STARTS), mean_difference).passed is False


def test_entities_seen_throughout_tell_another_story_where_the_bad_ones_leave() -> None:
    y = noise(sd=0.5)
    assert check_same_entities(make_grid(y, STARTS), mean_difference).passed is True
    y[:3, 12:] += 12
    y[:3, 13] = np.nan
    assert check_same_entities(make_grid(y, STARTS), mean_difference).passed is False


def test_a_yardstick_that_moves_with_the_policy_is_found() -> None:
    constant = make_grid(noise(), STARTS)
    eased = dataclasses.replace(constant, y=constant.y + 0.3 * np.random.default_rng(3).normal(size=(24, 20)))
    assert check_same_yardstick(eased, constant, mean_difference).passed is True
    y = eased.y.copy()
    y[:8, 12:] += 4
    check = check_same_yardstick(dataclasses.replace(eased, y=y), constant, mean_difference)
    assert (check.name, check.passed) == ("same_yardstick", False)


def test_entities_left_out_are_no_clusters() -> None:
    """Twelve of 24 entities in the middle are left out: what is left has 12 clusters, as a grid of these alone."""
    y, eased = noise(), noise() + np.random.default_rng(3).normal(size=(24, 20))
    rows = (np.arange(24) < 8) | (np.arange(24) >= 20)
    found = check_same_yardstick(*(make_grid(v, STARTS).keep(rows) for v in (eased, y)), mean_difference)
    assert found.text == check_same_yardstick(*(make_grid(v[rows], STARTS) for v in (eased, y)), mean_difference).text
    pairs = dataclasses.replace(make_grid(y, STARTS), cluster=np.arange(24) // 2).keep(rows)
    assert pairs.cluster.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_choice_made_in_a_bad_spell_is_regression_to_the_mean() -> None:
    check = check_regression_to_mean(make_grid(moved(slice(0, 8), slice(8, 12), -6), STARTS))
    assert check.passed is False
    assert "no effect" in check.text.en
    assert check_regression_to_mean(make_grid(noise(), STARTS)).passed is True
    good = check_regression_to_mean(make_grid(moved(slice(0, 8), slice(8, 12), 6), STARTS))
    assert good.passed is True
    assert check_regression_to_mean(make_grid(noise(), dict.fromkeys(range(8), 3))).passed is None


def test_where_less_is_better_a_bad_spell_is_a_rise() -> None:
    fails = dataclasses.replace(RATE, better="down")
    assert check_regression_to_mean(make_grid(moved(slice(0, 8), slice(8, 12), 6), STARTS, fails)).passed is False


def test_a_dip_shared_by_all_is_no_selection() -> None:
    assert check_regression_to_mean(make_grid(moved(slice(0, None), slice(8, 12), -6), STARTS)).passed is True


def test_the_dip_keeps_its_size() -> None:
    failed = [check_regression_to_mean(make_grid(noise(seed=s), MIXED)).passed is False for s in range(300)]
    assert np.mean(failed) < 0.06


def test_a_rush_before_acceptance_is_gone_after_it() -> None:
    assert check_rush(make_grid(moved(slice(0, 8), slice(14, 16), 7), STARTS), 15).passed is False
    assert check_rush(make_grid(moved(slice(0, 8), slice(12, None), 7), STARTS), 15).passed is True
    assert check_rush(make_grid(noise(), {0: 12}), 15).passed is None
    assert check_rush(make_grid(noise(), STARTS), 19).passed is None


def lingering(rho: float, seed: int = 1) -> np.ndarray:
    shock = np.random.default_rng(seed).normal(size=(24, 20))
    for t in range(1, 20):
        shock[:, t] += rho * shock[:, t - 1]
    return 85 + shock


def test_errors_that_linger_fail_only_where_the_standard_errors_deny_it() -> None:
    assert check_serial_correlation(make_grid(lingering(0.7), STARTS), vcov="iid").passed is False
    assert check_serial_correlation(make_grid(lingering(0.7), STARTS), vcov="CRV3").passed is None
    independent = [
        check_serial_correlation(make_grid(noise(seed=s), STARTS), vcov="iid").passed is False for s in range(60)
    ]
    assert np.mean(independent) < 0.12


@pytest.mark.parametrize("control", ["N3", "N4", "L7", "L8", "W2b", "risk_class", "credit_grade", "W7", "D1.batch__n"])
def test_what_the_policy_moves_is_refused_as_control(control: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_bad_controls(["industry", control])
    assert caught.value.code == "QB563"
    assert control in str(caught.value)
    assert "不能作控制变量" in caught.value.what_zh


def test_what_it_cannot_move_is_let_through_and_counts_of_the_baseline_too() -> None:
    refuse_bad_controls(["industry_code", "size_class", "L7_other"])
    refuse_bad_controls(["D1.batch__n", "risk_class", "credit_grade"], is_baseline=True)
    with pytest.raises(UsageError, match="QB563"):
        refuse_bad_controls(["L7"], is_baseline=True)


def policy_with(**days: str) -> Policy:
    dates = {name: PolicyDate(on=day, source="通知", confidence="document") for name, day in days.items()}
    return Policy(
        policy_id="base", title=Text("基地", "Base"), spells=(Spell(entity="K00", start="2023Q1"),), dates=dates
    )


def test_all_checks_that_can_be_made_are_made_once() -> None:
    grid, policy = make_grid(noise(), STARTS), policy_with(announced="2022-08-10", effective="2023-01-05")
    names = [c.name for c in check_credibility(grid, mean_difference, policy)]
    assert names == [
        "placebo_in_time", "anticipation", "regression_to_mean", "leave_one_out", "attrition",
        "same_entities_effect", "serial_correlation", "not_checked",
    ]  # fmt: skip
    unmade = check_credibility(grid, mean_difference, policy)[-1]
    assert unmade.passed is None
    assert unmade.text.en.count(";") == 3, "rush, placebo outcome, spillover and yardstick, each with its reason"
    accepted = policy_with(effective="2023-01-05", accepted="2023-11-01")
    more = check_credibility(
        grid, mean_difference, accepted, placebos={"price": grid}, neighbours={"K10": ("K00",)}, constant=grid
    )
    assert [c.name for c in more][7:] == ["rush", "placebo_outcome", "spillover", "same_yardstick"]
    assert all(c.text.zh and c.text.en for c in more), "and nothing is left that could not be checked"


def test_the_yardstick_is_judged_on_cells_that_have_both_outcomes() -> None:
    y = noise()
    grid, policy = make_grid(y, STARTS), policy_with(effective="2023-01-05")
    moved_up = y.copy()
    for i, start in STARTS.items():
        moved_up[i, start:] += 6
    shorter = dataclasses.replace(make_grid(y[:, 2:], {i: s - 2 for i, s in STARTS.items()}), first=grid.first + 2)
    checks = check_credibility(make_grid(moved_up, STARTS), mean_difference, policy, constant=shorter)
    assert {c.name: c.passed for c in checks}["same_yardstick"] is False
    # of other draws than the constant outcome, the grid itself says nothing of the yardstick
    held = check_credibility(make_grid(moved_up, STARTS), mean_difference, policy, constant=shorter, as_judged=grid)
    assert {c.name: c.passed for c in held}["same_yardstick"] is True


def test_the_spillover_arm_is_no_control_of_the_main_checks() -> None:
    y = moved(slice(0, 8), slice(12, None), 8)
    y[8:12, 8:12] -= 60
    arm = {f"K{i:02d}": ("K00",) for i in range(8, 12)}
    policy = policy_with(effective="2023-01-05")
    first = check_credibility(make_grid(y, STARTS), mean_difference, policy, neighbours=arm)[0]
    assert first.passed is True
    assert check_credibility(make_grid(y, STARTS), mean_difference, policy)[0].passed is not True


def test_dates_of_the_policy_are_columns_of_the_grid() -> None:
    grid = make_grid(noise(), STARTS)  # from 2020Q1
    policy = policy_with(announced="2022-08-10", effective="2023-01-05", accepted="2030-01-01")
    assert (column_of(policy, "effective", grid), column_of(policy, "accepted", grid)) == (12, None)
    assert column_of(policy, "funded", grid) is None
    assert periods_announced(policy, grid) == 2
    assert periods_announced(policy_with(effective="2023-01-05"), grid) == 1
