"""Rows as an office writes them, put into a file and loaded, and recipes for them."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl

from qbase.intake import LoadReport, explain_reason, load_files
from qbase.lake import Workspace

ZH = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
GOOD = ["S1", "省级", "2022-08-10", "生产", "双随机", "甲厂", "涤纶长丝", "合格"]
CHAIN = ["集群编号", "年份", "产业链环节数", "本地覆盖环节数", "中间投入", "本地中间投入"]


def row(number: int | str, **changes: str) -> list[str]:
    return list((dict(zip(ZH, GOOD, strict=True)) | {"抽样编号": f"S{number}"} | changes).values())


def load(home: Workspace, rows: list[list[Any]], name: str = "a.csv", **options: Any) -> LoadReport:
    """Write rows as they stand, title lines and all, and load them."""
    path = home.root / name
    if name.endswith(".csv"):
        out = io.StringIO(newline="")
        csv.writer(out).writerows(rows)
        path.write_text(out.getvalue(), "utf-8", newline="")
    else:
        book = openpyxl.Workbook()
        for cells in rows:
            book.active.append(cells)
        book.save(path)
    (report,) = load_files(home, [path], **options)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    for code in (*report.warnings, *report.reasons):
        assert explain_reason(code, report.table).zh
    return report


def recipe(home: Workspace, body: str, name: str = "own") -> str:
    path = home.root / f"{name}.toml"
    path.write_text(f'name = "{name}"\n{body}', "utf-8")
    return str(path)
