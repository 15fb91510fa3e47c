"""Tables of two runs compared cell by cell; rows are found again by the words they begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from qbase.core.coverage import Coverage
from qbase.core.results.compared_numbers import Fate, is_same
from qbase.core.shown.display import MIME

Row = dict[str, Any]
FOUND = frozenset({"verdict", "outside", "state"})
"""Columns of words that were found, and so may change."""
ACCOUNT = frozenset(Coverage(fates={}).columns())
TIMES = frozenset({"event_time", "year", "phase"})
MOST_LETTERS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell that differs: the words of its row, its column, and both values."""

    row: str
    column: str
    before: Any
    after: Any

    @property
    def change(self) -> float | None:
        """After minus before, where both are numbers."""
        return self.after - self.before if _is_number(self.before) and _is_number(self.after) else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableChange:
    """What became of a table: rows that came and went, cells that differ, and whether its words alone do."""

    name: str
    fate: Fate
    rows_before: int = 0
    rows_after: int = 0
    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    cells: tuple[CellChange, ...] = ()


def read_bundles(notebook: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the bundles of an executed letter by name; the table of a figure too."""
    found: dict[str, dict[str, Any]] = {}
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            payload = output.get("data", {}).get(MIME)
            if isinstance(payload, dict):
                found[payload["name"]] = payload
                if "table" in payload:
                    found[payload["table"]["name"]] = payload["table"]
    return found


def compare_tables(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> tuple[TableChange, ...]:
    """Compare the tables among the bundles of two letters."""
    a, b = ({n: p for n, p in bundles.items() if p.get("kind") == "table"} for bundles in (before, after))
    found = [_compare(name, a[name], table) for name, table in b.items() if name in a]
    found += [TableChange(name=name, fate="appeared", rows_after=len(b[name]["rows"])) for name in b if name not in a]
    found += [TableChange(name=name, fate="gone", rows_before=len(a[name]["rows"])) for name in a if name not in b]
    return tuple(found)


def _compare(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> TableChange:
    has_data = bool(before["data"]) and bool(after["data"])
    old, new = (_data_rows(t) if has_data else _shown_rows(t) for t in (before, after))
    heads = _heads([*old, *new]) if has_data else list(new[0] if new else {})[:1]
    a, b = _by_words(old, heads), _by_words(new, heads)
    cells = [
        CellChange(row=words, column=column, before=a[words].get(column), after=value)
        for words, row in b.items()
        if words in a
        for column, value in row.items()
        if not _is_alike(a[words].get(column), value)
    ]
    appeared, gone = tuple(w for w in b if w not in a), tuple(w for w in a if w not in b)
    return TableChange(
        name=name,
        fate="changed" if cells or appeared or gone else "same",
        rows_before=len(old),
        rows_after=len(new),
        appeared=appeared,
        gone=gone,
        cells=tuple(cells),
    )


def _data_rows(table: Mapping[str, Any]) -> list[Row]:
    # how many records a table stands on is the same in every row, and is told with the data
    data = {n: v for n, v in table["data"].items() if n not in ACCOUNT}
    return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]


def _shown_rows(table: Mapping[str, Any]) -> list[Row]:
    """Return the cells as they are shown; the first of each row is its name, the others may change."""
    heads = [f"{number} {column['label']['en']}" for number, column in enumerate(table["columns"], 1)]
    return [dict(zip(heads, (cell["en"] for cell in row), strict=True)) for row in table["rows"]]


def _heads(rows: Sequence[Row]) -> list[str]:
    """Return the columns that name a row: short words that are no finding, and numbers that count time."""
    columns = list(rows[0]) if rows else []
    return [column for column in columns if column in TIMES or (column not in FOUND and _is_wordy(rows, column))]


def _is_wordy(rows: Sequence[Row], column: str) -> bool:
    values = [row.get(column) for row in rows]
    words = [value for value in values if isinstance(value, str)]
    return len(words) == len([v for v in values if v is not None]) > 0 and max(map(len, words)) <= MOST_LETTERS


def _by_words(rows: Sequence[Row], heads: Sequence[str]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        words = " · ".join(str(row[head]) for head in heads if row.get(head) not in (None, ""))
        times = sum(known == words or known.startswith(f"{words} #") for known in found)
        found[words if not times else f"{words} #{times + 1}"] = row
    return found


def _is_alike(a: Any, b: Any) -> bool:
    return is_same(a, b) if _is_number(a) and _is_number(b) else bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
