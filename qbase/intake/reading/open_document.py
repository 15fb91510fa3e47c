"""Reader of .ods by way of calamine, which refuses the white space that Gnumeric writes between the cells of a row.

It runs in the child process of `qbase.intake.reading.child_worker`.
"""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import IO
from xml.parsers import expat

import python_calamine

from qbase.intake.reading.file_safety import build_parser
from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.values.cell_text import EXACT

CONTENT = "content.xml"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_PARAGRAPHS = (f"{_TEXT}p", f"{_TEXT}h")


def read_ods(path: str) -> list[Sheet]:
    """Read all sheets of a document, as calamine gives them.

    Parameters
    ----------
    path : str
        A file checked by `qbase.intake.reading.file_safety.check_archive`.

    Returns
    -------
    list of Sheet

    Raises
    ------
    Refused
        Its XML is broken or declares a document type, or it is absurdly large.
    """
    book = _open_ods(path)
    sheets = []
    for position, meta in enumerate(book.sheets_metadata):
        sheet = Sheet(name=meta.name)
        sheet.note("ods_limited")
        if meta.visible != python_calamine.SheetVisibleEnum.Visible:
            sheet.note("hidden_sheet")
        for i, row in enumerate(book.get_sheet_by_index(position).to_python(skip_empty_area=False)):
            for j, value in enumerate(row):
                if value != "":
                    text, code = _plain(value)
                    is_number = isinstance(value, float) and not code
                    sheet.store(i, j, text, "number" if is_number else code, is_fatal=bool(code))
        sheets.append(sheet)
    return sheets


def _open_ods(path: str) -> python_calamine.CalamineWorkbook:
    """Open a document; one that calamine refuses is given to it again without white space that means nothing."""
    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.PasswordError:
        raise
    except python_calamine.CalamineError:
        try:
            return python_calamine.CalamineWorkbook.from_filelike(tighten_document(path))
        except (python_calamine.CalamineError, KeyError):
            pass  # white space was not the cause: the first refusal says what is wrong
        raise


def _plain(value: object) -> tuple[str, str]:
    """Return a finished value of calamine as text, and what is wrong with it."""
    if isinstance(value, bool):
        return str(value).upper(), ""
    if isinstance(value, float | int):
        if abs(value) >= EXACT:
            return repr(value), "long_number"
        return str(int(value)) if float(value).is_integer() else repr(value), ""
    if isinstance(value, datetime.datetime):
        return value.isoformat().removesuffix("T00:00:00"), ""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat(), ""
    return str(value), ""


def tighten_document(path: str) -> io.BytesIO:
    """Return a copy of an OpenDocument file without white space, remarks and instructions outside its paragraphs.

    Parameters
    ----------
    path : str
        A file checked by `qbase.intake.reading.file_safety.check_archive`.

    Returns
    -------
    BytesIO
        At its start. Every other byte of the document is as it was.

    Raises
    ------
    Refused
        Its XML is broken or declares a document type.
    KeyError
        It has no content.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as tight:
        content = archive.read(CONTENT)
        for name in dict.fromkeys(archive.namelist()):
            if name == CONTENT:
                with tight.open(name, "w", force_zip64=True) as file:
                    _Tightener(content, file).run()
            elif name == "mimetype" or name.startswith("META-INF/"):
                tight.writestr(name, archive.read(name))
    copy.seek(0)
    return copy


class _Tightener:
    """Copies XML and leaves out what stands between elements and is blank."""

    def __init__(self, content: bytes, file: IO[bytes]) -> None:
        self.content, self.file = memoryview(content), file
        self.copied = self.depth = 0  # bytes dealt with; paragraphs within paragraphs
        self.blank_from, self.is_blank = -1, True
        self.parser = build_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.CommentHandler = lambda _: self._text("")
        self.parser.ProcessingInstructionHandler = lambda *_: self._text("")
        self.parser.StartCdataSectionHandler = lambda: self._text("<![CDATA[")

    def run(self) -> None:
        """Copy it all.

        Raises
        ------
        Refused
            It is broken, or declares a document type.
        """
        try:
            self.parser.Parse(self.content, True)
        except expat.ExpatError as error:
            raise Refused("broken", f"{CONTENT}: {error}") from None
        self.file.write(self.content[self.copied :])

    def _start(self, tag: str, _: dict[str, str]) -> None:
        self._close_gap()
        self.depth += tag in _PARAGRAPHS

    def _end(self, tag: str) -> None:
        self._close_gap()
        self.depth -= tag in _PARAGRAPHS

    def _text(self, text: str) -> None:
        if self.depth:
            return
        if self.blank_from < 0:
            self.blank_from, self.is_blank = self.parser.CurrentByteIndex, True
        self.is_blank &= not text.strip(" \t\r\n")

    def _close_gap(self) -> None:
        """Leave out what stands between the element before and this one, where it is blank."""
        if self.blank_from >= 0 and self.is_blank:
            self.file.write(self.content[self.copied : self.blank_from])
            self.copied = self.parser.CurrentByteIndex
        self.blank_from = -1
