"""Several reports: one bad one never stops the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.core.values import RunRecord

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One report to run, as `qbase.reports.run_report` takes it."""

    report_id: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lang: Lang = "zh"
    slot: str | None = None
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    job : Job
        What was asked.
    record : RunRecord or None
        None when nothing was started.
    error : QbaseError or None
        None when all went well.
    """

    job: Job
    record: RunRecord | None = None
    error: QbaseError | None = None


def run_job(root: str, job: Job) -> Outcome:
    """Run one job in the workspace at a path; what goes wrong comes back as a value."""
    from qbase.lake import open_workspace
    from qbase.reports.running import attempt_report

    try:
        record, error = attempt_report(
            open_workspace(root), job.report_id, job.params, lang=job.lang, slot=job.slot, force=job.force
        )
    except QbaseError as refused:
        return Outcome(job=job, error=refused)
    return Outcome(job=job, record=record, error=error)
