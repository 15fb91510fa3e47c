"""How fast files come in: a large CSV against DuckDB read_csv -> Parquet in the same run, and many small workbooks.

``--json`` prints one JSON document; ``--rows`` and ``--files`` make it smaller. Every part runs in a process of its
own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import pathlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import duckdb
import openpyxl

from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.tables import read_contract
from qbase.tables.credit_code import build_uscc

GOAL_RATIO, GOAL_GB, GOAL_FILES = 6.0, 1.5, 20.0
FIRMS = 60_000
TYPES = ("双随机", "风险定向", "专项", "跟踪")


def write_inspections(path: pathlib.Path, rows: int) -> None:
    """Write inspections as a bureau would, every column of the contract."""
    rng = random.Random(1)
    contract = read_contract("inspections")
    firms = [(build_uscc("91990021", f"MA{i:06d}"), f"清沅第{i}化纤有限公司") for i in range(FIRMS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.text.zh for column in contract.columns])
        for i in range(rows):
            code, name = firms[rng.randrange(FIRMS)]
            cells = {
                "sample_no": f"YZ{i:08d}", "notice_no": f"云市监抽{i // 400}", "level": "省级",
                "sample_date": f"{2016 + i % 10}-{1 + i % 12:02d}-{1 + i % 28:02d}", "domain": "生产",
                "sample_type": TYPES[i % 4], "uscc": code, "firm_name": name, "role": "标称生产",
                "town_code": "990021101", "product_name": "涤纶长丝", "std_no": "DB99/T 1101—2014",
                "lab_name": f"云泽省质检{i % 9}所", "result": "合格" if rng.random() < 0.93 else "不合格",
                "is_recheck": "否", "risk_class": "ABCD"[i % 4], "inspector_code": f"Y{i % 48:03d}",
                "size_class": "小型",
            }  # fmt: skip
            if i % 1000 == 7:
                cells["result"] = "不明"
            writer.writerow([cells.get(column.name, "") for column in contract.columns])


def write_workbooks(folder: pathlib.Path, files: int) -> None:
    """Write small workbooks with a total, a note, full-width digits and a hidden row."""
    for i in range(files):
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.append(["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"])
        for j in range(30):
            day = f"２０２２年{1 + j % 12}月1日" if j % 3 else "2022.8.10"
            sheet.append([f"F{i}-{j}", "省级", day, "生产", "双随机", f"甲{j}厂", "涤纶", "合格"])
        sheet.append(["合计", 30])
        sheet.append(["注：本表不含复查。"])
        sheet.row_dimensions[5].hidden = True
        book.save(folder / f"送达{i:03d}.xlsx")


def peer(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Do what DuckDB alone does with the same file."""
    out = folder / "peer.parquet"
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{path}', all_varchar = true)) TO '{out}' (FORMAT parquet)")  # noqa: S608


def ours(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Load it: all rules, accounting, Delta."""
    (report,) = load_files(Workspace.create(folder / "home"), [path])
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    assert report.quarantined > 0


def many(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Load a folder of workbooks."""
    reports = load_files(Workspace.create(folder / "home"), [path])
    assert {report.accepted for report in reports} == {30}


def measure(task: Callable[[pathlib.Path, pathlib.Path], None], path: pathlib.Path) -> dict[str, float]:
    """Run a task in a process of its own: seconds, processor seconds with its children, peak of memory."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    child = context.Process(target=_child, args=(task, path, queue))
    child.start()
    answer = queue.get()
    child.join()
    return answer


def _child(task: Callable[[pathlib.Path, pathlib.Path], None], path: pathlib.Path, queue: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as name:
        start = time.perf_counter()
        task(path, pathlib.Path(name))
        seconds = time.perf_counter() - start
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    queue.put({"seconds": seconds, "cpu_seconds": cpu, "peak_gb": own.ru_maxrss * 1024 / 1e9})


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as name:
        folder = pathlib.Path(name)
        large, books = folder / "抽查.csv", folder / "books"
        books.mkdir()
        write_inspections(large, given.rows)
        write_workbooks(books, given.files)
        theirs, mine, small = measure(peer, large), measure(ours, large), measure(many, books)
    ratio = mine["seconds"] / theirs["seconds"]
    rate = given.files / small["cpu_seconds"]
    answer = {
        "rows": given.rows, "cpus": os.cpu_count(), "load": os.getloadavg()[0], "duckdb": theirs, "qbase": mine,
        "ratio": ratio, "goal_ratio": GOAL_RATIO, "goal_gb": GOAL_GB, "files": given.files, "workbooks": small,
        "files_per_cpu_second": rate, "goal_files_per_cpu_second": GOAL_FILES,
    }  # fmt: skip
    if given.json:
        json.dump(answer, sys.stdout, indent=1)
        print()
        return 0
    print(f"{given.rows:,} rows: {mine['seconds']:.1f} s, DuckDB {theirs['seconds']:.1f} s, ratio {ratio:.1f}, goal 6")
    print(f"peak {mine['peak_gb']:.2f} GB (goal <= {GOAL_GB})")
    print(f"{given.files} workbooks: {rate:.0f} files per core and second (goal >= {GOAL_FILES:.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
