"""Where a runner asks for forks: one server per process, started when first needed, anew when the package changed."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

from qbase.core.lazy import PACKAGE
from qbase.reports.executing.fork_template import QUIET
from qbase.reports.executing.run_environment import allowed_environment

START = "from qbase.reports.executing.fork_server import main; main()"
INLINE = "module://matplotlib_inline.backend_inline"
MOST_BYTES = 65536
CODE = (".py", ".toml", ".sql", ".j2", ".css")

Stamp = tuple[object, ...]


class NoForkError(RuntimeError):
    """No fork can be had here, or none that is safe; the run takes a kernel of its own."""


class Door:
    """The way to one server."""

    def __init__(
        self, line: socket.socket, stamp: Stamp | None = None, server: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.line, self.stamp, self.server = line, stamp, server
        self._lock = threading.Lock()

    def start(self, call: str) -> tuple[Connection, int]:
        """Start a fork.

        Parameters
        ----------
        call : str
            Function of the house that it runs, ``module:name``; it gets the other end of the pipe.

        Returns
        -------
        tuple of (Connection, int)
            The pipe to it, and its process id.

        Raises
        ------
        NoForkError
            The server is gone or could not start it.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                socket.send_fds(self.line, [json.dumps({"call": call}).encode()], [theirs.fileno()])
                answer = json.loads(self.line.recv(MOST_BYTES) or b"{}")
        except (OSError, ValueError) as error:
            ours.close()
            raise NoForkError(f"{type(error).__name__}: {error}") from error
        if "pid" not in answer:
            ours.close()
            raise NoForkError(answer.get("error", "the fork server is gone"))
        return Connection(ours.detach()), answer["pid"]

    def close(self) -> None:
        """End the server and with it all forks."""
        self.line.close()
        if self.server is not None:
            self.server.wait()


_here: list[Door] = []
_opening = threading.Lock()


def open_door() -> Door:
    """Return the door of this process, to a server whose code and environment are those of today.

    Raises
    ------
    NoForkError
        This system has no fork server.
    """
    if not sys.platform.startswith("linux"):
        raise NoForkError(f"no fork server on {sys.platform}")
    with _opening:
        if _here and _here[0].stamp is None:
            # this process is a fork itself and asks the server it comes from
            return _here[0]
        stamp = stamp_of()
        if _here and (_here[0].stamp != stamp or _is_gone(_here[0])):
            _here.pop().close()
        if not _here:
            _here.append(_new_door(stamp))
            atexit.register(close_door)
        return _here[0]


def close_door() -> None:
    """End the server of this process; the next fork starts a new one."""
    with _opening:
        if _here:
            _here.pop().close()


def adopt(line: socket.socket) -> None:
    """Use the way to the server that a fork was given."""
    _here[:] = [Door(line)]


def stamp_of() -> Stamp:
    """Return what a server must have been started with: its environment, and every file of the package."""
    files = []
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            if name.endswith(CODE):
                with contextlib.suppress(OSError):
                    known = os.stat(os.path.join(folder, name))
                    files.append((os.path.join(folder, name), known.st_mtime_ns, known.st_size))
    return (tuple(sorted(allowed_environment({}).items())), tuple(sorted(files)))


def _new_door(stamp: Stamp) -> Door:
    ours, theirs = socket.socketpair()
    environment = allowed_environment({}) | QUIET | {"MPLBACKEND": INLINE}
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-P", "-c", START, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            cwd=PACKAGE.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Door(ours, stamp, server)


def _is_gone(door: Door) -> bool:
    return door.server is None or door.server.poll() is not None
