"""What a recipe does to rows once they are read: no row is lost, every changed cell is written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from decimal import Decimal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.recipes.recipe_model import Ratio, Recipe
from qbase.intake.shaping.row_verdicts import CONFIG, ROW
from qbase.intake.values.written_numbers import plain_number
from qbase.tables import Contract, check_rows_sql

Cells = list[str | None]

MERGED = "merged"  # code of a cell that took its value from a merged one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flag:
    """A cell that was changed or is remarkable: which, why, as printed, as stored."""

    row: int
    column: str
    code: str
    printed: str
    stored: str


@dataclasses.dataclass(kw_only=True)
class Work:
    """Data rows while a recipe works on them.

    Parameters
    ----------
    contract : Contract
        Of the table.
    data : pyarrow.Table
        D rows of text as read, with `ROW`.
    codes : mapping
        Reason code -> positions the readers set aside.
    changed : mapping
        Column -> its D cells, where they differ from what was read.
    listed : mapping
        Position -> why it is no row of the table.
    added : mapping
        Reason code -> positions set aside here.
    flags : list of Flag
        In order of the steps.
    leader : mapping
        Position of a further item -> position of its batch.
    warnings : list of str
        Codes with counts.
    """

    contract: Contract
    data: pa.Table
    codes: dict[str, npt.NDArray[np.int64]]
    changed: dict[str, Cells] = dataclasses.field(default_factory=dict)
    listed: dict[int, str] = dataclasses.field(default_factory=dict)
    added: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    flags: list[Flag] = dataclasses.field(default_factory=list)
    leader: dict[int, int] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def cells(self, column: str) -> Cells:
        """Return a column as it is now; empty cells where the file lacks it."""
        if column in self.changed:
            return self.changed[column]
        if column in self.data.column_names:
            values: Cells = self.data.column(column).to_pylist()
            return values
        return [None] * len(self)

    def column(self, name: str) -> pa.Array | pa.ChunkedArray:
        """Return a column as it is now, as text; nulls where the file lacks it."""
        if name in self.changed:
            return pa.array(self.changed[name], pa.string())
        return self.data.column(name) if name in self.data.column_names else pa.nulls(len(self), pa.string())

    def filled(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which cells of a column hold something."""
        return np.asarray(pc.fill_null(pc.not_equal(self.column(name), ""), False))

    def rows(self, columns: Iterable[str]) -> list[tuple[str | None, ...]]:
        """Return some columns row by row."""
        names = list(columns)
        return list(zip(*(self.cells(name) for name in names), strict=True)) if names else [()] * len(self)

    def change(self, column: str, code: str, new: Mapping[int, str | None]) -> None:
        """Store other values in some cells and flag each."""
        if not new:
            return
        cells = list(self.cells(column))
        for row, value in sorted(new.items()):
            flag = Flag(row=row, column=column, code=code, printed=cells[row] or "", stored=value or "")
            self.flags.append(flag)
            cells[row] = value
        self.changed[column] = cells

    def fill(self, column: str, cells: Cells | pa.Array | pa.ChunkedArray) -> None:
        """Store a whole column that the file tells in other words; what was done is told once, not cell by cell."""
        values = pa.array(cells, pa.string()) if isinstance(cells, list) else cells
        self.changed.pop(column, None)
        if column in self.data.column_names:
            self.data = self.data.set_column(self.data.column_names.index(column), column, values)
        else:
            self.data = self.data.append_column(column, values)

    def set_aside(self, code: str, rows: Iterable[int]) -> None:
        """Give rows a reason to be set aside."""
        positions = list(rows)
        if positions:
            self.added.setdefault(code, []).extend(positions)

    def table(self) -> pa.Table:
        """Return the rows that are left, as they are now."""
        table = self.data
        for column, cells in self.changed.items():
            values = pa.array(cells, pa.string())
            if column in table.column_names:
                table = table.set_column(table.column_names.index(column), column, values)
            else:
                table = table.append_column(column, values)
        if not self.listed:
            return table
        is_left = np.ones(len(self), np.bool_)
        is_left[list(self.listed)] = False
        return table.filter(pa.array(is_left))

    def all_codes(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return reasons of the readers and of the steps."""
        merged = {code: [rows] for code, rows in self.codes.items()}
        for code, positions in self.added.items():
            merged.setdefault(code, []).append(np.array(positions, np.int64))
        return {code: np.concatenate(rows) for code, rows in merged.items()}


def apply_recipe(work: Work, recipe: Recipe) -> None:
    """Do to the rows what the recipe asks for, in this order; the work is changed in place.

    Records without content are listed, marks derived, unsound cells blanked, rates proved by their counts, further
    items and repetitions listed. Counting and differencing come in `qbase.intake.shaping.stated_counts` and
    `qbase.intake.shaping.year_to_date`.
    """
    if recipe.needs_any:
        rows = [row for row, cells in enumerate(work.rows(recipe.needs_any)) if not any(cells)]
        work.listed.update(dict.fromkeys(rows, "empty_record"))
    for column, source in recipe.derive.items():
        _derive(work, column, source)
    if recipe.blank_faults:
        _blank_faults(work, recipe.blank_faults)
    blanked = {(flag.row, flag.column) for flag in work.flags}
    for column in recipe.expected:
        cells = work.cells(column)
        blank = [row for row, cell in enumerate(cells) if cell is None and (row, column) not in blanked]
        work.flags += [Flag(row=row, column=column, code="blank", printed="", stored="") for row in blank]
    if recipe.ratio is not None:
        _prove_ratio(work, recipe.ratio)
    if recipe.items is not None:
        _list_further_items(work, recipe.items.key)
    if recipe.repeats:
        _list_repeats(work, recipe.repeats)


def _derive(work: Work, column: str, source: str) -> None:
    """Say yes wherever another column is filled: a re-check nobody ticked still names its parent."""
    filled = work.cells(source)
    yes = {row: "true" for row, cell in enumerate(work.cells(column)) if filled[row] and cell != "true"}
    work.change(column, "derived", yes)


def _blank_faults(work: Work, columns: tuple[str, ...]) -> None:
    """Count unreadable or unsound cells as missing, so that their rows stay."""
    some = tuple(column for column in work.contract.columns if column.name in columns)
    contract = dataclasses.replace(work.contract, columns=some, rules=(), key=())
    names = [column.name for column in some if column.name in work.data.column_names]
    found: dict[str, dict[int, str]] = {name: {} for name in names}
    for code in list(work.codes):
        column = code.partition(":")[0]
        if column in found:
            found[column].update(dict.fromkeys(work.codes.pop(code).tolist(), code.partition(":")[2]))
    with duckdb.connect(config=CONFIG) as db:
        db.register("data", work.table().select([*names, ROW]))
        wrong = db.execute(
            f"SELECT {ROW}, reasons FROM ({check_rows_sql(contract, 'data')}) WHERE len(reasons) > 0"  # noqa: S608
        ).fetchall()
    for row, reasons in wrong:
        for reason in reasons:
            column, _, code = reason.partition(":")
            if code != "missing":
                found[column].setdefault(row, code)
    for column, rows in found.items():
        for code in sorted(set(rows.values())):
            work.change(column, code, {row: None for row, why in rows.items() if why == code})
            work.warnings.append(f"{column}:{code}_blanked {sum(why == code for why in rows.values())}")


def _prove_ratio(work: Work, ratio: Ratio) -> None:
    """Accept a rate that its counts prove, as it is or as a share; set the others aside."""
    whole_unit = Decimal(100) if work.contract.column(ratio.column).unit == "pct" else Decimal(1)
    tolerance = Decimal(str(ratio.tolerance))
    shares: dict[int, str | None] = {}
    wrong = []
    for row, (rate, part, whole) in enumerate(work.rows((ratio.column, ratio.part, ratio.whole))):
        value, k, n = (_number(cell) for cell in (rate, part, whole))
        if value is None or k is None or not n:
            continue
        true = whole_unit * k / n
        other = Decimal(100) if whole_unit == 100 else Decimal("0.01")
        if abs(value - true) <= tolerance:
            continue
        if abs(value * other - true) <= tolerance:
            shares[row] = plain_number(str(value * other))
        else:
            wrong.append(row)
    work.change(ratio.column, "other_unit", shares)
    work.set_aside(f"{ratio.column}:against_counts", wrong)
    if shares:
        work.warnings.append(f"{ratio.column}:other_unit {len(shares)}")


def _number(cell: str | None) -> Decimal | None:
    plain = plain_number(cell) if cell else None
    return Decimal(plain) if plain is not None else None


def _list_further_items(work: Work, key: tuple[str, ...]) -> None:
    """List the rows that only add an item to a batch named before.

    Where the table has a key, the other columns must agree as well: else the rows are in conflict, and both stay.
    """
    content = work.contract.column_names if work.contract.key else key
    keep = {name for name in content if name not in work.contract.key or work.contract.key == key}
    names = [name for name in content if name in keep] if work.contract.key == key else list(key)
    first: dict[tuple[str | None, ...], int] = {}
    for row, cells in enumerate(work.rows(names)):
        if row in work.listed:
            continue
        leader = first.setdefault(cells, row)
        work.leader[row] = leader
        if leader != row:
            work.listed[row] = "further_item"


def _list_repeats(work: Work, repeats: tuple[str, ...]) -> None:
    """List rows that say the same as one before, but for columns a second notice changes."""
    names = [name for name in work.contract.column_names if name not in repeats]
    keys = [names.index(column) for column in work.contract.key]
    seen: set[tuple[str | None, ...]] = set()
    for row, cells in enumerate(work.rows(names)):
        if row in work.listed or any(cells[k] is None for k in keys):
            continue
        if cells in seen:
            work.listed[row] = "repeated_row"
        seen.add(cells)
