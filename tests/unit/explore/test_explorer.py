"""The explorer without a browser: what a control is set to is what is looked at, shown, copied and reported."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from qbase.core import SetupError
from qbase.explore import View, estimate_view, open_explorer
from qbase.explore.widgets.explorer import Explorer
from qbase.lake import Workspace

WINDOW = {"first": "2021Q1", "last": "2025Q4"}


@pytest.fixture(scope="module")
def explorer(demo_lake: Workspace) -> Explorer:
    return open_explorer(demo_lake, View(subject="K003", **WINDOW))


def shown(explorer: Explorer) -> str:
    return explorer.chart.value


def test_every_control_holds_what_the_view_holds(explorer: Explorer) -> None:
    explorer.choose(**vars(View(subject="K003", **WINDOW)))
    values = {name: control.value for name, control in explorer.controls.items()}
    assert values == {"indicator": "D1.batch", "entity": "cluster_id", "subject": "K003", "sampling": "naive",
                      "freq": "Q", "window": ("2021Q1", "2025Q4"), "method": "level"}  # fmt: skip
    labels = [label for label, _ in explorer.controls["subject"].options]
    assert "望埭镇涤纶产业集群" in labels, "entities are chosen by name"


def test_a_control_that_is_changed_changes_figure_words_and_code(explorer: Explorer) -> None:
    explorer.choose(subject="K003", method="level", **WINDOW)
    before = (shown(explorer), explorer.told.value, explorer.code.value)
    assert "<svg" in before[0]
    explorer.controls["subject"].value = "K001"
    after = (shown(explorer), explorer.told.value, explorer.code.value)
    assert explorer.view.subject == "K001"
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert 'data-figure="trend:D1.batch:K001"' in after[0]
    explorer.controls["window"].value = ("2022Q1", "2024Q4")
    assert (explorer.view.first, explorer.view.last) == ("2022Q1", "2024Q4")
    assert "2024Q4" in explorer.code.value
    explorer.controls["method"].value = "control"
    assert 'data-figure="control:D1.batch:K001"' in shown(explorer)


def test_a_window_shows_what_its_copied_code_shows(explorer: Explorer, demo_lake: Workspace) -> None:
    explorer.choose(subject="K003", method="change", **WINDOW)
    explorer.controls["window"].value = ("2022Q2", "2025Q3")
    alone = estimate_view(demo_lake, explorer.view)
    assert explorer.seen is not None
    assert explorer.seen.result.say().plain() == alone.result.say().plain()
    pd.testing.assert_frame_equal(explorer.seen.result.tidy(), alone.result.tidy())
    assert explorer.seen.panel.coverage == alone.panel.coverage


def test_what_is_loaded_meanwhile_is_seen(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer.choose(subject="K003", method="level", **WINDOW)
    whole = explorer._look()
    explorer.choose(subject="K001")
    assert explorer._look() is whole
    monkeypatch.setattr("qbase.explore.widgets.explorer.data_state", lambda *_: ["another state"])
    explorer.choose(subject="K003")
    assert explorer._look() is not whole


def test_another_kind_of_entity_or_period_starts_over_where_the_old_choice_means_nothing(explorer: Explorer) -> None:
    explorer.choose(subject="K003", method="level", **WINDOW)
    explorer.controls["freq"].value = "A"
    assert (explorer.view.first, explorer.view.last, explorer.view.subject) == (None, None, "K003")
    assert explorer.controls["window"].options[0].isdigit()
    explorer.controls["entity"].value = "town_code"
    assert explorer.view.subject is None
    assert explorer.seen is not None
    explorer.choose(entity="cluster_id", freq="Q", **WINDOW)


def test_a_choice_that_does_not_hold_says_so_in_four_lines_and_the_next_one_draws_again(explorer: Explorer) -> None:
    explorer.choose(subject="K003", method="level", indicator="D1.finding", sampling="post_stratified", **WINDOW)
    assert explorer.seen is None
    assert "QB433" in shown(explorer)
    assert shown(explorer).count("\n") == 3
    explorer.choose(indicator="D1.batch", sampling="naive")
    assert "<svg" in shown(explorer)


def test_a_report_that_cannot_be_is_told_beside_the_button(explorer: Explorer) -> None:
    explorer.report_id.value = "a/b"
    explorer.report_button.click()
    assert "QB912" in explorer.message.value
    explorer.report_id.value = ""


def test_without_the_extra_there_are_four_lines(monkeypatch: pytest.MonkeyPatch, demo_lake: Workspace) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(SetupError, match="QB971") as told:
        open_explorer(demo_lake)
    assert "qbase[lab]" in told.value.fix
