"""How many batches: exact, and in words."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint, samplesize_confint_proportion

from qbase.core.errors import UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.planning import plan_batches
from qbase.planning.needed_batches import smallest_n, wilson_half_width

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")

WALD_GAP = 0.06
"""Near 93 % and ± 3 points Wilson needs 3 % more than the normal formula; more than twice that would be a slip."""


def make_level(value: float, low: float, high: float, **changes: object) -> Result:
    estimate = Estimate(term="rate", value=value, ci_low=low, ci_high=high, n_obs=100)
    fields = {"estimand": "level", "unit": "pct", **changes}
    return Result(outcome=RATE, method="wilson", estimates=(estimate,), subject=Text("甲集群", "Jia"), **fields)


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.5, 0.81, 0.93, 1.0])
@pytest.mark.parametrize("half_width", [0.002, 0.01, 0.03, 0.1, 0.25])
def test_the_number_is_the_smallest_that_does(rate, half_width):
    n = smallest_n(rate, half_width)
    assert wilson_half_width(rate, n) <= half_width
    assert n == 1 or wilson_half_width(rate, n - 1) > half_width


@pytest.mark.parametrize(("k", "n"), [(0, 20), (15, 148), (81, 263), (29, 29)])
def test_the_half_width_is_that_of_the_library(k, n):
    low, high = proportion_confint(k, n, method="wilson")
    assert wilson_half_width(k / n, n) == pytest.approx((high - low) / 2, rel=1e-9)


def test_the_rough_second_route_agrees():
    rough = samplesize_confint_proportion(0.93, 0.03)
    assert plan_batches(93, half_width_pp=3)["batches"].value == pytest.approx(rough, rel=WALD_GAP)


def test_a_bare_rate_is_arithmetic_and_says_so():
    result = plan_batches(93, half_width_pp=3)
    assert result["batches"].uncertainty == "none_full_count"
    assert result.say().items[0] == Text(
        "要把监督抽查批次合格率的 95% 区间控制在 ±3.0 个百分点以内，需要 285 批（按合格率 93.0% 计）。",
        "To know the batch pass rate within ±3.0 percentage points (95% interval), 285 batches are needed "
        "(at a rate of 93.0%).",
    )
    assert result.say().grades == (None,)
    assert "算术" in result.notes[0].zh
    curve = result.tables["curve"]
    assert curve["n_count"].is_monotonic_decreasing
    assert int(curve.loc[curve["half_width_pp"] == 3, "n_count"].iloc[0]) == 285


def test_a_result_carries_its_doubt_on_to_the_number():
    result = plan_batches(make_level(93, 40, 98), half_width_pp=5)
    need = result["batches"]
    assert need.ci_low == smallest_n(0.98, 0.05)
    assert need.ci_high == smallest_n(0.5, 0.05), "the widest case lies inside the interval"
    assert "甲集群的批次合格率" in result.say().items[0].zh
    assert f"{need.ci_high:.0f} 批" in result.say().items[0].zh


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: plan_batches(0.93, half_width_pp=0.03), "QB540"),
        (lambda: plan_batches(93, half_width_pp=60), "QB540"),
        (lambda: plan_batches(193, half_width_pp=3), "QB540"),
        (lambda: plan_batches(float("nan"), half_width_pp=3), "QB540"),
        (lambda: plan_batches(93, half_width_pp=3, level=95), "QB503"),
        (lambda: plan_batches(93, half_width_pp=3, outcome="D1.btach"), "QB401"),
        (lambda: plan_batches(make_level(2, 1, 3, estimand="change", unit="pp"), half_width_pp=3), "QB541"),
    ],
)
def test_refusals_are_four_lines(call, code):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4
