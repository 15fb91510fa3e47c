"""Tables and tiles: the numbers of the results, words beside them, never a star."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest

from qbase.core import (
    CheckResult,
    Coverage,
    Criterion,
    DataError,
    Estimate,
    Indicator,
    Result,
    Scorecard,
    Table,
    Text,
)
from qbase.figures import (
    plot_trend,
    tabulate_accounting,
    tabulate_checks,
    tabulate_estimates,
    tabulate_scorecard,
    tiles_of,
)
from qbase.figures.surface.figure_words import first_fit, length, verdict
from qbase.release import check_svg

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
SCRAP = Indicator(id="lscrap", name=Text("报废率（对数）", "log scrap rate"), unit="log_points", better="down")
ALL = Text("全部产业集群", "all clusters")


def effect(
    value: float, low: float, high: float, *, p: float = 0.03, se: float | None = 0.151, vcov: object = "iid",
    checks: tuple[CheckResult, ...] = (), unit: str = "log_points", margin: float | None = None,
) -> Result:  # fmt: skip
    e = Estimate(
        term="att", value=value, std_error=se, ci_low=low, ci_high=high, p_value=p, n_obs=1620,
        n_clusters=None if vcov == "iid" else 54,
    )  # fmt: skip
    settings = {"vcov": vcov} | ({"margin": margin} if margin is not None else {})
    return Result(
        estimand="effect", outcome=SCRAP if unit == "log_points" else RATE, unit=unit, method="twfe", estimates=(e,),
        subject=Text("受助企业", "firms with a grant"), settings=settings, checks=checks,
        notes=(Text("前提说明。", "An assumption."),),
    )  # fmt: skip


def level() -> Result:
    frame = pd.DataFrame(
        {"period": ["2021Q1", "2021Q2", "2021Q4"], "n": [100] * 3, "k": [90, 95, 93], "rate_pct": [90.0, 95.0, 93.0],
         "ci_low": [82.6, 88.8, 86.3], "ci_high": [94.5, 97.8, 96.6]}
    )  # fmt: skip
    e = Estimate(term="rate", key={"period": "2021Q4"}, value=93.0, ci_low=86.3, ci_high=96.6, n_obs=100)
    return Result(
        estimand="level",
        outcome=RATE,
        unit="pct",
        method="wilson",
        estimates=(e,),
        subject=ALL,
        tables={"series": frame},
    )


def change(value: float = 0.4, low: float = -0.9, high: float = 1.7) -> Result:
    e = Estimate(
        term="change", key={"first": "2020Q4", "period": "2021Q4"}, value=value, ci_low=low, ci_high=high, n_obs=400
    )
    return Result(estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=(e,), subject=ALL)


def shown(table: Table) -> str:
    return " ".join(str(v) for row in table.body()["rows"] for cell in row for v in cell.values())


def test_a_replication_line_prints_what_the_paper_prints() -> None:
    table = tabulate_estimates(
        effect(-0.252, -0.551, 0.047, p=0.098), effect(-0.252, -0.534, 0.030, se=0.1425, vcov={"CRV1": "firm_id"})
    )
    assert table.style == "effects"
    assert len(table.columns) == 8
    first, second = table.rows
    assert [c.en if isinstance(c, Text) else c for c in first[1:7]] == [
        "−0.252 log points", "0.151", "−0.551 to 0.047", "0.098", "1,620", "–",
    ]  # fmt: skip
    assert second[6] == "54"
    assert isinstance(first[0], Text)
    assert isinstance(second[0], Text)
    assert "iid" in first[0].en
    assert "clustered by firm" in second[0].en
    assert isinstance(first[7], Text)
    assert first[7].zh.startswith("尚无法判断")
    assert table.data["value"] == [-0.252, -0.252]
    assert table.data["std_error"] == [0.151, 0.1425]
    assert table.note is None


def test_raw_values_come_with_what_they_stand_on() -> None:
    """A row of a result that was handed over stays empty; a table of those alone has no such columns."""
    counted = dataclasses.replace(change(), coverage=Coverage(fates={"counted": 15, "no_firm": 5, "recheck": 4}))
    data = tabulate_estimates(counted, change()).data
    assert [data[name] for name in ("records_seen", "records_counted", "records_lost", "files_refused")] == [
        [24, None], [15, None], [5, None], [0, None],
    ]  # fmt: skip
    assert "records_seen" not in tabulate_estimates(change()).data


def test_never_a_star_never_p_zero() -> None:
    table = tabulate_estimates(effect(-0.9, -1.2, -0.6, p=0.0000001))
    assert "< 0.001" in shown(table)
    assert not re.search(r"\*|0\.000\b|显著|significan", shown(table))


def test_words_follow_interval_and_checks() -> None:
    failed = CheckResult(name="enough_clusters", passed=False, text=Text("聚类太少", "too few clusters"))
    strong = effect(2.3, 0.8, 3.9, unit="pp")
    assert verdict(strong, strong.estimates[0]) == Text(
        "提高 2.3 个百分点（证据较强）", "Up 2.3 percentage points (strong evidence)"
    )
    weaker = effect(-2.3, -3.9, -0.8, unit="pp", checks=(failed,))
    assert verdict(weaker, weaker.estimates[0]) == Text(
        "可能降低 2.3 个百分点（证据中等）", "Probably down 2.3 percentage points (moderate evidence)"
    )
    unclear = effect(0.1, -0.5, 0.7, unit="pp")
    assert verdict(unclear, unclear.estimates[0]).zh == "尚无法判断：可能降低，也可能提高"
    little = effect(0.1, -0.5, 0.7, unit="pp", margin=1.0)
    assert verdict(little, little.estimates[0]).zh == "影响很小（不超过 ±1.0 个百分点）"
    note = (tabulate_estimates(weaker).note or Text("", "")).zh
    assert "未通过的检查：聚类数" in note
    assert "聚类太少" not in note, "what a check found is said once, in the conclusion"


def test_a_level_has_no_direction_and_no_test() -> None:
    table = tabulate_estimates(level())
    row = [c.zh if isinstance(c, Text) else c for c in table.rows[0]]
    assert row[1:] == ["93.0%", "86.3～96.6", "100", "水平值，不判断升降"]
    headers = [c.label.en for c in table.columns]
    assert headers[1:] == ["Estimate", "95% CI", "n", "In words"], "columns without any number are left out"


def test_rows_of_several_subjects_name_them_and_a_full_count_is_not_estimated() -> None:
    counted = Estimate(term="accepted", value=100.0, uncertainty="none_full_count")
    one = dataclasses.replace(level(), method="count", estimates=(counted,), subject=Text("甲表", "Table A"))
    two = dataclasses.replace(one, subject=Text("乙表", "Table B"))
    table = tabulate_estimates(one, two)
    assert [row[0].zh.partition("：")[0] for row in table.rows] == ["甲表", "乙表"]
    assert table.note is not None
    assert "逐行计数" in table.note.zh
    said = one.say().items[0]
    assert "估计" not in said.zh
    assert "estimated" not in said.en


def test_every_estimate_on_request() -> None:
    result = level()
    two = Result(
        estimand="effect", outcome=RATE, unit="pp", method="twfe", subject=ALL, spoken=(1,),
        estimates=(change().estimates[0], effect(1.0, 0.5, 1.5).estimates[0]),
    )  # fmt: skip
    assert len(tabulate_estimates(result, two).rows) == 2
    assert len(tabulate_estimates(result, two, every=True).rows) == 3


def test_checks_put_failures_first() -> None:
    checks = tuple(
        CheckResult(name=n, passed=p, text=Text(f"{n} 说明", f"{n} found"))
        for n, p in (("rows_used", True), ("new_check", None), ("enough_clusters", False))
    )
    table = tabulate_checks(effect(1.0, 0.5, 1.5, checks=checks), effect(2.0, 0.5, 3.5, checks=checks[:1]))
    assert [row[1].zh for row in table.rows if isinstance(row[1], Text)] == ["未通过", "供参考", "通过"]
    assert table.data["check"] == ["enough_clusters", "new_check", "rows_used"]
    assert len(tabulate_checks(level()).rows) == 1


def test_a_scorecard_reads_without_colour() -> None:
    verdicts, source = ("met", "cannot_tell", "not_met"), Text("纲要", "outline")
    card = Scorecard(
        entity="all", subject=ALL, preset="p", preset_title=Text("2025 年纲要", "outline 2025"),
        criteria=tuple(
            Criterion(indicator=RATE, estimate=level().estimates[0], target=t, source=source, verdict=v)
            for t, v in zip((80.0, 93.0, 99.0), verdicts, strict=True)
        ),
    )  # fmt: skip
    table = tabulate_scorecard(card)
    assert [row[4].zh for row in table.rows if isinstance(row[4], Text)] == [
        "◆\u00a0达到",
        "▽\u00a0尚无法判断",
        "▼\u00a0未达到",
    ]
    assert "2025 年纲要" in table.caption.zh
    assert "95% CI 86.3–96.6" in shown(table)


def test_rows_are_accounted_for() -> None:
    frame = pd.DataFrame(
        {"file_name": ["甲.xlsx", "b.csv"], "table": ["inspections"] * 2, "rows_seen": [1200, 10], "listed": [3, 0],
         "accepted": [1190, 10], "quarantined": [7, 0], "sha256": ["x", "y"]}
    )  # fmt: skip
    table = tabulate_accounting(frame)
    assert table.rows[0] == ("甲.xlsx", Text("inspections", "inspections"), "1,200", "3", "1,190", "7")
    named = tabulate_accounting(frame.assign(table_zh="监督抽查", table_en="Supervision inspections"))
    assert named.rows[0][1] == Text("监督抽查", "Supervision inspections")
    assert table.rows[-1][2:] == ("1,210", "3", "1,200", "7")
    assert table.data["rows_seen"] == [1200, 10]
    for bad, code in (
        (frame.assign(accepted=[1189, 10]), "QB708"),
        (frame.drop(columns="listed"), "QB708"),
        (frame.iloc[:0], "QB707"),
    ):
        with pytest.raises(DataError) as error:
            tabulate_accounting(bad)
        assert error.value.code == code


def test_nothing_gives_no_table() -> None:
    for make in (tabulate_estimates, tabulate_checks, tiles_of):
        with pytest.raises(DataError) as error:
            make()
        assert error.value.code == "QB707"


def test_near_and_far_goals_stand_on_tile_and_chart_and_are_called_so() -> None:
    def term(preset: str, target: float, verdict: str) -> Scorecard:
        criterion = Criterion(
            indicator=RATE, estimate=level().estimates[0], target=target, source=Text("文件", "paper"), verdict=verdict
        )
        title = Text(f"{preset} 年目标", f"targets of {preset}")
        return Scorecard(entity="all", subject=ALL, preset=preset, preset_title=title, criteria=(criterion,))

    terms = (term("2025", 85.0, "met"), term("2030", 98.0, "not_met"))
    tile = tiles_of(level(), targets=terms).items[0]
    assert tile.chips == (
        Text("达到近期目标 85.0%", "Meets near target 85.0%"), Text("未达到远期目标 98.0%", "Misses far target 98.0%"),
    )  # fmt: skip
    check_svg(tile.goal)
    assert (tile.goal.count("var(--gold)"), tile.goal.count("dasharray")) == (2, 1), "the far one is broken"
    figure = plot_trend(level(), target=terms)
    drawn = figure.drawings["en_wide"]
    assert "Near target 85" in drawn
    assert "Far target 98" in drawn
    assert "Near target: targets of 2025 (paper). Far target: targets of 2030 (paper)." in figure.note.en
    assert "近期目标 85.0%。远期目标 98.0%。" in figure.alt.zh
    alone = plot_trend(level(), target=terms[1])
    assert "Target: targets of 2030 (paper)." in alone.note.en
    assert "Far target" not in alone.drawings["en_wide"]


def test_a_tile_joins_level_change_and_target() -> None:
    card = Scorecard(
        entity="all", subject=ALL, preset="p", preset_title=Text("纲要", "outline"),
        criteria=(Criterion(indicator=RATE, estimate=level().estimates[0], target=95.5, source=Text("a", "a"),
                            verdict="cannot_tell"),),
    )  # fmt: skip
    tiles = tiles_of(level(), change(), effect(-0.4, -0.8, -0.1), targets=card)
    assert len(tiles.items) == 2
    tile = tiles.items[0]
    assert (tile.value, tile.unit.zh, tile.interval.zh) == ("93.0", "%", "95% CI 86.3～96.6")
    assert tile.label == Text("批次合格率（2021Q4）", "Batch pass rate (2021 Q4)")
    assert tile.change == Text(
        "比 2020Q4 +0.4 个百分点（−0.9 至 1.7），变化尚不明确", "vs 2020 Q4: +0.4 pp (−0.9 to 1.7), not clear"
    )
    assert tile.chips == (Text("尚无法判断是否达到目标 95.5%", "Cannot tell yet: target 95.5%"),)
    check_svg(tile.spark)
    assert (tile.spark.count("<polyline"), tile.spark.count("<circle")) == (1, 2), "the gap is not bridged"
    assert tiles.items[1].spark == ""
    check_svg(tile.goal)
    assert (tile.goal.count("var(--gold)"), tiles.items[1].goal) == (1, ""), "one mark for one target"
    assert tiles_of(level()).items[0].goal == "", "no rail without a target"
    assert "var(--plum)" not in tile.spark
    assert tiles.items[1].value == "−0.400"


def test_titles_fit_or_fall_back() -> None:
    long, short = Text("长" * 29, "w " * 15), Text("短", "short")
    assert first_fit([long, short]) == short
    assert first_fit([Text("长" * 28, "w " * 15), short]) == Text("长" * 28, "short")
    assert first_fit([long]) == long
    assert length(Text("合格率 93.3%", "a b")) == (5.5, 2)
