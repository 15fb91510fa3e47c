"""Workbooks, read in a child process so that a hostile file cannot hurt this one."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

from qbase.core.errors import DataError
from qbase.intake.reading.raw_grid import Fault, Grid, build_grid
from qbase.intake.reading.worker_pool import SECONDS, Parsers, Silence

REFUSED = {
    "broken": "QB316",
    "doctype": "QB326",
    "encrypted": "QB325",
    "kind": "QB311",
    "large": "QB318",
    "limits": "QB319",
    "no_table": "QB336",
    "sheets": "QB335",
}


def read_workbook(path: pathlib.Path, kind: str, name: str, *, parsers: Parsers | None = None) -> list[Grid]:
    """Read every worksheet of a workbook.

    Parameters
    ----------
    path : Path
        The file; its container is checked.
    kind : {"xlsx", "xls", "ods", "html", "xml", "mht"}
        Its format.
    name : str
        What errors call it.
    parsers : Parsers or None
        Child processes to use; None starts one for this file.

    Returns
    -------
    list of Grid
        Sheets that hold something, in order.

    Raises
    ------
    DataError
        Broken (QB316), absurdly large (QB318), encrypted (QB325), with a document type (QB326), beyond the limits
        of the child process (QB319), or the two engines count different rows (QB330) or find
        different sheets (QB335), or it is a web page without a table (QB336).
    """
    answer = _ask(path, kind, name, parsers)
    if "refused" in answer:
        refused = answer["refused"]
        raise DataError(REFUSED[refused["why"]], file=name, found=refused["found"], expected=_EXPECTED, fix=_FIX)
    for sheet in answer["sheets"]:
        if "counted" in sheet and sheet["counted"] != sheet["filled"]:
            found = f"{sheet['name']}: {sheet['filled']:,} / {sheet['counted']:,}"
            raise DataError("QB330", file=name, found=found, expected="equal", fix=_FIX)
    return [_grid(sheet) for sheet in answer["sheets"] if sheet["rows"]]


_EXPECTED = "*.xlsx / *.xls / *.ods"
_FIX = "Excel: .xlsx, or CSV UTF-8"


def _ask(path: pathlib.Path, kind: str, name: str, parsers: Parsers | None) -> dict[str, Any]:
    with contextlib.nullcontext(parsers) if parsers is not None else Parsers() as children:
        try:
            return children.ask(path, kind)
        except Silence as silence:
            expected = f"<= {SECONDS} s" if silence.is_late else "exit 0"
            raise DataError("QB319", file=name, found=silence.found, expected=expected, fix=_FIX) from None


def _grid(sheet: dict[str, Any]) -> Grid:
    faults = tuple(Fault(row=r, column=c, code=code, is_fatal=fatal) for r, c, code, fatal in sheet["faults"])
    notes = tuple(f"sheet:{code} {count}" for code, count in sorted(sheet["notes"].items()))
    return build_grid(
        sheet["rows"],
        sheet=sheet["name"],
        faults=faults,
        notes=notes,
        numbers={int(column): count for column, count in sheet["numbers"].items()},
        merges=tuple((r1, c1, r2, c2) for r1, c1, r2, c2 in sheet.get("merges", ())),
        row_numbers=sheet.get("row_numbers", ()),
        width=sheet.get("width", 0),
    )
