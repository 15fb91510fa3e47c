"""What a Dask worker does for a batch: it is checked, and runs each report in a process of its own.

The worker itself stays light and may be daemonic: a run is forked by the fork server, or started as a program of its
own, and either ends when the worker does. Whether it may begin is for the ledger to say: Dask begins a task again
whose worker it has lost, and cannot know how far that came.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from qbase.core.errors import QbaseError, SetupError
from qbase.core.lazy import PACKAGE
from qbase.lake import find_ledger, find_slot, open_workspace
from qbase.lake.storage.this_host import host_of
from qbase.reports.batching.run_batch import build_lost, close_lost, run_one
from qbase.reports.executing.fork_door import NoForkError, open_door
from qbase.reports.executing.run_kernel import die_with_parent
from qbase.reports.running import fingerprint

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.batching.batch_jobs import Job, Outcome
    from qbase.reports.executing.execution_job import EngineName

FORKED = "qbase.reports.batching.worker_runs:serve_given"
STARTED = "from qbase.reports.batching.worker_runs import main; main()"
TAKEN = "QB835"
DRAWING = ("numpy", "scipy", "pyarrow", "matplotlib", "seaborn")
"""Beside the libraries of a fingerprint: with others, numbers or pictures may be others."""

_at_work: dict[int, str] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """What a worker must have in common with the caller of a batch.

    Parameters
    ----------
    root : str
        Folder of the workspace.
    token : str
        What a file says there that the caller put there: by it a worker knows that it sees the same folder.
    versions : mapping
        Of program and libraries.
    host : str
        Machine of the caller.
    is_shared : bool
        Whether the ledger is on a server.
    """

    root: str
    token: str
    versions: Mapping[str, str]
    host: str
    is_shared: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """A report that a worker is given.

    Parameters
    ----------
    root : str
        Folder of the workspace.
    batch : str
        Number of the batch.
    job : Job
        With its logical date.
    engine : {"kernel", "fork"}
        Where its cells run.
    key : str
        Of its slot; empty where the report does not hold, which its run will say.
    token : int
        Of the latest claim of the slot when it was given: a later one means that somebody has begun it since.
    """

    root: str
    batch: str
    job: Job
    engine: EngineName
    key: str
    token: int


def new_terms(workspace: Workspace, token: str) -> Terms:
    """Return what the workers of a batch of this process must have."""
    is_shared = find_ledger(workspace).is_shared
    return Terms(root=str(workspace.root), token=token, versions=versions(), host=host_of(), is_shared=is_shared)


def versions() -> dict[str, str]:
    """Return the versions by which machines are held to be alike."""
    return fingerprint.versions() | {name: importlib.metadata.version(name) for name in DRAWING}


def token_path(root: str, token: str) -> pathlib.Path:
    """Return the file that proves a folder to be that of the caller."""
    return pathlib.Path(root, "data", f".cluster-{token}")


def check_worker(worker: str, terms: Terms) -> QbaseError | None:
    """Return why the worker that calls this may run no report of a batch; None when it may."""
    here = versions()
    moved = [name for name, version in terms.versions.items() if here.get(name) != version]
    if moved:
        return SetupError(
            "QB877",
            worker=worker,
            found=" · ".join(f"{name} {here.get(name, '–')}" for name in moved),
            expected=" · ".join(f"{name} {terms.versions[name]}" for name in moved),
            fix="install the same qbase and the same lock on every machine, then restart dask worker",
        )
    if not terms.is_shared and terms.host != host_of():
        return SetupError(
            "QB879",
            worker=worker,
            found=f"data/ledger.sqlite, on {terms.host.partition('/')[0]}; worker on {host_of().partition('/')[0]}",
            expected="a ledger on a server that every machine reaches",
            fix="qbase ledger move postgresql+pg8000://USER@HOST:5432/DATABASE",
        )
    found = _find_obstacle(terms)
    if found:
        fix = "mount the folder there under the same path; give the worker ~/.pgpass or the same QBASE_LEDGER"
        expected = f"{terms.root}, shared and writable, with the ledger of the caller"
        return SetupError("QB878", worker=worker, found=found, expected=expected, fix=fix)
    return None


def _find_obstacle(terms: Terms) -> str:
    """Return what keeps this process from publishing in the workspace; empty when nothing does."""
    path = token_path(terms.root, terms.token)
    try:
        if path.read_text(encoding="ascii") != terms.token:
            return f"another folder at {terms.root}"
        workspace = open_workspace(terms.root)
        if find_ledger(workspace).is_shared != terms.is_shared:
            return f"another ledger: {workspace.book.name}"
        for folder in (workspace.runs, workspace.site):
            with tempfile.TemporaryFile(dir=folder):
                pass
    except FileNotFoundError as error:
        return f"no {error.filename}"
    except OSError as error:
        return f"{error.filename or terms.root}: {error.strerror}"
    except QbaseError as error:
        return f"{error.code} {error.what_en}: {error.found}"
    return ""


def run_given(given: Given) -> Outcome | None:
    """Run a report in a process of its own, from a worker; None where its slot was claimed since it was given."""
    pipe, pid, process = _start(given.engine)
    _at_work[pid] = given.batch
    try:
        pipe.send(given)
        outcome: Outcome | None = pipe.recv()
    except (EOFError, OSError) as error:
        # this machine knows at once that its runner is gone; another one would wait for the end of the lease
        close_lost(open_workspace(given.root), given.job.report_id)
        return build_lost(given.job, f"{type(error).__name__}: {error}")
    finally:
        del _at_work[pid]
        pipe.close()
        if process is not None:
            process.wait()
    return outcome


def end_runs(batch: str) -> None:
    """End what this worker runs for a batch."""
    for pid in [pid for pid, of in list(_at_work.items()) if of == batch]:
        os.kill(pid, signal.SIGKILL)


def _start(engine: EngineName) -> tuple[Connection, int, subprocess.Popen[bytes] | None]:
    """Start the process of a run; return the pipe to it, its id, and itself where nobody else waits for its end."""
    if engine == "fork":
        try:
            return *open_door().start(FORKED), None
        except NoForkError:
            pass
    ours, theirs = socket.socketpair()
    paths = [str(PACKAGE.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", STARTED, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Connection(ours.detach()), process.pid, process


def serve_given(pipe: Connection) -> None:
    """Run the one report that comes through a pipe and send what became of it; the life of a forked runner."""
    os.setsid()
    die_with_parent(os.getppid())
    pipe.send(_answer(pipe.recv(), "fork"))
    pipe.close()
    # the outcome is told and every file is written
    os._exit(0)


def main() -> None:
    """Do as `serve_given` in a program of its own, whose cells have a kernel."""
    pipe = Connection(int(sys.argv[1]))
    given = pipe.recv()
    threading.Thread(target=_end_with_worker, args=(pipe,), daemon=True).start()
    pipe.send(_answer(given, "kernel"))
    os._exit(0)


def _end_with_worker(pipe: Connection) -> None:
    """End this process when the worker that started it is gone; its kernel ends with it."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)


def _answer(given: Given, engine: EngineName) -> Outcome | None:
    """Run what is given unless its slot was claimed since; None leaves it to the ledger to say what became of it."""
    workspace = open_workspace(given.root)
    after = given.token if given.key else None
    outcome = run_one(workspace, given.job, engine=engine, after=after)
    if after is not None and outcome.error is not None and outcome.error.code == TAKEN:
        slot = find_slot(workspace, given.key)
        return None if slot is not None and slot.token != after else outcome
    return outcome
