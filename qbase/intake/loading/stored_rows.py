"""What a judged file leaves in the lake: its rows with their origin, what was set aside, which cells changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.intake.reading.raw_grid import Grid
from qbase.intake.shaping.canonical_table import Part, Sheets
from qbase.intake.shaping.recipe_steps import MERGED, Flag
from qbase.intake.shaping.row_verdicts import Split
from qbase.intake.values import row_account

SET_ASIDE = "set_aside"
FLAGGED = "flagged_cells"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Aside:
    """Rows that are not taken, verbatim."""

    verdict: str
    sheet: str
    row_no: int
    reasons: tuple[str, ...]
    raw: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JudgedTable:
    """One table of a file and the verdict on its rows.

    Parameters
    ----------
    sheets : Sheets
        The table as read.
    split : Split
        The verdict on its rows.
    aside : tuple of Aside
        Rows that are not taken.
    links : mapping
        Further rows for the lake that say which firms codes were settled to.
    """

    sheets: Sheets
    split: Split
    aside: tuple[Aside, ...]
    links: Mapping[str, pa.Table] = dataclasses.field(default_factory=dict)

    @property
    def rows_seen(self) -> int:
        """All rows of its sheets."""
        apart = sum(layout.rows for _, layout in self.sheets.apart)
        return apart + sum(part.layout.rows for part in self.sheets.parts)


def build_tables(judged: Sequence[JudgedTable], unused: Sequence[Aside], sha256: str) -> dict[str, pa.Table]:
    """Return the rows of every table a file fills.

    Parameters
    ----------
    judged : sequence of JudgedTable
        The tables of the file.
    unused : sequence of Aside
        Rows of sheets without a table.
    sha256 : str
        Of the file.

    Returns
    -------
    dict of str to pyarrow.Table
        Its own tables, that of the items if any, `SET_ASIDE`, and `FLAGGED` where cells were changed.
    """
    tables: dict[str, pa.Table] = {}
    flagged = []
    for one in judged:
        sheets, split = one.sheets, one.split
        tables[sheets.contract.name] = _with_origin(sheets, split.accepted, split.accepted_rows, sha256)
        if sheets.items is not None:
            is_kept = np.isin(sheets.items.leaders, split.accepted_rows)
            rows = sheets.items.rows.filter(pa.array(is_kept))
            tables[sheets.items.name] = _with_origin(sheets, rows, sheets.items.data_rows[is_kept], sha256)
        if sheets.work.flags:
            flagged.append(_flag_table(sheets, split, sha256))
        tables |= one.links
    if flagged:
        tables[FLAGGED] = pa.concat_tables(flagged)
    tables[SET_ASIDE] = _aside_table([*(row for one in judged for row in one.aside), *unused], sha256)
    return tables


def list_unused(grids: Sequence[Grid]) -> list[Aside]:
    """Return every row of sheets that hold no known table."""
    codes = ("sheet_without_table",)
    return [
        Aside(verdict="listed", sheet=grid.sheet, row_no=grid.row_no(position), reasons=codes, raw=raw)
        for grid in grids
        for position, raw in enumerate(grid.raw_json(range(len(grid))))
    ]


def list_aside(sheets: Sheets, split: Split) -> list[Aside]:
    """Return every row that is not taken, with its reasons, in file order."""
    duplicates = {int(row): ("duplicate_row",) for row in split.duplicates}
    duplicates |= {int(row): ("repeated_row",) for row in split.repeated}
    duplicates |= {row: (reason,) for row, reason in sheets.work.listed.items()}
    rows: list[Aside] = []
    for part in sheets.parts:
        span = range(part.offset, part.offset + len(part.layout.data))
        found = _asides(part.grid, "listed", {row: (reason,) for row, reason in part.layout.listed.items()})
        for verdict, reasons in (("listed", duplicates), ("quarantined", split.quarantined)):
            own = {row: codes for row, codes in reasons.items() if row in span}
            found += _asides(part.grid, verdict, {int(part.layout.data[row - part.offset]): own[row] for row in own})
        rows += sorted(found, key=lambda row: row.row_no)
    for grid, layout in sheets.apart:
        found = _asides(grid, "listed", {row: (reason,) for row, reason in layout.listed.items()})
        found += _asides(grid, "quarantined", {int(row): ("other_header",) for row in layout.data})
        rows += sorted(found, key=lambda row: row.row_no)
    return rows


def _asides(grid: Grid, verdict: str, reasons: Mapping[int, tuple[str, ...]]) -> list[Aside]:
    positions = sorted(reasons)
    return [
        Aside(
            verdict=verdict,
            sheet=grid.sheet,
            row_no=grid.row_no(position),
            reasons=reasons[position],
            raw=raw,
        )
        for position, raw in zip(positions, grid.raw_json(positions), strict=True)
    ]


def _aside_table(rows: Sequence[Aside], sha256: str) -> pa.Table:
    return pa.table(
        {
            "delivery_sha256": pa.array([sha256] * len(rows), pa.string()),
            "sheet": pa.array([row.sheet for row in rows], pa.string()),
            "row_no": pa.array([row.row_no for row in rows], pa.int64()),
            "verdict": pa.array([row.verdict for row in rows], pa.string()),
            "reasons": pa.array([" ".join(row.reasons) for row in rows], pa.string()),
            "raw": pa.array([row.raw for row in rows], pa.string()),
        }
    )


def _places(sheets: Sheets) -> tuple[pa.DictionaryArray, npt.NDArray[np.int64]]:
    """Return sheet and row of every data row."""
    names = pa.array([part.grid.sheet for part in sheets.parts], pa.string())
    places = np.repeat(np.arange(len(sheets.parts), dtype=np.int32), [len(part.layout.data) for part in sheets.parts])
    rows = [part.grid.row_nos(part.layout.data) for part in sheets.parts]
    return pa.DictionaryArray.from_arrays(pa.array(places), names), np.concatenate(rows)


def _with_origin(sheets: Sheets, rows: pa.Table, data_rows: npt.NDArray[np.int64], sha256: str) -> pa.Table:
    """Add to every row where it stands: delivery, sheet, row."""
    names, numbers = _places(sheets)
    return (
        rows.append_column("delivery_sha256", _repeat(sha256, len(data_rows)))
        .append_column("sheet", names.take(pa.array(data_rows)))
        .append_column("row_no", pa.array(numbers[data_rows], pa.int64()))
    )


def _repeat(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(times, np.int32)), pa.array([text], pa.string()))


def _flags_taken(sheets: Sheets, split: Split) -> list[Flag]:
    flags = sheets.work.flags
    if not flags:
        return []
    is_taken = np.isin([flag.row for flag in flags], split.accepted_rows)
    return [flag for flag, is_in in zip(flags, is_taken, strict=True) if is_in]


def _flag_table(sheets: Sheets, split: Split, sha256: str) -> pa.Table:
    """Return the cells a recipe changed or remarked on, in rows that were taken."""
    flags = _flags_taken(sheets, split)
    rows = pa.table(
        {
            name: pa.array([getattr(flag, field) for flag in flags], pa.string())
            for name, field in (
                ("column_name", "column"),
                ("code", "code"),
                ("printed", "printed"),
                ("stored", "stored"),
            )
        }
    )
    return _with_origin(sheets, rows, np.array([flag.row for flag in flags], np.int64), sha256)


def _printed(sheets: Sheets, column: str) -> pa.ChunkedArray:
    """Return a column without the cells that a merged one filled: they stand empty in the file."""
    filled = [flag.row for flag in sheets.work.flags if flag.column == column and flag.code == MERGED]
    cells = sheets.data.column(column)
    return cells.filter(pa.array(~np.isin(np.arange(len(cells)), filled))) if filled else cells


def _raw_of_data(part: Part, aside: Sequence[Aside]) -> list[str]:
    """Return the data rows of a sheet that are not taken, verbatim."""
    own = [row for row in aside if row.sheet == part.grid.sheet]
    if not own:
        return []
    is_data = np.isin([row.row_no for row in own], part.grid.row_nos(part.layout.data))
    return [row.raw for row, is_in in zip(own, is_data, strict=True) if is_in]


def check_sums(name: str, sheets: Sheets, split: Split, aside: Sequence[Aside]) -> None:
    """Check for every numeric column that the sum of all rows is the sum of its parts.

    Raises
    ------
    DataError
        The sums differ (QB332).
    """
    read = {column for part in sheets.parts for column in part.columns.positions}
    flags = _flags_taken(sheets, split)
    for column in row_account.numeric_columns(sheets.contract, read):
        outside = Decimal(0)
        for part in sheets.parts:
            rows = _raw_of_data(part, aside)
            position = part.columns.positions.get(column)
            if position is not None:
                outside += row_account.sum_raw(rows, position, part.readers[column])
        # what a recipe changed in a row that was taken is the one difference, cell by cell
        own = [flag for flag in flags if flag.column == column]
        outside += row_account.sum_changes((flag.printed, flag.stored) for flag in own)
        raw = row_account.sum_text(_printed(sheets, column))
        row_account.check_sum(name, column, raw, row_account.sum_typed(split.accepted.column(column)), outside)
