"""How fast files come in: a large CSV against DuckDB read_csv -> Parquet in the same run, and many small workbooks.

``--json`` prints one JSON document; ``--rows`` and ``--files`` make it smaller. Every part runs in a process of its
own, so that its peak of memory is its own.

Of the large file ``csv_1m`` tells wall, processor time and peak as ratios to DuckDB's; qsv validate, which only
checks, is no peer.

Two files that once took a minute are measured as well: a sheet whose last possible row holds one blank, and 300,000
lines of commas. With ``--base DIR``, another checkout with an environment of its own (``git worktree add DIR COMMIT;
make -C DIR test``), the same files go through that build too, and ratios of seconds and peaks are told.
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
import statistics
import subprocess
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
GOAL_BLANK_SECONDS, GOAL_BLANK_GB, GOAL_COMMA_SECONDS = 2.0, 0.2, 3.0
FIRMS = 60_000
LAST_ROW = 1_048_576
COMMA_LINES = 300_000
TURNS = 3
HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"
LINE = "S1,省级,2022-08-10,生产,双随机,甲厂,涤纶,合格"
# a process of either checkout: load one file, say the seconds without the imports, and the peaks of it and its children
ALONE = """
import json, pathlib, resource, sys, tempfile, time
from qbase.intake import load_files
from qbase.lake import Workspace
with tempfile.TemporaryDirectory() as name:
    start = time.perf_counter()
    reports = load_files(Workspace.create(pathlib.Path(name, "home")), [pathlib.Path(sys.argv[1])])
    seconds, cpu = time.perf_counter() - start, time.process_time()
peaks = [resource.getrusage(who).ru_maxrss * 1024 / 1e9 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
told = {"seconds": seconds, "cpu_seconds": cpu, "peak_gb": max(peaks), "accepted": reports[0].accepted}
print(json.dumps(told))
"""
OURS = pathlib.Path(__file__).resolve().parents[2]
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


def write_last_row_blank(path: pathlib.Path) -> None:
    """Write one batch, and a blank in the last row a sheet can have."""
    book = openpyxl.Workbook()
    for line in (HEAD, LINE):
        book.active.append(line.split(","))
    book.active.cell(LAST_ROW, 1).value = " "
    book.save(path)


def write_commas(path: pathlib.Path) -> None:
    """Write one batch, and below it lines of commas as spreadsheets leave them."""
    path.write_text(f"{HEAD}\n{LINE}\n" + f"{',' * HEAD.count(',')}\n" * COMMA_LINES, encoding="utf-8")


def load_alone(checkout: pathlib.Path, path: pathlib.Path, *, accepted: int = 1) -> dict[str, float]:
    """Load a file with a checkout, and tell its seconds and its peak of memory."""
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    words = [str(checkout / ".venv" / "bin" / "python"), "-c", ALONE, str(path)]
    done = subprocess.run(words, cwd=checkout, env=env, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    assert answer["accepted"] == accepted, answer
    return answer


def compare_large(
    path: pathlib.Path, rows: int, mine: dict[str, float], theirs: dict[str, float], base: pathlib.Path | None
) -> dict[str, float]:
    """Tell how a large file compares with DuckDB and, loaded in turns by both, with the build of before."""
    told = {
        "wall_s": mine["seconds"],
        "ratio_duckdb": mine["seconds"] / theirs["seconds"],
        "ratio_cpu_duckdb": mine["cpu_seconds"] / theirs["cpu_seconds"],
        "peak_mb": 1000 * mine["peak_gb"],
    }
    if base is None:
        return told
    good = sum(i % 1000 != 7 for i in range(rows))
    turns = [
        {who: load_alone(tree, path, accepted=good)["seconds"] for who, tree in (("before", base), ("now", OURS))}
        for _ in range(TURNS)
    ]
    return {**told, "ratio_before": statistics.median(turn["before"] / turn["now"] for turn in turns)}


def measure_hard(folder: pathlib.Path, base: pathlib.Path | None) -> dict[str, Any]:
    """Measure the two files that once took a minute; with the build of before, ratios to it."""
    told: dict[str, Any] = {}
    for name, write in (("last_row_blank.xlsx", write_last_row_blank), ("commas.csv", write_commas)):
        write(folder / name)
        one: dict[str, Any] = {"qbase": load_alone(OURS, folder / name)}
        if base is not None:
            one["before"] = load_alone(base.resolve(), folder / name)
            one["ratios"] = {what: one["qbase"][what] / one["before"][what] for what in ("seconds", "peak_gb")}
        told[pathlib.PurePath(name).stem] = one
    return told


def tell_hard(name: str, one: dict[str, Any], goal: str) -> None:
    """Print one line on a file that once took a minute."""
    ratios = "".join(f", {what} {ratio:.2f} of before" for what, ratio in one.get("ratios", {}).items())
    print(f"{name}: {one['qbase']['seconds']:.1f} s, {one['qbase']['peak_gb']:.2f} GB (goal {goal}){ratios}")


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
    parser.add_argument("--base", type=pathlib.Path, help="a checkout of the build of before")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as name:
        folder = pathlib.Path(name)
        large, books = folder / "抽查.csv", folder / "books"
        books.mkdir()
        write_inspections(large, given.rows)
        write_workbooks(books, given.files)
        theirs, mine, small = measure(peer, large), measure(ours, large), measure(many, books)
        hard = measure_hard(folder, given.base)
        compared = compare_large(large, given.rows, mine, theirs, given.base and given.base.resolve())
    ratio = mine["seconds"] / theirs["seconds"]
    rate = given.files / small["cpu_seconds"]
    answer = {
        "csv_1m": compared, "rows": given.rows, "cpus": os.cpu_count(), "load": os.getloadavg()[0],
        "duckdb": theirs, "qbase": mine,
        "ratio": ratio, "goal_ratio": GOAL_RATIO, "goal_gb": GOAL_GB, "files": given.files, "workbooks": small,
        "files_per_cpu_second": rate, "goal_files_per_cpu_second": GOAL_FILES, **hard,
        "goal_last_row_blank": {"seconds": GOAL_BLANK_SECONDS, "peak_gb": GOAL_BLANK_GB},
        "goal_commas": {"seconds": GOAL_COMMA_SECONDS},
    }  # fmt: skip
    if given.json:
        json.dump(answer, sys.stdout, indent=1)
        print()
        return 0
    print(f"{given.rows:,} rows: {mine['seconds']:.1f} s, DuckDB {theirs['seconds']:.1f} s, ratio {ratio:.1f}, goal 6")
    print(", ".join(f"{name} {value:.2f}" for name, value in compared.items()))
    print(f"peak {mine['peak_gb']:.2f} GB (goal <= {GOAL_GB})")
    print(f"{given.files} workbooks: {rate:.0f} files per core and second (goal >= {GOAL_FILES:.0f})")
    tell_hard("last_row_blank", hard["last_row_blank"], f"<= {GOAL_BLANK_SECONDS:.0f} s, {GOAL_BLANK_GB} GB")
    tell_hard("commas", hard["commas"], f"<= {GOAL_COMMA_SECONDS:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
