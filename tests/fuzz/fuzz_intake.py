"""Any bytes as CSV, as a workbook, as a sheet inside a sound workbook: a verdict, never a crash, a hang or a gigabyte.

``python tests/fuzz/fuzz_intake.py [seconds]``; 60 by default. Needs atheris (extra ``fuzz``). What breaks it is
written to ``crash-*`` in the current folder, as libFuzzer does.

Workbooks are parsed in this process, so that the fuzzer sees what is covered. Every twentieth goes the way of
``load_files`` as well, through a child process with limits: it must say the same, in time, and within the memory.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import pathlib
import resource
import sys
import tempfile
import zipfile

import atheris

with atheris.instrument_imports(include=["qbase.intake", "qbase.tables"]):
    from qbase.intake.finding.file_grids import read_grids
    from qbase.intake.reading.child_worker import read_book
    from qbase.intake.reading.file_safety import check_archive, find_kind
    from qbase.intake.reading.raw_grid import Grid
    from qbase.intake.reading.workbook_child import _grid
    from qbase.intake.reading.worker_pool import Parsers
    from qbase.intake.recipes.recipe_model import TIDY
    from qbase.intake.shaping.file_tables import read_tables
    from qbase.intake.shaping.row_verdicts import split_rows
    from qbase.intake.values.row_account import check_rows

import duckdb
import openpyxl
import pyarrow as pa

from qbase.core.errors import DataError, UsageError

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果\n"
ROW = "S1,省级,2022-08-10,生产,双随机,甲厂,涤纶,合格\n"
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="qbase-fuzz-"))
# the verdict of `load_files` on these is REJECTED as well
REFUSALS = (DataError, UsageError, pa.ArrowException, duckdb.Error, UnicodeError)
SHEET = "xl/worksheets/sheet1.xml"
MOST_BYTES = 1_000_000_000
CHILD_SECONDS = 10
SAMPLED = 20


def sound_book(**more: list[list[object]]) -> bytes:
    """Return a small sound workbook, with further sheets."""
    book = openpyxl.Workbook()
    for line in (HEAD, ROW):
        book.active.append(line.strip().split(","))
    for title, rows in more.items():
        sheet = book.create_sheet(title)
        for cells in rows:
            sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


BOOK = sound_book()
TABLES = sound_book(乡镇=[["区划代码", "乡镇名称", "县名称"], ["990101001", "甲镇", "乙县"]], 说明=[["本表由某局填报"]])
CHILDREN = Parsers(seconds=CHILD_SECONDS)
TURNS = itertools.count(1)


def with_sheet(sheet: bytes) -> bytes:
    """Return the sound workbook with other bytes as its sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, sheet if entry.filename == SHEET else old.read(entry))
    return out.getvalue()


def read_csv_bytes(data: bytes) -> list[Grid]:
    """Read as ``load_files`` reads a CSV."""
    path = FOLDER / "a.csv"
    path.write_bytes(data)
    return read_grids(path, path.name, TIDY)


def read_book_bytes(data: bytes) -> list[Grid]:
    """Read as ``load_files`` reads a workbook, but in this process, so that the fuzzer sees what is covered."""
    path = FOLDER / "a.xlsx"
    path.write_bytes(data)
    find_kind(path.name, data[:4096])
    check_archive(path, path.name)
    answer = read_book(str(path), "xlsx")
    grids = [_grid(sheet) for sheet in answer.get("sheets", ()) if sheet["rows"]]
    if next(TURNS) % SAMPLED == 0:
        check_child(path, grids)
    return grids


def check_child(path: pathlib.Path, grids: list[Grid]) -> None:
    """Read a workbook as ``load_files`` does: the child must live, be in time, keep its memory and read the same."""
    try:
        found = read_grids(path, path.name, TIDY, parsers=CHILDREN)
    except DataError as error:
        if error.code == "QB319":  # no answer, too late, or beyond the limits
            raise AssertionError(f"child: {error}") from error
    else:
        same = [grid.cells.equals(other.cells) for grid, other in zip(found, grids, strict=True)]
        assert all(same), "the child reads other cells than this process"
    finally:
        check_memory()


def check_memory() -> None:
    """Raise unless this process and each of its children stayed below a gigabyte at all times."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    living = [peak_kilobytes(pid) for file in pathlib.Path("/proc/self/task").glob("*/children") for pid in pids(file)]
    most = 1024 * max([own, ended, *living])
    assert most < MOST_BYTES, f"{most:,} bytes of memory"


def pids(file: pathlib.Path) -> list[str]:
    """Return the processes a thread of this one started."""
    return file.read_text("ascii").split()


def peak_kilobytes(pid: str) -> int:
    """Return the most memory a process ever held."""
    lines = pathlib.Path("/proc", pid, "status").read_text("utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def judge(grids: list[Grid]) -> None:
    """Judge every row of every table, and count them all."""
    for sheets in read_tables(grids, TIDY, "a").tables:
        split = split_rows(sheets.data, sheets.contract, sheets.codes, None)
        parts = {
            "accepted": len(split.accepted),
            "duplicates": len(split.duplicates),
            "quarantined": len(split.quarantined),
        }
        check_rows("a", len(sheets.data), parts)


def one_input(data: bytes) -> None:
    """Take the first byte as the way the rest is sent."""
    if not data:
        return
    way, rest = data[0] % 4, data[1:]
    readers = (
        lambda: read_csv_bytes(rest),
        lambda: read_csv_bytes(HEAD.encode() + rest),
        lambda: read_book_bytes(rest),
        lambda: read_book_bytes(with_sheet(rest)),
    )
    with contextlib.suppress(*REFUSALS):
        grids = readers[way]()
        try:
            judge(grids)
        except DataError as error:
            if error.code == "QB331":  # a row without a verdict is the one refusal that is our own fault
                raise AssertionError(str(error)) from error
            raise
    check_memory()


def seeds(folder: pathlib.Path) -> None:
    """Write inputs to start from; the child must read the sound ones, so that its way is known to be open."""
    for data in (BOOK, TABLES):
        path = FOLDER / "sound.xlsx"
        path.write_bytes(data)
        check_child(path, read_grids(path, path.name, TIDY, parsers=CHILDREN))
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        sheet = archive.read(SHEET)
    good = (HEAD + ROW).encode()
    starts = [b"\0" + good, b"\0" + (HEAD + ROW).encode("gb18030"), b"\0" + (HEAD + ROW).encode("utf-16")]
    starts += [
        b"\1" + ROW.encode(),
        b"\1" + ROW.replace("2022-08-10", "2022年8月").encode(),
        b"\2" + BOOK,
        b"\2" + TABLES,
        b"\3" + sheet,
    ]
    for i, start in enumerate(starts):
        (folder / str(i)).write_bytes(start)


def main() -> None:
    """Fuzz for so many seconds."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    seeds(corpus)
    options = [
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-max_len=20000",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
