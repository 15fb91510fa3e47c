"""From a file to sheets of raw text, counted twice."""

from __future__ import annotations

import functools
import pathlib

from qbase.intake.finding.column_meaning import score_headers
from qbase.intake.reading.csv_text import find_separator, read_csv
from qbase.intake.reading.encoding import decode_text
from qbase.intake.reading.file_safety import PAGES, WORKBOOKS, check_archive, find_kind, unpack_gzip
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.reading.workbook_child import Parsers, read_workbook
from qbase.intake.recipes.recipe_model import Recipe

HEAD = 4096


def read_grids(path: pathlib.Path, name: str, recipe: Recipe, *, parsers: Parsers | None = None) -> list[Grid]:
    """Read a file as raw text.

    Parameters
    ----------
    path : Path
        Where it stands.
    name : str
        Its name as received; the ending says what it claims to be.
    recipe : Recipe
        How the source writes.
    parsers : Parsers or None
        Child processes for workbooks; None starts one for this file.

    Returns
    -------
    list of Grid
        One per sheet that holds something.

    Raises
    ------
    DataError
        Not what it claims to be, broken, unsafe, undecodable, or counted differently by two engines.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    kind = find_kind(name, head, compression=recipe.compression)
    if kind in (*WORKBOOKS, *PAGES.values()):
        if kind in ("xlsx", "ods"):
            check_archive(path, name)
        return read_workbook(path, kind, name, parsers=parsers)
    data = path.read_bytes()
    if kind == "gzip":
        data = unpack_gzip(data, name)
    text, _ = decode_text(data, recipe.encoding)
    del data
    score = functools.partial(score_headers, recipe=recipe)
    separator = recipe.separator or find_separator(text, score)
    return [read_csv(text, separator, name)]
