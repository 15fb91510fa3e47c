"""Corrected files, files read again, rows set aside and sent back, batches compared, deliveries checked."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import openpyxl
import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError, SetupError, UsageError
from qbase.core.text import Text
from qbase.intake import (
    LoadReport,
    check_delivery,
    decide_link,
    explain_reason,
    export_quarantine,
    link_batches,
    list_quarantine,
    load_files,
    read_recipe,
    retry_quarantine,
    undo_link,
)
from qbase.intake.recipes.recipe_toml import parse_recipe
from qbase.intake.review.period_shift import _compare
from qbase.lake import Delivery, Workspace
from qbase.tables import read_contract
from qbase.tables.credit_code import build_uscc

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"
CODE = build_uscc("91990021", "MA000001")
FIRMS = f"""企业编号,统一社会信用代码,企业名称,集群编号,区划代码,行业代码,进入季度,所有制,是否规上,企业规模,是否龙头
F1,{CODE},清沅恒源化纤有限公司,K1,990021101,2822,2016Q1,民营,否,小型,否
"""


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, name: str, *rows: str, head: str = HEAD, **options: Any) -> LoadReport:
    path = home.root / name
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    (report,) = load_files(home, [path], **options)
    return report


def sample(number: int, result: str = "合格", day: str = "2022-08-10", firm: str = "甲厂") -> str:
    return f"S{number},省级,{day},生产,双随机,{firm},涤纶,{result}"


def results(home: Workspace, snapshot: str | None = None) -> list[tuple[str, str]]:
    rows = home.query("SELECT sample_no, result FROM inspections ORDER BY 1", snapshot=snapshot)
    return [tuple(row) for row in rows.to_numpy()]


def test_a_corrected_file_takes_the_place_of_the_old_one(home: Workspace) -> None:
    old = send(home, "a.csv", sample(1), sample(2), "坏行")
    other = send(home, "other.csv", sample(9))
    new = send(home, "a2.csv", sample(1, "不合格"), sample(3), supersedes=old.sha256[:12])
    assert (new.verdict, new.accepted, new.warnings) == ("WARN", 2, ("supersedes 1",))
    assert results(home) == [("S1", "fail"), ("S3", "pass"), ("S9", "pass")]
    assert results(home, other.snapshot) == [("S1", "pass"), ("S2", "pass"), ("S9", "pass")]
    assert list_quarantine(home).empty
    assert home.deliveries()["file_name"].tolist() == ["other.csv", "a2.csv"]
    assert home.deliveries(every=True)["replaced_by"].tolist() == [new.sha256, "", ""]
    again = send(home, "a.csv", sample(1), sample(2), "坏行")
    assert again.already
    assert "superseded" in again.warnings
    assert results(home) == [("S1", "fail"), ("S3", "pass"), ("S9", "pass")]


def test_without_supersedes_a_changed_row_is_a_conflict_not_an_overwrite(home: Workspace) -> None:
    send(home, "a.csv", sample(1))
    assert send(home, "b.csv", sample(1, "不合格")).reasons["key_conflict"] == 1
    assert results(home) == [("S1", "pass")]


@pytest.mark.parametrize(("given", "files"), [("0" * 64, 1), ("abc", 1), ("x", 2)])
def test_what_is_superseded_must_be_one_delivery(home: Workspace, given: str, files: int) -> None:
    send(home, "a.csv", sample(1))
    paths = []
    for i in range(files):
        paths.append(home.root / f"n{i}.csv")
        paths[-1].write_text(f"{HEAD}\n{sample(5 + i)}\n", "utf-8")
    with pytest.raises(UsageError, match="QB344"):
        load_files(home, paths, supersedes=given)
    assert results(home) == [("S1", "pass")]
    with pytest.raises(UsageError, match="QB213"):
        home.commit(Delivery(sha256="1" * 64, file_name="x", table="t", verdict="OK", replaces=("2" * 64,)), {})


RECIPE = """
name = "bureau"
table = "inspections"
producer = "甲局"
supersede_by = ["producer", "table", "period"]
"""


def test_a_recipe_may_say_that_a_file_of_the_same_office_and_period_is_a_correction(home: Workspace) -> None:
    recipe = home.root / "bureau.toml"
    recipe.write_text(RECIPE, "utf-8")
    send(home, "2022.csv", sample(1), sample(2), recipe=str(recipe))
    send(home, "2023.csv", sample(3, day="2023-01-01"), recipe=str(recipe))
    send(home, "elsewhere.csv", sample(4))
    report = send(home, "2022更正.csv", sample(1, "不合格"), recipe=str(recipe))
    assert report.warnings == ("supersedes 1",)
    assert results(home) == [("S1", "fail"), ("S3", "pass"), ("S4", "pass")]
    with pytest.raises(DataError, match="QB303"):
        parse_recipe(RECIPE.replace('"period"', '"weather"').encode(), origin="x.toml")


def test_rows_set_aside_go_back_as_a_workbook_whose_cells_are_inert(home: Workspace) -> None:
    with pytest.raises(DataError, match="QB345"):
        export_quarantine(home, home.root / "out.xlsx")
    bad = send(home, "a.csv", sample(1), sample(2, "=1+1"), sample(3, "不明"))
    rows = list_quarantine(home)
    assert rows["row_no"].tolist() == [3, 4]
    assert json.loads(rows["raw"][0])[-1] == "=1+1"
    assert len(list_quarantine(home, bad.sha256[:8])) == 2
    assert export_quarantine(home, home.root / "out.xlsx", lang="zh") == 2
    sheet = openpyxl.load_workbook(home.root / "out.xlsx").active
    assert [cell.value for cell in sheet[1]][:6] == ["文件", "表", "工作表", "行号", "原因", "代码"]
    assert sheet["N2"].value == "=1+1"
    assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n", "inlineStr"}
    with pytest.raises(SetupError, match="QB346"):
        export_quarantine(home, home.root / "out.xlsx" / "x.xlsx")


def test_retry_reads_the_file_again_and_the_accounting_stays_balanced(home: Workspace) -> None:
    first = send(home, "a.csv", sample(1), sample(2, "P"), sample(3, "不明"))
    assert (first.accepted, first.quarantined) == (1, 2)
    recipe = home.root / "fixed.toml"
    recipe.write_text('name = "fixed"\ntable = "inspections"\n[values.result]\nP = "pass"\n', "utf-8")
    second = retry_quarantine(home, first.sha256[:8], recipe=str(recipe))
    assert (second.rows_seen, second.listed, second.accepted, second.quarantined) == (4, 1, 2, 1)
    assert results(home) == [("S1", "pass"), ("S2", "pass")]
    assert results(home, first.snapshot) == [("S1", "pass")]
    assert len(list_quarantine(home)) == 1
    assert home.deliveries()[["attempt", "accepted"]].values.tolist() == [[2, 2]]
    with pytest.raises(UsageError, match="QB302"):
        retry_quarantine(home, first.sha256)
    third = retry_quarantine(home, first.sha256, recipe="inspections")
    assert (third.accepted, third.quarantined) == (1, 2)
    assert send(home, "a.csv", sample(1), sample(2, "P"), sample(3, "不明")).already


def test_a_further_reading_has_the_producer_that_was_said_at_the_load(home: Workspace) -> None:
    first = send(home, "a.csv", sample(1), sample(2, "?"), producer="清沅县局")
    retry_quarantine(home, first.sha256)
    assert home.deliveries()[["attempt", "producer"]].values.tolist() == [[2, "清沅县局"]]
    assert home.source("inspections").producer == "清沅县局"


def test_a_snapshot_is_checked_with_the_deliveries_it_held(home: Workspace) -> None:
    old = send(home, "a.csv", sample(1), sample(2, "?"))
    new = send(home, "a2.csv", sample(1), sample(2), supersedes=old.sha256)
    shares = {}
    for report in (old, new):
        result = check_delivery(home, as_of="2022-11-01", snapshot=report.snapshot)
        shares[result.settings["delivery"]] = result.estimates[0].value
    assert shares == {old.sha256: 50.0, new.sha256: 100.0}


def test_a_retry_that_is_refused_leaves_the_old_reading(home: Workspace) -> None:
    first = send(home, "a.csv", sample(1), sample(2, "?"))
    refused = retry_quarantine(home, first.sha256, recipe="towns")
    assert (refused.verdict, refused.error and refused.error["code"]) == ("REJECTED", "QB321")
    assert results(home) == [("S1", "pass")]
    assert len(list_quarantine(home)) == 1


def test_a_code_with_one_wrong_character_is_settled_by_the_name_on_retry(home: Workspace) -> None:
    wrong = CODE[:-1] + ("0" if CODE[-1] != "0" else "1")
    rows = [f"{sample(i, firm=firm)},{wrong}" for i, firm in ((1, "清沅恒源化纤有限公司"), (2, "无人知晓厂"))]
    first = send(home, "a.csv", *rows, head=HEAD + ",统一社会信用代码")
    assert first.reasons["uscc:check"] == 2
    (firms,) = load_files(home, [write(home, "firms.csv", FIRMS)])
    assert firms.accepted == 1, firms.payload()
    second = retry_quarantine(home, first.sha256)
    assert (second.accepted, second.quarantined) == (1, 1)
    assert "uscc:code_by_name 1" in second.warnings
    (link,) = home.query("SELECT * FROM identity_links").to_dict("records")
    assert (link["sample_no"], link["uscc_printed"], link["firm_id"]) == ("S1", wrong, "F1")
    assert home.query("SELECT uscc FROM inspections")["uscc"].isna().all()


def write(home: Workspace, name: str, content: str) -> pathlib.Path:
    path = home.root / name
    path.write_text(content, "utf-8")
    return path


@pytest.mark.parametrize("action", ["reject", "undo"])
def test_a_further_reading_overrules_no_person(home: Workspace, action: str) -> None:
    wrong = CODE[:-1] + ("0" if CODE[-1] != "0" else "1")
    head = HEAD + ",统一社会信用代码"
    first = send(home, "a.csv", f"{sample(1, firm='清沅恒源化纤有限公司')},{wrong}", head=head)
    load_files(home, [write(home, "firms.csv", FIRMS)])
    retry_quarantine(home, first.sha256)
    diary = "SELECT decision, decided_by FROM identity_links ORDER BY decision_no"
    assert retry_quarantine(home, first.sha256).accepted == 1
    assert home.query(diary).to_numpy().tolist() == [["accept", "qbase"]]
    if action == "undo":
        undo_link(home, "S1")
    else:
        decide_link(home, "S1", None, "reject")
    again = retry_quarantine(home, first.sha256)
    assert (again.accepted, again.warnings[0]) == (1, "uscc:code_by_name 1")
    assert home.query(diary).to_numpy().tolist()[1:] == [["doubt" if action == "undo" else "reject", "user"]]


def test_batches_that_look_like_one_are_recorded_and_told_not_changed(home: Workspace) -> None:
    head = HEAD + ",原抽样编号,是否复查,公告号,检验机构"
    rows = [
        sample(1, "不合格", "2022-01-10") + ",,否,N1,甲所",
        sample(2, "合格", "2022-02-10") + ",S1,否,N2,甲所",
        sample(3, "不合格", "2022-01-10", "乙厂") + ",,,N1,甲所",
        sample(4, "合格", "2022-03-26", "乙厂") + ",,,N2,甲所",
        sample(5, "合格", "2022-03-27", "乙厂") + ",,,N2,甲所",
        sample(6, "合格", "2022-06-01", "丙厂") + ",,,N1,甲所",
        sample(7, "合格", "2022-06-01", "丙厂") + ",,,N2,甲所",
    ]
    report = send(home, "a.csv", *rows, head=head)
    assert report.verdict == "WARN"
    assert {"unmarked_recheck 1", "likely_recheck 1", "other_notice 1"} <= set(report.warnings)
    links = home.query("SELECT sample_no, other_no, kind, days FROM batch_links ORDER BY 1").values.tolist()
    assert links == [
        ["S2", "S1", "unmarked_recheck", 31],
        ["S4", "S3", "likely_recheck", 75],
        ["S7", "S6", "other_notice", 0],
    ]
    assert len(results(home)) == 7
    before = home.snapshot()
    assert link_batches(home)[1] == {}
    assert home.snapshot() == before
    marked = [row.replace(",S1,否,", ",S1,是,") for row in rows[:3]]
    new = send(home, "b.csv", *marked, head=head, supersedes=report.sha256)
    assert new.warnings == ("supersedes 1",)


def test_a_repeated_rejection_adds_nothing_and_newness_is_told(home: Workspace) -> None:
    assert not send(home, "bad.csv", "1", head="甲").already
    assert send(home, "bad.csv", "1", head="甲").already
    assert len(home.deliveries()) == 1
    delivery = Delivery(sha256="3" * 64, file_name="x", table="t", verdict="OK")
    assert [home.commit(delivery, {}).is_new for _ in range(2)] == [True, False]


def quarters(home: Workspace, n_new: int, fails: int, **options: Any) -> Any:
    old = [sample(i, "合格", "2022-02-01", f"甲{i}厂") for i in range(60)]
    new = [sample(100 + i, "不合格" if i < fails else "合格", "2022-05-01", f"乙{i}厂") for i in range(n_new)]
    send(home, "a.csv", *old, *new)
    return check_delivery(home, "inspections", as_of="2022-07-31", **options)


def verdicts(result: Any) -> dict[str, bool | None]:
    return {check.name: check.passed for check in result.checks}


def test_a_good_delivery_passes_every_check(home: Workspace) -> None:
    result = quarters(home, 60, 3)
    assert verdicts(result) == {
        "accounting": True,
        "contract": True,
        "freshness": True,
        "row_count": True,
        "shift": True,
    }
    assert result.estimates[0].value == 100
    assert "100.0%" in result.say().items[0].en
    assert result.sources[0].path == "inspections"


def test_shift_age_size_and_contract_are_told(home: Workspace) -> None:
    result = quarters(home, 31, 25, warn_days=20)
    send(home, "b.csv", sample(900, "不明", "2022-05-02"))
    assert verdicts(result) == {
        "accounting": True,
        "contract": True,
        "freshness": False,
        "row_count": True,
        "shift": False,
    }
    shift = next(check for check in result.checks if check.name == "shift")
    assert "检验结果" in shift.text.zh
    assert "19.4%" in shift.text.zh or "80.6%" in shift.text.zh
    later = check_delivery(home, as_of="2022-07-31")
    assert verdicts(later)["contract"] is False
    assert later.estimates[0].value == pytest.approx(100 * 91 / 92)


def test_a_day_to_come_is_no_sign_of_freshness(home: Workspace) -> None:
    send(home, "a.csv", sample(1, "合格", "2022-05-01"), sample(2, "合格", "2062-05-01"))
    age = next(c for c in check_delivery(home, "inspections", as_of="2022-07-31").checks if c.name == "freshness")
    assert age.passed is False
    assert "2062Q2" in age.text.zh
    assert "晚于 2022-07-31" in age.text.zh


def test_titles_are_no_reason_to_set_rows_aside(home: Workspace) -> None:
    (home.root / "a.csv").write_text(f"某局抽查结果汇总表\n{HEAD}\n{sample(1)}\n{sample(2, '不明')}\n", "utf-8")
    (report,) = load_files(home, [home.root / "a.csv"])
    assert report.reasons["title_row"] == 1
    send(home, "b.csv", sample(3, "合格", "?"))
    told = next(c for c in check_delivery(home, "inspections", as_of="2022-07-31").checks if c.name == "contract")
    assert told.text.zh.endswith("2 行被隔离：抽样日期：不是可识别的日期 1；检验结果：不在允许的取值内 1。")


def test_a_blanked_cell_is_told_in_words() -> None:
    assert explain_reason("uscc:long_number_blanked 1", "inspections") == Text(
        "统一社会信用代码：1 个单元格按缺失处理：超过 15 位的数字，末位可能已丢失",
        "Unified social credit code: 1 cells count as missing: a number beyond 15 digits; its last digits may be lost",
    )
    assert explain_reason("uscc:nonsense_blanked", "inspections").en.endswith("nonsense_blanked")


def test_a_delivery_unknown_to_the_quarantine_is_answered_there(home: Workspace) -> None:
    send(home, "a.csv", sample(1, "不明"))
    with pytest.raises(UsageError, match="QB344") as raised:
        retry_quarantine(home, "0" * 64)
    assert raised.value.fix == "qbase quarantine list"


def test_a_unit_that_changed_moves_the_median() -> None:
    column = next(c for c in read_contract("town_year").columns if c.type == "number")
    before, now = pd.Series(range(1, 101), dtype=float), pd.Series(range(10_000, 1_010_000, 10_000), dtype=float)
    rows = {row["kind"]: row["passed"] for row in _compare(column, before, now)}
    assert rows == {"missing": True, "median": False}


def test_checks_name_what_is_missing(home: Workspace) -> None:
    with pytest.raises(DataError, match="QB347"):
        check_delivery(home)
    send(home, "a.csv", sample(1))
    with pytest.raises(UsageError, match="QB342"):
        check_delivery(home, as_of="gestern")
    assert verdicts(check_delivery(home, as_of="2022-08-11"))["shift"] is None


def test_the_commands(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    at = ["--home", str(home.root), "--lang", "en"]
    first = send(home, "a.csv", sample(1), sample(2, "?"))
    assert run(["quarantine", "list", *at]) == 0
    assert "Result: not one of the allowed values" in capsys.readouterr().out
    out = home.root / "q.xlsx"
    assert run(["quarantine", "export", str(out), *at]) == 0
    assert out.is_file()
    assert run(["quarantine", "retry", first.sha256[:8], *at, "--json"]) == 0
    document = json.loads(capsys.readouterr().out.split("rows\n", 1)[1])
    assert document["deliveries"][0]["quarantined"] == 1
    assert run(["quarantine", "retry", *at]) == 2
    assert run(["check", "inspections", "--as-of", "2022-08-11", *at]) == 3
    assert "1 rows are set aside" in capsys.readouterr().out
    fixed = write(home, "b.csv", f"{HEAD}\n{sample(1)}\n{sample(2)}\n")
    assert run(["load", str(fixed), "--supersedes", first.sha256[:10], *at]) == 0
    assert run(["check", "--as-of", "2022-08-11", *at, "--json"]) == 0
    assert results(home) == [("S1", "pass"), ("S2", "pass")]
    assert read_recipe(None).supersede_by == ()


def test_headers_near_a_table_are_answered_with_it(home: Workspace) -> None:
    (home.root / "a.csv").write_text("区划代码,年份,查验件数,过关件数,备注\n990021101,2022,20,19,x\n", "utf-8")
    (report,) = load_files(home, [home.root / "a.csv"])
    assert report.error is not None
    assert (report.error["code"], report.error["fix"]) == ("QB320", "--recipe town_rates")


def test_a_correction_tells_of_deliveries_that_leaned_on_what_it_replaces(home: Workspace) -> None:
    old = send(home, "a.csv", sample(1), sample(2))
    other = send(home, "b.csv", sample(1), sample(3))
    assert other.reasons["duplicate_row"] == 1, "S1 is held by the first file"
    new = send(home, "a2.csv", sample(2), supersedes=old.sha256)
    assert "repeats_of_replaced 1" in new.warnings
    assert results(home) == [("S2", "pass"), ("S3", "pass")], "S1 left with the file that held it"
    retry_quarantine(home, other.sha256)
    assert ("S1", "pass") in results(home)
    last = send(home, "a3.csv", sample(2, "不合格"), supersedes=new.sha256)
    assert not [w for w in last.warnings if w.startswith("repeats_of_replaced")]


def test_answers_on_a_file_loaded_before_are_said_to_be_unused(home: Workspace) -> None:
    send(home, "a.csv", sample(1))
    again = send(home, "a.csv", sample(1), reject=["column:检验结果=result"])
    assert again.already
    assert "answers_unused" in again.warnings
    assert "answers_unused" not in send(home, "a.csv", sample(1)).warnings
    assert not (home.root / "data" / "recipes").exists(), "an answer nobody used is not kept"
