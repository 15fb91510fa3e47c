"""Drawings of control charts and of breaks, by the rules of every drawing: what is drawn is what the tables hold."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, DatedEvent, Figure, Panel, Result, Text, record
from qbase.explore import plot
from qbase.figures import plot_breaks, plot_control, plot_joinpoints, plot_memory
from qbase.trends import estimate_breaks, estimate_control, estimate_joinpoints
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES

RATE, TITLE, policy, card, texts_of = (getattr(every, n) for n in ("RATE", "TITLE", "policy", "card", "texts_of"))
EARLY = DatedEvent(period="2017Q3", title=Text("检验方案调整", "new test plan"), kind="other")
STANDARD = DatedEvent(
    period="2019Q1", title=Text("DB99/T 1101 由 2014 版改为 2020 版", "DB99/T 1101: edition 2020"), kind="standard"
)
LATE = DatedEvent(period="2019Q4", title=TITLE, kind="policy")


def make(seed: int = 2, *, rise: float = 0.0, gaps: bool = False, periods: int = 40, all_pass: bool = False) -> Panel:
    rng = np.random.default_rng(seed)
    n = rng.integers(12, 31, periods)
    k = n if all_pass else rng.binomial(n, np.where(np.arange(periods) < 20, 0.75, 0.75 + rise))
    quarters = [str(pd.Period("2014Q1", freq="Q-DEC") + i) for i in range(periods)]
    frame = pd.DataFrame({"c": "C00", "q": quarters, "D1.batch__k": k, "D1.batch__n": n, "D1.batch": 100 * k / n})
    frame = frame.drop(index=[3, 4, 18]) if gaps else frame
    labels = {"C00": Text("望埭镇涤纶产业集群", "Wangdai fibre cluster")}
    return Panel.from_frame(frame, entity="c", period="q", freq="Q", indicators={"D1.batch": RATE}, labels=labels)


def control(panel: Panel, **how: object) -> Result:
    return estimate_control(panel, "D1.batch", entity="C00", **how)


def breaks(panel: Panel, **how: object) -> Result:
    return estimate_breaks(panel, "D1.batch", entity="C00", **how)


def turned(*, at: int = 20, gaps: bool = False, season: float = 0.0, **how: object) -> Result:
    """Return turns of a series that falls, then rises, with a season of so many points."""
    time = np.arange(40) / 4
    rate = 0.95 - 0.05 * time + 0.10 * np.maximum(time - at / 4, 0) + season * (np.arange(40) % 4 == 3)
    k = np.random.default_rng(1).binomial(200, rate)
    quarters = [str(pd.Period("2014Q1", freq="Q-DEC") + i) for i in range(40)]
    frame = pd.DataFrame({"c": "C00", "q": quarters, "D1.batch__k": k, "D1.batch__n": 200, "D1.batch": k / 2})
    frame = frame.drop(index=[3, 4, 18]) if gaps else frame
    labels = {"C00": Text("望埭镇涤纶产业集群", "Wangdai fibre cluster")}
    panel = Panel.from_frame(frame, entity="c", period="q", freq="Q", indicators={"D1.batch": RATE}, labels=labels)
    return estimate_joinpoints(panel, "D1.batch", entity="C00", **how)


CASES: dict[str, Callable[[], Figure]] = {
    "control": lambda: plot_control(control(make(), target=90.0)),
    "control_phases": lambda: plot_control(control(make(rise=0.15), phases=[STANDARD, LATE], target=80.0)),
    "control_crowded": lambda: plot_control(control(make(gaps=True), phases=[EARLY, STANDARD, LATE])),
    "control_rise": lambda: plot_control(control(make(rise=0.2)), policy=policy("2018Q4"), target=card(95.0)),
    "control_all_pass": lambda: plot_control(control(make(all_pass=True))),
    "control_short": lambda: plot_control(control(make(periods=5))),
    "memory_ewma": lambda: plot_memory(control(make(rise=0.2), memory="ewma")),
    "memory_cusum": lambda: plot_memory(
        control(make(rise=0.15, gaps=True), memory="cusum", phases=STANDARD), policy=policy("2018Q4")
    ),
    "breaks": lambda: plot_breaks(breaks(make(rise=0.2))),
    "breaks_standard": lambda: plot_breaks(breaks(make(rise=0.2), known=[STANDARD, EARLY])),
    "breaks_policy": lambda: plot_breaks(breaks(make(rise=0.2), known=policy("2019Q1")), policy=policy("2019Q1")),
    "breaks_none": lambda: plot_breaks(breaks(make(gaps=True))),
    "turns": lambda: plot_joinpoints(turned(gaps=True, season=-0.1)),
    "turns_standard": lambda: plot_joinpoints(turned(known=STANDARD), policy=policy("2018Q4")),
    "turns_none": lambda: plot_joinpoints(estimate_joinpoints(make(gaps=True), "D1.batch", entity="C00")),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make_one() for name, make_one in CASES.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", CASES)
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


@pytest.mark.parametrize("name", ["control_phases", "breaks_standard"])
def test_the_same_input_gives_the_same_bytes(drawn: dict[str, Figure], name: str) -> None:
    assert CASES[name]().payload() == drawn[name].payload()


def test_the_title_is_the_verdict_and_no_louder(drawn: dict[str, Figure]) -> None:
    assert drawn["control"].title.en.endswith(": no more than routine variation")
    assert drawn["control"].title.zh.endswith("：属正常波动")
    assert drawn["control_rise"].title.en.endswith(": special cause, improving")
    assert drawn["control_all_pass"].title.en.endswith("all values alike, no verdict")
    assert drawn["control_short"].title.zh.endswith("期数太少，不作判断")
    assert "since 2019 Q4" in drawn["control_phases"].title.en
    assert drawn["breaks_standard"].title.en.endswith("no verdict on quality")
    assert "rose" not in drawn["breaks_standard"].title.en
    assert "up" in drawn["breaks"].title.en
    assert drawn["breaks_none"].title.en.startswith("No break found")
    assert "that is no effect" in drawn["breaks_policy"].note.en
    assert "重合不等于效果" in drawn["breaks_policy"].note.zh


def test_events_are_dashed_and_named_and_the_note_tells_the_false_alarm(drawn: dict[str, Figure]) -> None:
    figure = drawn["control_phases"]
    for key, svg in figure.drawings.items():
        shown = " ".join(texts_of(svg))
        assert "2019Q1" in shown or "2019 Q1" in shown, key
        assert "DB99/T 1101" in shown
        assert re.search(r"stroke-dasharray:[^;]*;[^\"]*var\(--plum\)|var\(--plum\)[^\"]*stroke-dasharray", svg), key
    assert "2019 Q1 change of standard (DB99/T 1101: edition 2020)" in figure.note.en
    assert "in at most 5% of whole charts" in figure.note.en
    assert "n = 12–30 batches a period" in figure.subtitle.en
    assert "（%）" in figure.subtitle.zh


def test_limits_signals_and_means_are_those_of_the_tables(drawn: dict[str, Figure]) -> None:
    result = control(make(rise=0.2))
    series, figure = result.tables["series"], drawn["control_rise"]
    last = series.iloc[-1]
    shown = texts_of(figure.drawings["en_wide"])
    assert f"Mean {last['centre']:.1f}%" in shown
    assert f"Lower {last['lower_limit']:.1f}%" in shown
    assert f"Upper {last['upper_limit']:.1f}%" in shown
    assert "Target 95.0%" in shown
    assert figure.table.data["lower_limit"] == pytest.approx(series["lower_limit"].tolist())
    fired = series.loc[series[["beyond", "two_of_three", "shift", "trend"]].any(axis=1), "period"]
    named = re.search(r"Points at which a rule fired: ([^.]*)\.", figure.alt.en)
    assert (named is not None) == (len(fired) > 0)
    if named:
        assert named[1].startswith(f"{fired.iloc[0][:4]} {fired.iloc[0][4:]}")


def test_a_phase_in_which_all_passed_has_no_limits_drawn(drawn: dict[str, Figure]) -> None:
    svg = drawn["control_all_pass"].drawings["en_wide"]
    assert not any(text.startswith(("Upper", "Lower")) for text in texts_of(svg))
    assert "none are drawn" in drawn["control_all_pass"].note.en


def test_a_turn_is_where_the_lines_meet_and_every_segment_has_a_row(drawn: dict[str, Figure]) -> None:
    result, figure = turned(gaps=True, season=-0.1), drawn["turns"]
    (row,) = result.tables["joinpoints"].to_dict("records")
    assert row["low"] <= "2019Q1" <= row["high"]
    at = f"{row['period'][:4]} {row['period'][4:]}"
    first, second = result.estimates
    assert figure.title.en.startswith(("Batch pass rate", "Turn"))
    assert f"urn in {at}, from −" in figure.title.en
    assert figure.title.zh.endswith("个百分点/年")
    assert figure.table.data["slope"] == [pytest.approx(first.value), pytest.approx(second.value)]
    assert figure.table.data["turn_low"] == [row["low"], ""]
    assert "Points hold the season, the line does not." in figure.note.en
    series = result.tables["series"]
    seen = pd.PeriodIndex(series["period"], freq="Q-DEC")
    steps = np.diff(series["trend"]) / np.diff(seen.asi8)
    before = (seen[1:] <= pd.Period(row["period"], freq="Q-DEC")).astype(bool)
    np.testing.assert_allclose(steps[before], first.value / 4)
    np.testing.assert_allclose(steps[~before], second.value / 4)
    assert drawn["turns_standard"].title.en.endswith("no verdict on quality")
    assert drawn["turns_none"].title.en.endswith("no turn of the trend found")


def test_plot_finds_the_figure_of_each_kind() -> None:
    assert plot(control(make())).name == "control:D1.batch:C00"
    assert plot(control(make(), memory="cusum")).name == "memory:D1.batch:C00:cusum"
    # no phase is long enough for a limit of the path
    assert plot(control(make(periods=5), memory="cusum")).name == "control:D1.batch:C00:cusum"
    assert plot(breaks(make(rise=0.2))).name == "breaks:D1.batch:C00"
    assert plot(turned()).name == "joinpoints:D1.batch:C00"


def test_a_result_without_the_tables_is_refused() -> None:
    bare = dataclasses.replace(control(make()), tables={})
    for draw in (plot_control, plot_breaks, plot_memory, plot_joinpoints):
        with pytest.raises(DataError, match="QB703"):
            draw(bare)
    with pytest.raises(DataError, match="QB703"):
        plot_memory(control(make()))


def test_charts_of_one_entity_have_one_name_only_where_they_show_the_same() -> None:
    panel = make(rise=0.2)
    charts = [
        *(control(panel, chart=chart) for chart in ("auto", "p", "laney", "xmr")),
        control(panel, phases=STANDARD),
        control(panel, phases=LATE),
        control(panel, dispersion="own"),
        control(panel, memory="ewma"),
        control(panel, target=90.0),
        control(panel, alpha=0.01),
    ]
    figures = [plot_control(c) for c in charts]
    figures += [plot(control(panel, memory=m)) for m in ("ewma", "cusum")]
    names = [f.name for f in figures]
    assert len(set(names)) == len(names)
    # the record refuses two of one name: it takes them all, and the same one twice
    record(*figures, figures[0])


def test_the_path_is_that_of_the_table_and_signals_have_sign_and_word(drawn: dict[str, Figure]) -> None:
    result, figure = control(make(rise=0.2), memory="ewma"), drawn["memory_ewma"]
    series = result.tables["series"]
    low, high = (series["memory_upper"] < -series["memory_limit"]), (series["memory_upper"] > series["memory_limit"])
    assert low.any()
    assert figure.table.data["memory_upper"] == pytest.approx(series["memory_upper"].tolist())
    told = [row[-1] for row in figure.table.rows]
    assert [t.en.startswith("▼") for t in told] == low.tolist()
    assert [t.en.startswith("▲") for t in told] == high.tolist()
    first = series.loc[low, "period"].iloc[0]
    assert f"▼ beyond the limit, worse side: {first[:4]} {first[4:]}" in figure.alt.en
    assert "EWMA of batch pass rate (standard errors)" in figure.subtitle.en
    for key, svg in figure.drawings.items():
        shown = " ".join(texts_of(svg))
        assert ("standard errors" if key.startswith("en") else "标准误") in shown, key
    assert f"Upper {series['memory_limit'].iloc[-1]:.1f}" in texts_of(figure.drawings["en_wide"])
    assert figure.title.en.endswith("special cause, improving")


def test_a_cusum_has_two_lines_and_limits_anew_in_every_phase(drawn: dict[str, Figure]) -> None:
    figure = drawn["memory_cusum"]
    assert [c.label.en for c in figure.table.columns][3:5] == ["Upper path", "Lower path"]
    upper, lower = (np.array(figure.table.data[f"memory_{side}"], dtype=float) for side in ("upper", "lower"))
    assert (upper >= 0).all()
    assert (lower <= 0).all()
    assert len(set(figure.table.data["memory_limit"])) == 2
    assert "Vertical lines" in figure.note.en
