"""The diary of links: which printed firm is which registered one, who said so, and what was taken back.

``identity_links`` only grows. The latest row on a printed firm of a sample holds: ``accept`` links it, ``reject``
refuses it, ``doubt`` waits for a person, ``none`` leaves it to code and name again. Rows are numbered and written
under one lock, so that the latest is the same for everybody.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from qbase.intake.linking.firm_match import Match, Printed
from qbase.lake.storage.snapshots import DERIVED, Delivery

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace
    from qbase.lake.commit import Brought

LINKS = "identity_links"
BY_RULE = "qbase"
MANUAL, UNDONE = "manual", "undone"

State = Literal["accept", "reject", "doubt", "none"]

_SCHEMA = pa.schema(
    {
        "decision_no": pa.int64(),
        "decided_at": pa.string(),
        "decision": pa.string(),
        "decided_by": pa.string(),
        "sample_no": pa.string(),
        "uscc_printed": pa.string(),
        "name_printed": pa.string(),
        "firm_id": pa.string(),
        "name_known": pa.string(),
        "method": pa.string(),
        "score": pa.float64(),
        "undoes_no": pa.int64(),
    }
)
LATEST_SQL = f"""
SELECT * FROM {LINKS}
QUALIFY row_number() OVER (PARTITION BY sample_no, name_printed ORDER BY decision_no DESC) = 1
"""  # noqa: S608  (a name of ours)
NO_LINKS_SQL = "SELECT " + ", ".join(
    f"NULL::{'BIGINT' if f.type == pa.int64() else 'DOUBLE' if f.type == pa.float64() else 'VARCHAR'} AS {f.name}"
    for f in _SCHEMA
)
NO_LINKS_SQL += " WHERE false"
# a correction may print another code; what was decided on the old one says nothing about it
HOLDS_SQL = "l.sample_no = i.sample_no AND l.name_printed = i.firm_name AND (i.uscc IS NULL OR l.uscc_printed = i.uscc)"


def latest_sql(at: Snapshot) -> str:
    """Return SQL of the row of the diary that holds for each printed firm of a sample."""
    return LATEST_SQL if LINKS in at.versions else NO_LINKS_SQL


def link_row(
    sample_no: str, printed: Printed, match: Match, *, decision: State | None = None, decided_by: str = BY_RULE
) -> dict[str, Any]:
    """Return a match, or what a person made of it, as a row of the diary; numbered when it is written."""
    return {
        "decision": decision or match.decision,
        "decided_by": decided_by,
        "sample_no": sample_no,
        "uscc_printed": printed.uscc,
        "name_printed": printed.name,
        "firm_id": match.firm_id,
        "name_known": match.known,
        "method": match.method,
        "score": match.score,
        "undoes_no": None,
    }


def link_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of the diary as a table, not numbered yet."""
    return pa.Table.from_pylist([{"decision_no": None, "decided_at": None, **row} for row in rows], schema=_SCHEMA)


def read_last_no(workspace: Workspace, at: Snapshot) -> int:
    """Return the number of the latest decision, 0 when there is none."""
    if LINKS not in at.versions:
        return 0
    return int(workspace.arrow(f"SELECT max(decision_no) AS n FROM {LINKS}", snapshot=at)["n"][0].as_py() or 0)  # noqa: S608


@contextlib.contextmanager
def hold_diary(workspace: Workspace) -> Iterator[Snapshot]:
    """Keep others from deciding while the block reads the diary and writes into it.

    Raises
    ------
    SetupError
        Somebody else holds it too long (QB206), or the lake cannot be written (QB207).
    """
    with workspace.book.holding("diary"):
        yield workspace.snapshot()


@contextlib.contextmanager
def number_links(workspace: Workspace, brought: Sequence[Brought]) -> Iterator[Sequence[Brought]]:
    """Give deliveries whose links are numbered, and keep others from deciding while the block commits them.

    Raises
    ------
    SetupError
        As `hold_diary`.
    """
    if not any(LINKS in tables for _, tables in brought):
        yield brought
        return
    with hold_diary(workspace) as at:
        last, numbered = read_last_no(workspace, at), []
        for delivery, tables in brought:
            links = _number(tables[LINKS], last) if LINKS in tables else None
            last += 0 if links is None else len(links)
            numbered.append((delivery, tables if links is None else {**tables, LINKS: links}))
        yield numbered


def write_links(workspace: Workspace, rows: Sequence[Mapping[str, Any]], *, seen_no: int | None = None) -> Snapshot:
    """Append rows to the diary in one commit; nothing new, no commit.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    rows : sequence of mapping
        From `link_row`.
    seen_no : int or None
        The latest decision when a rule made these rows: what was decided meanwhile is not overruled by them.

    Returns
    -------
    Snapshot
        The latest, with these rows.

    Raises
    ------
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).
    """
    if not rows:
        return workspace.snapshot()
    with hold_diary(workspace) as at:
        if seen_no is not None and LINKS in at.versions:
            sql = f"SELECT DISTINCT sample_no FROM {LINKS} WHERE decision_no > ?"  # noqa: S608  (a name of ours)
            newer = set(workspace.arrow(sql, params=(seen_no,), snapshot=at)["sample_no"].to_pylist())
            rows = [row for row in rows if row["sample_no"] not in newer]
        table = _number(link_table(rows), read_last_no(workspace, at))
        return write_derived(workspace, LINKS, {LINKS: table} if len(table) else {})


def _number(table: pa.Table, last: int) -> pa.Table:
    first = last + 1
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return table.set_column(0, "decision_no", pa.array(range(first, first + len(table)), pa.int64())).set_column(
        1, "decided_at", pa.array([now] * len(table), pa.string())
    )


def write_derived(workspace: Workspace, table: str, tables: Mapping[str, pa.Table]) -> Snapshot:
    """Append rows that were worked out here; the same rows on the same snapshot are written once.

    Parameters
    ----------
    workspace : Workspace
        Where they go.
    table : str
        What the ledger calls them.
    tables : mapping
        Table -> rows; without any nothing is written.

    Returns
    -------
    Snapshot
    """
    at = workspace.snapshot()
    if not tables:
        return at
    count = sum(rows.num_rows for rows in tables.values())
    digest = hashlib.sha256(f"{at.id} {table}".encode())
    for name in sorted(tables):
        digest.update(name.encode())
        # the hour is left out: the same files loaded elsewhere give the same links, and the same report
        for column in tables[name].drop_columns([c for c in tables[name].column_names if c == "decided_at"]).columns:
            digest.update(str(column.to_pylist()).encode())
    delivery = Delivery(
        sha256=digest.hexdigest(),
        file_name=table,
        table=table,
        recipe=DERIVED,
        producer=BY_RULE,
        verdict="OK",
        rows_seen=count,
        accepted=count,
    )
    return workspace.commit(delivery, tables)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Page:
    """All rows of the diary on one printed firm of a sample, oldest first."""

    rows: tuple[Mapping[str, Any], ...]

    def take_back(self, decided_by: str) -> dict[str, Any] | None:
        """Return the row that takes the latest decision back; None when there is none left to take back."""
        taken = {row.get("undoes_no") for row in self.rows}
        standing = [row for row in self.rows if row.get("undoes_no") is None and row["decision_no"] not in taken]
        if not standing or (standing[-1]["decided_by"] == BY_RULE and standing[-1]["decision"] != "accept"):
            return None
        last = standing[-1]
        before: Mapping[str, Any] = {**last, "decision": "doubt", "method": UNDONE}
        if last["decided_by"] != BY_RULE:
            # what it was before; a firm nobody had looked at is left to code and name again
            nothing = {**last, "decision": "none", "firm_id": "", "name_known": ""}
            before = next((row for row in reversed(self.rows) if row["decision_no"] < last["decision_no"]), nothing)
        return {**before, "decided_by": decided_by, "undoes_no": last["decision_no"]}


def undo_rows(workspace: Workspace, at: Snapshot, samples: Sequence[str], decided_by: str) -> list[dict[str, Any]]:
    """Return the rows that take the latest decision on samples back.

    A decision of a person gives way to what stood before it. A link that a rule made becomes a doubt, which a person
    settles; otherwise the next load would make it again.
    """
    if LINKS not in at.versions or not samples:
        return []
    marks = ", ".join("?" * len(samples))
    sql = f"SELECT * FROM {LINKS} WHERE sample_no IN ({marks}) ORDER BY decision_no"  # noqa: S608  (question marks)
    pages: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in workspace.arrow(sql, params=tuple(samples), snapshot=at).to_pylist():
        pages.setdefault((row["sample_no"], row["name_printed"]), []).append(row)
    found = [_Page(rows=tuple(rows)).take_back(decided_by) for rows in pages.values()]
    return [row for row in found if row is not None]
