"""What the papermill command says of a run, as a job of the house: ``papermill --engine qbase-fork``."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from qbase.core.errors import RunError
from qbase.reports.executing.execution_job import Job

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
