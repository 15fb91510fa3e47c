"""The pages of a ledger checked one by one, with its indexes and the rows that name others."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3

from qbase.lake.ledger.ledger_settings import BUSY_SECONDS
from qbase.lake.ledger.readable_copy import readable_path

MOST_FAULTS = 20


def find_faults(path: pathlib.Path) -> list[str]:
    """Return what SQLite finds wrong with a ledger, in its own words; empty where all is well or there is none.

    Parameters
    ----------
    path : Path
        The file. Unlike the check at each first opening this one reads everything, however large it is.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return []
    try:
        with contextlib.closing(sqlite3.connect(readable_path(path), timeout=BUSY_SECONDS)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})")]
            lost = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    names = sorted({str(row[0]) for row in lost})
    return [text for text in found if text != "ok"] + [f"{name}: a row names one that is not there" for name in names]
