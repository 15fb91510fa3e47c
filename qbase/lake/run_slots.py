"""A slot: one report, with one choice of parameters, for one logical date. Its key is the same on every machine."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qbase.lake.workspace import Workspace

LANGUAGE = "lang"
"""Sets which language a page shows first; it makes no slot of its own."""


def name_slot(slot: str | datetime.date) -> str:
    """Return the one spelling of a logical date: a day, or an instant in UTC.

    Parameters
    ----------
    slot : str or datetime.date
        A day, or a moment with its offset from UTC.

    Raises
    ------
    UsageError
        It is neither (QB214).

    Examples
    --------
    >>> from qbase.lake import name_slot
    >>> name_slot("20261001"), name_slot("2026-10-01T06:00:00+08:00"), name_slot("2026-09-30 22:00Z")
    ('2026-10-01', '2026-09-30T22:00:00Z', '2026-09-30T22:00:00Z')
    """
    try:
        moment = slot if isinstance(slot, datetime.date) else _read(slot.strip())
        if not isinstance(moment, datetime.datetime):
            return moment.isoformat()
        if moment.tzinfo is not None:
            return f"{moment.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        "QB214",
        slot=str(slot),
        found=str(slot),
        expected="YYYY-MM-DD, or YYYY-MM-DDTHH:MM with its offset from UTC",
        fix="write the day, or add the offset: 2026-10-01T06:00+08:00",
    )


def _read(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return datetime.datetime.fromisoformat(text)


def read_moment(slot: str, begun: str) -> datetime.datetime:
    """Return the moment that a run stands for, by which the editions of one report have an order.

    A logical date that is an instant is that instant. A day is the moment within it at which the run began; its end for
    a run begun later, its beginning for one begun before it. Where the local day ends is the zone of this machine.

    Parameters
    ----------
    slot : str
        Logical date, as `name_slot` spells it. What is none, as an older ledger took it, says nothing.
    begun : str
        When the run began, ISO; without an offset it is in UTC.

    Examples
    --------
    >>> from qbase.lake.run_slots import read_moment
    >>> read_moment("2026-09-30T22:00:00Z", "2026-11-30T01:00:00+00:00").isoformat()
    '2026-09-30T22:00:00+00:00'
    >>> of_that_day = read_moment("2026-10-01", "2026-10-01T05:30:00+00:00")
    >>> read_moment("2026-10-01", "2026-11-30T01:00:00+00:00") > of_that_day
    True
    """
    try:
        began = datetime.datetime.fromisoformat(begun)
    except ValueError:
        began = datetime.datetime.min
    if began.tzinfo is None:
        began = began.replace(tzinfo=datetime.UTC)
    try:
        of = _read(name_slot(slot))
        if isinstance(of, datetime.datetime):
            return of.astimezone(datetime.UTC)
        start, end = (datetime.datetime.combine(day, datetime.time()) for day in (of, of + datetime.timedelta(days=1)))
        return min(max(began, start.astimezone()), end.astimezone()).astimezone(datetime.UTC)
    except (UsageError, ValueError, OverflowError, OSError):
        return began.astimezone(datetime.UTC)


def slot_key(report_id: str, params: Mapping[str, Any], slot: str | datetime.date) -> str:
    """Return the key of a slot: report, parameters without the language shown first, logical date.

    Parameters
    ----------
    report_id : str
        Of the report.
    params : mapping
        As they were checked, defaults too.
    slot : str or datetime.date
        As `name_slot` takes it.

    Raises
    ------
    UsageError
        The logical date is none (QB214).

    Examples
    --------
    >>> from qbase.lake import slot_key
    >>> key = slot_key("trends", {"subject": "K003", "lang": "zh"}, "2026-10-01T06:00+08:00")
    >>> key[:12], key == slot_key("trends", {"subject": "K003", "lang": "en"}, "2026-09-30T22:00Z")
    ('d62d02006137', True)
    """
    chosen = {name: value for name, value in params.items() if name != LANGUAGE}
    text = json.dumps([report_id, chosen, name_slot(slot)], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def lease_time(workspace: Workspace, connection: sa.Connection, now: datetime.datetime) -> datetime.datetime:
    """Return the time by which a lease is given and judged, in whole seconds: one for all who share the ledger."""
    if connection.dialect.name != "postgresql":
        return now.replace(microsecond=0)
    return datetime.datetime.fromtimestamp(int(workspace.book.read_clock(connection)), datetime.UTC)
