"""Tasks over processes: every task ends in an outcome, whatever happens to the others.

Each slot is an executor of one process that holds one task at a time. So a process that is killed
points at its task, and only that task is lost.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pickle
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from qbase.core.errors import RunError, UsageError

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outcome(Generic[T, R]):
    """How one task ended.

    Parameters
    ----------
    index : int
        Place of the task in the sequence given.
    task : object
        The task.
    value : object or None
        What the function returned; None when it failed.
    error : Exception or None
        What it raised; a `RunError` (QB180) when its process was killed.
    trace : str
        Traceback as text, for a log; empty when it ended well.
    seconds : float
        Monotonic duration.

    Examples
    --------
    >>> from qbase.compute import map_tasks
    >>> good, bad = map_tasks(int, ["93", "93%"])
    >>> good.value, bad.is_ok, str(bad.error)
    (93, False, "invalid literal for int() with base 10: '93%'")
    """

    index: int
    task: T
    value: R | None = None
    error: Exception | None = None
    trace: str = ""
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether the task ended well."""
        return self.error is None


def map_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    jobs: int = 1,
    on_done: Callable[[Outcome[T, R]], None] | None = None,
) -> list[Outcome[T, R]]:
    """Run a function over tasks, in this process or in several.

    Parameters
    ----------
    function : callable
        Takes one task. With several jobs it must be importable by name.
    tasks : sequence
        With several jobs they must be picklable.
    jobs : int
        Processes; 1 runs everything here, one after another.
    on_done : callable or None
        Called here with every outcome as it comes, not in the order of the tasks.

    Returns
    -------
    list of Outcome
        One per task, in the order of the tasks. A task that raises, or whose process is killed,
        never stops the others.

    Raises
    ------
    UsageError
        ``jobs`` is below 1 (QB183).

    Examples
    --------
    >>> from qbase.compute import map_tasks
    >>> rates = map_tasks(lambda counts: 100 * counts[0] / counts[1], [(16, 20), (0, 0), (18, 20)])
    >>> [outcome.value for outcome in rates]
    [80.0, None, 90.0]
    >>> rates[1].error
    ZeroDivisionError('division by zero')
    """
    if jobs < 1:
        raise UsageError("QB183", jobs=jobs, found=str(jobs), expected="a whole number from 1", fix="--jobs 2")
    done: dict[int, Outcome[T, R]] = {}
    for outcome in _here(function, tasks) if jobs == 1 else _spread(function, tasks, min(jobs, len(tasks))):
        done[outcome.index] = outcome
        if on_done is not None:
            on_done(outcome)
    return [done[i] for i in range(len(tasks))]


def _here(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[Outcome[T, R]]:
    for index, task in enumerate(tasks):
        yield _call(function, index, task)


def _spread(function: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[Outcome[T, R]]:
    waiting = iter(enumerate(tasks))
    slots = [_new_slot() for _ in range(jobs)]
    at_work: dict[Future[Outcome[T, R]], tuple[int, int, T, float]] = {}

    def give(slot: int) -> None:
        for index, task in waiting:
            try:
                future = slots[slot].submit(_call_whole, function, index, task)
            except BrokenProcessPool:
                slots[slot] = _new_slot()
                future = slots[slot].submit(_call_whole, function, index, task)
            at_work[future] = (slot, index, task, time.monotonic())
            return

    try:
        for slot in range(jobs):
            give(slot)
        while at_work:
            ended, _ = concurrent.futures.wait(at_work, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                slot, index, task, begun = at_work.pop(future)
                outcome = _read(future, index, task, time.monotonic() - begun)
                give(slot)
                yield outcome
    finally:
        for executor in slots:
            executor.shutdown(wait=True, cancel_futures=True)


def _new_slot() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """End this process when the one that started it was killed, so that no orphan goes on."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _read(future: Future[Outcome[T, R]], index: int, task: T, seconds: float) -> Outcome[T, R]:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool):
        killed = RunError(
            "QB180",
            number=index + 1,
            found=f"task {index + 1} ended without an answer after {seconds:.1f} s",
            expected="a process that lives until its task is done",
            fix="look for a lack of memory, then run this task alone",
        )
        return Outcome(index=index, task=task, error=killed, trace=str(error), seconds=seconds)
    if not isinstance(error, Exception):
        raise error
    return Outcome(index=index, task=task, error=error, trace=_trace(error), seconds=seconds)


def _call(function: Callable[[T], R], index: int, task: T) -> Outcome[T, R]:
    begun = time.monotonic()
    try:
        value = function(task)
    except SystemExit as error:
        ended = RuntimeError(f"the task called sys.exit({error.code!r})")
        return Outcome(index=index, task=task, error=ended, trace=_trace(error), seconds=time.monotonic() - begun)
    except Exception as error:
        return Outcome(index=index, task=task, error=error, trace=_trace(error), seconds=time.monotonic() - begun)
    return Outcome(index=index, task=task, value=value, seconds=time.monotonic() - begun)


def _call_whole(function: Callable[[T], R], index: int, task: T) -> Outcome[T, R]:
    """Call in the other process; what cannot travel back becomes text, so that the outcome still arrives."""
    outcome = _call(function, index, task)
    if outcome.error is not None and not _can_travel(outcome.error):
        plain = RuntimeError(f"{type(outcome.error).__name__}: {outcome.error}")
        return dataclasses.replace(outcome, error=plain)
    return outcome


def _can_travel(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301  (our own bytes, never left this process)
    except Exception:
        return False
    return True


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
