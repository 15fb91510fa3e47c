"""Any bytes as CSV, as a workbook, as a sheet inside a sound workbook: a verdict, never a crash, a hang or a gigabyte.

``python tests/fuzz/fuzz_intake.py [seconds] [--format F] [--seeds DIR]``; 60 seconds and all formats by default. Files
of the format in DIR are further inputs to start from, the only ones of ``xls``, which nothing here can write. Needs
atheris (extra ``fuzz``). What breaks it is written to ``crash-*`` in the current folder, as libFuzzer does; the same
call with ``--again FILE`` runs that input alone.

Half of the inputs are bytes as they come. The other half decide what a sound file holds (`made_files`), and what is
read must be what was written: where it differs, nothing was said and no fault names the cell, that is a failure.

Workbooks are parsed in this process, so that the fuzzer sees what is covered. Every twentieth goes the way of
``load_files`` as well, through a child process with limits: it must say the same, in time, and within the memory.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import io
import itertools
import pathlib
import random
import resource
import sys
import tempfile
import zipfile
from collections.abc import Callable
from typing import Any

import atheris

with atheris.instrument_imports(include=["qbase.intake", "qbase.tables"]):
    from qbase.intake.finding.file_grids import read_grids
    from qbase.intake.reading.child_worker import MEMORY_BYTES, read_book
    from qbase.intake.reading.file_safety import OLE, check_archive, find_kind
    from qbase.intake.reading.raw_grid import Grid
    from qbase.intake.reading.workbook_child import Parsers, _grid
    from qbase.intake.recipes.recipe_model import TIDY
    from qbase.intake.shaping.file_tables import read_tables
    from qbase.intake.shaping.row_verdicts import split_rows
    from qbase.intake.values.row_account import check_rows

import duckdb
import openpyxl
import pyarrow as pa
from made_files import MAKERS, Cells, differs

from qbase.core.errors import DataError, UsageError

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果\n"
ROW = "S1,省级,2022-08-10,生产,双随机,甲厂,涤纶,合格\n"
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="qbase-fuzz-"))
# the verdict of `load_files` on these is REJECTED as well
REFUSALS = (DataError, UsageError, pa.ArrowException, duckdb.Error, UnicodeError)
SHEET = "xl/worksheets/sheet1.xml"
MOST_BYTES = 1_000_000_000
CHILD_BYTES = [MOST_BYTES]
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
CHANCE = random.Random(20261128)
FORMATS = ("csv", "xlsx", "xls", "ods", "fake-xls")
Way = Callable[[bytes], list[Grid]]
Maker = Callable[[Any], tuple[bytes, Cells]]


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
    """Raise unless this process and each of its children stayed within their limits at all times.

    A child that calamine fills is ended at its own limit; that is a refusal, no failure.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    living = [peak_kilobytes(pid) for file in pathlib.Path("/proc/self/task").glob("*/children") for pid in pids(file)]
    assert 1024 * own < MOST_BYTES, f"{1024 * own:,} bytes of memory"
    most = 1024 * max([ended, *living])
    assert most < CHILD_BYTES[0], f"{most:,} bytes of memory in a child"


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


def read_raw(data: bytes, kind: str) -> list[Grid]:
    """Read bytes under a name in the child: calamine follows a damaged chain of sectors until memory ends."""
    path = FOLDER / f"a.{kind}"
    path.write_bytes(data)
    try:
        grids = read_grids(path, path.name, TIDY, parsers=CHILDREN)
    except DataError as error:
        if error.code == "QB319" and error.expected.startswith("<="):
            raise AssertionError(f"hangs: {error}") from error
        raise
    if data.startswith(OLE):
        compare_xls(path, grids)
    return grids


def compare_xls(path: pathlib.Path, grids: list[Grid]) -> None:
    """Compare the texts of an .xls with those a second engine gives, where that engine is installed and reads it."""
    if importlib.util.find_spec("xlrd") is None:
        return
    import xlrd

    try:
        book = xlrd.open_workbook(path, logfile=io.StringIO())
    except Exception:  # whatever ails the other engine is no fault of ours
        return
    for grid in grids:
        other = book.sheet_by_name(grid.sheet) if grid.sheet in book.sheet_names() else None
        aside = {(fault.row, fault.column) for fault in grid.faults}
        for position, row in enumerate(grid.rows(range(len(grid))) if other is not None else ()):
            i = grid.row_no(position) - 1
            for j in range(min(len(row), other.row_len(i)) if i < other.nrows else 0):
                cell = other.cell(i, j)
                if (position, j) not in aside and cell.ctype == xlrd.XL_CELL_TEXT:
                    assert not differs(row[j], cell.value), f"{grid.sheet} {i},{j}: {row[j]!r} and {cell.value!r}"


def read_made(data: bytes, name: str, maker: Maker) -> list[Grid]:
    """Write a sound file, read it as ``load_files`` does, and compare every cell with what was written."""
    written, cells = maker(atheris.FuzzedDataProvider(data))
    path = FOLDER / name
    path.write_bytes(written)
    grids = read_grids(path, path.name, TIDY, parsers=CHILDREN)
    compare_cells(grids, cells)
    return grids


def compare_cells(grids: list[Grid], cells: Cells) -> None:
    """Raise where a cell says something else than was written and no fault names it."""
    assert len(grids) == 1, f"{len(grids)} sheets for one"
    (grid,) = grids
    aside = {(fault.row, fault.column) for fault in grid.faults}
    for i, row in enumerate(grid.rows(range(len(grid)))):
        wanted = cells[i] if i < len(cells) else []
        for j in range(max(len(row), len(wanted))):
            text, cell = (row[j] if j < len(row) else ""), (wanted[j] if j < len(wanted) else None)
            assert (i, j) in aside or not differs(text, cell), f"row {i} column {j}: read {text!r}, written {cell!r}"
    rest = [cell for row in cells[len(grid) :] for cell in row]
    assert all(cell is None or not str(cell).strip() for cell in rest), f"rows are lost after {len(grid)}"


def ways_of(kind: str) -> list[Way]:
    """Return how the bytes of the fuzzer may be sent as a format; the first byte chooses."""
    raw: dict[str, list[Way]] = {
        "csv": [read_csv_bytes, lambda data: read_csv_bytes(HEAD.encode() + data)],
        "xlsx": [read_book_bytes, lambda data: read_book_bytes(with_sheet(data))],
        "xls": [lambda data: read_raw(data, "xls")],
        "ods": [lambda data: read_raw(data, "ods")],
        "fake-xls": [lambda data: read_raw(data, "xls")],
    }
    made = [functools.partial(read_made, name=name, maker=maker) for name, maker in MAKERS.get(kind, ())]
    return [*raw[kind], *made]


def one_input(data: bytes, ways: list[Way]) -> None:
    """Take the first byte as the way the rest is sent."""
    if not data:
        return
    with contextlib.suppress(*REFUSALS):
        grids = ways[data[0] % len(ways)](data[1:])
        try:
            judge(grids)
        except DataError as error:
            if error.code == "QB331":  # a row without a verdict is the one refusal that is our own fault
                raise AssertionError(str(error)) from error
            raise
    check_memory()


def seeds_of(kind: str, more: pathlib.Path | None) -> list[tuple[int, bytes]]:
    """Return inputs to start from: the way they are sent, and their bytes."""
    good = (HEAD + ROW).encode()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        sheet = archive.read(SHEET)
    raw: dict[str, list[tuple[int, bytes]]] = {
        "csv": [
            (0, good),
            (0, good.decode().encode("gb18030")),
            (0, good.decode().encode("utf-16")),
            (1, ROW.encode()),
            (1, ROW.replace("2022-08-10", "2022年8月").encode()),
        ],
        "xlsx": [(0, BOOK), (0, TABLES), (1, sheet)],
        "fake-xls": [(0, good.replace(b",", b"\t"))],
    }
    drawn = [(way, CHANCE.randbytes(300)) for way in range(len(ways_of(kind))) for _ in range(4)]
    made = [(0, make(atheris.FuzzedDataProvider(CHANCE.randbytes(300)))[0]) for _, make in MAKERS.get(kind, ())]
    ending = "xls" if kind == "fake-xls" else kind
    sent = [(0, file.read_bytes()) for file in sorted(more.rglob(f"*.{ending}"))] if more else []
    return [*raw.get(kind, ()), *drawn, *made, *sent]


def write_seeds(folder: pathlib.Path, kinds: list[str], more: pathlib.Path | None) -> None:
    """Write inputs to start from; the child must read the sound ones, so that its way is known to be open."""
    for data in (BOOK, TABLES):
        path = FOLDER / "sound.xlsx"
        path.write_bytes(data)
        check_child(path, read_grids(path, path.name, TIDY, parsers=CHILDREN))
    offset = 0
    for kind in kinds:
        for number, (way, data) in enumerate(seeds_of(kind, more)):
            (folder / f"{kind}-{number}").write_bytes(bytes([offset + way]) + data)
        offset += len(ways_of(kind))


def main() -> None:
    """Fuzz for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=int, nargs="?", default=60)
    parser.add_argument("--format", choices=FORMATS, help="one format alone")
    parser.add_argument("--seeds", type=pathlib.Path, help="a folder with files to start from")
    parser.add_argument("--again", type=pathlib.Path, help="run one input alone")
    asked = parser.parse_args()
    kinds = [asked.format] if asked.format else list(FORMATS)
    if {"xls", "ods", "fake-xls"} & set(kinds):
        CHILD_BYTES[0] = MEMORY_BYTES
    run = functools.partial(one_input, ways=[way for kind in kinds for way in ways_of(kind)])
    if asked.again:
        run(asked.again.read_bytes())
        return
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    write_seeds(corpus, kinds, asked.seeds)
    options = [
        f"-max_total_time={asked.seconds}",
        "-timeout=30",
        "-rss_limit_mb=1024",
        "-max_len=50000",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
