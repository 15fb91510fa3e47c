"""Who holds a due time: a name that only this process has, whether such a process lives, and its signs of life."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qbase.lake import ScheduledSlot, Workspace

Clock = Callable[[], datetime.datetime]
BEATS = 3
"""So many signs of life fit into a lease."""


def read_clock() -> datetime.datetime:
    """Return the time in UTC, whatever zone the machine is set to."""
    return datetime.datetime.now(datetime.UTC)


def new_holder(process: int | None = None) -> str:
    """Return a name for this process, or another: machine, process, when it began, and a word of its own."""
    number = os.getpid() if process is None else process
    return f"{_machine()}:{number}:{_begun(number)}:{uuid.uuid4().hex[:8]}"


def is_living(holder: str) -> bool:
    """Return whether a holder is another process of this machine that is known to live.

    False where nobody can tell, and for an earlier look of this process: it has ended, or it would not be asked.
    """
    machine, _, rest = holder.partition(":")
    process, _, rest = rest.partition(":")
    begun = rest.partition(":")[0]
    if not process.isdigit() or not begun or machine != _machine():
        return False
    return int(process) != os.getpid() and _begun(int(process)) == begun


def _machine() -> str:
    """Return what tells a machine and its start from others; empty where the system does not say."""
    try:
        return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _begun(process: int) -> str:
    """Return when a process began, in ticks since the machine did: a number used again is another process."""
    try:
        line = pathlib.Path(f"/proc/{process}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    # the name of the program stands in brackets and may hold anything
    fields = line.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


@contextlib.contextmanager
def beating(workspace: Workspace, slots: Sequence[ScheduledSlot], clock: Clock, lease_seconds: float) -> Iterator[None]:
    """Give signs of life for claimed slots as long as the block runs."""
    from qbase.core.errors import QbaseError
    from qbase.lake import renew_scheduled

    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(lease_seconds / BEATS):
            for slot in slots:
                # a ledger that is busy now is asked again; a lease that runs out meanwhile is told when closing
                with contextlib.suppress(QbaseError):
                    renew_scheduled(workspace, slot, now=clock(), lease_seconds=lease_seconds)

    thread = threading.Thread(target=beat, name="qbase-schedule-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
