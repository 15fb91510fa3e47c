"""Numbers a notice states, and the rows that come before or after it."""

from __future__ import annotations

import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError
from qbase.intake import LoadReport, check_delivery, explain_reason, load_files, retry_quarantine
from qbase.lake import Workspace

NOTICE = "公告号,抽查级别,季度,公告日期,抽查批次数,不合格批次数"
HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果,公告号,是否复查,原抽样编号"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, name: str, *rows: str, head: str = HEAD, **options: Any) -> LoadReport:
    path = home.root / name
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    (report,) = load_files(home, [path], **options)
    return report


def notices(home: Workspace, name: str = "n.csv", options: dict[str, Any] | None = None, **counts: int) -> LoadReport:
    rows = (f"{no},省,2022Q3,2022-10-20,{count},0" for no, count in counts.items())
    return send(home, name, *rows, head=NOTICE, recipe="notices_headlines", **(options or {}))


def sample(number: int, notice: str, is_recheck: str = "否", result: str = "合格") -> str:
    parent = "S0" if is_recheck == "是" else ""
    return f"S{number},省级,2022-08-10,生产,双随机,厂{number},涤纶,{result},{notice},{is_recheck},{parent}"


def test_rows_that_come_later_are_compared_with_what_a_notice_stated(home: Workspace) -> None:
    assert notices(home, 甲=2, 乙=3, 丙=1).warnings == ("batch_count:not_reconciled 3",)
    right = send(home, "a.csv", sample(1, "甲"), sample(2, "甲"), sample(3, "甲", "是"))
    assert (right.verdict, right.warnings) == ("OK", ())
    wrong = send(home, "b.csv", sample(4, "乙"), sample(5, "别处"))
    assert (wrong.verdict, wrong.warnings) == ("WARN", ("乙:count_mismatch 3/1",))
    assert explain_reason(wrong.warnings[0]).zh == "乙：公告写 3 批次，明细实有 1 批次"
    (again,) = load_files(home, [home.root / "b.csv"])
    assert (again.already, again.warnings) == (True, wrong.warnings)
    done = send(home, "c.csv", sample(6, "乙"), sample(7, "乙"))
    assert done.warnings == ()


def test_rows_that_were_there_before_are_compared_at_once(home: Workspace) -> None:
    send(home, "a.csv", sample(1, "甲"), sample(2, "乙"))
    assert notices(home, 甲=1, 乙=2, 丙=4, 丁=0).warnings == ("乙:count_mismatch 2/1", "batch_count:not_reconciled 1")


def test_files_of_one_load_are_compared_with_all_of_them(home: Workspace) -> None:
    notices(home, 甲=2)
    paths = []
    for i in (1, 2):
        paths.append(home.root / f"{i}.csv")
        paths[-1].write_text(f"{HEAD}\n{sample(i, '甲')}\n", "utf-8")
    assert [report.warnings for report in load_files(home, paths)] == [(), ()]


def test_a_row_released_later_is_counted_and_a_replaced_notice_is_not(home: Workspace) -> None:
    old = notices(home, 甲=9)
    notices(home, "n2.csv", {"supersedes": old.sha256}, 甲=2)
    first = send(home, "a.csv", sample(1, "甲"), sample(2, "甲", result="P"))
    assert first.warnings == ("甲:count_mismatch 2/1",)
    own = home.root / "fixed.toml"
    own.write_text('name = "fixed"\ntable = "inspections"\n[values.result]\nP = "pass"\n', "utf-8")
    assert retry_quarantine(home, first.sha256, recipe=str(own)).warnings == ()


def test_the_check_of_a_delivery_lists_what_is_not_reconciled(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    notices(home, 甲=2, 乙=3, 丙=1)
    result = check_delivery(home, "notices", as_of="2022-11-01")
    (check,) = [check for check in result.checks if check.name == "reconciled"]
    assert check.passed is None
    assert check.text.zh.endswith("“抽查批次数”与“监督抽查”的行数核对：0 份一致；3 份尚无明细：丙 1、乙 3、甲 2。")
    send(home, "a.csv", sample(1, "甲"), sample(2, "甲"), sample(3, "乙"))
    result = check_delivery(home, "notices", as_of="2022-11-01")
    (check,) = [check for check in result.checks if check.name == "reconciled"]
    assert check.passed is False
    assert check.text.en.endswith("1 agree; 1 differ (stated/found): 乙 3/1; 1 have no rows yet: 丙 1.")
    assert result.tables["unreconciled"].to_numpy().tolist() == [["丙", 1, 0], ["乙", 3, 1]]
    assert run(["check", "notices", "--as-of", "2022-11-01", "--home", str(home.root), "--lang", "en"]) == 3
    assert "乙 3/1" in capsys.readouterr().out
    send(home, "b.csv", sample(4, "乙"), sample(5, "乙"), sample(6, "丙"))
    (check,) = [c for c in check_delivery(home, "notices", as_of="2022-11-01").checks if c.name == "reconciled"]
    assert check.passed is True
    assert "reconciled" not in {c.name for c in check_delivery(home, as_of="2022-11-01").checks}


OWN = """
name = "局"
table = ""
[reconcile]
column = "batch_count"
table = "inspections"
by = "notice_no"
"""


def test_a_workbook_that_states_counts_beside_other_tables_is_compared_by_its_notices_alone(home: Workspace) -> None:
    (home.root / "data" / "recipes").mkdir(parents=True)
    (home.root / "data" / "recipes" / "局.toml").write_text(OWN, "utf-8")
    book = openpyxl.Workbook()
    for name, lines in (("公告", (NOTICE, "甲,省,2022Q3,2022-10-20,3,0")), ("明细", (HEAD, sample(1, "甲")))):
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line.split(","))
    book.save(home.root / "b.xlsx")
    (report,) = load_files(home, [home.root / "b.xlsx"], recipe="局")
    assert report.warnings == ("notices/batch_count:not_reconciled 1", "甲:count_mismatch 3/1")
    assert send(home, "a.csv", sample(2, "甲")).warnings == ("甲:count_mismatch 3/2",)
    (check,) = [c for c in check_delivery(home, "notices", as_of="2022-11-01").checks if c.name == "reconciled"]
    assert check.passed is False
    assert "reconciled" not in {c.name for c in check_delivery(home, as_of="2022-11-01").checks}


def test_counts_and_their_rows_in_two_files_of_one_load_are_compared(home: Workspace) -> None:
    own = home.root / "own.toml"
    own.write_text(OWN, "utf-8")
    files = {"n.csv": (NOTICE, "甲,省,2022Q3,2022-10-20,2,0"), "s.csv": (HEAD, sample(1, "甲"))}
    for name, lines in files.items():
        (home.root / name).write_text("\n".join(lines) + "\n", "utf-8")
    notice, rows = load_files(home, [home.root / name for name in files], recipe=str(own))
    assert (notice.table, rows.warnings) == ("notices", ("甲:count_mismatch 2/1",))


def test_a_broken_recipe_stops_a_load_before_anything_is_read(home: Workspace) -> None:
    folder = home.root / "data" / "recipes"
    folder.mkdir(parents=True)
    (folder / "局.toml").write_text('name = "局"\nextends = "notices_headlines"\n', "utf-8")
    send(home, "n.csv", "甲,省,2022Q3,2022-10-20,2,0", head=NOTICE, recipe="局")
    assert send(home, "a.csv", sample(1, "甲")).warnings == ("甲:count_mismatch 2/1",)
    (folder / "局.toml").write_text("name = 3", "utf-8")
    with pytest.raises(DataError, match="QB303"):
        send(home, "b.csv", sample(2, "甲"))
    assert home.query("SELECT count(*) AS n FROM inspections")["n"].tolist() == [1]
