"""From a file to its tables: every sheet is matched to its contract on its own."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.intake.finding.column_meaning import ColumnMap, map_columns
from qbase.intake.finding.data_rows import Layout, find_layout
from qbase.intake.finding.doubled_headers import map_once
from qbase.intake.finding.item_grid import unpivot
from qbase.intake.finding.number_columns import find_styles
from qbase.intake.finding.possible_cells import check_accepted, list_vain
from qbase.intake.finding.second_tables import find_layouts
from qbase.intake.finding.wide_items import TABLE, find_wide
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes import notice_lists
from qbase.intake.recipes.question_ids import UndecidedError
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_book import read_recipe
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.recipes.year_of_name import find_years, year_of_titles
from qbase.intake.shaping.canonical_table import Part, Sheets, read_sheets
from qbase.intake.shaping.continued_rows import continue_layout, judge_sheet, resembles
from qbase.intake.values.cell_values import Context, Reader, build_reader
from qbase.intake.values.units import measures, units_in_name
from qbase.tables import Contract, match_headers, read_contract

FAILURES = "failure_list"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Book:
    """The tables of a file.

    Parameters
    ----------
    tables : tuple of Sheets
        In the order of their first sheet; one at least.
    unused : tuple of Grid
        Sheets that hold no known table; their rows are listed.
    recipe : Recipe
        What read it: the one given, or that of a list of failures.
    """

    tables: tuple[Sheets, ...]
    unused: tuple[Grid, ...]
    recipe: Recipe


def read_tables(grids: Sequence[Grid], recipe: Recipe, file: str, root: pathlib.Path | None = None) -> Book:
    """Find the table of each sheet, read the sheets of each table together, and do what the recipe asks for.

    Parameters
    ----------
    grids : sequence of Grid
        Sheets as read.
    recipe : Recipe
        How the source writes; one that names a table holds for every sheet.
    file : str
        What errors call it, and what a recipe may read values from.
    root : Path or None
        Workspace whose own recipes count.

    Returns
    -------
    Book

    Raises
    ------
    DataError
        No rows (QB323), no sheet with a known table or one with required columns missing (QB320, QB321, QB322), or
        something to ask (QB360).
    """
    found = _find_parts(grids, recipe, file)
    parts = found.parts
    if not any(len(part.layout.data) for own in parts.values() for part in own):
        raise DataError("QB323", file=file, found="0", expected=">= 1", fix=f"send {file} again, with its rows")
    if list(parts) == [notice_lists.TABLE] and recipe.name != notice_lists.RECIPE:
        # the headers are those of a public notice: it is read as one
        notice = read_recipe(notice_lists.RECIPE, root)
        notice = dataclasses.replace(notice, producer=recipe.producer, accept=recipe.accept, reject=recipe.reject)
        return read_tables(grids, notice, file, root)
    beside = _for_items(recipe)
    tables = [read_sheets(own, beside if own[0].is_beside else recipe, file) for own in parts.values()]
    if any(sheets.is_failures for sheets in tables):
        failures = dataclasses.replace(read_recipe(FAILURES, root), producer=recipe.producer)
        tables = [_as_failures(sheets, failures, file) if sheets.is_failures else sheets for sheets in tables]
        recipe = failures if len(tables) == 1 else recipe
    tables = [dataclasses.replace(one, apart=tuple(found.apart.get(one.contract.name, ()))) for one in tables]
    return Book(tables=tuple(tables), unused=tuple(found.unused), recipe=recipe)


def _as_failures(sheets: Sheets, failures: Recipe, file: str) -> Sheets:
    (own,) = _find_parts([part.grid for part in sheets.parts], failures, file).parts.values()
    return read_sheets(own, failures, file)


@dataclasses.dataclass(kw_only=True)
class _Found:
    """Table -> its sheets; table -> sheets that hold it under headers nobody knows; the other sheets."""

    parts: dict[str, list[Part]] = dataclasses.field(default_factory=dict)
    apart: dict[str, list[tuple[Grid, Layout]]] = dataclasses.field(default_factory=dict)
    unused: list[Grid] = dataclasses.field(default_factory=list)


def _find_parts(grids: Sequence[Grid], recipe: Recipe, file: str) -> _Found:
    """Find the table of each sheet; one without a header goes on with the sheet before, or is asked about."""
    found = _Found()
    unknown: list[DataError] = []
    first: list[Grid] = []
    above: tuple[Grid, Layout] | None = None
    for grid in grids:
        layouts = find_layouts(grid, recipe)
        error = _add_layouts(found.parts, grid, layouts, recipe, file)
        if layouts and error is None:
            above = above if first and above else (grid, layouts[-1])
        elif above is None:
            first.append(grid)
            unknown += [error] if error is not None else []
        else:
            _settle_later(found, grid, above, recipe, file)
    if above is None and unknown:
        raise unknown[0]
    for grid in first:
        if above is None:
            found.unused.append(grid)
        else:
            _settle_later(found, grid, above, recipe, file, is_first=True)
    return found


def _add_layouts(
    parts: dict[str, list[Part]], grid: Grid, layouts: Sequence[Layout], recipe: Recipe, file: str
) -> DataError | None:
    """Add the tables of a sheet; return why there is none."""
    contract: Contract | None = None
    for found in layouts:
        layout = _with_unit_of_name(found, file)
        wide = find_wide(grid, layout, recipe)
        if wide is not None:
            layout = wide.layout
            _add_part(parts, *unpivot(grid, wide), _for_items(recipe), file, is_beside=not wide.is_alone)
            if wide.is_alone:
                contract = read_contract(TABLE)
                continue
        try:
            contract = _add_part(parts, grid, layout, recipe, file, above=contract)
        except DataError as error:
            # a sheet of remarks is no fault of the workbook; a table with a column missing is
            if error.code != "QB320" or contract is not None:
                raise
            return error
    return None


def _settle_later(
    found: _Found, grid: Grid, above: tuple[Grid, Layout], recipe: Recipe, file: str, *, is_first: bool = False
) -> None:
    """Take a sheet nobody knows for more of the table above, set it aside as that, or leave it; ask where unclear."""
    key = f"continues:{grid.sheet}"
    own = find_layout(grid, recipe)
    if own is None or key in recipe.reject:
        found.unused.append(grid)
        return
    table = [part for parts in found.parts.values() for part in parts if part.grid is above[0] and not part.is_beside]
    more = continue_layout(grid, above[1], recipe)
    # items in columns beside one another say too little to be told by their cells
    fit = "may_go_on" if more is not None else "other"
    if more is not None and table:
        fit = judge_sheet(grid, more, table[-1].columns, table[-1].readers)
    if more is not None and fit in ("goes_on", "may_go_on"):
        if key not in recipe.accept and (fit == "may_go_on" or is_first):
            _ask_whether_it_goes_on(key, grid, above[0])
        _add_layouts(found.parts, grid, [more], recipe, file)
        for parts in found.parts.values():
            parts[:] = [_tell_continued(part, grid) for part in parts]
    elif table and (fit == "below_header" or resembles(grid, own, table[-1].columns, table[-1].readers)):
        found.apart.setdefault(table[-1].columns.contract.name, []).append((grid, own))
    else:
        found.unused.append(grid)


def _ask_whether_it_goes_on(key: str, grid: Grid, above: Grid) -> None:
    said = Text(
        f"工作表“{grid.sheet}”没有表头，各列与“{above.sheet}”相同，是同一张表",
        f"sheet {grid.sheet} has no header, its columns are those of {above.sheet}: it is the same table",
    )
    ask([Question(key=key, text=said)], grid.sheet)


def _tell_continued(part: Part, grid: Grid) -> Part:
    if part.grid is not grid:
        return part
    told = f"{grid.sheet}:sheet_continued {len(part.layout.data)}"
    columns = dataclasses.replace(part.columns, warnings=(*part.columns.warnings, told))
    return dataclasses.replace(part, columns=columns)


def _add_part(
    parts: dict[str, list[Part]],
    grid: Grid,
    layout: Layout,
    recipe: Recipe,
    file: str,
    *,
    above: Contract | None = None,
    is_beside: bool = False,
) -> Contract:
    """Map the headers of a table of a sheet, and put it behind the others of its kind."""
    columns = _map_below(grid, layout, recipe, above)
    contract = columns.contract
    _ask_about_units(layout, contract, recipe)
    before = parts.setdefault(contract.name, [])
    offset = before[-1].offset + len(before[-1].layout.data) if before else 0
    titles = ["".join(grid.row(row)) for row in layout.of_reason("title_row")]
    readers = _build_readers(columns, recipe, file, grid.sheet, find_styles(grid, layout, columns), titles)
    part = Part(grid=grid, layout=layout, columns=columns, offset=offset, readers=readers, is_beside=is_beside)
    before.append(part)
    return contract


def _for_items(recipe: Recipe) -> Recipe:
    """Return what reads the items of a sheet of batches: what the recipe says of cells, nothing of columns."""
    return dataclasses.replace(read_recipe(TABLE), missing=recipe.missing, accept=recipe.accept, reject=recipe.reject)


def _map_sheet(grid: Grid, layout: Layout, recipe: Recipe) -> ColumnMap:
    """Map the columns of a sheet; what its cells rule out is neither asked nor taken for an answer."""
    try:
        columns = map_once(lambda headers: map_columns(headers, recipe, layout.units, grid.sheet), grid, layout, recipe)
    except UndecidedError as asked:
        vain = list_vain(asked, grid, layout, recipe)
        if not vain:
            raise
        return _map_sheet(grid, layout, dataclasses.replace(recipe, reject=recipe.reject | vain))
    check_accepted(columns.contract, grid, layout, recipe)
    return columns


def _with_unit_of_name(layout: Layout, file: str) -> Layout:
    """Add the units that only the name of the file states: what the sheet says of the same quantity goes before."""
    said = {measures(unit) for unit in layout.units}
    named = [unit for unit in units_in_name(file) if measures(unit) not in said]
    known = tuple(unit for unit in named if measures(unit))
    strange = () if said else tuple(unit for unit in named if not measures(unit))
    return dataclasses.replace(
        layout, units=(*layout.units, *known), strange_units=tuple(dict.fromkeys((*layout.strange_units, *strange)))
    )


def _map_below(grid: Grid, layout: Layout, recipe: Recipe, above: Contract | None) -> ColumnMap:
    """Map the headers of a table; below another, rows that lack a column are set aside for that."""
    try:
        return _map_sheet(grid, layout, recipe)
    except DataError as error:
        known = {} if above is None else match_headers(layout.headers, above).mapping
        if error.code != "QB321" or above is None or not known:
            raise
        positions = {known[header]: i for i, header in enumerate(layout.headers) if header in known}
        return ColumnMap(contract=above, positions=positions)


def _ask_about_units(layout: Layout, contract: Contract, recipe: Recipe) -> None:
    """Ask whether a unit nobody can convert may be ignored; refuse when somebody said that it may not."""
    refused = [u for u in layout.strange_units if f"unit_line:{u}" in recipe.reject]
    if refused:
        raise DataError(
            "QB328",
            table=contract.name,
            header=refused[0],
            found=refused[0],
            expected='产值（亿元） / [units] "…" = "亿元"',
            fix='[units] "…" = "亿元"',
        )
    open_units = [u for u in layout.strange_units if f"unit_line:{u}" not in recipe.accept]
    said = [
        Question(
            key=f"unit_line:{unit}",
            text=Text(
                f"“单位：{unit}”可不换算，数值按契约的单位理解", f"unit {unit}: numbers are in the contract's units"
            ),
        )
        for unit in open_units
    ]
    ask(said, contract.name)


def _build_readers(
    columns: ColumnMap, recipe: Recipe, file: str, sheet: str, styles: Mapping[str, str], titles: Sequence[str]
) -> dict[str, Reader]:
    year = next(iter(find_years(sheet, file, recipe)), "") or year_of_titles(titles)
    readers = {}
    for column in columns.contract.columns:
        marks = [
            (re.compile(clean.pattern), clean.replacement) for clean in recipe.clean if column.name in clean.columns
        ]
        rule = recipe.year_to_date
        context = Context(
            column=column,
            factor=columns.factors.get(column.name),
            dates=recipe.dates,
            year=year,
            is_cumulative=rule is not None and rule.period == column.name,
            style=styles.get(column.name, ""),
        )
        readers[column.name] = build_reader(
            column,
            missing=recipe.missing | frozenset(recipe.missing_in.get(column.name, ())),
            values=recipe.values.get(column.name),
            clean=marks,
            context=context,
        )
    return readers
