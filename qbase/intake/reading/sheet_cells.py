"""One sheet while it is read: only what holds something is kept, whatever size the file claims."""

from __future__ import annotations

import bisect
import dataclasses
from typing import Any

MAX_CELLS = 20_000_000
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
MAX_BLANK = 1000  # more blank rows than these are not listed one by one
MAX_GAP = 100  # what stands beyond as many blank columns is no column of the table


class Refused(Exception):
    """The workbook cannot be read; carries why (``broken``, ``doctype``, ``kind``, ``large``) and what was found."""

    def __init__(self, why: str, found: str) -> None:
        super().__init__(why, found)
        self.why, self.found = why, found


@dataclasses.dataclass(kw_only=True)
class Sheet:
    """Cells by row, what is wrong with some, remarks, numeric cells by column, merged cells.

    ``last_row`` and ``last_column`` count cells with nothing but blanks, too: another engine may make room for them.
    """

    name: str
    rows: dict[int, dict[int, str]] = dataclasses.field(default_factory=dict)
    faults: list[tuple[int, int, str, bool]] = dataclasses.field(default_factory=list)
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    numbers: dict[int, int] = dataclasses.field(default_factory=dict)
    merges: list[tuple[int, int, int, int]] = dataclasses.field(default_factory=list)
    count: int = 0
    last_row: int = 0
    last_column: int = 0

    def note(self, code: str, count: int = 1) -> None:
        """Count a remark."""
        self.notes[code] = self.notes.get(code, 0) + count

    def store(self, row: int, column: int, text: str, code: str = "", *, is_fatal: bool = False) -> None:
        """Keep a cell that holds something, and what is to be said of it.

        Raises
        ------
        Refused
            It lies outside any sheet, a place has two cells, or there are too many.
        """
        if not (0 <= row < MAX_ROWS and 0 <= column < MAX_COLUMNS) or column in self.rows.get(row, ()):
            raise Refused("broken", f"{self.name}: row {row + 1}, column {column + 1}")
        self.count += 1
        self.last_row, self.last_column = max(self.last_row, row + 1), max(self.last_column, column + 1)
        if self.count > MAX_CELLS:
            raise Refused("large", f"{self.name}: > {MAX_CELLS:,} cells")
        if code == "number":
            self.numbers[column] = self.numbers.get(column, 0) + 1
        elif code:
            self.faults.append((row, column, code, is_fatal))
        if text.strip() or is_fatal:
            self.rows.setdefault(row, {})[column] = text

    def count_filled(self, unseen: frozenset[str]) -> int:
        """Return how many rows hold something, apart from cells with faults that another engine takes for empty."""
        hidden = {(row, column) for row, column, code, _ in self.faults if code in unseen}
        return sum(
            any(text.strip() and (row, column) not in hidden for column, text in cells.items())
            for row, cells in self.rows.items()
        )

    def payload(self) -> dict[str, Any]:
        """Return the sheet as plain values; with very many blank rows only the others, and their numbers."""
        filled = sorted(self.rows)
        blank = (filled[-1] + 1 - len(filled)) if filled else 0
        width = self._width()
        kept = filled if blank > MAX_BLANK else range(filled[-1] + 1 if filled else 0)
        notes = self.notes | ({"blank_rows_skipped": blank} if blank > MAX_BLANK else {})
        return {
            "name": self.name,
            "rows": [_row(self.rows.get(number, {}), width) for number in kept],
            "width": width,
            "row_numbers": filled if blank > MAX_BLANK else [],
            "faults": [(bisect.bisect_left(kept, fault[0]), *fault[1:]) for fault in self.faults],
            "notes": notes,
            "numbers": self.numbers,
            "merges": [
                (bisect.bisect_left(kept, first), left, bisect.bisect_right(kept, last) - 1, right)
                for first, left, last, right in self.merges
            ],
        }

    def _width(self) -> int:
        """Return the columns of the table: a stray cell far to the right makes none."""
        width = 0
        for column in sorted({column for cells in self.rows.values() for column in cells}):
            if width and column - width > MAX_GAP:
                break
            width = column + 1
        return width


def _row(cells: dict[int, str], width: int) -> list[str]:
    return [cells.get(column, "") for column in range(max(width, max(cells, default=-1) + 1))]
