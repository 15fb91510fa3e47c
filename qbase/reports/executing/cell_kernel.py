"""The side of a forked run that executes cells: ipykernel's own kernel and shell, with a pipe in the place of sockets.

The same classes make the same messages as in a kernel of its own, and nbclient reads them; only what carries them
from one process to the other differs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any, cast

from ipykernel.eventloops import enable_gui
from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from traitlets import Any as AnyTrait
from traitlets.config import Config

from qbase.reports.executing import fork_template
from qbase.reports.executing.cell_streams import Outlet
from qbase.reports.executing.run_environment import RUN_ID, mark_process, watch_threads
from qbase.reports.executing.run_kernel import die_with_parent, limit_memory, seed_everything, write_no_core

IOPUB, SHELL = "iopub", "shell"
INLINE = "module://matplotlib_inline.backend_inline"


class PipeSession(Session):
    """Builds messages as ever and sends them through a pipe."""

    pipe = AnyTrait()
    lock = AnyTrait()

    def send(
        self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *args: Any, **more: Any
    ) -> Any:
        """Send a message built before, or one of the given type and content."""
        if os.getpid() != self.pid:
            return None
        if isinstance(msg_or_type, dict):
            message = msg_or_type
        else:
            kept = {name: more[name] for name in ("header", "metadata") if name in more}
            message = self.msg(msg_or_type, content=content, parent=parent, **kept)
        buffers = more.get("buffers") or message.get("buffers") or []
        told = {name: message[name] for name in ("header", "parent_header", "metadata", "content", "msg_type")}
        told |= {"channel": stream, "buffers": [base64.b64encode(b).decode() for b in buffers]}
        data = self.pack(told)
        with self.lock:
            self.pipe.send_bytes(data)
        return message


class CellShell(ZMQInteractiveShell):
    """ipykernel's shell, whose kernel is no application."""

    def enable_gui(self, gui: Any = None) -> None:
        """Take part in an event loop, of which a run has none but its own."""
        enable_gui(gui, kernel=self.kernel)  # type: ignore[no-untyped-call]
        self.active_eventloop = gui


class CellKernel(IPythonKernel):
    """ipykernel's kernel without sockets and threads."""

    shell_class = CellShell
    _execute_sleep = 0.0

    def _abort_queues(self, subshell_id: Any = None) -> None:
        """There is no queue: the next cell comes when this one is done."""

    async def carry_out(self, request: Mapping[str, Any]) -> None:
        """Execute the code of one request and tell its end."""
        kernel: Any = self
        kernel.set_parent([], request)
        kernel._publish_status("busy", "shell")
        await kernel.execute_request(SHELL, [], request)
        kernel._publish_status("idle", "shell")


def serve_cells(pipe: Connection) -> None:
    """Execute the cells that come through a pipe; the life of a forked run.

    The first message is the plan of the run (``environment``, ``root``), every other one the request of a cell.

    Parameters
    ----------
    pipe : Connection
        To the process that waits for the cells. When it closes, this process ends.
    """
    os.setsid()
    die_with_parent(os.getppid())
    hello = {"channel": "hello", "pid": os.getpid(), **fork_template.state(), "server_threads": _threads(os.getppid())}
    pipe.send_bytes(json.dumps(hello).encode())
    try:
        plan = json.loads(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)
    try:
        settle(plan)
        asyncio.run(_serve(pipe))
    except Exception:
        told = {"content": {"trace": traceback.format_exc()}, "channel": IOPUB, "parent_header": {}, "buffers": []}
        with contextlib.suppress(OSError):
            pipe.send_bytes(json.dumps({**told, "msg_type": "failed"}).encode())
    finally:
        # what a cell has left running must not keep the process alive
        os._exit(0)


def settle(plan: Mapping[str, Any]) -> None:
    """Make of a fork what a new process of the given environment would be."""
    os.environ.clear()
    os.environ.update(plan["environment"])
    os.environ.setdefault("MPLBACKEND", INLINE)
    mark_process(os.environ.get(RUN_ID, ""))
    time.tzset()
    os.chdir(plan["root"])
    tempfile.tempdir = None
    sys.path[:] = [path for path in sys.path if path]
    sys.argv[:] = ["qbase"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    limit_memory(int(os.environ.get("QBASE_MEMORY_MB", "0")), held=_held_megabytes())
    write_no_core()
    seed_everything(int(os.environ.get("QBASE_SEED", "0")))
    # what was warned of while the libraries were loaded is new to this run
    with warnings.catch_warnings():
        pass
    watch_threads()


async def _serve(pipe: Connection) -> None:
    session = PipeSession(pipe=pipe, lock=threading.RLock())
    outlet = Outlet(lambda name, text, header: session.send(IOPUB, "stream", {"name": name, "text": text}, header))
    sys.stdout, sys.stderr = outlet.streams[1], outlet.streams[2]
    kernel = take_kernel(session)
    session.send(IOPUB, "ready", {"language_info": kernel.language_info})
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe.fileno(), came.set)
    while True:
        await came.wait()
        came.clear()
        while pipe.poll():
            try:
                request = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            await kernel.carry_out(request)
            outlet.flush()


def prepare_kernel() -> None:
    """Make the kernel and its shell before the fork; it looks at every module, and a fork would copy them all."""
    config = Config()
    # it would write what was typed to a file, from a thread
    config.HistoryManager.enabled = False
    named = {"session": PipeSession(), "iopub_socket": IOPUB, "log": logging.getLogger("ipykernel"), "config": config}
    with tempfile.TemporaryDirectory(prefix="qb-") as scratch, _environment({"IPYTHONDIR": scratch}):
        kernel: Any = CellKernel.instance(**named)
        kernel.shell.extension_manager.load_extension("storemagic")
    kernel.shell_channel_thread = types.SimpleNamespace(parent_thread=threading.main_thread())


def take_kernel(session: Session) -> CellKernel:
    """Return the kernel that was made before the fork, with a session of this process."""
    kernel: Any = CellKernel.instance()
    kernel.session = kernel.shell.displayhook.session = kernel.shell.display_pub.session = session
    kernel.shell.init_environment()
    return cast("CellKernel", kernel)


@contextlib.contextmanager
def _environment(changed: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _held_megabytes() -> int:
    lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmData")), 0)


def _threads(pid: int) -> int:
    try:
        return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0
