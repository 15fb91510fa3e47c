"""Workbooks in one XML file, as Excel 2003 and many office systems write them, usually under the name .xls."""

from __future__ import annotations

import dataclasses
import re

from qbase.intake.reading.file_safety import parse_xml
from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.values.cell_text import Cells, Style, find_style
from qbase.intake.values.marked_text import LOWERED, PLAIN, RAISED, STRUCK, Piece, join_pieces

_CHINESE = re.compile(rb"""(<\?xml[^>]*encoding\s*=\s*["'])(gb2312|gbk|gb18030)""", re.IGNORECASE)
_MARKS = {"Sup": RAISED, "Sub": LOWERED, "S": STRUCK}
_NAMED = {
    "percent": "0.00%",
    "general": "General",
    "general number": "General",
    "standard": "#,##0.00",
    "fixed": "0.00",
}


def read_xml_2003(data: bytes) -> list[Sheet]:
    """Read all worksheets of an XML spreadsheet.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    list of Sheet

    Raises
    ------
    Refused
        It is broken, declares a document type, or is another kind of XML.
    """
    match = _CHINESE.search(data[:200])
    if match:  # the parser knows no encoding of several bytes
        try:
            data = data.decode("gb18030").encode().replace(match[0], match[1] + b"utf-8", 1)
        except UnicodeError as error:
            raise Refused("broken", str(error)) from None
    reader = _Reader()
    parse_xml([data], "XML", start=reader.start, end=reader.end, text=reader.text)
    if not reader.is_book:
        raise Refused("kind", "XML")
    return reader.sheets


class _Reader:
    """Handlers for the XML of a workbook."""

    def __init__(self) -> None:
        self.sheets: list[Sheet] = []
        self.is_book = self.has_formula = False
        self.styles: dict[str, Style] = {}
        self.style_id = self.cell_style = self.kind = ""
        self.row = self.column = self.struck_row = -1
        self.across = self.down = 0
        self.pieces: list[Piece] | None = None
        self.mark = PLAIN
        self.cells = Cells(strings=[], styles=[], is_1904=False)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Workbook":
            self.is_book = True
        elif tag in ("Style", "NumberFormat", "Font"):
            self._style(tag, attributes)
        elif tag == "Worksheet":
            self.sheets.append(Sheet(name=attributes.get("Name", ""), notes={"counted_once": 1}))
            self.row = self.struck_row = -1
        elif not self.sheets:
            return
        elif tag == "Row":
            self.row, self.column = _place(attributes, self.row), -1
            if attributes.get("Hidden") == "1":
                self.sheets[-1].note("hidden_rows")
        elif tag == "Cell":
            self._cell(attributes)
        elif tag == "Data":
            self.kind, self.pieces, self.mark = attributes.get("Type", "String"), [], PLAIN
        elif tag in _MARKS:
            self.mark = _MARKS[tag]

    def _style(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Style":
            self.style_id = attributes.get("ID", "")
            self.styles[self.style_id] = self.styles.get(attributes.get("Parent", "Default"), Style())
        elif tag == "NumberFormat" and not self.sheets:
            code = attributes.get("Format", "")
            is_struck = self.styles[self.style_id].is_struck
            found = find_style(0, _NAMED.get(code.lower(), code))
            self.styles[self.style_id] = dataclasses.replace(found, is_struck=is_struck)
        elif tag == "Font" and not self.sheets and attributes.get("StrikeThrough") == "1":
            self.styles[self.style_id] = dataclasses.replace(self.styles[self.style_id], is_struck=True)

    def _cell(self, attributes: dict[str, str]) -> None:
        self.column = _place(attributes, self.column)
        self.cell_style = attributes.get("StyleID", "Default")
        self.has_formula = "Formula" in attributes
        self.across, self.down = _count(attributes, "MergeAcross"), _count(attributes, "MergeDown")
        self.pieces = None
        if self.across or self.down:
            sheet = self.sheets[-1]
            sheet.note("merged_cells")
            sheet.merges.append((self.row, self.column, self.row + self.down, self.column + self.across))

    def text(self, text: str) -> None:
        if self.pieces is not None:
            self.pieces.append((text, self.mark))

    def end(self, tag: str) -> None:
        if tag == "Cell" and self.sheets:
            if self.has_formula and not self.pieces:
                self.sheets[-1].store(self.row, self.column, "", "formula_without_value", is_fatal=True)
            self.column += self.across
            self.pieces = None
        elif tag == "Data" and self.pieces is not None:
            self._store(*join_pieces(self.pieces))
        elif tag in _MARKS:
            self.mark = PLAIN

    def _store(self, raw: str, remark: str) -> None:
        style = self.styles.get(self.cell_style, Style())
        text, code, is_fatal = raw, "", False
        if self.kind == "Number":
            text, code, is_fatal = self.cells.number(raw, style)
        elif self.kind == "DateTime":
            text = raw.removesuffix(".000").removesuffix("T00:00:00")
        elif self.kind == "Boolean":
            text = {"1": "TRUE", "0": "FALSE"}.get(raw, raw)
        elif self.kind == "Error":
            code, is_fatal = "error_cell", True
        sheet = self.sheets[-1]
        sheet.store(self.row, self.column, text, code or remark, is_fatal=is_fatal)
        if style.is_struck and text.strip() and self.struck_row != self.row:
            self.struck_row = self.row
            sheet.note("struck_rows")


def _place(attributes: dict[str, str], before: int) -> int:
    """Return the place of a row or cell, from 0: the one it names, or the next."""
    if "Index" not in attributes:
        return before + 1
    place = _count(attributes, "Index") - 1
    if place <= before:
        raise Refused("broken", f"Index {place + 1}")
    return place


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "0")
    if not (text.isascii() and text.isdigit()):
        raise Refused("broken", f"{name}={text!r}")
    return int(text)
