"""Inspections to registered firms where the code does not say it: every link recorded, scored, reversible.

``identity_links`` is a diary of decisions: the latest one on a printed firm of a sample counts, so a ``reject`` row
undoes an ``accept`` and nothing is ever overwritten. What is doubtful waits in ``identity_queue`` for a person.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from qbase.core.errors import DataError
from qbase.intake.matching import EVER, KnownName, Match, Printed, Register
from qbase.intake.towns import read_towns
from qbase.lake.deliveries import DERIVED, Delivery

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

LINKS, QUEUE = "identity_links", "identity_queue"
REGISTER_TABLES = frozenset({"firms", "firm_names", "firm_events"})
BY_RULE = "qbase"

Decision = Literal["accept", "reject"]

# what a code alone does not settle: no code, no firm or several with this code, or the name of another firm
_OPEN = """
WITH codes AS (SELECT uscc FROM (SELECT DISTINCT firm_id, uscc FROM firms) WHERE uscc IS NOT NULL
               GROUP BY uscc HAVING count(*) = 1),
names AS ({names}),
coded AS (SELECT i.*, c.uscc IS NOT NULL AS is_coded FROM inspections i LEFT JOIN codes c ON c.uscc = i.uscc)
SELECT sample_no, coalesce(uscc, '') AS uscc, firm_name, sample_date::VARCHAR AS day, coalesce(town_code, '') AS town
FROM coded i
WHERE firm_code IS NULL AND (NOT is_coded OR (
    EXISTS (SELECT 1 FROM names n WHERE n.firm_name = i.firm_name)
    AND NOT EXISTS (SELECT 1 FROM names n JOIN firms f USING (firm_id)
                    WHERE n.firm_name = i.firm_name AND f.uscc = i.uscc)))
{known} {scope}
ORDER BY sample_no
"""
_KNOWN = """
AND NOT EXISTS (SELECT 1 FROM {table} d
                WHERE d.sample_no = i.sample_no AND d.name_printed = i.firm_name
                  AND (i.uscc IS NULL OR d.uscc_printed = i.uscc))
"""
_REGISTERED = "SELECT firm_id, firm_name, '' AS first, '{ever}' AS last FROM firms"
_NAMED = """
SELECT firm_id, firm_name, valid_from_date::VARCHAR AS first, coalesce(valid_to_date::VARCHAR, '{ever}') AS last
FROM firm_names
UNION ALL
SELECT firm_id, firm_name, '' AS first, '{ever}' AS last FROM firms
WHERE firm_id NOT IN (SELECT firm_id FROM firm_names)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkReport:
    """What linking did.

    Parameters
    ----------
    looked, linked, queued : int
        Inspections looked at; linked to a firm; put into the queue for a person.
    snapshot : str
        Snapshot that holds the links; the latest one when nothing changed.
    """

    looked: int
    linked: int
    queued: int
    snapshot: str


def link_firms(workspace: Workspace, *, deliveries: Sequence[str] | None = None) -> LinkReport:
    """Link inspections to registered firms where code or name leave no doubt, and queue the doubtful ones.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and firms; without one of them nothing happens.
    deliveries : sequence of str or None
        sha256 of deliveries to look at; None looks at all that is not decided yet.

    Returns
    -------
    LinkReport
    """
    at = workspace.snapshot()
    if not {"inspections", "firms"} <= set(at.versions) or deliveries == []:
        return LinkReport(looked=0, linked=0, queued=0, snapshot=at.id)
    rows = workspace.arrow(_open_sql(at, deliveries), snapshot=at).to_pylist()
    if not rows:
        return LinkReport(looked=0, linked=0, queued=0, snapshot=at.id)
    register, towns = read_register(workspace, at), read_towns(workspace, at)
    found: dict[Printed, Match] = {}
    links, queue = [], []
    for row in rows:
        town = towns.resolve(row["town"])
        printed = Printed(uscc=row["uscc"], name=row["firm_name"], day=row["day"], town=town)
        match = found.get(printed) or register.find(printed)
        found[printed] = match
        if match.decision == "accept":
            links.append(link_row(row["sample_no"], printed, match))
        elif match.decision == "doubt":
            queue.append(_queue_row(row["sample_no"], printed, match))
    snapshot = write_decisions(workspace, links, queue)
    return LinkReport(looked=len(rows), linked=len(links), queued=len(queue), snapshot=snapshot.id)


def _open_sql(at: Snapshot, deliveries: Sequence[str] | None) -> str:
    names = _NAMED if "firm_names" in at.versions else _REGISTERED
    known = "".join(_KNOWN.format(table=table) for table in (LINKS, QUEUE) if table in at.versions)
    listed = ", ".join(f"'{sha256}'" for sha256 in deliveries or ())
    scope = f"AND delivery_sha256 IN ({listed})" if listed else ""
    return _OPEN.format(names=names.format(ever=EVER), known=known, scope=scope)


def read_register(workspace: Workspace, snapshot: Snapshot | None = None) -> Register:
    """Read firms, their names over time, towns of today and mergers.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the firms.
    snapshot : Snapshot or None
        The latest when None.

    Returns
    -------
    Register
    """
    at = workspace.snapshot(snapshot)
    towns = read_towns(workspace, at)
    firms = workspace.arrow("SELECT firm_id, uscc, town_code FROM firms", snapshot=at).to_pylist()
    names_sql = (_NAMED if "firm_names" in at.versions else _REGISTERED).format(ever=EVER)
    names = workspace.arrow(names_sql, snapshot=at).to_pylist()
    mergers: Mapping[str, tuple[str, str]] = {}
    if "firm_events" in at.versions:
        sql = "SELECT firm_id, event_date::VARCHAR AS day, other_firm_id AS heir FROM firm_events "
        sql += "WHERE kind = 'merged' AND other_firm_id IS NOT NULL ORDER BY event_date"
        mergers = {row["firm_id"]: (row["day"], row["heir"]) for row in workspace.arrow(sql, snapshot=at).to_pylist()}
    return Register(
        (KnownName(firm_id=n["firm_id"], name=n["firm_name"], first=n["first"], last=n["last"]) for n in names),
        {row["firm_id"]: row["uscc"] for row in firms if row["uscc"]},
        {row["firm_id"]: towns.resolve(row["town_code"]) or row["town_code"] for row in firms},
        mergers,
    )


def decide_link(
    workspace: Workspace, sample_no: str, firm_id: str, decision: Decision, *, decided_by: str = "user"
) -> Snapshot:
    """Record what a person decides on a sample: link it to a firm, or undo a link.

    Parameters
    ----------
    workspace : Workspace
        Where the sample lies.
    sample_no, firm_id : str
        The sample and the firm.
    decision : {"accept", "reject"}
        ``reject`` undoes a link, also one that a rule made; it stays undone.
    decided_by : str
        Who decides.

    Returns
    -------
    Snapshot
        With the decision.

    Raises
    ------
    DataError
        There is no such sample or firm (QB351).
    """
    at = workspace.snapshot()
    sql = (
        "SELECT coalesce(uscc, '') AS uscc, firm_name, sample_date::VARCHAR AS day FROM inspections WHERE sample_no = ?"
    )
    samples = workspace.arrow(sql, params=(sample_no,), snapshot=at).to_pylist()
    firms = workspace.arrow("SELECT firm_name FROM firms WHERE firm_id = ?", params=(firm_id,), snapshot=at).to_pylist()
    if not samples or not firms:
        raise DataError(
            "QB351",
            found=f"{sample_no if not samples else firm_id}: 0",
            expected="sample_no of inspections, firm_id of firms",
            fix="qbase quarantine list",
        )
    printed = Printed(uscc=samples[0]["uscc"], name=samples[0]["firm_name"], day=samples[0]["day"])
    match = Match(decision="accept", firm_id=firm_id, known=firms[0]["firm_name"], method="manual", score=100.0)
    row = link_row(sample_no, printed, match) | {"decision": decision, "decided_by": decided_by}
    return write_decisions(workspace, [row], [])


def link_row(sample_no: str, printed: Printed, match: Match) -> dict[str, Any]:
    """Return a decision as a row of ``identity_links``."""
    return {
        "decision": "accept",
        "decided_by": BY_RULE,
        "sample_no": sample_no,
        "uscc_printed": printed.uscc,
        "name_printed": printed.name,
        "firm_id": match.firm_id,
        "name_known": match.known,
        "method": match.method,
        "score": match.score,
    }


def _queue_row(sample_no: str, printed: Printed, match: Match) -> dict[str, Any]:
    row = link_row(sample_no, printed, match)
    return {name: value for name, value in row.items() if name not in ("decision", "decided_by")}


def link_table(workspace: Workspace, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return decisions as a table, numbered after those already taken."""
    at = workspace.snapshot()
    taken = 0
    if LINKS in at.versions:
        taken = workspace.arrow(f"SELECT count(*) AS n FROM {LINKS}", snapshot=at)["n"][0].as_py()  # noqa: S608
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    numbered = [{"decision_no": taken + i, "decided_at": now, **row} for i, row in enumerate(rows, start=1)]
    return pa.Table.from_pylist(numbered)


def write_decisions(
    workspace: Workspace, links: Sequence[Mapping[str, Any]], queue: Sequence[Mapping[str, Any]]
) -> Snapshot:
    """Append decisions and doubts in one commit; nothing new, no commit."""
    tables = {}
    if links:
        tables[LINKS] = link_table(workspace, links)
    if queue:
        tables[QUEUE] = pa.Table.from_pylist([dict(row) for row in queue])
    return write_derived(workspace, LINKS, tables)


def write_derived(workspace: Workspace, table: str, tables: Mapping[str, pa.Table]) -> Snapshot:
    """Append rows that were worked out here; the same rows on the same snapshot are written once."""
    at = workspace.snapshot()
    if not tables:
        return at
    count = sum(rows.num_rows for rows in tables.values())
    digest = hashlib.sha256(f"{at.id} {table}".encode())
    for name in sorted(tables):
        digest.update(name.encode())
        for column in tables[name].columns:
            digest.update(str(column.to_pylist()).encode())
    delivery = Delivery(
        sha256=digest.hexdigest(),
        file_name=table,
        table=table,
        recipe=DERIVED,
        verdict="OK",
        rows_seen=count,
        accepted=count,
    )
    return workspace.commit(delivery, tables)
