"""Run a report: everything checked first, executed in private, proven complete, then published whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError, RunError
from qbase.core.results.run_values import RunRecord
from qbase.reports.asking.run_request import read_request
from qbase.reports.recording.run_log import RunLog
from qbase.reports.running.claimed_run import Progress
from qbase.reports.running.heartbeat import Heartbeat
from qbase.reports.running.run_states import close_dead_runs
from qbase.reports.running.run_steps import OneRun
from qbase.reports.telling.sent_notices import tell_runs

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName


def run_report(
    workspace: Workspace,
    report_id: str,
    params: Mapping[str, Any] | None = None,
    *,
    lang: Lang = "zh",
    slot: str | None = None,
    force: bool = False,
    engine: EngineName = "kernel",
    on_progress: Progress | None = None,
) -> RunRecord:
    """Run one report and publish it, or leave the published one exactly as it was.

    Parameters
    ----------
    workspace : Workspace
        Where specifications, notebooks and data live.
    report_id : str
        File stem of the specification.
    params : mapping, optional
        Typed values by name; they win over those of the specification.
    lang : {"zh", "en"}
        Which language the page shows first; both are always in it.
    slot : str, optional
        Logical date, ISO; today for a run on request.
    force : bool
        Run even when the same fingerprint is published.
    engine : {"kernel", "fork"}
        Cells in a kernel of their own, or in a fork of a process that has loaded the libraries: the same page, and
        quicker from the second report on.
    on_progress : callable, optional
        Called with (step, done, total); steps are ``cells``, ``render``, ``verify``, ``publish``.

    Returns
    -------
    RunRecord
        State ``ok``, or ``unchanged`` when nothing had to be run. The ledger and ``run.json`` hold it too.

    Raises
    ------
    UsageError
        Report, notebook or parameters do not hold; nothing was started or recorded (QB801-QB809,
        QB827-QB831).
    DataError
        A declared table is not loaded; recorded as failed (QB810).
    RunError
        The run came to no good end; recorded as failed with its cell (QB811-QB826, QB836). Or somebody else is
        running this very slot, and nothing was recorded (QB835).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import run_report
    >>> run_report(open_workspace(), "trends", {"level": 95})
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB806] parameter "level" is outside what is allowed
      found     level = 95
      expected  level: float, 0.5–0.999
      to fix    qbase run trends -p level=0.95
    """
    record, error = attempt_report(
        workspace, report_id, params, lang=lang, slot=slot, force=force, engine=engine, on_progress=on_progress
    )
    if error is not None:
        raise error
    return record


def attempt_report(
    workspace: Workspace,
    report_id: str,
    params: Mapping[str, Any] | None = None,
    *,
    lang: Lang = "zh",
    slot: str | None = None,
    force: bool = False,
    engine: EngineName = "kernel",
    on_progress: Progress | None = None,
    after: int | None = None,
    is_one_of_many: bool = False,
) -> tuple[RunRecord, QbaseError | None]:
    """Do as `run_report`, but return the record of a failed run beside its error.

    Parameters
    ----------
    workspace, report_id, params, lang, slot, force, engine, on_progress
        See `run_report`.
    after : int, optional
        Number of the latest claim of the slot when the run was asked for: once there is a later one it is not run.
    is_one_of_many : bool
        Of a batch that closes dead runs, builds the gallery and sends notices itself.

    Returns
    -------
    record : RunRecord
        State ``ok``, ``unchanged`` or ``failed``.
    error : QbaseError or None
        What the run failed with; None where it did not.

    Raises
    ------
    UsageError
        Report, notebook or parameters do not hold; nothing was started or recorded (QB801-QB809,
        QB827-QB831).
    RunError
        Somebody else is running this slot, or has begun it since ``after`` (QB835); nothing was started or recorded.
    KeyboardInterrupt
        The run was interrupted; recorded as failed (QB818).
    """
    request = read_request(workspace, report_id, params or {})
    if not is_one_of_many:
        tell_runs(workspace, close_dead_runs(workspace, report_id))
    watch = on_progress or (lambda step, done, total: None)
    run = OneRun(workspace, request, lang, slot, watch, engine, is_forced=force, after=after)
    failed: QbaseError | None = None
    with run.held(), Heartbeat(workspace, run.open()):
        log = RunLog(run.folder)
        run.on_progress = log.following(run.on_progress)
        log.tell("run", "begun", engine=engine)
        try:
            run.pin()
            same = None if force else run.find_same(any_slot=slot is None)
            if same:
                record = run.close("unchanged", (same,))
                log.close(record, same)
                return record, None
            run.carry_out()
        except KeyboardInterrupt:
            expected, fix = "the run to go on to its end", f"qbase run {report_id}"
            error = RunError("QB818", report=report_id, found="Ctrl-C", expected=expected, fix=fix)
            log.close(run.fail(error), run.site_paths[0])
            raise
        except QbaseError as error:
            failed = error
        except OSError as error:
            failed = run.unwritten(error)
        except Exception as error:
            # a fault of the house itself ends this report like any other failure, and never the ones after it
            failed = run.fault(error)
        record = run.fail(failed) if failed else run.finish()
        run.tell_readers()
        log.close(record, run.site_paths[0])
    if is_one_of_many:
        return record, failed
    tell_runs(workspace, [record])
    if failed:
        run.show_failure()
    else:
        run.show_gallery()
    return record, failed
