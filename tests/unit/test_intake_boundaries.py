"""Where a doubt ends: faults of one file, merged cells, days to come, shares, batches in two notices, codes."""

from __future__ import annotations

import csv
import datetime
import errno
import io
import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.core.errors import SetupError, UsageError
from qbase.intake import LoadReport, explain_reason, load_files
from qbase.lake import Workspace

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
    import qbase.intake.load as module

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

    monkeypatch.setattr("qbase.intake.load.read_grids", fail)
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

    monkeypatch.setattr("qbase.intake.load.read_tables", fail)
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
