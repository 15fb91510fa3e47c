"""What was due by a schedule, as the ledger knows it: claimed by one scheduler at a time, closed once.

A claim is judged by what the table says afterwards: drivers count changed rows in ways of their own.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.errors import UsageError
from qbase.lake.run_slots import lease_time

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qbase.lake.workspace import Workspace

SlotState = Literal["seen", "claimed", "done", "failed", "skipped", "stale"]
LEASE_SECONDS = 300.0
_SPELLING = "%Y-%m-%dT%H:%M:%SZ"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduledSlot:
    """One due time of one schedule.

    Parameters
    ----------
    report_id, rule_key : str
        Whose, and by which rule.
    due_at : datetime.datetime
        With zone, whole seconds; together with the two above it is unique.
    state : {"seen", "claimed", "done", "failed", "skipped", "stale"}
        ``seen``: from here on the schedule counts.
    claimed_by : str
        Who holds or held it.
    claimed_at, lease_until : datetime.datetime or None
        Since when, and until when without a sign of life.
    attempts : int
        How often it was claimed.
    run_id : str
        The run that was made of it.
    is_late : bool
        It was seen to later than it was due.
    note : str
        Why it was not run, or what went wrong.

    Examples
    --------
    >>> import datetime
    >>> from qbase.lake import ScheduledSlot
    >>> monday = datetime.datetime(2026, 11, 30, 8, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
    >>> ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=monday, state="skipped").spelled
    '2026-11-30T00:00:00Z'
    """

    report_id: str
    rule_key: str
    due_at: datetime.datetime
    state: SlotState = "claimed"
    claimed_by: str = ""
    claimed_at: datetime.datetime | None = None
    lease_until: datetime.datetime | None = None
    attempts: int = 0
    run_id: str = ""
    is_late: bool = False
    note: str = ""

    @property
    def spelled(self) -> str:
        """The due time as the ledger spells it."""
        return spell_instant(self.due_at)


def spell_instant(moment: datetime.datetime) -> str:
    """Return the one spelling of an instant: UTC, whole seconds, ``Z``.

    Raises
    ------
    UsageError
        It has no zone, or parts of seconds (QB215).
    """
    if moment.tzinfo is None or moment.microsecond:
        raise UsageError(
            "QB215",
            found=moment.isoformat(),
            expected="a time with zone and whole seconds",
            fix="datetime(2026, 11, 30, 8, tzinfo=ZoneInfo('Asia/Shanghai'))",
        )
    return moment.astimezone(datetime.UTC).strftime(_SPELLING)


def list_scheduled(
    workspace: Workspace, report_id: str | None = None, *, rule_key: str | None = None, state: SlotState | None = None
) -> list[ScheduledSlot]:
    """List what was due by schedules, oldest first.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    report_id, rule_key, state : str, optional
        Only of this report, by this rule, in this state.

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, list_scheduled, record_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> slot = ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=due, state="stale", note="too old")
    >>> record_scheduled(home, [slot])
    >>> [(slot.spelled, slot.state, slot.note) for slot in list_scheduled(home, "trends")]
    [('2026-11-30T00:00:00Z', 'stale', 'too old')]
    """
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    wanted = {"report_id": report_id, "rule_key": rule_key, "state": state}
    query = TABLE.select().order_by(TABLE.c.due_at, TABLE.c.report_id, TABLE.c.rule_key)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(TABLE.c[name] == value)
    with workspace.book.reading() as connection:
        return [] if connection is None else [_slot(row) for row in connection.execute(query).mappings()]


def record_scheduled(workspace: Workspace, slots: Iterable[ScheduledSlot]) -> None:
    """Write slots that are not to be run; one that the ledger has already stays as it is.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    slots : iterable of ScheduledSlot
        ``seen``, ``skipped`` or ``stale``.

    Raises
    ------
    UsageError
        A due time without zone or with parts of seconds (QB215).

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, list_scheduled, record_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> for state in ("skipped", "stale"):
    ...     record_scheduled(home, [ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=due, state=state)])
    >>> [slot.state for slot in list_scheduled(home)]
    ['skipped']
    """
    rows = [_values(slot) for slot in slots]
    if rows:
        with workspace.book.writing() as connection:
            for row in rows:
                _insert(connection, row)


def claim_scheduled(
    workspace: Workspace,
    slot: ScheduledSlot,
    *,
    holder: str,
    now: datetime.datetime,
    lease_seconds: float = LEASE_SECONDS,
    is_alive: Callable[[str], bool] = lambda holder: False,
) -> ScheduledSlot:
    """Claim a due time, unless somebody else has it or it was seen to.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    slot : ScheduledSlot
        Report, rule, due time, and whether it is late; the rest is not looked at.
    holder : str
        Who claims it.
    now : datetime.datetime
        With zone. It decides about leases where this machine alone uses the ledger; on a server its clock does.
    lease_seconds : float
        For so long the claim holds without a sign of life.
    is_alive : callable
        Whether a holder is known to live; then its claim holds although its lease ran out, because a clock jumped.

    Returns
    -------
    ScheduledSlot
        As the ledger has it afterwards: ours when ``claimed_by`` is the holder and the state ``claimed``.

    Raises
    ------
    UsageError
        A due time without zone or with parts of seconds (QB215).

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, claim_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> slot = ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=due)
    >>> [claim_scheduled(home, slot, holder=who, now=due).claimed_by for who in ("first", "second")]
    ['first', 'first']
    >>> later = due + datetime.timedelta(minutes=6)
    >>> taken = claim_scheduled(home, slot, holder="second", now=later)
    >>> taken.claimed_by, taken.attempts
    ('second', 2)
    """
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    with workspace.book.writing() as connection:
        at = lease_time(workspace, connection, now)
        until = spell_instant(at + datetime.timedelta(seconds=lease_seconds))
        mine: dict[str, Any] = {"claimed_by": holder, "is_late": int(slot.is_late)}
        mine |= {"claimed_at": spell_instant(at), "lease_until": until}
        new = {**_values(slot), "state": "claimed", "attempts": 1, "run_id": "", "note": "", **mine}
        _insert(connection, new)
        before = _read(connection, slot)
        is_over = before["state"] == "claimed" and before["lease_until"] < spell_instant(at)
        if is_over and before["claimed_by"] != holder and not is_alive(before["claimed_by"]):
            unchanged = [TABLE.c[name] == before[name] for name in ("state", "claimed_by", "lease_until")]
            taken = TABLE.update().where(*_is(slot), *unchanged)
            connection.execute(taken.values(**mine, attempts=before["attempts"] + 1))
        return _slot(_read(connection, slot))


def renew_scheduled(
    workspace: Workspace, slot: ScheduledSlot, *, now: datetime.datetime, lease_seconds: float = LEASE_SECONDS
) -> bool:
    """Give a sign of life for a claimed slot; return whether it is still ours.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    slot : ScheduledSlot
        As it was claimed.
    now : datetime.datetime
        With zone.
    lease_seconds : float
        For so long the claim holds from now on.

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, claim_scheduled, renew_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> ours = claim_scheduled(home, ScheduledSlot(report_id="trends", rule_key="w:1", due_at=due), holder="a", now=due)
    >>> renew_scheduled(home, ours, now=due + datetime.timedelta(minutes=4))
    True
    """
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    with workspace.book.writing() as connection:
        until = spell_instant(lease_time(workspace, connection, now) + datetime.timedelta(seconds=lease_seconds))
        connection.execute(TABLE.update().where(*_is(slot), *_is_ours(slot)).values(lease_until=until))
        return _holds(_read(connection, slot), slot)


def close_scheduled(
    workspace: Workspace, slot: ScheduledSlot, *, state: Literal["done", "failed"], run_id: str = "", note: str = ""
) -> bool:
    """Write what became of a claimed slot; return whether it was still ours to close.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    slot : ScheduledSlot
        As it was claimed; one that was taken over meanwhile is left to who has it.
    state : {"done", "failed"}
        How it ended.
    run_id, note : str
        The run, and what went wrong.

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, claim_scheduled, close_scheduled, list_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> ours = claim_scheduled(home, ScheduledSlot(report_id="trends", rule_key="w:1", due_at=due), holder="a", now=due)
    >>> close_scheduled(home, ours, state="done", run_id="R0007")
    True
    >>> [(slot.state, slot.run_id) for slot in list_scheduled(home)]
    [('done', 'R0007')]
    """
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    ending = {"state": state, "run_id": run_id, "note": note}
    with workspace.book.writing() as connection:
        if not _holds(_read(connection, slot), slot):
            return False
        connection.execute(TABLE.update().where(*_is(slot), *_is_ours(slot)).values(**ending))
        after = _read(connection, slot)
        return {name: after[name] for name in ending} == ending


def undo_scheduled(workspace: Workspace, now: datetime.datetime) -> list[ScheduledSlot]:
    """Take back what was decided about times that lie ahead: a clock was wrong then. What ran stays.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    now : datetime.datetime
        With zone.

    Returns
    -------
    list of ScheduledSlot
        What was taken back: ``seen``, ``skipped`` and ``stale`` ones.

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import ScheduledSlot, Workspace, list_scheduled, record_scheduled, undo_scheduled
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> record_scheduled(home, [ScheduledSlot(report_id="trends", rule_key="w:1", due_at=due, state="skipped")])
    >>> [slot.spelled for slot in undo_scheduled(home, due - datetime.timedelta(hours=1))], list_scheduled(home)
    (['2026-11-30T00:00:00Z'], [])
    """
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    ahead = (
        TABLE.c.due_at > spell_instant(now.replace(microsecond=0)),
        TABLE.c.state.in_(("seen", "skipped", "stale")),
    )
    with workspace.book.reading() as connection:
        found = None if connection is None else connection.execute(TABLE.select().where(*ahead)).first()
    if found is None:
        return []
    with workspace.book.writing() as connection:
        gone = [_slot(row) for row in connection.execute(TABLE.select().where(*ahead)).mappings()]
        connection.execute(TABLE.delete().where(*ahead))
    return gone


def _insert(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Insert a row where there is none; two at once end in the constraint, and one of them is there."""
    from sqlalchemy.exc import IntegrityError

    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    key = [TABLE.c[name] == row[name] for name in ("report_id", "rule_key", "due_at")]
    if connection.execute(TABLE.select().where(*key)).first() is None:
        try:
            with connection.begin_nested():
                connection.execute(TABLE.insert().values(**row))
        except IntegrityError:
            return


def _read(connection: sa.Connection, slot: ScheduledSlot) -> sa.RowMapping:
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    return connection.execute(TABLE.select().where(*_is(slot))).mappings().one()


def _is(slot: ScheduledSlot) -> list[Any]:
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    return [TABLE.c.report_id == slot.report_id, TABLE.c.rule_key == slot.rule_key, TABLE.c.due_at == slot.spelled]


def _is_ours(slot: ScheduledSlot) -> list[Any]:
    from qbase.lake.ledger.ledger_schema import SCHEDULED_SLOTS as TABLE

    ours = (TABLE.c.claimed_by == slot.claimed_by, TABLE.c.attempts == slot.attempts)
    return [TABLE.c.state == "claimed", *ours]


def _holds(row: sa.RowMapping, slot: ScheduledSlot) -> bool:
    there = (row["state"], row["claimed_by"], row["attempts"])
    return there == ("claimed", slot.claimed_by, slot.attempts)


def _values(slot: ScheduledSlot) -> dict[str, Any]:
    plain = {field.name: getattr(slot, field.name) for field in dataclasses.fields(slot)}
    spelled = {name: spell_instant(plain[name]) if plain[name] else "" for name in ("claimed_at", "lease_until")}
    return plain | spelled | {"due_at": slot.spelled, "is_late": int(slot.is_late)}


def _slot(row: sa.RowMapping) -> ScheduledSlot:
    moments = {name: _moment(row[name]) for name in ("due_at", "claimed_at", "lease_until")}
    return ScheduledSlot(**{**row, **moments, "is_late": bool(row["is_late"])})


def _moment(text: str) -> datetime.datetime | None:
    return datetime.datetime.strptime(text, _SPELLING).replace(tzinfo=datetime.UTC) if text else None
