"""A pooled figure says who is missing, and a pooled change stands beside that of the same entities."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text, conclude
from qbase.core.errors import PanelError
from qbase.trends import compare_entities, estimate_change, estimate_level, estimate_matched_change

RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")
Rows = list[tuple[str, str, int, int]]
BEFORE, NOW = "2023Q4", "2024Q4"
STEADY: Rows = [(e, q, 1000, k) for e, k in (("A", 980), ("B", 800)) for q in (BEFORE, NOW)]


def panel_of(rows: Rows, entity: str = "cluster_id") -> Panel:
    frame = pd.DataFrame(rows, columns=[entity, "quarter", "y__n", "y__k"])
    frame["y"] = 100 * frame["y__k"] / frame["y__n"]
    return Panel.from_frame(frame, entity=entity, period="quarter", freq="Q", indicators={"y": RATE})


def checks_of(result) -> dict[str, bool | None]:
    return {check.name: check.passed for check in result.checks}


def without(rows: Rows, entity: str, quarter: str) -> Rows:
    return [row for row in rows if row[:2] != (entity, quarter)]


def test_one_of_two_silent_is_no_rise() -> None:
    result = estimate_change(panel_of(without(STEADY, "B", NOW)), "y")
    assert round(result["change"].value, 1) == 9.0
    assert result["matched_change"].value == 0.0
    assert checks_of(result)["same_entities"] is False
    said = result.say()
    assert said.grades == ("limited", "limited")
    assert "the one entity tested in both periods: cannot tell" in said.items[0].en
    assert "全部产业集群" in said.items[1].zh
    assert "cannot tell" in conclude(result).lead.en


def test_one_of_two_new_is_no_fall() -> None:
    result = estimate_change(panel_of(without(STEADY, "B", BEFORE)), "y")
    assert result["matched_change"].value == 0.0
    assert "只在2024 年第 4 季度被抽查：B" in next(c.text.zh for c in result.checks if c.name == "same_entities")


def test_the_same_entities_need_no_twin() -> None:
    result = estimate_change(panel_of(STEADY), "y")
    assert [e.term for e in result.estimates] == ["change"]
    assert checks_of(result)["same_entities"] is True


def test_a_small_one_missing_passes_with_its_twin_beside() -> None:
    rows = [*STEADY, ("C", BEFORE, 10, 9)]
    result = estimate_change(panel_of(rows), "y")
    assert checks_of(result)["same_entities"] is True
    assert result["matched_change"].value == 0.0
    assert result.spoken == (0, 1)


def test_nobody_in_both_is_no_change_at_all() -> None:
    result = estimate_change(panel_of([("A", BEFORE, 100, 90), ("B", NOW, 100, 50)]), "y")
    assert checks_of(result)["same_entities"] is False
    assert [e.term for e in result.estimates] == ["change"]
    assert result.say().grades == ("limited",)


def test_a_row_of_nothing_is_not_tested() -> None:
    rows = [*without(STEADY, "B", NOW), ("B", NOW, 0, 0)]
    frame = panel_of([(*row[:2], max(row[2], 1), row[3]) for row in rows])
    data = frame.data.copy()
    data.loc[("B", pd.Period(NOW)), ["y__n", "y__k", "y"]] = [0, 0, float("nan")]
    found = compare_entities(dataclasses.replace(frame, data=data), "y", first=BEFORE, last=NOW)
    assert found.set_index("entity")["status"].to_dict() == {"A": "both", "B": "stopped"}


def test_who_stopped_when_and_on_which_side() -> None:
    rows = [*without(STEADY, "B", NOW), ("B", "2024Q2", 10, 8), ("C", NOW, 10, 8)]
    policy = Policy(
        policy_id="p",
        title=Text("试点", "pilot"),
        kind="binary",
        spells=(Spell(entity="B", start=pd.Period("2024Q3")),),
    )
    found = compare_entities(panel_of(rows), "y", first=BEFORE, last=NOW, policy=policy).set_index("entity")
    assert found.loc["B", ["side", "status", "last_tested"]].tolist() == ["treated", "stopped", "2024Q2"]
    assert found.loc["C", ["side", "status", "first_tested"]].tolist() == ["comparison", "started", "2024Q4"]
    assert found.loc["A", "status"] == "both"


def test_the_matched_change_alone() -> None:
    panel = panel_of(without(STEADY, "B", NOW))
    assert estimate_matched_change(panel, "y", first=BEFORE, last=NOW).estimates[0].value == 0.0
    with pytest.raises(PanelError, match="QB127"):
        estimate_matched_change(panel_of([("A", BEFORE, 9, 9), ("B", NOW, 9, 9)]), "y", first=BEFORE, last=NOW)


def test_a_level_of_all_says_how_many_of_how_many() -> None:
    result = estimate_level(panel_of(without(STEADY, "B", NOW)), "y")
    assert checks_of(result)["all_entities"] is False
    assert "1 of the 2 on record were tested; missing: B" in result.say().items[0].en
    assert "+9.0 points off" in result.say().items[0].en
    assert checks_of(estimate_level(panel_of(STEADY), "y"))["all_entities"] is True


def test_a_level_of_before_somebody_came_is_whole_as_far_as_can_be_told() -> None:
    result = estimate_level(panel_of(without(STEADY, "B", BEFORE)), "y", period=BEFORE)
    assert checks_of(result)["all_entities"] is None


def test_one_entity_and_drawn_firms_have_no_composition_to_check() -> None:
    alone = estimate_change(panel_of(STEADY), "y", entity="A")
    firms = estimate_change(panel_of(without(STEADY, "B", NOW), entity="firm_id"), "y")
    assert "same_entities" not in checks_of(alone) | checks_of(firms)
    assert "all_entities" not in checks_of(estimate_level(panel_of(without(STEADY, "B", NOW), entity="firm_id"), "y"))
