"""A workbook for people: written whole or not at all, and a place that cannot be written is told."""

from __future__ import annotations

import pathlib

import pandas as pd

from qbase.core.errors import SetupError
from qbase.export import write_xlsx


def write_sheet(name: str, frame: pd.DataFrame, path: pathlib.Path, command: str) -> None:
    """Write one sheet; no text of it can become a formula.

    Parameters
    ----------
    name : str
        Of the sheet.
    frame : pandas.DataFrame
        Its rows.
    path : Path
        The ``.xlsx`` to write.
    command : str
        What the user typed, for the advice.

    Raises
    ------
    SetupError
        The file cannot be written (QB346).
    DataError
        More rows than a sheet can hold (QB190).
    """
    try:
        write_xlsx({name: frame}, path)
    except OSError as error:
        raise SetupError(
            "QB346", found=f"{path}: {error.strerror}", expected="*.xlsx", fix=f"{command} FILE.xlsx"
        ) from error
