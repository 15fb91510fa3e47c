"""Specifications: typed, nothing ignored in silence, one name one report."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import UsageError
from qbase.core.results.run_values import Limits
from qbase.lake import Workspace
from qbase.reports import find_specs, list_specs, read_spec

GOOD = 'notebook = "notebooks/a.ipynb"\ntitle_zh = "题"\ntitle_en = "Title"\n'


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def write(workspace: Workspace, name: str, text: str) -> None:
    path = workspace.specs / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_full_spec_is_read(workspace: Workspace) -> None:
    write(
        workspace,
        "cases/us.toml",
        GOOD + 'tables = ["inspections"]\nprofile = "external"\nseed = 7\n'
        '[params]\nyear = 2024\n[limits]\nseconds = 60\n[schedule]\nrule = "FREQ=WEEKLY"\n',
    )
    spec = read_spec(workspace, "us")
    assert (spec.report_id, spec.title.zh, spec.profile, spec.seed) == ("us", "题", "external", 7)
    assert spec.tables == ("inspections",)
    assert spec.params == {"year": 2024}
    assert spec.limits == Limits(seconds=60)
    assert spec.schedule == {"rule": "FREQ=WEEKLY"}
    with pytest.raises(TypeError):
        spec.params["year"] = 1  # type: ignore[index]


def test_all_are_listed_by_name(workspace: Workspace) -> None:
    for name in ("b.toml", "cases/a.toml", "c.toml"):
        write(workspace, name, GOOD)
    assert [spec.report_id for spec in list_specs(workspace)] == ["a", "b", "c"]
    assert list(find_specs(workspace)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "found", "fix"),
    [
        (GOOD + 'notbook = "x"', "notbook", "notbook -> notebook"),
        (GOOD.replace('title_en = "Title"\n', ""), "no title_en", 'add title_en = "…"'),
        (GOOD + "seed = true", "seed = True", "correct seed"),
        (GOOD + 'seed = "1"', "seed = '1'", "correct seed"),
        (GOOD + 'tables = "inspections"', "tables = 'inspections'", "correct tables"),
        (GOOD + 'profile = "externl"', 'profile = "externl"', 'profile = "external"'),
        (GOOD + "[limits]\nsecond = 1", "second", "second -> seconds"),
        (GOOD + "[limits]\nseconds = 0", "seconds = 0", "correct seconds"),
        (GOOD + "[params]\nday = 2024-01-31", "a bare date under [params]", 'day = "2024-01-31"'),
        (GOOD.replace("notebooks/a.ipynb", "../a.ipynb"), 'notebook = "../a.ipynb"', 'notebook = "notebooks/….ipynb"'),
        (GOOD.replace("notebooks/a.ipynb", "/a.ipynb"), 'notebook = "/a.ipynb"', 'notebook = "notebooks/….ipynb"'),
        (GOOD.replace("notebooks/a.ipynb", "a.py"), 'notebook = "a.py"', 'notebook = "notebooks/….ipynb"'),
        (GOOD.replace('"题"', '" "'), "title_zh = ' '", "correct title_zh"),
    ],
)
def test_what_does_not_hold_is_told(workspace: Workspace, text: str, found: str, fix: str) -> None:
    write(workspace, "a.toml", text)
    with pytest.raises(UsageError) as caught:
        read_spec(workspace, "a")
    assert caught.value.code == "QB802"
    assert caught.value.found == found
    assert caught.value.fix == fix
    assert "reports/specs/a.toml" in caught.value.what_en


def test_broken_toml_is_told(workspace: Workspace) -> None:
    write(workspace, "a.toml", "notebook = ")
    with pytest.raises(UsageError) as caught:
        read_spec(workspace, "a")
    assert caught.value.code == "QB802"


def test_two_files_of_one_name_are_refused(workspace: Workspace) -> None:
    write(workspace, "a.toml", GOOD)
    write(workspace, "cases/a.toml", GOOD)
    with pytest.raises(UsageError) as caught:
        find_specs(workspace)
    assert "the same name as" in caught.value.found


@pytest.mark.parametrize("name", ["-x.toml", "a b.toml", "a{0}.toml", "a;b.toml"])
def test_a_name_that_is_no_handle_is_refused(workspace: Workspace, name: str) -> None:
    write(workspace, name, GOOD)
    with pytest.raises(UsageError) as caught:
        find_specs(workspace)
    assert caught.value.code == "QB802"


def test_an_unknown_report_is_told_with_the_near_one(workspace: Workspace) -> None:
    write(workspace, "quality_trends.toml", GOOD)
    with pytest.raises(UsageError) as caught:
        read_spec(workspace, "quality_trend")
    assert caught.value.code == "QB801"
    assert caught.value.fix == "qbase run quality_trends"
    assert caught.value.expected == "quality_trends"
    with pytest.raises(UsageError) as far:
        read_spec(workspace, "zzz")
    assert far.value.fix == "qbase list"


def test_a_chinese_name_is_a_handle(workspace: Workspace) -> None:
    write(workspace, "年度评估.toml", GOOD)
    assert read_spec(workspace, "年度评估").report_id == "年度评估"
