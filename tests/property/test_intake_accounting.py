from __future__ import annotations

import csv
import datetime
import io
import json
import pathlib
import random
import tempfile
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.export import write_csv, write_xlsx
from qbase.intake import load_files
from qbase.intake.finding.file_grids import read_grids
from qbase.intake.reading.csv_text import count_records, read_csv, scan_widths
from qbase.intake.reading.encoding import decode_text
from qbase.intake.recipes.recipe_model import TIDY
from qbase.intake.shaping.file_tables import read_tables
from qbase.intake.shaping.row_verdicts import split_rows
from qbase.intake.values.cell_values import build_reader, plain_number
from qbase.lake import Workspace
from qbase.tables import ColumnRule

HEADER = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
CELLS = st.sampled_from(
    ["", "合格", "不合格", "省级", "生产", "双随机", "2022-08-10", "2022.13.1", "NA", "/", '"', "a,b", "合计", "１"]
)
ROWS = st.lists(st.lists(CELLS, min_size=0, max_size=9), max_size=12)
NAMES = st.text(st.characters(categories=["L", "N", "P"], include_characters=" ,;\"'\n="), min_size=1, max_size=12)


def write(rows: list[list[str]], header: list[str] = HEADER, separator: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerows([header, *rows])
    return out.getvalue()


def good_rows(names: list[str], seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    days = [f"20{rng.randint(16, 25)}/{rng.randint(1, 12)}/1" for _ in names]
    results = [rng.choice(["合格", "不合格"]) for _ in names]
    return [
        [f"S{i}", "省级", day, "生产", "双随机", name, "涤纶", result]
        for i, (name, day, result) in enumerate(zip(names, days, results, strict=True))
    ]


def accept(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Read and judge files without a lake; return the accepted rows of all of them."""
    taken: list[dict[str, Any]] = []
    for name, data in files.items():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.write_bytes(data)
            (sheets,) = read_tables(read_grids(path, name, TIDY), TIDY, name).tables
        split = split_rows(sheets.data, sheets.contract, sheets.codes, None)
        taken += split.accepted.to_pylist()
    return sorted(taken, key=lambda row: str(row["sample_no"]))


@settings(max_examples=8, deadline=None)
@given(ROWS)
def test_every_row_of_any_file_has_exactly_one_verdict(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Workspace.create(pathlib.Path(folder, "home"))
        path = pathlib.Path(folder, "a.csv")
        path.write_text(write(rows), "utf-8", newline="")
        (report,) = load_files(home, [path])
        if report.verdict == "REJECTED":
            return
        assert report.rows_seen == len(rows) + 1 == report.listed + report.accepted + report.quarantined
        aside = home.query("SELECT * FROM set_aside")
        taken = home.query("SELECT row_no FROM inspections") if home.has_table("inspections") else aside[:0]
        assert sorted([*aside["row_no"], *taken["row_no"]]) == list(range(1, len(rows) + 2))
        for row_no, raw in zip(aside["row_no"], aside["raw"], strict=True):
            expected = HEADER if row_no == 1 else rows[row_no - 2]
            assert json.loads(raw) == expected


@settings(max_examples=8, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=12), st.integers(0, 99), st.integers(1, 3))
def test_order_split_encoding_columns_and_format_change_no_row(names: list[str], seed: int, parts: int) -> None:
    rows = good_rows([f"厂{name}" for name in names], seed)
    expected = accept({"a.csv": write(rows).encode()})
    assert len(expected) == len(rows)
    rng = random.Random(seed)
    shuffled = rng.sample(rows, len(rows))
    split = {f"{k}.csv": write(shuffled[k::parts]).encode() for k in range(parts) if shuffled[k::parts]}
    order = rng.sample(range(len(HEADER)), len(HEADER))
    turned = write([[row[i] for i in order] for row in rows], [HEADER[i] for i in order], ";")
    assert accept(split) == expected
    if is_everyday(write(rows)):  # rarer signs look like another encoding, and are refused
        assert accept({"a.csv": write(rows).encode("gb18030")}) == expected
    assert accept({"a.csv": turned.encode("utf-16")}) == expected
    assert accept({"a.xlsx": write_xlsx({"表": pd.DataFrame(rows, columns=HEADER)})}) == expected


@given(st.lists(st.lists(st.text(st.sampled_from('ab,"\n\r ;'), max_size=4), max_size=4), max_size=8))
def test_scanner_reader_and_counter_agree_on_any_csv(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    text = out.getvalue().encode()
    grid = read_csv(text, ",", "a.csv")
    reference = [tuple(row) for row in csv.reader(io.StringIO(out.getvalue(), newline=""))]
    assert grid.rows(range(len(grid))) == reference
    assert scan_widths(text, ",").tolist() == [len(row) for row in reference]
    assert count_records(text, ",", grid.width) == len(reference)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    code = ""
    try:
        text, _ = decode_text(data)
        read_csv(text, ",", "a.csv")
    except DataError as error:
        code = error.code
    assert code in {"", "QB312", "QB313", "QB314", "QB315", "QB337"}


@given(st.text(st.characters(exclude_categories=["Cs", "Co", "Cn"]), max_size=60))
def test_gb18030_and_utf8_of_one_text_read_alike(text: str) -> None:
    encoded = ("合格" + text).encode("gb18030")
    try:
        found, _ = decode_text(encoded)
    except DataError:
        return  # a mapping of the codec that leads to a private character
    if not _is_utf8(encoded):
        assert found.decode() == "合格" + text


def is_everyday(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeError:
        return False
    return True


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_numbers_keep_their_value_in_every_spelling(value: Decimal) -> None:
    reader = build_reader(ColumnRule(name="x", text=Text("x", "x"), type="number"))
    wide = str.maketrans("0123456789.-,", "０１２３４５６７８９．－，")
    for text in (
        f"{value:f}",
        f"{value:,f}",
        f"{value:f}".translate(wide),
        f"{value:,f}".translate(wide),
        f"{value:e}",
    ):
        assert Decimal(reader(text)[0] or "") == value
    assert plain_number(f"{value:f}") == plain_number(f"{value:e}")


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 12, 31)))
def test_dates_are_the_same_day_in_every_declared_form(day: datetime.date) -> None:
    reader = build_reader(ColumnRule(name="x", text=Text("x", "x"), type="date"))
    forms = ("{0}-{1}-{2}", "{0}/{1}/{2}", "{0}.{1:02}.{2:02}", "{0}{1:02}{2:02}", "{0}年{1}月{2}日")
    for form in forms:
        assert reader(form.format(day.year, day.month, day.day)) == (day.isoformat(), "")


@settings(max_examples=40)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_no_exported_text_begins_a_formula(texts: list[str]) -> None:
    rows = csv.reader(io.StringIO(write_csv(pd.DataFrame({"a": texts})).decode("utf-8-sig"), newline=""))
    for row in rows:
        assert not "".join(row).startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
