"""Panels and what is read beside them are kept: the same to the last bit, whole or not at all, by anybody at once."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import QbaseError
from qbase.core.text import Text
from qbase.indicators import (
    build_panel,
    build_policy,
    find_group_counts,
    list_standard_changes,
    read_firm_counts,
    read_followup,
    read_history,
    read_maturity,
)
from qbase.indicators.kept import kept_values as kept
from qbase.indicators.kept.value_bytes import from_buffer, to_bytes
from qbase.lake import Delivery, Workspace
from tests.unit.indicators.sampled_lake import directed_sample, fill, put

LETTERS = [
    {"sampling": sampling, "entity": entity, "freq": freq}
    for sampling in ("naive", "random_draw", "post_stratified", "prediction_powered")
    for entity in ("cluster_id", "town_code")
    for freq in ("Q", "A")
    if (sampling, entity) != ("prediction_powered", "town_code")
]
"""Every way of sampling, kind of entity and frequency a letter may ask for."""


@pytest.fixture(scope="module")
def province(demo_lake: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The demo, of which nothing is kept yet: everything a letter reads is there."""
    home = tmp_path_factory.mktemp("home") / "demo"
    shutil.copytree(demo_lake.root, home, ignore=shutil.ignore_patterns(kept.FOLDER))
    return Workspace(home)


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return fill(Workspace.create(tmp_path / "home"), "K1", "K2")


def files(workspace: Workspace) -> list[pathlib.Path]:
    return sorted((workspace.lake / kept.FOLDER).glob("*.arrow"))


def same(a: Any, b: Any) -> None:
    """Hold two values against each other: types, order, frames with their dtypes, floats bit by bit."""
    assert type(a) is type(b)
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_index_type="exact", check_column_type="exact")
        assert list(a.index.names) == list(b.index.names)
        assert a.columns.name == b.columns.name
        for column in a.select_dtypes("float64"):
            np.testing.assert_array_equal(a[column].to_numpy().view("int64"), b[column].to_numpy().view("int64"))
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, Mapping):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, tuple | list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert a == b


@pytest.mark.slow
@pytest.mark.parametrize("asked", LETTERS, ids=lambda asked: "-".join(asked.values()))
def test_a_kept_panel_is_the_built_one_to_the_last_bit(
    province: Workspace, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    before = len(files(province))
    built = build_panel(province, "D1.batch", **asked)
    assert len(files(province)) == before + 1
    monkeypatch.delattr("qbase.indicators.panel_building._built")
    same(built, build_panel(province, "D1.batch", **asked))


@pytest.mark.slow
def test_what_the_letters_read_beside_is_kept_too(province: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = build_panel(province, ["D1.batch", "D1.finding"])
    factors = ("risk_class", "size_class", "sample_type", "laboratory")
    calls: list[Any] = [
        lambda: build_panel(province, ["D1.batch", "D1.finding"]),
        lambda: build_panel(province, "D1.batch", first="2022Q1", last="2024Q4"),
        lambda: read_firm_counts(province),
        lambda: read_firm_counts(province, sampling="random_draw", entity="town_code"),
        lambda: read_maturity(province),
        lambda: read_history(province, panel),
        lambda: list_standard_changes(province),
        lambda: build_policy(province, "base", entity="cluster_id"),
        lambda: find_group_counts(province, panel, "D1.batch", by=factors),
        lambda: read_followup(province),
    ]
    built = [call() for call in calls]

    def build_again(*given: Any) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(kept, "to_bytes", build_again)
    count = len(files(province))
    for call, value in zip(calls, built, strict=True):
        same(value, call())
    assert len(files(province)) == count


def test_every_argument_and_every_state_of_the_data_has_a_value_of_its_own(workspace: Workspace) -> None:
    first = build_panel(workspace, "D1.batch")
    assert len(files(workspace)) == 1
    for count, window in enumerate([{"freq": "A"}, {"first": "2024Q2"}, {"last": "2024Q2"}, {"entity": "firm_id"}], 2):
        build_panel(workspace, "D1.batch", **window)
        assert len(files(workspace)) == count
    same(first, build_panel(workspace, "D1.batch"))
    assert len(files(workspace)) == 5
    at = workspace.snapshot().id
    put(workspace, "inspections", directed_sample("K1"), part="more")
    more = build_panel(workspace, "D1.batch")
    assert int(more.data["D1.batch__n"].sum()) > int(first.data["D1.batch__n"].sum())
    same(first, build_panel(workspace, "D1.batch", snapshot=at))


def test_a_file_that_was_refused_since_is_told_although_no_table_changed(workspace: Workspace) -> None:
    before = build_panel(workspace, "D1.batch").coverage
    at = workspace.snapshot()
    refused = Delivery(sha256="e" * 64, file_name="bad.csv", table="", verdict="REJECTED", reasons={"file_type": 1})
    workspace.commit(refused, {})
    assert workspace.snapshot() == at
    after = build_panel(workspace, "D1.batch").coverage
    assert before is not None
    assert after is not None
    assert (before.refused, after.refused) == (0, 1)


def test_other_code_has_values_of_its_own(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    build_panel(workspace, "D1.batch")
    monkeypatch.setattr(kept, "_code", lambda: "another build")
    build_panel(workspace, "D1.batch")
    assert len(files(workspace)) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign", "renamed"])
def test_a_damaged_file_is_built_anew_and_replaced(workspace: Workspace, damage: str) -> None:
    built = build_panel(workspace, "D1.batch")
    (path,) = files(workspace)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes({
        "cut": data[:middle], "empty": b"", "foreign": b"PK\x03\x04" * 100, "renamed": data,
        "flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
    }[damage])  # fmt: skip
    if damage == "renamed":
        key, _, end = path.name.split(".")
        path.rename(path.with_name(f"{key}.{'0' * 64}.{end}"))
    same(built, build_panel(workspace, "D1.batch"))
    assert [found.read_bytes() for found in files(workspace)] == [data]


def test_what_was_kept_may_be_written_to_and_stays_what_it_was(workspace: Workspace) -> None:
    built = read_firm_counts(workspace)
    assert built is not None
    kept_one = read_firm_counts(workspace)
    assert kept_one is not None
    kept_one.data.loc[:, "n"] = -1
    kept_one.data["firm"] = "?"
    same(built, read_firm_counts(workspace))


def test_what_cannot_be_had_is_refused_each_time_and_nothing_kept(workspace: Workspace) -> None:
    for _ in range(2):
        with pytest.raises(QbaseError) as caught:
            build_panel(workspace, "D1.batch", first="2030Q1")
        assert caught.value.code == "QB404"
    assert files(workspace) == []


def test_a_workspace_that_cannot_be_written_answers_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # where a file stands no folder can be made, not even by root
    (workspace.lake / kept.FOLDER).write_bytes(b"")
    built = build_panel(workspace, "D1.batch")
    same(built, build_panel(workspace, "D1.batch"))
    (workspace.lake / kept.FOLDER).unlink()
    build_panel(workspace, "D1.batch")

    def refuse(*given: Any, **named: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(kept, "write_atomic", refuse)
    monkeypatch.setattr(kept.os, "utime", refuse)
    monkeypatch.delattr("qbase.indicators.panel_building._built")
    same(built, build_panel(workspace, "D1.batch"))


def test_the_oldest_make_room(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_FILES", 2)
    names = []
    for n, window in enumerate(({}, {"freq": "A"}, {"first": "2024Q2"})):
        build_panel(workspace, "D1.batch", **window)
        names.append(max(files(workspace), key=lambda path: path.stat().st_mtime_ns))
        os.utime(names[-1], ns=(n, n))
    assert files(workspace) == sorted(names[1:])
    monkeypatch.setattr(kept, "MOST_FILES", 9)
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    build_panel(workspace, "D1.batch", last="2024Q3")
    assert len(files(workspace)) == 1


def _build(home: str, log: str, begin: float) -> None:
    from qbase.indicators import panel_building

    built = panel_building._built

    def tell(*given: Any, **named: Any) -> Any:
        with pathlib.Path(log).open("a", encoding="utf-8") as file:
            file.write("built\n")
        time.sleep(0.3)
        return built(*given, **named)

    panel_building._built = tell
    time.sleep(max(0.0, begin - time.time()))
    assert len(build_panel(Workspace(pathlib.Path(home)), "D1.batch").data)


def test_of_many_at_once_one_builds_and_the_others_read(workspace: Workspace, tmp_path: pathlib.Path) -> None:
    context, begin = multiprocessing.get_context("spawn"), time.time() + 3
    log = tmp_path / "log"
    workers = [context.Process(target=_build, args=(str(workspace.root), str(log), begin)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert log.read_text("utf-8") == "built\n"
    assert len(files(workspace)) == 1
    assert not list((workspace.lake / kept.FOLDER).glob("*.part"))


def test_a_builder_that_never_ends_is_not_waited_for(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl", reason="no advisory locks here")
    build_panel(workspace, "D1.batch")
    monkeypatch.setattr(kept, "WAIT_SECONDS", 0.1)
    handles = []
    for number in range(256):
        handle = os.open(workspace.lake / kept.FOLDER / f".{number:02x}.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        handles.append(handle)
    assert len(build_panel(workspace, "D1.batch", freq="A").data)
    for handle in handles:
        os.close(handle)


def test_only_what_comes_back_the_same_is_kept_and_nothing_becomes_code() -> None:
    import pyarrow as pa

    odd = {
        "text and numbers": pd.DataFrame({"a": [1, "b"]}),
        "columns that are no text": pd.DataFrame({1: [1.0]}),
        "attributes": pd.DataFrame({"a": [1.0]}),
        "a class nobody named": pathlib.PurePosixPath("x"),
        "a class of a known name": type("Text", (), {})(),
    }
    odd["attributes"].attrs["x"] = 1
    for name, value in odd.items():
        assert to_bytes(value) is None, name
    index = pd.MultiIndex.from_arrays(
        [["K1", "K1"], pd.period_range("2024Q1", periods=2, freq="Q")], names=["entity", "period"]
    )
    frame = pd.DataFrame({"a": [0.1, np.nan], "b": [True, False], "c": ["x", None], "d": [-0.0, np.inf]}, index=index)
    value = {"frame": frame, "said": (Text("甲", "a"), None, 1.5), 3: [frame.iloc[:0].reset_index(drop=True)]}
    data = to_bytes(value)
    assert data is not None
    again = from_buffer(pa.py_buffer(data))
    same(value["frame"], again["frame"])
    same(value[3], again[3])
    assert again["said"] == value["said"]
