"""Deliveries: deterministic, without truth, and every planted fault is where the book says."""

import contextlib
import csv
import functools
import json
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qbase.core.errors import UsageError
from qbase.demo import Scenario, build_province, write_deliveries
from qbase.demo.__main__ import main
from qbase.demo.nation import N_PROVINCES, write_nation
from qbase.demo.province import Province
from qbase.demo.sending.stable_files import content_hash, to_arrow
from qbase.demo.world.scenario import DIMENSIONS

SEED = 7


@functools.cache
def small() -> Province:
    return build_province("small", SEED)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp("a") / "out", tmp_path_factory.mktemp("b") / "out"
    for folder in folders:
        assert main(["--size", "small", "--seed", str(SEED), "--out", str(folder)]) == 0
    return folders


@pytest.fixture(scope="module")
def messy(outputs) -> tuple[Path, pd.DataFrame]:
    planted = pq.read_table(outputs[0] / "truth" / "planted.parquet").to_pandas().fillna("")
    return outputs[0] / "deliveries" / "messy", planted


def rows_of(year: str) -> pd.DataFrame:
    table = small().tables["inspections"]
    return table[table["sample_date"].str.startswith(year)]


def test_the_same_seed_gives_the_same_bytes(outputs):
    first, second = outputs
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert len(names) > 100
    assert [n for n in names if (first / n).read_bytes() != (second / n).read_bytes()] == []


def test_tables_deliveries_and_truth_lie_in_folders_of_their_own(outputs):
    first, _ = outputs
    assert {p.name for p in first.iterdir()} == {"tables", "deliveries", "truth", "content.json"}
    assert (first / "truth" / "att.json").is_file()
    content = json.loads((first / "content.json").read_text(encoding="utf-8"))["content"]
    assert content["inspections"] == content_hash(pq.read_table(first / "tables" / "inspections.parquet"))


def test_parquet_carries_no_statistics_of_floats(outputs):
    meta = pq.ParquetFile(outputs[0] / "truth" / "firm_quarter.parquet").metadata
    group = meta.row_group(0)
    seen = {group.column(i).path_in_schema: group.column(i).statistics for i in range(group.num_columns)}
    assert seen["p1"] is None
    assert seen["firm_id"] is not None


def test_no_clock_in_any_workbook(messy):
    for path in messy[0].glob("*.xlsx"):
        with zipfile.ZipFile(path) as book:
            assert {info.date_time for info in book.infolist()} == {(2026, 1, 1, 0, 0, 0)}
            core = book.read("docProps/core.xml").decode()
        assert core.count("2026-01-01T00:00:00Z") == 2


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    assert main(["--size", "small", "--out", str(tmp_path)]) == 2
    assert "QB373" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_write_deliveries_writes_the_same_files_and_never_truth(tmp_path, outputs):
    returned = write_deliveries(tmp_path, size="small", seed=SEED)
    paths = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert {p.relative_to(tmp_path).parts[0] for p in paths} == {"tidy", "messy"}
    assert sorted(returned) == [p for p in paths if p.parent.name == "tidy"]
    ours = [p for p in returned if p.name.startswith("监督抽查")]
    assert [p.name for p in ours] == [f"监督抽查{y}.{'xlsx' if y == 2022 else 'csv'}" for y in range(2016, 2026)]
    for path in paths:
        assert path.read_bytes() == (outputs[0] / "deliveries" / path.relative_to(tmp_path)).read_bytes()
    columns = {"p0", "p1", "p_none", "pi_random", "pi_any"}
    for path in paths:
        if path.suffix == ".csv":
            assert columns.isdisjoint(path.read_bytes()[:2000].decode("utf-8", "ignore").replace("\n", ",").split(","))


def test_unknown_sizes_and_impossible_switches_end_in_four_lines():
    with pytest.raises(UsageError, match="QB370"):
        build_province("huge")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="QB372"):
        build_province("nation")
    for bad in ({"rho": 1.5}, {"n_treated": 0}, {"effect": "huge"}, {"take_up_share": -0.1}):
        with pytest.raises(UsageError, match="QB371"):
            Scenario(**bad)


# --- what was planted


ENCODINGS = {"2018": "gbk", "2019": "utf-8-sig", "2025": "utf-16"}
NAMED = {"抽样编号", "抽样单编号"}


def sheets_of(path: Path) -> dict[str, list[tuple]]:
    with contextlib.closing(openpyxl.load_workbook(path, read_only=True)) as book:
        return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def numbers_printed(path: Path) -> set[str]:
    """Return the cells below the header of sample numbers, whatever the format."""
    if path.suffix == ".xlsx":
        tables = [[[str(c) for c in row] for row in rows] for rows in sheets_of(path).values()]
    else:
        text = path.read_bytes().decode(ENCODINGS.get(path.name[:4], "utf-8"))
        tables = [list(csv.reader(text.splitlines(), delimiter="\t" if path.suffix == ".txt" else ","))]
    found: set[str] = set()
    for rows in tables:
        top, left = next((i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell in NAMED)
        found |= {row[left] for row in rows[top + 1 :] if len(row) > left and row[left].startswith("YZ")}
    return found


@pytest.mark.parametrize("year", [str(y) for y in range(2016, 2026)])
def test_every_batch_of_every_year_is_in_its_messy_file(messy, year):
    path = next(messy[0].glob(f"{year}年监督抽查结果.*"))
    assert numbers_printed(path) == set(rows_of(year)["sample_no"])


def test_2018_is_gbk_and_forgets_to_flag_rechecks(messy):
    folder, book = messy
    raw = (folder / "2018年监督抽查结果.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    text = raw.decode("gbk").splitlines()
    assert len(text) - 1 == len(rows_of("2018"))
    again = rows_of("2018").query("is_recheck")["sample_no"]
    assert sorted(book.query("fault == 'recheck_unflagged'")["sample_no"]) == sorted(again)


def test_2019_has_a_bom_and_full_width_digits(messy):
    raw = (messy[0] / "2019年监督抽查结果.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert "２０１９-" in raw.decode("utf-8-sig")


def test_2020_has_a_merged_header_subtotals_and_a_total_that_add_up(messy):
    sheet = openpyxl.load_workbook(messy[0] / "2020年监督抽查结果.xlsx")["汇总"]
    assert len(sheet.merged_cells.ranges) == 5
    cells = list(sheet.iter_rows(values_only=True))
    body = [r for r in cells[3:] if r[0] not in ("小计", "合计") and not str(r[0]).startswith("注")]
    subtotals, total = [r for r in cells if r[0] == "小计"], next(r for r in cells if r[0] == "合计")
    assert len(body) == total[-2] == sum(r[-2] for r in subtotals) == len(rows_of("2020"))
    assert sum(r[-1] for r in body) == total[-1]
    assert str(cells[-1][0]).startswith("注")


def test_2022_counts_from_january_in_the_last_row_of_each_sheet(messy):
    book = sheets_of(messy[0] / "2022年监督抽查结果.xlsx")
    assert list(book) == [f"2022年{q}季度" for q in "一二三四"]
    last = book["2022年四季度"][-1]
    assert last[:2] == ("1—12月累计", f"{len(rows_of('2022'))}批次")


def test_2023_repeats_a_failed_batch_once_per_failed_item(messy):
    lines = pd.read_csv(messy[0] / "2023年监督抽查结果.csv", dtype=str, keep_default_na=False)
    own = rows_of("2023")
    bad = small().tables["items"].merge(own[["sample_no", "result"]]).query("not is_ok")
    assert len(lines) == (own["result"] == "pass").sum() + len(bad)
    assert set(lines["抽样编号"]) == set(own["sample_no"])
    assert ((lines["不合格项目"] == "/") == (lines["检验结果"] == "合格")).all()


def test_2024_repeats_one_batch_in_fifty_under_another_notice_and_writes_serial_dates(messy):
    folder, book = messy
    rows = sheets_of(folder / "2024年监督抽查结果.xlsx")["抽查"]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    doubled = frame["抽样编号"][frame["抽样编号"].duplicated()]
    assert sorted(doubled) == sorted(book.query("fault == 'duplicate_notice'")["sample_no"])
    assert 0.005 < len(doubled) / len(rows_of("2024")) < 0.04
    serials = pd.to_datetime(frame["抽样日期"].astype(int), unit="D", origin="1899-12-30")
    assert (serials.dt.year == 2024).all()


def test_codes_are_blank_or_wrong_in_the_stated_shares(messy):
    book = messy[1]
    n = len(small().tables["inspections"])
    assert abs((book["fault"] == "uscc_blank").sum() / n - 0.06) < 0.012
    assert abs((book["fault"] == "uscc_wrong").sum() / n - 0.03) < 0.009
    wrong = book.query("fault == 'uscc_wrong'")
    differ = [
        sum(a != b for a, b in zip(p, t, strict=True))
        for p, t in zip(wrong["printed"], wrong["true_value"], strict=True)
    ]
    assert set(differ) == {1}


def test_two_headlines_do_not_match_their_rows(messy):
    folder, book = messy
    planted = book.query("fault == 'headline_mismatch'")
    lines = (folder / "抽查公告.csv").read_bytes().decode("gb18030").splitlines()[2:-1]
    printed = {line.split(",")[0]: int(line.split(",")[4]) for line in lines}
    first = small().tables["inspections"].query("not is_recheck")
    counted = first.groupby("notice_no").size()
    assert {n for n, c in printed.items() if c != counted[n]} == set(planted["place"])
    assert len(planted) == 2


def test_2021_came_in_yi_and_the_other_years_in_wan(messy):
    def revenue(year: int) -> float:
        lines = (messy[0] / f"企业年报{year}年.csv").read_text(encoding="utf-8-sig").splitlines()
        assert ("亿元" in lines[1]) == (year == 2021)
        return sum(float(line.split(",")[2]) for line in lines[3:])

    clean = small().tables["firm_year"].groupby("year")["revenue_wan_cny"].sum()
    assert revenue(2020) == pytest.approx(clean[2020])
    assert revenue(2021) * 10_000 == pytest.approx(clean[2021])


def test_the_county_file_that_was_lost_is_lost_everywhere():
    lost = small().world.is_lost.sum()
    first = small().tables["inspections"].query("not is_recheck")
    assert lost > 0
    assert len(first) == len(small().world.firm) - lost


# --- content hash and nation

# The content of seed 7, whatever libraries are installed. Change these knowingly: every stored figure moves with them.
GOLDEN = {
    "inspections": "02e2d14ca4ed69cf77daaf6f289b0ca8e72e7633a005ffa01e77b88807e04e11",
    "items": "9f7505547df9c058132a2b3759d60809bba2791c05f518aa619c59a93c2f26bf",
    "firms": "1aca71d6500494caad0f3671bfaefcab6dd930bd24bf9199d1a0851ae02bb3c4",
    "truth/firm_quarter": "dc77cebe1dfdbf1716406bfd4e2501090beca42f1f80f02cb4890214fb56a4f4",
}


def test_the_content_of_a_seed_is_the_same_under_every_lock_file(outputs):
    content = json.loads((outputs[0] / "content.json").read_text(encoding="utf-8"))["content"]
    assert {name: content[name] for name in GOLDEN} == GOLDEN


def test_the_content_hash_sees_values_and_nothing_else():
    frame = pd.DataFrame({"b": ["x", ""], "a": [1.0, float("nan")], "c_date": ["2022-08-10", ""]})
    digest = content_hash(to_arrow(frame))
    assert content_hash(to_arrow(frame[["c_date", "a", "b"]])) == digest
    chunked = pa.concat_tables([to_arrow(frame.iloc[:1]), to_arrow(frame.iloc[1:])])
    assert content_hash(chunked) == digest
    assert content_hash(to_arrow(frame.assign(b=["", "x"]))) != digest
    assert content_hash(to_arrow(frame.assign(a=[1.000001, float("nan")]))) != digest


def test_the_nation_is_thirty_one_provinces_with_ids_of_their_own(tmp_path, monkeypatch):
    assert N_PROVINCES == 31
    monkeypatch.setitem(DIMENSIONS, "nation", DIMENSIONS["small"])
    told = list(write_nation(tmp_path, seed=SEED, n_provinces=2, n_workers=1))
    assert [part for part, _, _ in told] == [1, 2]
    table = pq.read_table(tmp_path / "inspections")
    assert table.num_rows == sum(rows for _, rows, _ in told)
    for name, key in (("inspections", "sample_no"), ("firms", "uscc"), ("clusters", "cluster_id")):
        keys = pq.read_table(tmp_path / name).column(key).to_pylist()
        assert len(keys) == len(set(keys)), name
