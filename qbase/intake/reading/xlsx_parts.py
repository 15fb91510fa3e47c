"""The parts of an xlsx workbook that its sheets refer to: shared strings and styles."""

from __future__ import annotations

import dataclasses

from qbase.intake.reading.sheet_cells import Refused
from qbase.intake.reading.xlsx_package import Package
from qbase.intake.values.cell_text import Style, find_style, unescape
from qbase.intake.values.marked_text import LOWERED, PLAIN, RAISED, STRUCK, Piece, join_pieces

_RAISE = {"superscript": RAISED, "subscript": LOWERED}
_OFF = ("0", "false", "off")


class Runs:
    """Collect the text of <t>, also from rich runs with their marks, without the phonetic guide (<rPh>)."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.mark = PLAIN
        self.is_open = self.is_phonetic = False

    def clear(self) -> None:
        """Begin another text."""
        self.pieces, self.mark, self.is_open, self.is_phonetic = [], PLAIN, False, False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take an opening tag."""
        if tag == "rPh":
            self.is_phonetic = True
        elif tag == "t":
            self.is_open = not self.is_phonetic
        elif tag == "r":
            self.mark = PLAIN
        elif tag == "strike" and attributes.get("val", "1") not in _OFF:
            self.mark = STRUCK
        elif tag == "vertAlign" and self.mark != STRUCK:
            self.mark = _RAISE.get(attributes.get("val", ""), PLAIN)

    def end(self, tag: str) -> None:
        """Take a closing tag."""
        if tag == "rPh":
            self.is_phonetic = False
        elif tag == "t":
            self.is_open = False
        elif tag == "r":
            self.mark = PLAIN

    def add(self, text: str) -> None:
        """Take text."""
        if self.is_open:
            self.pieces.append((text, self.mark))

    def value(self) -> tuple[str, str]:
        """Return the text, and what was left out of it."""
        text, code = join_pieces(self.pieces)
        return unescape(text), code


def read_strings(package: Package, part: str | None) -> list[tuple[str, str]]:
    """Return the shared strings, and what was left out of each.

    Raises
    ------
    Refused
        The part is broken.
    """
    strings: list[tuple[str, str]] = []
    if part is None:
        return strings
    runs = Runs()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "si":
            runs.clear()
        runs.start(tag, attributes)

    def end(tag: str) -> None:
        runs.end(tag)
        if tag == "si":
            strings.append(runs.value())

    package.parse(part, start=start, end=end, text=runs.add)
    return strings


def read_styles(package: Package, part: str | None) -> list[Style]:
    """Return what the format of each cell does to a number, and whether it strikes the cell through.

    Raises
    ------
    Refused
        The part is broken.
    """
    if part is None:
        return []
    found = _Styles()
    try:
        package.parse(part, start=found.start, end=found.end)
    except ValueError as error:
        raise Refused("broken", f"{part}: {error}") from None
    return [
        dataclasses.replace(find_style(number, found.formats.get(number, "")), is_struck=font in found.struck)
        for number, font in found.cells
    ]


class _Styles:
    """Handlers for the part of styles."""

    def __init__(self) -> None:
        self.formats: dict[int, str] = {}
        self.cells: list[tuple[int, int]] = []
        self.struck: set[int] = set()
        self.inside = ""
        self.font = -1

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("cellXfs", "fonts"):
            self.inside = tag
        elif tag == "numFmt":
            self.formats[int(attributes.get("numFmtId") or 0)] = attributes.get("formatCode", "")
        elif tag == "font" and self.inside == "fonts":
            self.font += 1
        elif tag == "strike" and self.inside == "fonts" and attributes.get("val", "1") not in _OFF:
            self.struck.add(self.font)
        elif tag == "xf" and self.inside == "cellXfs":
            self.cells.append((int(attributes.get("numFmtId") or 0), int(attributes.get("fontId") or 0)))

    def end(self, tag: str) -> None:
        if tag in ("cellXfs", "fonts"):
            self.inside = ""
