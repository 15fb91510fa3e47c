"""Cells that are their own value: texts of a shape that no rule of reading changes, told for a column by one pattern.

A long column of codes or names holds little else. Only what is left has to be read, each different text once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.values.code_dress import NUMBERS, is_division
from qbase.tables import ColumnRule

SAMPLE = 1000
FEW = 0.5  # where fewer of the first cells are different, each different text is read: that is cheaper

# Three Chinese characters and more are no word for nothing; the first is none that points to another cell (以上同).
_HAN = "\u4e00-\u9fff"
_FIRST = "\u4e00-\u4ee4\u4ee6-\u540b\u540d-\u5981\u5983-\u89c0\u89c2-\u9fff"
_TEXT = f"[{_FIRST}][{_HAN}]{{2}}[{_HAN}0-9A-Za-z()]*"
# A digit that is no zero makes a code something; five signs and more, or a letter before it, make it no 1E05.
_UPPER = "[0-9A-Z]{4}[0-9A-Z]*[1-9][0-9A-Z]*"
_CODE = f"[A-Za-z][0-9A-Za-z]*[1-9][0-9A-Za-z]*|{_UPPER}"
_NUMBER = f"[A-Za-z]{{2}}[0-9A-Za-z-]*[1-9][0-9A-Za-z]*|{_CODE}"
_DIVISION = "[1-9][0-9]{5,}"
_INDUSTRY = "[1-9][0-9]+"


def plain_pattern(column: ColumnRule, missing: Iterable[str]) -> str:
    """Return a pattern of texts that a column without rules of its own reads as they are; empty where there is none.

    Such a text repeats no other cell either, and points to none (`qbase.intake.values.nothing_words`).

    Parameters
    ----------
    column : ColumnRule
        What the column is.
    missing : iterable of str
        What stands for nothing there.

    Returns
    -------
    str
        For RE2 and for Python, of the whole text.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> pattern = plain_pattern(read_contract("inspections").column("sample_no"), [""])
    >>> [bool(re.fullmatch(pattern, text)) for text in ("YZ2022-0017", "1E05", "同上", "NJ 17", "'NJ17")]
    [True, False, False, False, False]
    """
    pattern = "" if column.values else _shape(column)
    return "" if pattern and any(re.fullmatch(pattern, word) for word in missing) else pattern


def _shape(column: ColumnRule) -> str:
    if column.type == "text":
        return _TEXT
    if column.type != "code":
        return ""
    if column.check == "uscc":
        return _UPPER
    if column.name == "industry_code":
        return _INDUSTRY
    if is_division(column):
        return _DIVISION
    return _NUMBER if column.name in NUMBERS else _CODE


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Distinct:
    """The different texts of a column that are to be looked at.

    Parameters
    ----------
    texts : list of str
        In order of their first cell.
    places : ndarray of int
        For each cell that is looked at, which of the texts it holds.
    rows : ndarray of int or None
        Positions of these cells, ascending; None where all are looked at, for the others are plain.
    """

    texts: list[str]
    places: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None = None

    def rows_of(self, is_wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the positions of the cells with some of the texts, ascending."""
        found = np.flatnonzero(is_wanted[self.places])
        return found if self.rows is None else self.rows[found]


def find_distinct(raw: pa.ChunkedArray, plain: str) -> Distinct:
    """Find the different texts of a column; of a column of many different ones those that are not plain.

    Parameters
    ----------
    raw : pyarrow.ChunkedArray
        R texts as they stand.
    plain : str
        From `plain_pattern`; empty looks at all.

    Returns
    -------
    Distinct
    """
    head = raw.slice(0, SAMPLE)
    if not plain or len(head) < SAMPLE or len(head.unique()) < FEW * SAMPLE:
        return _encode(raw, None)
    is_other = pc.invert(pc.match_substring_regex(raw, f"^(?:{plain})$"))
    return _encode(raw.filter(is_other), np.flatnonzero(np.asarray(is_other)))


def _encode(raw: pa.ChunkedArray, rows: npt.NDArray[np.int64] | None) -> Distinct:
    encoded = raw.dictionary_encode().combine_chunks() if raw.num_chunks else pa.array([], pa.string())
    if isinstance(encoded, pa.ChunkedArray) or not len(encoded):
        encoded = pa.array(encoded.to_pylist(), pa.string()).dictionary_encode()
    places = encoded.indices.to_numpy(zero_copy_only=False)
    return Distinct(texts=encoded.dictionary.to_pylist(), places=places, rows=rows)
