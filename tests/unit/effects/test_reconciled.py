"""Two estimates of one policy on one page are reconciled in words, in both languages."""

from __future__ import annotations

import dataclasses

import pytest

from qbase.core import Estimate, Indicator, Result, Text, UsageError
from qbase.effects import find_alike, reconcile, reconcile_all

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def effect(method: str, value: float, error: float, *, policy: str = "base", unit: str = "pp", **settings) -> Result:
    att = Estimate(
        term="att", value=value, std_error=error, ci_low=value - 2 * error, ci_high=value + 2 * error, n_obs=240,
        n_treated=5,
    )  # fmt: skip
    return Result(
        estimand="effect", outcome=RATE, unit=unit, method=method, estimates=(att,), subject=Text("集群", "clusters"),
        settings={"policy": policy, "sampling": "naive", "weights": None, **settings},
    )  # fmt: skip


LEAD, OTHER = effect("imputation", 2.9, 1.5), effect("group_time", -1.1, 6.3)


def test_values_gap_base_and_leader_are_said() -> None:
    said = reconcile(LEAD, OTHER)
    assert "+2.9 percentage points" in said.en
    assert "They differ by 4.0 percentage points" in said.en
    assert "base: the average of all periods before, against the single period before" in said.en
    assert said.en.endswith("The imputation estimate leads: its standard error is 0.2 times that of the other.")
    assert "基期：前者为政策前各期的平均，后者为政策前一期" in said.zh
    assert said.zh.endswith("以插补估计为准：其标准误是另一个的 0.2 倍。")


def test_what_is_alike_is_not_listed() -> None:
    said = reconcile(LEAD, OTHER)
    for word in ("weights:", "sample:", "assumption:"):
        assert word not in said.en
    assert "nothing that they state" in reconcile(LEAD, LEAD, because=Text("同一个", "the same")).en


def test_weights_sample_and_assumption_are_said_where_they_differ() -> None:
    said = reconcile(LEAD, effect("twfe", 2.0, 1.6, weights="n", sampling="random_draw"))
    assert "weights: every entity alike, against batches tested" in said.en
    assert "sample: all batches as drawn" in said.en
    assert "assumption:" in said.en
    assert "受抽查量影响" in said.zh


def test_whether_they_lead_to_the_same_words_is_said() -> None:
    assert "lead to the same words" in reconcile(LEAD, OTHER).en
    assert "do not lead to the same words" in reconcile(effect("imputation", 5.0, 1.0), OTHER).en


def test_random_draws_lead_because_their_mix_cannot_move() -> None:
    drawn = effect("imputation", 2.0, 3.0, sampling="random_draw")
    assert "rests on random draws" in reconcile(drawn, LEAD).en


def test_a_given_reason_is_the_reason() -> None:
    said = reconcile(OTHER, LEAD, because=Text("锁定的方案指定了它", "the locked plan names it"))
    assert said.en.endswith("Group-time effects lead: the locked plan names it.")
    assert reconcile(OTHER, LEAD).en.endswith("it was named to lead.")


def test_an_unknown_method_is_said_by_its_name() -> None:
    assert "ridge" in reconcile(effect("ridge", 1, 1), OTHER).en


@pytest.mark.parametrize("other", [effect("group_time", 1, 1, policy="kiln"), effect("group_time", 1, 1, unit="index")])
def test_two_policies_or_units_are_refused(other: Result) -> None:
    with pytest.raises(UsageError) as caught:
        reconcile(LEAD, other)
    assert caught.value.code == "QB560"


def test_no_interval_is_said_as_such() -> None:
    bare = Estimate(term="att", value=1.0, n_treated=2, uncertainty="none_too_few")
    said = reconcile(LEAD, dataclasses.replace(OTHER, estimates=(bare,)))
    assert "no interval can be given" in said.en


def test_the_stated_base_comes_before_that_of_the_method() -> None:
    varying = effect("group_time", -1.1, 6.3, base="varying")
    assert "against the period before each" in reconcile(LEAD, varying).en
    assert "base: the whole path before" in reconcile(effect("synthetic_sc", 1, 1), varying).en


def test_every_estimate_beside_the_leading_one_is_said_once_with_what_differs() -> None:
    drawn = effect("imputation", 2.0, 1.0, sampling="random_draw")
    items = reconcile_all(drawn, LEAD, OTHER).items
    assert len(items) == 2
    for other, item in zip((LEAD, OTHER), items, strict=True):
        said = other.say().items[0]
        assert said.en in item.en
        assert said.zh in item.zh
        assert drawn.say().items[0].en not in item.en
    assert items[0].en.startswith("The imputation estimate (all batches as drawn): ")
    assert "sample: random draws only, against all batches as drawn." in items[0].en
    assert "240" not in items[0].en.split("What differs:")[1]
    assert [t.en for t in reconcile_all(drawn).items] == ["There is one estimate only."]


def test_estimates_of_another_question_are_no_assumption() -> None:
    other_outcome = dataclasses.replace(OTHER, outcome=dataclasses.replace(RATE, id="D1.rejudged"))
    assert find_alike(LEAD, OTHER, other_outcome) == (LEAD, OTHER)
    assert find_alike(LEAD, effect("group_time", 1.0, 2.0, weight="n")) == ()
    assert find_alike(LEAD) == ()
    assert (
        find_alike(
            dataclasses.replace(LEAD, estimates=(dataclasses.replace(LEAD.estimates[0], term="event"),)), OTHER, OTHER
        )
        == ()
    )
