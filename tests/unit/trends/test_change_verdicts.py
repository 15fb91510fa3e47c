"""Four verdicts of a change, and when there is none; how much evidence there can be."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Indicator, Margin, Panel, Text
from qbase.core.errors import UsageError
from qbase.figures import tabulate_checks, tabulate_estimates, tiles_of
from qbase.stats import equivalence_power, newcombe_interval
from qbase.trends import estimate_change, estimate_level, judge_change, list_margins, read_margin
from tests.unit.trends.firm_panels import ID, RATE, build, draw

BEFORE, NOW = "2023Q4", "2024Q4"
TWO = Margin(value=2.0, source=Text("方案第 4 条", "plan, item 4"), declared_on="2022-05-01")


def panel_of(*rows: tuple[str, str, int, int], indicator: Indicator = RATE, **changes: object) -> Panel:
    panel, _ = build([(e, q, "F", n, k) for e, q, n, k in rows], indicator=indicator)
    return dataclasses.replace(panel, **changes)  # type: ignore[arg-type]


def two(n: int, before: int, now: int, indicator: Indicator = RATE) -> Panel:
    return panel_of(("K1", BEFORE, n, before), ("K1", NOW, n, now), indicator=indicator)


@pytest.mark.parametrize(
    ("passes", "verdict", "zh", "en"),
    [
        ((800, 900), "improving", "判断：改善。", "Verdict: improving."),
        ((900, 800), "worsening", "判断：恶化。", "Verdict: worsening."),
        ((900, 901), "cannot_tell", "，可能降低，也可能提高。", "it could be lower or higher."),
    ],
)
def test_a_change_comes_to_one_word(passes, verdict, zh, en) -> None:
    result = estimate_change(two(1000, *passes), ID, margin=TWO)
    assert judge_change(result) == verdict
    said = result.say().items[0]
    assert said.zh.endswith(zh)
    assert said.en.endswith(en)


def test_steady_is_found_by_two_one_sided_tests_alone() -> None:
    # the 95 % interval reaches beyond the margin, the 90 % interval does not
    panel = two(1400, 1316, 1316)
    low, high = newcombe_interval((1316, 1316), (1400, 1400), level=0.9)
    result = estimate_change(panel, ID, margin=Margin(value=1.6, source=Text("甲", "a"), declared_on="2022-05-01"))
    assert (result["change"].tost_low, result["change"].tost_high) == (
        pytest.approx(100 * low),
        pytest.approx(100 * high),
    )
    assert result["change"].ci_high > 1.6 > result["change"].tost_high
    assert judge_change(result) == "steady"
    said = result.say().items[0]
    assert said.zh.endswith("判断：持平。")
    assert "2022-05-01" in said.en
    assert "Steady (no more than ±1.6" in repr(tabulate_estimates(result))
    # a bare number is held against the whole interval, and nothing against no margin
    assert judge_change(estimate_change(panel, ID, margin=1.6)) == "cannot_tell"
    assert judge_change(estimate_change(panel, ID)) == "cannot_tell"


def test_inside_the_margin_is_steady_even_where_0_is_left_out() -> None:
    result = estimate_change(two(20_000, 18_000, 18_200), ID, margin=TWO)
    assert not result["change"].covers_zero
    assert judge_change(result) == "steady"


def test_the_power_to_find_it_steady_is_printed() -> None:
    result = estimate_change(two(1000, 900, 900), ID, margin=TWO)
    (check,) = [c for c in result.checks if c.name == "steady_power"]
    e = result["change"]
    error = (e.tost_high - e.tost_low) / (2 * 1.6448536)
    assert f"{100 * equivalence_power(error, 2.0):.0f}%" in check.text.en
    assert check.passed is None
    assert not any(c.name == "steady_power" for c in estimate_change(two(1000, 900, 900), ID).checks)


def test_what_is_better_decides_the_word() -> None:
    down, neither = (dataclasses.replace(RATE, better=b) for b in ("down", "none"))
    assert judge_change(estimate_change(two(1000, 800, 900, down), ID)) == "worsening"
    assert judge_change(estimate_change(two(1000, 800, 900, neither), ID)) == "rising"
    assert judge_change(estimate_change(two(1000, 900, 800, neither), ID)) == "falling"


@pytest.mark.parametrize(("n", "is_held"), [(2, True), (9, True), (10, False)])
def test_too_few_have_no_verdict(n, is_held) -> None:
    result = estimate_change(two(n, 0, n), ID, margin=TWO)
    assert any(c.name == "min_n" and c.passed is False for c in result.checks) is is_held
    assert (judge_change(result) == "cannot_tell") is is_held
    said = result.say()
    assert ("样本过少，不判断升降" in said.items[0].zh) is is_held
    assert ("判断：改善" in said.items[0].zh) is not is_held
    assert (said.grades == (None,)) is is_held
    tiles = tiles_of(estimate_level(two(n, 0, n), ID), result)
    assert ("too few were tested for a verdict" in repr(tiles)) is is_held
    assert ("Enough for a verdict | Failed" in repr(tabulate_checks(result))) is is_held


def test_strong_evidence_needs_weighted_draws_of_one_entity_on_record() -> None:
    panel = two(1000, 800, 900)
    assert estimate_change(panel, ID, entity="K1").say().grades == ("moderate",)
    data = panel.data.assign(**{f"{ID}__lo": panel.data[ID] - 2, f"{ID}__hi": panel.data[ID] + 2})
    weighted = dataclasses.replace(panel, data=data, sampling="post_stratified")
    assert estimate_change(weighted, ID, entity="K1").say().grades == ("moderate",), "drawing not on record"
    periods = panel.data.index.get_level_values("period")
    cells = pd.DataFrame({"entity": "K1", "period": periods, "stratum": "A", "sampling": "random", "n": 1000})
    known = dataclasses.replace(weighted, cells=cells)
    result = estimate_change(known, ID, entity="K1")
    assert result.say().grades == ("strong",)
    assert "估计提高" in result.say().items[0].zh


def test_a_weighted_rate_is_steady_by_its_effective_number() -> None:
    panel = two(5000, 4500, 4505)
    columns = {f"{ID}__lo": panel.data[ID] - 2.2, f"{ID}__hi": panel.data[ID] + 2.2}
    weighted = dataclasses.replace(panel, data=panel.data.assign(**columns), sampling="random_draw")
    assert estimate_change(weighted, ID, entity="K1", margin=TWO)["change"].tost_low is None
    data = weighted.data.assign(**{f"{ID}__n_eff": [4000.0, 4000.0]})
    result = estimate_change(dataclasses.replace(weighted, data=data), ID, entity="K1", margin=TWO)
    assert judge_change(result) == "steady"
    assert result["change"].tost_high == pytest.approx(0.1 + 1.645 * (2 * 0.9 * 0.1 / 4000) ** 0.5 * 100, abs=0.03)


def test_simpson_is_no_fall() -> None:
    # neither entity fell; batches moved to the one with the lower rate
    rows = [("A", BEFORE, 100, 95), ("A", NOW, 20, 19), ("B", BEFORE, 20, 12), ("B", NOW, 100, 65)]
    result = estimate_change(panel_of(*rows), ID)
    assert result["change"].value == pytest.approx(100 * (84 / 120 - 107 / 120))
    assert result["change"].ci_high < 0
    # Mantel-Haenszel: both weigh the same here, 0 and 5 points
    assert result["within_change"].value == pytest.approx(2.5)
    (check,) = [c for c in result.checks if c.name == "within_entities"]
    assert check.passed is False
    said = result.say()
    assert said.grades == ("limited", "limited")
    assert "2 个对象各自（平均）" in said.items[0].zh
    assert judge_change(result) == "cannot_tell"


def test_entities_that_all_rise_agree_with_the_sum() -> None:
    rows = [("A", BEFORE, 400, 300), ("A", NOW, 400, 340), ("B", BEFORE, 300, 200), ("B", NOW, 310, 240)]
    result = estimate_change(panel_of(*rows), ID)
    (check,) = [c for c in result.checks if c.name == "within_entities"]
    assert check.passed is True
    assert [e.term for e in result.estimates] == ["change"]


def test_the_mean_inside_knows_firms() -> None:
    years = [BEFORE, "2024Q1", NOW]
    rows = draw(5, periods=years, firms=5, batches=8, icc=0.5, entities=("K1", "K2"), paired=False)
    # K2 is tested ten times as often at the end: the pooled change turns
    rows = [(e, p, f, n * (10 if (e, p) == ("K2", NOW) else 1), k) for e, p, f, n, k in rows]
    panel, firms = build(rows)
    plain, known = (estimate_change(panel, ID, firms=f) for f in (None, firms))
    assert ("within_change" in {e.term for e in plain.estimates}) == (
        "within_change" in {e.term for e in known.estimates}
    )


def test_margins_are_dated_and_unknown_ones_refused() -> None:
    for name in list_margins():
        margin = read_margin(name)
        assert margin.value > 0
        assert margin.source.zh
        assert margin.declared_on
    with pytest.raises(UsageError) as caught:
        read_margin("three_points")
    assert caught.value.code == "QB526"
    assert len(str(caught.value).splitlines()) == 4
