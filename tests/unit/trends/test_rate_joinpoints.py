"""Turns of a trend: found where they are, rarely where there is none, and never quality where the yardstick moved."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from qbase.core import DataError, DatedEvent, Indicator, Panel, Text
from qbase.figures import tabulate_estimates
from qbase.stats.control.joinpoints import fit_joinpoints
from qbase.trends import estimate_joinpoints

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
QUARTERS = [f"{y}Q{q}" for y in range(2014, 2024) for q in range(1, 5)]
TIME = np.arange(40) / 4
STANDARD = DatedEvent(period="2019Q1", title=Text("标准修订", "revised standard"), kind="standard")


def make(rate: np.ndarray, n: int = 60, seed: int = 1, periods: list[str] = QUARTERS) -> Panel:
    k = np.random.default_rng(seed).binomial(n, rate)
    frame = pd.DataFrame({"cluster_id": "K1", "quarter": periods, f"{ID}__k": k, f"{ID}__n": n, ID: 100 * k / n})
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


TURNED = make(0.95 - 0.05 * TIME + 0.10 * np.maximum(TIME - 5, 0), n=120)


def test_the_fit_is_that_of_a_search_by_statsmodels_over_every_pair_of_dates() -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(20, 60, 32).astype(float)
    time = np.arange(32) / 4
    value = 80 - 6 * time + 14 * np.maximum(time - 2.5, 0) - 16 * np.maximum(time - 5.5, 0) + rng.normal(0, 1, 32)
    found = fit_joinpoints(value, weight, time)
    assert len(found.knots) == 2
    tried = {}
    for a, b in itertools.combinations(range(3, 29), 2):
        if b - a >= 4:
            bent = [np.maximum(time - time[i], 0) for i in (a, b)]
            x = np.column_stack([np.ones(32), time, *bent])
            tried[a, b] = sm.WLS(value, x, weights=weight).fit()
    best = min(tried, key=lambda pair: tried[pair].ssr)
    assert tuple(found.knots) == best
    np.testing.assert_allclose(found.fitted, tried[best].fittedvalues, rtol=1e-9)
    np.testing.assert_allclose(found.slopes, np.cumsum(tried[best].params[1:]), rtol=1e-8)
    # interval of a date: all at which the best of the rest does not fit worse than F allows
    from scipy.stats import f

    most = tried[best].ssr * (1 + f.ppf(0.95, 1, found.df) / found.df)
    inside = np.array([pair for pair, fit in tried.items() if fit.ssr <= most])
    assert found.low.tolist() == inside.min(axis=0).tolist()
    assert found.high.tolist() == inside.max(axis=0).tolist()


def test_a_straight_trend_seldom_gets_a_joinpoint() -> None:
    """2,000 draws of small counts: the upper 99 % bound of the share lies below 7 %."""
    rng, draws = np.random.default_rng(11), 2000
    n = rng.integers(15, 30, 40)
    hits = 0
    for _ in range(draws):
        k = rng.binomial(n, 0.9 - 0.01 * TIME)
        hits += len(fit_joinpoints(100 * k / n, n.astype(float), TIME).knots) > 0
    share = hits / draws
    assert share + 2.326 * np.sqrt(share * (1 - share) / draws) < 0.07


def test_a_turn_is_dated_and_the_slopes_of_both_segments_are_covered() -> None:
    rng, draws = np.random.default_rng(5), 100
    dated = before = after = seen = 0
    for _ in range(draws):
        k = rng.binomial(100, 0.95 - 0.05 * TIME + 0.10 * np.maximum(TIME - 5, 0))
        found = fit_joinpoints(k.astype(float), np.full(40, 100.0), TIME, draws=99)
        if len(found.knots) != 1:
            continue
        seen += 1
        dated += bool(found.low[0] <= 20 <= found.high[0])
        before += bool(abs(found.slopes[0] + 5) <= 2.03 * found.errors[0])
        after += bool(abs(found.slopes[1] - 5) <= 2.03 * found.errors[1])
    assert seen >= 0.9 * draws
    assert min(dated, before, after) >= 0.90 * seen


def test_result_says_when_it_turned_and_both_slopes_in_both_languages() -> None:
    result = estimate_joinpoints(TURNED, ID, entity="K1")
    (row,) = result.tables["joinpoints"].to_dict("records")
    assert row["low"] <= "2019Q1" <= row["high"]
    one, two = result.estimates
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert one.ci_low < -5 < one.ci_high < 0 < two.value
    assert one.key["until"] == two.key["since"] == row["period"]
    first, second = result.say().items
    assert "percentage points a year" in first.en
    assert "The trend turned in" in second.en
    assert "趋势在" in second.zh
    assert "没有记录在案的事件" in second.zh
    assert len(tabulate_estimates(result).rows) == 2
    again = estimate_joinpoints(TURNED, ID, entity="K1")
    assert [e.value for e in again.estimates] == [e.value for e in result.estimates]


def test_a_turn_at_a_changed_standard_is_one_of_the_yardstick() -> None:
    result = estimate_joinpoints(TURNED, ID, entity="K1", known=STANDARD)
    assert result.tables["joinpoints"]["kind"].tolist() == ["standard"]
    assert "the yardstick moved, not quality: revised standard" in result.say().items[1].en
    assert result.grade == "limited"
    assert next(c for c in result.checks if c.name == "same_yardstick").passed is False


def test_what_has_no_turn_or_too_few_periods_says_so() -> None:
    straight = estimate_joinpoints(make(np.full(40, 0.8)), ID, entity="K1")
    assert len(straight.estimates) == 1
    assert "none found is not none there" in straight.say().items[0].en
    short = estimate_joinpoints(make(np.full(8, 0.8), periods=QUARTERS[:8]), ID, entity="K1")
    assert not short.estimates
    assert "至少 12 期" in short.say().items[0].zh
    limits = {f"{ID}__lo": TURNED.data[ID] - 5, f"{ID}__hi": TURNED.data[ID] + 5}
    weighted = dataclasses.replace(TURNED, data=TURNED.data.assign(**limits), sampling="random_draw")
    silent = estimate_joinpoints(weighted, ID, entity="K1")
    assert silent.say().items[0].en.startswith("Turns of a trend are sought in counts;")
    for most in (4, -1, "two"):
        with pytest.raises(DataError, match="QB534"):
            estimate_joinpoints(TURNED, ID, entity="K1", most=most)  # type: ignore[arg-type]
    assert len(estimate_joinpoints(TURNED, ID, entity="K1", most=0).estimates) == 1
