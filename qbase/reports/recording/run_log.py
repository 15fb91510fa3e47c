"""The log of a run for programs: ``log.jsonl`` in its folder, one JSON object a line, numbers and words of the house.

No output of a cell and no value of a table goes in, so that the log of every run may be collected in one place.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import time
from collections.abc import Callable

from qbase.core.results.run_values import RunRecord

LOG = "log.jsonl"
Progress = Callable[[str, int, int], None]


class RunLog:
    """Writes the log of one run.

    Parameters
    ----------
    folder : Path
        Of the run. A log that cannot be written ends no run: what ends it is told in the ledger.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.path, self._began, self._cpu = folder / LOG, time.monotonic(), _cpu_seconds()

    def tell(self, step: str, event: str, **numbers: float | str) -> None:
        """Write a line: when, after how many seconds, which step, what happened, and numbers.

        Parameters
        ----------
        step : str
            ``run``, ``cells``, ``render``, ``verify`` or ``publish``.
        event : str
            ``begun``, ``done``, or the state in which a run ended.
        **numbers : float or str
            Counts and seconds; words only such as an engine's name or a code.
        """
        line = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._began, 3),
            "step": step,
            "event": event,
            **numbers,
        }
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def following(self, on_progress: Progress) -> Progress:
        """Return what is to be called for progress: it writes a line and calls the function given."""

        def follow(step: str, done: int, total: int) -> None:
            self.tell(step, "done" if done >= total and step != "cells" else "begun", done=done, total=total)
            on_progress(step, done, total)

        return follow

    def close(self, record: RunRecord, page: pathlib.Path) -> None:
        """Write the last line: how the run ended, its processor seconds and the size of its page."""
        told: dict[str, float | str] = {"cpu_seconds": round(_cpu_seconds() - self._cpu, 3)}
        if record.state == "ok" and page.is_file():
            told["page_bytes"] = page.stat().st_size
        if record.error:
            told["code"] = str(record.error["code"])
        self.tell("run", record.state, **told)


def _cpu_seconds() -> float:
    """Return the processor seconds of this process and of the children that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
