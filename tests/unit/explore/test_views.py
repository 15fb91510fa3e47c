"""A view is the same thing as code, as a figure and as a report."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pandas as pd
import pytest

from qbase.core import UsageError
from qbase.explore import View, estimate_view, list_measured, read_span, write_view_code, write_view_report
from qbase.explore.viewing.view import WAYS
from qbase.figures.surface.canvas import leave_previews, render
from qbase.indicators import build_panel
from qbase.lake import Workspace
from qbase.reports import read_spec
from qbase.reports.asking.run_request import read_request

WINDOW = {"first": "2021Q1", "last": "2025Q4"}
VIEWS = [
    *(View(subject="K003", method=method, **WINDOW) for method in WAYS),
    View(first="2022", last="2025", freq="A"),
    View(subject="K003", sampling="post_stratified", **WINDOW),
    View(indicator="D1.finding", entity="town_code", method="change", **WINDOW),
]


@pytest.fixture
def home(demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("QBASE_HOME", str(demo_lake.root))
    return demo_lake


@pytest.fixture(scope="module")
def own(demo_lake: Workspace, tmp_path_factory: pytest.TempPathFactory, project_root: pathlib.Path) -> Workspace:
    """The same data in a workspace that may be changed."""
    root = tmp_path_factory.mktemp("views") / "home"
    shutil.copytree(demo_lake.root / "data", root / "data")
    workspace = Workspace.create(root)
    shutil.copy(project_root / "notebooks" / "20_quality_trends.ipynb", workspace.notebooks)
    return workspace


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.method}-{v.freq}-{v.sampling}-{v.entity}")
def test_the_code_of_a_view_gives_the_same_numbers_and_the_same_figure(view: View, home: Workspace) -> None:
    seen = estimate_view(home, view)
    names: dict[str, Any] = {}
    lines = write_view_code(view).split("\n\n")[1].strip().splitlines()
    assert len(lines) <= 4
    exec(write_view_code(view), names)  # noqa: S102  (the very lines a reader copies)
    pd.testing.assert_frame_equal(names["result"].tidy(), seen.result.tidy())
    assert names["result"].say().plain() == seen.result.say().plain()
    if seen.figure is not None:
        assert seen.figure.preview == b""
        again = eval(lines[-1], names)  # noqa: S307
        assert again.drawings == seen.figure.drawings
        assert again.preview


def test_every_method_but_an_unanswered_one_is_drawn(home: Workspace) -> None:
    drawn = {view.method: estimate_view(home, view) for view in VIEWS[: len(WAYS)]}
    for seen in drawn.values():
        assert (seen.figure is None) == (not seen.result.estimates)
        assert seen.sentences


def test_a_word_that_is_none_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match="QB144"):
        View(method="guess")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="QB144"):
        View(freq="M")  # type: ignore[arg-type]


def test_what_can_be_chosen_has_data_and_is_measured_so(home: Workspace) -> None:
    quarterly = [indicator for _, indicator in list_measured(home, View())]
    assert quarterly[:2] == ["D1.batch", "D1.firm"]
    yearly = [indicator for _, indicator in list_measured(home, View(freq="A", entity="town_code"))]
    assert set(yearly) != set(quarterly)
    span = read_span(build_panel(home, "D1.batch", **WINDOW))
    assert [code for _, code in span.subjects][:2] == ["K001", "K002"]
    assert (span.periods[0], span.periods[-1]) == ("2021Q1", "2025Q4")


def test_a_report_of_a_view_asks_what_the_view_asks(own: Workspace) -> None:
    view = View(subject="K003", sampling="post_stratified", **WINDOW)
    path = write_view_report(own, view)
    spec = read_spec(own, path.stem)
    assert spec.notebook == "notebooks/20_quality_trends.ipynb"
    request = read_request(own, path.stem, {})
    asked = {
        name: request.params[name] for name in ("outcome", "entity", "subject", "sampling", "freq", "first", "last")
    }
    assert asked == {"outcome": "D1.batch", "entity": "cluster_id", "subject": "K003", "sampling": "post_stratified",
                     "freq": "Q", **WINDOW}  # fmt: skip
    assert not request.params["policy_id"]
    with pytest.raises(UsageError, match="QB910"):
        write_view_report(own, view)


def test_a_pooled_view_goes_to_a_letter_that_can_be_left_without_a_subject(own: Workspace) -> None:
    path = write_view_report(own, View(**WINDOW), report_id="pooled")
    assert read_spec(own, "pooled").notebook == "notebooks/trends.ipynb"
    assert read_request(own, path.stem, {}).params["subject"] is None


def test_what_no_letter_can_be_asked_for_is_refused_and_nothing_is_written(own: Workspace) -> None:
    before = sorted(own.specs.glob("view_*"))
    with pytest.raises(UsageError, match="QB970"):
        write_view_report(own, View(freq="A", first="2021", last="2025"))
    with pytest.raises(UsageError, match="QB912"):
        write_view_report(own, View(subject="K003"), report_id="../x")
    assert sorted(own.specs.glob("view_*")) == before


def test_previews_come_back_after_they_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from qbase.core import Text

    monkeypatch.delenv("QBASE_RUN_DIR", raising=False)
    words = Text("线", "line")

    def draw(sheet: Any) -> None:
        sheet.frame(left=40, top=20, right=300, bottom=200, x=(0, 1), y=(0, 1))
        sheet.stroke([50, 90], [50, 90], "ink")

    with leave_previews():
        quick, none = render("line", title=words, alt=words, draw=draw)
    slow, png = render("line", title=words, alt=words, draw=draw)
    assert none == b""
    assert png.startswith(b"\x89PNG")
    assert quick == slow
