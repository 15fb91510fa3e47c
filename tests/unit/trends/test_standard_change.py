"""The same batches judged twice: a change of the yardstick is dated, measured, and never one of quality."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import DatedEvent, Indicator, Panel, PanelError, Text, UsageError
from qbase.trends import estimate_breaks, estimate_control, estimate_standard_change

ID, TIGHT, LOOSE = "D1.batch", "D1.tightened", "D1.loosened"
QUARTERS = [f"{y}Q{q}" for y in range(2014, 2024) for q in range(1, 5)]
NEW = DatedEvent(period="2019Q1", title=Text("2018 版标准", "edition 2018"), kind="standard")
PILOT = DatedEvent(period="2019Q1", title=Text("试点", "pilot"), kind="policy")
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make(
    tightened: np.ndarray,
    loosened: np.ndarray | None = None,
    *,
    n: int = 200,
    has_items: bool = True,
    entity: str = "K1",
) -> Panel:
    """Return a panel of one cluster with batches judged twice."""
    k = np.random.default_rng(3).binomial(n, 0.9, 40)
    frame = pd.DataFrame({"cluster_id": entity, "quarter": QUARTERS, f"{ID}__k": k, f"{ID}__n": n, ID: 100 * k / n})
    indicators = {ID: RATE}
    if has_items:
        counts = {TIGHT: tightened, LOOSE: np.zeros(40) if loosened is None else loosened}
        for i, own in counts.items():
            frame = frame.assign(**{f"{i}__k": own.astype(int), f"{i}__n": n, i: 100 * own / n})
            indicators[i] = Indicator(id=i, name=Text(i, i), unit="pct", better="none")
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators=indicators)


BEFORE = np.r_[np.random.default_rng(1).integers(1, 9, 20), np.zeros(20, dtype=int)]


def test_the_date_its_doubt_and_what_the_limits_did() -> None:
    result = estimate_standard_change(make(BEFORE), known=NEW)
    (row,) = result.tables["breaks"].to_dict("records")
    assert [row[c] for c in ("period", "low", "high", "searched", "kind")] == ["2019Q1"] * 4 + ["standard"]
    (step,) = result.estimates
    assert step.value == pytest.approx(-100 * BEFORE.sum() / 4000)
    assert step.ci_low < step.value < step.ci_high < 0
    assert step.n_obs == 4000
    assert result.tables["series"]["value"].iloc[0] == pytest.approx(BEFORE[0] / 2)
    (said,) = result.say().items
    assert (
        "moves the yardstick and says nothing about quality (edition 2018; 95% CI of the date 2019 Q1 alone)" in said.en
    )
    assert "不能据此判断质量" in said.zh
    assert result.grade == "moderate"
    assert {c.name: c.passed for c in result.checks} == {"same_yardstick": False, "edition_on_record": True}


def test_without_a_document_it_is_dated_all_the_same_and_less_is_claimed() -> None:
    for known in (None, PILOT):
        result = estimate_standard_change(make(BEFORE), known=known)
        assert result.tables["breaks"]["kind"].tolist() == ["standard"], "a policy moves no limits"
        assert result.grade == "limited"
        assert {c.name: c.passed for c in result.checks}["edition_on_record"] is False
        assert "no longer drawn look the same" in result.checks[1].text.en


def test_a_document_takes_the_date_where_batches_leave_it_open() -> None:
    rare = np.zeros(40)
    rare[[1, 4, 7, 9, 12, 15, 16]] = 1
    blind, named = estimate_standard_change(make(rare)), estimate_standard_change(make(rare), known=NEW)
    (open_,), (dated,) = (r.tables["breaks"].to_dict("records") for r in (blind, named))
    assert open_["period"] == open_["low"] == "2018Q2"
    assert open_["high"] > "2019Q1"
    assert (dated["period"], dated["searched"]) == ("2019Q1", "2018Q2")


def test_limits_that_were_loosened_raise_the_rate_and_both_ways_are_told_apart() -> None:
    loosened = estimate_standard_change(make(np.zeros(40), BEFORE))
    assert loosened.estimates[0].ci_low > 0
    other = np.r_[np.full(20, 2), np.zeros(20)]
    both = estimate_standard_change(make(BEFORE, other))
    assert both.estimates[0].value == pytest.approx(100 * (other.sum() - BEFORE.sum()) / 4000)


def test_by_limits_of_a_base_year_the_change_begins_with_the_first_that_differs() -> None:
    result = estimate_standard_change(make(np.zeros(40), BEFORE[::-1]), known=NEW)
    (row,) = result.tables["breaks"].to_dict("records")
    assert (row["period"], row["low"], row["high"]) == ("2019Q1",) * 3
    assert result.estimates[0].ci_high < 0, "what the old limits pass the newer ones fail"


def test_where_there_is_no_date_it_says_why() -> None:
    missing = estimate_standard_change(make(BEFORE, has_items=False))
    assert not missing.estimates
    assert "No measured items" in missing.say().items[0].en
    assert "alone cannot date a change of standard" in missing.say().items[0].en
    alike = estimate_standard_change(make(np.zeros(40)))
    assert "All 8,000 batches" in alike.say().items[0].en
    assert "判定完全一致" in alike.say().items[0].zh
    always = estimate_standard_change(make(np.random.default_rng(5).integers(1, 5, 40)))
    assert "no date parts them" in always.say().items[0].en
    late = np.r_[np.random.default_rng(6).binomial(1, 0.2, 38), 0, 0]
    assert "p = " in estimate_standard_change(make(late)).say().items[0].en


def test_what_it_found_begins_a_phase_and_labels_the_break_of_a_rate() -> None:
    panel = make(BEFORE)
    found = estimate_standard_change(panel, known=NEW)
    chart = estimate_control(panel, ID, phases=found)
    assert chart.tables["phases"]["began_en"].tolist() == ["", "edition 2018"]
    rate = estimate_breaks(panel, ID, known=found)
    assert rate.tables["events"]["kind"].tolist() == ["standard"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(PanelError, match="QB123"):
        estimate_standard_change(make(BEFORE), "D9.none")
    with pytest.raises(UsageError, match="QB501"):
        estimate_standard_change(make(BEFORE), entity="K9")
    with pytest.raises(UsageError, match="QB503"):
        estimate_standard_change(make(BEFORE), level=1.5)
