"""Child processes that open workbooks, kept for the next file: starting one costs more than a small workbook."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

from qbase.core.package import PACKAGE

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
