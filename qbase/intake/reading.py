"""From a file to sheets of raw text, counted twice."""

from __future__ import annotations

import functools
import pathlib

from qbase.intake.container import WORKBOOKS, check_archive, find_kind, unpack_gzip
from qbase.intake.csvfile import find_separator, read_csv
from qbase.intake.encoding import decode_text
from qbase.intake.grid import Grid
from qbase.intake.mapping import score_headers
from qbase.intake.parsers import Parsers
from qbase.intake.recipe import Recipe
from qbase.intake.workbook import read_workbook

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
    if kind in WORKBOOKS:
        if kind != "xls":
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
