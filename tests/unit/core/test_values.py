"""The value types keep their promises."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle

import pandas as pd
import pytest

from qbase.core import (
    CheckResult,
    DataError,
    Estimate,
    Indicator,
    Panel,
    PanelError,
    Policy,
    PolicyError,
    Result,
    RunRecord,
    Spell,
    Text,
    UsageError,
)
from qbase.core.errors import read_codes
from qbase.core.periods import code, event_time, label, parse_period
from qbase.core.values import freeze

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def frame(**changes: object) -> pd.DataFrame:
    data = {
        "cluster": ["b", "a", "a"],
        "quarter": ["2020Q1", "2020Q2", "2020Q1"],
        "D1.batch": [80.0, 95.0, 90.0],
        "D1.batch__n": [5, 20, 10],
        "D1.batch__k": [4, 19, 9],
    }
    return pd.DataFrame({**data, **changes})


def build(data: pd.DataFrame) -> Panel:
    return Panel.from_frame(data, entity="cluster", period="quarter", freq="Q", indicators={"D1.batch": RATE})


def test_panel_sorts_and_never_touches_its_input() -> None:
    data = frame()
    before = data.copy(deep=True)
    panel = build(data)
    pd.testing.assert_frame_equal(data, before)
    assert list(panel.data.index.get_level_values("entity")) == ["a", "a", "b"]
    panel.data.iloc[0, 0] = -1.0
    assert build(data).data.iloc[0, 0] == 90.0
    assert panel.counts("D1.batch").columns.tolist() == ["k", "n"]
    assert [code(p) for p in panel.periods] == ["2020Q1", "2020Q2"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(quarter=["2020Q1", "2020Q1", "2020Q1"]), "QB122"),
        (frame(cluster=["a", None, "b"]), "QB121"),
        (frame().drop(columns="D1.batch"), "QB120"),
        (frame(**{"D1.batch__k": [6, 19, 9]}), "QB128"),
        (frame().iloc[:0], "QB127"),
    ],
)
def test_panel_refuses_what_it_cannot_promise(data: pd.DataFrame, expected: str) -> None:
    with pytest.raises(PanelError) as caught:
        build(data)
    assert caught.value.code == expected
    assert caught.value.exit_code == 3


def test_panel_keeps_gaps_visible() -> None:
    panel = build(frame(quarter=["2020Q4", "2020Q2", "2020Q1"]))
    assert len(panel.periods) == 4
    assert len(panel.data) == 3


def test_a_panel_keeps_some_entities_with_their_cells() -> None:
    cells = pd.DataFrame({"entity": ["b", "a", "a"], "n": [5, 20, 10]})
    panel = dataclasses.replace(build(frame()), cells=cells)
    kept = panel.keep(["a", "c"])
    assert kept.entities == ["a"]
    assert kept.data["D1.batch__n"].tolist() == [10, 20]
    assert kept.cells is not None
    assert (kept.cells["n"].tolist(), kept.cells.index.tolist()) == ([20, 10], [0, 1])
    assert panel.keep({"a", "b"}) is panel
    assert build(frame()).keep(["a"]).cells is None
    assert (panel.entities, len(cells)) == (["a", "b"], 3)
    with pytest.raises(PanelError, match="QB127"):
        panel.keep(["c"])


def test_estimators_are_refused_shrunk_values() -> None:
    panel = build(frame())
    shrunk = Panel(data=panel.data, entity=panel.entity, freq="Q", indicators=panel.indicators, shrunk=("D1.batch",))
    with pytest.raises(PanelError) as caught:
        shrunk.counts("D1.batch")
    assert caught.value.code == "QB125"


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 1.0},
        {"value": 1.0, "ci_low": 0.5},
        {"value": 3.0, "ci_low": 0.5, "ci_high": 2.0},
        {"value": math.nan, "ci_low": 0.5, "ci_high": 2.0},
        {"value": 1.0, "ci_low": 0.5, "ci_high": 2.0, "std_error": 0.0},
        {"value": 1.0, "ci_low": -math.inf, "ci_high": 2.0},
    ],
)
def test_no_number_without_its_doubt(fields: dict[str, float]) -> None:
    with pytest.raises(DataError) as caught:
        Estimate(term="att", **fields)  # type: ignore[arg-type]
    assert caught.value.code == "QB110"


def test_a_full_count_needs_no_interval() -> None:
    assert Estimate(term="n", value=3.0, uncertainty="none_full_count").ci_low is None


def test_frozen_values_pickle_copy_and_go_to_json() -> None:
    estimate = Estimate(term="att", value=1.0, ci_low=0.0, ci_high=2.0, key={"event_time": 1})
    assert pickle.loads(pickle.dumps(estimate)) == estimate
    assert copy.deepcopy(estimate) == estimate
    assert json.loads(json.dumps(estimate.payload()))["key"] == {"event_time": 1}
    with pytest.raises(TypeError):
        estimate.key["event_time"] = 2  # type: ignore[index]
    with pytest.raises(TypeError):
        freeze({"a": 1}).update({"a": 2})


def test_result_finds_one_estimate_or_says_why_not() -> None:
    estimates = tuple(
        Estimate(term="event", key={"event_time": t}, value=float(t), ci_low=t - 1.0, ci_high=t + 1.0) for t in (0, 1)
    )
    result = Result(
        estimand="effect", outcome=RATE, unit="pp", method="twfe", estimates=estimates, subject=Text("甲", "A")
    )
    assert result.find("event", event_time=1).value == 1.0
    assert result.tidy()["event_time"].tolist() == [0, 1]
    with pytest.raises(DataError) as caught:
        result["event"]
    assert caught.value.code == "QB141"


def test_policy_derives_first_treated_and_refuses_impossible_spells() -> None:
    q = parse_period
    policy = Policy(
        policy_id="p",
        title=Text("政策", "Policy"),
        spells=(Spell(entity="a", start=q("2022Q3")), Spell(entity="b", start=q("2019Q1"), end=q("2019Q4"))),
    )
    assert policy.first_treated == {"a": q("2022Q3"), "b": q("2019Q1")}
    with pytest.raises(PolicyError) as caught:
        policy.require_absorbing()
    assert caught.value.code == "QB132"
    overlap = (Spell(entity="a", start=q("2019Q1")), Spell(entity="a", start=q("2020Q1")))
    for spells, expected in (((), "QB130"), (overlap, "QB131")):
        with pytest.raises(PolicyError) as caught:
            Policy(policy_id="p", title=Text("政策", "Policy"), spells=spells)
        assert caught.value.code == expected


def test_periods_read_and_write() -> None:
    assert code(parse_period("2022 q3")) == "2022Q3"
    assert label(parse_period("2022Q3")) == Text("2022 年第 3 季度", "2022 Q3")
    assert code(parse_period("1988", "A")) == code(parse_period(1988, "A")) == "1988"
    assert code(parse_period("2022年第三季度")) == code(parse_period("２０２２Ｑ３")) == "2022Q3"
    assert event_time(parse_period("2021Q1"), parse_period("2020Q3")) == 2
    for text, freq in (
        ("2022Q5", "Q"),
        ("2022", "Q"),
        ("22", "A"),
        ("2022年5季度", "Q"),
        ("2022年8月", "Q"),
        (2022.5, "A"),
    ):
        with pytest.raises(UsageError):
            parse_period(text, freq)  # type: ignore[arg-type]


def test_errors_have_four_lines_two_languages_and_survive_a_process_border() -> None:
    error = UsageError("QB101", text="2022Q5", found="'2022Q5'", expected="2022Q3", fix="write 2022Q3")
    assert error.render("en").count("\n") == 3
    assert error.render("en").startswith("error[QB101] ")
    assert error.render("zh").startswith("错误[QB101] ")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UsageError
    assert str(again) == str(error)


def test_hostile_text_in_an_error_stays_text() -> None:
    error = UsageError("QB101", text="{0.__class__}{x!r:>9999999}", found="", expected="", fix="")
    assert "{0.__class__}" in str(error)


@pytest.mark.parametrize("name", sorted(read_codes()))
def test_every_code_is_complete(name: str) -> None:
    entry = read_codes()[name]
    assert set(entry) == {"what_zh", "what_en", "meaning_zh", "meaning_en"}
    assert all(text.strip() for text in entry.values())


def test_run_record_goes_to_json() -> None:
    record = RunRecord(
        run_id="r1", report_id="trends", notebook="notebooks/a.ipynb", params={"year": 2023}, slot="", state="ok",
        fingerprint="f", commit="", versions={}, snapshot="S0001", started_at="2026-01-01T00:00:00+08:00",
    )  # fmt: skip
    assert json.loads(json.dumps(record.payload()))["params"] == {"year": 2023}


def test_check_result_payload() -> None:
    check = CheckResult(name="enough", passed=None, text=Text("够", "enough"))
    assert check.payload() == {"name": "enough", "passed": None, "text": {"zh": "够", "en": "enough"}}
