"""The process between a runner and the fork server of the standard library: starts forks, ends them with their owner.

Started as ``python -P -c "from qbase.reports.executing.fork_server import main; main()" HANDLE``, so that its
environment is exactly that of a run and the caller's own main module is never loaded again. It has one thread, holds no
library, and drives the fork server alone: two threads that start processes of one server mix up their exit codes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import selectors
import signal
import socket
import sys
from multiprocessing.connection import Connection
from typing import Any

TEMPLATE = "qbase.reports.running.fork_preload"
ROOM = "qbase.reports."
MOST_BYTES = 65536
YOUNG = 50_000
"""New objects after which a fork looks for rings that nobody holds; Python's own 700 suit programs that stay."""
MOST_HANDLES = 4


def main() -> None:
    """Serve the runner at the other end of the socket whose number is the first argument, until it is gone."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([TEMPLATE])
    Server(context, socket.socket(fileno=int(sys.argv[1]))).serve()


class Server:
    """Owners and their forks; an owner is the runner, or a fork that asks for forks of its own."""

    def __init__(self, context: Any, runner: socket.socket) -> None:
        self.context, self.runner = context, runner
        self.selector = selectors.DefaultSelector()
        self.owned: dict[socket.socket, list[Any]] = {}
        self._add_owner(runner)

    def serve(self) -> None:
        """Answer requests and bury the dead until the runner is gone."""
        while self.runner in self.owned:
            for key, _ in self.selector.select():
                if isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)
                else:
                    self._bury(key.data)
        for owner in list(self.owned):
            self._end(owner)

    def _add_owner(self, owner: socket.socket) -> None:
        self.owned[owner] = []
        self.selector.register(owner, selectors.EVENT_READ)

    def _hear(self, owner: socket.socket) -> None:
        try:
            data, handles, _, _ = socket.recv_fds(owner, MOST_BYTES, MOST_HANDLES)
        except OSError:
            data, handles = b"", []
        if not data:
            self._end(owner)
            return
        try:
            answer = self._start(owner, json.loads(data)["call"], handles)
        except (OSError, EOFError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            for handle in handles:
                os.close(handle)
        with contextlib.suppress(OSError):
            owner.sendall(json.dumps(answer).encode())

    def _start(self, owner: socket.socket, call: str, handles: list[int]) -> dict[str, Any]:
        if not call.startswith(ROOM):
            raise ValueError(f"no call of the house: {call}")
        ours, theirs = socket.socketpair()
        pipes = [Connection(os.dup(handle)) for handle in handles]
        process = self.context.Process(target=enter, args=(call, theirs, *pipes))
        try:
            process.start()
        finally:
            theirs.close()
            for pipe in pipes:
                pipe.close()
        self.selector.register(process.sentinel, selectors.EVENT_READ, (owner, process, ours))
        self.owned[owner].append(process)
        self._add_owner(ours)
        return {"pid": process.pid}

    def _bury(self, known: tuple[socket.socket, Any, socket.socket]) -> None:
        owner, process, own = known
        self.selector.unregister(process.sentinel)
        process.join()
        if owner in self.owned:
            self.owned[owner].remove(process)
        if own in self.owned:
            self._end(own)
        process.close()

    def _end(self, owner: socket.socket) -> None:
        """Kill what an owner that is gone has started, with everything in its group."""
        for process in self.owned.pop(owner):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
        self.selector.unregister(owner)
        owner.close()


def enter(call: str, door: socket.socket, *pipes: Connection) -> None:
    """Begin the life of a fork: call a function of the house by its name, with the pipes it was given."""
    from qbase.reports.executing import fork_door

    # a fork lives for one report: what it no longer needs is soon given back whole, and looking for it costs a tenth
    gc.set_threshold(YOUNG)
    fork_door.adopt(door)
    module, _, name = call.partition(":")
    getattr(importlib.import_module(module), name)(*pipes)
