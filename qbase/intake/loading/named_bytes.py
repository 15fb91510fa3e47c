"""Which delivery a file is: what its name decides about its rows belongs to its identity, beside its bytes."""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Sequence

import pyarrow as pa

from qbase.core.errors import DataError
from qbase.intake.finding.file_grids import read_grids
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.question_ids import read_answered
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.recipes.year_of_name import find_years
from qbase.intake.shaping.file_tables import read_tables
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.units import units_in_name
from qbase.lake import Workspace
from qbase.lake.storage.raw_files import store_file

Rows = list[tuple[str, pa.Table]]


def find_identity(
    workspace: Workspace, stored: pathlib.Path, sha256: str, names: tuple[str, str], recipe: Recipe
) -> tuple[str, pathlib.Path]:
    """Return the identity of bytes that were loaded before, and where they stand under it.

    A year, a unit or what a recipe takes from the name may decide what the rows say. Where they say something else
    under the new name, the file is another delivery; where the name decides nothing, it is the one loaded before.

    Parameters
    ----------
    workspace : Workspace
        Where it was loaded.
    stored : Path
        The bytes.
    sha256 : str
        Of the bytes.
    names : tuple of (str, str)
        The one they were loaded under, and the one they come under now.
    recipe : Recipe
        How the source writes.

    Returns
    -------
    tuple of (str, Path)
        The hash of the bytes, or of the bytes and what the new name says.
    """
    said = [list_said(name, recipe) for name in names]
    if said[0] == said[1]:
        return sha256, stored
    earlier, now = _read_under(workspace, stored, names, recipe)
    if _are_alike(earlier, now):
        return sha256, stored
    identity = hashlib.sha256("\0".join((sha256, *said[1])).encode()).hexdigest()
    return store_file(workspace.raw, stored, identity=identity, name=names[1])


def list_said(name: str, recipe: Recipe) -> tuple[str, ...]:
    """Return what the name of a file says that rows may lean on: years, units, and what the recipe looks for."""
    matches = [re.search(pattern, narrow(name)) for pattern in recipe.from_file.values()]
    taken = ["-".join(filter(None, match.groups())) if match else "" for match in matches]
    return (*find_years("", name, recipe), *units_in_name(name), *taken)


def _read_under(
    workspace: Workspace, stored: pathlib.Path, names: Sequence[str], recipe: Recipe
) -> tuple[Rows | None, ...]:
    """Return the rows under each name; None where it cannot be read under it, or asks."""
    try:
        grids = read_grids(stored, names[1], recipe)
    except DataError:
        return None, None
    return tuple(_rows(workspace, grids, name, recipe) for name in names)


def _rows(workspace: Workspace, grids: list[Grid], name: str, recipe: Recipe) -> Rows | None:
    try:
        book, _ = read_answered(lambda r: read_tables(grids, r, name, workspace.root), recipe)
    except DataError:
        return None
    return [(sheets.contract.name, sheets.work.table()) for sheets in book.tables]


def _are_alike(earlier: Rows | None, now: Rows | None) -> bool:
    """Say whether rows are the same; those that cannot be read under either name give no reason to load them anew."""
    if earlier is None or now is None:
        return earlier is now
    return len(earlier) == len(now) and all(
        one == other and left.equals(right) for (one, left), (other, right) in zip(earlier, now, strict=True)
    )
