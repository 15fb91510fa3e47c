"""How sure a number is, as it is printed: levels as asked, digits that follow the interval, one precision."""

from __future__ import annotations

import re

import pytest

from qbase.core import CheckResult, Criterion, Estimate, Indicator, Result, Scorecard, Text
from qbase.core.numbers import declared_digits, digits_for, level_text
from qbase.figures import plot_estimates, tabulate_estimates, tabulate_scorecard

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
WHO = Text("试点镇", "pilot town")


def effect(
    value: float, low: float, high: float, *, level: float = 0.95, unit: str = "pp", **options: object
) -> Result:
    estimate = Estimate(term="att", value=value, std_error=(high - low) / 4, ci_low=low, ci_high=high, ci_level=level)
    checks = (CheckResult(name="enough_clusters", passed=True, text=Text("够", "enough")),)
    return Result(
        estimand="effect", outcome=RATE, unit=unit, method="twfe", estimates=(estimate,), subject=WHO, checks=checks,
        **options,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        *((p / 100, f"{p}%") for p in range(50, 100)),
        (0.975, "97.5%"),
        (0.995, "99.5%"),
        (0.998, "99.8%"),
        (0.999, "99.9%"),
        (0.9995, "99.95%"),
        (0.99999, "99.999%"),
        (0.8725, "87.25%"),
        (1 - 0.05 / 12, "99.5833%"),
    ],
)
def test_a_level_is_printed_as_it_was_asked_for(level: float, shown: str) -> None:
    assert level_text(level) == shown


def test_sentence_figure_and_table_print_the_same_level_and_digits() -> None:
    result = effect(0.0104, 0.0004, 0.0204, level=0.998)
    said = result.say().items[0]
    assert "0.0104 percentage points (99.8% CI 0.0004–0.0204" in said.en
    assert "0.0104 个百分点（99.8% CI 0.0004～0.0204" in said.zh
    table = tabulate_estimates(result)
    assert "99.8% CI" in [c.label.en for c in table.columns]
    assert any(cell.en == "0.0004–0.0204" for cell in table.rows[0] if isinstance(cell, Text))
    assert "0.0104" in plot_estimates(result).alt.en
    assert "0.0004–0.0204" in plot_estimates(result).alt.en


@pytest.mark.parametrize(
    ("low", "high", "digits"),
    [(-3.0, 9.0, 1), (1.7, 6.5, 1), (0.8, 1.6, 2), (0.04, 3.0, 2), (-3.0, -0.004, 3), (-0.03, 2.0, 2), (2e-9, 4e-9, 9)],
)
def test_digits_show_two_figures_of_the_width_and_no_end_at_zero(low: float, high: float, digits: int) -> None:
    result = effect((low + high) / 2, low, high)
    shown = re.findall(r"[−\d.]+", result.say().items[0].en.partition("CI ")[2].partition(";")[0].strip(").; "))
    assert [len(s.partition(".")[2]) for s in shown[:2]] == [digits, digits]
    assert all(float(s.replace("−", "-")) != 0 for s in shown[:2])


@pytest.mark.parametrize("unit", ["count", "log_points", "pp", "index", "cny"])
def test_an_interval_that_excludes_zero_never_ends_at_a_printed_zero(unit: str) -> None:
    said = effect(0.3, 0.0002, 0.6, unit=unit).say().items[0].en
    assert "0.0002" in said


def test_an_end_at_zero_up_to_rounding_asks_for_no_digits() -> None:
    assert digits_for("pp", None, 1e-16, 5.0, marks=(0.0,)) == 1
    assert digits_for("pct", None, 0.0, 5.0) == 1


def test_an_end_just_inside_the_margin_is_not_printed_on_it() -> None:
    result = effect(0.0, -0.4996, 0.4996, settings={"margin": 0.5})
    said = result.say().items[0].en
    assert "−0.4996 to 0.4996" in said
    assert "no more than ±0.5 percentage points" in said
    assert "±0.25 percentage points" in effect(0.0, -0.2, 0.2, settings={"margin": 0.25}).say().items[0].en


def test_a_criterion_just_above_its_target_is_not_printed_on_it() -> None:
    value = Estimate(term="rate", value=95.0, ci_low=94.02, ci_high=96.0)
    source, title = Text("方案", "plan"), Text("目标", "targets")
    goal = Criterion(indicator=RATE, estimate=value, target=94.0, source=source, verdict="met")
    card = Scorecard(entity="K1", subject=WHO, preset="own", preset_title=title, criteria=(goal,))
    assert "95.00%, 95% CI 94.02–96.00) meets the target of 94.0%" in card.say().items[0].en
    assert [str(getattr(c, "en", c)) for c in tabulate_scorecard(card).rows[0]][2:4] == ["95% CI 94.02–96.00", "94.0%"]


def test_estimates_of_one_term_have_one_precision() -> None:
    times = [(-2, 0.3, -2.0, 2.6), (0, 0.4, 0.02, 0.78)]
    events = tuple(
        Estimate(term="event", key={"event_time": t}, value=v, std_error=1.0, ci_low=a, ci_high=b)
        for t, v, a, b in times
    )
    result = Result(
        estimand="effect", outcome=RATE, unit="pp", method="event_study", estimates=events, subject=WHO, spoken=(0, 1)
    )
    assert "0.30 percentage points (95% CI −2.00 to 2.60)" in result.say().items[0].en
    assert "0.40 percentage points (95% CI 0.02–0.78" in result.say().items[1].en


def test_what_was_declared_keeps_its_decimals() -> None:
    declared = [(0.5, "pp"), (0.25, "pp"), (93, "pct"), (92.125, "pct"), (3, "count"), (2.5, "count")]
    assert [declared_digits(v, u) for v, u in declared] == [1, 2, 1, 3, 0, 1]
