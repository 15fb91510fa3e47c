"""Streaming reader of xlsx: text, error, formula and format of every cell; only the standard library.

It runs in the child process of `qbase.intake.reading.child_worker`. A reader that hands over finished values cannot
tell an error or a formula without value from an empty cell; this one keeps what the file says.
"""

from __future__ import annotations

import dataclasses
import lzma
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from qbase.intake.values.cell_text import Cells, Style, find_style, unescape

MAX_CELLS = 20_000_000
MIN_FILL = 0.1
MAX_MERGES = 10_000
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
BLOCK = 1 << 16

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


class Refused(Exception):
    """The workbook cannot be read; carries why (``broken``, ``doctype``, ``kind``, ``large``) and what was found."""

    def __init__(self, why: str, found: str) -> None:
        super().__init__(why, found)
        self.why, self.found = why, found


@dataclasses.dataclass(kw_only=True)
class Sheet:
    """One sheet while it is read: cells by row, what is wrong with some, remarks, numeric cells by column.

    ``is_uncalculated``: the program that wrote the book did not calculate its formulas and says so.
    """

    name: str
    rows: dict[int, dict[int, str]] = dataclasses.field(default_factory=dict)
    faults: list[tuple[int, int, str, bool]] = dataclasses.field(default_factory=list)
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    numbers: dict[int, int] = dataclasses.field(default_factory=dict)
    merges: list[tuple[int, int, int, int]] = dataclasses.field(default_factory=list)
    is_uncalculated: bool = False

    def note(self, code: str) -> None:
        """Count a remark."""
        self.notes[code] = self.notes.get(code, 0) + 1


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
        The XML is broken or declares a document type, or a sheet is absurdly large.
    """
    sheets, settings, notes = _workbook(archive)
    strings = _shared_strings(archive)
    styles = _styles(archive)
    for name, target, is_hidden in sheets:
        sheet = Sheet(name=name, notes=dict(notes), is_uncalculated=settings["is_uncalculated"])
        if is_hidden:
            sheet.note("hidden_sheet")
        _read_sheet(archive, target, sheet, Cells(strings=strings, styles=styles, is_1904=settings["is_1904"]))
        yield sheet


def parse_xml(
    archive: zipfile.ZipFile,
    name: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Stream one part of the archive through expat; a document type declaration is refused.

    Parameters
    ----------
    archive : ZipFile
        The workbook.
    name : str
        The part.
    start, end, text : callable
        What to do with elements (local name, attributes) and text.

    Raises
    ------
    Refused
        The part is missing, broken, or declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: start(_local(tag), attributes)
    parser.EndElementHandler = (lambda tag: end(_local(tag))) if end else None
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        with archive.open(name) as file:
            while block := file.read(BLOCK):
                parser.Parse(block, False)
        parser.Parse(b"", True)
    except KeyError:
        raise Refused("broken", f"no part {name}") from None
    except expat.ExpatError as error:
        raise Refused("broken", f"{name}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError) as error:
        raise Refused("broken", f"{name}: {error}") from None


def _refuse_doctype(*_: object) -> None:
    raise Refused("doctype", "<!DOCTYPE")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _workbook(archive: zipfile.ZipFile) -> tuple[list[tuple[str, str, bool]], dict[str, bool], dict[str, int]]:
    names = set(archive.namelist())
    book = "xl/workbook.xml"
    sheets: list[tuple[str, str, bool]] = []
    targets: dict[str, str] = {}
    settings = {"is_1904": False, "is_uncalculated": False}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            targets[attributes.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attributes.get("Target", ""))
            ).lstrip("/")

    def element(tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr":
            settings["is_1904"] = attributes.get("date1904") in ("1", "true")
        elif tag == "calcPr":
            settings["is_uncalculated"] = attributes.get("fullCalcOnLoad") in ("1", "true")
        elif tag == "sheet":
            key = next((value for name, value in attributes.items() if _local(name) == "id"), "")
            is_hidden = attributes.get("state", "visible") != "visible"
            sheets.append((attributes.get("name", ""), key, is_hidden))

    if book not in names:
        raise Refused("kind", "zip")
    parse_xml(archive, "xl/_rels/workbook.xml.rels", start=relation)
    parse_xml(archive, book, start=element)
    notes: dict[str, int] = {}
    if any(name.endswith("vbaProject.bin") for name in names):
        notes["macros_ignored"] = 1
    if any(name.startswith("xl/externalLinks/") for name in names):
        notes["external_links_ignored"] = 1
    found = [(name, targets.get(key, ""), is_hidden) for name, key, is_hidden in sheets]
    return [sheet for sheet in found if sheet[1].startswith("xl/worksheets/")], settings, notes


def _shared_strings(archive: zipfile.ZipFile) -> list[str]:
    strings: list[str] = []
    if "xl/sharedStrings.xml" not in archive.namelist():
        return strings
    collect = _Text()

    def start(tag: str, _: dict[str, str]) -> None:
        if tag == "si":
            collect.clear()
        collect.start(tag)

    def end(tag: str) -> None:
        collect.end(tag)
        if tag == "si":
            strings.append(collect.value())

    parse_xml(archive, "xl/sharedStrings.xml", start=start, end=end, text=collect.add)
    return strings


class _Text:
    """Collect the text of <t>, also from rich runs, without the phonetic guide (<rPh>)."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.is_open = self.is_phonetic = False

    def clear(self) -> None:
        self.parts, self.is_open, self.is_phonetic = [], False, False

    def start(self, tag: str) -> None:
        if tag == "rPh":
            self.is_phonetic = True
        elif tag == "t":
            self.is_open = not self.is_phonetic

    def end(self, tag: str) -> None:
        if tag == "rPh":
            self.is_phonetic = False
        elif tag == "t":
            self.is_open = False

    def add(self, text: str) -> None:
        if self.is_open:
            self.parts.append(text)

    def value(self) -> str:
        return unescape("".join(self.parts))


def _styles(archive: zipfile.ZipFile) -> list[Style]:
    formats: dict[int, str] = {}
    cells: list[int] = []
    inside = {"cellXfs": False}

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "numFmt":
            formats[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            inside["cellXfs"] = True
        elif tag == "xf" and inside["cellXfs"]:
            cells.append(int(attributes.get("numFmtId", 0)))

    def end(tag: str) -> None:
        if tag == "cellXfs":
            inside["cellXfs"] = False

    if "xl/styles.xml" not in archive.namelist():
        return []
    parse_xml(archive, "xl/styles.xml", start=start, end=end)
    return [find_style(number, formats.get(number, "")) for number in cells]


def _read_sheet(archive: zipfile.ZipFile, target: str, sheet: Sheet, cells: Cells) -> None:
    reader = _SheetReader(sheet, cells)
    parse_xml(archive, target, start=reader.start, end=reader.end, text=reader.text)
    if reader.last_row * reader.last_column > MAX_CELLS and reader.count < MIN_FILL * reader.last_row * max(
        reader.last_column, 1
    ):
        found = f"{sheet.name}: {reader.last_row:,} x {reader.last_column:,}, {reader.count:,} cells"
        raise Refused("large", found)


class _SheetReader:
    """Handlers for the XML of one sheet."""

    def __init__(self, sheet: Sheet, cells: Cells) -> None:
        self.sheet, self.cells = sheet, cells
        self.row = self.column = -1
        self.last_row = self.last_column = self.count = 0
        self.kind, self.style = "", 0
        self.has_formula = self.in_value = self.has_value = False
        self.value: list[str] = []
        self.inline = _Text()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._open_cell(attributes)
        elif tag == "v":
            self.in_value = self.has_value = True
        elif tag == "f":
            self.has_formula = True
        elif tag in ("t", "rPh"):
            self.inline.start(tag)
        elif tag == "row":
            self.row = int(attributes["r"]) - 1 if "r" in attributes else self.row + 1
            self.column = -1
            if attributes.get("hidden") in ("1", "true"):
                self.sheet.note("hidden_rows")
        elif tag == "col" and attributes.get("hidden") in ("1", "true"):
            self.sheet.note("hidden_columns")
        elif tag == "mergeCell":
            self.sheet.note("merged_cells")
            self._merge(attributes.get("ref", ""))

    def _merge(self, ref: str) -> None:
        ends = [_CELL.fullmatch(end) for end in ref.split(":")]
        if len(ends) == 2 and ends[0] and ends[1] and len(self.sheet.merges) < MAX_MERGES:
            first, last = ends[0], ends[1]
            self.sheet.merges.append((int(first[2]) - 1, _column(first[1]), int(last[2]) - 1, _column(last[1])))

    def _open_cell(self, attributes: dict[str, str]) -> None:
        place = _CELL.fullmatch(attributes.get("r", ""))
        self.column = _column(place[1]) if place else self.column + 1
        if place:
            self.row = int(place[2]) - 1
        self.kind, self.style = attributes.get("t", "n"), int(attributes.get("s", 0))
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
        elif tag in ("t", "rPh"):
            self.inline.end(tag)
        elif tag == "c":
            self._close_cell()

    def _close_cell(self) -> None:
        if self.kind == "inlineStr":
            raw, self.has_value = self.inline.value(), True
        else:
            raw = "".join(self.value)
        if not self.has_value or (raw == "" and self.kind not in ("str", "inlineStr")):
            if self.has_formula:
                self._store("", "formula_without_value", is_fatal=True)
            return
        if self.has_formula and self.sheet.is_uncalculated:
            if raw == "0":  # what a program that cannot calculate leaves
                self._store(raw, "formula_not_calculated", is_fatal=True)
                return
            self.sheet.note("formulas_not_checked")
        self._store(*self.cells.text(self.kind, raw, self.style))

    def _store(self, text: str, code: str, is_fatal: bool) -> None:
        cells = self.sheet.rows.setdefault(self.row, {})
        is_inside = 0 <= self.row < MAX_ROWS and 0 <= self.column < MAX_COLUMNS
        if not is_inside or self.column in cells:
            raise Refused("broken", f"{self.sheet.name}: row {self.row + 1}, column {self.column + 1}")
        cells[self.column] = text
        self.count += 1
        self.last_row = max(self.last_row, self.row + 1)
        self.last_column = max(self.last_column, self.column + 1)
        if self.count > MAX_CELLS:
            raise Refused("large", f"{self.sheet.name}: > {MAX_CELLS:,} cells")
        if code == "number":
            self.sheet.numbers[self.column] = self.sheet.numbers.get(self.column, 0) + 1
        elif code:
            self.sheet.faults.append((self.row, self.column, code, is_fatal))


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def sheet_payload(sheet: Sheet) -> dict[str, Any]:
    """Return a sheet as plain values: all rows from the first to the last that holds something."""
    last = max(sheet.rows, default=-1)
    width = max((max(row) + 1 for row in sheet.rows.values()), default=0)
    rows = []
    for number in range(last + 1):
        cells = sheet.rows.get(number, {})
        rows.append([cells.get(column, "") for column in range(width)])
    return {
        "name": sheet.name,
        "rows": rows,
        "faults": sheet.faults,
        "notes": sheet.notes,
        "numbers": sheet.numbers,
        "merges": sheet.merges,
    }
