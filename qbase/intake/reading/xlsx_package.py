"""The parts of a workbook, found as its relations say: by type, never by the names of parts; its strings and styles."""

from __future__ import annotations

import dataclasses
import lzma
import posixpath
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable

from qbase.intake.reading.file_safety import parse_xml
from qbase.intake.reading.sheet_cells import Refused
from qbase.intake.values.cell_text import Style, find_style, unescape
from qbase.intake.values.marked_text import LOWERED, PLAIN, RAISED, STRUCK, Piece, join_pieces

BLOCK = 1 << 16
_OTHER_KINDS = ("chartsheet", "dialogsheet", "xlmacrosheet", "xlintlmacrosheet")  # sheets without a table
_RAISE = {"superscript": RAISED, "subscript": LOWERED}
_OFF = ("0", "false", "off")


class Package:
    """A zip archive whose parts are found without regard to case, backslashes and where they lie.

    Parameters
    ----------
    archive : ZipFile
        Checked by `qbase.intake.reading.file_safety.check_archive`.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self._names: dict[str, list[str]] = {}
        for name in archive.namelist():
            self._names.setdefault(_plain(name), []).append(name)

    def find(self, part: str) -> str | None:
        """Return the entry of a part, None where there is none.

        Raises
        ------
        Refused
            Several entries go by its name: which of them another program reads is not for this one to say.
        """
        for wanted in (part, urllib.parse.unquote(part)):
            entries = self._names.get(_plain(wanted), [])
            exact = [entry for entry in entries if entry == wanted.lstrip("/")]
            found = exact or entries
            if len(found) > 1:
                raise Refused("broken", f"{len(found)} parts {part}")
            if found:
                return found[0]
        return None

    def relations(self, source: str) -> dict[str, tuple[str, str]]:
        """Return id -> (last word of its type, target) of the relations of a part, or of the package (empty).

        Raises
        ------
        Refused
            The part that holds them is broken.
        """
        folder, name = posixpath.split(source.replace("\\", "/"))
        part = self.find(posixpath.join(folder, "_rels", f"{name}.rels"))
        found: dict[str, tuple[str, str]] = {}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode", "").lower() != "external":
                target = attributes.get("Target", "").replace("\\", "/")
                kind = attributes.get("Type", "").rpartition("/")[2].lower()
                path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                found[attributes.get("Id", "")] = (kind, path)

        if part is not None:
            self.parse(part, start=start)
        return found

    def find_book(self) -> str:
        """Return the part that lists the sheets: the package says which it is.

        Raises
        ------
        Refused
            There is none, or it is a workbook in binary parts (xlsb).
        """
        named = [path for kind, path in self.relations("").values() if kind == "officedocument"]
        parts = [part for part in map(self.find, named) if part is not None]
        if not parts:
            raise Refused("kind", "zip")
        if parts[0].lower().endswith(".bin"):
            raise Refused("kind", "xlsb")
        return parts[0]

    def part_of(self, relations: dict[str, tuple[str, str]], kind: str) -> str | None:
        """Return the one part of a kind that a workbook is related to, None where it has none.

        Raises
        ------
        Refused
            It is missing, or there are several.
        """
        targets = {path for found, path in relations.values() if found == kind}
        if not targets:
            return None
        part = self.find(next(iter(targets)))
        if part is None or len(targets) > 1:
            raise Refused("broken", f"{kind}: {', '.join(sorted(targets))}")
        return part

    def part_of_sheet(self, name: str, relation: tuple[str, str] | None) -> str | None:
        """Return the part of a sheet, None for a chart or another sheet that holds no table.

        Raises
        ------
        Refused
            The sheet has no part, or one of an unknown kind: it would be dropped in silence.
        """
        kind, path = relation or ("", "")
        if kind in _OTHER_KINDS:
            return None
        part = self.find(path) if kind == "worksheet" else None
        if part is None:
            raise Refused("broken", f"{name}: {kind or 'no relation'} {path}".rstrip())
        return part

    def parse(
        self,
        entry: str,
        *,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Stream an entry through expat; a document type declaration is refused.

        Parameters
        ----------
        entry : str
            As `find` returns it.
        start, end, text : callable
            What to do with elements (local name, attributes) and text.

        Raises
        ------
        Refused
            The part is broken, or declares a document type.
        """
        try:
            with self.archive.open(entry) as file:
                parse_xml(iter(lambda: file.read(BLOCK), b""), entry, start=start, end=end, text=text)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, KeyError) as error:
            raise Refused("broken", f"{entry}: {error}") from None


def _plain(name: str) -> str:
    return name.replace("\\", "/").strip("/").lower()


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
