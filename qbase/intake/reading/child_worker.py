"""The child process that opens workbooks: limits first, then the parser; JSON out, nothing else.

``python -m qbase.intake.reading.child_worker`` reads lines ``[path, kind]`` and writes one JSON object a line.
A hostile file can only hurt this process.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import python_calamine

from qbase.intake.reading.html_tables import read_html, read_mht
from qbase.intake.reading.open_document import read_ods
from qbase.intake.reading.second_count import UNSEEN, count_rows
from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.reading.xls_cells import read_xls
from qbase.intake.reading.xlsx_stream import read_xlsx
from qbase.intake.reading.xml_2003 import read_xml_2003

MEMORY_BYTES = 2_000_000_000
CPU_SECONDS = 120


def set_limits() -> None:
    """Bound memory, and the processor time of the next file, on platforms that can."""
    try:
        import resource
    except ImportError:  # Windows; the parent still has its time limit
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # the hard limit stays as it is: it could not be raised again for the next file
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_book(path: str, kind: str) -> dict[str, Any]:
    """Read a workbook.

    Parameters
    ----------
    path : str
        The file.
    kind : {"xlsx", "xls", "ods", "html", "xml", "mht"}
        Its format.

    Returns
    -------
    dict
        ``sheets`` (see `qbase.intake.reading.sheet_cells.Sheet.payload`; filled, counted) or ``refused`` (why, found).
    """
    try:
        return {"sheets": _READERS[kind](path)}
    except Refused as refused:
        return {"refused": {"why": refused.why, "found": refused.found}}
    except python_calamine.PasswordError as error:
        return {"refused": {"why": "encrypted", "found": str(error)}}
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        return {"refused": {"why": "broken", "found": str(error)}}
    except MemoryError:
        return {"refused": {"why": "limits", "found": f"> {MEMORY_BYTES:,} bytes"}}


def _read_xlsx(path: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        sheets = list(read_xlsx(archive))
    return _counted(path, sheets)


def _read_xls(path: str) -> list[dict[str, Any]]:
    return _counted(path, read_xls(path), is_old=True)


def _counted(path: str, sheets: list[Sheet], *, is_old: bool = False) -> list[dict[str, Any]]:
    counted = count_rows(path, sheets, is_old=is_old)
    return [
        sheet.payload() | {"filled": sheet.count_filled(UNSEEN), "counted": count}
        for sheet, count in zip(sheets, counted, strict=True)
    ]


def _read_ods(path: str) -> list[dict[str, Any]]:
    return [sheet.payload() for sheet in read_ods(path)]


def _read_page(read: Callable[[bytes], list[Sheet]], path: str) -> list[dict[str, Any]]:
    return [sheet.payload() for sheet in read(pathlib.Path(path).read_bytes())]


_READERS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "xlsx": _read_xlsx,
    "xls": _read_xls,
    "ods": _read_ods,
    "html": functools.partial(_read_page, read_html),
    "mht": functools.partial(_read_page, read_mht),
    "xml": functools.partial(_read_page, read_xml_2003),
}


def main() -> None:
    """Read the workbooks named on standard input, one a line, and write each as a line of JSON."""
    for line in sys.stdin:
        set_limits()
        path, kind = json.loads(line)
        try:
            answer = json.dumps(read_book(path, kind))
        except MemoryError:
            answer = json.dumps({"refused": {"why": "limits", "found": f"> {MEMORY_BYTES:,} bytes"}})
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
