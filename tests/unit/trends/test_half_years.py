"""A rate by half-year is the rate of the counts of its two quarters, and no quarter that is still coming is in it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, Result, UsageError
from qbase.core.periods import parse_period
from qbase.figures import plot_trend, tabulate_estimates, tiles_of
from qbase.figures.charts.drawn_series import read_series
from qbase.indicators.maturity.maturity_table import Maturity, add_bounds
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends import estimate_change, estimate_level, estimate_trend
from tests.unit.trends.firm_panels import ID, build, draw

QUARTERS = [f"{year}Q{q}" for year in range(2019, 2026) for q in (1, 2, 3, 4)]
ROWS = draw(5, periods=QUARTERS, firms=12, batches=3, icc=0.3, rate=0.85)
PANEL, FIRMS = build(ROWS)


def by_hand() -> tuple[object, object]:
    """Return the panel and the firms with the quarters renamed to the last one of their half and added up."""
    named = [(e, f"{q[:5]}{2 if q[-1] in '12' else 4}", firm, n, k) for e, q, firm, n, k in ROWS]
    data = pd.DataFrame(named, columns=["e", "q", "f", "n", "k"]).groupby(["e", "q", "f"], as_index=False).sum()
    return build(list(data.itertuples(index=False, name=None)))


def numbers(result: Result) -> list[tuple[float, ...]]:
    return [(e.value, e.ci_low, e.ci_high, e.n_obs) for e in result.estimates]


def test_a_level_by_half_year_is_that_of_the_added_counts_with_and_without_firms() -> None:
    panel, firms = by_hand()
    for known, own in ((None, None), (FIRMS, firms)):
        halves = estimate_level(PANEL, ID, entity="K1", firms=known, window="half_year")
        whole = estimate_level(panel, ID, entity="K1", firms=own)
        np.testing.assert_allclose(numbers(halves), numbers(whole), rtol=1e-12)
    plain = estimate_level(PANEL, ID, entity="K1", window="half_year", period="2021H1")
    spoken = plain.estimates[plain.spoken[0]]
    n, k = (sum(row[c] for row in ROWS if row[1] in {"2021Q1", "2021Q2"}) for c in (3, 4))
    low, high = wilson_interval([k], [n])
    assert (spoken.n_obs, spoken.value) == (n, pytest.approx(100 * k / n))
    assert (spoken.ci_low, spoken.ci_high) == (pytest.approx(100 * low[0]), pytest.approx(100 * high[0]))
    assert plain.settings["window"] == "half_year"


def test_a_trend_by_half_year_is_that_of_the_added_counts_and_misses_no_period() -> None:
    panel, firms = by_hand()
    halves = estimate_trend(PANEL, ID, entity="K1", firms=FIRMS, window="half_year")
    np.testing.assert_allclose(
        numbers(halves), numbers(estimate_trend(panel, ID, entity="K1", firms=firms)), rtol=1e-12
    )
    assert {c.name: c.passed for c in halves.checks}["trend_gaps"] is True
    quarters = estimate_trend(PANEL, ID, entity="K1", firms=FIRMS)
    assert halves["trend"].value == pytest.approx(quarters["trend"].value, abs=0.6), "the same course, coarser steps"
    assert "From the first half of 2019 to the second half of 2025" in halves.say().items[0].en
    late = estimate_trend(PANEL, ID, entity="K1", window="half_year", first="2021H2")
    assert late.settings["first"] == "2021Q4"


def test_the_change_of_half_years_is_the_difference_of_their_levels() -> None:
    change = estimate_change(PANEL, ID, entity="K1", against="half_year", last="2025Q2")
    one, other = (estimate_level(PANEL, ID, entity="K1", window="half_year", period=p) for p in ("2024H1", "2025H1"))
    before, now = (r.estimates[r.spoken[0]].value for r in (one, other))
    assert change["change"].value == pytest.approx(now - before)


def test_words_and_pictures_name_the_half_and_draw_one_line() -> None:
    result = estimate_level(PANEL, ID, entity="K1", window="half_year")
    (said,) = result.say().items
    assert said.zh.startswith("2025 年下半年")
    assert "in the second half of 2025" in said.en
    assert "second half of 2025" in tiles_of(result).items[0].label.en
    assert tabulate_estimates(result).rows[0][0].zh.count("下半年") == 1
    assert [len(run) for run in read_series(result).runs] == [14]
    assert len(read_series(estimate_level(PANEL, ID, entity="K1")).runs) == 1
    assert set(plot_trend(result).drawings) == {"zh_wide", "zh_narrow", "en_wide", "en_narrow"}


@pytest.mark.parametrize("young", ["2025Q3", "2025Q4"])
def test_a_half_year_with_a_preliminary_quarter_is_left_out(young: str) -> None:
    keys = [("K1", parse_period(q)) for q in QUARTERS]
    counted = {str(p): 30 if str(p) == young else 0 for _, p in keys}
    rows = [(0, counted[str(p)], 0, 36 - counted[str(p)], 6 if counted[str(p)] else 30, 0) for _, p in keys]
    columns = ["n_sampled", "n_tested", "n_objection", "n_final", "k_final", "unseen_count"]
    table = add_bounds(
        pd.DataFrame(rows, columns=columns, index=pd.MultiIndex.from_tuples(keys, names=["entity", "period"]))
    )
    maturity = Maturity(table=table, by_age=pd.DataFrame(), as_of="2026-01-15", least_share=0.95)
    result = estimate_level(PANEL, ID, entity="K1", maturity=maturity, window="half_year")
    assert result.estimates[-1].key["period"] == "2025Q2"
    assert result.say().items[0].zh.startswith("2025 年上半年")
    assert "pending_count" not in result.tables["series"]
    with pytest.raises(DataError, match="QB502"):
        estimate_level(PANEL, ID, entity="K1", maturity=maturity, window="half_year", period="2025H2")


def test_what_cannot_be_summed_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="QB144"):
        estimate_level(PANEL, ID, entity="K1", window="decade")  # type: ignore[arg-type]
    data = PANEL.data.assign(**{f"{ID}__lo": PANEL.data[ID] - 5, f"{ID}__hi": PANEL.data[ID]})
    weighted = dataclasses.replace(PANEL, data=data, sampling="random_draw")
    for estimate in (estimate_level, estimate_trend):
        with pytest.raises(DataError, match="QB528"):
            estimate(weighted, ID, entity="K1", window="half_year")
    # a half-year that has only begun is not there
    begun, _ = build([row for row in ROWS if row[1] <= "2025Q3"])
    assert estimate_level(begun, ID, entity="K1", window="half_year").estimates[-1].key["period"] == "2025Q2"
