"""Who may publish for a slot: a claim with a lease and a token. Only the table says who holds it, never a row count.

The token of every claim is a new one. Whoever publishes proves in the same transaction that it is still his: a runner
whose lease ran out while it was asleep, and whose slot was taken over, finds another.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.lake.storage.this_host import host_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qbase.lake.workspace import Workspace

LEASE_SECONDS, LEAST_LEASE, MOST_LEASE = 60.0, 1.0, 3600.0
LEASE = "QBASE_LEASE_SECONDS"
# SQLite and PostgreSQL read it alike
_PUT = "INSERT INTO slots (key, report_id, slot) VALUES (:key, :report_id, :slot) ON CONFLICT (key) DO NOTHING"
_READ = "SELECT key, report_id, slot, run_id, token, host, lease_until, published FROM slots WHERE key = :key"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to publish for a slot, as long as its lease is renewed.

    Parameters
    ----------
    key : str
        Of the slot.
    run_id : str
        The run that holds it.
    token : int
        Number of the claim; a later one of the slot has a higher number.
    lease_seconds : float
        How long it holds without being renewed.

    Examples
    --------
    >>> from qbase.lake import Claim
    >>> Claim(key="a1", run_id="R1", token=1, lease_seconds=60.0)
    Claim(key='a1', run_id='R1', token=1, lease_seconds=60.0)
    """

    key: str
    run_id: str
    token: int
    lease_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slot:
    """What the ledger knows of a slot.

    Parameters
    ----------
    key, report_id, slot : str
        Its key, its report and its logical date.
    run_id : str
        The run that holds it; empty while none does.
    token : int
        Of the latest claim.
    host : str
        Machine of the latest claim.
    lease_until : float or None
        Seconds since 1970.
    published : str
        The last run that was published for it; empty when none was.

    Examples
    --------
    >>> from qbase.lake import Slot
    >>> Slot(key="a1", report_id="trends", slot="2026-10-01", published="R1").run_id
    ''
    """

    key: str
    report_id: str
    slot: str
    run_id: str = ""
    token: int = 0
    host: str = ""
    lease_until: float | None = None
    published: str = ""


def read_lease(environment: Mapping[str, str] = os.environ) -> float:
    """Return for how many seconds a run holds its slot without a sign of life.

    Parameters
    ----------
    environment : mapping
        ``QBASE_LEASE_SECONDS``, 60 where it says nothing; the same on all machines that share a workspace.

    Raises
    ------
    UsageError
        It is no number from 1 to 3600 (QB233).

    Examples
    --------
    >>> from qbase.lake.run_claims import read_lease
    >>> read_lease({}), read_lease({"QBASE_LEASE_SECONDS": "300"})
    (60.0, 300.0)
    """
    written = environment.get(LEASE, "") or str(LEASE_SECONDS)
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if LEAST_LEASE <= seconds <= MOST_LEASE:
        return seconds
    raise UsageError(
        "QB233", found=f"{LEASE}={written}", expected=f"{LEAST_LEASE:g}–{MOST_LEASE:g}", fix=f"unset {LEASE}"
    )


def claim_slot(workspace: Workspace, key: str, *, run_id: str, lease_seconds: float = LEASE_SECONDS) -> Claim | None:
    """Claim a slot that nobody holds, or whose holder let its lease run out.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    key : str
        As `slot_key` makes it.
    run_id : str
        Who claims it.
    lease_seconds : float
        How long the claim holds until it is renewed.

    Returns
    -------
    Claim or None
        None while somebody else holds it.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, claim_slot
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> claim_slot(home, "a1", run_id="R1").token, claim_slot(home, "a1", run_id="R2")
    (1, None)
    """
    with workspace.book.writing() as connection:
        now = workspace.book.read_clock(connection)
        return take_slot(connection, Slot(key=key, report_id="", slot=""), run_id, lease_seconds, now=now)


def renew_claim(workspace: Workspace, claim: Claim) -> bool:
    """Renew the lease of a claim; False when the slot was taken over, and nothing may be published any more.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    claim : Claim
        As it was given.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, claim_slot, renew_claim
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> asleep = claim_slot(home, "a1", run_id="R1", lease_seconds=0)
    >>> awake = claim_slot(home, "a1", run_id="R2")
    >>> renew_claim(home, asleep), renew_claim(home, awake)
    (False, True)
    """
    with workspace.book.writing() as connection:
        return hold_slot(connection, claim, now=workspace.book.read_clock(connection))


def release_claim(workspace: Workspace, claim: Claim) -> None:
    """Let a slot go; a claim that somebody else has taken over stays his.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    claim : Claim
        As it was given.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, claim_slot, find_slot, release_claim
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> release_claim(home, claim_slot(home, "a1", run_id="R1"))
    >>> find_slot(home, "a1").run_id
    ''
    """
    with workspace.book.writing() as connection:
        free_slot(connection, claim.key, claim.token)


def find_slot(workspace: Workspace, key: str) -> Slot | None:
    """Return what the ledger knows of a slot; None when nobody ever claimed it.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    key : str
        As `slot_key` makes it.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, claim_slot, find_slot
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> find_slot(home, "a1")
    >>> _ = claim_slot(home, "a1", run_id="R1")
    >>> find_slot(home, "a1").run_id, find_slot(home, "a1").published
    ('R1', '')
    """
    with workspace.book.glancing() as connection:
        row = None if connection is None else connection.execute(_READ, {"key": key}).fetchone()
    names = ("key", "report_id", "slot", "run_id", "token", "host", "lease_until", "published")
    return None if row is None else Slot(**dict(zip(names, row, strict=True)))


def is_held(workspace: Workspace, key: str) -> bool:
    """Whether somebody holds a slot whose lease, by the ledger's clock, has not run out."""
    query = "SELECT lease_until, lease_seconds FROM slots WHERE key = :key AND run_id <> :nobody"
    with workspace.book.glancing() as connection:
        row = None if connection is None else connection.execute(query, {"key": key, "nobody": ""}).fetchone()
        if connection is None or row is None:
            return False
        return not is_over(row[0], row[1] or 0.0, workspace.book.read_clock(connection))


def is_over(lease_until: float | None, lease_seconds: float, now: float) -> bool:
    """Whether a lease has run out, or was never given, or lies so far ahead that the clock was set back since.

    ``now`` is what `Book.read_clock` says: leases are given and judged by one clock, whoever claims.
    """
    return lease_until is None or lease_until < now or lease_until > now + 2 * lease_seconds


def take_slot(
    connection: sa.Connection, slot: Slot, run_id: str, lease_seconds: float, *, now: float, after: int | None = None
) -> Claim | None:
    """Claim a slot inside a transaction; None while somebody else holds it. ``now`` as `is_over` takes it.

    ``after`` is the number of the latest claim that whoever claims knows of: with a later one the slot is not given.
    """
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import SLOTS

    connection.execute(sa.text(_PUT), {"key": slot.key, "report_id": slot.report_id, "slot": slot.slot})
    # two runners may give the same run id, of a row that was queued: who holds the slot is told by a word of its own
    holder = secrets.token_hex(8)
    until, ahead = SLOTS.c.lease_until, now + 2 * SLOTS.c.lease_seconds
    is_free = sa.or_(SLOTS.c.run_id == "", until.is_(None), until < now, until > ahead)
    connection.execute(
        sa.update(SLOTS)
        .where(SLOTS.c.key == slot.key, is_free, sa.true() if after is None else SLOTS.c.token == after)
        .values(
            run_id=run_id,
            holder=holder,
            token=SLOTS.c.token + 1,
            host=host_of(),
            lease_seconds=lease_seconds,
            lease_until=now + lease_seconds,
        )
    )
    found = connection.execute(sa.select(SLOTS.c.holder, SLOTS.c.token).where(SLOTS.c.key == slot.key)).one()
    if found.holder != holder:
        return None
    return Claim(key=slot.key, run_id=run_id, token=found.token, lease_seconds=lease_seconds)


def hold_slot(connection: sa.Connection, claim: Claim, *, now: float) -> bool:
    """Renew a lease inside a transaction and return whether the claim still holds. ``now`` as `is_over` takes it."""
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import SLOTS

    own = (SLOTS.c.key == claim.key, SLOTS.c.token == claim.token, SLOTS.c.run_id == claim.run_id)
    # the row is written first: nobody else can take it until this transaction ends
    connection.execute(sa.update(SLOTS).where(*own).values(lease_until=now + claim.lease_seconds))
    return connection.execute(sa.select(SLOTS.c.key).where(*own)).first() is not None


def free_slot(connection: sa.Connection, key: str, token: int) -> None:
    """Let a slot go inside a transaction, unless a later claim holds it."""
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import SLOTS

    own = sa.update(SLOTS).where(SLOTS.c.key == key, SLOTS.c.token == token)
    connection.execute(own.values(run_id="", holder="", lease_until=None))
