"""Breaks of a panel: their dates in words, what stands on record, and that a changed standard is never quality."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import DatedEvent, Indicator, Panel, Policy, Spell, Text
from qbase.figures import plot_breaks
from qbase.trends import estimate_breaks

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
QUARTERS = [f"{y}Q{q}" for y in range(2014, 2024) for q in range(1, 5)]
STANDARD = DatedEvent(period="2019Q2", title=Text("标准修订", "revised standard"), kind="standard")
POLICY = Policy(policy_id="p", title=Text("试点", "pilot"), spells=(Spell(entity="K1", start="2019Q1"),))


def make(step: float = -0.18, seed: int = 2, at: int = 20, common: float = 0.0) -> Panel:
    rng = np.random.default_rng(seed)
    rows = []
    wave = common * np.sin(np.arange(40) / 3)
    for entity, moved in (("K1", step), ("K2", 0.0)):
        n = rng.integers(20, 41, 40)
        k = rng.binomial(n, 0.78 + wave + np.where(np.arange(40) < at, 0.0, moved))
        rows += list(zip([entity] * 40, QUARTERS, k, n, 100 * k / n, strict=True))
    columns = ["cluster_id", "quarter", f"{ID}__k", f"{ID}__n", ID]
    frame = pd.DataFrame(rows, columns=columns)
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def test_a_break_is_dated_with_its_doubt_and_its_step() -> None:
    result = estimate_breaks(make(), ID, entity="K1")
    (row,) = result.tables["breaks"].to_dict("records")
    assert row["low"] <= "2019Q1" <= row["high"]
    (step,) = result.estimates
    assert step.ci_low < -18 < step.ci_high < 0
    assert result.unit == "pp"
    (said,) = result.say().items
    assert "no event on record" in said.en
    assert "fell" in said.en
    assert result.grade == "moderate", "a date that was searched is no design"
    means = result.tables["series"].groupby("segment")["mean"].first()
    assert step.value == pytest.approx(means.loc[2] - means.loc[1])


def test_a_changed_standard_in_the_interval_takes_the_break_and_gives_it_no_quality() -> None:
    result = estimate_breaks(make(), ID, entity="K1", known=[POLICY, STANDARD])
    (row,) = result.tables["breaks"].to_dict("records")
    assert (row["kind"], row["title_en"]) == ("standard", "revised standard")
    (said,) = result.say().items
    assert "moves the yardstick and says nothing about quality" in said.en
    assert "不能据此判断质量" in said.zh
    assert "strong" not in said.en
    assert result.grade == "limited"
    assert next(c for c in result.checks if c.name == "same_yardstick").passed is False
    far = dataclasses.replace(STANDARD, period=pd.Period("2022Q1"))
    alone = estimate_breaks(make(), ID, entity="K1", known=far)
    assert alone.tables["breaks"]["kind"].tolist() == ["break"]
    assert not any(c.name == "same_yardstick" for c in alone.checks)
    table = alone.tables["documented"]
    assert (table["period"].tolist(), table["is_in_a_break"].tolist()) == (["2022Q1"], [False])


def test_the_start_of_a_policy_is_a_coincidence() -> None:
    result = estimate_breaks(make(0.17), ID, entity="K1", known=POLICY)
    (said,) = result.say().items
    assert "coincides with the start of pilot and is no effect for that" in said.en
    assert "重合不等于效果" in said.zh
    assert result.tables["breaks"]["period"].tolist() == ["2019Q1"]


def test_what_moves_both_cancels_out_against_another() -> None:
    panel = make(-0.12, seed=4, common=0.12)
    against = estimate_breaks(panel, ID, entity="K1", against="K2")
    (row,) = against.tables["breaks"].to_dict("records")
    assert row["low"] <= "2019Q1" <= row["high"]
    both = panel.data[ID].unstack("entity")
    assert against.tables["series"]["value"].to_numpy() == pytest.approx((both["K1"] - both["K2"]).to_numpy())
    assert "less that of K2" in against.subject.en
    back = estimate_breaks(panel, ID, entity="K2", against="K1")
    assert back.estimates[0].value == pytest.approx(-against.estimates[0].value)


def test_none_found_is_not_none_there() -> None:
    result = estimate_breaks(make(0.0), ID, entity="K1")
    assert result.estimates == ()
    assert "none found is not none there" in result.say().items[0].en
    assert "没有发现不等于没有" in result.say().items[0].zh
    assert result.tables["breaks"].empty
    assert result.settings["p_any"] > 0.05


def test_of_too_few_periods_it_is_said_that_none_was_searched_for() -> None:
    panel = make()
    short = dataclasses.replace(panel, data=panel.data[panel.data.index.get_level_values("period") < "2016Q1"])
    result = estimate_breaks(short, ID, entity="K1")
    n = len(result.tables["series"])
    assert n < 12
    assert not result.estimates
    assert result.settings["p_any"] is None
    assert f"has {n} periods: a search for breaks takes at least 12" in result.say().items[0].en
    assert "没有发现断点" not in result.say().items[0].zh
    assert plot_breaks(result).title.en == f"{n} periods are too few to search for breaks"


def test_order_of_rows_and_names_change_nothing() -> None:
    frame = make().data.reset_index().sample(frac=1, random_state=1)
    frame["period"] = frame["period"].astype(str)
    frame["entity"] = frame["entity"].map({"K1": "Z1", "K2": "A2"})
    panel = Panel.from_frame(frame, entity="entity", period="period", freq="Q", indicators={ID: RATE})
    here, there = estimate_breaks(make(), ID, entity="K1"), estimate_breaks(panel, ID, entity="Z1")
    pd.testing.assert_frame_equal(here.tables["breaks"], there.tables["breaks"])
