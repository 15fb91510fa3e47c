"""A run goes on: each state it enters is one transaction, with the slot it holds, its row and its history.

queued -> leased -> running -> verifying -> ok, failed or unchanged. Nothing but `settle_run` writes for a run whose
claim is gone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.results.run_values import UNFINISHED, RunRecord
from qbase.lake.run_claims import LEASE_SECONDS, Claim, Slot, free_slot, hold_slot, is_over, take_slot
from qbase.lake.run_entries import add_rows, add_step, read_record, row_of
from qbase.lake.run_slots import name_slot, slot_key
from qbase.lake.storage.fault_points import fault

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qbase.lake.workspace import Workspace


NO_RUNNER = "QB818 no runner"
"""So begins the reason of a run that lost its runner."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run that has not come to an end, beside what is known of its claim.

    Parameters
    ----------
    record : RunRecord
        As the ledger holds it.
    key : str
        Of its slot; empty in a row of an older ledger.
    token : int or None
        Of the claim it holds; None when it holds none, or somebody else has taken it over.
    host : str
        Machine of its runner; empty where none is known.
    is_over : bool
        Whether its lease has run out.
    """

    record: RunRecord
    key: str
    token: int | None
    host: str
    is_over: bool


def begin_run(
    workspace: Workspace, record: RunRecord, *, lease_seconds: float = LEASE_SECONDS, after: int | None = None
) -> Claim | None:
    """Claim the slot of a run and write its row, or take up the row that was queued under its id.

    ``after`` is as `qbase.lake.run_claims.take_slot` takes it.

    Returns
    -------
    Claim or None
        None while somebody else holds the slot, and when a run of this id went on already; nothing is written then.
    """
    slot = Slot(key=key_of(record), report_id=record.report_id, slot=name_slot(record.slot))
    with workspace.book.writing() as connection:
        fault("leased_begun")
        found = _state_of(connection, record.run_id)
        now = workspace.book.read_clock(connection)
        if found not in (None, "queued"):
            return None
        claim = take_slot(connection, slot, record.run_id, lease_seconds, now=now, after=after)
        if claim is None:
            return None
        if found is None:
            add_rows(connection, [record])
        else:
            _replace(connection, record)
            add_step(connection, record)
        fault("leased_written")
    fault("leased_committed")
    return claim


def move_run(workspace: Workspace, record: RunRecord, claim: Claim, *, reason: str = "") -> bool:
    """Let a run enter the state of its record; with an end it lets its slot go.

    Returns
    -------
    bool
        False when its slot was taken over: nothing is written then.
    """
    with workspace.book.writing() as connection:
        _pass(record, "begun")
        if not hold_slot(connection, claim, now=workspace.book.read_clock(connection)):
            return False
        _replace(connection, record)
        add_step(connection, record, reason)
        if record.state not in UNFINISHED:
            free_slot(connection, claim.key, claim.token)
        _pass(record, "written")
    _pass(record, "committed")
    return True


def publish_run(workspace: Workspace, record: RunRecord, claim: Claim, replace: Callable[[], None]) -> bool:
    """Publish: prove the claim, let the files appear, write the row, let the slot go; all in one transaction.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    record : RunRecord
        As it is when it is published.
    claim : Claim
        Of its slot.
    replace : callable
        Lets the staged files appear. What it raises undoes the transaction.

    Returns
    -------
    bool
        False when the slot was taken over: ``replace`` was not called then.

    Raises
    ------
    OSError
        What ``replace`` raised.
    """
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import SLOTS

    try:
        with workspace.book.writing() as connection:
            fault("publish_begun")
            if not hold_slot(connection, claim, now=workspace.book.read_clock(connection)):
                return False
            try:
                replace()
            except OSError as error:
                raise _UndoneError from error
            fault("files_replaced")
            _replace(connection, record)
            add_step(connection, record)
            connection.execute(sa.update(SLOTS).where(SLOTS.c.key == claim.key).values(published=record.run_id))
            free_slot(connection, claim.key, claim.token)
            fault("publish_written")
    except _UndoneError as undone:
        if isinstance(undone.__cause__, OSError):
            raise undone.__cause__ from None
        raise
    fault("publish_committed")
    return True


class _UndoneError(Exception):
    """The files did not appear; what the disk said is no trouble of the ledger's."""


def settle_run(
    workspace: Workspace, found: Unfinished, record: RunRecord, *, reason: str = "", sure: bool = True
) -> bool:
    """Close a run that its runner does not close any more.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    found : Unfinished
        As it was seen.
    record : RunRecord
        What becomes of it.
    reason : str
        Why, for its history.
    sure : bool
        Its runner is known to be gone; otherwise only its lease had run out, and it may have been renewed since.

    Returns
    -------
    bool
        False when it came to an end, or to life, in between.
    """
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import SLOTS

    with workspace.book.writing() as connection:
        if _state_of(connection, record.run_id) != found.record.state:
            return False
        own = sa.select(SLOTS).where(SLOTS.c.key == found.key, SLOTS.c.run_id == record.run_id)
        row = connection.execute(own).mappings().first()
        now = workspace.book.read_clock(connection)
        if row is not None and not sure and not is_over(row["lease_until"], row["lease_seconds"], now):
            return False
        _replace(connection, record)
        add_step(connection, record, reason)
        if row is not None:
            if record.state == "ok":
                connection.execute(sa.update(SLOTS).where(SLOTS.c.key == found.key).values(published=record.run_id))
            free_slot(connection, found.key, row["token"])
    return True


def queue_runs(workspace: Workspace, records: Sequence[RunRecord]) -> list[str]:
    """Put runs into the queue, so that they are known before their runner begins; a slot waits in it once.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    records : sequence of RunRecord
        In state ``queued``.

    Returns
    -------
    list of str
        Ids of the runs that wait: those given, or the earlier one of the same slot.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, list_runs, queue_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    >>> asked = {"report_id": "trends", "state": "queued", "slot": "2026-10-01", "started_at": "2026-10-01T02:00:00Z"}
    >>> runs = [RunRecord(run_id=name, params={}, versions={}, **asked, **known) for name in ("R1", "R2")]
    >>> queue_runs(home, runs), [run.state for run in list_runs(home)]
    (['R1', 'R1'], ['queued'])
    """
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import RUNS

    names, added = [], []
    with workspace.book.writing() as connection:
        waiting = sa.select(RUNS.c.slot_key, RUNS.c.payload).where(RUNS.c.state == "queued")
        known = {row.slot_key: read_record(row.payload) for row in connection.execute(waiting)}
        for record in records:
            waits = known.setdefault(key_of(record), record)
            names.append(waits.run_id)
            if waits is record:
                added.append(record)
            elif record.is_forced and not waits.is_forced:
                known[key_of(record)] = dataclasses.replace(waits, is_forced=True)
                _replace(connection, known[key_of(record)])
        add_rows(connection, added)
    return names


def record_runs(workspace: Workspace, records: Sequence[RunRecord]) -> None:
    """Write runs that were over at once, such as unchanged ones, in one transaction."""
    with workspace.book.writing() as connection:
        add_rows(connection, records)


def drop_queued(workspace: Workspace, names: Sequence[str]) -> None:
    """Take runs out of the queue that nobody began."""
    from qbase.lake.ledger.ledger_schema import RUN_STEPS, RUNS

    if not names:
        return
    with workspace.book.writing() as connection:
        for name in dict.fromkeys(names):
            if _state_of(connection, name) == "queued":
                connection.execute(RUN_STEPS.delete().where(RUN_STEPS.c.run_id == name))
                connection.execute(RUNS.delete().where(RUNS.c.run_id == name))


def find_queued(workspace: Workspace, key: str) -> str:
    """Return the id of the run that waits for a slot; empty when none does."""
    query = "SELECT run_id FROM runs WHERE slot_key = :key AND state = 'queued' ORDER BY started_at LIMIT 1"
    with workspace.book.glancing() as connection:
        row = None if connection is None else connection.execute(query, {"key": key}).fetchone()
    return "" if row is None else str(row[0])


def find_unfinished(workspace: Workspace, report_id: str | None = None) -> list[Unfinished]:
    """Return the runs that have not come to an end, of one report or of all, oldest first."""
    names = ", ".join(f"'{state}'" for state in UNFINISHED)
    which = "" if report_id is None else "AND r.report_id = :report_id "
    # words of the house, no words of a caller
    query = (
        "SELECT r.payload, r.slot_key, s.token, s.host, s.lease_until, s.lease_seconds FROM runs r "  # noqa: S608
        "LEFT JOIN slots s ON s.key = r.slot_key AND s.run_id = r.run_id "
        f"WHERE r.state IN ({names}) {which}"
        "ORDER BY r.started_at, r.run_id"
    )
    asked = {} if report_id is None else {"report_id": report_id}
    with workspace.book.glancing() as connection:
        rows = [] if connection is None else connection.execute(query, asked).fetchall()
        now = 0.0 if connection is None else workspace.book.read_clock(connection)
    return [
        Unfinished(
            record=read_record(payload),
            key=key,
            token=token,
            host=host or "",
            is_over=is_over(until, seconds or 0.0, now),
        )
        for payload, key, token, host, until, seconds in rows
    ]


def find_interrupted(workspace: Workspace, since: str) -> list[RunRecord]:
    """Return the runs begun since a time that lost their runner, and whose slot nobody ran again."""
    query = (
        "SELECT r.payload FROM runs r JOIN run_steps s ON s.run_id = r.run_id AND s.state = 'failed' "
        "WHERE r.state = 'failed' AND s.reason LIKE :reason AND r.started_at >= :since AND NOT EXISTS "
        "(SELECT 1 FROM runs n WHERE n.slot_key = r.slot_key AND n.started_at > r.started_at) ORDER BY r.started_at"
    )
    with workspace.book.glancing() as connection:
        given = {"reason": f"{NO_RUNNER}%", "since": since}
        rows = [] if connection is None else connection.execute(query, given).fetchall()
    return [read_record(payload) for (payload,) in rows]


def key_of(record: RunRecord) -> str:
    """Return the key of the slot of a run."""
    return slot_key(record.report_id, record.params, record.slot)


def _pass(record: RunRecord, where: str) -> None:
    if record.state in UNFINISHED:
        fault(f"{record.state}_{where}")


def _state_of(connection: sa.Connection, run_id: str) -> str | None:
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import RUNS

    return connection.execute(sa.select(RUNS.c.state).where(RUNS.c.run_id == run_id)).scalar_one_or_none()


def _replace(connection: sa.Connection, record: RunRecord) -> None:
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import RUNS

    values: Mapping[str, Any] = row_of(record)
    connection.execute(sa.update(RUNS).where(RUNS.c.run_id == record.run_id).values(values))
