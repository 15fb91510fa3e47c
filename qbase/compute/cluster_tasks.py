"""Tasks with effects on the workers of a Dask cluster: every worker is checked before it is given one, and told once.

Dask alone decides which worker does what; a worker that fits gets a resource of Dask's, which every task asks for. As
measured with distributed 2026.8, a task is begun again when its worker is lost, ``retries=0`` or not, goes on when its
future is cancelled, is forgotten when nobody holds its future, and one key gives one result for two calls. So every
task has a key of its own and is held until it ended, and a task must find out for itself whether it was begun before.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import logging
import queue
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from typing import Any

from qbase.compute.dask_client import open_client
from qbase.core.errors import QbaseError

AHEAD = 2
"""Tasks a thread: one that runs and one that waits beside it."""
LOOK_SECONDS = 1.0
RESULT_SECONDS = 20.0
STOP_SECONDS = 5.0

Check = Callable[[str, Any], QbaseError | None]


class LostSchedulerError(Exception):
    """The scheduler is gone, or another one stands in its place, which knows of no task."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ended:
    """How a task that was given to the workers ended.

    Parameters
    ----------
    ticket : object
        As it was given.
    value : object or None
        What the function returned.
    error : Exception or None
        What Dask says where there is no answer: the worker was lost again and again, or could not call the function.
        Neither value nor error where the task was taken back because no worker had it.

    Examples
    --------
    >>> from qbase.compute.cluster_tasks import Ended
    >>> Ended(ticket=3, value="done").error is None
    True
    """

    ticket: Any
    value: Any = None
    error: Exception | None = None


class ClusterTasks:
    """Tasks on the workers of a cluster that pass a check.

    Parameters
    ----------
    address : str
        Of the scheduler.
    check : callable
        Called on every worker with its address and ``given``; returns why it is refused, or None.
    given : object
        What the check is given.
    mark : str
        Name of the resource that a worker gets which fits.

    Raises
    ------
    SetupError
        Dask is not installed (QB181), or the scheduler does not answer (QB182).

    Examples
    --------
    >>> from qbase.compute import ClusterTasks
    >>> ClusterTasks("tcp://nowhere", print, None, mark="fits")
    Traceback (most recent call last):
        ...
    qbase.core.errors.SetupError: error[QB182] the Dask scheduler at tcp://nowhere does not answer
    ...
    """

    def __init__(self, address: str, check: Check, given: Any, *, mark: str) -> None:
        with warnings.catch_warnings():
            # workers are checked one by one, and those of other versions are told as errors
            warnings.filterwarnings("ignore", message="Mismatched versions found")
            self._client = open_client(address)
        # what it would write beside the bar of a batch is told as an error
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        self._check, self._given, self._mark = check, given, mark
        self._heard: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._futures: dict[Any, Any] = {}
        self._asked: dict[str, Any] = {}
        self._threads: dict[str, int] = {}
        self._known: dict[str, int] = {}
        self._refused: set[str] = set()
        self._looked = 0.0
        self._knock: Any = None
        self._nowhere: set[Any] = set()

    @property
    def given(self) -> int:
        """Tasks whose end was not told yet."""
        return len(self._futures) + self._heard.qsize()

    @property
    def threads(self) -> int:
        """Threads of the workers that fit."""
        return sum(self._threads.values())

    @property
    def is_asking(self) -> bool:
        """Whether a worker has not answered the check yet."""
        return bool(self._asked)

    @property
    def room(self) -> int:
        """How many tasks may be given now; none before a worker fits."""
        return AHEAD * self.threads - self.given

    def look(self) -> list[tuple[str, Exception]]:
        """Look for workers that came or went, and return those that were refused since, each with its reason.

        Raises
        ------
        LostSchedulerError
            The scheduler is gone.
        """
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._confirm()
            try:
                self._known = dict(self._client.nthreads())
                self._take_back()
            except Exception as error:
                raise LostSchedulerError(str(error)) from error
            self._looked = time.monotonic()
            # a cluster that grows by need starts its first worker for a task that waits
            self._knock = None if self._known else self._knock or self._client.submit(int, key=_new_key("knock"))
            self._threads = {worker: n for worker, n in self._threads.items() if worker in self._known}
            self._refused &= self._known.keys()
            for worker in [worker for worker in self._asked if worker not in self._known]:
                del self._asked[worker]
            for worker in self._known.keys() - self._threads.keys() - self._refused - self._asked.keys():
                self._asked[worker] = self._client.submit(
                    enter_cluster, self._check, worker, self._given, self._mark,
                    key=_new_key("check"), workers=[worker], pure=False, retries=0, priority=10,
                )  # fmt: skip
        return [found for worker in list(self._asked) if (found := self._admit(worker))]

    def give(self, ticket: Any, function: Callable[[Any], Any], task: Any) -> None:
        """Give a task to whichever worker fits; a ticket stands for one task at a time."""
        future = self._client.submit(
            function,
            task,
            key=_new_key("task"),
            pure=False,
            retries=0,
            resources={self._mark: 1},
        )
        self._futures[ticket] = future
        future.add_done_callback(lambda done: self._heard.put((ticket, done)))

    def hear(self, seconds: float) -> list[Ended]:
        """Wait at most so long for a task to end, and return those that did.

        Raises
        ------
        LostSchedulerError
            The scheduler is gone, and with it what was given.
        """
        heard: list[tuple[Any, Any]] = []
        with contextlib.suppress(queue.Empty):
            heard.append(self._heard.get(timeout=seconds))
            while True:
                heard.append(self._heard.get_nowait())
        self._confirm()
        # of a task that was taken back nothing more is told
        return [self._read(ticket, one) for ticket, one in heard if one is None or self._futures.get(ticket) is one]

    def stop(self, function: Callable[[Any], Any], given: Any) -> None:
        """Cancel what waits, and call a function on every worker that fits, which may end what goes on."""

        def tell() -> None:
            with contextlib.suppress(Exception):
                self._client.cancel(list(self._futures.values()))
                self._client.run(function, given, workers=list(self._threads), on_error="ignore")

        # a worker that does not answer is not waited for
        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        teller.join(STOP_SECONDS)

    def close(self) -> None:
        """Leave the cluster; what nobody waits for any more is forgotten there."""
        self._futures.clear()
        self._asked.clear()
        with contextlib.suppress(Exception):
            self._client.close(timeout=STOP_SECONDS)

    def _admit(self, worker: str) -> tuple[str, Exception] | None:
        """Read the answer of a worker, where it has come: one that fits is counted, one that does not is returned."""
        future = self._asked[worker]
        if not future.done():
            return None
        del self._asked[worker]
        try:
            refused = future.result(timeout=RESULT_SECONDS)
        except (TimeoutError, concurrent.futures.CancelledError):
            # the worker is going, or the scheduler: the next look will tell
            return None
        except Exception as error:
            refused = error
        if refused is None:
            self._threads[worker] = self._known[worker]
            return None
        self._refused.add(worker)
        return worker, refused

    def _take_back(self) -> None:
        """Take back the tasks that no worker has, though there is one that fits.

        A task whose last worker was lost waits for the next that joins, and is not looked at again when that gets its
        resource a moment later.
        """
        at_work = {key for keys in self._client.processing().values() for key in keys}
        nowhere = {t for t, one in self._futures.items() if one.status == "pending" and one.key not in at_work}
        # one that ended just now may not be heard of yet
        stuck = nowhere & self._nowhere if self._threads else set()
        self._nowhere = nowhere - stuck
        for ticket in stuck:
            self._client.cancel([self._futures.pop(ticket)])
            self._heard.put((ticket, None))

    def _read(self, ticket: Any, future: Any) -> Ended:
        if future is None:
            return Ended(ticket=ticket)
        del self._futures[ticket]
        if future.status == "cancelled":
            raise LostSchedulerError("the scheduler forgot what it was given")
        try:
            return Ended(ticket=ticket, value=future.result(timeout=RESULT_SECONDS))
        except Exception as error:
            # a worker that is lost between its answer and our asking is one more error: the task knows what it did
            self._confirm()
            return Ended(ticket=ticket, error=error)

    def _confirm(self) -> None:
        if self._client.status != "running":
            raise LostSchedulerError("the connection is lost")


def _new_key(word: str) -> str:
    return f"qbase-{word}-{uuid.uuid4().hex}"


def enter_cluster(check: Check, worker: str, given: Any, mark: str) -> QbaseError | None:
    """Check on a worker whether it fits, and let it have the resource that tasks ask for; none where it does not."""
    from distributed import get_worker
    from distributed.utils import sync

    refused = check(worker, given)
    here = get_worker()
    sync(here.loop, here.set_resources, **{mark: 0 if refused else here.state.nthreads})
    return refused
