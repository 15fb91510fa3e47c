"""What a batch is made of: jobs, and what became of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.core.errors import Lang, QbaseError
    from qbase.core.results.run_values import RunRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One report to run, as `qbase.reports.run_report` takes it.

    Parameters
    ----------
    report_id : str
        Name of the report.
    params : mapping
        Typed values by name.
    lang, slot, force
        As `run_report` takes them.
    key : str
        sha256 of the report and everything its letter is given but the language, as `plan_jobs` works it out: the same
        on every machine. Empty in a job made by hand.
    page_id : str
        Stem of the page it publishes, as far as it is known.

    Examples
    --------
    >>> from qbase.reports import Job
    >>> jobs = [Job(report_id="trends", params={"subject": code}, lang="en") for code in ("K001", "K003")]
    >>> [(job.report_id, job.params["subject"], job.force) for job in jobs]
    [('trends', 'K001', False), ('trends', 'K003', False)]
    """

    report_id: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lang: Lang = "zh"
    slot: str | None = None
    force: bool = False
    key: str = ""
    page_id: str = ""


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
    attempts : int
        How often it was begun; more than once where the machinery failed it, never for an error of its own.

    Examples
    --------
    >>> from qbase.core import UsageError
    >>> from qbase.reports import Job, Outcome
    >>> error = UsageError("QB801", report="trend", found="trend", expected="effects · trends", fix="trends?")
    >>> print(Outcome(job=Job(report_id="trend"), error=error).error)
    error[QB801] there is no report "trend"
      found     trend
      expected  effects · trends
      to fix    trends?
    """

    job: Job
    record: RunRecord | None = None
    error: QbaseError | None = None
    attempts: int = 1
