"""One workbook, several tables: each sheet goes where it belongs, and every row of every sheet is accounted for."""

from __future__ import annotations

import json
import pathlib
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.intake import (
    LoadReport,
    check_delivery,
    explain_reason,
    list_quarantine,
    load_files,
    read_recipe,
    retry_quarantine,
)
from qbase.lake import Workspace
from qbase.tables.credit_code import build_uscc

CODE = build_uscc("91990021", "MA000001")
FIRMS = [
    ["企业编号", "统一社会信用代码", "企业名称", "集群编号", "区划代码", "行业代码", "进入季度", "所有制", "是否规上",
     "企业规模", "是否龙头", "经度"],
    ["F1", CODE, "甲厂", "K1", "990021101", "2822", "2016Q1", "民营", "否", "小型", "否", "120.5"],
    ["F2", "", "乙厂", "K1", "990021101", "2822", "2016Q1", "民营", "否", "小型", "否", "120.25"],
]  # fmt: skip
ZH = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
ITEMS = ["抽样编号", "项目序号", "项目名称", "实测值", "标准下限", "标准上限", "单项是否合格"]
COVER = [["云泽省监督抽查资料"], ["填报单位：某局"]]
HALF = {"rows_seen": 0, "listed": 0, "accepted": 0, "quarantined": 0}


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def sample(number: int, result: str = "合格", firm: str = "甲厂", day: str = "2022-08-10") -> list[str]:
    return [f"S{number}", "省级", day, "生产", "双随机", firm, "涤纶", result]


def item(number: int, no: str = "1", value: str = "3.5", upper: str = "9") -> list[str]:
    return [f"S{number}", no, "断裂强度", value, "1", upper, "是"]


def book(home: Workspace, name: str, sheets: dict[str, list[list[Any]]]) -> pathlib.Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for cells in rows:
            sheet.append(cells)
    path = home.root / name
    made.save(path)
    return path


def send(home: Workspace, sheets: dict[str, list[list[Any]]], name: str = "a.xlsx", **options: Any) -> LoadReport:
    (report,) = load_files(home, [book(home, name, sheets)], **options)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    for part in report.tables.values():
        assert part["rows_seen"] == part["listed"] + part["accepted"] + part["quarantined"]
    json.dumps(report.payload())
    return report


def three(*samples: list[str], items: list[list[str]] | None = None) -> dict[str, list[list[Any]]]:
    rows = list(samples) or [sample(1), sample(2, "不合格"), sample(3)]
    return {
        "封面": COVER,
        "企业名录": FIRMS,
        "监督抽查": [["2022年监督抽查"], ZH, *rows],
        "检验项目": [ITEMS, *(items or [item(1), item(2)])],
    }


def test_three_tables_of_one_workbook_become_visible_at_once_with_their_accounts(home: Workspace) -> None:
    report = send(home, three())
    assert (report.verdict, report.table, report.snapshot) == ("WARN", "inspections", "S0001")
    assert (report.rows_seen, report.listed, report.accepted, report.quarantined) == (13, 6, 7, 0)
    found = {table: {name: part[name] for name in HALF} for table, part in report.payload()["tables"].items()}
    assert found == {
        "firms": {"rows_seen": 3, "listed": 1, "accepted": 2, "quarantined": 0},
        "inspections": {"rows_seen": 5, "listed": 2, "accepted": 3, "quarantined": 0},
        "items": {"rows_seen": 3, "listed": 1, "accepted": 2, "quarantined": 0},
    }
    assert report.reasons == {"header": 3, "sheet_without_table": 2, "title_row": 1}
    assert report.tables["inspections"]["reasons"] == {"header": 1, "title_row": 1}
    assert report.tables["items"]["sheets"] == ["检验项目"]
    assert report.warnings == ("封面:sheet_unused",)
    assert home.tables("S0001") == ["firms", "inspections", "items", "set_aside"]
    assert set(home.query("SELECT sheet FROM items")["sheet"]) == {"检验项目"}
    assert len(home.query("SELECT * FROM set_aside")) == 6


def test_the_ledger_knows_the_counts_by_table_and_the_same_bytes_are_taken_once(home: Workspace) -> None:
    first = send(home, three())
    (again,) = load_files(home, [home.root / "a.xlsx"])
    assert again.payload() == {**first.payload(), "already": True}
    assert len(home.deliveries()) == 1
    (firms,) = home.deliveries(["firms"]).to_dict("records")
    assert (firms["table"], firms["rows_seen"], firms["accepted"], firms["reasons"]) == ("firms", 3, 2, {"header": 1})
    both = home.deliveries(["firms", "items", "towns"])
    assert both["table"].tolist() == ["firms", "items"]
    assert home.source("items").sha256 == first.sha256


def test_a_file_of_one_table_says_nothing_of_tables(home: Workspace) -> None:
    report = send(home, {"封面": COVER, "一": [ZH, sample(1)], "二": [ZH, sample(2)]})
    assert (report.accepted, report.tables, "tables" in report.payload()) == (2, {}, False)


def test_broken_rows_are_set_aside_per_table_and_words_name_the_table(home: Workspace) -> None:
    sheets = three(sample(1), sample(2, "不明"), items=[item(1), item(2, value="abc"), item(3, no="x")])
    sheets["监督抽查"].append(["小计", "", "", "", "", "", "", "3"])
    report = send(home, sheets)
    assert (report.verdict, report.quarantined) == ("QUARANTINED", 3)
    assert report.tables["inspections"]["reasons"] == {"header": 1, "result:enum": 1, "title_row": 1, "total_row": 1}
    assert report.tables["items"]["quarantined"] == 2
    rows = list_quarantine(home)
    assert set(zip(rows["table"], rows["sheet"], strict=True)) == {("inspections", "监督抽查"), ("items", "检验项目")}
    assert explain_reason("items/value:fullwidth 2").zh == "检验项目：实测值：2 个全角字符已转为半角"
    assert explain_reason("firms/duplicate_rows 2").en == "Firms: 2 rows repeat others word for word"


def test_sums_are_checked_for_every_table_of_the_file(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from qbase.intake.values import row_account as account

    seen: dict[str, tuple[Decimal, Decimal]] = {}
    original = account.check_sum

    def watch(file: str, column: str, raw: Decimal, accepted: Decimal, aside: Decimal) -> None:
        seen[column] = (raw, aside)
        original(file, column, raw, accepted + (1 if column == "upper_limit" else 0), aside)

    monkeypatch.setattr(account, "check_sum", watch)
    report = send(home, three(items=[item(1, value="3.5"), item(2, value="2.25"), item(2, no="x", value="7")]))
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB332")
    assert seen["longitude"] == (Decimal("240.75"), Decimal(0))
    assert seen["value"] == (Decimal("12.75"), Decimal(7))
    assert home.tables() == []


def test_warnings_of_several_tables_say_of_which_they_are(home: Workspace) -> None:
    sheets = three(sample(1), sample(1), sample(2))
    sheets["企业名录"] = [FIRMS[0], [cell.replace("F1", "Ｆ1") for cell in FIRMS[1]], FIRMS[2], FIRMS[2]]
    report = send(home, sheets)
    assert {"firms/firm_id:fullwidth 1", "firms/duplicate_rows 1", "inspections/duplicate_rows 1"} <= set(
        report.warnings
    )


def test_a_table_without_rows_is_told_and_a_file_without_rows_refused(home: Workspace) -> None:
    sheets = three() | {"检验项目": [ITEMS]}
    report = send(home, sheets)
    assert report.tables["items"] == {
        "rows_seen": 1, "listed": 1, "accepted": 0, "quarantined": 0, "reasons": {"header": 1}, "sheets": ["检验项目"],
    }  # fmt: skip
    assert "items/table_empty" in report.warnings
    assert not home.has_table("items")
    empty = send(home, {"a": [ZH], "b": [ITEMS]}, "b.xlsx")
    assert (empty.verdict, empty.error and empty.error["code"]) == ("REJECTED", "QB323")


def test_a_sheet_with_a_column_missing_stops_the_whole_workbook(home: Workspace) -> None:
    report = send(home, three() | {"检验项目": [ITEMS[:-1], item(1)[:-1]]})
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB321")
    assert home.tables() == []


def test_a_recipe_that_names_a_table_holds_for_every_sheet(home: Workspace) -> None:
    report = send(home, three(), recipe="inspections")
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB321")
    assert home.tables() == []


# --- ambiguous sheets

BOTH = ["统一社会信用代码", "企业名称"]


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Make headers of the items fit two tables equally well."""
    from qbase.intake.recipes import questions

    original = questions.find_contracts
    names = ("items", "inspections")
    monkeypatch.setattr(
        questions, "find_contracts", lambda headers: names if "项目序号" in headers else original(headers)
    )
    return names


def test_a_sheet_that_fits_two_tables_is_asked_about_by_its_name(home: Workspace, twins: tuple[str, str]) -> None:
    report = send(home, three())
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB360")
    assert report.error is not None
    assert report.error["fix"] == 'qbase load FILE --accept "sheet:检验项目=items"'
    assert '--accept "sheet:检验项目=inspections"' in report.error["expected"]
    assert home.tables() == []
    taken = send(home, three(), accept=["sheet:检验项目=items"])
    assert taken.tables["items"]["accepted"] == 2
    assert read_recipe(None, home.root).accept == {"sheet:检验项目=items"}
    later = send(home, three(sample(8), items=[item(8)]) | {"企业名录": COVER}, "b.xlsx")
    assert later.tables["items"]["accepted"] == 1


def test_a_refused_table_leaves_the_other_and_a_wrong_answer_is_told(home: Workspace, twins: tuple[str, str]) -> None:
    assert send(home, three(), reject=["sheet:检验项目=inspections"]).tables["items"]["accepted"] == 2
    wrong = send(home, three(sample(9)), "b.xlsx", accept=["sheet:检验项目=inspections"])
    assert (wrong.error and wrong.error["code"]) == "QB321"
    nowhere = send(home, three(sample(9)), "b.xlsx", accept=["sheet:检验项目=nothing"])
    assert (nowhere.error and nowhere.error["code"]) in ("QB150", "QB360")
    with pytest.raises(UsageError, match="QB361"):
        send(home, three(sample(9)), "b.xlsx", accept=["sheet:检验项目"])


def test_a_list_of_failures_among_other_sheets_goes_where_no_rate_is(home: Workspace) -> None:
    sheets = three(*(sample(i, "不合格") for i in range(30)))
    asked = send(home, sheets)
    assert (asked.error and asked.error["fix"]) == 'qbase load FILE --accept "numerator_only"'
    report = send(home, sheets, accept=["numerator_only"])
    assert (report.table, report.recipe) == ("failure_notices", "tidy")
    assert set(report.tables) == {"firms", "failure_notices", "items"}
    assert "failure_notices/no_denominator" in report.warnings
    assert not home.has_table("inspections")


# --- keys, superseding, a second attempt


def test_keys_are_known_again_in_every_table_within_one_load(home: Workspace) -> None:
    first = book(home, "a.xlsx", three())
    second = book(home, "b.xlsx", three(sample(1), sample(2), sample(4), items=[item(1), item(2, value="4")]))
    third = book(home, "c.xlsx", {"x": [ZH, sample(4), sample(5)]})
    reports = load_files(home, [first, second, third])
    assert [report.accepted for report in reports] == [7, 1, 1]
    assert reports[1].tables["firms"]["reasons"] == {"duplicate_row": 2, "header": 1}
    assert reports[1].tables["inspections"]["reasons"] == {
        "duplicate_row": 1, "header": 1, "key_conflict": 1, "title_row": 1,
    }  # fmt: skip
    assert reports[1].tables["items"]["reasons"] == {"duplicate_row": 1, "header": 1, "key_conflict": 1}
    assert reports[2].reasons["duplicate_row"] == 1


def test_a_corrected_workbook_takes_the_place_of_all_tables_of_the_old_one(home: Workspace) -> None:
    old = send(home, three())
    new = send(home, {"抽查": [ZH, sample(1, "不合格")]}, "b.xlsx", supersedes=old.sha256)
    assert (new.accepted, new.warnings) == (1, ("supersedes 1",))
    assert home.query("SELECT sample_no, result FROM inspections").to_numpy().tolist() == [["S1", "fail"]]
    assert len(home.query("FROM firms")) == len(home.query("FROM items")) == 0
    assert len(home.query("FROM items", snapshot=old.snapshot)) == 2
    assert (home.source("items").sha256, home.source("items", old.snapshot).sha256) == ("", old.sha256)


def test_a_recipe_replaces_a_delivery_only_when_all_its_tables_agree(home: Workspace) -> None:
    own = home.root / "own.toml"
    own.write_text('name = "own"\ntable = ""\nsupersede_by = ["producer", "table", "period"]\n', "utf-8")
    old = send(home, three(), recipe=str(own))
    part = send(home, {"抽查": [ZH, sample(7)]}, "part.xlsx", recipe=str(own))
    assert "supersedes 1" not in part.warnings
    assert len(home.query("FROM inspections")) == 4
    again = send(home, three(sample(1), items=[item(5)]), "new.xlsx", recipe=str(own))
    assert "supersedes 1" in again.warnings
    assert home.query("SELECT sample_no FROM inspections ORDER BY 1")["sample_no"].tolist() == ["S1", "S7"]
    assert home.query("SELECT sample_no FROM items")["sample_no"].tolist() == ["S5"]
    assert set(home.deliveries()["sha256"]) == {part.sha256, again.sha256}
    assert old.sha256 in home.deliveries(sha256=again.sha256).iloc[0]["replaces"]


def test_a_second_attempt_reads_all_tables_again(home: Workspace) -> None:
    wrong = CODE[:-1] + ("0" if CODE[-1] != "0" else "1")
    sheets = three() | {"监督抽查": [[*ZH, "统一社会信用代码"], [*sample(1), wrong], [*sample(2), ""]]}
    first = send(home, sheets)
    assert (first.tables["inspections"]["quarantined"], first.tables["firms"]["accepted"]) == (1, 2)
    again = retry_quarantine(home, first.sha256[:8])
    assert again.tables["inspections"]["quarantined"] == 0
    assert "inspections/uscc:code_by_name 1" in again.warnings
    assert [len(home.query(f"FROM {table}")) for table in ("firms", "inspections", "items")] == [2, 2, 2]
    assert list_quarantine(home).empty


def test_a_retry_takes_answers_and_keeps_them(home: Workspace) -> None:
    odd = ["抽样编码号", *ZH[1:]]
    first = send(home, three() | {"监督抽查": [odd, sample(1), sample(2, "?")]}, accept=["column:抽样编码号=sample_no"])
    (home.root / "data/recipes/tidy.toml").unlink()
    refused = retry_quarantine(home, first.sha256)
    retry = f"qbase quarantine retry {first.sha256[:8]}"
    assert (refused.error and refused.error["fix"]) == f'{retry} --accept "column:抽样编码号=sample_no"'
    assert not (home.root / "data/recipes/tidy.toml").exists()
    again = retry_quarantine(home, first.sha256, accept=iter(["column:抽样编码号=sample_no"]))
    assert (again.error, again.tables["inspections"]["accepted"]) == (None, 1)
    assert read_recipe(None, home.root).accept == {"column:抽样编码号=sample_no"}
    with pytest.raises(UsageError, match="QB361"):
        retry_quarantine(home, first.sha256, reject=["nonsense"])


def test_the_command_line_gives_a_retry_its_answers(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    sheets = three(*(sample(i, "不合格") for i in range(30)))
    first = send(home, sheets, reject=["numerator_only"])
    assert first.tables["inspections"]["accepted"] == 30
    at = ["--home", str(home.root), "--lang", "en", "--json"]
    assert run(["quarantine", "retry", first.sha256[:8], "--accept", "numerator_only", *at]) == 0
    assert '"failure_notices"' in capsys.readouterr().out
    assert len(home.query("FROM inspections")) == 0
    assert read_recipe(None, home.root).accept == {"numerator_only"}
    assert run(["quarantine", "retry", first.sha256[:8], "--reject", "nonsense", *at]) == 2


# --- what others see of it


def test_links_checks_and_commands_see_every_table(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    send(home, three(sample(1), sample(2, "?", "无人厂"), items=[item(i) for i in range(1, 6)]))
    at = ["--home", str(home.root), "--lang", "en"]
    assert home.deliveries().iloc[0]["table"] == "items"
    assert home.query("SELECT firm_id FROM identity_links")["firm_id"].tolist() == ["F1"]
    result = check_delivery(home, "inspections", as_of="2022-08-11")
    assert [check.passed for check in result.checks if check.name in ("accounting", "contract")] == [True, False]
    assert result.estimates[0].value == 50
    assert run(["check", "--as-of", "2022-08-11", *at]) == 3
    assert {"firms", "inspections", "items"} <= set(capsys.readouterr().out.split())
    assert run(["quarantine", "list", *at]) == 0
    assert "Result: not one of the allowed values" in capsys.readouterr().out
    assert run(["load", str(home.root / "a.xlsx"), *at]) == 0
    told = capsys.readouterr().out
    assert "Test items  seen 6 = listed 1 + accepted 5 + quarantined 0" in told
    assert "2  sheet_without_table" in told
    assert run(["load", str(home.root / "a.xlsx"), *at, "--json", "--quiet"]) == 0
    (told_json,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert told_json["tables"]["firms"]["accepted"] == 2
