"""Where the header of a sheet is: below titles and unit lines, in one row or in two."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from qbase.core.errors import DataError
from qbase.intake.finding.column_meaning import is_known, understand
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.units import read_unit_line
from qbase.tables import normalise_header

LOOK = 15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """The header of a sheet.

    Parameters
    ----------
    rows : tuple of int
        Positions of its one or two rows; empty where the recipe names the columns of a file without header.
    names : tuple of str
        One per column; of two rows joined by ``_`` where the lower alone says too little.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]


def find_header(grid: Grid, filled: Sequence[int], recipe: Recipe) -> Header:
    """Find the header among the first rows: the row, or pair of rows, of which most is understood.

    The first row that holds something is the header unless one further down says more.

    Parameters
    ----------
    grid : Grid
        A sheet as read.
    filled : sequence of int
        Positions of the rows that are not blank, at least one.
    recipe : Recipe
        What headers mean.

    Returns
    -------
    Header

    Raises
    ------
    DataError
        A file without header has fewer columns than its recipe names (QB321).
    """
    if recipe.headers:
        return _find_named(grid, filled, recipe)
    best = Header(rows=(filled[0],), names=grid.row(filled[0]))
    score = understand(best.names, recipe)
    if _is_plain(best, score):
        return best
    near = [int(position) for position in filled[:LOOK]]
    rows = dict(zip(near, grid.rows(near), strict=True))
    # a row further down must say more than one further up, and two rows more than one
    for position in near:
        single = Header(rows=(position,), names=rows[position])
        said = understand(single.names, recipe)
        if said > score:
            best, score = single, said
    if _is_plain(best, score):
        return best
    for upper, lower in itertools.pairwise(near):
        # a group name stands over several columns; a title or a unit line does not, and must not vanish in a header
        if lower != upper + 1 or _count(rows[upper]) < 2 or read_unit_line(rows[upper]) is not None:
            continue
        pair = _join(grid, upper, rows[upper], rows[lower], recipe)
        said = understand(pair.names, recipe)
        if said > score:
            best, score = pair, said
    return best


def _find_named(grid: Grid, filled: Sequence[int], recipe: Recipe) -> Header:
    """Return the names of the recipe, or the row that holds most of them, should the file have a header after all."""
    wanted = {normalise_header(name) for name in recipe.headers}
    near = [int(position) for position in filled[:LOOK]]
    for position, row in zip(near, grid.rows(near), strict=True):
        if 2 * len(wanted & {normalise_header(cell) for cell in row}) > len(wanted):
            return Header(rows=(position,), names=row)
    if grid.width < len(recipe.headers):
        missing = ", ".join(recipe.headers[grid.width :])
        found, expected = f"{grid.width} columns", f"{len(recipe.headers)} columns: {', '.join(recipe.headers)}"
        raise DataError(
            "QB321", table=recipe.table, columns=missing, found=found, expected=expected, fix=f"+ {missing}"
        )
    return Header(rows=(), names=recipe.headers)


def _is_plain(header: Header, score: tuple[bool, int]) -> bool:
    """Say whether nothing is left to be understood."""
    return score[0] and score[1] == _count(header.names)


def _count(names: Sequence[str]) -> int:
    return sum(bool(name.strip()) for name in names)


def _join(grid: Grid, position: int, upper: Sequence[str], lower: Sequence[str], recipe: Recipe) -> Header:
    """Join two rows of headers: a merged group name stands over each of its columns."""
    width = max(len(upper), len(lower))
    top = [*upper, *[""] * (width - len(upper))]
    low = [*lower, *[""] * (width - len(lower))]
    names = []
    for column, below in enumerate(low):
        above = _above(grid, position, top, column, bool(below.strip()))
        if not below.strip() or not above.strip():
            names.append(below.strip() or above.strip())
            continue
        joined = f"{above.strip()}_{below.strip()}"
        names.append(below.strip() if not is_known(joined, recipe) and is_known(below, recipe) else joined)
    return Header(rows=(position, position + 1), names=tuple(names))


def _above(grid: Grid, row: int, top: Sequence[str], column: int, is_below: bool) -> str:
    if top[column].strip():
        return top[column]
    if grid.merges:
        for first, left, last, right in grid.merges:
            if first <= row <= last and left <= column <= right:
                return top[left] if first == row else ""
        return ""
    # CSV forgets what was merged: the group reaches to the next name
    return next((name for name in reversed(top[:column]) if name.strip()), "") if is_below else ""
