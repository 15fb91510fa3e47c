"""Which earlier deliveries a corrected file takes the place of."""

from __future__ import annotations

import collections
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.errors import UsageError
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.shaping.row_verdicts import split_rows
from qbase.lake import Workspace
from qbase.tables import Contract

if TYPE_CHECKING:
    from qbase.intake.shaping.file_tables import Book

_SHA = re.compile(r"[0-9a-f]{8,64}")
SUPERSEDE_BY = ("producer", "table", "period")
LEANING = frozenset({"duplicate_row", "repeated_row"})
"""Rows left out because another delivery may hold them."""


def find_delivery(workspace: Workspace, given: str, *, fix: str = "qbase load FILE --supersedes SHA256") -> str:
    """Return the sha256 of a delivery that stands, from its first eight or more digits.

    Parameters
    ----------
    workspace : Workspace
        Where earlier deliveries lie.
    given : str
        First digits.
    fix : str
        What to type instead, where they name none.

    Returns
    -------
    str
        All digits.

    Raises
    ------
    UsageError
        No delivery, or several, begin with these digits (QB344).
    """
    standing = workspace.deliveries()
    standing = standing[standing["verdict"] != "REJECTED"]
    fits = sorted({str(sha) for sha in standing["sha256"] if str(sha).startswith(given)})
    if not _SHA.fullmatch(given) or len(fits) != 1:
        shown = [f"{row['sha256'][:12]} {row['file_name']}" for row in standing.tail(5).to_dict("records")]
        raise UsageError(
            "QB344",
            given=given,
            found=f"{given}: {len(fits)}",
            expected=" · ".join(shown) or "sha256",
            fix=fix,
        )
    return fits[0]


def count_leaning(workspace: Workspace, book: Book, corrected: Sequence[str]) -> int:
    """Return how many other deliveries left rows out because earlier ones held them, which may be those replaced.

    Rows of theirs may be in no delivery any more; reading them again brings these rows back.

    Parameters
    ----------
    workspace : Workspace
        Where earlier deliveries lie.
    book : Book
        The new one.
    corrected : sequence of str
        sha256 of the deliveries it replaces.
    """
    gone, is_later, leaning = set(corrected), False, set()
    sent = workspace.deliveries([sheets.contract.name for sheets in book.tables])
    for sha256, reasons in zip(sent["sha256"], sent["reasons"], strict=True):
        if is_later and sha256 not in gone and LEANING & set(reasons):
            leaning.add(sha256)
        is_later = is_later or sha256 in gone
    return len(leaning)


def find_corrected(workspace: Workspace, book: Book) -> tuple[str, ...]:
    """Return the deliveries with the same producer, tables and periods, where the recipe says these are one.

    A period is the set of years (of a quarter column: of quarters) that the rows cover. A delivery is replaced as a
    whole or not at all, so it must agree in every one of its tables.

    Parameters
    ----------
    workspace : Workspace
        Where earlier deliveries lie.
    book : Book
        The new one; the ``supersede_by`` of its recipe names what must agree, empty replaces nothing.

    Returns
    -------
    tuple of str
        sha256, oldest first.
    """
    if not book.recipe.supersede_by:
        return ()
    names = {sheets.contract.name for sheets in book.tables}
    found: list[list[str]] = []
    for sheets in book.tables:
        if not workspace.has_table(sheets.contract.name):
            return ()
        alone = split_rows(sheets.work.table(), sheets.contract, sheets.codes, None)
        before = _find_same(workspace, book.recipe, sheets.contract, alone.accepted)
        whole = [
            set(parts or [table]) == names for parts, table in zip(before["by_table"], before["table"], strict=True)
        ]
        found.append(list(map(str, before["sha256"][whole])))
    return tuple(sha for sha in dict.fromkeys(found[0]) if all(sha in others for others in found[1:]))


def _find_same(workspace: Workspace, recipe: Recipe, contract: Contract, accepted: pa.Table) -> pd.DataFrame:
    """Return the deliveries to a table with the same producer and period."""
    before = workspace.deliveries([contract.name])
    before = before[before["verdict"] != "REJECTED"]
    if "producer" in recipe.supersede_by:
        before = before[before["producer"] == recipe.producer]
    column = contract.period_column
    if "period" in recipe.supersede_by and column:
        wanted = set(pc.unique(pc.utf8_slice_codeunits(_text(accepted[column]), 0, _digits(contract))).to_pylist())
        old = workspace.arrow(
            f"SELECT DISTINCT delivery_sha256 AS sha, left({column}::VARCHAR, {_digits(contract)}) AS period "  # noqa: S608
            f"FROM {contract.name}"
        )
        periods: dict[str, set[str]] = collections.defaultdict(set)
        for row in old.to_pylist():
            periods[row["sha"]].add(row["period"])
        before = before[[periods[str(sha)] == wanted for sha in before["sha256"]]]
    return before


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _digits(contract: Contract) -> int:
    return 6 if contract.column(str(contract.period_column)).type == "quarter" else 4


def without(rows: pa.Table, deliveries: Sequence[str]) -> pa.Table:
    """Return stored rows without those of deliveries."""
    if not deliveries or "delivery_sha256" not in rows.column_names:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["delivery_sha256"], value_set=pa.array(list(deliveries)))))
