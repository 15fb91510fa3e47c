"""A policy file that is well written and cannot be meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd
import pytest

from qbase.core.errors import DataError
from qbase.core.policy import Policy, PolicyDate, Spell
from qbase.core.text import Text
from qbase.demo import build_province
from qbase.indicators.policies.policy_rules import check_sense, find_rarities

POLICY = Policy(
    policy_id="zhili-2022",
    title=Text("创建优质产品生产基地", "quality bases"),
    spells=(Spell(entity="K001", start=pd.Period("2022Q1", freq="Q"), end=None),),
    dates={"announced": PolicyDate(on="2022-01-10", source="镇政府文件", confidence="document")},
)


def target(**given: str) -> Mapping[str, str]:
    return {"indicator_id": "N5", "unit_code": "pct", "value": "95"} | given


@pytest.mark.parametrize(
    "row",
    [
        target(),
        target(value="100"),
        target(value=""),
        target(indicator_id="D3b.loss", value="0.5"),
        target(indicator_id="L1", unit_code="item", value="2"),
        target(indicator_id="L4.output", value="-3"),
        target(indicator_id="L15.zone", unit_code="flag", value="1"),
        target(indicator_id="L2.lead", unit_code="pp", value="1.5"),
        target(indicator_id="D6.rank", unit_code="rank", value="3"),
    ],
)
def test_targets_that_can_be_met_pass(row: Mapping[str, str]) -> None:
    check_sense(POLICY, [row])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (target(unit_code="share"), 'unit = "pct"'),
        (target(unit_code="percent"), 'unit = "pct"'),
        (target(value="950"), "0 … 100 pct"),
        (target(value="-5"), "0 … 100 pct"),
        (target(value="0.95"), "value = 95"),
        (target(indicator_id="L15.zone", unit_code="flag", value="2"), "0 … 1 flag"),
        (target(indicator_id="L1", unit_code="item", value="-1"), "0 … inf item"),
    ],
)
def test_targets_in_another_unit_or_out_of_reach_are_refused(row: Mapping[str, str], said: str) -> None:
    with pytest.raises(DataError, match="QB448") as caught:
        check_sense(POLICY, [row])
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_nobody_is_treated_before_the_policy_has_a_date() -> None:
    early = (Spell(entity="K001", start=pd.Period("2021Q4", freq="Q"), end=None),)
    with pytest.raises(DataError, match="2022Q1 or later"):
        check_sense(dataclasses.replace(POLICY, spells=early), [])


@pytest.mark.parametrize("name", ["zhi li", "<script>", "-x", "a/b"])
def test_an_id_can_be_typed_in_a_command(name: str) -> None:
    with pytest.raises(DataError, match="QB448"):
        check_sense(dataclasses.replace(POLICY, policy_id=name), [])
    check_sense(dataclasses.replace(POLICY, policy_id="基地.2022_a-1"), [])


def test_the_targets_of_the_demo_are_indicators_in_their_units() -> None:
    targets = build_province("small").tables["targets"].astype({"value": object})
    rows = [{k: "" if pd.isna(v) else str(v) for k, v in row.items()} for row in targets.to_dict("records")]
    assert len(rows) > 15
    check_sense(POLICY, rows)


def on(day: str) -> PolicyDate:
    return PolicyDate(on=day, source="镇政府公报2022年第3期", confidence="document")


def test_an_effect_before_the_announcement_is_told_with_its_source() -> None:
    late = dataclasses.replace(POLICY, dates={"announced": on("2022-03-01"), "effective": on("2022-01-01")})
    (warning,) = find_rarities(late)
    for text in (warning.zh, warning.en):
        assert "2022-03-01" in text
        assert "2022-01-01" in text
        assert "镇政府公报2022年第3期" in text


@pytest.mark.parametrize("dates", [{"announced": "2022-01-01", "effective": "2022-01-01"}, {"effective": "2022-01-01"}])
def test_the_usual_order_of_dates_is_no_news(dates: Mapping[str, str]) -> None:
    usual = dataclasses.replace(POLICY, dates={name: on(day) for name, day in dates.items()})
    assert find_rarities(usual) == ()
