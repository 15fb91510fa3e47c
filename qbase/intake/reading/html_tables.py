"""Tables of web pages, also of those that office systems name .xls or pack into one file (MHT)."""

from __future__ import annotations

import email
import email.policy
import html.parser
import re
from collections.abc import Iterator, Sequence

from qbase.core.errors import DataError
from qbase.intake.reading.encoding import decode_text
from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.values.marked_text import LOWERED, PLAIN, RAISED, STRUCK, Piece, join_pieces

MAX_SPAN = 1000  # what browsers allow
MAX_DEPTH = 50
HEAD = 4096
_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_CHINESE = ("gb2312", "gbk", "gb_2312-80", "x-gbk", "gb18030")
_MARKS = {"sup": RAISED, "sub": LOWERED, "s": STRUCK, "strike": STRUCK, "del": STRUCK}
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def read_html(data: bytes) -> list[Sheet]:
    """Read the tables of a web page: what the page shows, cell by cell.

    Parameters
    ----------
    data : bytes
        The page. The encoding it declares holds where it can; else it has to be proved as for any text.

    Returns
    -------
    list of Sheet
        One per table with rows, also of tables within tables; without a name where there is one only.

    Raises
    ------
    Refused
        It cannot be decoded, or has no table.
    """
    reader = _Tables()
    reader.feed(_decode(data))
    reader.close()
    sheets = [table.sheet for table in reader.found if table.sheet.rows]
    if not sheets:
        raise Refused("no_table", "0 <table>")
    for sheet in sheets:
        sheet.note("counted_once")
    return _numbered(sheets)


def read_mht(data: bytes) -> list[Sheet]:
    """Read the tables of a web page that was saved with all its parts in one file.

    Raises
    ------
    Refused
        No part of it is a page with a table.
    """
    sheets: list[Sheet] = []
    for page in _pages(data):
        try:
            found = read_html(page)
        except Refused as refused:
            if refused.why != "no_table":
                raise
            continue  # the frame around the pages of a workbook
        sheets += found
    if not sheets:
        raise Refused("no_table", "0 <table>")
    return _numbered(sheets)


def _numbered(sheets: list[Sheet]) -> list[Sheet]:
    """Name sheets by their place, where there are several."""
    for i, sheet in enumerate(sheets, 1):
        sheet.name = "" if len(sheets) == 1 else f"表{i}"
    return sheets


def _pages(data: bytes) -> Iterator[bytes]:
    for part in email.message_from_bytes(data, policy=email.policy.compat32).walk():
        if part.get_content_type() == "text/html":
            page = part.get_payload(decode=True)
            charset = part.get_content_charset()
            if isinstance(page, bytes):
                said = (
                    b"" if charset is None or _CHARSET.search(page[:HEAD]) else f'<meta charset="{charset}">'.encode()
                )
                yield said + page


def _decode(data: bytes) -> str:
    match = _CHARSET.search(data[:HEAD])
    said = match[1].decode().lower() if match else ""
    said = "gb18030" if said in _CHINESE else said
    is_marked = data[:2] in (b"\xff\xfe", b"\xfe\xff") or data.startswith(b"\xef\xbb\xbf")
    try:
        return decode_text(data, "" if is_marked or said.startswith("utf-16") else said)[0].decode()
    except (DataError, LookupError) as error:
        raise Refused("broken", str(getattr(error, "found", error))) from None


class _Table:
    """One table while it is read."""

    def __init__(self) -> None:
        self.sheet = Sheet(name="")
        self.row = -1
        self.column = 0
        self.taken: dict[int, int] = {}  # column -> last row that a cell above reaches
        self.pieces: list[Piece] | None = None
        self.marks: list[str] = []
        self.spans = (1, 1)

    def open_row(self, attributes: dict[str, str]) -> None:
        self.close_cell()
        self.row, self.column = self.row + 1, 0
        if _HIDDEN.search(attributes.get("style", "")):
            self.sheet.note("hidden_rows")

    def open_cell(self, attributes: dict[str, str]) -> None:
        self.close_cell()
        if self.row < 0:
            self.row = 0
        while self.taken.get(self.column, -1) >= self.row:
            self.column += 1
        self.pieces, self.marks = [], []
        self.spans = (_span(attributes.get("rowspan")), _span(attributes.get("colspan")))

    def close_cell(self) -> None:
        if self.pieces is None:
            return
        text, code = join_pieces(self.pieces)
        height, width = self.spans
        plain = " ".join(text.split())
        if plain:
            self.sheet.store(self.row, self.column, plain, code)
        if height > 1 or width > 1:
            self.sheet.note("merged_cells")
            self.sheet.merges.append((self.row, self.column, self.row + height - 1, self.column + width - 1))
        for column in range(self.column, self.column + width):
            self.taken[column] = self.row + height - 1
        self.column += width
        self.pieces = None


def _span(text: str | None) -> int:
    return min(max(int(text), 1), MAX_SPAN) if text and text.isascii() and text.isdigit() else 1


class _Tables(html.parser.HTMLParser):
    """Handlers for a page; what stands outside cells is no data."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[_Table] = []
        self.open: list[_Table] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._open_table()
        elif not self.open:
            return
        elif tag == "tr":
            self.open[-1].open_row(attributes)
        elif tag in ("td", "th"):
            self.open[-1].open_cell(attributes)
        elif tag in ("br", "p", "div"):
            self.handle_data(" ")
        elif tag in _MARKS:
            self.open[-1].marks.append(tag)

    def _open_table(self) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise Refused("broken", f"> {MAX_DEPTH} <table>")
        self.found.append(_Table())
        self.open.append(self.found[-1])

    def handle_endtag(self, tag: str) -> None:
        if not self.open:
            return
        table = self.open[-1]
        if tag == "table":
            table.close_cell()
            self.open.pop()
        elif tag in ("td", "th", "tr"):
            table.close_cell()
        elif tag in table.marks:
            table.marks.remove(tag)

    def handle_data(self, data: str) -> None:
        table = self.open[-1] if self.open else None
        if table is not None and table.pieces is not None:
            table.pieces.append((data, _MARKS[table.marks[-1]] if table.marks else PLAIN))

    def close(self) -> None:
        super().close()
        for table in self.open:
            table.close_cell()
