"""Imputation from a panel and a policy: what is said, what is refused, and what the scale does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Text
from qbase.core.errors import DataError, PolicyError, UsageError
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.results.result import Result
from qbase.effects import check_functional_form, estimate_imputation

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
FIRST = parse_period("2018Q1")
EFFECT = 4.0


def made_panel(entities: int = 16, periods: int = 14, *, counted: bool = True, seed: int = 4) -> Panel:
    rng = np.random.default_rng(seed)
    n = 40 + rng.poisson(20, (entities, periods))
    p = 0.85 + 0.02 * rng.normal(size=(entities, 1)) + 0.001 * np.arange(periods)
    p[:5, 7:] += EFFECT / 100
    k = rng.binomial(n, np.clip(p, 0, 1))
    frame = pd.DataFrame(
        {
            "cluster_id": np.repeat([f"K{i:02d}" for i in range(entities)], periods),
            "quarter": np.tile([str(FIRST + t) for t in range(periods)], entities),
            ID: (100 * k / n).ravel(),
        }
    )
    if counted:
        frame = frame.assign(**{f"{ID}__n": n.ravel(), f"{ID}__k": k.ravel()})
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def policy_of(starts: dict[int, int]) -> Policy:
    spells = tuple(Spell(entity=f"K{i:02d}", start=FIRST + t) for i, t in starts.items())
    return Policy(policy_id="base", title=Text("政策", "policy"), spells=spells)


PANEL = made_panel()
POLICY = policy_of(dict.fromkeys(range(5), 7))


@pytest.fixture(scope="module")
def points() -> Result:
    return estimate_imputation(PANEL, POLICY, ID, leads=3, lags=2)


@pytest.fixture(scope="module")
def odds() -> Result:
    return estimate_imputation(PANEL, POLICY, ID, leads=3, lags=2, scale="logit")


def test_the_sentence_speaks_of_the_average_effect(points: Result) -> None:
    assert points.estimates[points.spoken[0]].term == "att"
    assert points["att"].covers_zero is False
    assert points["att"].value == pytest.approx(EFFECT, abs=1.5)
    assert points["att"].n_treated == 5
    assert points["att"].n_cells == 35
    assert [e.key["event_time"] for e in points.estimates if e.term == "event"] == [-3, -2, -1, 0, 1, 2]
    assert points.unit == "pp"


def test_base_and_assumption_are_said(points: Result, odds: Result) -> None:
    for result, words in ((points, "by the same amount"), (odds, "log-odds")):
        notes = " ".join(note.en for note in result.notes)
        assert "average of all periods before" in notes
        assert words in notes
    assert {check.name for check in points.checks} >= {"cells_used", "parallel_leads"}


def test_leads_on_the_log_odds_are_tested_by_exchanging_histories(odds: Result) -> None:
    told = next(check for check in odds.checks if check.name == "parallel_leads")
    assert "permutation over" in told.text.en
    assert odds.settings["lead_p"] > 0.05


def test_table_holds_what_was_seen_and_what_was_imputed(points: Result, odds: Result) -> None:
    for result in (points, odds):
        table = result.tables["imputed"]
        assert list(table.columns) == ["entity", "period", "event_time", "observed", "imputed"]
        assert table["entity"].nunique() == 5
        late = table[table["event_time"] >= 0]
        assert (late["observed"] - late["imputed"]).mean() == pytest.approx(result["att"].value)


def test_settings_repeat_the_result(points: Result) -> None:
    names = ("leads", "lags", "anticipation", "donut", "scale", "weight", "level", "seed")
    again = estimate_imputation(PANEL, POLICY, ID, **{name: points.settings[name] for name in names})
    pd.testing.assert_frame_equal(again.tidy(), points.tidy())


def test_gap_before_the_start_is_said_and_makes_no_effect() -> None:
    gapped = estimate_imputation(PANEL, POLICY, ID, leads=4, lags=1, donut=1, anticipation=1)
    assert [e.key["event_time"] for e in gapped.estimates if e.term == "event"] == [-4, -3, 0, 1]
    assert "the last 2 periods before the start" in " ".join(note.en for note in gapped.notes)
    assert gapped["att"].n_cells == 35


def test_cells_without_comparison_are_told() -> None:
    frame = PANEL.data.reset_index().rename(columns={"entity": "cluster_id"})
    frame["quarter"] = frame.pop("period").astype(str)
    # the first treated has nothing before its start but the quarter that it may have reacted in
    frame = frame[(frame["cluster_id"] != "K00") | (frame["quarter"] >= str(FIRST + 6))]
    short = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})
    result = estimate_imputation(short, POLICY, ID, leads=3, lags=1, anticipation=1)
    told = next(check for check in result.checks if check.name == "cells_used")
    assert told.passed is None
    assert "7 treated cells that cannot be imputed" in told.text.en
    assert result["att"].n_cells == 28


def test_one_treated_is_described_without_an_interval() -> None:
    single = estimate_imputation(PANEL, policy_of({0: 7}), ID, leads=2, lags=1)
    assert single["att"].uncertainty == "none_too_few"
    assert single["att"].ci_low is None


def test_shares_of_entities_set_the_average() -> None:
    shares = {f"K{i:02d}": 100.0 if i == 2 else 1e-6 for i in range(16)}
    weighted = estimate_imputation(PANEL, POLICY, ID, leads=2, lags=1, weight=shares)
    table = weighted.tables["imputed"]
    own = table[(table["entity"] == "K02") & (table["event_time"] >= 0)]
    assert weighted["att"].n_effective == pytest.approx(1, abs=1e-6)
    assert weighted["att"].value == pytest.approx((own["observed"] - own["imputed"]).mean(), abs=1e-5)


def test_faults_are_told() -> None:
    with pytest.raises(UsageError, match="QB144"):
        estimate_imputation(PANEL, POLICY, ID, scale="probit")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="QB519"):
        estimate_imputation(PANEL, POLICY, ID, donut=-1)
    with pytest.raises(UsageError, match="QB543"):
        estimate_imputation(made_panel(counted=False), POLICY, ID, scale="logit")
    with pytest.raises(PolicyError, match="QB544"):
        estimate_imputation(PANEL, POLICY, ID, anticipation=9)


def test_what_the_scale_does_is_for_information(points: Result, odds: Result) -> None:
    check = check_functional_form(points, odds)
    assert check.passed is None
    gap = abs(points["att"].value - odds["att"].value)
    assert f"{gap:.1f}" in check.text.en
    assert f"{gap:.1f}" in check.text.zh
    assert list(check.table["scale"]) == ["probability", "logit"]
    assert list(check.table["value"]) == [points["att"].value, odds["att"].value]


def test_two_scales_of_other_effects_are_not_compared(points: Result, odds: Result) -> None:
    with pytest.raises(UsageError, match="QB545"):
        check_functional_form(odds, points)
    other = estimate_imputation(PANEL, POLICY, ID, leads=3, lags=2, donut=1, scale="logit")
    with pytest.raises(UsageError, match="QB545"):
        check_functional_form(points, other)


def test_gaps_in_the_panel_change_nothing_but_what_is_missing() -> None:
    frame = PANEL.data.reset_index()
    frame["quarter"] = frame["period"].astype(str)
    frame = frame.rename(columns={"entity": "cluster_id"}).drop(columns="period")
    frame = frame[["cluster_id", "quarter", ID]]
    absent = frame.drop(index=[20, 100])
    missing = frame.copy()
    missing.loc[[20, 100], [ID]] = np.nan
    values = [
        estimate_imputation(
            Panel.from_frame(rows, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE}), POLICY, ID
        )["att"].value
        for rows in (absent, missing)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-12)


def test_an_outcome_without_variation_is_refused() -> None:
    frame = PANEL.data.reset_index().rename(columns={"entity": "cluster_id"})
    frame["quarter"] = frame.pop("period").astype(str)
    frame[ID] = 90.0
    flat = Panel.from_frame(frame[["cluster_id", "quarter", ID]], entity="cluster_id", period="quarter", freq="Q",
                            indicators={ID: RATE})  # fmt: skip
    with pytest.raises(DataError, match="QB515"):
        estimate_imputation(flat, POLICY, ID)
