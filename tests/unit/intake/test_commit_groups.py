"""Files of one load that are committed together: what each of them sees, and what happens when one goes wrong."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from qbase.core.errors import SetupError
from qbase.intake import LoadReport, load_files
from qbase.intake.loading import file_loading as module
from qbase.intake.loading.prefetch import prepare_ahead
from qbase.intake.shaping.row_verdicts import ROW, split_rows
from qbase.lake import Delivery, Workspace
from qbase.tables import read_contract

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.fixture
def inbox(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def sample(number: int, result: str = "合格", day: str = "2022-08-10") -> str:
    return f"S{number},省级,{day},生产,双随机,甲厂,涤纶,{result}"


def put(inbox: pathlib.Path, name: str, *rows: str, head: str = HEAD) -> pathlib.Path:
    path = inbox / name
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def results(home: Workspace, snapshot: str | None = None) -> list[tuple[str, str]]:
    rows = home.query("SELECT sample_no, result FROM inspections ORDER BY ALL", snapshot=snapshot)
    return list(rows.itertuples(index=False, name=None))


def test_small_files_share_a_snapshot_and_are_told_in_order(home: Workspace, inbox: pathlib.Path) -> None:
    for number in range(20):
        put(inbox, f"{number:02d}.csv", sample(number))
    put(inbox, "07.csv", "x", head="y")
    seen: list[tuple[int, int, str]] = []
    reports = load_files(home, [inbox], on_progress=lambda done, total, report: seen.append((done, total, report.file)))
    assert seen == [(number + 1, 20, f"{number:02d}.csv") for number in range(20)]
    assert [report.file for report in reports] == [name for _, _, name in seen]
    assert [report.verdict for report in reports] == ["OK"] * 7 + ["REJECTED"] + ["OK"] * 12
    assert 1 < home.snapshot().number < 10
    listed = home.deliveries()
    assert listed["file_name"].tolist() == [report.file for report in reports]
    assert [report.snapshot for report in reports if report.accepted] == listed[listed["accepted"] > 0][
        "snapshot"
    ].tolist()
    for report in reports:
        if report.accepted:
            assert f"S{int(report.file[:2])}" in dict(results(home, report.snapshot))
    assert len(results(home)) == 19
    again = load_files(home, [inbox])
    assert [report.already for report in again] == [True] * 20
    assert [report.snapshot for report in again] == [report.snapshot for report in reports]


def test_keys_of_files_that_wait_are_known(home: Workspace, inbox: pathlib.Path) -> None:
    put(inbox, "a.csv", sample(1), sample(2))
    put(inbox, "b.csv", sample(3))
    put(inbox, "c.csv", sample(1), sample(2, "不合格"), sample(4))
    put(inbox, "d.csv", sample(4), sample(5))
    first, _, third, fourth = load_files(home, [inbox])
    assert (first.verdict, first.accepted) == ("OK", 2)
    assert third.reasons == {"header": 1, "duplicate_row": 1, "key_conflict": 1}
    assert (fourth.accepted, fourth.reasons["duplicate_row"]) == (1, 1)
    assert results(home) == [(f"S{number}", "pass") for number in range(1, 6)]


@pytest.mark.parametrize("result", ["合格", "不明"])
def test_the_same_bytes_under_two_names_in_one_folder(home: Workspace, inbox: pathlib.Path, result: str) -> None:
    for name in ("a.csv", "b.csv"):
        put(inbox, name, sample(1, result))
    first, second = load_files(home, [inbox])
    assert (first.already, second.already) == (False, True)
    assert second.payload() == {**first.payload(), "already": True}
    assert first.accepted + first.quarantined == len(home.deliveries()) == 1


def test_a_file_that_is_refused_twice_in_one_load_is_recorded_once(home: Workspace, inbox: pathlib.Path) -> None:
    bad = put(inbox, "a.csv", "1", head="y")
    assert [report.already for report in load_files(home, [bad, bad])] == [False, True]
    assert len(home.deliveries()) == 1


def test_a_correction_replaces_a_file_of_the_same_load(home: Workspace, inbox: pathlib.Path) -> None:
    recipe = home.root / "bureau.toml"
    recipe.write_text(
        'name = "bureau"\ntable = "inspections"\nproducer = "甲局"\nsupersede_by = ["producer", "table", "period"]\n',
        "utf-8",
    )
    put(inbox, "a.csv", sample(1), sample(2))
    put(inbox, "b.csv", sample(3, day="2023-01-01"))
    put(inbox, "c.csv", sample(4, "不合格"))
    reports = load_files(home, [inbox], recipe=str(recipe))
    assert [report.warnings for report in reports] == [(), (), ("supersedes 1",)]
    assert results(home) == [("S3", "pass"), ("S4", "fail")]
    assert results(home, reports[1].snapshot) == [("S1", "pass"), ("S2", "pass"), ("S3", "pass")]


def test_a_file_the_lake_refuses_does_not_hold_up_the_others(home: Workspace, inbox: pathlib.Path) -> None:
    home.commit(
        Delivery(sha256="1" * 64, file_name="old", table="towns", verdict="OK"), {"towns": pa.table({"town_code": [1]})}
    )
    put(inbox, "a.csv", sample(1))
    put(inbox, "b.csv", "990101001,甲镇,甲县", head="town_code,town_name,county_name")
    put(inbox, "c.csv", sample(1), sample(2))
    reports = load_files(home, [inbox])
    assert [report.verdict for report in reports] == ["OK", "REJECTED", "WARN"]
    assert reports[1].error is not None
    assert reports[1].error["code"] == "QB221"
    assert reports[2].reasons["duplicate_row"] == 1
    assert results(home) == [("S1", "pass"), ("S2", "pass")]
    assert home.deliveries()["verdict"].tolist() == ["OK", "OK", "REJECTED", "WARN"]


def test_a_disk_that_is_full_ends_the_load_and_nothing_that_waited_is_told(
    home: Workspace, inbox: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        put(inbox, f"{number}.csv", sample(number))

    def full(*args: Any, **options: Any) -> Any:
        raise SetupError("QB207", found="full", expected="space", fix="delete")

    told: list[LoadReport] = []
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "commit_together", full)
        with pytest.raises(SetupError, match="QB207"):
            load_files(home, [inbox], on_progress=lambda _done, _total, report: told.append(report))
    assert told == []
    assert len(home.deliveries()) == 0
    assert [report.accepted for report in load_files(home, [inbox])] == [1, 1, 1]


def test_what_waits_is_committed_while_a_slow_file_is_read(
    home: Workspace, inbox: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        put(inbox, f"{number}.csv", sample(number))
    original = module._prepare
    met: list[list[tuple[str, str]]] = []

    def slow(workspace: Workspace, path: pathlib.Path, *args: Any) -> Any:
        end = time.monotonic() + 20
        while path.name == "1.csv" and not home.has_table("inspections") and time.monotonic() < end:
            time.sleep(0.01)
        if path.name == "1.csv":
            met.append(results(home) if home.has_table("inspections") else [])
        return original(workspace, path, *args)

    monkeypatch.setattr(module, "_prepare", slow)
    assert [report.accepted for report in load_files(home, [inbox])] == [1, 1]
    assert met == [[("S0", "pass")]]


def test_the_wait_is_announced_only_when_there_is_one() -> None:
    calls: list[int] = []
    assert [i for i, _ in prepare_ahead(range(3), str, workers=2, on_wait=lambda: calls.append(1))] == [0, 1, 2]
    assert calls == []
    done: list[bool] = []

    def wait(_: int) -> None:
        while not done:
            time.sleep(0.001)

    list(prepare_ahead([1], wait, workers=2, patience=0.01, on_wait=lambda: done.append(True)))
    assert done == [True]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Something that happens between the judging of the first file and its commit."""

    def arrange(act: Callable[[], object]) -> None:
        original = Workspace.commit_together

        def commit(*args: Any, **options: Any) -> Any:
            monkeypatch.setattr(Workspace, "commit_together", original)
            act()
            return original(*args, **options)

        monkeypatch.setattr(Workspace, "commit_together", commit)

    return arrange


def test_keys_that_another_process_stores_meanwhile_are_noticed(
    home: Workspace, inbox: pathlib.Path, tmp_path: pathlib.Path, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    put(inbox, "a.csv", sample(1), sample(2))
    put(inbox, "b.csv", sample(3))
    other = put(tmp_path, "other.csv", sample(1), sample(2, "不合格"), sample(9))
    meanwhile(lambda: load_files(home, [other]))
    first, second = load_files(home, [inbox])
    assert first.reasons == {"header": 1, "duplicate_row": 1, "key_conflict": 1}
    assert (second.verdict, second.accepted) == ("OK", 1)
    assert results(home) == [("S1", "pass"), ("S2", "fail"), ("S3", "pass"), ("S9", "pass")]
    assert home.deliveries()["file_name"].tolist() == ["other.csv", "a.csv", "b.csv"]


def test_other_keys_and_the_same_bytes_from_another_process_change_nothing(
    home: Workspace, inbox: pathlib.Path, tmp_path: pathlib.Path, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    put(inbox, "a.csv", sample(1))
    put(inbox, "b.csv", sample(2))
    other = put(tmp_path, "other.csv", sample(9))
    meanwhile(lambda: load_files(home, [other, inbox / "b.csv"]))
    first, second = load_files(home, [inbox])
    assert (first.verdict, first.already, second.verdict, second.already) == ("OK", False, "OK", True)
    assert (first.snapshot, second.snapshot) == ("S0002", "S0001")
    assert results(home) == [("S1", "pass"), ("S2", "pass"), ("S9", "pass")]
    third = load_files(home, [put(inbox, "c.csv", sample(1), sample(2), sample(9), sample(10))])
    assert third[0].accepted == 1


def test_a_count_is_compared_with_the_files_before_it(home: Workspace, inbox: pathlib.Path) -> None:
    recipe = home.root / "notices.toml"
    rule = '[reconcile]\ncolumn = "product_name"\ntable = "inspections"\nby = "firm_name"\n'
    recipe.write_text(f'name = "notices"\ntable = "inspections"\n{rule}', "utf-8")
    put(inbox, "a.csv", sample(1).replace("涤纶", "1"))
    put(inbox, "b.csv", sample(2).replace("涤纶", "2"))
    first, second = load_files(home, [inbox], recipe=str(recipe))
    assert first.warnings == ("product_name:not_reconciled 1", "甲厂:count_mismatch 1/2")
    assert second.warnings[0] == "甲厂:count_mismatch 2/1"


def test_the_plan_of_a_contract_is_made_again_when_the_contract_is_another() -> None:
    contract = read_contract("towns")
    cells = {name: ["990101001" if name == "town_code" else None] for name in contract.column_names}
    data = pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()} | {ROW: [0]})
    assert split_rows(data, contract, {}, None).quarantined == {0: ("town_name:missing", "county_name:missing")}
    columns = tuple(dataclasses.replace(column, required=False, null="unknown") for column in contract.columns)
    loose = dataclasses.replace(contract, columns=columns)
    assert split_rows(data, loose, {}, None).quarantined == {}
    assert split_rows(data.drop_columns(["county_name"]), contract, {}, None).quarantined[0][1] == "county_name:missing"
    assert len(split_rows(data, loose, {}, None).accepted) == 1
