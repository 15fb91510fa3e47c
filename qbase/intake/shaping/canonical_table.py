"""From sheets of raw text to one table of text with canonical columns; every row keeps its place."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.intake.finding.column_meaning import ColumnMap
from qbase.intake.finding.data_rows import Layout
from qbase.intake.finding.merged_cells import fill_merged
from qbase.intake.finding.total_rows import check_totals
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes import notice_lists
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.recipes.year_of_name import ask_year, find_years
from qbase.intake.shaping.continued_rows import SHEET, find_continued, find_foreign
from qbase.intake.shaping.ditto_marks import fill_ditto
from qbase.intake.shaping.division_levels import list_levels, list_named_totals
from qbase.intake.shaping.item_rows import Items, build_items
from qbase.intake.shaping.parent_words import settle_parents
from qbase.intake.shaping.recipe_steps import MERGED, Flag, Work, apply_recipe
from qbase.intake.shaping.row_verdicts import ROW
from qbase.intake.shaping.share_scale import says_percent, settle_shares
from qbase.intake.shaping.stated_counts import check_headlines
from qbase.intake.shaping.stated_otherwise import add_notice, add_stated, mark_rechecks, says_recheck
from qbase.intake.shaping.year_to_date import take_differences
from qbase.intake.shaping.zone_midnight import settle_midnights
from qbase.intake.values.cell_values import FATAL, ColumnReading, Reader, narrow, read_column
from qbase.intake.values.plain_cells import find_distinct
from qbase.intake.values.units import measures
from qbase.intake.values.written_dates import read_quarter_text
from qbase.tables import Contract, normalise_header

NO_RECORD = (":summary_row", ":no_division", ":higher_level")
MANY = 20  # from this many rows on, a list in which everything failed is more likely a list of failures


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One sheet whose rows go to the table.

    Parameters
    ----------
    grid, layout, columns
        The sheet, its parts, its columns.
    offset : int
        Position of its first data row among all data rows of the file.
    readers : mapping
        Column -> its reader; units may differ from sheet to sheet.
    is_beside : bool
        Its rows were made of columns of another table's rows, which stand first.
    """

    grid: Grid
    layout: Layout
    columns: ColumnMap
    offset: int
    readers: Mapping[str, Reader]
    is_beside: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sheets:
    """All data rows of one table of a file.

    Parameters
    ----------
    contract : Contract
        Of the table.
    parts : tuple of Part
        Sheets that hold data rows.
    data : pyarrow.Table
        D rows of text as read, canonical columns and `ROW`.
    work : Work
        What the recipe made of them.
    items : Items or None
        Rows of a second table, where the source names a batch once per item.
    warnings : tuple of str
        Codes with counts.
    is_failures : bool
        The rows claim to be inspections, but somebody said that they are failures alone.
    apart : tuple of (Grid, Layout)
        Sheets that hold the table under headers nobody knows: their rows are set aside.
    """

    contract: Contract
    parts: tuple[Part, ...]
    data: pa.Table
    work: Work
    items: Items | None
    warnings: tuple[str, ...]
    is_failures: bool = False
    apart: tuple[tuple[Grid, Layout], ...] = ()

    @property
    def codes(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Reason code -> positions of rows set aside so far."""
        return self.work.all_codes()


def read_sheets(parts: Sequence[Part], recipe: Recipe, file: str) -> Sheets:
    """Read the columns of the sheets of one table, and do what the recipe asks for.

    Parameters
    ----------
    parts : sequence of Part
        Sheets of the table, one at least.
    recipe : Recipe
        How the source writes.
    file : str
        What errors call it, and what a recipe may read values from.

    Returns
    -------
    Sheets

    Raises
    ------
    DataError
        A column the recipe needs is missing (QB321), or there is something to ask (QB360).
    """
    contract = parts[0].columns.contract
    found = _Found()
    data = pa.concat_tables([_read_part(part, recipe, file, found) for part in parts], promote_options="default")
    if contract.name == notice_lists.TABLE:
        data = add_notice(data, _find_titles(parts), file)
    data, stated = add_stated(data, contract)
    data = data.append_column(ROW, pa.array(np.arange(data.num_rows)))
    is_failures = _is_failures(data, contract, recipe)
    codes = {code: np.concatenate(rows) for code, rows in found.codes.items()}
    work = Work(contract=contract, data=data, codes=codes, flags=found.flags, warnings=stated)
    settle_shares(work, recipe, found.settled)
    settle_parents(work, recipe)
    places = _places(parts)
    work.set_aside("continuation", find_continued(work, places))
    work.set_aside("other_header", find_foreign(work, places))
    apply_recipe(work, recipe)
    list_named_totals(work)
    list_levels(work)
    items = None if recipe.items is None else build_items(work, recipe.items, _raw_columns(parts, recipe), recipe)
    if recipe.year_to_date is not None:
        take_differences(work, recipe.year_to_date, file)
    if recipe.headline is not None:
        work.warnings += check_headlines(work, recipe.headline, _find_titles(parts))
    if contract.name == notice_lists.TABLE:
        work.warnings += notice_lists.judge_list(work.cells("result"))
    return Sheets(
        contract=contract,
        parts=tuple(parts),
        data=data,
        work=work,
        items=items,
        warnings=_all_warnings(parts, found.counts, work),
        is_failures=is_failures,
    )


def _find_titles(parts: Sequence[Part]) -> list[str]:
    return ["".join(part.grid.row(row)) for part in parts for row in part.layout.of_reason("title_row")]


def _all_warnings(parts: Sequence[Part], counts: collections.Counter[str], work: Work) -> tuple[str, ...]:
    remarks = [f"{code} {count}" for code, count in sorted(counts.items())]
    remarks += [warning for part in parts for warning in (*part.columns.warnings, *part.grid.notes)]
    remarks += [f"{unit}:unit_ignored" for part in parts for unit in part.layout.strange_units]
    totals, wrong = check_totals([(part.grid, _summed(part, work), part.columns) for part in parts])
    for part in parts:
        for (sheet, position), reason in wrong.items():
            if sheet == part.grid.sheet and position in part.layout.listed:
                part.layout.listed[position] = reason
    if work.contract.is_numerator_only:
        remarks.append("no_denominator")
    return tuple(dict.fromkeys([*remarks, *totals, *work.warnings]))


def _summed(part: Part, work: Work) -> Layout:
    """Return the parts of a sheet without the rows a total does not count: those that sum up others themselves."""
    codes = [rows for code, rows in work.all_codes().items() if code.endswith(NO_RECORD)]
    apart = np.concatenate([*codes, np.array(sorted(work.listed), np.int64)]) - part.offset
    if not len(apart):
        return part.layout
    keep = ~np.isin(np.arange(len(part.layout.data)), apart)
    return dataclasses.replace(part.layout, data=part.layout.data[keep])


def _places(parts: Sequence[Part]) -> npt.NDArray[np.int64]:
    """Return where the data rows stand, blank rows apart; between two sheets is a gap."""
    places: list[npt.NDArray[np.int64]] = []
    for i, part in enumerate(parts):
        above = np.searchsorted(np.array(part.layout.of_reason("blank_row"), np.int64), part.layout.data)
        places.append(part.layout.data - above + i * SHEET)
    return np.concatenate(places)


def _is_failures(data: pa.Table, contract: Contract, recipe: Recipe) -> bool:
    """Ask whether inspections without a single pass are a list of failures, which would be no rate at all."""
    if contract.name != "inspections" or "result" not in data.column_names or data.num_rows < MANY:
        return False
    if set(data.column("result").unique().to_pylist()) != {"fail"} or "numerator_only" in recipe.reject:
        return False
    if "numerator_only" not in recipe.accept:
        text = Text("这份名单只列不合格产品，没有合格的", "the list names failures only, no passes")
        ask([Question(key="numerator_only", text=text)], contract.name)
    return True


@dataclasses.dataclass(kw_only=True)
class _Found:
    """What reading the cells found: rows set aside, remarks, cells that were filled, rates whose unit is plain."""

    codes: dict[str, list[npt.NDArray[np.int64]]] = dataclasses.field(default_factory=dict)
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    flags: list[Flag] = dataclasses.field(default_factory=list)
    settled: set[str] = dataclasses.field(default_factory=set)


def _read_part(part: Part, recipe: Recipe, file: str, found: _Found) -> pa.Table:
    """Read the columns of one sheet, and add to what was found."""
    data, grid, contract = part.layout.data, part.grid, part.columns.contract
    arrays: dict[str, pa.Array] = {}
    marked = None
    for name, position in part.columns.positions.items():
        cells, filled = fill_merged(grid, position, contract.column(name), contract.key, data)
        if filled:
            found.counts[f"{name}:merged_filled"] += len(filled)
        printed, plain = _rows(cells, data), part.readers[name].plain
        distinct = find_distinct(printed, plain)
        raw, repeated, unclear = fill_ditto(printed, distinct.texts, part.layout, contract.column(name), contract.key)
        if repeated:
            found.counts[f"{name}:ditto"] += len(repeated)
        if unclear:
            found.codes.setdefault(f"{name}:ditto_unclear", []).append(np.array(unclear, np.int64) + part.offset)
        reading = read_column(raw, part.readers[name], distinct if raw is printed else None)
        found.flags += _flags_filled(part, name, np.searchsorted(data, filled).tolist(), reading.values)
        if name == "sample_type" and says_recheck(distinct.texts):
            marked = mark_rechecks(raw)
        values = reading.values
        if "year_from_name" in reading.codes:
            doubtful = _settle_year(part, reading, recipe, file)
            if len(doubtful):
                found.codes.setdefault(f"{name}:{contract.column(name).type}", []).append(doubtful + part.offset)
        if contract.column(name).type == "date" and "time_dropped" in reading.codes:
            values = settle_midnights(raw, values, contract.column(name), contract, recipe)
        # a column that reading did not change is not kept twice
        arrays[name] = raw if values is reading.values and not reading.is_changed else values
        if name in part.columns.factors or (contract.column(name).unit == "pct" and says_percent(raw)):
            found.settled.add(name)
        for code, rows in reading.codes.items():
            if code.startswith(FATAL):
                found.codes.setdefault(f"{name}:{code.removeprefix(FATAL)}", []).append(rows + part.offset)
            else:
                found.counts[f"{name}:{code}"] += len(rows)
    if marked is not None:
        arrays["is_recheck"] = pc.coalesce(marked, arrays.get("is_recheck", pa.nulls(len(data), pa.string())))
    for name, value in _constants(part, recipe, file).items():
        arrays[name] = pa.repeat(pa.scalar(value, pa.string()), len(data))
    _add_widths(part, found.codes)
    _add_faults(part, found.codes, found.counts)
    _add_periods(part, arrays, found.counts)
    return pa.table(arrays)


def _settle_year(part: Part, reading: ColumnReading, recipe: Recipe, file: str) -> npt.NDArray[np.int64]:
    """Ask which year a name means; return the rows that lean on a title although others state another year."""
    leaning = reading.codes["year_from_name"]
    values = reading.values.to_pylist()
    others = (value or "" for value in np.delete(values, leaning))
    stated = frozenset(value[:4] for value in others if value[:4].isdecimal())
    ask_year(part.grid.sheet, file, recipe, part.columns.contract.name, beside=stated)
    is_named = bool(find_years(part.grid.sheet, file, recipe))
    is_doubtful = not is_named and stated - {values[row][:4] for row in leaning}
    return leaning if is_doubtful else leaning[:0]


def _flags_filled(part: Part, column: str, rows: list[int], values: pa.Array) -> list[Flag]:
    """Write down the cells that stood empty below a merged one: printed empty, stored as what it says."""
    stored = [(row, values[row].as_py()) for row in rows]
    return [
        Flag(row=row + part.offset, column=column, code=MERGED, printed="", stored=value)
        for row, value in stored
        if value is not None
    ]


def _constants(part: Part, recipe: Recipe, file: str) -> dict[str, str | None]:
    """Return what holds for every row: said by the recipe, or read from the name of the file or the sheet."""
    constants: dict[str, str | None] = dict(recipe.constants)
    for patterns, name in ((recipe.from_file, file), (recipe.from_sheet, part.grid.sheet)):
        for column, pattern in patterns.items():
            match = re.search(pattern, narrow(name))
            if match is None:
                raise DataError("QB363", file=file, column=column, found=name, expected=pattern, fix=pattern)
            constants[column] = part.readers[column]("-".join(filter(None, match.groups())))[0]
    return constants


def _add_periods(part: Part, arrays: Mapping[str, pa.Array], counts: collections.Counter[str]) -> None:
    """Count the rows of a sheet named after a quarter whose date lies in another."""
    column = part.columns.contract.period_column
    quarter = read_quarter_text(narrow(part.grid.sheet).strip())[0]
    if column is None or column not in arrays or not quarter:
        return
    if part.columns.contract.column(column).type != "date":
        return
    months = {f"{quarter[:4]}-{month:02d}" for month in range(3 * int(quarter[-1]) - 2, 3 * int(quarter[-1]) + 1)}
    outside = sum(day is not None and day[:7] not in months for day in arrays[column].to_pylist())
    if outside:
        counts[f"{column}:outside_sheet"] += outside


def _raw_columns(parts: Sequence[Part], recipe: Recipe) -> dict[str, list[str]]:
    """Return the columns of the items as they stand, D cells each, by header of the recipe."""
    wanted = recipe.items.columns if recipe.items is not None else {}
    found: dict[str, list[str]] = {header: [] for header in wanted}
    for part in parts:
        names = [normalise_header(name) for name in part.layout.headers]
        for header, cells in found.items():
            if normalise_header(header) not in names:
                raise DataError(
                    "QB321",
                    table=part.columns.contract.name,
                    columns=header,
                    found=", ".join(part.layout.headers),
                    expected=header,
                    fix=f"+ {header}",
                )
            cells += part.grid.cells_of(names.index(normalise_header(header)), part.layout.data).to_pylist()
    return found


def _add_widths(part: Part, codes: dict[str, list[npt.NDArray[np.int64]]]) -> None:
    header = part.layout.header
    names = part.layout.headers
    expected = int(part.grid.widths[header]) if header >= 0 else len(names)
    named = max((i + 1 for i, name in enumerate(names) if name.strip()), default=0)
    widths = part.grid.widths[part.layout.data]
    # a separator at the end of the line adds an empty field, which is none too many and none too few
    too_many = widths > expected
    if too_many.any():
        too_many &= _has_more(part, expected)
    for code, wrong in (("too_many_fields", too_many), ("too_few_fields", widths < min(expected, named))):
        if wrong.any():
            codes.setdefault(code, []).append(np.flatnonzero(wrong) + part.offset)


def _has_more(part: Part, expected: int) -> npt.NDArray[np.bool_]:
    """Say which data rows hold something beyond the fields of the header."""
    grid, data = part.grid, part.layout.data
    found = np.zeros(len(data), np.bool_)
    for column in range(expected, grid.width):
        texts = pc.utf8_trim_whitespace(grid.cells_of(column, data))
        found |= np.asarray(pc.not_equal(texts, ""), dtype=np.bool_)
    long = [i for i, row in grid.long_rows.items() if any(cell.strip() for cell in row[max(expected, grid.width) :])]
    return found | np.isin(data, long)


def _add_faults(part: Part, codes: dict[str, list[npt.NDArray[np.int64]]], counts: collections.Counter[str]) -> None:
    columns = {position: name for name, position in part.columns.positions.items()}
    row_of = {int(position): i + part.offset for i, position in enumerate(part.layout.data)} if part.grid.faults else {}
    for fault in part.grid.faults:
        name, row = columns.get(fault.column), row_of.get(fault.row)
        if name is None or row is None:
            continue
        # 元 behind a number of 万元 is another unit; behind a score it is a habit of the one who set the format
        is_other_unit = fault.code == "yuan_by_format" and measures(part.columns.contract.column(name).unit) == "money"
        if fault.is_fatal or (is_other_unit and part.columns.contract.column(name).unit != "cny"):
            codes.setdefault(f"{name}:{fault.code}", []).append(np.array([row], np.int64))
        else:
            counts[f"{name}:{fault.code}"] += 1
    for position, count in part.grid.numbers.items() if part.layout.begin == 0 else ():
        name = columns.get(position)
        if name is not None and part.columns.contract.column(name).type == "code":
            counts[f"{name}:stored_as_number"] += count


def _rows(column: pa.ChunkedArray, positions: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Return rows of a column, without a copy where they follow one another."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1:
        return column.slice(int(positions[0]), len(positions))
    return column.take(pa.array(positions))
