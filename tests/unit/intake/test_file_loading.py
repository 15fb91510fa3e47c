from __future__ import annotations

import csv
import gzip
import io
import json
import pathlib
from typing import Any

import openpyxl
import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.export import write_xlsx
from qbase.intake import LoadReport, explain_reason, list_recipes, load_files, read_recipe
from qbase.intake.recipes.recipe_toml import parse_recipe
from qbase.lake import Workspace
from qbase.tables import list_contracts, read_contract

ZH = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
EN = ["Sample number", "Level", "Sample date", "Domain", "Sample type", "Firm name", "Product", "Result"]
FIRMS = ["firm_id", "firm_name", "town_code", "industry_code", "longitude"]
GOOD = ["S1", "省级", "2022-08-10", "生产", "双随机", "甲厂", "涤纶长丝", "合格"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def row(number: int | str, **changes: str) -> list[str]:
    cells = dict(zip(ZH, GOOD, strict=True)) | {"抽样编号": f"S{number}"} | changes
    return list(cells.values())


def text(*rows: list[str], header: list[str] = ZH, separator: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def load(home: Workspace, content: str | bytes, name: str = "a.csv", **options: Any) -> LoadReport:
    path = home.root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (report,) = load_files(home, [path], **options)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    json.dumps(report.payload())
    return report


def inspections(home: Workspace) -> pd.DataFrame:
    return home.query("SELECT * FROM inspections ORDER BY sample_no")


def aside(home: Workspace) -> pd.DataFrame:
    return home.query("SELECT * FROM set_aside WHERE reasons <> 'header' ORDER BY row_no")


def test_a_tidy_file_goes_in_with_its_accounting(home: Workspace) -> None:
    report = load(home, text(row(1), row(2, 检验结果="不合格")))
    assert report.payload() == {
        "file": "a.csv", "sha256": report.sha256, "verdict": "OK", "table": "inspections", "recipe": "tidy",
        "rows_seen": 3, "listed": 1, "accepted": 2, "quarantined": 0, "reasons": {"header": 1}, "warnings": [],
        "error": None, "snapshot": "S0001", "already": False,
    }  # fmt: skip
    rows = inspections(home)
    assert rows["result"].tolist() == ["pass", "fail"]
    assert rows["row_no"].tolist() == [2, 3]
    assert set(rows["delivery_sha256"]) == {report.sha256}
    assert home.deliveries().iloc[0]["rows_seen"] == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_change_nothing(home: Workspace, encoding: str, separator: str) -> None:
    report = load(home, text(row(1), row(2), separator=separator).encode(encoding))
    assert (report.verdict, report.accepted) == ("OK", 2)
    assert inspections(home)["firm_name"].tolist() == ["甲厂", "甲厂"]


def test_english_headers_in_another_order(home: Workspace) -> None:
    report = load(home, text(["pass", *GOOD[:7]], header=["result", *[h.upper() for h in EN[:7]]]))
    assert (report.verdict, report.accepted) == ("OK", 1)


def test_excel_with_text_ids_dates_and_a_sheet_of_remarks(home: Workspace) -> None:
    book = openpyxl.Workbook()
    book.active.append(ZH)
    book.active.append(["007", *GOOD[1:]])
    book.active["C3"] = pd.Timestamp("2022-08-10")
    for i, value in enumerate(row(2)):
        if i != 2:
            book.active.cell(3, i + 1, value)
    book.create_sheet("说明").append(["本表由某局填报"])
    book.save(home.root / "a.xlsx")
    (report,) = load_files(home, [home.root / "a.xlsx"])
    assert (report.verdict, report.accepted, report.listed) == ("WARN", 2, 2)
    assert report.reasons == {"header": 1, "sheet_without_table": 1}
    assert inspections(home)["sample_no"].tolist() == ["007", "S2"]
    assert inspections(home)["sample_date"].astype(str).tolist() == ["2022-08-10"] * 2


def test_long_numeric_ids_errors_and_formulas_in_excel_are_set_aside(home: Workspace) -> None:
    rows = [
        ZH,
        row(1),
        [911000006000373412, *GOOD[1:]],
        row(3, 企业名称="#REF!"),
        row(4, 企业名称="=1+1"),
        [5, *GOOD[1:]],
    ]
    book = openpyxl.Workbook()
    for cells in rows:
        book.active.append(cells)
    book.save(home.root / "a.xlsx")
    (report,) = load_files(home, [home.root / "a.xlsx"])
    assert (report.verdict, report.accepted, report.quarantined) == ("QUARANTINED", 2, 3)
    assert report.reasons == {
        "header": 1, "sample_no:long_number": 1, "firm_name:error_cell": 1, "firm_name:formula_without_value": 1,
        "firm_name:missing": 1, "sample_no:scientific": 1,
    }  # fmt: skip
    assert report.warnings == ("sample_no:stored_as_number 1",)
    assert inspections(home)["sample_no"].tolist() == ["5", "S1"]


def test_rows_that_are_no_data_are_listed_verbatim(home: Workspace) -> None:
    content = text(row(1), ZH, ["合计", "", "", "", "", "", "", "1"]) + "\n注：初步数\n"
    report = load(home, content)
    assert (report.verdict, report.accepted, report.listed) == ("OK", 1, 5)
    assert report.reasons == {"header": 1, "repeated_header": 1, "total_row": 1, "blank_row": 1, "note_row": 1}
    found = aside(home)
    assert found["row_no"].tolist() == [3, 4, 5, 6]
    assert [json.loads(raw) for raw in found["raw"]] == [ZH, ["合计", *[""] * 6, "1"], [], ["注：初步数"]]
    assert set(found["verdict"]) == {"listed"}


def test_broken_rows_are_quarantined_with_their_reasons(home: Workspace) -> None:
    content = text(
        row(1),
        row(2, 检验结果="基本合格"),
        row(3, 抽样日期="2024-02-30"),
        row(4, 企业名称=""),
        [*row(5), "多"],
        row(6)[:-1],
        row("9.11E+17")[0:1] and ["9.11E+17", *GOOD[1:]],
        row(8, 企业名称="/"),
        row(9, 企业名称="a\x00b"),
    )
    report = load(home, content)
    assert (report.accepted, report.quarantined) == (1, 8)
    assert report.reasons == {
        "header": 1, "result:enum": 1, "sample_date:date": 1, "firm_name:missing": 2, "too_many_fields": 1,
        "too_few_fields": 1, "result:missing": 1, "sample_no:scientific": 1, "firm_name:control_character": 1,
    }  # fmt: skip
    found = aside(home)
    assert json.loads(found["raw"][3])[-1] == "多"
    assert found["reasons"].tolist()[4].split() == ["result:missing", "too_few_fields"]


def test_names_that_pandas_takes_for_missing_stay(home: Workspace) -> None:
    names = ["NA", "null", "None", "nan", "<script>alert(1)</script>", "=cmd|' /C calc'!A0"]
    report = load(home, text(*[row(i, 企业名称=name) for i, name in enumerate(names)]))
    assert report.accepted == len(names)
    assert inspections(home)["firm_name"].tolist() == names


def test_duplicates_within_a_file(home: Workspace) -> None:
    same, other = row(1), row(1, 检验结果="pass")
    report = load(home, text(same, other, row(2), row(2, 检验结果="不合格"), row(3)))
    assert (report.verdict, report.accepted, report.quarantined) == ("QUARANTINED", 2, 2)
    assert report.reasons == {"header": 1, "duplicate_row": 1, "key_conflict": 2}
    assert report.warnings == ("duplicate_rows 1",)
    assert inspections(home)["sample_no"].tolist() == ["S1", "S3"]


def test_duplicates_of_rows_in_the_lake(home: Workspace) -> None:
    load(home, text(row(1), row(2)), "a.csv")
    report = load(home, text(row(1), row(2, 检验结果="不合格"), row(3)), "b.csv")
    assert report.reasons == {"header": 1, "duplicate_row": 1, "key_conflict": 1}
    assert report.accepted == 1
    assert inspections(home)["result"].tolist() == ["pass"] * 3


def test_a_good_row_is_not_lost_behind_a_broken_twin(home: Workspace) -> None:
    report = load(home, text([*row(1), "多"], row(1)))
    assert (report.accepted, report.quarantined, report.listed) == (1, 1, 1)


def test_numbers_that_differ_only_in_spelling_are_duplicates(home: Workspace) -> None:
    rows = [["F1", "甲厂", "990101001", "2822", value] for value in ("120.50", "120.5")]
    report = load(home, text(*rows, header=FIRMS))
    assert (report.accepted, report.listed) == (1, 2)
    later = load(home, text(rows[1], header=FIRMS), "b.csv")
    assert (later.accepted, later.reasons.get("duplicate_row")) == (0, 1)


def test_the_same_bytes_are_loaded_once(home: Workspace) -> None:
    first = load(home, text(row(1)), "a.csv")
    again = load(home, text(row(1)), "另一个名字.csv")
    assert again.already
    assert again.payload() == {**first.payload(), "already": True}
    assert len(inspections(home)) == 1
    assert len(home.deliveries()) == 1


def test_what_was_rejected_may_be_tried_again(home: Workspace) -> None:
    data = gzip.compress(text(row(1)).encode(), mtime=0)
    first = load(home, data, "a.csv.gz")
    assert (first.verdict, first.error and first.error["code"]) == ("REJECTED", "QB310")
    assert load(home, data, "a.csv.gz").already
    recipe = home.root / "own.toml"
    columns = "\n".join(f'"{zh}" = "{name}"' for zh, name in zip(ZH, _names(), strict=True))
    recipe.write_text(f'name = "own"\ntable = "inspections"\ncompression = "gzip"\n[columns]\n{columns}', "utf-8")
    second = load(home, data, "a.csv.gz", recipe=str(recipe))
    assert (second.verdict, second.accepted, second.recipe) == ("OK", 1, "own")
    assert home.deliveries()["verdict"].tolist() == ["REJECTED", "OK"]


def _names() -> list[str]:
    contract = read_contract("inspections")
    return [next(c.name for c in contract.columns if c.text.zh == header) for header in ZH]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", b"", "QB323"),
        ("header.csv", text(), "QB323"),
        ("blank.csv", "\n\n", "QB323"),
        ("quote.csv", text(row(1)) + '"S2,省级\n', "QB315"),
        ("mixed.csv", text(row(1)).encode() + ",".join(row(2)).encode("gbk"), "QB31"),
        ("private.csv", text(row(1, 企业名称="甲\ue000")), "QB314"),
        ("big5.csv", "抽樣編號,檢驗結果\n".encode("big5") + b"\xff", "QB312"),
        ("named.xlsx", text(row(1)), "QB311"),
        ("page.xlsx", "<html><table><tr><td>1</td></tr></table></html>", "QB311"),
        ("cut.xlsx", write_xlsx({"a": pd.DataFrame([row(1)], columns=ZH)})[:-200], "QB316"),
        ("zip.csv", write_xlsx({"a": pd.DataFrame([row(1)], columns=ZH)}), "QB311"),
        ("junk.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "QB316"),
        ("pickle.csv", b"\x80\x04\x95\x00", "QB311"),
        ("report.pdf", b"%PDF-1.4", "QB310"),
        ("unknown.csv", "甲,乙\n1,2\n", "QB320"),
        ("missing.csv", text(row(1)[:-1], header=ZH[:-1]), "QB321"),
        ("twice.csv", text([*row(1), "不合格"], header=[*ZH, "结论"]), "QB360"),
        ("same.csv", text([*row(1), "不合格"], header=[*ZH, ZH[-1]]), "QB322"),
        ("unit.csv", text(["F1", "甲厂", "99", "2822", "120"], header=[*FIRMS[:4], "经度（万元）"]), "QB328"),
    ],
)  # fmt: skip
def test_bad_files_are_rejected_and_leave_no_row(home: Workspace, name: str, content: str | bytes, code: str) -> None:
    report = load(home, content, name)
    assert report.verdict == "REJECTED"
    assert report.error is not None
    assert report.error["code"].startswith(code)
    assert (report.rows_seen, report.table) == (0, "")
    assert home.tables() == []
    assert home.deliveries()["verdict"].tolist() == ["REJECTED"]


def test_a_bad_file_does_not_stop_the_others_and_progress_is_told(home: Workspace) -> None:
    (home.root / "in").mkdir()
    (home.root / "in" / "a.csv").write_text(text(row(1)), "utf-8")
    (home.root / "in" / "b.csv").write_text("x", "utf-8")
    seen: list[tuple[int, int, str]] = []
    reports = load_files(
        home,
        [home.root / "in", home.root / "none.csv"],
        on_progress=lambda done, total, report: seen.append((done, total, report.file)),
    )
    assert [report.verdict for report in reports] == ["OK", "REJECTED", "REJECTED"]
    assert seen == [(1, 3, "a.csv"), (2, 3, "b.csv"), (3, 3, "none.csv")]
    assert reports[2].error is not None
    assert reports[2].sha256 == ""


def test_a_row_lost_on_the_way_is_noticed(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from qbase.intake.loading import file_verdict as module

    original = module.split_rows

    def lose(*args: Any) -> Any:
        import dataclasses

        split = original(*args)
        return dataclasses.replace(split, accepted=split.accepted.slice(1), accepted_rows=split.accepted_rows[1:])

    monkeypatch.setattr(module, "split_rows", lose)
    report = load(home, text(row(1), row(2)))
    assert report.error is not None
    assert report.error["code"] == "QB331"
    assert home.tables() == []


def test_a_changed_number_is_noticed(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from qbase.intake.loading import file_verdict as module

    original = module.split_rows

    def change(*args: Any) -> Any:
        import dataclasses

        split = original(*args)
        at = split.accepted.column_names.index("longitude")
        wrong = split.accepted.set_column(at, "longitude", [[121.0]])
        return dataclasses.replace(split, accepted=wrong)

    monkeypatch.setattr(module, "split_rows", change)
    report = load(home, text(["F1", "甲厂", "990101001", "2822", "120.5"], header=FIRMS))
    assert report.error is not None
    assert report.error["code"] == "QB332"


def test_every_table_is_its_own_recipe_and_policies_are_data(home: Workspace) -> None:
    assert set(list_contracts()) < set(list_recipes())
    header = ["policy_id", "policy_name", "kind", "effective_date", "date_source", "date_confidence"]
    cells = ["P1", "创建优质产品生产基地", "binary", "2022年8月10日", "文件", "document"]
    assert load(home, text(cells, header=header), "p.csv", recipe="policies").verdict == "OK"
    spells = text(["P1", "C01", "2022Q3"], header=["policy_id", "entity_id", "start_quarter"])
    assert load(home, spells, "s.csv").table == "spells"


def test_unknown_recipes_are_refused_before_anything_is_read(home: Workspace) -> None:
    with pytest.raises(UsageError, match="QB302") as caught:
        load_files(home, ["x.csv"], recipe="chicago_inspection")
    assert caught.value.fix == "--recipe chicago_inspections"


@pytest.mark.parametrize(
    "body",
    [
        "nonsense", 'name = "x"', 'name = "x"\ntable = "inspections"\nwhat = 1',
        'name = "x"\ntable = "inspections"\n[columns]\na = "colour"',
        'name = "x"\ntable = "inspections"\n[columns]\na = "result"\nb = "result"',
        'name = "x"\ntable = "inspections"\n[values.result]\na = "good"',
        'name = "x"\ntable = "inspections"\ncompression = "zip"', 'name = "x"\ntable = "inspections"\ncolumns = 3',
    ],
)  # fmt: skip
def test_unsound_recipes_are_refused(body: str) -> None:
    with pytest.raises(DataError, match="QB303"):
        parse_recipe(body.encode(), origin="x.toml")


def test_recipe_warns_of_absent_columns_and_refuses_missing_ones(home: Workspace, tmp_path: pathlib.Path) -> None:
    columns = '"码" = "town_code"\n"名" = "town_name"\n"旧" = "successor_code"'
    body = f'name = "x"\ntable = "towns"\nmissing = ["无"]\n[columns]\n{columns}\n[constants]\ncounty_name = "甲县"\n'
    recipe = tmp_path / "x.toml"
    recipe.write_text(body, "utf-8")
    report = load(home, "码,名\n990101001,甲镇\n", recipe=str(recipe))
    assert (report.verdict, report.warnings) == ("WARN", ("successor_code:column_absent",))
    assert home.query("SELECT county_name FROM towns")["county_name"].tolist() == ["甲县"]
    refused = load(home, "码,别名\n1,甲镇\n", "b.csv", recipe=str(recipe))
    assert refused.error is not None
    assert refused.error["code"] == "QB321"


def test_reasons_in_words() -> None:
    assert explain_reason("result:enum", "inspections").zh == "检验结果：不在允许的取值内"
    assert explain_reason("sample_no:fullwidth 12", "inspections").en == "Sample number: 12 full-width texts narrowed"
    assert explain_reason("rule:recheck_has_parent", "inspections").en == "A re-check names the sample it repeats"
    assert explain_reason("total_row").zh == "合计或小计行"
    assert explain_reason("sheet:hidden_rows 3").en == "3 hidden rows"
    assert explain_reason("Floor area 2020:unknown_column", "inspections").en == "Floor area 2020: column is not used"


def test_every_reason_of_every_contract_has_words() -> None:
    from qbase.tables import contract_sql

    for table in list_contracts():
        for code in contract_sql(read_contract(table)):
            assert explain_reason(code, table).en != code.rpartition(":")[2]
            assert explain_reason(code, table).zh.isascii() is False


@pytest.mark.shared
def test_chicago_loads_with_its_known_answer(home: Workspace, shared_data: pathlib.Path) -> None:
    path = shared_data / "us_chicago_food_inspections" / "chicago_canvass_2011_2014.csv.gz"
    (report,) = load_files(home, [path], recipe="chicago_inspections")
    assert (report.verdict, report.rows_seen, report.accepted) == ("WARN", 27_601, 27_600)
    # a second canvass of a failed establishment, mostly within three weeks: a re-inspection under the wrong name
    assert report.warnings == ("likely_recheck 75",)
    rates = home.query("SELECT risk_class, 100 * avg((result = 'fail')::INT) AS fail_pct FROM inspections GROUP BY ALL")
    by_class = dict(zip(rates["risk_class"], rates["fail_pct"].round(1), strict=True))
    assert by_class == {"A": 29.2, "B": 18.0, "C": 19.7}
    total = home.query("SELECT 100 * avg((result = 'fail')::INT) AS x, count(DISTINCT firm_code) AS n FROM inspections")
    assert round(float(total["x"][0]), 2) == 19.76
    assert total["n"][0] == 12_367
    assert read_recipe("chicago_inspections").producer.startswith("City of Chicago")
