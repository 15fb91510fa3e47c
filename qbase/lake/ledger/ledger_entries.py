"""What the ledger says of snapshots and deliveries."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

from qbase.core.text import same
from qbase.lake.ledger.ledger_engine import Asked
from qbase.lake.ledger.ledger_schema import CONTRACTS, DELIVERIES, DELIVERY_TABLES, SNAPSHOT_TABLES, SNAPSHOTS
from qbase.lake.ledger.snapshot_rows import find_snapshot
from qbase.lake.storage.snapshots import DERIVED, Delivery, Snapshot, snapshot_id
from qbase.tables.contracts import table_title

if TYPE_CHECKING:
    from qbase.tables.contract_changes import Structure

_COUNTS = ("rows_seen", "listed", "accepted", "quarantined", "attempt")
_WORDS = ("sha256", "file_name", "table", "recipe", "producer", "licence", "retrieved_on", "verdict")
_JSON = ("reasons", "warnings", "replaces", "by_table")


def now() -> str:
    """Return the time as ISO text with offset."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def read_snapshot(connection: sa.Connection, number: int | None = None) -> Snapshot | None:
    """Return a snapshot, or the latest; None when there is no such one."""
    return find_snapshot(Asked(connection), number)


def find_loaded(connection: sa.Connection, delivery: Delivery) -> int | None:
    """Return the number of the snapshot that holds a delivery already; None when there is none.

    A rejected file is known when the same file was rejected for the same reasons before.
    """
    same = sa.select(DELIVERIES.c.snapshot).where(DELIVERIES.c.sha256 == delivery.sha256)
    if delivery.verdict == "REJECTED":
        same = same.where(
            DELIVERIES.c.verdict == "REJECTED",
            DELIVERIES.c.file_name == delivery.file_name,
            DELIVERIES.c.recipe == delivery.recipe,
            DELIVERIES.c.reasons == _reasons(delivery),
        )
    else:
        same = same.where(DELIVERIES.c.verdict != "REJECTED", DELIVERIES.c.attempt >= delivery.attempt)
    return connection.execute(same.order_by(DELIVERIES.c.number.desc()).limit(1)).scalar_one_or_none()


def find_tables(connection: sa.Connection, sha256: str) -> list[str] | None:
    """Return the tables a delivery brought rows to; None when it was never loaded."""
    query = sa.select(DELIVERIES.c.number).where(DELIVERIES.c.sha256 == sha256, DELIVERIES.c.verdict != "REJECTED")
    numbers = connection.execute(query).scalars().all()
    if not numbers:
        return None
    tables = sa.select(DELIVERY_TABLES.c.table_name).where(DELIVERY_TABLES.c.delivery.in_(numbers)).distinct()
    return sorted(connection.execute(tables).scalars())


def is_loaded(connection: sa.Connection, sha256: str) -> bool:
    """Return whether bytes were loaded before and not rejected."""
    query = sa.select(DELIVERIES.c.number).where(DELIVERIES.c.sha256 == sha256, DELIVERIES.c.verdict != "REJECTED")
    return connection.execute(query.limit(1)).first() is not None


def _reasons(delivery: Delivery) -> str:
    return json.dumps(dict(delivery.reasons), ensure_ascii=False, sort_keys=True)


def add_deliveries(
    connection: sa.Connection,
    entries: Sequence[tuple[Delivery, Mapping[str, int]]],
    versions: Mapping[str, int],
    contracts: Mapping[str, Structure],
) -> Snapshot:
    """Write deliveries and the snapshot they make; without new rows they join the latest snapshot.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Inside the one transaction of the commit.
    entries : sequence of (Delivery, mapping)
        What was received, in order, and table -> rows it added.
    versions : mapping
        Table -> version after the commit, for the tables that were touched.
    contracts : mapping
        Table -> structure of the contract its rows were judged by, where there is one.

    Returns
    -------
    Snapshot
    """
    latest = read_snapshot(connection) or Snapshot()
    snapshot, at = latest, now()
    if versions:
        snapshot = Snapshot(
            id=snapshot_id(latest.number + 1),
            created_at=at,
            versions={**latest.versions, **versions},
            delivery=[delivery.sha256 for delivery, rows in entries if rows][-1],
        )
        _insert_snapshot(connection, snapshot)
    parts: list[dict[str, Any]] = []
    numbers = {table: _add_contract(connection, table, contracts[table]) for table in versions if table in contracts}
    for delivery, rows in entries:
        values = {**_values(delivery), "snapshot": snapshot.number, "loaded_at": at}
        number = connection.execute(sa.insert(DELIVERIES).returning(DELIVERIES.c.number), values).scalar_one()
        parts += [
            {"delivery": number, "table_name": table, "rows": count, "contract": numbers.get(table, 0) if count else 0}
            for table, count in rows.items()
        ]
    if parts:
        connection.execute(sa.insert(DELIVERY_TABLES), parts)
    return snapshot


def _values(delivery: Delivery) -> dict[str, Any]:
    return {
        **{name: getattr(delivery, name) for name in (*_WORDS, *_COUNTS)},
        "reasons": _reasons(delivery),
        "replaces": json.dumps(list(delivery.replaces)),
        "warnings": json.dumps(list(delivery.warnings), ensure_ascii=False),
        "by_table": json.dumps(delivery.by_table, ensure_ascii=False),
    }


def find_structure(connection: sa.Connection, table: str) -> sa.RowMapping | None:
    """Return the contract the latest rows of a table were judged by, as it was written down; None without record."""
    query = sa.select(CONTRACTS).where(CONTRACTS.c.table_name == table).order_by(CONTRACTS.c.number.desc()).limit(1)
    return connection.execute(query).mappings().first()


def _add_contract(connection: sa.Connection, table: str, structure: Structure) -> int:
    """Return the number of a contract, which is new when its structure differs from the one before."""
    text = json.dumps(structure, ensure_ascii=False, sort_keys=True)
    before = find_structure(connection, table)
    if before is not None and before["structure"] == text:
        return int(before["number"])
    values = {"table_name": table, "version": structure["version"], "structure": text}
    return int(connection.execute(sa.insert(CONTRACTS).values(values).returning(CONTRACTS.c.number)).scalar_one())


def _insert_snapshot(connection: sa.Connection, snapshot: Snapshot) -> None:
    number = snapshot.number
    connection.execute(
        sa.insert(SNAPSHOTS), {"number": number, "created_at": snapshot.created_at, "delivery": snapshot.delivery}
    )
    tables = [{"number": number, "table_name": name, "version": at} for name, at in snapshot.versions.items()]
    connection.execute(sa.insert(SNAPSHOT_TABLES), tables)


def list_deliveries(
    connection: sa.Connection | None, *, every: bool = False, sha256: str | None = None, until: int | None = None
) -> pd.DataFrame:
    """Return one row per delivery, oldest first; ``reasons`` and ``tables`` are dicts of row counts.

    Unless ``every``, without those that another one replaced and without rows worked out here; with ``sha256`` those
    of these bytes alone; with ``until`` as it was at the snapshot of this number.
    """
    columns = [*_WORDS, *_COUNTS, "reasons", "warnings", "replaces", "by_table", "tables"]
    columns += ["snapshot", "loaded_at", "replaced_by"]
    if connection is None:
        return pd.DataFrame(columns=columns)
    query, tables = sa.select(DELIVERIES), sa.select(DELIVERY_TABLES)
    if sha256 is not None:
        query = query.where(sa.or_(DELIVERIES.c.sha256 == sha256, DELIVERIES.c.replaces.contains(sha256)))
        tables = tables.where(DELIVERY_TABLES.c.delivery.in_(query.with_only_columns(DELIVERIES.c.number)))
    if until is not None:
        query = query.where(DELIVERIES.c.snapshot <= until)
    rows: dict[int, dict[str, int]] = {}
    for part in connection.execute(tables.order_by(DELIVERY_TABLES.c.table_name)):
        rows.setdefault(part.delivery, {})[part.table_name] = part.rows
    records = []
    for row in connection.execute(query.order_by(DELIVERIES.c.number)).mappings():
        record = {**row, **{name: json.loads(row[name]) for name in _JSON}}
        record |= {"tables": rows.get(row["number"], {}), "snapshot": snapshot_id(row["snapshot"])}
        records.append(record)
    _mark_replaced(records)
    records = [record for record in records if sha256 in (None, record["sha256"])]
    if not every:
        records = [record for record in records if not record["replaced_by"] and record["recipe"] != DERIVED]
    return pd.DataFrame(records, columns=columns)


def add_titles(found: pd.DataFrame) -> pd.DataFrame:
    """Name the table of each delivery for readers: ``table_zh``, ``table_en``."""
    titles = [table_title(str(table)) or same(str(table)) for table in found["table"]]
    return found.assign(table_zh=[title.zh for title in titles], table_en=[title.en for title in titles])


def pick_tables(found: pd.DataFrame, tables: Iterable[str]) -> pd.DataFrame:
    """Return the deliveries to some tables: one that brought rows to several is a row for each, with its counts."""
    wanted = set(tables)
    if not found["by_table"].astype(bool).any():
        return found[found["table"].isin(wanted)].reset_index(drop=True)
    records = []
    for record in found.to_dict("records"):
        for table, part in (record["by_table"] or {record["table"]: {}}).items():
            if table in wanted:
                own = {name: value for name, value in part.items() if name in found.columns}
                records.append({**record, **own, "table": table})
    return pd.DataFrame(records, columns=found.columns)


def _mark_replaced(records: list[dict[str, Any]]) -> None:
    """Say of every delivery which later one took its rows out of the tables: ``replaced_by``."""
    later: dict[str, str] = {}
    for record in reversed(records):
        record["replaced_by"] = "" if record["verdict"] == "REJECTED" else later.get(record["sha256"], "")
        later.update(dict.fromkeys(record["replaces"], record["sha256"]))


def find_latest_delivery(connection: sa.Connection, table: str, number: int) -> sa.RowMapping | None:
    """Return the latest delivery whose rows a table holds at a snapshot."""
    brought = (
        sa.select(DELIVERIES)
        .join(DELIVERY_TABLES, DELIVERY_TABLES.c.delivery == DELIVERIES.c.number)
        .where(DELIVERY_TABLES.c.table_name == table, DELIVERY_TABLES.c.rows > 0, DELIVERIES.c.snapshot <= number)
        .order_by(DELIVERIES.c.number.desc())
    )
    replacing = sa.select(DELIVERIES.c.number, DELIVERIES.c.replaces).where(
        DELIVERIES.c.replaces != "[]", DELIVERIES.c.snapshot <= number
    )
    gone: dict[str, int] = {}
    for row in connection.execute(replacing.order_by(DELIVERIES.c.number)):
        gone.update(dict.fromkeys(json.loads(row.replaces), row.number))
    with connection.execute(brought) as found:
        return next((row for row in found.mappings() if row["number"] >= gone.get(row["sha256"], 0)), None)
