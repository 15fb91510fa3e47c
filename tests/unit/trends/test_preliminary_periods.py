"""A period whose results are still coming is shown with its bounds, and never spoken of, compared or judged."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest

from qbase.core import DataError, Estimate, Indicator, Panel, Result, Text, conclude, say_each
from qbase.core.periods import parse_period
from qbase.core.results.records import build_record, record
from qbase.figures import plot_trend, tabulate_estimates, tiles_of
from qbase.indicators.maturity.maturity_table import Maturity, add_bounds
from qbase.scorecards import score_targets
from qbase.trends import (
    estimate_breaks,
    estimate_change,
    estimate_control,
    estimate_gap,
    estimate_level,
    estimate_standard_change,
    estimate_trend,
)

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
QUARTERS = ["2024Q3", "2024Q4", "2025Q3", "2025Q4"]


def make_panel(entities: tuple[str, ...] = ("K1",), indicator: Indicator = RATE) -> Panel:
    rows = [(e, q, 90.0, 40, 36) for e in entities for q in QUARTERS]
    columns = ["cluster_id", "quarter", indicator.id, f"{indicator.id}__n", f"{indicator.id}__k"]
    return Panel.from_frame(
        pd.DataFrame(rows, columns=columns),
        entity="cluster_id", period="quarter", freq="Q", indicators={indicator.id: indicator},
    )  # fmt: skip


def make_maturity(pending: dict[tuple[str, str], int]) -> Maturity:
    """Forty batches in each quarter, of which so many are tested and not published; of the others 90 % passed."""
    keys = [(e, parse_period(q)) for e in sorted({e for e, _ in pending}) for q in QUARTERS]
    rows = []
    for entity, quarter in keys:
        waiting = pending.get((entity, str(quarter)), 0)
        rows.append((0, waiting, 0, 40 - waiting, round(0.9 * (40 - waiting)), 0))
    columns = ["n_sampled", "n_tested", "n_objection", "n_final", "k_final", "unseen_count"]
    index = pd.MultiIndex.from_tuples(keys, names=["entity", "period"])
    table = add_bounds(pd.DataFrame(rows, columns=columns, index=index))
    return Maturity(table=table, by_age=pd.DataFrame(), as_of="2026-01-15", least_share=0.95)


YOUNG = make_maturity({("K1", "2025Q4"): 30})


def test_the_last_complete_quarter_is_spoken_of_and_the_sentence_says_why() -> None:
    result = estimate_level(make_panel(), ID, entity="K1", maturity=YOUNG)
    assert [e.key["period"] for e in result.estimates] == QUARTERS[:3], "no estimate of a preliminary quarter"
    (sentence,) = result.say().items
    assert sentence.zh.startswith("2025 年第 3 季度")
    assert "2025 年第 4 季度尚有 30 批结果待定（已检未公布 30 批；截至 2026-01-15），标为初步，不作判断" in sentence.zh
    assert "2025 Q4 is preliminary and gets no verdict: 30 results are pending" in sentence.en
    (check,) = [c for c in result.checks if c.name == "maturity"]
    assert check.passed is None
    assert "初步" not in estimate_level(make_panel(), ID, entity="K1").say().items[0].zh


def test_the_series_carries_the_flag_and_both_bounds() -> None:
    series = estimate_level(make_panel(), ID, entity="K1", maturity=YOUNG).tables["series"]
    assert series["is_preliminary"].tolist() == [False, False, False, True]
    last = series.iloc[-1]
    assert (last["n"], last["k"], last["pending_count"], last["rate_pct"]) == (10, 9, 30, 90.0)
    assert (last["low_pct"], last["high_pct"]) == (22.5, 97.5)
    assert math.isnan(last["ci_low"]), "an interval would speak of chance alone"


def test_a_change_never_ends_or_begins_in_a_preliminary_quarter() -> None:
    change = estimate_change(make_panel(), ID, entity="K1", maturity=YOUNG)
    assert dict(change["change"].key) == {"first": "2024Q3", "period": "2025Q3", "entity": "K1"}
    base = make_maturity({("K1", "2024Q3"): 30, ("K1", "2025Q4"): 30})
    for call in (
        lambda: estimate_change(make_panel(), ID, entity="K1", first="2024Q3", maturity=base),
        lambda: estimate_change(make_panel(), ID, entity="K1", last="2025Q4", maturity=YOUNG),
        lambda: estimate_level(make_panel(), ID, entity="K1", period="2025Q4", maturity=YOUNG),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert caught.value.code == "QB506"
        assert len(str(caught.value).splitlines()) == 4


def test_of_a_subject_with_preliminary_periods_alone_every_estimate_says_so() -> None:
    panel, young = make_panel(("K1", "K2")), make_maturity({("K1", q): 30 for q in QUARTERS} | {("K2", QUARTERS[0]): 0})
    functions = (
        estimate_level, estimate_change, estimate_trend, estimate_control, estimate_breaks, estimate_gap,
        estimate_standard_change,
    )  # fmt: skip
    for estimate in functions:
        result = estimate(panel, ID, entity="K1", maturity=young)
        assert not result.estimates
        (said,) = result.say().items
        assert "is preliminary in every period (2025 Q4: 30 results are pending): no verdict yet" in said.en
        assert "只有初步数据（2025 年第 4 季度尚有 30 批结果待定），暂不作判断" in said.zh
        assert result.tables["series"]["is_preliminary"].all()
        assert record(panel, result) is not None
    with pytest.raises(DataError, match="QB506"):
        estimate_level(panel, ID, entity="K1", period="2025Q4", maturity=young)
    card = score_targets([estimate_level(panel, ID, entity="K1", maturity=young)])
    assert card.criteria == ()
    once, silent = conclude(*(f(panel, ID, entity="K1", maturity=young) for f in functions), card).findings
    assert "no verdict yet" in once[0].en
    assert silent[0].en.endswith("no verdict on K1.")


@pytest.mark.parametrize("typed", ["k1", " K1 ", "Ｋ１"])
def test_an_id_typed_otherwise_has_the_same_preliminary_periods(typed: str) -> None:
    panel = make_panel(("K1", "K2"))
    for estimate in (estimate_level, estimate_change, estimate_control):
        plain, other = (estimate(panel, ID, entity=e, maturity=YOUNG) for e in ("K1", typed))
        assert other.estimates == plain.estimates
        assert other.say().items == plain.say().items
        pd.testing.assert_frame_equal(other.tables["series"], plain.tables["series"])
    for call in (
        lambda: estimate_level(panel, ID, entity=typed, period="2025Q4", maturity=YOUNG),
        lambda: estimate_change(panel, ID, entity=typed, last="2025Q4", maturity=YOUNG),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert caught.value.code == "QB506"


def test_entities_summed_are_held_back_together() -> None:
    panel = make_panel(("K1", "K2"))
    one = make_maturity({("K1", "2025Q4"): 3, ("K2", "2025Q4"): 0})
    assert one.table["is_preliminary"].sum() == 1
    whole = estimate_level(panel, ID, maturity=one)
    assert (whole.estimates[-1].key["period"], whole.estimates[-1].n_obs) == ("2025Q4", 80), "3 of 80 hold up nothing"
    both = estimate_level(panel, ID, maturity=make_maturity({("K1", "2025Q4"): 30, ("K2", "2025Q4"): 0}))
    assert both.estimates[-1].key["period"] == "2025Q3", "what is left of a quarter is not the quarter"


def test_a_rate_that_batches_do_not_bound_is_shown_without_bounds() -> None:
    finding = Indicator(
        id="D1.finding", name=Text("问题发现率", "problem-finding rate"), unit="pct", better="none", counted="firm"
    )
    result = estimate_level(make_panel(indicator=finding), "D1.finding", entity="K1", maturity=YOUNG)
    last = result.tables["series"].iloc[-1]
    assert (last["is_preliminary"], last["rate_pct"], math.isnan(last["low_pct"])) == (True, 90.0, True)
    (sentence,) = result.say().items
    assert sentence.zh.endswith("2025 年第 4 季度为初步，不作判断。")
    assert "n = 40 家" in sentence.zh
    figure = plot_trend(result)
    assert "2025Q4（初步）" in [row[0].zh for row in figure.table.rows if not isinstance(row[0], str)]
    assert "尚有 30 批待定" in figure.alt.zh


def test_no_verdict_rests_on_a_preliminary_quarter() -> None:
    judged = estimate_level(make_panel(), ID, entity="K1", maturity=YOUNG)
    (criterion,) = score_targets([judged], preset="outline_2025").criteria
    assert criterion.estimate.key["period"] == "2025Q3"
    hasty = estimate_level(make_panel(), ID, entity="K1")
    series = hasty.tables["series"].assign(is_preliminary=[False, False, False, True], k=40)
    low = Estimate(
        term="rate", key={"period": "2025Q4", "entity": "K1"}, value=50.0, ci_low=40.0, ci_high=60.0, n_obs=80
    )
    forged = Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=(low,), subject=hasty.subject,
        tables={"series": series}, settings=hasty.settings,
    )  # fmt: skip
    assert [c.verdict for c in score_targets([forged], naive=True).criteria] == ["cannot_tell"]
    ripe = Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=(low,), subject=hasty.subject,
        settings=hasty.settings,
    )  # fmt: skip
    assert [c.verdict for c in score_targets([ripe], naive=True).criteria] == ["not_met"]


def test_the_drawing_marks_it_and_says_how_to_read_it() -> None:
    result = estimate_level(make_panel(), ID, entity="K1", maturity=YOUNG)
    change = estimate_change(make_panel(), ID, entity="K1", maturity=YOUNG)
    figure, plain = (plot_trend(r, change=change) for r in (result, estimate_level(make_panel(), ID, entity="K1")))
    assert "2025Q4 初步" in figure.drawings["zh_wide"]
    assert "上下界 22.5～97.5" in figure.drawings["zh_wide"]
    assert "2025 Q4 preliminary" in figure.drawings["en_narrow"]
    assert "虚线框为初步" in figure.how_to_read.zh
    assert "preliminary" in figure.how_to_read.en
    assert "2025Q3" in figure.drawings["zh_wide"], "the bold label is of the last complete quarter"
    assert "2025Q4" not in figure.title.zh
    assert "2025Q4 为初步，上下界 22.5～97.5" in figure.alt.zh
    row = figure.table.rows[-1]
    assert [c.zh if isinstance(c, Text) else c for c in row] == [
        "2025Q4（初步）",
        "10",
        "9",
        "90.0",
        "上下界 22.5～97.5",
    ]
    assert figure.table.data["is_preliminary"][-1] is True
    assert "初步" not in plain.how_to_read.zh + plain.drawings["zh_wide"]
    (tile,) = tiles_of(result, change).items
    assert "2025Q3" in tile.label.zh


def test_a_base_that_is_preliminary_or_missing_is_said_and_the_rest_is_published() -> None:
    base = make_maturity({("K1", "2024Q4"): 30, ("K1", "2024Q3"): 0})
    level = estimate_level(make_panel(), ID, entity="K1", maturity=base)
    change = estimate_change(make_panel(), ID, entity="K1", maturity=base)
    assert (change.estimates, change.spoken) == ((), ())
    (sentence,) = change.say().items
    assert (
        sentence.zh
        == "2025 年第 4 季度 K1 的批次合格率不与上年同期比较：2024 年第 4 季度仍为初步（尚有 30 批结果待定）。"
    )
    assert "is not compared with a year earlier: 2024 Q4 is still preliminary (30 results pending)" in sentence.en
    conclusion = conclude(change, level)
    assert conclusion.lead == level.say().items[0], "what is known leads"
    assert [text for text, _ in conclusion.findings] == [*level.say().items, sentence]
    (tile,) = tiles_of(level, change).items
    assert tile.change.zh == "上年同期仍为初步，不作比较"
    table = tabulate_estimates(change)
    assert [row[-1] for row in table.rows] == [tile.change]
    assert {len(column) for column in table.data.values()} == {1}
    assert plot_trend(level, change=change).title == plot_trend(level).title
    (kept,) = build_record([change])["results"]
    assert (kept["estimates"], kept["sentences"]) == ([], [sentence.payload()])


def test_a_year_ago_without_tests_is_said() -> None:
    change = estimate_change(make_panel(), ID, entity="K1", last="2024Q4")
    assert "2023 年第 4 季度没有抽查记录" in change.say().items[0].zh
    assert "nothing was tested in 2023 Q4" in change.say().items[0].en
    with pytest.raises(DataError) as caught:
        estimate_change(make_panel(), ID, entity="K1", first="2023Q4", last="2024Q4")
    assert caught.value.code == "QB502"


def test_who_was_not_inspected_lately_is_told_from_who_was() -> None:
    panel = make_panel(("K1", "K2"))
    index = panel.data.index
    gone = panel.data[~((index.get_level_values("entity") == "K2") & (index.get_level_values("period") > "2024Q4"))]
    thinned = dataclasses.replace(panel, data=gone)
    late, now = (estimate_level(thinned, ID, entity=e) for e in ("K2", "K1"))
    assert [c.passed for c in late.checks if c.name == "up_to_date"] == [None]
    assert "2024 年第 4 季度之后没有该对象的抽查记录（数据截至 2025 年第 4 季度，缺 4 期）" in late.say().items[0].zh
    assert not [c for c in now.checks if c.name == "up_to_date"]
    assert not [c for c in estimate_level(thinned, ID, entity="K2", period="2024Q4").checks if c.name == "up_to_date"]


def test_a_sentence_that_two_results_share_is_said_once() -> None:
    one = estimate_level(make_panel(), ID, entity="K1")
    other = estimate_level(make_panel(), ID, entity="K1", period="2024Q3")
    assert say_each(one, one).items == one.say().items
    assert say_each(one, other).items == (*one.say().items, *other.say().items)


def test_a_quarter_under_way_is_drawn_without_bounds_and_said() -> None:
    ripe = make_maturity({("K1", "2025Q4"): 0})
    open_end = ripe.table.index.get_level_values("period") == parse_period("2025Q4")
    table = add_bounds(ripe.table.assign(is_under_way=open_end))
    result = estimate_level(make_panel(), ID, entity="K1", maturity=dataclasses.replace(ripe, table=table))
    assert result.estimates[-1].key["period"] == "2025Q3"
    assert (
        result.say().items[0].zh.endswith("2025 年第 4 季度尚未结束（截至 2026-01-15），已有结果标为初步，不作判断。")
    )
    figure = plot_trend(result)
    assert "2025Q4 为初步，尚未结束" in figure.alt.zh
    assert "not over yet" in figure.alt.en
    assert [row[-1].zh for row in figure.table.rows if not isinstance(row[-1], str)][-1] == "尚未结束"
