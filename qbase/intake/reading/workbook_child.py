"""Workbooks, read in a child process so that a hostile file cannot hurt this one.

Processes are kept for the next file: starting one costs more than a small workbook.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

from qbase.core.errors import DataError
from qbase.core.lazy import PACKAGE
from qbase.intake.reading.raw_grid import Fault, Grid, build_grid

# -P: a file beside the delivery must never be imported
COMMAND = (sys.executable, "-P", "-m", "qbase.intake.reading.child_worker")
SECONDS = 180
FILES_PER_PROCESS = 100  # a fresh process now and then, so that no file can leave much behind


class Silence(Exception):
    """The child gave no answer.

    Parameters
    ----------
    found : str
        What happened to it.
    is_late : bool
        It was stopped for the time it took.
    """

    def __init__(self, found: str, *, is_late: bool) -> None:
        super().__init__(found)
        self.found = found
        self.is_late = is_late


class Parsers:
    """As many child processes as files are read at once; each reads one file after another.

    Parameters
    ----------
    seconds : float
        Time for one file.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Parsers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.stop()

    def ask(self, path: pathlib.Path, kind: str) -> dict[str, Any]:
        """Have a child read a workbook; a child that fails is replaced, so the next file is not hurt.

        Parameters
        ----------
        path : Path
            The file.
        kind : {"xlsx", "xls", "ods"}
            Its format.

        Returns
        -------
        dict
            The answer of `qbase.intake.reading.child_worker.read_book`.

        Raises
        ------
        Silence
            The child died, or took too long and was stopped.
        """
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or _Child()
        try:
            answer = child.ask(path, kind, self._seconds)
        except BaseException:
            child.stop()
            raise
        if "refused" in answer or child.files >= FILES_PER_PROCESS:
            child.stop()
        else:
            with self._lock:
                self._idle.append(child)
        return answer


class _Child:
    """One process; one line in, one line out."""

    def __init__(self) -> None:
        home = str(PACKAGE.parent)
        search = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
        self.files = 0
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search, "PYTHONIOENCODING": "utf-8"},
        )

    def ask(self, path: pathlib.Path, kind: str, seconds: float) -> dict[str, Any]:
        """Read one workbook.

        Raises
        ------
        Silence
            No answer, or too late.
        """
        assert self._process.stdin is not None  # noqa: S101  (a pipe, and so is the next)
        assert self._process.stdout is not None  # noqa: S101
        late = threading.Event()
        timer = threading.Timer(seconds, self._give_up, args=(late,))
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(json.dumps([str(path.resolve()), kind]).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            answer: dict[str, Any] = json.loads(line)
        except (OSError, ValueError):
            self._process.kill()
            found = f"exit {self._process.wait()}"
            raise Silence(f"> {seconds:g} s" if late.is_set() else found, is_late=late.is_set()) from None
        finally:
            timer.cancel()
        self.files += 1
        return answer

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def stop(self) -> None:
        """End the process and release its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # what was still unwritten goes with the process
                    continue


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
