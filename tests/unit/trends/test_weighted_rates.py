"""A panel weighted by its sampling design keeps its own rates and intervals: k over n would undo the weights."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, Text
from qbase.stats.rates.difference_intervals import newcombe_interval
from qbase.stats.rates.wilson import square_and_add
from qbase.trends import estimate_change, estimate_level

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make_panel(sampling: str = "random_draw", entities: int = 1) -> Panel:
    rows = []
    for entity in range(entities):
        for quarter, rate, k in (("2024Q1", 80.0, 17), ("2025Q1", 91.0, 18)):
            value = 100 * k / 20 if sampling == "naive" else rate
            rows.append((f"K{entity}", quarter, value, 20, k, value - 15, min(100.0, value + 6)))
    columns = ["cluster_id", "quarter", ID, f"{ID}__n", f"{ID}__k", f"{ID}__lo", f"{ID}__hi"]
    frame = pd.DataFrame(rows, columns=columns)
    return Panel.from_frame(
        frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE}, sampling=sampling
    )  # type: ignore[arg-type]


def test_the_level_is_the_weighted_rate_with_its_own_interval() -> None:
    result = estimate_level(make_panel(), ID, entity="K0")
    (spoken,) = [result.estimates[i] for i in result.spoken]
    assert (spoken.value, spoken.ci_low, spoken.ci_high, spoken.n_obs) == (91.0, 76.0, 97.0, 20)
    assert result.method == "design"
    naive = estimate_level(make_panel("naive"), ID, entity="K0")
    assert naive.estimates[-1].value == pytest.approx(90.0)


def test_the_change_is_made_of_both_design_intervals() -> None:
    change = estimate_change(make_panel(), ID, entity="K0")["change"]
    assert change.value == pytest.approx(11.0)
    assert change.ci_low == pytest.approx(11.0 - math.hypot(15.0, 6.0))
    assert change.ci_high == pytest.approx(11.0 + math.hypot(6.0, 15.0))


def test_weighted_entities_are_not_pooled_nor_read_at_another_level() -> None:
    for panel, given in ((make_panel(entities=2), {}), (make_panel(), {"entity": "K0", "level": 0.9})):
        with pytest.raises(DataError) as caught:
            estimate_level(panel, ID, **given)  # type: ignore[arg-type]
        assert caught.value.code == "QB505"


def test_square_and_add_of_wilson_intervals_is_newcombes_method_10() -> None:
    result = estimate_level(make_panel("naive"), ID, entity="K0")
    columns = ["rate_pct", "ci_low", "ci_high"]
    before, after = (tuple(result.tables["series"].loc[i, columns]) for i in (0, 1))
    value, low, high = square_and_add(after, before)
    expected = newcombe_interval((18, 17), (20, 20))
    assert value == pytest.approx(5.0)
    assert (low, high) == (pytest.approx(100 * expected[0]), pytest.approx(100 * expected[1]))
