"""Workbooks, read in a child process so that a hostile file cannot hurt this one."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import qbase
from qbase.core.errors import DataError
from qbase.intake.grid import Fault, Grid, build_grid

SECONDS = 180
REFUSED = {
    "broken": "QB316",
    "doctype": "QB326",
    "encrypted": "QB325",
    "kind": "QB311",
    "large": "QB318",
    "limits": "QB319",
}


def read_workbook(path: pathlib.Path, kind: str, name: str) -> list[Grid]:
    """Read every worksheet of a workbook.

    Parameters
    ----------
    path : Path
        The file; its container is checked.
    kind : {"xlsx", "xls"}
        Its format.
    name : str
        What errors call it.

    Returns
    -------
    list of Grid
        Sheets that hold something, in order.

    Raises
    ------
    DataError
        Broken (QB316), absurdly large (QB318), encrypted (QB325), with a document type (QB326), beyond the limits
        of the child process (QB319), or the two engines count different rows (QB330).
    """
    answer = _ask(path, kind, name)
    if "refused" in answer:
        refused = answer["refused"]
        raise DataError(REFUSED[refused["why"]], file=name, found=refused["found"], expected=_EXPECTED, fix=_FIX)
    for sheet in answer["sheets"]:
        if "counted" in sheet and sheet["counted"] != sheet["filled"]:
            found = f"{sheet['name']}: {sheet['filled']:,} / {sheet['counted']:,}"
            raise DataError("QB330", file=name, found=found, expected="equal", fix=_FIX)
    return [_grid(sheet) for sheet in answer["sheets"] if sheet["rows"]]


_EXPECTED = "*.xlsx / *.xls"
_FIX = "Excel: .xlsx, or CSV UTF-8"


def _ask(path: pathlib.Path, kind: str, name: str) -> dict[str, Any]:
    home = str(pathlib.Path(qbase.__file__).parents[1])
    search = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
    try:
        done = subprocess.run(
            # -P: a file beside the delivery must never be imported
            [sys.executable, "-P", "-m", "qbase.intake.worker", str(path.resolve()), kind],
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": search, "PYTHONIOENCODING": "utf-8"},
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise DataError("QB319", file=name, found=f"> {SECONDS} s", expected=f"<= {SECONDS} s", fix=_FIX) from None
    except ValueError:
        found = f"exit {done.returncode}"
        raise DataError("QB319", file=name, found=found, expected="exit 0", fix=_FIX) from None
    return answer


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
    )
