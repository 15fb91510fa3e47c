"""The everyday questions at a value: each kind of result gets its own figure, each value its own words."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

import qbase as qb
from qbase.core import DataError, Indicator, Panel, Policy, Result, Spell, Text, UsageError
from qbase.core.periods import parse_period
from qbase.effects import describe_path
from qbase.figures import plot_effect, plot_estimates, plot_event_study, plot_trend
from qbase.figures.charts.panel_drawing import SeenGrid
from qbase.scorecards import score_targets

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
POLICY = Policy(
    policy_id="p", title=Text("政策", "Policy"), kind="binary",
    spells=tuple(Spell(entity=f"K{i}", start=parse_period("2023Q1", "Q")) for i in range(4)),
)  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(3)
    quarters = [str(q) for q in pd.period_range("2021Q1", "2024Q4", freq="Q")]
    rows = [{"e": f"K{i}", "q": q, "n": 40, "k": int(rng.integers(30, 40))} for i in range(12) for q in quarters]
    frame = pd.DataFrame(rows).assign(rate=lambda f: 100 * f["k"] / f["n"])
    frame = frame.rename(columns={"rate": "D1.batch", "n": "D1.batch__n", "k": "D1.batch__k"})
    return Panel.from_frame(frame, entity="e", period="q", freq="Q", indicators={"D1.batch": RATE})


@pytest.fixture(scope="module")
def results(panel: Panel) -> dict[str, Result]:
    return {
        "level": qb.estimate_level(panel, "D1.batch", entity="K1"),
        "change": qb.estimate_change(panel, "D1.batch", entity="K1"),
        "study": qb.estimate_event_study(panel, POLICY, "D1.batch", leads=3, lags=3),
        "effect": qb.estimate_twfe(panel, POLICY, "D1.batch"),
    }


def test_each_kind_of_result_gets_its_own_figure(results: dict[str, Result]) -> None:
    level, change, study, effect = results.values()
    drawn = {
        "a level": (qb.plot(level, policy=POLICY), plot_trend(level, policy=POLICY)),
        "a level and its change": (qb.plot(level, change), plot_trend(level, change=change)),
        "a path of effects": (qb.plot(study, policy=POLICY), plot_event_study(study, policy=POLICY)),
        "an effect": (qb.plot(effect), plot_estimates(effect)),
        "a change alone": (qb.plot(change), plot_estimates(change)),
        "two effects": (qb.plot(effect, study), plot_estimates(effect, study)),
        "a change before its level": (qb.plot(change, change), plot_estimates(change, change)),
    }
    for kind, (ours, meant) in drawn.items():
        assert ours.payload() == meant.payload(), kind


def test_targets_are_drawn_with_a_level(results: dict[str, Result]) -> None:
    card = score_targets([results["level"]], preset="outline_2025")
    assert qb.plot(results["level"], target=card).payload() == plot_trend(results["level"], target=card).payload()


def test_nothing_to_draw_is_said_in_four_lines() -> None:
    with pytest.raises(DataError) as caught:
        qb.plot()
    assert caught.value.code == "QB707"


def test_values_are_told_in_their_own_words(panel: Panel, results: dict[str, Result]) -> None:
    assert qb.describe(panel, POLICY).items[0].en.startswith("The panel holds 12 entities over 16 periods")
    assert len(qb.describe(panel, POLICY).items) == len(qb.describe(panel).items) + 1
    for result in results.values():
        assert set(qb.describe(result).items) == set(result.say().items)
    card = score_targets([results["level"]], preset="outline_2025")
    assert qb.describe(card) == card.say()


def test_values_themselves_know_no_picture() -> None:
    core = pathlib.Path(qb.__file__).parent / "core"
    drawing = [p for p in core.rglob("*.py") if "qbase.figures" in p.read_text(encoding="utf-8")]
    assert drawing == []
    assert not any(hasattr(kind, "plot") or hasattr(kind, "describe") for kind in (Panel, Policy, Result))


def test_a_result_that_is_read_and_not_drawn_names_its_table(results: dict[str, Result]) -> None:
    unanswered = dataclasses.replace(
        results["change"], estimates=(), tables={}, unanswered=Text("没有上年同期。", "There is no quarter a year ago.")
    )
    listed = dataclasses.replace(unanswered, tables={"watchlist": pd.DataFrame({"firm": [1]})})
    for result, table in ((unanswered, "tabulate_estimates"), (listed, "tabulate_watchlist")):
        with pytest.raises(DataError) as caught:
            qb.plot(result)
        assert caught.value.code == "QB960"
        assert f"qb.{table}(result)" in str(caught.value)
        assert "There is no quarter a year ago." in str(caught.value)
        assert callable(getattr(qb, table))
        assert len(str(caught.value).splitlines()) == 4


def test_every_table_that_is_named_in_place_of_a_figure_can_be_called() -> None:
    from qbase.explore.everyday import TABLES

    assert all(callable(getattr(qb, name)) for name in TABLES.values())


def test_designs_and_paths_get_their_own_figures(panel: Panel) -> None:
    path = describe_path(panel, POLICY, "D1.batch", why=Text("太少", "too few"))
    assert qb.plot(path, policy=POLICY).payload() == plot_effect(path, policy=POLICY).payload()


def test_a_panel_is_drawn_with_its_gaps_and_adoptions(panel: Panel) -> None:
    gone = panel.data.drop(index=[("K1", parse_period("2022Q2", "Q")), ("K9", parse_period("2024Q4", "Q"))])
    figure = qb.plot(dataclasses.replace(panel, data=gone), policy=POLICY)
    assert figure.title.en == "Seen in every period: 10 of 12"
    assert "K1, K9 (2); adopters: 4." in figure.alt.en
    rows = {row[0].en: row[1:] for row in figure.table.rows}
    assert [*rows][:4] == ["K0", "K1", "K2", "K3"], "adopters first"
    assert rows["K1"] == ("15", "2021Q1", "2024Q4", "1", "2023Q1")
    assert rows["K9"] == ("15", "2021Q1", "2024Q3", "0", "–")
    assert set(figure.drawings) == {"zh_wide", "zh_narrow", "en_wide", "en_narrow"}
    states = SeenGrid(periods=("a", "b", "c", "d"), names=(), states=(("seen", "seen", "", "adopted"),), sums=())
    assert states.runs(0) == [("seen", 0, 2), ("adopted", 3, 4)]


def test_firms_and_what_has_no_figure_are_refused(panel: Panel) -> None:
    with pytest.raises(DataError, match="QB961"):
        qb.plot(dataclasses.replace(panel, entity="firm_id"))
    with pytest.raises(UsageError, match="QB962"):
        qb.plot(panel, panel)
