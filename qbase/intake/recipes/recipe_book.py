"""Which recipe a name means: shipped, of a table, of the workspace, or a file."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import pathlib

from qbase.core.errors import UsageError
from qbase.intake.recipes.recipe_model import FOLDER, TIDY, Recipe
from qbase.intake.recipes.recipe_toml import list_shipped, parse_recipe, parse_tree, read_tree
from qbase.tables import list_contracts


def list_recipes(root: pathlib.Path | None = None) -> list[str]:
    """Return the names `load_files` takes as recipe.

    Parameters
    ----------
    root : Path or None
        Workspace whose own recipes count as well.

    Returns
    -------
    list of str
        Those of sources, then one per table for tidy files, then those of the workspace.

    Examples
    --------
    >>> from qbase.intake import list_recipes
    >>> list_recipes()[:3]
    ['chicago_inspections', 'cn_quality_notices', 'failure_list']
    """
    known = [*list_shipped(), *list_contracts()]
    return [*known, *(name for name in _own(root) if name not in known)]


def read_recipe(name: str | None, root: pathlib.Path | None = None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str or None
        One of `list_recipes`, the path of a recipe file (``*.toml``), or None for a tidy file of any table.
    root : Path or None
        Workspace; a recipe of its own (``data/recipes/NAME.toml``) goes before the shipped one.

    Returns
    -------
    Recipe
        Checked against the contract of its table.

    Raises
    ------
    UsageError
        There is no such recipe (QB302).
    DataError
        The file is no sound recipe (QB303).

    Examples
    --------
    >>> from qbase.intake import read_recipe
    >>> recipe = read_recipe("chicago_inspections")
    >>> recipe.table, list(recipe.columns.items())[:3]
    ('inspections', [('Inspection_ID', 'sample_no'), ('License', 'firm_code'), ('DBA_Name', 'firm_name')])
    """
    owned = _own(root)
    own = owned.get(name or TIDY.name)
    if own is not None:
        return parse_recipe(own.read_bytes(), origin=own.name)
    if name is None or name == TIDY.name:
        return TIDY
    if name in list_shipped():
        return _read_shipped(name)
    if name in list_contracts():
        return parse_tree(read_tree(name), origin=name)
    path = pathlib.Path(name)
    if path.suffix == ".toml" and path.is_file():
        found = parse_recipe(path.read_bytes(), origin=path.name)
        own = owned.get(found.name)
        return found if own is None else _with_kept(found, parse_recipe(own.read_bytes(), origin=own.name))
    names = list_recipes(root)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    raise UsageError(
        "QB302", name=name, found=name, expected=", ".join(names), fix=f"--recipe {near[0] if near else names[0]}"
    )


def _with_kept(recipe: Recipe, kept: Recipe) -> Recipe:
    """Return a recipe from elsewhere with the answers that were given since."""
    return dataclasses.replace(
        recipe,
        accept=(recipe.accept - kept.reject) | kept.accept,
        reject=(recipe.reject - kept.accept) | kept.reject,
    )


def _own(root: pathlib.Path | None) -> dict[str, pathlib.Path]:
    folder = None if root is None else root / FOLDER
    if folder is None or not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


@functools.cache
def _read_shipped(name: str) -> Recipe:
    return parse_tree(read_tree(name), origin=f"{name}.toml")
