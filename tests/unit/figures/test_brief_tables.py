"""Tables of the quarterly brief: every row has its interval and its word, or says why it has none."""

from __future__ import annotations

import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Margin, Panel, Text
from qbase.figures import tabulate_changes, tabulate_failed_items, tabulate_followup
from qbase.indicators.measures.failed_items import rank_items
from qbase.stats import wilson_interval
from qbase.trends import estimate_change, estimate_followup, estimate_level

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
TWO = Margin(value=2.0, source=Text("方案第 4 条", "plan, item 4"), declared_on="2022-05-01")


def panel_of(*rows: tuple[str, str, int, int], name: str = ID) -> Panel:
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", f"{name}__n", f"{name}__k"])
    frame[name] = 100 * frame[f"{name}__k"] / frame[f"{name}__n"]
    indicator = Indicator(id=name, name=RATE.name, unit="pct", better="up")
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={name: indicator})


def compare(panel: Panel, entity: str | None):
    level = estimate_level(panel, ID, entity=entity)
    kinds = ("year_ago", "previous", "cumulative")
    return level, [estimate_change(panel, ID, entity=entity, against=a, margin=TWO) for a in kinds]  # type: ignore[arg-type]


def test_rows_are_this_period_and_its_comparisons_with_their_words() -> None:
    rows = [("K1", q, 1000, k) for q, k in (("2023Q3", 700), ("2023Q4", 800), ("2024Q3", 910), ("2024Q4", 900))]
    level, changes = compare(panel_of(*rows), "K1")
    table = tabulate_changes(level, *changes)
    heads = [row[0].zh for row in table.rows]
    assert heads == [
        "本期：2024 年第 4 季度", "同比：2024Q4 比 2023Q4", "环比：2024Q4 比 2024Q3",
        "累计同比：2024Q1–Q4 比 2023Q1–Q4",
    ]  # fmt: skip
    assert [str(row[-1].zh) for row in table.rows[1:]] == ["改善", "看不出升降", "改善"]
    assert [(row[1], row[2]) for row in table.rows] == [
        ("90.0%", "–"), ("90.0%", "80.0%"), ("90.0%", "91.0%"), ("90.5%", "75.0%"),
    ]  # fmt: skip
    # the raw values are those of the results
    assert table.data["value"] == [90.0] + [c["change"].value for c in changes]
    assert table.data["ci_low"][1:] == [c["change"].ci_low for c in changes]


def test_entities_tested_in_both_periods_have_a_row_of_their_own() -> None:
    rows = [("K1", "2023Q4", 100, 80), ("K1", "2024Q4", 100, 85), ("K2", "2024Q4", 100, 60)]
    level, (change, *_) = compare(panel_of(*rows), None)
    table = tabulate_changes(level, change)
    assert {e.term for e in change.estimates} >= {"change", "matched_change"}
    assert any("两期都抽到的对象" in row[0].zh for row in table.rows)
    assert len(table.rows) == 1 + len(change.estimates) == len(table.data["term"])


def test_a_comparison_without_an_answer_says_why() -> None:
    level, changes = compare(panel_of(("K1", "2024Q4", 30, 27)), "K1")
    rows = tabulate_changes(level, *changes).rows
    assert [row[1:6] for row in rows[1:]] == [("–",) * 5] * 3
    assert all("没有抽查记录" in row[-1].zh for row in rows[1:])


def test_items_beyond_the_label_come_first_whatever_the_order_of_rows() -> None:
    counted = pd.DataFrame(
        {
            "product": ["纱", "纱", "布", "布"], "item": ["标签", "强度", "强度", "色牢度"],
            "is_label": [True, False, False, False], "n": [40, 40, 20, 20], "k": [9, 4, 4, 0], "n_firms": [5, 3, 4, 0],
        }
    )  # fmt: skip
    ranked = rank_items(counted)
    assert list(zip(ranked["product"], ranked["item"], strict=True)) == [("布", "强度"), ("纱", "强度"), ("纱", "标签")]
    pd.testing.assert_frame_equal(ranked, rank_items(counted.iloc[::-1]))
    low, high = wilson_interval([4], [20])
    assert (ranked["ci_low"][0], ranked["ci_high"][0]) == (100 * low[0], 100 * high[0])
    assert rank_items(counted[counted["k"] == 0]).empty


def test_follow_up_without_records_says_no_data_and_draws_no_number() -> None:
    results = estimate_followup(panel_of(("K1", "2024Q4", 30, 27)), entity="K1")
    table = tabulate_followup(*results)
    assert [row[1].zh for row in table.rows] == ["没有数据"] * 5
    assert [r.estimates for r in results] == [()] * 5
    assert all("没有数据" in r.say().items[0].zh for r in results)
    assert tabulate_followup(results[3]).rows[0][4] == "2024Q4"


def test_orders_of_the_year_are_added_up_and_other_years_left_out() -> None:
    name = "D1c.recheck"
    rows = [("K1", q, n, k) for q, n, k in (("2023Q4", 50, 0), ("2024Q1", 4, 3), ("2024Q3", 5, 5), ("2024Q4", 1, 0))]
    panel = panel_of(*rows, ("K2", "2024Q2", 10, 10), name=name)
    alone, pooled = estimate_followup(panel, entity="K1")[0], estimate_followup(panel)[0]
    assert (alone["rate"].n_obs, alone["rate"].value) == (10, 80.0)
    assert (pooled["rate"].n_obs, pooled["rate"].value) == (20, 90.0)
    low, high = wilson_interval([8], [10])
    assert (alone["rate"].ci_low, alone["rate"].ci_high) == (100 * low[0], 100 * high[0])


def test_nothing_to_tabulate_is_refused() -> None:
    level, changes = compare(panel_of(("K1", "2024Q4", 30, 27)), "K1")
    for call in (lambda: tabulate_changes(changes[0]), tabulate_followup):
        with pytest.raises(DataError) as caught:
            call()
        assert caught.value.code == "QB707"
    assert tabulate_changes(level).rows[0][1] == "90.0%"


def test_failed_items_table_says_why_it_is_empty(tmp_path) -> None:
    from qbase.demo import build_province
    from qbase.demo.sending.tidy_files import write_tidy
    from qbase.indicators import build_panel, read_failed_items, read_followup
    from qbase.intake import load_files
    from qbase.lake import Workspace

    tables = build_province("small").tables
    drawn = tables["inspections"]
    drawn = drawn[drawn["sample_date"].astype(str).str[:4] == "2024"]
    workspace = Workspace.create(tmp_path / "home")
    kept = {"firms": tables["firms"], "clusters": tables["clusters"], "inspections": drawn}
    load_files(workspace, write_tidy(tmp_path / "deliveries", kept))
    found = read_failed_items(workspace, build_panel(workspace, "D1.batch"), subject="K001")
    assert tabulate_failed_items(found).rows[0][0].zh == "没有检验项目明细"
    # no register of follow-up either: nothing is made up for it
    assert list(read_followup(workspace).indicators) == ["D1.batch"]
