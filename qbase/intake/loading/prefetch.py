"""Reading ahead: the next files are prepared while this one is finished, and a slow one waits at the end."""

from __future__ import annotations

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Ready = TypeVar("Ready")

PATIENCE_SECONDS = 2.0
SOON_SECONDS = 0.3


def at_once() -> int:
    """Return how many files are prepared at the same time."""
    return max(2, min(4, os.cpu_count() or 1))


def prepare_ahead(
    items: Sequence[Item],
    prepare: Callable[[Item], Ready],
    *,
    workers: int,
    patience: float = PATIENCE_SECONDS,
    on_wait: Callable[[], object] | None = None,
) -> Iterator[tuple[int, Ready]]:
    """Prepare items in threads and give them back, in order as far as none is slow.

    Parameters
    ----------
    items : sequence
        What to prepare.
    prepare : callable
        Runs in a thread; what it raises is raised here.
    workers : int
        Threads; as many items are held ready, and as many more wait.
    patience : float
        Seconds an item may take beyond its turn before those after it go first.
    on_wait : callable or None
        Called when the next item is not ready soon: time for what can be put off no longer.

    Yields
    ------
    tuple of (int, object)
        Position of the item, and what was prepared.
    """
    waiting = collections.deque(enumerate(items))
    running: dict[int, concurrent.futures.Future[Ready]] = {}
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                position, item = waiting.popleft()
                running[position] = pool.submit(prepare, item)
            yield _next(running, patience, on_wait)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(
    running: dict[int, concurrent.futures.Future[Ready]], patience: float, on_wait: Callable[[], object] | None
) -> tuple[int, Ready]:
    """Take the first in order; when it is slow, the first that is ready."""
    first = running[min(running)]
    soon = min(SOON_SECONDS, patience)
    concurrent.futures.wait([first], timeout=soon)
    if not first.done() and on_wait is not None:
        on_wait()
    concurrent.futures.wait([first], timeout=patience - soon)
    if not first.done():
        concurrent.futures.wait(running.values(), return_when=concurrent.futures.FIRST_COMPLETED)
    ready = min(position for position, future in running.items() if future.done())
    return ready, running.pop(ready).result()
