"""What the ledger says of runs of reports: read with the standard library alone, written through its schema."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.run_values import RunRecord
from qbase.lake.run_slots import slot_key

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qbase.lake.workspace import Workspace

_RUN_COLUMNS = ("run_id", "report_id", "slot", "state", "fingerprint", "snapshot", "started_at", "seconds")
SUBJECT = "subject"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStep:
    """A state that a run entered.

    Parameters
    ----------
    state : str
        As in `RunRecord`.
    at : str
        When, ISO with offset.
    reason : str
        Why, where there is something to say.

    Examples
    --------
    >>> from qbase.lake import RunStep
    >>> RunStep(state="failed", at="2026-10-01T06:00:00+08:00", reason="no runner").reason
    'no runner'
    """

    state: str
    at: str
    reason: str = ""


def add_run(workspace: Workspace, record: RunRecord) -> None:
    """Write a new run into the ledger.

    Parameters
    ----------
    workspace : Workspace
        Where the run happens.
    record : RunRecord
        Its state is usually ``running``.

    Raises
    ------
    UsageError
        The ledger has a run of this id already (QB211).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run, list_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> run = RunRecord(
    ...     run_id="R0001", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", slot="2026-10-01",
    ...     params={"subject": "K003"}, state="running", fingerprint="f1", commit="", versions={}, snapshot="S0012",
    ...     started_at="2026-10-01T06:00:00+08:00",
    ... )
    >>> add_run(home, run)
    >>> [(run.run_id, run.state) for run in list_runs(home)]
    [('R0001', 'running')]
    """
    from qbase.lake.ledger.ledger_schema import RUNS

    with workspace.book.writing() as connection:
        if connection.execute(RUNS.select().where(RUNS.c.run_id == record.run_id)).first() is not None:
            raise UsageError(
                "QB211",
                run=record.run_id,
                found=record.run_id,
                expected="a new run id",
                fix="update_run for a run that exists, or a new id",
            )
        add_rows(connection, [record])


def update_run(workspace: Workspace, record: RunRecord) -> None:
    """Replace what the ledger knows of a run.

    Parameters
    ----------
    workspace : Workspace
        Where the run happened.
    record : RunRecord
        The whole record.

    Raises
    ------
    UsageError
        The ledger has no run of this id (QB210).

    Examples
    --------
    >>> import dataclasses
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run, read_run, update_run
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> run = RunRecord(
    ...     run_id="R0001", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", slot="2026-10-01",
    ...     params={}, state="running", fingerprint="f1", commit="", versions={}, snapshot="S0012",
    ...     started_at="2026-10-01T06:00:00+08:00",
    ... )
    >>> add_run(home, run)
    >>> update_run(home, dataclasses.replace(run, state="ok", seconds=41.5))
    >>> read_run(home, "R0001").state, read_run(home, "R0001").seconds
    ('ok', 41.5)
    """
    from qbase.lake.ledger.ledger_schema import RUNS

    with workspace.book.writing() as connection:
        own = RUNS.c.run_id == record.run_id
        before = connection.execute(RUNS.select().where(own)).mappings().first()
        if before is None:
            raise _no_run(record.run_id)
        connection.execute(RUNS.update().where(own).values(row_of(record)))
        if before["state"] != record.state:
            add_step(connection, record)


def list_runs(
    workspace: Workspace,
    report_id: str | None = None,
    *,
    subject: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> list[RunRecord]:
    """Return runs, newest first.

    Parameters
    ----------
    workspace : Workspace
        Where they happened.
    report_id : str or None
        Runs of one report only.
    subject : str or None
        Runs about this subject only, by its code.
    state : str or None
        Runs in this state only.
    limit : int
        At most so many.

    Returns
    -------
    list of RunRecord

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run, list_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> for day in ("2026-10-01", "2026-10-02"):
    ...     run = RunRecord(
    ...         run_id=f"R-{day}", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", slot=day,
    ...         params={}, state="ok", fingerprint="f1", commit="", versions={}, snapshot="S0012", started_at=day,
    ...     )
    ...     add_run(home, run)
    >>> [run.slot for run in list_runs(home, "quality_trends")]
    ['2026-10-02', '2026-10-01']
    """
    return _runs(workspace, limit, report_id=report_id, subject=subject, state=state)


def read_run(workspace: Workspace, run_id: str) -> RunRecord:
    """Return one run.

    Parameters
    ----------
    workspace : Workspace
        Where it happened.
    run_id : str
        Its id.

    Returns
    -------
    RunRecord

    Raises
    ------
    UsageError
        The ledger has no run of this id (QB210).

    Examples
    --------
    >>> from qbase.lake import open_workspace, read_run
    >>> read_run(open_workspace(), "R9999")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB210] the ledger has no run R9999
      found     R9999
      expected  a run of the ledger
      to fix    qbase runs
    """
    found = _runs(workspace, 1, run_id=run_id)
    if not found:
        raise _no_run(run_id)
    return found[0]


def find_published(
    workspace: Workspace, report_id: str, *, slot: str | None = None, fingerprint: str | None = None
) -> RunRecord | None:
    """Return the latest run of a report that ended well, if there is one.

    Parameters
    ----------
    workspace : Workspace
        Where it happened.
    report_id : str
        The report.
    slot : str or None
        Of this slot only.
    fingerprint : str or None
        With this fingerprint only.

    Returns
    -------
    RunRecord or None

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run, find_published
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> for day, state in (("2026-10-01", "ok"), ("2026-10-02", "failed")):
    ...     run = RunRecord(
    ...         run_id=f"R-{day}", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", slot=day,
    ...         params={}, state=state, fingerprint="f1", commit="", versions={}, snapshot="S0012", started_at=day,
    ...     )
    ...     add_run(home, run)
    >>> find_published(home, "quality_trends").slot
    '2026-10-01'
    """
    found = _runs(workspace, 1, report_id=report_id, state="ok", slot=slot, fingerprint=fingerprint)
    return found[0] if found else None


def find_latest(workspace: Workspace, key: str) -> RunRecord | None:
    """Return the run of a slot that was begun or queued last, by the key of the slot; None when there is none."""
    found = _runs(workspace, 1, slot_key=key)
    return found[0] if found else None


def find_marks(workspace: Workspace, reports: Collection[str]) -> set[tuple[str, str | None, str]]:
    """Return report, logical date and fingerprint of all that was published of some reports.

    Each stands there once more without its date: for a run on request any date will do.
    """
    query = "SELECT DISTINCT slot, fingerprint FROM runs WHERE state = 'ok' AND report_id = :report"
    with workspace.book.glancing() as connection:
        if connection is None:
            return set()
        found = [(r, *row) for r in reports for row in connection.execute(query, {"report": r}).fetchall()]
    return {(report, day, mark) for report, slot, mark in found for day in (slot, None)}


def read_steps(workspace: Workspace, run_id: str) -> list[RunStep]:
    """Return the states a run went through, oldest first; runs of an older ledger have none.

    Parameters
    ----------
    workspace : Workspace
        Where it happened.
    run_id : str
        Its id.

    Returns
    -------
    list of RunStep

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run, read_steps
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot", "slot", "started_at"), "")
    >>> add_run(home, RunRecord(run_id="R1", report_id="trends", params={}, versions={}, state="running", **known))
    >>> [step.state for step in read_steps(home, "R1")]
    ['running']
    """
    query = "SELECT state, at, reason FROM run_steps WHERE run_id = :run_id ORDER BY number"
    with workspace.book.glancing() as connection:
        found = [] if connection is None else connection.execute(query, {"run_id": run_id}).fetchall()
    return [RunStep(state=state, at=at, reason=reason) for state, at, reason in found]


def add_rows(connection: sa.Connection, records: Sequence[RunRecord]) -> None:
    """Write the rows of new runs inside a transaction, and the first step of each."""
    from qbase.lake.ledger.ledger_schema import RUN_STEPS, RUNS

    if records:
        connection.execute(RUNS.insert(), [row_of(record) for record in records])
        connection.execute(RUN_STEPS.insert(), [_step_of(record) for record in records])


def add_step(connection: sa.Connection, record: RunRecord, reason: str = "") -> None:
    """Write down inside a transaction that a run is in the state of its record, with what it failed from."""
    from qbase.lake.ledger.ledger_schema import RUN_STEPS

    connection.execute(RUN_STEPS.insert().values(_step_of(record, reason)))


def _step_of(record: RunRecord, reason: str = "") -> dict[str, Any]:
    error: Mapping[str, Any] = record.error or {}
    told = reason or f"{error.get('code', '')} {error.get('text', '')}".strip()
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return {"run_id": record.run_id, "state": record.state, "at": at, "reason": told}


def row_of(record: RunRecord) -> dict[str, Any]:
    """Return the columns of a run; one without a logical date has no slot."""
    values = {name: getattr(record, name) for name in _RUN_COLUMNS}
    try:
        key = slot_key(record.report_id, record.params, record.slot)
    except UsageError:
        # an older ledger took any word
        key = ""
    subject = record.params.get(SUBJECT)
    values |= {"slot_key": key, "subject": "" if subject is None else str(subject)}
    return {**values, "payload": json.dumps(record.payload(), ensure_ascii=False, sort_keys=True)}


def read_record(payload: str) -> RunRecord:
    """Return a run as its row holds it."""
    values = json.loads(payload)
    return RunRecord(**{**values, "outputs": tuple(values["outputs"])})


def _runs(workspace: Workspace, limit: int, **wanted: str | None) -> list[RunRecord]:
    """Return the runs that have the wanted words in their columns, newest first; None wants nothing."""
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(f"{name} = :{name}" for name in given) or "TRUE"
    # columns are named by the callers above, values are bound
    query = f"SELECT payload FROM runs WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT :limit"  # noqa: S608
    with workspace.book.glancing() as connection:
        found = () if connection is None else connection.execute(query, {**given, "limit": limit})
        return [read_record(payload) for (payload,) in found]


def _no_run(run_id: str) -> UsageError:
    return UsageError("QB210", run=run_id, found=run_id, expected="a run of the ledger", fix="qbase runs")
