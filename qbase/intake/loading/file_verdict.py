"""The verdict on every table of a file, and the entry of the ledger that accounts for all of its rows."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from qbase.core.values import EMPTY
from qbase.intake.accounting.loading_day import count_ahead
from qbase.intake.linking.after_load import repair_codes
from qbase.intake.linking.recheck_numbers import mark_rechecks
from qbase.intake.linking.settled_places import has_places, settle_places, with_origin
from qbase.intake.loading.stored_rows import Aside, JudgedTable, check_sums, list_aside
from qbase.intake.shaping.row_verdicts import split_rows
from qbase.intake.shaping.stated_counts import check_counts
from qbase.intake.values import row_account
from qbase.lake import Delivery

if TYPE_CHECKING:
    from qbase.intake.accounting.load_report import Verdict
    from qbase.intake.loading.received_file import Received
    from qbase.intake.recipes.recipe_model import Recipe
    from qbase.intake.shaping.canonical_table import Sheets
    from qbase.intake.shaping.file_tables import Book
    from qbase.lake import Workspace

VERDICTS = ("listed", "accepted", "quarantined")


def settle_words(
    workspace: Workspace, sheets: Sheets, recipe: Recipe, source: Received
) -> tuple[Sheets, dict[str, pa.Table]]:
    """Turn what a table says in words into what the lake keeps: re-checks, codes of towns, clusters.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows samples, towns and clusters.
    sheets : Sheets
        The table as read.
    recipe : Recipe
        With the answers given.
    source : Received
        The file.

    Returns
    -------
    tuple of (Sheets, dict)
        The table, and new rows of towns and clusters that a person accepted.

    Raises
    ------
    DataError
        Towns or clusters that nobody knows, or numbers that may mark re-checks (QB360).
    """
    before, new = list(sheets.work.warnings), {}
    if sheets.contract.name == "inspections":
        mark_rechecks(workspace, sheets.work, recipe)
    if has_places(sheets):
        rows = settle_places(workspace, sheets, recipe, source.name)
        new = {table: with_origin(some, source.sha256) for table, some in rows.items()}
    told = sheets.work.warnings[len(before) :]
    return dataclasses.replace(sheets, data=sheets.work.data, warnings=(*sheets.warnings, *told)), new


def judge_rows(
    workspace: Workspace,
    sheets: Sheets,
    stored: pa.Table | None,
    *,
    is_again: bool,
    new: Mapping[str, pa.Table] = EMPTY,
) -> JudgedTable:
    """Judge the rows of one table.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the register of firms.
    sheets : Sheets
        The table as read.
    stored : pyarrow.Table or None
        Rows of the lake whose keys may collide.
    is_again : bool
        The file is read again: a code with one wrong character may be settled by now.
    new : mapping
        Rows of other tables that a person accepted with this one.

    Returns
    -------
    JudgedTable
    """
    links: Mapping[str, pa.Table] = {}
    split = split_rows(sheets.work.table(), sheets.contract, sheets.codes, stored)
    if is_again:
        repaired, links = repair_codes(workspace, sheets, split)
        if repaired is not sheets:
            sheets = repaired
            split = split_rows(sheets.work.table(), sheets.contract, sheets.codes, stored)
    return JudgedTable(sheets=sheets, split=split, aside=tuple(list_aside(sheets, split)), links={**new, **links})


def account_for(
    workspace: Workspace,
    source: Received,
    book: Book,
    judged: Sequence[JudgedTable],
    unused: Sequence[Aside],
    warnings: Sequence[str],
) -> Delivery:
    """Return the entry of the ledger; rows and sums of every table must add up, or nothing is taken.

    Parameters
    ----------
    workspace : Workspace
        Where stated counts are compared with rows.
    source : Received
        The file.
    book, judged, unused
        Its tables as read and as judged, and the rows of its other sheets.
    warnings : sequence of str
        What is known already and concerns the file as a whole.

    Returns
    -------
    Delivery

    Raises
    ------
    DataError
        Rows are lost (QB331) or sums differ (QB332).
    """
    parts = {one.sheets.contract.name: _account_for_table(source.name, one) for one in judged}
    several = len(judged) > 1
    told = [_warnings(workspace, book, one, source.today, is_one_of_several=several) for one in judged]
    remarks = [*(warning for some in told for warning in some)]
    remarks += [f"{grid.sheet}:sheet_unused" for grid in book.unused]
    beside = {one.sheets.contract.name for one in judged if one.sheets.parts[0].is_beside}
    counts = {name: sum(part[name] for part in parts.values()) for name in VERDICTS}
    counts["listed"] += len(unused)
    seen = sum(part["rows_seen"] for part in parts.values()) + sum(map(len, book.unused))
    row_account.check_rows(source.name, seen, counts)
    reasons = collections.Counter(reason for row in (*_all_aside(judged), *unused) for reason in row.reasons)
    every = tuple(dict.fromkeys([*remarks, *warnings]))
    return Delivery(
        sha256=source.sha256,
        file_name=source.name,
        table=max(parts, key=lambda table: (table not in beside, parts[table]["accepted"])),
        recipe=book.recipe.name,
        producer=book.recipe.producer,
        licence=book.recipe.licence,
        verdict=verdict_of(counts["quarantined"], every),
        rows_seen=seen,
        reasons=dict(sorted(reasons.items())),
        warnings=every,
        attempt=source.attempt,
        by_table=parts if len(parts) > 1 else {},
        **counts,
    )


def _all_aside(judged: Sequence[JudgedTable]) -> list[Aside]:
    return [row for one in judged for row in one.aside]


def _account_for_table(file: str, one: JudgedTable) -> dict[str, Any]:
    counts = collections.Counter(row.verdict for row in one.aside)
    parts = {"listed": counts["listed"], "accepted": len(one.split.accepted), "quarantined": counts["quarantined"]}
    row_account.check_rows(file, one.rows_seen, parts)
    check_sums(file, one.sheets, one.split, one.aside)
    reasons = collections.Counter(reason for row in one.aside for reason in row.reasons)
    sheets = [grid.sheet for grid in (*(part.grid for part in one.sheets.parts), *(g for g, _ in one.sheets.apart))]
    return {"rows_seen": one.rows_seen, **parts, "reasons": dict(sorted(reasons.items())), "sheets": sheets}


def _warnings(
    workspace: Workspace, book: Book, one: JudgedTable, today: datetime.date, *, is_one_of_several: bool
) -> list[str]:
    """Return what a reader of a table should know; among several tables each warning says of which it is."""
    told = [*one.sheets.warnings, *count_ahead(one.split.accepted, one.sheets.contract, today)]
    if book.recipe.reconcile is not None:
        told += check_counts(workspace, one.sheets.work, book.recipe.reconcile)
    if len(one.split.duplicates):
        told.append(f"duplicate_rows {len(one.split.duplicates)}")
    if len(one.split.repeated):
        told.append(f"repeated_rows {len(one.split.repeated)}")
    if not is_one_of_several:
        return told
    if not one.sheets.data.num_rows:
        told.append("table_empty")
    return [f"{one.sheets.contract.name}/{warning}" for warning in told]


def verdict_of(quarantined: int, warnings: Sequence[str]) -> Verdict:
    """Return the verdict on a file that was not rejected."""
    if quarantined:
        return "QUARANTINED"
    return "WARN" if warnings else "OK"
