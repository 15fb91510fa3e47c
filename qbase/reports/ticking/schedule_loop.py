"""Looks at the clock one after the other, until told to stop; between two of them nothing is held."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qbase.core.errors import SetupError
from qbase.lake.schedule_entries import LEASE_SECONDS
from qbase.reports.ticking.schedule_tick import Seen, Tick, run_due
from qbase.reports.ticking.slot_holder import Clock, read_clock

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

EVERY_SECONDS = 30.0
NAP_SECONDS = 0.2
"""A signal is noticed within this: waiting on a lock that its handler opens could stop for good."""


def run_schedules(
    workspace: Workspace,
    *,
    is_stopped: Callable[[], bool],
    every_seconds: float = EVERY_SECONDS,
    clock: Clock = read_clock,
    jobs_at_once: int = 1,
    engine: EngineName | None = None,
    on_seen: Callable[[Seen], None] = lambda seen: None,
    on_tick: Callable[[Tick], None] = lambda tick: None,
    lease_seconds: float = LEASE_SECONDS,
) -> int:
    """Run what is due, again and again; a run that is under way is always finished.

    Specifications and clock are read anew each time: there is no list of coming times that a new specification, a
    clock that jumps or a machine that slept could make wrong.

    Parameters
    ----------
    workspace, clock, jobs_at_once, engine, on_seen, lease_seconds
        As `run_due` takes them.
    is_stopped : callable
        Asked between runs and while waiting.
    every_seconds : float
        Between two looks.
    on_tick : callable, optional
        Called after each look, also with what kept it from looking.

    Returns
    -------
    int
        How many looks there were.
    """
    ticks = 0
    while not is_stopped():
        try:
            tick = run_due(
                workspace,
                clock=clock,
                jobs_at_once=jobs_at_once,
                engine=engine,
                is_stopped=is_stopped,
                on_seen=on_seen,
                lease_seconds=lease_seconds,
            )
        except SetupError as error:
            # a ledger that is busy, or a disk that is full, may be well again at the next look
            tick = Tick(problems=(error,))
        ticks += 1
        on_tick(tick)
        until = time.monotonic() + every_seconds
        while not is_stopped() and time.monotonic() < until:
            time.sleep(NAP_SECONDS)
    return ticks
