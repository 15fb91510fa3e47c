"""One notebook through papermill in a private kernel: time limit, allow-listed environment, no orphan.

papermill's own verdict is never used: after a killed kernel it says "completed". What happened is
read from the exception and from the cells (`qbase.reports.executing.completeness`).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import dataclasses
import logging
import math
import os
import pathlib
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.translators import PythonTranslator

from qbase.core.errors import UsageError
from qbase.core.package import PACKAGE

ENGINE = "qbase"
START_SECONDS = 60
# a Unix socket's path holds 107 bytes, and jupyter appends to ours
SOCKET_PATH = 80
ALLOWED = (
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS", "PYTHONWARNINGS", "PYTHONUTF8", "SOURCE_DATE_EPOCH", "QBASE_CACHE",
)  # fmt: skip


@dataclasses.dataclass(kw_only=True)
class Job:
    """One execution: what goes in, and what is known when it ends, however it ends.

    Parameters
    ----------
    notebook : NotebookNode
        Source; papermill works on a copy.
    params : dict
        Values to inject, JSON types only.
    root : Path
        Working folder of the kernel.
    folder : Path
        Run folder; ``log.txt`` goes there.
    environment : mapping
        Added to the allowed part of this process's environment.
    seconds : int
        Limit of the whole run.
    on_cell : callable
        Called with (cells begun, code cells).
    """

    notebook: NotebookNode
    params: dict[str, Any]
    root: pathlib.Path
    folder: pathlib.Path
    environment: Mapping[str, str]
    seconds: int
    on_cell: Callable[[int, int], None] = lambda done, total: None
    executed: NotebookNode | None = None
    running: int | None = None
    started: bool = False
    group: int | None = None
    exception: Exception | None = None


class _OneKernel(KernelSpecManager):
    """Knows one kernel: the Python that runs this process, whatever the user has installed elsewhere."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-P", "-m", "qbase.reports.executing.run_kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class _Engine(NBClientEngine):  # type: ignore[misc]
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, job: Job, **ignored: Any) -> None:
        client = _client(nb_man, kernel_name, job)
        with tempfile.TemporaryDirectory(prefix="qb-", ignore_cleanup_errors=True) as scratch:
            manager = client.create_kernel_manager()
            manager.kernel_spec_manager = _OneKernel()
            manager.log = client.log
            if os.name == "posix" and len(scratch) < SOCKET_PATH:
                # no port to race for and nothing on the network
                manager.transport = "ipc"
            manager.connection_file = os.path.join(scratch, "k.json")
            environment = allowed_environment(job.environment) | {"IPYTHONDIR": scratch}
            try:
                with (job.folder / "log.txt").open("ab") as log:
                    client.execute(env=environment, cwd=str(job.root), stdout=log, stderr=log)
            finally:
                job.executed = copy.deepcopy(nb_man.nb)
                _end_group(job.group)


def execute(job: Job) -> None:
    """Execute the notebook of a job and fill in what is known of it.

    Parameters
    ----------
    job : Job
        Its fields ``executed``, ``running``, ``started`` and ``exception`` are filled in. Nothing is
        raised for what a cell or a kernel does.
    """
    check_injection(job.params)
    papermill_engines.register(ENGINE, _Engine)
    with _log_to(job.folder / "log.txt"):
        try:
            papermill.execute_notebook(
                job.notebook,
                None,
                parameters=job.params,
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                log_output=False,
                request_save_on_cell_execute=False,
                job=job,
            )
        except (PapermillExecutionError, CellTimeoutError, DeadKernelError, RuntimeError, OSError) as error:
            job.exception = error


def check_injection(params: Mapping[str, Any]) -> None:
    """Prove that the cell papermill will inject assigns exactly the given values, and does nothing else.

    Parameters
    ----------
    params : mapping
        Checked values by name.

    Raises
    ------
    ValueError
        The generated source would do anything else; never seen, and never to be run.
    """
    read: dict[str, Any] = {}
    for node in ast.parse(PythonTranslator.codify(dict(params))).body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise ValueError(f"the injected cell would run {ast.unparse(node)}")
        read[node.targets[0].id] = ast.literal_eval(node.value)
    if read != dict(params) or repr(read) != repr(dict(params)):
        raise ValueError("the injected cell would assign other values than the ones checked")


def allowed_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return what a kernel may see of the environment: an allow-list, never secrets of the host.

    Parameters
    ----------
    extra : mapping
        Variables of the run, which win.

    Returns
    -------
    dict
        With the folder of this very package first on the path, so that the code that runs is
        the code that was fingerprinted.
    """
    kept = {k: v for k, v in os.environ.items() if k in ALLOWED or k.startswith("LC_")}
    package = str(PACKAGE.parent)
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**kept, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONHASHSEED": "0", **extra}


def _client(nb_man: Any, kernel_name: str, job: Job) -> Any:
    deadline = time.monotonic() + job.seconds
    codes = [i for i, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]

    def remaining(cell: NotebookNode) -> int:
        return max(1, math.ceil(deadline - time.monotonic()))

    def begin(cell: NotebookNode, cell_index: int) -> None:
        job.running = cell_index
        job.on_cell(sum(i <= cell_index for i in codes), len(codes))

    def ready(notebook: NotebookNode) -> None:
        job.started = True
        job.group = client.km.provisioner.pgid

    client = PapermillNotebookClient(
        nb_man,
        kernel_name=kernel_name,
        timeout_func=remaining,
        startup_timeout=START_SECONDS,
        shutdown_kernel="immediate",
        on_cell_execute=begin,
        on_notebook_start=ready,
        log=logging.getLogger("papermill"),
    )
    return client


def _end_group(group: int | None) -> None:
    if group is not None and hasattr(os, "killpg"):
        # what a cell has started and left behind in the kernel's group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@contextlib.contextmanager
def _log_to(path: pathlib.Path) -> Iterator[None]:
    """Send what papermill and nbclient log to a file; unhandled it would end up on the terminal."""
    logger = logging.getLogger("papermill")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.propagate, logger.level = before


def as_notebook(document: Mapping[str, Any], *, shown: str = "notebook") -> NotebookNode:
    """Return a plain notebook document as nbformat's type, at its current minor version.

    Parameters
    ----------
    document : mapping
        As the file holds it.
    shown : str
        How messages name the file.

    Returns
    -------
    NotebookNode
        Cells without an id, or with the id of another, have one of their own.

    Raises
    ------
    UsageError
        The document breaks a rule of notebooks, such as a tag that stands twice (QB832).
    """
    try:
        node = nbformat.from_dict(copy.deepcopy(dict(document)))  # type: ignore[no-untyped-call]
        node = nbformat.v4.upgrade(node)  # type: ignore[no-untyped-call]
        with warnings.catch_warnings():
            # an id that is missing or stands twice is given anew, which is nothing to warn of
            warnings.simplefilter("ignore")
            _, node = nbformat.validator.normalize(node)
        nbformat.validate(node)
    except nbformat.ValidationError as error:
        place = list(getattr(error, "relative_path", ()))
        words = " ".join(str(error).split("\n", 1)[0].split())[:160]
        raise _broken(shown, words, place) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # nbformat walks through cells and outputs before it has looked at their shape
        raise _broken(shown, f"{type(error).__name__}: {error}", []) from error
    return cast(NotebookNode, node)


def _broken(shown: str, words: str, place: list[Any]) -> UsageError:
    at = [part for part in place if isinstance(part, int)]
    cell = f"cell {at[0] + 1} · " if place[:1] == ["cells"] and at else ""
    return UsageError(
        "QB832",
        notebook=shown,
        found=f"{cell}{'.'.join(str(p) for p in place[2:])}{': ' if place[2:] else ''}{words}",
        expected="a notebook as nbformat 4 describes it",
        fix=f"correct {shown}: {cell.removesuffix(' · ') or 'its JSON'}",
    )


def write_notebook(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]
