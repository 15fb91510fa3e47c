"""The engine ``qbase-fork``: cells run in a fork of a process that has loaded the libraries already.

nbclient speaks to it as to any kernel; what it takes for a kernel's manager and channels is a pipe.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import logging
import os
import pathlib
import queue
import tempfile
import uuid
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from nbformat import NotebookNode

from qbase.reports.executing.cell_client import START_SECONDS, CellClient, join_streams
from qbase.reports.executing.execution_job import Job
from qbase.reports.executing.fork_door import NoForkError, open_door
from qbase.reports.executing.fork_template import HIDDEN
from qbase.reports.executing.kernel_engine import run_in_kernel
from qbase.reports.executing.run_environment import (
    FILE,
    THREAD_LOG,
    allowed_environment,
    end_group,
    end_leftovers,
    read_thread_errors,
)

MOST_WAITING = 500
"""A fork that shows more than is looked at meanwhile waits, or a flood would fill the memory before it is counted."""
CELLS = "qbase.reports.executing.cell_kernel:serve_cells"
BOOT_SECONDS = 120
"""The first fork waits until the server has loaded the libraries."""


def run_in_fork(nb_man: Any, kernel_name: str, job: Job) -> None:
    """Run the cells of a managed notebook in a fork, or in a kernel where no fork can be had."""
    try:
        fork = _take_fork(nb_man.nb, job.root)
    except NoForkError as error:
        with (job.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"engine kernel instead of fork: {error}\n")
        run_in_kernel(nb_man, kernel_name, job)
        return
    _run(nb_man, fork, job)


def _take_fork(notebook: NotebookNode, root: pathlib.Path) -> Fork:
    obstacle = find_obstacle(notebook, root)
    if obstacle:
        raise NoForkError(obstacle)
    fork = Fork(*open_door().start(CELLS))
    fork.check()
    return fork


def find_obstacle(notebook: NotebookNode, root: pathlib.Path) -> str:
    """Return why a notebook must have a kernel of its own, or an empty text.

    Parameters
    ----------
    notebook : NotebookNode
        A library that cannot be loaded before a fork is looked for by its name.
    root : Path
        Settings of matplotlib in it hold from the moment it is loaded.
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    named = next((name for name in HIDDEN if any(name in source for source in sources)), "")
    if named:
        return f"the notebook names {named}"
    return "the workspace has a matplotlibrc" if (root / "matplotlibrc").is_file() else ""


def _run(nb_man: Any, fork: Fork, job: Job) -> None:
    def ready(notebook: NotebookNode) -> None:
        job.started, job.group = True, fork.pid

    client = CellClient(nb_man, job, km=fork, on_notebook_start=ready)
    client.owns_km = True
    fork.on_death = lambda: client.task_poll_for_reply and client.task_poll_for_reply.cancel()
    try:
        # of this side, since the fork is killed at the end and clears nothing away
        with tempfile.TemporaryDirectory(prefix="qb-", ignore_cleanup_errors=True) as scratch:
            own = {"IPYTHONDIR": scratch, THREAD_LOG: str(job.folder / FILE)}
            fork.settle(allowed_environment(job.environment) | own, str(job.root))
            try:
                client.execute()
            finally:
                fork.end()
    finally:
        end_leftovers(job.environment.get("QBASE_RUN_ID", ""))
        join_streams(nb_man.nb)
        job.executed = nb_man.nb
        job.thread_errors = read_thread_errors(job.folder)


class Fork:
    """A forked run as nbclient sees it: manager, client and both channels of a kernel.

    Parameters
    ----------
    pipe : Connection
        To the fork.
    pid : int
        Its process id, also that of its group.
    """

    ipykernel = False

    def __init__(self, pipe: Connection, pid: int) -> None:
        self.pipe, self.pid, self.has_kernel, self.allow_stdin = pipe, pid, False, False
        self.iopub_channel, self.shell_channel = Channel(), Channel()
        self.on_death: Callable[[], Any] = lambda: None
        self._lives = True
        self._end = _watch(pid)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._language: dict[str, Any] = {}

    def check(self) -> None:
        """Hear what the fork says of the process it comes from.

        Raises
        ------
        NoForkError
            It says nothing in time, or that process has more than one thread.
        """
        try:
            if not self.pipe.poll(BOOT_SECONDS):
                raise NoForkError(f"no fork within {BOOT_SECONDS} s")
            hello = json.loads(self.pipe.recv_bytes())
        except (EOFError, OSError) as error:
            self.end()
            raise NoForkError("the fork died at once") from error
        if hello["server_threads"] != 1 or hello["threads"] != 1:
            self.end()
            raise NoForkError(f"{hello['server_threads']} threads in the fork server")
        if hello["never"]:
            self.end()
            raise NoForkError(f"loaded before the fork: {' · '.join(hello['never'])}")

    def settle(self, environment: dict[str, str], root: str) -> None:
        """Send the plan of the run."""
        self._send({"environment": environment, "root": root})

    async def start_kernel(self, **ignored: Any) -> None:
        """Begin to listen; the fork runs already."""
        self.has_kernel = True

    def client(self) -> Fork:
        """Return itself: it is its own client."""
        return self

    def start_channels(self) -> None:
        """Do nothing; the pipe is open."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the shell of the fork stands.

        Raises
        ------
        RuntimeError
            It did not come to that.
        """
        self._listen()
        message: dict[str, Any] = {"msg_type": ""}
        while message["msg_type"] not in {"ready", "failed", "dead"}:
            # what is written while the shell is made belongs to no cell
            try:
                message = await self.iopub_channel.get_msg(timeout or START_SECONDS)
            except queue.Empty as error:
                raise RuntimeError("the forked run did not answer") from error
        if message["msg_type"] != "ready":
            trace = message["content"].get("trace", "")
            raise RuntimeError(f"the forked run died before its first cell\n{trace}")
        self._language = message["content"]

    def execute(self, code: str, store_history: bool = True, stop_on_error: bool = True) -> str:
        """Send a cell and return the id of the request."""
        number = uuid.uuid4().hex
        now = datetime.datetime.now(datetime.UTC).isoformat()
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": "qbase", "date": now}
        content = {"code": code, "silent": False, "store_history": store_history, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": stop_on_error}
        self._send({"header": header, "parent_header": {}, "metadata": {}, "content": content, **_both(header)})
        return number

    def kernel_info(self) -> str:
        """Answer at once what kind of kernel this is."""
        number = uuid.uuid4().hex
        self.shell_channel.put({"parent_header": {"msg_id": number}, "content": self._language})
        return number

    def is_alive(self) -> bool:
        """Whether the fork still holds its end of the pipe."""
        return self._lives

    def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """End the fork with everything in its group."""
        self.end()

    async def cleanup_resources(self, restart: bool = False) -> None:
        """End what still waits for messages; nbclient does not after a time limit."""
        for channel in (self.iopub_channel, self.shell_channel):
            channel.close()
        for _ in range(3):
            await asyncio.sleep(0)

    def stop_channels(self) -> None:
        """Do nothing; the pipe was closed with the fork."""

    def end(self) -> None:
        """Kill the fork with everything in its group and close the pipe."""
        if not self.pipe.closed:
            self._hear_no_more()
            end_group(self.pid)
            self.pipe.close()
            if self._end is not None:
                os.close(self._end)
        self._lives = False

    def _hear_no_more(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self.pipe.fileno())
            if self._end is not None:
                self._loop.remove_reader(self._end)

    def _send(self, message: dict[str, Any]) -> None:
        # a fork that is gone is noticed where its answer is waited for
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(json.dumps(message).encode())

    def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.pipe.fileno(), self._read)
        if self._end is not None:
            self._loop.add_reader(self._end, self._ended)

    def _ended(self) -> None:
        """Take what the fork has still said; a copy of it may hold the pipe open long after its death."""
        self._read(is_last=True)
        if self._lives:
            self._die()

    def _die(self) -> None:
        self._lives = False
        self._hear_no_more()
        self.iopub_channel.put({"msg_type": "dead", "parent_header": {}, "content": {}})
        self.on_death()

    def _read(self, *, is_last: bool = False) -> None:
        """Take what has come; while much of it waits to be looked at, the pipe holds the fork back."""
        try:
            while (is_last or self.iopub_channel.size < MOST_WAITING) and self.pipe.poll():
                message = json.loads(self.pipe.recv_bytes())
                message["buffers"] = [base64.b64decode(b) for b in message["buffers"]]
                if message["msg_type"] == "failed":
                    logging.getLogger("papermill").error("forked run: %s", message["content"]["trace"])
                channel = self.shell_channel if message["channel"] == "shell" else self.iopub_channel
                channel.put(message)
        except (EOFError, OSError):
            self._die()


class Channel:
    """Messages in the order they came."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    @property
    def size(self) -> int:
        """How many messages wait."""
        return self._came.qsize()

    def put(self, message: dict[str, Any]) -> None:
        """Add a message."""
        self._came.put_nowait(message)

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message.

        Raises
        ------
        queue.Empty
            None came in time.
        asyncio.CancelledError
            The channel was closed.
        """
        try:
            message = await asyncio.wait_for(self._came.get(), timeout)
        except TimeoutError as error:
            raise queue.Empty from error
        if message is None:
            raise asyncio.CancelledError
        return message

    def close(self) -> None:
        """Let whoever waits go."""
        self._came.put_nowait(None)


def _watch(pid: int) -> int | None:
    """Return a descriptor that can be read once a process has ended; None where the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _both(header: dict[str, Any]) -> dict[str, Any]:
    return {"msg_id": header["msg_id"], "msg_type": header["msg_type"], "buffers": []}
