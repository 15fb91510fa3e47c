"""Quarters, half-years and years: read, written, told and put in order; a half-year is never taken for its quarter."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbase.core import DatedEvent, Indicator, Panel, PanelError, Policy, PolicyError, Spell, Text, UsageError, periods
from qbase.core.results.told_numbers import is_period

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
WRITTEN = {
    "2025H1": ("2025h1", "2025-H1", "2025 H1", "2025年上半年", "2025 年上半年", "2025上半年", "２０２５Ｈ１"),
    "2025H2": ("2025年下半年", "2025 h2"),
}


@pytest.mark.parametrize(
    ("code", "given"), [(code, given) for code, ways in WRITTEN.items() for given in (code, *ways)]
)
def test_a_half_year_is_read_as_people_write_it(code: str, given: str) -> None:
    period = periods.parse_period(given, "H")
    assert periods.code(period) == code
    assert periods.parse_any(code) == period
    assert periods.read_period(period) == period, "a period is itself"
    assert is_period(code)
    assert is_period(f"{code}–2025H2")


def test_what_is_no_half_year_is_refused() -> None:
    for said in ("2025", "2025Q1", "2025H3", "2025年半年", "2025-06", pd.Period("2025Q1"), 2025):
        with pytest.raises(UsageError, match="QB101"):
            periods.parse_period(said, "H")
    with pytest.raises(UsageError, match="QB101"):
        periods.parse_period("2025H1", "Q")
    # two quarters that begin in the second are no half-year
    assert periods.read_period(pd.Period("2025Q2", freq="2Q-DEC")) is None


@given(st.dates(datetime.date(1931, 1, 1), datetime.date(2090, 12, 31)), st.sampled_from(["Q", "H", "A"]))
def test_a_day_lies_in_the_period_that_holds_it(day: datetime.date, freq: periods.Freq) -> None:
    period = periods.period_at(day, freq)
    assert period.start_time.date() <= day <= period.end_time.date()
    months = (period.end_time.date() - period.start_time.date()).days / 30.4
    assert round(months) == 12 / periods.PER_YEAR[freq]
    assert periods.to_periods(pd.Index([pd.Timestamp(day)]), freq)[0] == period
    assert periods.parse_any(periods.code(period)) == period
    assert periods.from_ordinal(periods.ordinal(period), freq) == period
    assert periods.ordinal(period + 1) == periods.ordinal(period) + 1, "places have no gaps"
    assert periods.event_time(period + 3, period) == 3
    assert periods.freq_of(period) == freq


def test_periods_of_one_length_lie_in_those_of_another() -> None:
    for quarter, half in (("2025Q1", "2025H1"), ("2025Q2", "2025H1"), ("2025Q3", "2025H2"), ("2025Q4", "2025H2")):
        assert periods.code(periods.convert(periods.parse_any(quarter), "H")) == half
        assert list(periods.to_periods(pd.PeriodIndex([quarter], freq="Q-DEC"), "H").year) == [2025]
    second = periods.parse_any("2025H2")
    assert periods.code(periods.convert(second, "Q")) == "2025Q3", "by its first day"
    assert periods.code(periods.convert(second, "A")) == "2025"
    assert [periods.code(second - 1), periods.code(second - 2), periods.code(second + 1)] == [
        "2025H1",
        "2024H2",
        "2026H1",
    ]
    assert periods.label(second) == Text("2025 年下半年", "the second half of 2025")
    assert periods.label(periods.parse_any("2025Q2"), is_half=True).zh == "2025 年上半年"


def test_a_frame_of_half_years_is_one_panel_however_they_are_written() -> None:
    ways = {
        "codes": ["2024H1", "2024年下半年", "2025H1"],
        "days": ["2024-03-05", "2024-12-31", "2025-01-01"],
        "dates": [datetime.date(2024, 6, 30), datetime.date(2024, 7, 1), datetime.date(2025, 2, 2)],
        "stamps": pd.to_datetime(["2024-06-30", "2024-07-01", "2025-02-02"]),
        "periods": [periods.parse_any(c) for c in ("2024H1", "2024H2", "2025H1")],
    }
    for written in ways.values():
        frame = pd.DataFrame({"c": "K1", "half": written, "rate": [90.0, 80.0, 85.0], "rate__k": [9, 8, 17]})
        frame["rate__n"] = [10, 10, 20]
        panel = Panel.from_frame(frame, entity="c", period="half", freq="H", indicators={"rate": RATE})
        assert repr(panel) == "<Panel rate: 1 x 3 half-yearly periods 2024H1 to 2025H1, 3 rows, naive>"
        assert panel.counts("rate")["n"].tolist() == [10, 10, 20]
    for wrong in (["2024Q1", "2024Q3", "2025Q1"], [2023, 2024, 2025]):
        with pytest.raises(PanelError, match="QB102"):
            Panel.from_frame(frame.assign(half=wrong), entity="c", period="half", freq="H", indicators={"rate": RATE})
    skewed = frame.assign(half=pd.PeriodIndex(["2024Q2", "2024Q4", "2025Q2"], freq="2Q-DEC"))
    with pytest.raises(PanelError, match="QB102"):
        Panel.from_frame(skewed, entity="c", period="half", freq="H", indicators={"rate": RATE})


def test_spells_and_events_take_half_years() -> None:
    spell = Spell(entity="K1", start="2024H2", end="2025年上半年")  # type: ignore[arg-type]
    assert periods.code(spell.end) == "2025H1"  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="QB146"):
        Spell(entity="K1", start="2024H2", end="2025Q1")  # type: ignore[arg-type]
    mixed = (Spell(entity="K1", start="2024H2"), Spell(entity="K2", start="2024Q3"))  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="QB146"):
        Policy(policy_id="p", title=Text("政策", "policy"), spells=mixed)
    event = DatedEvent(period="2021Q2", title=Text("标准修订", "revised standard"), kind="standard")
    assert [periods.code(event.at(freq)) for freq in ("Q", "H", "A")] == ["2021Q2", "2021H1", "2021"]
