"""Where a doubt ends: faults of one file, merged cells, days to come, shares, batches in two notices, codes."""

from __future__ import annotations

import csv
import datetime
import errno
import io
import pathlib
import re
from typing import Any

import openpyxl
import pytest

from qbase.core.errors import SetupError, UsageError
from qbase.intake import LoadReport, explain_reason, load_files
from qbase.intake.values.cell_values import build_reader
from qbase.lake import Workspace
from qbase.tables import read_contract, section_of

HEAD = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
CHAIN = ["集群编号", "年份", "产业链环节数", "本地覆盖环节数", "中间投入", "本地中间投入"]
FAULTS = [
    IndexError("list index out of range"), KeyError("k"), ValueError("v"), TypeError("t"), AttributeError("a"),
    RecursionError("deep"), OverflowError("o"), OSError("Invalid data stream"), OSError(errno.EINVAL, "seek"),
]  # fmt: skip


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def batch(number: int | str, **changes: str) -> list[str]:
    row = dict(zip(HEAD, [f"S{number}", "省", "2022-08-10", "生产", "双随机", "甲厂", "涤纶", "合格"], strict=True))
    return list((row | changes).values())


def load(home: Workspace, rows: list[list[Any]], name: str = "a.csv", **options: Any) -> LoadReport:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    path = home.root / name
    path.write_text(out.getvalue(), encoding="utf-8")
    (report,) = load_files(home, [path], **options)
    return report


def write_book(path: pathlib.Path, rows: list[list[Any]], spans: tuple[str, ...] = ()) -> pathlib.Path:
    book = openpyxl.Workbook()
    for cells in rows:
        book.active.append(cells)
    for span in spans:
        book.active.merge_cells(span)
    book.save(path)
    return path


# --- one file at fault


@pytest.mark.parametrize("place", ["load.read_grids", "load.read_tables", "load.judge_rows", "load.account_for"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{type(fault).__name__}-{getattr(fault, 'errno', '')}")
def test_whatever_goes_wrong_with_one_file_rejects_that_file(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, fault: Exception, place: str
) -> None:
    import qbase.intake.loading.file_loading as module

    own, name = getattr(module, place.partition(".")[2]), place.partition(".")[2]
    asked: list[int] = []

    def fail_on_the_second(*given: Any, **options: Any) -> Any:
        asked.append(1)
        if len(asked) == 2:
            raise fault
        return own(*given, **options)

    monkeypatch.setattr(module, name, fail_on_the_second)
    for number in range(3):
        text = "\n".join(",".join(row) for row in (HEAD, batch(number)))
        (home.root / f"{number}.csv").write_text(text, encoding="utf-8")
    reports = load_files(home, [home.root / f"{number}.csv" for number in range(3)])
    assert [report.verdict for report in reports] == ["OK", "REJECTED", "OK"]
    error = reports[1].error
    assert error is not None
    assert (error["code"], error["found"].partition(":")[0]) == ("QB341", type(fault).__name__)
    assert home.query("SELECT sample_no FROM inspections ORDER BY 1")["sample_no"].tolist() == ["S0", "S2"]


def test_a_workbook_that_breaks_a_reader_in_a_thread_is_rejected(
    home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("sheet")

    monkeypatch.setattr("qbase.intake.loading.file_loading.read_grids", fail)
    (report,) = load_files(home, [write_book(home.root / "a.xlsx", [HEAD, batch(1)])])
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB341")


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SetupError("QB207", path="data", found="-", expected="-", fix="-"),
        KeyboardInterrupt(),
    ],
    ids=["full", "setup", "stopped"],
)
def test_what_is_wrong_with_the_workspace_ends_the_load(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr("qbase.intake.loading.file_loading.read_tables", fail)
    with pytest.raises(type(fault)):
        load(home, [HEAD, batch(1)])
    assert home.deliveries().empty


# --- merged cells over data rows


def test_a_merged_year_or_name_stands_for_each_of_its_rows_and_the_sums_are_right(home: Workspace) -> None:
    rows = [CHAIN, ["K1", 2021, 14, 3, 2, 1], ["K2", None, 15, 4, 3, 1], ["K3", None, 16, 5, None, 1]]
    path = write_book(home.root / "a.xlsx", rows, ("B2:B4", "E3:E4"))
    (report,) = load_files(home, [path])
    # K3 stays without its amount, which would be counted twice, and its year does not disturb the sums
    assert (report.verdict, report.accepted, report.quarantined) == ("QUARANTINED", 2, 1)
    assert "year:merged_filled 2" in report.warnings
    found = home.query("SELECT cluster_id, year FROM supply_chain ORDER BY 1")
    assert found.to_numpy().tolist() == [["K1", 2021], ["K2", 2021]]
    flags = home.query("SELECT row_no, column_name, code, printed, stored FROM flagged_cells")
    assert flags.to_numpy().tolist() == [[3, "year", "merged", "", "2021"]]


def test_a_title_merged_into_the_data_fills_nothing(home: Workspace) -> None:
    rows = [CHAIN, ["K1", 2021, 14, 3, 2, 1], ["合计", None, 14, 3, 2, 1], ["K3", None, 16, 5, 2, 1]]
    (report,) = load_files(home, [write_book(home.root / "a.xlsx", rows, ("B3:B4",))])
    assert (report.accepted, report.quarantined, report.reasons["year:missing"]) == (1, 1, 1)


# --- days to come


def test_a_day_after_the_day_of_loading_is_told_and_never_ok(home: Workspace) -> None:
    rows = [HEAD, batch(1), batch(2, 抽样日期="2099-08-01"), batch(3, 抽样日期="2022-08-11")]
    report = load(home, rows, as_of="2022-08-10")
    assert (report.verdict, report.warnings) == ("WARN", ("sample_date:future_date 2",))
    assert (
        explain_reason("sample_date:future_date 2", "inspections").en == "Sample date: 2 days after the day of loading"
    )
    again = load(home, [HEAD, batch(4, 抽样日期="2022-08-12")], "b.csv", as_of="2022-08-12")
    assert (again.verdict, again.warnings) == ("OK", ())


def test_without_a_given_day_the_clock_decides(home: Workspace) -> None:
    tomorrow = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()
    far = tomorrow + datetime.timedelta(days=3)
    rows = [HEAD, batch(1, 抽样日期=str(tomorrow - datetime.timedelta(days=2))), batch(2, 抽样日期=str(far))]
    assert load(home, rows).warnings == ("sample_date:future_date 1",)


def test_a_quarter_of_observations_must_have_begun_and_a_last_day_may_lie_ahead(home: Workspace) -> None:
    counts = [["quarter", "batch_count", "passed_count"], ["2022Q3", "10", "9"], ["2022Q4", "10", "9"]]
    head = ["区划代码", "乡镇名称", "县名称", "停用日期"]
    assert load(home, counts, as_of="2022-07-01").warnings == ("quarter:future_date 1",)
    towns = [head, ["990101001", "甲镇", "乙县", "2099-01-01"]]
    assert load(home, towns, "b.csv", as_of="2022-07-01").verdict == "OK"


def test_the_day_of_loading_is_a_day(home: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        load(home, [HEAD, batch(1)], as_of="gestern")
    assert caught.value.code == "QB342"


# --- shares printed for percentages

SERVICE = [
    "平台编号", "季度", "服务企业数", "缺检验能力企业数", "服务合同数", "进厂委托检验批次", "进厂检验合格批次",
    "出厂委托检验批次", "出厂检验合格批次", "咨询计量服务次数", "费用降幅",
]  # fmt: skip
RATES = ["区划代码", "年份", "抽查批次数", "合格批次数", "合格率"]


def services(*cuts: str) -> list[list[str]]:
    return [SERVICE, *([f"P{i}", "2022Q1", *"91365872", cut] for i, cut in enumerate(cuts))]


def cuts(home: Workspace) -> list[float]:
    return [float(x) for x in home.query("SELECT fee_cut_pct AS x FROM platform_services ORDER BY platform_id")["x"]]


def test_a_whole_column_of_shares_is_asked_about_and_the_answer_is_kept(home: Workspace) -> None:
    asked = load(home, services("0.25", "0.305", "1", "0"))
    assert asked.error is not None
    assert (asked.verdict, asked.error["code"]) == ("REJECTED", "QB360")
    assert asked.error["fix"] == 'qbase load FILE --accept "share:fee_cut_pct"'
    report = load(home, services("0.25", "0.305", "1", "0"), accept=["share:fee_cut_pct"])
    assert (report.verdict, report.warnings) == ("WARN", ("fee_cut_pct:share_converted 3",))
    assert cuts(home) == [25.0, 30.5, 100.0, 0.0]
    flags = home.query("SELECT printed, stored, code FROM flagged_cells ORDER BY row_no")
    assert flags.to_numpy().tolist()[1] == ["0.305", "30.5", "share_converted"]
    later = [[cell.replace("2022", "2023") for cell in row] for row in services("0.4", "0.5")]
    assert load(home, later, "b.csv").warnings == ("fee_cut_pct:share_converted 2",)
    plain = [[cell.replace("2022", "2024") for cell in row] for row in services("40", "50")]
    assert load(home, plain, "c.csv").verdict == "OK"


def test_a_person_may_say_that_small_percentages_are_what_they_are(home: Workspace) -> None:
    report = load(home, services("0.25", "0.305"), reject=["share:fee_cut_pct"])
    assert (report.verdict, cuts(home)) == ("OK", [0.25, 0.305])


@pytest.mark.parametrize("printed", [("0.25%", "0.3%"), ("0.25%", "0.3")])
def test_a_sign_says_what_a_small_rate_is(home: Workspace, printed: tuple[str, str]) -> None:
    assert (load(home, services(*printed)).verdict, cuts(home)) == ("OK", [0.25, 0.3])


def test_counts_beside_a_rate_settle_what_it_is(home: Workspace) -> None:
    rows = [RATES, ["990101001", "2022", "40", "39", "0.975"], ["990101002", "2022", "40", "40", "1"]]
    report = load(home, rows)
    assert (report.verdict, report.warnings) == ("WARN", ("pass_rate_pct:other_unit 2",))
    few = [RATES, ["990101003", "2022", "200", "1", "0.5"], ["990101004", "2022", "400", "2", "0.5"]]
    assert load(home, few, "b.csv").verdict == "OK"
    found = home.query("SELECT pass_rate_pct AS x FROM town_rates ORDER BY town_code")["x"].tolist()
    assert found == [97.5, 100.0, 0.5, 0.5]


def test_counts_that_contradict_a_rate_set_its_row_aside(home: Workspace) -> None:
    rows = [RATES, ["990101001", "2022", "40", "39", "0.975"], ["990101002", "2022", "40", "20", "0.9"]]
    report = load(home, rows)
    assert (report.accepted, report.quarantined) == (0, 2)
    assert report.reasons["rule:rate_follows_counts"] == 2


# --- one batch in two notices

NOTICED = [*HEAD, "公告号"]


def noticed(number: int, notice: str, **changes: str) -> list[str]:
    return [*batch(number, **changes), notice]


def test_one_batch_in_two_notices_of_one_file_is_counted_once(home: Workspace) -> None:
    rows = [NOTICED, noticed(1, "A"), noticed(2, "A"), noticed(1, "B"), noticed(1, "B"), noticed(2, "A")]
    report = load(home, rows)
    assert (report.verdict, report.accepted, report.quarantined) == ("WARN", 2, 0)
    assert report.reasons == {"header": 1, "repeated_row": 2, "duplicate_row": 1}
    assert {"repeated_rows 2", "duplicate_rows 1"} <= set(report.warnings)
    assert home.query("SELECT notice_no FROM inspections ORDER BY sample_no")["notice_no"].tolist() == ["A", "A"]


def test_the_first_stays_over_two_files_and_another_fact_is_no_repetition(home: Workspace) -> None:
    load(home, [NOTICED, noticed(1, "A"), noticed(2, "A")])
    report = load(home, [NOTICED, noticed(1, "B"), noticed(2, "B", 检验结果="不合格"), noticed(3, "")], "b.csv")
    assert (report.accepted, report.quarantined) == (1, 1)
    assert report.reasons == {"header": 1, "repeated_row": 1, "key_conflict": 1}
    inside = load(home, [NOTICED, noticed(4, "A"), noticed(4, "B", 检验结果="不合格")], "c.csv")
    assert (inside.accepted, inside.quarantined, inside.reasons["key_conflict"]) == (0, 2, 2)


# --- codes

CODE = "91110000600037341L"
TOWNS = ["区划代码", "乡镇名称", "县名称", "停用日期", "变更后代码"]


@pytest.mark.parametrize(
    "printed",
    [
        CODE.lower(), "9111 0000 6000 3734 1L", "91110000-60003734-1L", "'" + CODE, "‘" + CODE,
        "９１１１００００６０００３７３４１Ｌ", "９１１１００００６０００３７３４１ｌ",
    ],
)  # fmt: skip
def test_a_credit_code_in_another_dress_is_the_same_code(home: Workspace, printed: str) -> None:
    report = load(home, [[*HEAD, "统一社会信用代码"], [*batch(1), printed]])
    told = "fullwidth" if printed.endswith("Ｌ") else "normalised"
    assert (report.verdict, report.warnings) == ("WARN", (f"uscc:{told} 1",))
    assert home.query("SELECT uscc FROM inspections")["uscc"].tolist() == [CODE]


@pytest.mark.parametrize(
    "printed", ["91110000600037341k", "9111000060003734", "9111000060003734lL", "91110000/60003734/1L"]
)
def test_a_wrong_code_stays_wrong_in_any_dress(home: Workspace, printed: str) -> None:
    report = load(home, [[*HEAD, "统一社会信用代码"], [*batch(1), printed]])
    assert (report.accepted, report.reasons["uscc:check"]) == (0, 1)


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("2822", ("2822", "")), ("C2822", ("2822", "normalised")), ("c 2822", ("2822", "normalised")),
        ("T9700", ("9700", "normalised")), ("A2822", ("A2822", "")), ("Z2822", ("Z2822", "")),
    ],
)  # fmt: skip
def test_the_letter_of_the_section_goes_where_it_is_the_right_one(printed: str, read: tuple[str, str]) -> None:
    assert build_reader(read_contract("firms").column("industry_code"))(printed) == read


@pytest.mark.parametrize(("code", "is_class"), [("0111", 1), ("9700", 1), ("9999", 0), ("0011", 0), ("9811", 0)])
def test_an_industry_class_lies_in_a_division(code: str, is_class: int) -> None:
    pattern = read_contract("clusters").column("industry_code").pattern
    assert bool(re.fullmatch(pattern, code)) == bool(is_class)


def test_sections_follow_one_another_without_a_gap() -> None:
    letters = [section_of(f"{division:02d}00") for division in range(1, 98)]
    assert ("".join(dict.fromkeys(letters)), letters[12], letters[42]) == ("ABCDEFGHIJKLMNOPQRST", "C", "C")


def test_a_town_nobody_described_and_a_code_used_twice_are_told(home: Workspace) -> None:
    town = ["990101001", "甲镇", "乙县", "", ""]
    assert load(home, [TOWNS, town]).verdict == "OK"
    sent = [[*HEAD, "区划代码"], [*batch(1), "990101001"], [*batch(2), "990101777"], [*batch(3), ""]]
    report = load(home, sent, "b.csv")
    assert (report.verdict, report.warnings) == ("WARN", ("town_code:unknown_town 1",))
    assert explain_reason(report.warnings[0], "inspections").en.endswith("1 codes are not in the table of towns")
    lost = load(home, [TOWNS, ["990101002", "丙镇", "乙县", "2020-12-31", "990101888"]], "c.csv")
    assert lost.warnings == ("successor_code:unknown_town 1",)
    again = load(home, [TOWNS, ["990101001", "丁镇", "乙县", "", ""]], "d.csv")
    assert (again.accepted, again.reasons["key_conflict"]) == (0, 1)


# --- a ledger that is lost


def test_the_advice_for_a_damaged_ledger_brings_everything_back(home: Workspace) -> None:
    for number, notice in enumerate("CAB", start=1):
        rows = [NOTICED, noticed(1, notice), noticed(10 + number, "")]
        load(home, rows, f"{number}.csv")
    sql = "SELECT sample_no, notice_no FROM inspections ORDER BY 1"
    before = home.query(sql).fillna("").to_numpy().tolist()
    home.ledger.write_bytes(b"no database, but long enough to be taken for one" * 40)
    with pytest.raises(SetupError) as caught:
        load_files(home, [])
    assert caught.value.code == "QB204"
    assert "qbase load data/raw" in caught.value.fix
    home.ledger.rename(home.root / "away.sqlite")
    home.lake.rename(home.root / "away")
    reports = load_files(home, [home.root / "data" / "raw"])
    # in the order they came: the first notice still stays, whatever the hashes are
    assert [report.file for report in reports] == ["1.csv", "2.csv", "3.csv"]
    assert home.query(sql).fillna("").to_numpy().tolist() == before


def test_a_folder_is_read_with_its_folders_but_for_hidden_ones(home: Workspace, tmp_path: pathlib.Path) -> None:
    for number, place in enumerate(["b.csv", "甲县/a.csv", "甲县/2022/c.csv", ".git/d.csv", "甲县/.e.csv"]):
        path = tmp_path / "sent" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(",".join(row) for row in (HEAD, batch(number))), encoding="utf-8")
    reports = load_files(home, [tmp_path / "sent"])
    assert [report.file for report in reports] == ["b.csv", "c.csv", "a.csv"]
    assert {report.verdict for report in reports} == {"OK"}
