"""What follows a load: towns, firms and batches linked; and codes a name sets right when a file is read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from qbase.intake.accounting.load_report import LoadReport
from qbase.intake.linking.firm_links import REGISTER_TABLES, is_news, link_firms, print_of, read_makers, read_register
from qbase.intake.linking.link_decisions import Decision
from qbase.intake.linking.link_diary import BY_RULE, HOLDS_SQL, LATEST_SQL, LINKS, latest_sql, link_row, link_table
from qbase.intake.linking.same_batch import LIKE_ONE_SQL, link_batches
from qbase.intake.linking.same_batch import TABLE as BATCH_LINKS
from qbase.intake.linking.town_codes import find_unknown_towns, read_towns
from qbase.intake.linking.town_links import DESCRIBED, TownLink, decide_town_links, link_towns
from qbase.intake.shaping.canonical_table import Sheets
from qbase.intake.shaping.row_verdicts import Split
from qbase.lake import Snapshot, Workspace

ACCEPT: Decision = "accept"
REJECT: Decision = "reject"
REPAIRABLE = ("uscc:check",)
# few inspections are named in links: they are looked for once, not in every join
_FOUND = """
WITH looked AS MATERIALIZED (
    SELECT sample_no, delivery_sha256, uscc, firm_code, firm_name, product_name, result, is_recheck
    FROM inspections WHERE sample_no IN ({named})
)
SELECT i.delivery_sha256 AS sha, l.kind, count(*) AS n
FROM ({links}) l JOIN looked i USING (sample_no)
GROUP BY ALL ORDER BY 1, 2
"""
_DOUBTFUL = f"""
SELECT l.sample_no, 'firm_doubtful' AS kind FROM ({LATEST_SQL}) l JOIN looked i ON {HOLDS_SQL}
WHERE l.decision = 'doubt'
"""  # noqa: S608  (built from constants)


def add_links(
    workspace: Workspace, reports: Sequence[LoadReport], *, accept: Sequence[str] = (), reject: Sequence[str] = ()
) -> list[LoadReport]:
    """Link towns, firms and batches of what was loaded, and say in the reports what a reader should know.

    Parameters
    ----------
    workspace : Workspace
        Where the rows lie.
    reports : sequence of LoadReport
        One per file. A recipe that gives one value of ``is_recheck`` to all rows fills a column and proves nothing,
        so re-checks nobody marked are looked for in its rows as well.
    accept, reject : sequence of str
        Answers to questions about towns (``town_links:…``).

    Returns
    -------
    list of LoadReport
        With warnings ``unmarked_recheck``, ``likely_recheck``, ``other_notice``, ``firm_doubtful``, ``unknown_town``,
        ``town_link_open``.

    Raises
    ------
    UsageError
        An answer fits no question about towns (QB395), or another one that stands (QB396).
    """
    standing = [report for report in reports if report.accepted and "superseded" not in report.warnings]
    seen = workspace.snapshot().id
    asked = link_towns(workspace) if standing else []
    if accept or reject:
        for words, decision in ((accept, ACCEPT), (reject, REJECT)):
            decide_town_links(workspace, words, decision)
        asked = link_towns(workspace)
    is_moved = workspace.snapshot().id != seen
    reports = _tell_open(workspace, reports, asked)
    unknown = find_unknown_towns(workspace, {table for report in standing for table in report.table_names})
    reports = [report.with_warnings(unknown.get(report.sha256, ())) for report in reports]
    inspections = [report.sha256 for report in standing if "inspections" in report.table_names]
    is_new_register = any(
        not REGISTER_TABLES.isdisjoint(report.table_names) and not report.already for report in standing
    )
    is_all = is_new_register or is_moved
    if not inspections and not is_all:
        return list(reports)
    link_firms(workspace, deliveries=None if is_all else inspections)
    link_batches(workspace, deliveries=inspections)
    found = _found(workspace)
    return [report.with_warnings(found.get(report.sha256, ())) for report in reports]


def _tell_open(workspace: Workspace, reports: Sequence[LoadReport], asked: Sequence[TownLink]) -> list[LoadReport]:
    """Say in the reports of towns, and of files that brought towns without a code, what a person has to decide."""
    if not asked:
        return list(reports)
    sql = "SELECT DISTINCT delivery_sha256 AS sha FROM towns WHERE list_contains(?, town_code)"
    made = [link.made_code for link in asked]
    brought = set(workspace.arrow(sql, params=(made,))["sha"].to_pylist())
    told = [f"town_code:town_link_open {len(asked)}"]
    return [
        report.with_warnings(told if report.sha256 in brought or not DESCRIBED.isdisjoint(report.table_names) else ())
        for report in reports
    ]


def _found(workspace: Workspace) -> dict[str, list[str]]:
    at = workspace.snapshot()
    if "inspections" not in at.versions:
        return {}
    parts, named = [], []
    if BATCH_LINKS in at.versions:
        parts.append(LIKE_ONE_SQL)
        named += [f"SELECT {column} FROM {BATCH_LINKS}" for column in ("sample_no", "other_no")]  # noqa: S608
    if LINKS in at.versions:
        parts.append(_DOUBTFUL)
        named.append(f"SELECT sample_no FROM ({LATEST_SQL}) WHERE decision = 'doubt'")  # noqa: S608
    if not parts:
        return {}
    sql = _FOUND.format(named=" UNION ".join(named), links=" UNION ALL ".join(parts))
    rows = workspace.arrow(sql, snapshot=at).to_pylist()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["sha"], []).append(f"{row['kind']} {row['n']}")
    return found


def repair_codes(workspace: Workspace, sheets: Sheets, split: Split) -> tuple[Sheets, dict[str, pa.Table]]:
    """Take a code with a wrong character for not printed where name, day and the rest of the code leave one firm.

    A person who decided on the printed firm after an earlier reading is not overruled.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the register of firms.
    sheets : Sheets
        All rows of the file.
    split : Split
        The verdict on them.

    Returns
    -------
    tuple of (Sheets, dict)
        Sheets without these codes, and the links that say which firms they are, where the diary does not say so
        already; nothing changes without a register.
    """
    rows = [row for row, reasons in split.quarantined.items() if reasons == REPAIRABLE]
    at = workspace.snapshot()
    if sheets.contract.name != "inspections" or not rows or "firms" not in at.versions:
        return sheets, {}
    register, towns, makers = read_register(workspace, at), read_towns(workspace, at), read_makers(workspace, at)
    cells = sheets.data.take(pa.array(rows)).to_pylist()
    known = _read_known(workspace, at, [cell["sample_no"] for cell in cells])
    links: list[dict[str, Any]] = []
    released = []
    for row, cell in zip(rows, cells, strict=True):
        facts = {"day": str(cell["sample_date"]), "town": cell.get("town_code") or "", "product": cell["product_name"]}
        printed = print_of({**cell, **facts}, towns, makers)
        match, before = register.find(printed), known.get((cell["sample_no"], printed.name, printed.uscc))
        is_by_person = before is not None and before["decided_by"] != BY_RULE
        if match.decision == "accept" or is_by_person:
            released.append(row)
            if not is_by_person and is_news(before, match):
                links.append(link_row(cell["sample_no"], printed, match))
    if not released:
        return sheets, {}
    sheets.work.change("uscc", "code_by_name", dict.fromkeys(released))
    warnings = (*sheets.warnings, f"uscc:code_by_name {len(released)}")
    return dataclasses.replace(sheets, warnings=warnings), {LINKS: link_table(links)} if links else {}


def _read_known(workspace: Workspace, at: Snapshot, samples: Sequence[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return what the diary says of samples, by sample, printed name and printed code."""
    sql = f"SELECT * FROM ({latest_sql(at)}) WHERE list_contains(?, sample_no)"  # noqa: S608  (built from constants)
    rows = workspace.arrow(sql, params=(list(samples),), snapshot=at).to_pylist()
    return {(row["sample_no"], row["name_printed"], row["uscc_printed"]): row for row in rows}
