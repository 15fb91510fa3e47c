"""What the ledger says of runs of reports: read with the standard library alone, written through its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.run_values import RunRecord

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace

_RUN_COLUMNS = ("run_id", "report_id", "slot", "state", "fingerprint", "snapshot", "started_at", "seconds")


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
        connection.execute(RUNS.insert().values(_run_values(record)))


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
        # what the table holds decides, never how many rows a driver counts
        if connection.execute(RUNS.select().where(RUNS.c.run_id == record.run_id)).first() is None:
            raise _no_run(record.run_id)
        connection.execute(RUNS.update().where(RUNS.c.run_id == record.run_id).values(_run_values(record)))


def list_runs(
    workspace: Workspace, report_id: str | None = None, *, subject: str | None = None, limit: int = 50
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
    return _runs(workspace, limit, report_id=report_id, subject=subject)


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


def _runs(workspace: Workspace, limit: int, **wanted: str | None) -> list[RunRecord]:
    """Return the runs that have the wanted words in their columns, newest first; None wants nothing."""
    given = {name: value for name, value in wanted.items() if value is not None}
    book = workspace.book
    places = {"subject": book.subject_sql}  # what has no column of its own
    where = " AND ".join(f"{places.get(name, name)} = :{name}" for name in given) or "TRUE"
    # columns are named by the callers above, values are bound
    query = f"SELECT payload FROM runs WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT :limit"  # noqa: S608
    with book.glancing() as connection:
        found = () if connection is None else connection.execute(query, {**given, "limit": limit})
        return [_run(payload) for (payload,) in found]


def _run(payload: str) -> RunRecord:
    values = json.loads(payload)
    return RunRecord(**{**values, "outputs": tuple(values["outputs"])})


def _run_values(record: RunRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _RUN_COLUMNS}
    return {**values, "payload": json.dumps(record.payload(), ensure_ascii=False, sort_keys=True)}


def _no_run(run_id: str) -> UsageError:
    return UsageError("QB210", run=run_id, found=run_id, expected="a run of the ledger", fix="qbase runs")
