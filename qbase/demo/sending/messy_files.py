"""The inspections as they really arrive: another format, another habit, other faults every year."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.worksheet.cell_range import CellRange

from qbase.core.whole_files import write_atomic
from qbase.demo.sending.planted_faults import Planted, add_duplicates, old_town_codes, spoil_codes
from qbase.demo.sending.stable_files import csv_bytes, workbook_bytes, write_csv
from qbase.demo.sending.tidy_files import spell
from qbase.demo.world.scenario import Streams
from qbase.tables import read_contract

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
MISSING_MARKS = ("/", "—", "无", "")
EXCEL_EPOCH = datetime.date(1899, 12, 30)
QUARTER_WORDS = ("一", "二", "三", "四")
GROUPS = (("抽样信息", 6), ("企业信息", 4), ("检验信息", 10), ("统计", 2))
GROUPED = (
    "sample_no", "notice_no", "level", "sample_date", "domain", "sample_type", "uscc", "firm_name", "role", "town_code",
    "product_name", "std_no", "lab_name", "result", "is_recheck", "parent_no", "appeal_result", "risk_class",
    "inspector_code", "size_class",
)  # fmt: skip

Writer = Callable[[Path, pd.DataFrame, Planted], Path]


def printed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return clean inspections as an office prints them, by canonical column."""
    _, *rows = spell("inspections", frame)
    return pd.DataFrame(rows, columns=frame.columns)


def headers(columns: Iterable[Any]) -> list[str]:
    """Return the usual Chinese headers."""
    contract = read_contract("inspections")
    return [contract.column(str(name)).text.zh for name in columns]


def write_messy_inspections(
    folder: Path, tables: Mapping[str, pd.DataFrame], streams: Streams, planted: Planted
) -> list[Path]:
    """Write the inspections of ten years, each in the manner of its year.

    Parameters
    ----------
    folder : Path
        Where to.
    tables : mapping of str to pandas.DataFrame
        Clean tables.
    streams : Streams
        Random streams.
    planted : Planted
        Book of the faults.

    Returns
    -------
    list of Path
        One file per year, and the list of failures of 2025, which has no denominator.
    """
    inspections, items, towns = tables["inspections"], tables["items"], tables["towns"]
    writers: dict[str, Writer] = {
        "2016": _mixed_dates, "2017": _missing_marks, "2018": _gbk_unflagged, "2019": _full_width,
        "2020": _merged_header, "2021": _renamed, "2022": _quarter_sheets, "2024": _serial_dates, "2025": _utf16_tabs,
    }  # fmt: skip
    suffixes = dict.fromkeys(("2020", "2021", "2022", "2024"), "xlsx") | {"2025": "txt"}
    paths = []
    for year, part in inspections.groupby(inspections["sample_date"].str[:4], sort=True):
        file = f"{year}年监督抽查结果.{suffixes.get(str(year), 'csv')}"
        rows = spoil_codes(printed_rows(part), file, streams, planted)
        if str(year) < "2020":
            rows = old_town_codes(rows, file, towns, planted)
        if year == "2023":
            paths.append(_one_row_per_item(folder / file, rows, items, planted))
            continue
        if year == "2024":
            rows = add_duplicates(rows, file, streams, planted)
        paths.append(writers[str(year)](folder / file, rows, planted))
    failures = printed_rows(inspections[(inspections["sample_date"] >= "2025") & (inspections["result"] == "fail")])
    columns = ["firm_name", "product_name", "sample_no", "result"]
    listed = [["2025年监督抽查不合格产品名单"], headers(columns), *failures[columns].to_numpy().tolist()]
    planted.add("2025年不合格产品名单.csv", "no_denominator")
    paths.append(write_csv(folder / "2025年不合格产品名单.csv", listed, encoding="gb18030"))
    return paths


def _cells(rows: pd.DataFrame) -> list[list[object]]:
    return rows.to_numpy(dtype=object).tolist()


def _mixed_dates(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write five spellings of a date into one column."""
    styles: tuple[Callable[[str, str, str], str], ...] = (
        lambda y, m, d: f"{y}-{m}-{d}",
        lambda y, m, d: f"{y}年{int(m)}月{int(d)}日",
        lambda y, m, d: f"{y}.{int(m)}.{int(d)}",
        lambda y, m, d: f"{y}{m}{d}",
        lambda y, m, d: f"{y}/{int(m)}/{int(d)}",
    )
    dates = [styles[k % 5](*day.split("-")) for k, day in enumerate(rows["sample_date"])]
    out = rows.assign(sample_date=dates)
    return write_csv(path, [headers(out.columns), *_cells(out)])


def _missing_marks(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write marks for empty cells, and 符合 for 合格."""
    out = rows.assign(result=rows["result"].map({"合格": "符合", "不合格": "不符合"}))
    for name in ("parent_no", "appeal_result", "uscc"):
        out[name] = [v or MISSING_MARKS[k % 4] for k, v in enumerate(out[name])]
    return write_csv(path, [headers(out.columns), *_cells(out)])


def _gbk_unflagged(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write GBK; nobody ticked the box of re-checks, only the parent's number shows them."""
    file = path.name
    for sample in rows.loc[rows["is_recheck"] == "是", "sample_no"]:
        planted.add(file, "recheck_unflagged", sample=sample, column="is_recheck", printed="否", true="是")
    out = rows.assign(is_recheck="否")
    return write_csv(path, [headers(out.columns), *_cells(out)], encoding="gbk")


def _full_width(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write a BOM, and full-width digits in dates and standards."""
    out = rows.assign(
        sample_date=[d.translate(FULL_WIDTH) for d in rows["sample_date"]],
        std_no=[s.translate(FULL_WIDTH) for s in rows["std_no"]],
    )
    return write_csv(path, [headers(out.columns), *_cells(out)], encoding="utf-8-sig")


def _merged_header(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write a title, a two-row merged header, subtotals by town, a total and a footnote."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("汇总")
    width = sum(n for _, n in GROUPS)
    sheet.merged_cells.add(CellRange(min_row=1, max_row=1, min_col=1, max_col=width))
    first: list[str] = []
    for name, n in GROUPS:
        left = len(first) + 1
        sheet.merged_cells.add(CellRange(min_row=2, max_row=2, min_col=left, max_col=left + n - 1))
        first += [name] + [""] * (n - 1)
    sheet.append([f"{path.stem}汇总表"])
    sheet.append(first)
    sheet.append([*headers(list(GROUPED)), "批次数", "不合格批次数"])
    for town, part in rows.groupby("town_code", sort=True):
        failed = (part["result"] == "不合格").astype(int).tolist()
        for cells, bad in zip(_cells(part[list(GROUPED)]), failed, strict=True):
            sheet.append([*cells, 1, bad])
        sheet.append(["小计", town, *[""] * 18, len(part), sum(failed)])
        planted.add(path.name, "subtotal_row", place=str(town), printed=str(len(part)))
    sheet.append(["合计", *[""] * 19, len(rows), int((rows["result"] == "不合格").sum())])
    sheet.append(["注：本表含复查批次；复检结论以省局通报为准。"])
    planted.add(path.name, "total_row", printed=str(len(rows)))
    planted.add(path.name, "footnote")
    write_atomic(path, workbook_bytes(book))
    return path


def _renamed(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write other headers in another order."""
    contract = read_contract("inspections")
    columns = [str(name) for name in rows.columns][::-1]
    names = [(contract.column(n).aliases or (contract.column(n).text.zh,))[0] for n in columns]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append(names)
    for cells in _cells(rows[columns]):
        sheet.append(cells)
    write_atomic(path, workbook_bytes(book))
    return path


def _quarter_sheets(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write a sheet per quarter whose last row counts from January on."""
    book = openpyxl.Workbook(write_only=True)
    year = path.name[:4]
    quarter = (rows["sample_date"].str[5:7].astype(int) - 1) // 3
    for q in range(4):
        sheet = book.create_sheet(f"{year}年{QUARTER_WORDS[q]}季度")
        sheet.append(headers(rows.columns))
        for cells in _cells(rows[quarter == q]):
            sheet.append(cells)
        so_far = rows[quarter <= q]
        months = f"1—{3 * q + 3}月累计"
        sheet.append([months, f"{len(so_far)}批次", f"不合格{int((so_far['result'] == '不合格').sum())}批次"])
        planted.add(path.name, "year_to_date", place=sheet.title, printed=str(len(so_far)))
    write_atomic(path, workbook_bytes(book))
    return path


def _one_row_per_item(path: Path, rows: pd.DataFrame, items: pd.DataFrame, planted: Planted) -> Path:
    """Write a failed batch once per failed item, with requirement and measured value."""
    bad = items[~items["is_ok"]][["sample_no", "item_name", "value", "lower_limit", "upper_limit"]]
    out = rows.merge(bad, on="sample_no", how="left")
    names = out["item_name"].tolist()
    limits = zip(out["lower_limit"].tolist(), out["upper_limit"].tolist(), strict=True)
    needed = [
        _requirement(low, high) if isinstance(n, str) else "/" for n, (low, high) in zip(names, limits, strict=True)
    ]
    shown = [f"{v:g}" if isinstance(n, str) else "/" for n, v in zip(names, out["value"].tolist(), strict=True)]
    counts = out["sample_no"].value_counts()
    for sample, n in counts[counts > 1].sort_index().items():
        planted.add(path.name, "rows_per_item", sample=str(sample), printed=str(n), true="1")
    head = [*headers(rows.columns), "不合格项目", "标准要求", "实测值"]
    extra = [[n if isinstance(n, str) else "/", r, s] for n, r, s in zip(names, needed, shown, strict=True)]
    body = [[*cells, *more] for cells, more in zip(_cells(out[list(rows)]), extra, strict=True)]
    return write_csv(path, [head, *body])


def _requirement(low: float, high: float) -> str:
    if low != low:
        return f"≤{high:g}"
    return f"≥{low:g}" if high != high else f"{low:g}～{high:g}"


def _serial_dates(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write dates as bare Excel serials."""
    serials = [(datetime.date.fromisoformat(d) - EXCEL_EPOCH).days for d in rows["sample_date"]]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("抽查")
    sheet.append(headers(rows.columns))
    for cells in _cells(rows.assign(sample_date=serials)):
        sheet.append(cells)
    write_atomic(path, workbook_bytes(book))
    return path


def _utf16_tabs(path: Path, rows: pd.DataFrame, planted: Planted) -> Path:
    """Write what Excel calls Unicode text: UTF-16 with tabs."""
    body = csv_bytes([headers(rows.columns), *_cells(rows)], encoding="utf-16-le", delimiter="\t")
    write_atomic(path, b"\xff\xfe" + body)
    return path
