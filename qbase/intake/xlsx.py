"""Streaming reader of xlsx: text, error, formula and format of every cell; only the standard library.

It runs in the child process of `qbase.intake.worker`. A reader that hands over finished values cannot tell an
error or a formula without value from an empty cell; this one keeps what the file says.
"""

from __future__ import annotations

import dataclasses
import datetime
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from xml.parsers import expat

MAX_CELLS = 20_000_000
MIN_FILL = 0.1
EXACT = 10**15
MAX_SERIAL = 2_958_466  # 10000-01-01
DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
PERCENT_FORMATS = {9, 10}
BLOCK = 1 << 16

_PLAIN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Refused(Exception):
    """The workbook cannot be read; carries a code and what was found."""

    def __init__(self, code: str, found: str) -> None:
        super().__init__(code, found)
        self.code, self.found = code, found


@dataclasses.dataclass(kw_only=True)
class Sheet:
    """One sheet while it is read: cells by row, what is wrong with some, remarks, numeric cells by column."""

    name: str
    rows: dict[int, dict[int, str]] = dataclasses.field(default_factory=dict)
    faults: list[tuple[int, int, str, bool]] = dataclasses.field(default_factory=list)
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    numbers: dict[int, int] = dataclasses.field(default_factory=dict)

    def note(self, code: str) -> None:
        """Count a remark."""
        self.notes[code] = self.notes.get(code, 0) + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Style:
    """What a number format does to a number: ``date``, ``percent``, ``zeros`` (with their width) or nothing."""

    kind: str = ""
    width: int = 0


def read_xlsx(archive: zipfile.ZipFile) -> Iterator[Sheet]:
    """Read all worksheets, one after the other.

    Parameters
    ----------
    archive : ZipFile
        Checked by `qbase.intake.container.check_archive`.

    Yields
    ------
    Sheet
        Cells as text by row and column, from 0.

    Raises
    ------
    Refused
        The XML is broken or declares a document type, or a sheet is absurdly large.
    """
    sheets, is_1904, notes = _workbook(archive)
    strings = _shared_strings(archive)
    styles = _styles(archive)
    for name, target, is_hidden in sheets:
        sheet = Sheet(name=name, notes=dict(notes))
        if is_hidden:
            sheet.note("hidden_sheet")
        _read_sheet(archive, target, sheet, _Cells(strings=strings, styles=styles, is_1904=is_1904))
        yield sheet


def parse_xml(
    archive: zipfile.ZipFile,
    name: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Stream one part of the archive through expat; a document type declaration is refused."""
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
        raise Refused("QB316", f"no part {name}") from None
    except expat.ExpatError as error:
        raise Refused("QB316", f"{name}: {error}") from None
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise Refused("QB316", f"{name}: {error}") from None


def _refuse_doctype(*_: object) -> None:
    raise Refused("QB326", "<!DOCTYPE")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _workbook(archive: zipfile.ZipFile) -> tuple[list[tuple[str, str, bool]], bool, dict[str, int]]:
    names = set(archive.namelist())
    book = "xl/workbook.xml"
    sheets: list[tuple[str, str, bool]] = []
    targets: dict[str, str] = {}
    settings = {"is_1904": False}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            targets[attributes.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attributes.get("Target", ""))
            ).lstrip("/")

    def element(tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr":
            settings["is_1904"] = attributes.get("date1904") in ("1", "true")
        elif tag == "sheet":
            key = next((value for name, value in attributes.items() if _local(name) == "id"), "")
            is_hidden = attributes.get("state", "visible") != "visible"
            sheets.append((attributes.get("name", ""), key, is_hidden))

    if book not in names:
        raise Refused("QB311", "zip")
    parse_xml(archive, "xl/_rels/workbook.xml.rels", start=relation)
    parse_xml(archive, book, start=element)
    notes: dict[str, int] = {}
    if any(name.endswith("vbaProject.bin") for name in names):
        notes["macros_ignored"] = 1
    if any(name.startswith("xl/externalLinks/") for name in names):
        notes["external_links_ignored"] = 1
    found = [(name, targets.get(key, ""), is_hidden) for name, key, is_hidden in sheets]
    return [sheet for sheet in found if sheet[1].startswith("xl/worksheets/")], settings["is_1904"], notes


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


def unescape(text: str) -> str:
    """Resolve ``_x000D_``, the way a workbook writes characters that XML cannot hold."""
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text) if "_x" in text else text


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


def find_style(number: int, code: str) -> Style:
    """Say what a number format does: its number decides unless the file gives it a code."""
    if not code:
        if number in DATE_FORMATS:
            return Style(kind="date")
        return Style(kind="percent") if number in PERCENT_FORMATS else Style()
    plain = _PLAIN.sub("", code.split(";")[0]).strip()
    if plain.lower() == "general":
        return Style()
    if re.fullmatch("0{2,}", plain) and plain == code.split(";")[0].strip():
        return Style(kind="zeros", width=len(plain))
    if plain.endswith("%"):
        return Style(kind="percent")
    return Style(kind="date") if re.search("[ymdhs]|[上下]午", plain, re.IGNORECASE) else Style()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Cells:
    """Turns a cell as stored into text."""

    strings: list[str]
    styles: list[Style]
    is_1904: bool

    def text(self, kind: str, raw: str, style: int) -> tuple[str, str, bool]:
        """Return text, code of what is wrong or remarkable, and whether that is fatal."""
        if kind == "s":
            try:
                return self.strings[int(raw)], "", False
            except (ValueError, IndexError):
                return raw, "broken_cell", True
        if kind in ("str", "inlineStr"):
            return unescape(raw) if kind == "str" else raw, "", False
        if kind == "e":
            return raw, "error_cell", True
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw), "", False
        if kind == "d":
            return raw.removesuffix("T00:00:00"), "", False
        return self.number(raw, self.styles[style] if style < len(self.styles) else Style())

    def number(self, raw: str, style: Style) -> tuple[str, str, bool]:
        """Return a number as text, as its format shows it where the format changes its meaning."""
        try:
            value = float(raw)
        except ValueError:
            return raw, "broken_cell", True
        if style.kind == "date":
            shown = serial_date(value, is_1904=self.is_1904)
            return (shown, "", False) if shown else (raw, "impossible_date", True)
        if abs(value) >= EXACT or value != value:
            return raw, "long_number", True
        if style.kind == "percent":
            return f"{(Decimal(repr(value)) * 100).normalize():f}%", "", False
        if value.is_integer():
            whole = str(int(value))
            if style.kind == "zeros" and value >= 0:
                return whole.zfill(style.width), "zeros_by_format", False
            return whole, "number", False
        return repr(value), "number", False


def serial_date(value: float, *, is_1904: bool = False) -> str:
    """Return a serial number as ISO date (with time where there is one); empty when no such day exists.

    >>> serial_date(44783.0), serial_date(60.0), serial_date(0.5)
    ('2022-08-10', '', '')
    """
    if not (0 if is_1904 else 1) <= value < MAX_SERIAL:
        return ""
    day = int(value)
    if day == 60 and not is_1904:  # 29 February 1900, which only the 1900 system knows
        return ""
    epoch = datetime.datetime(1904, 1, 1) if is_1904 else datetime.datetime(1899, 12, 31 if day < 60 else 30)
    moment = epoch + datetime.timedelta(days=day, seconds=round((value - day) * 86400))
    text = moment.isoformat()
    return text.removesuffix("T00:00:00")


def _read_sheet(archive: zipfile.ZipFile, target: str, sheet: Sheet, cells: _Cells) -> None:
    reader = _SheetReader(sheet, cells)
    parse_xml(archive, target, start=reader.start, end=reader.end, text=reader.text)
    if reader.last_row * reader.last_column > MAX_CELLS and reader.count < MIN_FILL * reader.last_row * max(
        reader.last_column, 1
    ):
        found = f"{sheet.name}: {reader.last_row:,} x {reader.last_column:,}, {reader.count:,} cells"
        raise Refused("QB318", found)


class _SheetReader:
    """Handlers for the XML of one sheet."""

    def __init__(self, sheet: Sheet, cells: _Cells) -> None:
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
        self._store(*self.cells.text(self.kind, raw, self.style))

    def _store(self, text: str, code: str, is_fatal: bool) -> None:
        self.sheet.rows.setdefault(self.row, {})[self.column] = text
        self.count += 1
        self.last_row = max(self.last_row, self.row + 1)
        self.last_column = max(self.last_column, self.column + 1)
        if self.count > MAX_CELLS:
            raise Refused("QB318", f"{self.sheet.name}: > {MAX_CELLS:,} cells")
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
    return {"name": sheet.name, "rows": rows, "faults": sheet.faults, "notes": sheet.notes, "numbers": sheet.numbers}
