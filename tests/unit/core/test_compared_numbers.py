"""Two records held against each other: what is paired, what has moved, what a letter says of its last edition."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qbase.core import (
    CheckResult,
    Criterion,
    Estimate,
    Indicator,
    LastResults,
    Result,
    Retold,
    Scorecard,
    Text,
    compare_last,
)
from qbase.core.results.compared_numbers import compare_records, is_beyond
from qbase.core.results.records import build_record
from qbase.core.results.told_numbers import is_period, read_told

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
FIRMS = Indicator(id="A1.firms", name=Text("企业数", "number of firms"), unit="firm", better="none")
WHOM = Text("望埭集群", "Wangdai cluster")


def rate(period: str, value: float, half: float = 5.0, **key: Any) -> Estimate:
    return Estimate(
        term="rate",
        value=value,
        ci_low=value - half,
        ci_high=value + half,
        key={"entity": "K003", "period": period} | key,
    )


def level(*estimates: Estimate, **changes: Any) -> Result:
    settings = {"entity": "K003", "period": estimates[-1].key.get("period", ""), "sampling": "naive", "likeness": 0.14}
    known: dict[str, Any] = {"estimand": "level", "outcome": RATE, "unit": "pct", "method": "wilson", "subject": WHOM}
    settings |= changes.pop("settings", {})
    return Result(**{**known, "estimates": estimates, "settings": settings, "spoken": (len(estimates) - 1,), **changes})


def change(value: float, half: float, period: str = "2025Q2", **changes: Any) -> Result:
    estimate = Estimate(
        term="change", value=value, ci_low=value - half, ci_high=value + half, key={"first": "2024Q2", "period": period}
    )
    settings = {"against": "year_ago", "first": "2024Q2", "last": period} | changes.pop("settings", {})
    known: dict[str, Any] = {"estimand": "change", "outcome": RATE, "unit": "pp", "method": "newcombe", "subject": WHOM}
    return Result(**{**known, "estimates": (estimate,), "settings": settings, **changes})


def record(*values: Any) -> dict[str, Any]:
    """As it comes back from its file."""
    made: dict[str, Any] = json.loads(json.dumps(build_record(values)))
    return made


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (rate("2025Q1", 90), rate("2025Q1", 94.9), False),
        (rate("2025Q1", 90), rate("2025Q1", 95.1), True),
        (rate("2025Q1", 90), rate("2025Q1", 84.9), True),
        # the new interval does not matter, wide or narrow
        (rate("2025Q1", 90, 5), rate("2025Q1", 96, 50), True),
        (rate("2025Q1", 90, 5), rate("2025Q1", 92, 0.1), False),
        # an end of an interval is inside, and so is a value that differs by rounding
        (rate("2025Q1", 90), rate("2025Q1", 95.0), False),
    ],
)
def test_a_number_moved_when_it_lies_outside_its_earlier_interval(
    before: Estimate, after: Estimate, moved: bool
) -> None:
    assert is_beyond(before, after) is moved


@pytest.mark.parametrize(("after", "moved"), [(1136.0, False), (1136.0 + 1e-7, False), (1137.0, True), (1135.0, True)])
def test_a_full_count_moved_when_it_differs_at_all(after: float, moved: bool) -> None:
    exact = {"term": "count", "uncertainty": "none_full_count", "key": {"period": "2025"}}
    assert is_beyond(Estimate(value=1136.0, **exact), Estimate(value=after, **exact)) is moved


def test_a_later_period_is_another_number_and_an_old_one_is_found_again() -> None:
    old = record(level(rate("2025Q1", 90), rate("2025Q2", 80)))
    # a quarter more: its rate is far outside every earlier interval, and the likeness of firms is measured anew
    new = record(level(rate("2025Q1", 90), rate("2025Q2", 70), rate("2025Q3", 20), settings={"likeness": 0.9}))
    found = {pair.told.period: pair for pair in compare_records(old, new)}
    assert {period: pair.fate for period, pair in found.items()} == {
        "2025Q1": "same", "2025Q2": "changed", "2025Q3": "appeared"
    }  # fmt: skip
    assert [period for period, pair in found.items() if pair.has_moved] == ["2025Q2"]
    assert found["2025Q2"].change == -10
    assert found["2025Q2"].half_widths == -2


def test_a_number_without_a_period_of_its_own_is_compared_within_one_frame_only() -> None:
    def effect(value: float, last: str) -> Result:
        att = Estimate(term="att", value=value, ci_low=value - 1, ci_high=value + 1)
        path = Estimate(term="period", value=value, ci_low=value - 1, ci_high=value + 1, key={"period": last})
        return level(att, path, estimand="effect", unit="pp", settings={"period": "", "policy": "base"})

    later = compare_records(record(effect(2.0, "2025Q3")), record(effect(5.0, "2025Q4")))
    assert [(p.told.estimate.term, p.fate, p.has_moved, p.has_turned) for p in later] == [
        ("att", "changed", False, False), ("period", "appeared", False, False), ("period", "gone", False, False)
    ]  # fmt: skip
    same = compare_records(record(effect(2.0, "2025Q3")), record(effect(5.0, "2025Q3")))
    assert [p.has_moved for p in same] == [True, True]


def test_a_result_that_names_no_period_takes_that_of_its_record() -> None:
    def need(value: float, last: str) -> dict[str, Any]:
        plain = Estimate(term="spread", value=value, ci_low=value - 1, ci_high=value + 1)
        return record(level(rate(last, 90)), level(plain, method="spread", settings={"period": ""}))

    later = compare_records(need(2.0, "2025Q3"), need(9.0, "2025Q4"))
    assert [p.has_moved for p in later if p.told.estimate.term == "spread"] == [False]
    same = compare_records(need(2.0, "2025Q3"), need(9.0, "2025Q3"))
    assert [p.has_moved for p in same if p.told.estimate.term == "spread"] == [True]


def test_results_of_one_name_are_told_apart_by_what_was_chosen() -> None:
    kinds = ("year_ago", "previous", "cumulative")
    old = record(*(change(float(i), 1, settings={"against": kind}) for i, kind in enumerate(kinds)))
    # the order is another, and one is gone
    new = record(change(2.0, 1, settings={"against": "cumulative"}), change(0.0, 1, settings={"against": "year_ago"}))
    assert [(p.fate, p.told.estimate.value) for p in compare_records(old, new)] == [
        ("same", 2.0), ("same", 0.0), ("gone", 1.0)
    ]  # fmt: skip


def test_a_count_in_a_key_and_a_new_name_of_the_subject_part_nothing() -> None:
    old = record(level(rate("2025Q1", 90, peers=11)))
    new = record(level(rate("2025Q1", 90, peers=12), subject=Text("望埭新集群", "New Wangdai cluster")))
    assert [p.fate for p in compare_records(old, new)] == ["same"]


def test_a_verdict_turns_inside_its_interval_and_only_for_the_same_period() -> None:
    old = record(change(-4.0, 5))
    (turned,) = compare_records(old, record(change(-4.0, 3)))
    assert (turned.has_moved, turned.has_turned) == (False, True)
    assert (turned.before and turned.before.verdict, turned.told.verdict) == ("cannot_tell", "down")
    held = CheckResult(name="min_n", passed=False, text=Text("过少", "too few"))
    (withheld,) = compare_records(old, record(change(-4.0, 3, checks=(held,))))
    assert (withheld.told.verdict, withheld.has_turned) == ("withheld", True)
    assert not any(p.has_turned for p in compare_records(old, record(change(-4.0, 3, "2025Q3"))))
    steady = compare_records(record(change(0.5, 3)), record(change(0.5, 1, settings={"margin": 2.0})))
    assert [p.told.verdict for p in steady] == ["little"]


def test_a_scorecard_turns_with_its_criterion() -> None:
    def card(value: float, verdict: Any) -> Scorecard:
        goal = Criterion(indicator=RATE, estimate=rate("2025Q1", value), target=90.0, source=WHOM, verdict=verdict)
        return Scorecard(entity="K003", subject=WHOM, preset="own", preset_title=WHOM, criteria=(goal,))

    (pair,) = compare_records(record(card(93, "cannot_tell")), record(card(96, "met")))
    assert (pair.has_moved, pair.has_turned, pair.told.about.en) == (False, True, "pass rate")


def test_how_many_batches_are_needed_is_no_claim_that_could_move() -> None:
    def need(value: float) -> Result:
        batches = Estimate(term="batches", value=value, ci_low=value, ci_high=value, key={"rate_pct": value})
        return level(batches, estimand="need", unit="batch", method="half_width")

    (pair,) = compare_records(record(need(100)), record(need(900)))
    assert (pair.fate, pair.has_moved) == ("changed", False)


def test_a_record_of_before_says_what_it_spoke_of_by_its_period() -> None:
    old = record(level(rate("2025Q1", 90), rate("2025Q2", 80)))
    for entry in old["results"]:
        del entry["spoken"], entry["label"]
    assert [(t.period, t.is_spoken, t.what.en) for t in read_told(old)] == [
        ("2025Q1", False, "D1.batch"), ("2025Q2", True, "D1.batch")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("2025Q4", True),
        ("2025", True),
        ("2025Q1–2025Q4", True),
        ("firms 2019Q2", False),
        ("2025-10-01", False),
        (2025, False),
    ],
)
def test_periods_are_known_by_how_they_are_written(value: object, is_one: bool) -> None:
    assert is_period(value) is is_one


def last_of(*values: Any) -> LastResults:
    return LastResults(run_id="R1", slot="2025-07-01", snapshot="S0001", document=record(*values), sha256="ab" * 32)


def test_a_letter_restates_what_it_said_for_the_same_period() -> None:
    last = last_of(level(rate("2025Q1", 90), rate("2025Q2", 80)), change(-4.0, 5))
    now = (level(rate("2025Q1", 91), rate("2025Q2", 70), rate("2025Q3", 60)), change(-4.0, 3, "2025Q3"))
    retold = compare_last(last, *now)
    assert [(row.before.period, row.now.period, row.state) for row in retold.rows] == [
        ("2025Q2", "2025Q2", "moved"), ("2025Q2", "2025Q3", "other_verdict")
    ]  # fmt: skip
    lead, moved = retold.items()
    assert lead.en == (
        "Of 2 numbers spoken of in the last edition (2025-07-01, data S0001), computed again on the data of today: "
        "1 beyond the interval of last time; 1 another period, another verdict."
    )
    assert moved.en == "Beyond the interval of last time: pass rate (2025Q2)."
    assert moved.zh == "越出上次区间的：合格率（2025Q2）。"
    assert retold.kind == "prose"
    assert json.loads(json.dumps(retold.payload()))["items"][0]["grade"] is None
    assert retold.sources[0].sha256 == "ab" * 32
    assert "results.json of R1" in [s["path"] for s in record(*now, retold)["sources"]]


def test_a_turned_verdict_is_said_with_both_words() -> None:
    retold = compare_last(last_of(change(-4.0, 5)), change(-4.0, 3))
    (row,) = retold.rows
    assert (row.state, row.has_turned) == ("same", True)
    assert retold.items()[1].en == (
        "With another verdict on the same period: change of the pass rate (on a year ago) (2024Q2→2025Q2): "
        "cannot tell → down."
    )


def test_what_this_letter_does_not_estimate_is_left_out() -> None:
    last = last_of(level(rate("2025Q1", 90)), change(-4.0, 5))
    assert [row.before.estimand for row in compare_last(last, level(rate("2025Q1", 90))).rows] == ["level"]
    nothing = compare_last(last, level(Estimate(term="n", value=1, uncertainty="none_full_count"), outcome=FIRMS))
    assert nothing.rows == ()
    assert nothing.items()[0].en == "The last edition (2025-07-01, data S0001) has no number that can be compared."


def test_without_an_earlier_edition_one_sentence_says_so() -> None:
    retold = compare_last(LastResults(), level(rate("2025Q1", 90)))
    assert retold == Retold(name="retold", last=LastResults())
    assert len(retold.items()) == 1
    assert retold.sources == ()
    assert retold.lab()["text/html"].startswith("<p>没有更早的一期")
