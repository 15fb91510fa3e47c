"""One row per failed item: the items go to a table of their own, with the number of their batch."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.intake.recipes.recipe_model import Items as Rule
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.shaping.row_verdicts import ROW, split_rows
from qbase.intake.values.cell_values import FATAL, build_reader
from qbase.tables import read_contract


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """Rows of the second table.

    Parameters
    ----------
    name : str
        Of the table.
    rows : pyarrow.Table
        Typed as its contract says.
    data_rows : ndarray of int
        For each, the data row of the file it stands in.
    leaders : ndarray of int
        For each, the data row of its batch: an item is stored when its batch is.
    """

    name: str
    rows: pa.Table
    data_rows: npt.NDArray[np.int64]
    leaders: npt.NDArray[np.int64]


def build_items(work: Work, rule: Rule, raw: Mapping[str, Sequence[str]], recipe: Recipe) -> Items:
    """Read the items of every data row; a row whose item cannot be read is set aside in the work.

    Parameters
    ----------
    work : Work
        After further items are listed.
    rule : Rule
        Table and columns of the items.
    raw : mapping
        Header -> D cells as they stand.
    recipe : Recipe
        Its marks for missing values hold for the items too.

    Returns
    -------
    Items
    """
    contract = read_contract(rule.table)
    readers = {name: build_reader(contract.column(name), missing=recipe.missing) for name in rule.columns.values()}
    numbers = work.cells(work.contract.key[0] if work.contract.key else rule.key[0])
    seen: collections.Counter[str | None] = collections.Counter()
    found: list[dict[str, str | None]] = []
    places: list[tuple[int, int]] = []
    for row, leader in sorted(work.leader.items()):
        cells = {name: readers[name](raw[header][row]) for header, name in rule.columns.items()}
        if all(text is None for text, _ in cells.values()):
            continue
        if any(code.startswith(FATAL) for _, code in cells.values()):
            work.set_aside("items:control_character", [row])
            continue
        seen[numbers[leader]] += 1
        texts = {name: text for name, (text, _) in cells.items()}
        found.append({"record_no": numbers[leader], "item_no": str(seen[numbers[leader]]), **texts})
        places.append((row, leader))
    columns = {name: pa.array([cells.get(name) for cells in found], pa.string()) for name in contract.column_names}
    data = pa.table(columns).append_column(ROW, pa.array(range(len(found)), pa.int64()))
    split = split_rows(data, contract, {}, None)
    for position in split.quarantined:
        _drop(work, *places[position])
    where = np.array(places, np.int64).reshape(-1, 2)[split.accepted_rows]
    return Items(name=contract.name, rows=split.accepted, data_rows=where[:, 0], leaders=where[:, 1])


def _drop(work: Work, row: int, leader: int) -> None:
    """Set a row aside whose item is unreadable; a further row is listed no longer."""
    if row != leader:
        work.listed.pop(row, None)
    work.set_aside("items:missing", [row])
