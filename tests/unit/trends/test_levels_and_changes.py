"""Levels and changes: numbers, words and refusals."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core.errors import DataError, PanelError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.trends import estimate_change, estimate_level

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make_panel(rows: list[tuple[str, str, int, int]], **changes: object) -> Panel:
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", f"{ID}__n", f"{ID}__k"])
    frame[ID] = 100 * frame[f"{ID}__k"] / frame[f"{ID}__n"]
    panel = Panel.from_frame(
        frame,
        entity="cluster_id",
        period="quarter",
        freq="Q",
        indicators={ID: RATE},
        labels={"K1": Text("甲集群", "the Jia cluster")},
    )
    return dataclasses.replace(panel, **changes)


PANEL = make_panel(
    [
        ("K1", "2023Q4", 100, 80),
        ("K1", "2024Q3", 12, 12),
        ("K1", "2024Q4", 100, 95),
        ("K2", "2023Q4", 50, 45),
        ("K2", "2024Q4", 20, 0),
        ("K3", "2024Q2", 0, 0),
    ]
)


def test_a_rate_travels_with_its_series_and_speaks_of_the_last_period():
    result = estimate_level(PANEL, ID, entity="K1")
    assert list(result.tables["series"]["period"]) == ["2023Q4", "2024Q3", "2024Q4"]
    assert list(result.tables["series"].columns) == ["period", "n", "k", "rate_pct", "ci_low", "ci_high"]
    spoken = result.estimates[result.spoken[0]]
    assert (spoken.value, spoken.n_obs, spoken.key["period"]) == (95.0, 100, "2024Q4")
    assert spoken.std_error is None
    assert result.say().items[0] == Text(
        "2024 年第 4 季度甲集群的批次合格率估计为 95.0%（95% CI 88.8～97.8；n = 100 批）。",
        "The batch pass rate of the Jia cluster in 2024 Q4 is estimated at 95.0% (95% CI 88.8–97.8; n = 100 batches).",
    )


def test_pooling_sums_counts_not_rates():
    result = estimate_level(PANEL, ID, period="2024Q4")
    assert result.estimates[result.spoken[0]].value == pytest.approx(100 * 95 / 120)
    assert result.subject.zh == "全部产业集群"
    assert any("抽查批次多" in n.zh for n in result.notes)
    assert not any("抽查批次多" in n.zh for n in estimate_level(PANEL, ID, entity="K1").notes)


def test_all_passed_is_not_the_absence_of_failures():
    check = estimate_level(PANEL, ID, entity="K1", period="2024Q3").checks[0]
    assert (check.name, check.passed) == ("small_n", False)
    assert "75.8%" in check.text.zh
    assert "not the absence of failures" in check.text.en
    none = estimate_level(PANEL, ID, entity="K2", period="2024Q4").checks[0]
    assert "全部不合格" in none.text.zh


def test_a_small_sample_says_what_one_batch_does():
    panel = make_panel([("K1", "2024Q4", 16, 15)])
    check = estimate_level(panel, ID).checks[0]
    assert check.passed is False
    assert "6.2 percentage points" in check.text.en
    assert estimate_level(make_panel([("K1", "2024Q4", 30, 29)]), ID).checks[0].passed is True


def test_the_default_change_is_against_the_same_quarter_a_year_ago():
    result = estimate_change(PANEL, ID, entity="K1")
    change = result["change"]
    assert (change.key["first"], change.key["period"]) == ("2023Q4", "2024Q4")
    assert change.value == pytest.approx(15.0)
    assert result.unit == "pp"
    assert list(result.tables["compared"]["n"]) == [100, 100]
    zh, en = result.say().items[0].zh, result.say().items[0].en
    assert zh.startswith("与 2023 年第 4 季度相比，2024 年第 4 季度甲集群的批次合格率可能提高，估计为 15.0 个百分点")
    assert en.startswith(
        "Between 2023 Q4 and 2024 Q4 the batch pass rate of the Jia cluster probably rose, by an estimated 15.0 "
    )
    # unweighted draws: never strong
    assert "证据中等" in zh
    assert zh.endswith("判断：改善。")


def test_a_change_that_may_be_noise_cannot_be_told():
    panel = make_panel([("K1", "2023Q4", 16, 14), ("K1", "2024Q4", 16, 15)])
    result = estimate_change(panel, ID)
    assert result["change"].covers_zero
    assert "看不出升降" in result.say().items[0].zh
    assert result.say().grades == ("limited",)


def test_a_declared_margin_allows_little_change():
    panel = make_panel([("K1", "2023Q4", 9000, 8400), ("K1", "2024Q4", 9000, 8405)])
    assert "变化很小" in estimate_change(panel, ID, margin=2.0).say().items[0].zh
    assert "看不出升降" in estimate_change(panel, ID).say().items[0].zh


def make_cells(before: int, after: int) -> pd.DataFrame:
    rows = [
        ("K1", parse_period(p), s, s, n)
        for p, k in (("2023Q4", before), ("2024Q4", after))
        for s, n in (("random", k), ("directed", 100 - k))
    ]
    return pd.DataFrame(rows, columns=["entity", "period", "stratum", "sampling", "n"])


@pytest.mark.parametrize(("before", "after", "passed"), [(35, 70, False), (35, 40, True), (0, 100, False)])
def test_a_new_way_of_drawing_fails_the_check(before, after, passed):
    panel = dataclasses.replace(PANEL, cells=make_cells(before, after))
    check = next(c for c in estimate_change(panel, ID, entity="K1").checks if c.name == "same_sampling")
    assert check.passed is passed
    assert f"{before}.0%" in check.text.zh


def test_without_cells_the_way_of_drawing_is_unknown_not_fine():
    check = next(c for c in estimate_change(PANEL, ID, entity="K1").checks if c.name == "same_sampling")
    assert check.passed is None
    other = dataclasses.replace(PANEL, cells=make_cells(35, 70))
    assert next(c for c in estimate_change(other, ID, entity="K2").checks if c.name == "same_sampling").passed is None


@pytest.mark.parametrize(
    ("call", "error", "code", "said"),
    [
        (lambda: estimate_level(PANEL, ID, entity="K11"), UsageError, "QB501", "K1"),
        (lambda: estimate_level(PANEL, ID, entity="K1", period="2024Q1"), DataError, "QB502", "2023Q4 to 2024Q4"),
        (lambda: estimate_level(PANEL, ID, entity="K3"), DataError, "QB502", "0 tested"),
        (lambda: estimate_level(PANEL, ID, level=95), UsageError, "QB503", "level=0.95"),
        (lambda: estimate_level(PANEL, ID, period="2024-4"), UsageError, "QB101", "2022Q3"),
        (lambda: estimate_level(PANEL, "D1.firm"), PanelError, "QB123", ID),
        (lambda: estimate_change(PANEL, ID, entity="K1", first="2023Q3"), DataError, "QB502", "2023Q3"),
        (lambda: estimate_change(PANEL, ID, first="2024Q4", last="2023Q4"), UsageError, "QB504", "first before last"),
        (lambda: estimate_change(dataclasses.replace(PANEL, shrunk=(ID,)), ID), PanelError, "QB125", "counts"),
    ],
)
def test_refusals_are_four_lines(call, error, code, said):
    with pytest.raises(error) as caught:
        call()
    assert caught.value.code == code
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_the_panel_is_not_mutated():
    before = PANEL.data.copy()
    estimate_level(PANEL, ID)
    estimate_change(PANEL, ID)
    pd.testing.assert_frame_equal(PANEL.data, before)
