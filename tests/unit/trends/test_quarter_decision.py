"""The decision on a quarter follows its stated rules, and no other."""

from __future__ import annotations

import dataclasses

import pytest

from qbase.core import CheckResult, Indicator, Margin, Panel, Result, Text, add_checks
from qbase.core.coverage import Coverage
from qbase.core.errors import DataError
from qbase.core.results.sentences import digits_of
from qbase.planning import plan_batches
from qbase.reports.rendering.bundle_payloads import check_payload
from qbase.trends import decide_quarter, estimate_change, estimate_level, judge_change
from tests.unit.trends.firm_panels import ID, RATE, build

TWO = Margin(value=2.0, source=Text("方案第 4 条", "plan, item 4"), declared_on="2022-05-01")
DOWN = dataclasses.replace(RATE, better="down")
NEITHER = dataclasses.replace(RATE, better="none")
BEFORE, NOW = "2023Q4", "2024Q4"


def panel_of(*rows: tuple[str, int, int], indicator: Indicator = RATE) -> Panel:
    return build([("K1", q, "F", n, k) for q, n, k in rows], indicator=indicator)[0]


def read(panel: Panel, **changes: object) -> tuple[Result, Result, Result, Result]:
    """The change, the year to date, the quarter before and the level."""
    year_ago, year, before = (
        estimate_change(panel, ID, against=a, margin=TWO)  # type: ignore[arg-type]
        for a in ("year_ago", "cumulative", "previous")
    )
    return dataclasses.replace(year_ago, **changes), year, before, estimate_level(panel, ID)


def two(n: int, k0: int, k1: int, indicator: Indicator = RATE) -> Panel:
    return panel_of((BEFORE, n, k0), (NOW, n, k1), indicator=indicator)


def failed(name: str) -> CheckResult:
    return CheckResult(name=name, passed=False, text=Text(f"{name} 未通过", f"{name} failed"))


@pytest.mark.parametrize(
    ("n", "k0", "k1", "indicator", "verdict"),
    [
        (1000, 800, 900, RATE, "improved"),
        (1000, 900, 800, RATE, "worsened"),
        (1000, 800, 900, DOWN, "worsened"),
        (1000, 900, 800, DOWN, "improved"),
        (1000, 800, 900, NEITHER, "cannot_tell"),
        (1000, 900, 901, RATE, "cannot_tell"),
        (50_000, 45_000, 45_100, RATE, "no_effect"),
        (8, 8, 0, RATE, "cannot_tell"),
    ],
)
def test_the_verdict_is_that_of_the_interval(n: int, k0: int, k1: int, indicator: Indicator, verdict: str) -> None:
    change, year, before, level = read(two(n, k0, k1, indicator))
    assert decide_quarter(change, year, before, level=level).verdict == verdict


@pytest.mark.parametrize("name", ["same_sampling", "same_entities", "within_entities"])
@pytest.mark.parametrize(("n", "k0", "k1"), [(1000, 800, 900), (50_000, 45_000, 45_100)])
def test_draws_that_moved_take_the_word_away_even_that_of_steady(name: str, n: int, k0: int, k1: int) -> None:
    change, year, before, level = read(two(n, k0, k1))
    assert judge_change(change) != "cannot_tell"
    decision = decide_quarter(add_checks(change, failed(name)), year, before, level=level)
    assert decision.verdict == "cannot_tell"
    assert any("inspectors drew moved" in text.en for text in decision.cannot_say)
    assert any("checks did not pass" in text.en for text in decision.cannot_say)
    # what the draws may have made is not said as a finding either
    assert not any("2023 Q4" in text.en for text, _ in decision.can_say)


def test_nothing_is_ruled_out_where_draws_moved() -> None:
    change, *_, level = read(two(400, 320, 330))
    assert "ruled out" in decide_quarter(change, level=level).can_say[0][0].en
    assert decide_quarter(add_checks(change, failed("same_entities")), level=level).can_say == ()


def test_limited_evidence_takes_the_word_away_and_one_failed_check_does_not() -> None:
    change, year, before, level = read(two(1000, 800, 900))
    once = add_checks(change, failed("small_n"))
    assert decide_quarter(once, year, before, level=level).verdict == "improved"
    assert decide_quarter(add_checks(once, failed("maturity")), year, before, level=level).verdict == "cannot_tell"
    lost = Coverage(fates={"counted": 50, "no_firm": 950})
    change, *_ = read(two(1000, 800, 900), coverage=lost)
    assert lost.is_lossy
    assert decide_quarter(change, year, before, level=level).verdict == "cannot_tell"


def test_a_year_to_date_of_the_other_direction_takes_the_word_away_and_cannot_give_one() -> None:
    opposed = panel_of(("2023Q1", 5000, 4800), (BEFORE, 1000, 800), ("2024Q1", 5000, 4000), (NOW, 1000, 900))
    change, year, before, level = read(opposed)
    assert (judge_change(change), judge_change(year)) == ("improving", "worsening")
    decision = decide_quarter(change, year, before, level=level)
    assert decision.verdict == "cannot_tell"
    assert any("opposite directions" in text.en for text in decision.cannot_say)
    # the order of what stands beside does not matter, and without it the quarter has its word
    assert decide_quarter(change, before, year, level=level).verdict == "cannot_tell"
    assert decide_quarter(change, level=level).verdict == "improved"
    only_year = panel_of(("2023Q1", 5000, 4800), (BEFORE, 30, 24), ("2024Q1", 5000, 4000), (NOW, 30, 24))
    change, year, before, level = read(only_year)
    assert judge_change(year) == "worsening"
    assert decide_quarter(change, year, before, level=level).verdict == "cannot_tell"


def test_what_is_ruled_out_is_what_the_interval_leaves_out() -> None:
    for passes, en, zh in (
        (
            (320, 330),
            "A rise of more than {high} or a fall of more than {low}",
            "提高超过 {high} 个百分点或降低超过 {low}",
        ),
        ((240, 360), "Any fall, and a rise of more than {high}", "任何降低，也可以排除提高超过 {high}"),
        ((360, 240), "Any rise, and a fall of more than {low}", "任何提高，也可以排除降低超过 {low}"),
    ):
        change, *_, level = read(two(400, *passes))
        estimate = change["change"]
        assert estimate.ci_low is not None
        assert estimate.ci_high is not None
        digits = digits_of(change, estimate)
        ends = {"low": f"{-estimate.ci_low:.{digits}f}", "high": f"{estimate.ci_high:.{digits}f}"}
        said = decide_quarter(change, level=level).can_say[0][0]
        assert said.en.startswith(en.format(**ends))
        assert zh.format(**ends) in said.zh


def test_without_a_year_ago_it_says_what_is_missing_and_no_number_of_batches() -> None:
    panel = panel_of(("2024Q3", 40, 36), (NOW, 40, 30))
    change, year, before, level = read(panel)
    decision = decide_quarter(change, year, before, level=level, need=plan_batches(level, half_width_pp=2.0))
    assert decision.verdict == "cannot_tell"
    assert "nothing was tested in 2023 Q4" in decision.cannot_say[0].en
    assert [text.en for text in decision.would_settle] == [
        "A comparison takes the inspections of the same quarter a year ago, complete and on record."
    ]


def test_the_way_to_an_answer_names_the_batches_of_the_plan_and_is_left_out_where_there_is_an_answer() -> None:
    change, year, before, level = read(two(40, 32, 33))
    need = plan_batches(level, half_width_pp=2.0)
    settle = decide_quarter(change, year, before, level=level, need=need).would_settle
    n = f"{need['batches'].value:,.0f}"
    assert f"{n} batches of {n} firms drawn at random in each of the two quarters (now 40)" in settle[0].en
    few = plan_batches(level, half_width_pp=2.0, firms=46)
    told = decide_quarter(change, year, before, level=level, need=few).would_settle
    assert "The 46 firms do not suffice" in told[0].en
    assert len(told) == 1
    assert f"about {need['batches'].value / 160:.0f} years" in settle[1].en
    change, year, before, level = read(two(1000, 800, 900))
    need = plan_batches(level, half_width_pp=2.0)
    assert decide_quarter(change, year, before, level=level, need=need).would_settle == ()


@pytest.mark.parametrize(
    ("n", "passed", "said"),
    [
        (40, (32, 33), "Whether to judge by the trend over years or by pooling like clusters"),
        (1000, (800, 900), "Nothing new: one good period is no trend"),
        (1000, (900, 800), "Whether to look into the cause now"),
        (20000, (16000, 16010), "Nothing new: targets and measures stand"),
        (400, (320, 330), "Whether to draw more: it takes {wanted} random batches in each of two periods (now 400)"),
    ],
)
def test_the_next_step_says_what_to_decide_what_holds_and_when_to_look_again(n, passed, said) -> None:
    change, *_, level = read(two(n, *passed))
    need = plan_batches(level, half_width_pp=2.0)
    step = decide_quarter(change, level=level, need=need).next_step
    assert step is not None
    assert step.en.startswith(said.format(wanted=f"{need['batches'].value:,.0f}"))
    assert step.en.endswith(" Look again once inspections of 2025 Q1 are on record.")
    assert step.zh.endswith("2025 年第 1 季度的抽查入库后再看。")
    # what stands in front is not said again below
    assert "pooling" not in " ".join(t.en for t in decide_quarter(change, level=level, need=need).would_settle)
    assert step.en not in " ".join(t.en for t in decide_quarter(change, level=level, need=need).would_settle)


def test_a_year_is_followed_by_the_next_and_the_number_to_draw_is_said_in_both_languages() -> None:
    panel = build([("K1", y, "F", n, k) for y, n, k in (("2023", 400, 320), ("2024", 400, 330))], freq="A")[0]
    change, level = estimate_change(panel, ID, against="year_ago", margin=TWO), estimate_level(panel, ID)
    need = plan_batches(level, half_width_pp=2.0)
    step = decide_quarter(change, level=level, need=need).next_step
    assert step is not None
    assert step.en.endswith("once inspections of 2025 are on record.")
    assert f"各随机抽 {need['batches'].value:,.0f} 批（现有 400 批）" in step.zh


def test_the_next_step_without_a_year_ago_is_to_wait_for_it() -> None:
    change, *_, level = read(panel_of(("2024Q3", 40, 36), (NOW, 40, 30)))
    step = decide_quarter(change, level=level).next_step
    assert step is not None
    assert "cannot be compared" in step.en


def test_a_change_on_the_quarter_before_is_said_with_its_season() -> None:
    change, year, before, level = read(panel_of((BEFORE, 1000, 850), ("2024Q3", 1000, 950), (NOW, 1000, 851)))
    decision = decide_quarter(change, year, before, level=level)
    assert decision.verdict == "cannot_tell"
    assert any("2024 Q3" in text.en for text, _ in decision.can_say)
    assert any("season" in text.en for text in decision.cannot_say)


def test_the_box_is_a_bundle_of_the_page_in_the_words_of_a_quarter() -> None:
    change, year, before, level = read(two(1000, 800, 900))
    decision = decide_quarter(change, year, before, level=level)
    assert decision.lead.zh.endswith("与上年同期相比改善。")
    assert "effect" not in decision.lead.en
    assert check_payload(decision.payload(), cell=1)["kind"] == "prose"


def test_results_that_do_not_belong_together_are_refused() -> None:
    change, year, _, level = read(two(1000, 800, 900))
    other = estimate_level(build([("K2", NOW, "F", 10, 9)])[0], ID, entity="K2")
    wrong = [((year,), level), ((level,), level), ((change,), change), ((change,), other), ((change, level), level)]
    for changes, at in wrong:
        with pytest.raises(DataError) as caught:
            decide_quarter(*changes, level=at)
        assert caught.value.code == "QB508"


def test_a_preliminary_quarter_is_named_among_what_cannot_be_said() -> None:
    change, *_, level = read(two(1000, 800, 900))
    waits = CheckResult(name="maturity", passed=None, text=Text("2025Q1 仍为初步", "2025 Q1 is preliminary"))
    said = decide_quarter(change, level=add_checks(level, waits)).cannot_say
    assert "How the latest quarter stands: 2025 Q1 is preliminary." in [text.en for text in said]
    assert not any("latest quarter" in text.en for text in decide_quarter(change, level=level).cannot_say)
