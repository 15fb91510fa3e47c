"""How old a table is and how many rows it has: judged where there is a rhythm, told where there is none."""

from __future__ import annotations

import datetime
import pathlib

import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError
from qbase.core.values import CheckResult
from qbase.intake import check_delivery, close_series, load_files
from qbase.lake import Workspace
from qbase.tables import list_contracts, read_contract

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"
STRATEGIES = "区划代码,战略,出台日期,执行力度"
STUDY = "某课题组 / a study"
NOW = datetime.date.today().isoformat()


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, name: str, counts: dict[str, int], producer: str | None = None) -> None:
    rows = [
        f"{name}{day}{i},省级,{day},生产,双随机,甲{i}厂,涤纶,合格"
        for day, count in counts.items()
        for i in range(count)
    ]
    path = home.root / f"{name}.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    (report,) = load_files(home, [path], producer=producer)
    assert report.accepted == sum(counts.values())


def check(home: Workspace, name: str, as_of: str | None = None, table: str = "inspections") -> CheckResult:
    found = {one.name: one for one in check_delivery(home, table, as_of=as_of).checks}
    return found[name]


def test_a_quarter_that_is_not_over_is_told_and_the_one_before_is_judged(home: Workspace) -> None:
    send(home, "a", {"2024-05-06": 20, "2024-08-06": 18, "2024-10-06": 2})
    early = check(home, "row_count", "2024-10-31")
    assert early.passed is True
    assert "2024Q4 is not over and has 2 rows so far. 2024Q3 has 18 rows" in early.text.en
    late = check(home, "row_count", "2025-01-05")
    assert late.passed is False
    assert "2024Q4 has 2 rows, the period before (2024Q3) had 18" in late.text.en


def test_the_first_quarter_that_is_not_over_has_nothing_to_be_compared_with(home: Workspace) -> None:
    send(home, "a", {"2024-08-06": 18, "2024-10-06": 2})
    found = check(home, "row_count", "2024-10-31")
    assert found.passed is None
    assert "no two periods that are over" in found.text.en


def test_rows_that_come_when_something_happens_are_told_not_judged(home: Workspace) -> None:
    rows = ["990101001,质量兴镇,2015-05-06,0.5", *(f"99010100{i},名牌战略,2016-05-06,0.5" for i in range(2, 8))]
    path = home.root / "strategies.csv"
    path.write_text("\n".join([STRATEGIES, *rows]) + "\n", encoding="utf-8")
    (report,) = load_files(home, [path])
    assert (report.table, report.accepted) == ("strategies", 7)
    age, size = (check(home, name, "2024-01-01", "strategies") for name in ("freshness", "row_count"))
    assert (age.passed, size.passed) == (None, None)
    assert "rows come when something happens, so it is not judged" in age.text.en
    assert "2016Q2 has 6 rows, the period before (2015Q2) had 1" in size.text.en
    assert run(["check", "--home", str(home.root), "--quiet"]) == 0


def test_every_table_without_rhythm_is_a_table_with_a_column_of_time() -> None:
    without = {name for name in list_contracts() if read_contract(name).is_without_rhythm}
    assert len(without) == 12
    assert all(read_contract(name).period_column for name in without)
    assert "inspections" not in without


def test_a_closed_series_is_judged_on_its_day_and_others_today(home: Workspace) -> None:
    send(home, "a", {"2015-05-06": 20, "2015-08-06": 18}, STUDY)
    assert run(["check", "--home", str(home.root), "--quiet"]) == 3
    close_series(home, STUDY, "2015-12-31")
    age = check(home, "freshness")
    assert age.passed is True
    assert "ended 92 days before 2015-12-31, the day the series was closed (limit 200 days)" in age.text.en
    assert run(["check", "--home", str(home.root), "--quiet"]) == 0
    assert check(home, "freshness", NOW).passed is False  # whoever names a day is answered for that day
    send(home, "b", {"2015-10-06": 17}, "别的单位")
    assert check(home, "freshness").passed is False
    assert run(["check", "--home", str(home.root), "--quiet"]) == 3


def test_a_shrunken_delivery_of_a_closed_series_still_fails(home: Workspace) -> None:
    send(home, "a", {"2015-05-06": 20, "2015-08-06": 3}, STUDY)
    close_series(home, STUDY, "2015-12-31")
    assert run(["check", "--home", str(home.root), "--quiet"]) == 3


def test_closing_again_moves_the_day_and_keeps_the_others(home: Workspace) -> None:
    close_series(home, 'a "b" \\', "2015-12-31")
    close_series(home, STUDY, "2016-12-31")
    path = close_series(home, STUDY, "2017-12-31")
    assert path.read_text(encoding="utf-8").count("[[series]]") == 2
    assert "as_of = 2017-12-31" in path.read_text(encoding="utf-8")
    assert "2016" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["series = 3", "[[series]]\nproducer = 'a'", "not toml", "[[series]]\nas_of = 'soon'"])
def test_a_file_of_closed_series_that_cannot_be_understood_is_refused(home: Workspace, text: str) -> None:
    send(home, "a", {"2015-05-06": 2})
    (home.root / "data" / "closed_series.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="QB229"):
        check_delivery(home)
    assert check(home, "accounting", NOW).passed is True
