"""A thread that ends in an exception is an error of its run, whatever its cell said: it is put on file.

Nobody waits for the exception of a thread: Python prints it and the cell counts as done.
"""

from __future__ import annotations

import json
import os
import pathlib
import threading
from typing import Any

from qbase.reports.executing.run_environment import THREAD_LOG

FILE = "thread_errors.jsonl"


def watch_threads() -> None:
    """Write every exception that ends a thread of this process to the file that ``QBASE_THREAD_LOG`` names."""
    path, told_before = os.environ.get(THREAD_LOG), threading.excepthook
    if not path:
        return

    def tell(args: Any) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread else ""
            line = json.dumps({"thread": name, "ename": args.exc_type.__name__, "evalue": str(args.exc_value)})
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        told_before(args)

    threading.excepthook = tell


def read_thread_errors(folder: pathlib.Path) -> list[dict[str, str]]:
    """Return what `watch_threads` wrote for the run in a folder, oldest first.

    Returns
    -------
    list of dict
        ``thread``, ``ename`` and ``evalue`` of each.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
