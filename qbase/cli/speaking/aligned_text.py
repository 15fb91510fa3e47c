"""Plain text tables that stay aligned when Chinese stands beside Latin letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "  "


def width(text: str) -> int:
    """Return the columns a text takes on a terminal: two for a wide character, none for a combining one."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Fill a text with blanks up to a number of columns."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lay out a table as lines.

    Parameters
    ----------
    head : sequence of str
        Column titles.
    rows : sequence of sequence of str
        As wide as ``head``.
    right : sequence of int
        Columns aligned to the right.

    Returns
    -------
    list of str
        Lines without trailing blanks.
    """
    lines = [list(head), *map(list, rows)]
    columns = [max(width(line[i]) for line in lines) for i in range(len(head))]
    return [GAP.join(pad(cell, columns[i], right=i in right) for i, cell in enumerate(line)).rstrip() for line in lines]
