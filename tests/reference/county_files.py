"""A small county as its offices write it: five files in the layouts they use, and its panel counted by hand."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Sequence
from typing import Any

import openpyxl
import pandas as pd

from qbase.tables import build_uscc

TOWNS = ("丹桥镇", "沙浦街道", "槐里乡")
FIRMS = [
    (f"白沙{name}化纤有限公司", build_uscc("91330499", f"MA{i:06d}"), TOWNS[i % 3])
    for i, name in enumerate("甲乙丙丁戊己庚辛壬癸子丑寅卯辰")
]
Row = Sequence[Any]


def write_book(path: pathlib.Path, sheets: dict[str, list[Row]]) -> pathlib.Path:
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def write_csv(path: pathlib.Path, rows: list[Row], encoding: str = "gb18030") -> pathlib.Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def batches(year: int) -> list[tuple[str, int, str, bool]]:
    """Return number, firm, day and pass of 24 first inspections of a year, six a quarter."""
    found = []
    for i in range(24):
        day = f"{year}-{1 + i // 2:02d}-{5 + i % 3 * 7:02d}"
        found.append((f"BS{year}{i:04d}", (i * 7 + year) % len(FIRMS), day, i % 5 != 2))
    return found


def truth() -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return n, k and firms by town and quarter, counted from the list and not from the files."""
    rows = [
        (FIRMS[firm][2], f"{day[:4]}Q{(int(day[5:7]) + 2) // 3}", ok, firm)
        for year in (2022, 2023)
        for _, firm, day, ok in batches(year)
    ]
    keys = {(town, quarter) for town, quarter, _, _ in rows}
    return {
        key: (
            sum((r[0], r[1]) == key for r in rows),
            sum((r[0], r[1]) == key and r[2] for r in rows),
            len({r[3] for r in rows if (r[0], r[1]) == key}),
        )
        for key in keys
    }


def year_in_book(folder: pathlib.Path) -> pathlib.Path:
    head = ["序号", "抽样单编号", "标称生产企业名称", "统一社会信用代码", "企业所在地", "产品名称", "规格型号",
            "生产日期/批号", "抽样日期", "抽样环节", "检验类别", "检验结论", "备注"]  # fmt: skip
    rows: list[Row] = [["白沙县2022年化纤产品监督抽查结果明细表"], ["填报单位：质量科"], head]
    forms = (
        lambda d: d.replace("-", "."),
        lambda d: pd.Timestamp(d).to_pydatetime(),
        lambda d: f"{d[:4]}年{int(d[5:7])}月{int(d[8:])}日",
    )
    for i, (number, firm, day, ok) in enumerate(batches(2022)):
        name, code, town = FIRMS[firm]
        place = f"白沙县{town}工业园区{i}号"
        made = f"{day.replace('-', '')}批"
        rows.append([i + 1, number, name, "/" if i % 9 == 4 else code, place, "涤纶低弹丝", "DTY", made,
                     forms[i % 3](day), "生产", "监督抽查", "合格" if ok else "不合格", None])  # fmt: skip
    for i, (number, firm, _, _) in enumerate(b for b in batches(2022) if not b[3]):
        name, code, town = FIRMS[firm]
        mark = ("-复", "F1", "（复检）", "-F", "复")[i % 5]
        rows.append(
            [
                25 + i,
                number + mark,
                name,
                code,
                f"白沙县{town}",
                "涤纶低弹丝",
                "DTY",
                "/",
                "2022.12.30",
                "生产",
                "复检",
                "合格",
                None,
            ]
        )
    rows += [["合计", *[None] * 10, f"{len(rows) - 3}批次"], ["注：复检批次不计入合格率。"]]
    return write_book(folder / "2022年监督抽查明细.xlsx", {"明细": rows})


def year_in_csv(folder: pathlib.Path) -> pathlib.Path:
    head = [
        "抽样编号",
        "受检单位",
        "信用代码",
        "乡镇",
        "样品名称",
        "抽样时间",
        "抽样场所",
        "检查方式",
        "抽查性质",
        "综合判定",
    ]
    rows: list[Row] = [head]
    for i, (number, firm, day, ok) in enumerate(batches(2023)):
        name, code, town = FIRMS[firm]
        way = ("双随机", "风险监测后定向")[i % 2]
        rows.append(
            [number, name, code, town, "涤纶低弹丝", day, "生产企业成品库", way, "首次", "合格" if ok else "不合格"]
        )
    for number, firm, _, _ in (b for b in batches(2023) if not b[3]):
        name, code, town = FIRMS[firm]
        rows.append(
            [f"{number}-F", name, code, town, "涤纶低弹丝", "2023/12/29", "销售门店", "后处理复查", "复查", "合格"]
        )
    return write_csv(folder / "抽查23.csv", rows)


def register(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [["企业名称", "统一社会信用代码", "所在乡镇（街道）", "国民经济行业代码", "行业名称"]]
    rows += [[name, code, town, "2822", "涤纶纤维制造"] for name, code, town in FIRMS]
    return write_book(folder / "白沙县企业名录.xlsx", {"名录": rows})


def total_of(n: int) -> dict[str, int]:
    """Return the batches of a year by town, other ones for each, of ``n`` on average."""
    return {town: n + i - 1 for i, town in enumerate(TOWNS)}


def totals(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [
        ["白沙县监督抽查年度汇总（2020—2021年）"],
        ["年份", "乡镇", "抽查批次数", "合格批次数", "合格率（%）"],
    ]
    for year, n in ((2020, 20), (2021, 40)):
        for town, own in total_of(n).items():
            rows.append([f"{year}年", town, own, own - 5, 100 * (own - 5) / own])
        rows.append([f"{year}年", "全县合计", 3 * n, 3 * n - 15, 100 * (n - 5) / n])
    return write_book(folder / "2020-2021年汇总.xlsx", {"汇总": rows})


def items(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [["抽样编号", "检验项目", "计量单位", "标准要求", "实测值", "单项判定"]]
    for number, _, _, ok in batches(2023):
        rows += [[number, "断裂强度", "cN/dtex", "≥3.3", 3.5 if ok else 3.1, "合格" if ok else "不合格"],
                 [number, "含油率", "%", "1.5±0.5", 1.8, "合格"]]  # fmt: skip
    return write_csv(folder / "2023分项结果.csv", rows, "utf-8-sig")


MAKERS = (totals, year_in_book, register, items, year_in_csv)
