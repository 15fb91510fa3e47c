"""Streaming reader of xlsx: text, error, formula and format of every cell; only the standard library.

It runs in the child process of `qbase.intake.reading.child_worker`. A reader that hands over finished values cannot
tell an error or a formula without value from an empty cell; this one keeps what the file says.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.reading.xlsx_package import Package, Runs, read_strings, read_styles
from qbase.intake.values.cell_text import Cells, Style

MAX_MERGES = 10_000

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


def read_xlsx(archive: zipfile.ZipFile) -> Iterator[Sheet]:
    """Read all worksheets, one after the other.

    Parameters
    ----------
    archive : ZipFile
        Checked by `qbase.intake.reading.file_safety.check_archive`.

    Yields
    ------
    Sheet
        Cells as text by row and column, from 0.

    Raises
    ------
    Refused
        The XML is broken or declares a document type, a sheet cannot be found, or is absurdly large.
    """
    package = Package(archive)
    book = package.find_book()
    relations = package.relations(book)
    sheets, settings = _workbook(package, book)
    notes = _book_notes(package, relations)
    strings = read_strings(package, package.part_of(relations, "sharedstrings"))
    styles = read_styles(package, package.part_of(relations, "styles"))
    for name, key, is_hidden in sheets:
        part = package.part_of_sheet(name, relations.get(key))
        if part is None:
            continue
        sheet = Sheet(name=name, notes=dict(notes))
        if is_hidden:
            sheet.note("hidden_sheet")
        cells = Cells(strings=[text for text, _ in strings], styles=styles, is_1904=settings["is_1904"])
        reader = _SheetReader(sheet, cells, dict(_remarks(strings)), is_uncalculated=settings["is_uncalculated"])
        package.parse(part, start=reader.start, end=reader.end, text=reader.text)
        yield sheet


def _remarks(strings: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the position of each shared string of which a piece was left out, as cells name it, and the remark."""
    return ((str(i), code) for i, (_, code) in enumerate(strings) if code)


def _workbook(package: Package, book: str) -> tuple[list[tuple[str, str, bool]], dict[str, bool]]:
    """Return name, relation and hiddenness of the sheets, and the settings of a workbook."""
    sheets: list[tuple[str, str, bool]] = []
    settings = {"is_1904": False, "is_uncalculated": False, "is_book": False}

    def element(tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbook":
            settings["is_book"] = True
        elif tag == "workbookPr":
            settings["is_1904"] = attributes.get("date1904") in ("1", "true")
        elif tag == "calcPr":
            settings["is_uncalculated"] = attributes.get("fullCalcOnLoad") in ("1", "true")
        elif tag == "sheet":
            is_hidden = attributes.get("state", "visible") != "visible"
            sheets.append((attributes.get("name", ""), attributes.get("id", ""), is_hidden))

    package.parse(book, start=element)
    if not settings["is_book"]:
        raise Refused("kind", book)
    return sheets, settings


def _book_notes(package: Package, relations: dict[str, tuple[str, str]]) -> dict[str, int]:
    kinds = [kind for kind, _ in relations.values()]
    has_macros = "vbaproject" in kinds or any("macrosheet" in kind for kind in kinds)
    has_macros |= any(name.lower().endswith("vbaproject.bin") for name in package.archive.namelist())
    notes = {"macros_ignored": has_macros, "external_links_ignored": "externallink" in kinds}
    return {code: 1 for code, holds in notes.items() if holds}


class _SheetReader:
    """Handlers for the XML of one sheet."""

    def __init__(self, sheet: Sheet, cells: Cells, remarks: dict[str, str], *, is_uncalculated: bool) -> None:
        self.sheet, self.cells, self.remarks, self.is_uncalculated = sheet, cells, remarks, is_uncalculated
        self.row = self.column = self.struck_row = -1
        self.kind, self.style = "", 0
        self.has_formula = self.in_value = self.has_value = False
        self.value: list[str] = []
        self.inline = Runs()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._open_cell(attributes)
        elif tag == "v":
            self.in_value = self.has_value = True
        elif tag == "f":
            self.has_formula = True
        elif tag == "row":
            self.row = _number(attributes.get("r"), self.row + 2) - 1
            self.column = -1
            if attributes.get("hidden") in ("1", "true"):
                self.sheet.note("hidden_rows")
        elif tag == "col" and attributes.get("hidden") in ("1", "true"):
            self.sheet.note("hidden_columns")
        elif tag == "mergeCell":
            self.sheet.note("merged_cells")
            self._merge(attributes.get("ref", ""))
        else:
            self.inline.start(tag, attributes)

    def _merge(self, ref: str) -> None:
        ends = [_CELL.fullmatch(end) for end in ref.split(":")]
        if len(ends) == 2 and ends[0] and ends[1] and len(self.sheet.merges) < MAX_MERGES:
            first, last = ends[0], ends[1]
            self.sheet.merges.append((int(first[2]) - 1, _column(first[1]), int(last[2]) - 1, _column(last[1])))

    def _open_cell(self, attributes: dict[str, str]) -> None:
        said = attributes.get("r", "")
        place = _CELL.fullmatch(said.replace("$", "").upper())
        if said and not place:
            raise Refused("broken", f"{self.sheet.name}: {said}")
        self.column = _column(place[1]) if place else self.column + 1
        if place:
            self.row = int(place[2]) - 1
        self.kind, self.style = attributes.get("t") or "n", _number(attributes.get("s"), 0)
        self.has_formula = self.has_value = False
        self.value = []
        self.inline.clear()

    def text(self, text: str) -> None:
        if self.in_value:
            self.value.append(text)
        else:
            self.inline.add(text)

    def end(self, tag: str) -> None:
        if tag == "v":
            self.in_value = False
        elif tag == "c":
            self._close_cell()
        else:
            self.inline.end(tag)

    def _close_cell(self) -> None:
        remark = ""
        if self.kind == "inlineStr":
            (raw, remark), self.has_value = self.inline.value(), True
        else:
            raw = "".join(self.value)
        if not self.has_value or (raw == "" and self.kind not in ("str", "inlineStr")):
            if self.has_formula:
                self._store("", "formula_without_value", is_fatal=True)
            return
        if self.has_formula and self.is_uncalculated:
            if raw == "0":  # what a program that cannot calculate leaves
                self._store(raw, "formula_not_calculated", is_fatal=True)
                return
            self.sheet.note("formulas_not_checked")
        text, code, is_fatal = self.cells.text(self.kind, raw, self.style)
        remark = remark or (self.remarks.get(raw, "") if self.kind == "s" else "")
        self._store(text, code or remark, is_fatal)

    def _store(self, text: str, code: str, is_fatal: bool) -> None:
        self.sheet.store(self.row, self.column, text, code, is_fatal=is_fatal)
        if text.strip() and self.row != self.struck_row and self._style().is_struck:
            self.struck_row = self.row
            self.sheet.note("struck_rows")

    def _style(self) -> Style:
        return self.cells.styles[self.style] if 0 <= self.style < len(self.cells.styles) else Style()


def _number(text: str | None, default: int) -> int:
    """Return a number of an attribute; one that is absent or empty stands for the default."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise Refused("broken", f"{text!r}")
    return int(text)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
