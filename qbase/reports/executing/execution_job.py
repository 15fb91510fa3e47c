"""One execution of a notebook as values: what goes in, and what is known when it ends, however it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from nbformat import NotebookNode

from qbase.core.errors import RunError

EngineName = Literal["kernel", "fork"]
ENGINES: tuple[EngineName, ...] = ("kernel", "fork")


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
    output_mb : int
        Limit of what the cells may show; an execution far above it is ended.
    engine : {"kernel", "fork"}
        A kernel of its own, or a fork of a process that holds the libraries already.
    on_cell : callable
        Called with (cells begun, code cells).
    """

    notebook: NotebookNode
    params: dict[str, Any]
    root: pathlib.Path
    folder: pathlib.Path
    environment: Mapping[str, str]
    seconds: int
    output_mb: int = 0
    engine: EngineName = "kernel"
    on_cell: Callable[[int, int], None] = lambda done, total: None
    executed: NotebookNode | None = None
    running: int | None = None
    started: bool = False
    group: int | None = None
    shown: int = 0
    exceeded: bool = False
    thread_errors: list[dict[str, str]] = dataclasses.field(default_factory=list)
    exception: Exception | None = None


UNLIMITED = 10**9
"""Seconds: papermill has no limit unless it is given one."""


@contextlib.contextmanager
def plain_job(notebook: NotebookNode, options: Mapping[str, Any]) -> Iterator[Job]:
    """Make a job of papermill's own options, in a folder that is gone afterwards.

    Raises
    ------
    RunError
        A thread of the notebook ended in an exception (QB834), which papermill would not notice.
    """
    with tempfile.TemporaryDirectory(prefix="qb-run-") as folder:
        job = Job(
            notebook=notebook,
            params={},
            root=pathlib.Path.cwd(),
            folder=pathlib.Path(folder),
            environment={},
            seconds=int(options.get("execution_timeout") or UNLIMITED),
        )
        yield job
        if job.thread_errors:
            raise thread_failure("notebook", job.thread_errors, "papermill …")


def thread_failure(report: str, errors: list[dict[str, str]], again: str) -> RunError:
    """Return what to say of threads that ended in an exception (QB834)."""
    first = errors[0]
    said = first["evalue"].partition("\n")[0]
    more = f" · {len(errors) - 1} more" if len(errors) > 1 else ""
    return RunError(
        "QB834",
        report=report,
        found=f"{first['ename']}: {said} · {first['thread']}{more}",
        expected="no thread ends in an exception",
        fix=f"catch it in the thread, or wait for its result; then {again}",
    )
