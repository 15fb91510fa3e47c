"""Every record on record has one fate, and no panel, file or conclusion hides how many it stands on."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib

import pandas as pd
import pyarrow as pa
import pytest

from qbase.cli.main import run
from qbase.core import Coverage, Estimate, Panel, conclude, record
from qbase.core.errors import DataError
from qbase.indicators import build_panel, read_coverage
from qbase.lake import Delivery, Workspace
from qbase.scorecards import score_targets
from qbase.trends import estimate_change, estimate_level

QUARTERS = (datetime.date(2024, 1, 15), datetime.date(2025, 1, 15))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace.create(tmp_path / "home")


INSPECTION = {
    "sample_no": "", "sample_date": None, "sample_type": "random", "uscc": "", "firm_code": None, "firm_name": "",
    "town_code": None, "result": "pass", "is_recheck": False, "appeal_result": None, "role": None, "parent_no": None,
}  # fmt: skip
TYPES = {"sample_date": pa.date32(), "is_recheck": pa.bool_()}
FIRM = {"firm_id": "F1", "uscc": "U1", "firm_name": "甲厂", "cluster_id": "K1", "town_code": "T1"}


def commit(home: Workspace, table: str, rows: list[dict[str, object]], *, aside: int = 0) -> None:
    schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in rows[0]])
    delivery = Delivery(
        sha256=hashlib.sha256(table.encode()).hexdigest(), file_name=f"{table}.csv", table=table, recipe="",
        producer="测试", verdict="OK", rows_seen=len(rows) + aside, accepted=len(rows), quarantined=aside,
    )  # fmt: skip
    home.commit(delivery, {table: pa.Table.from_pylist(rows, schema=schema)})


def put(home: Workspace, *whose: str, aside: int = 0) -> None:
    """Two firms, one of them in no cluster, and in each of two quarters a batch of every credit code."""
    commit(home, "firms", [FIRM, {**FIRM, "firm_id": "F2", "uscc": "U2", "firm_name": "乙厂", "cluster_id": None}])
    rows = [
        {**INSPECTION, "sample_no": f"{day}{i}", "sample_date": day, "uscc": uscc, "firm_name": f"{uscc}厂"}
        for day in QUARTERS
        for i, uscc in enumerate(whose)
    ]
    commit(home, "inspections", rows, aside=aside)


def test_fates_add_up_and_narrow() -> None:
    one = Coverage(fates={"counted": 40, "no_firm": 2, "recheck": 3}, measured={"D1.core": 30})
    other = Coverage(fates={"counted": 10, "outside": 7}, measured={"D1.core": 10})
    both = one + other
    assert (both.seen, both.counted, both.lost) == (62, 50, 2)
    core = both.narrow("D1.core", 25)
    assert core.fates == {"counted": 25, "no_firm": 2, "recheck": 3, "outside": 7, "filtered": 15, "unmeasured": 10}
    assert (core.seen, core.lost) == (62, 12)
    assert both.narrow("D1.batch") == both


def test_a_fate_nobody_declared_is_a_loss() -> None:
    strange = Coverage(fates={"counted": 9, "eaten": 1})
    assert strange.losses == {"eaten": 1}
    assert not strange.is_lossy, "one in ten is the limit itself"
    assert Coverage(fates={"counted": 8, "eaten": 1}).is_lossy


def test_nothing_on_record_loses_nothing() -> None:
    assert Coverage(fates={}).lost_share == 0.0
    assert Coverage(fates={"recheck": 5}).say().en.endswith("Nothing that should count is lost.")


def test_a_panel_of_a_fraction_says_so_everywhere(home: Workspace) -> None:
    put(home, *["U1"] * 15, *["U9"] * 465)
    panel = build_panel(home, "D1.batch")
    assert panel.coverage is not None
    assert panel.coverage.fates == {"counted": 30, "no_firm": 930}
    rate, change = estimate_level(panel, "D1.batch"), estimate_change(panel, "D1.batch")
    conclusion = conclude(rate, change)
    assert conclusion.lead.en.startswith("Stands on only 30 of 960 batches that should count; 930 (96.9%) are lost. ")
    assert conclusion.lead.zh.startswith("仅依据应计入的 960 批中的 30 批")
    assert next(c.name for c in conclusion.failed_checks) == "coverage"
    sure = Estimate(term="change", value=9.0, ci_low=7.0, ci_high=11.0)
    strong = dataclasses.replace(change, estimates=(sure,), checks=())
    assert strong.say().grades == ("limited",)
    assert dataclasses.replace(strong, coverage=Coverage(fates={"counted": 960})).say().grades == ("moderate",), (
        "as drawn: moderate at most"
    )


def test_a_window_leaves_the_rest_out_by_definition(home: Workspace) -> None:
    put(home, *["U1"] * 20)
    panel = build_panel(home, "D1.batch", first="2025Q1", last="2025Q1")
    assert panel.coverage is not None
    assert panel.coverage.fates == {"counted": 20, "outside": 20}
    assert panel.coverage.lost == 0
    assert "20 of 20 batches on record in the window" in panel.coverage.say().en


def test_a_firm_of_no_cluster_is_told_from_no_firm(home: Workspace) -> None:
    put(home, "U1", "U1", "U2", "U9")
    assert read_coverage(home).fates == {"counted": 4, "no_place": 2, "no_firm": 2}
    assert read_coverage(home, entity="town_code").fates == {"counted": 6, "no_firm": 2}


def test_rows_taken_out_of_a_panel_are_left_out_on_request(home: Workspace) -> None:
    put(home, *["U1"] * 20)
    panel = build_panel(home, "D1.batch")
    late = dataclasses.replace(panel, data=panel.data.iloc[1:])
    account = estimate_level(late, "D1.batch").coverage
    assert account is not None
    assert account.fates == {"counted": 20, "filtered": 20}


def test_the_command_refuses_and_writes_when_told(home: Workspace, capsys) -> None:
    put(home, *["U1"] * 15, *["U9"] * 465)
    words = ["panel", "D1.batch", "--home", str(home.root), "--lang", "en"]
    assert run([*words, "--out", "p.csv"]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "QB921" in said
    assert "30 of 960 batches on record" in said
    for name, read in {
        "p.csv": pd.read_csv,
        "p.xlsx": functools.partial(pd.read_excel, engine="openpyxl"),
        "p.parquet": pd.read_parquet,
    }.items():
        assert run([*words, "--out", name, "--accept-loss"]) == 0
        assert "Stands on 30 of 960 batches on record" in " ".join(capsys.readouterr().out.split())
        table = read(name)
        assert table[["records_seen", "records_counted", "records_lost"]].iloc[0].tolist() == [960, 30, 930]


def test_a_result_of_records_without_an_account_is_refused(home: Workspace) -> None:
    put(home, *["U1"] * 20)
    panel = build_panel(home, "D1.batch")
    bare = estimate_level(dataclasses.replace(panel, coverage=None), "D1.batch")
    for use in (conclude, record):
        with pytest.raises(DataError, match="QB147"):
            use(bare)
    own = Panel.from_frame(
        panel.data.reset_index(), entity="entity", period="period", freq="Q", indicators=panel.indicators,
        sources=panel.sources, coverage=panel.coverage,
    )  # fmt: skip
    assert conclude(estimate_level(own, "D1.batch")).limits[0].en.startswith("Stands on 40 of 40 batches on record")


def test_a_frame_handed_over_says_that_nobody_knows(home: Workspace) -> None:
    put(home, *["U1"] * 20)
    panel = build_panel(home, "D1.batch")
    own = Panel.from_frame(
        panel.data.reset_index(), entity="entity", period="period", freq="Q", indicators=panel.indicators
    )
    assert "is not known: the frame was handed over" in conclude(estimate_level(own, "D1.batch")).limits[0].en


def test_rows_set_aside_are_lost_too(home: Workspace) -> None:
    put(home, *["U1"] * 20, aside=10)
    coverage = build_panel(home, "D1.batch").coverage
    assert coverage is not None
    assert coverage.fates == {"counted": 40, "quarantined": 10}
    assert coverage.is_lossy


def refuse(home: Workspace, name: str, content: str) -> None:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    home.commit(Delivery(sha256=sha256, file_name=name, table="", verdict="REJECTED", reasons={"QB310": 1}), {})


def test_files_refused_or_waiting_are_told_until_they_are_taken(home: Workspace, capsys) -> None:
    refuse(home, "乡镇2023.xlsx", "before anything else")
    put(home, *["U1"] * 20)
    refuse(home, "乡镇2023.xlsx", "and again, corrected in vain")
    refuse(home, "乡镇2024.xlsx", "asks")
    coverage = build_panel(home, "D1.batch").coverage
    assert coverage is not None
    assert (coverage.refused, coverage.lost, (coverage + coverage).refused) == (3, 0, 3)
    end = "Besides, 3 files were refused or waiting for an answer: rows unknown."
    assert coverage.say().en.endswith(f"Of what was taken, nothing that should count is lost. {end}")
    assert "另有 3 个文件被拒收或等待回答" in coverage.say().zh
    rate = estimate_level(build_panel(home, "D1.batch"), "D1.batch")
    assert conclude(rate).limits[0].en.endswith(end)
    assert run(["panel", "D1.batch", "--home", str(home.root), "--lang", "en", "--out", "p.csv"]) == 0
    assert end in " ".join(capsys.readouterr().out.split())
    assert set(pd.read_csv("p.csv")["files_refused"]) == {3}
    before = home.snapshot().id
    taken = [{**INSPECTION, "sample_no": "N", "sample_date": QUARTERS[0], "uscc": "U1"}]
    schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in INSPECTION])
    delivery = Delivery(
        sha256=hashlib.sha256(b"asks").hexdigest(), file_name="renamed.xlsx", table="inspections", verdict="OK",
        rows_seen=1, accepted=1,
    )  # fmt: skip
    home.commit(delivery, {"inspections": pa.Table.from_pylist(taken, schema=schema)})
    assert read_coverage(home).refused == 2
    assert read_coverage(home, snapshot=before).refused == 3
    named = dataclasses.replace(delivery, sha256="5c" * 32, file_name="乡镇2023.xlsx")
    home.commit(named, {"inspections": pa.Table.from_pylist([{**taken[0], "sample_no": "M"}], schema=schema)})
    assert read_coverage(home).refused == 0
    assert read_coverage(home).say().en.endswith("Nothing that should count is lost.")


def test_random_draws_leave_the_others_out_by_definition(home: Workspace) -> None:
    put(home, "U1", "U1", "U9")
    panel = build_panel(home, "D1.batch", sampling="random_draw")
    assert panel.coverage is not None
    assert panel.coverage.fates == {"counted": 4, "no_firm": 2}


def test_a_scorecard_hides_no_loss_either(home: Workspace) -> None:
    put(home, *["U1"] * 15, *["U9"] * 465)
    rate = estimate_level(build_panel(home, "D1.batch"), "D1.batch")
    card = score_targets([rate], preset="outline_2025")
    assert conclude(card).lead.en.startswith("Stands on only 30 of 960 batches that should count")
    with pytest.raises(DataError, match="QB147"):
        conclude(dataclasses.replace(card, coverage=None))
