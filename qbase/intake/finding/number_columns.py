"""Which columns of a sheet are written with a decimal comma: by their own cells, else by those beside them."""

from __future__ import annotations

from qbase.intake.finding.column_meaning import ColumnMap
from qbase.intake.finding.data_rows import Layout
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.number_style import find_style


def find_styles(grid: Grid, layout: Layout, columns: ColumnMap) -> dict[str, str]:
    """Say for every column of numbers which sign parts whole from fraction.

    Parameters
    ----------
    grid, layout, columns
        The sheet, its parts, its columns.

    Returns
    -------
    dict of str to str
        Column -> ``point``, ``comma``, ``both`` (its cells contradict each other, or those of the other columns do
        where its own prove nothing), or empty.
    """
    rules = ((name, columns.contract.column(name)) for name in columns.positions)
    numeric = [name for name, rule in rules if rule.type in ("int", "number") and rule.name != "year"]
    own = {name: find_column_style(grid, layout, columns.positions[name]) for name in numeric}
    proved = {style for style in own.values() if style}
    beside = "both" if len(proved) > 1 else "".join(proved)
    return {name: style or beside for name, style in own.items()}


def find_column_style(grid: Grid, layout: Layout, position: int) -> str:
    """Say which sign parts whole from fraction in a column, by its own data cells alone."""
    cells = grid.cells_of(position, layout.data)
    return find_style(narrow(text).strip() for text in cells.unique().to_pylist())
