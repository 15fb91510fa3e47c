"""Small files as sound programs write them, drawn from the bytes of a fuzzer, together with the cells they hold.

What was written is known, so a reader that gives another value is wrong without a second opinion.
"""

from __future__ import annotations

import csv
import datetime
import html
import io
import math
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no writer of workbooks takes."""

Cell = str | float | bool | datetime.date | None
Cells = list[list[Cell]]

HEADS = ("抽样编号", "企业名称", "产品名称", "检验结果", "数量", "日期", "合格率（%）", "备注")
WORDS = (
    "合格", "不合格", "甲厂", "Müller", "a,b", 'say "x"', "two\nlines", "=1+1", "'0012", "0012", "－", "１２", " x ",
    "",
)  # fmt: skip
DAYS = (datetime.date(2024, 2, 29), datetime.date(1999, 12, 31), datetime.date(2021, 1, 1))
NUMBERS = (0.0, 1.0, -1.0, 0.1, 98.5, 1e-7, 123456789.0, 1234567890123456.0, 1e15, 2022.0)
FORMATS = ("General", "0", "0.00", "0%", "0.0%", "#,##0", "0.00E+00", "@")
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")


def draw_cells(source: Any) -> Cells:
    """Return a header and some rows of mixed cells.

    Two columns at least: in a text of one the separator never occurs and cannot be known, so that ``a,b`` is one cell
    to its writer and two to everybody else.
    """
    width = source.ConsumeIntInRange(2, len(HEADS))
    rows: Cells = [list(HEADS[:width])]
    for _ in range(source.ConsumeIntInRange(1, 12)):
        rows.append([_draw_cell(source) for _ in range(width)])
    return rows


def _draw_cell(source: Any) -> Cell:
    kind = source.ConsumeIntInRange(0, 7)
    if kind <= 1:
        return WORDS[source.ConsumeIntInRange(0, len(WORDS) - 1)]
    if kind == 2:
        return NO_XML.sub("", source.ConsumeUnicodeNoSurrogates(12))
    if kind == 3:
        return NUMBERS[source.ConsumeIntInRange(0, len(NUMBERS) - 1)]
    if kind == 4:
        number = source.ConsumeFloat()
        return number if math.isfinite(number) and 1e-9 < abs(number) < 1e14 else 5.0
    if kind == 5:
        return bool(source.ConsumeBool())
    return DAYS[source.ConsumeIntInRange(0, len(DAYS) - 1)] if kind == 6 else None


def make_csv(source: Any) -> tuple[bytes, Cells]:
    """Return a CSV of texts."""
    cells = [[_plain(cell) for cell in row] for row in draw_cells(source)]
    out = io.StringIO(newline="")
    separator, end = ",;\t|"[source.ConsumeIntInRange(0, 3)], ("\n", "\r\n")[source.ConsumeIntInRange(0, 1)]
    # Python's writer leaves a lone carriage return bare, where it ends a line for everybody else
    is_bare = any("\r" in str(cell) for row in cells for cell in row)
    quoting = csv.QUOTE_ALL if source.ConsumeBool() or is_bare else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(cells)
    encoding = ENCODINGS[source.ConsumeIntInRange(0, len(ENCODINGS) - 1)]
    return out.getvalue().encode(encoding), [list(row) for row in cells]


def make_xlsx(source: Any) -> tuple[bytes, Cells]:
    """Return a workbook of openpyxl with number formats."""
    cells, book = draw_cells(source), openpyxl.Workbook()
    for i, row in enumerate(cells, 1):
        for j, value in enumerate(row, 1):
            cell = book.active.cell(i, j)
            cell.value = value
            if isinstance(value, str) and value.startswith("="):
                cell.data_type = "s"
            if isinstance(value, float):
                cell.number_format = FORMATS[source.ConsumeIntInRange(0, len(FORMATS) - 1)]
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), cells


def make_ods(source: Any) -> tuple[bytes, Cells]:
    """Return a document with one table."""
    cells = draw_cells(source)
    rows = "".join("<table:table-row>" + "".join(map(_ods_cell, row)) + "</table:table-row>" for row in cells)
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="a">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return out.getvalue(), cells


def _ods_cell(cell: Cell) -> str:
    if cell is None or cell == "":
        return "<table:table-cell/>"
    shown = "".join(f"<text:p>{html.escape(line)}</text:p>" for line in _plain(cell).split("\n"))
    if isinstance(cell, bool):
        value = f'office:value-type="boolean" office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, float):
        value = f'office:value-type="float" office:value="{cell!r}"'
    elif isinstance(cell, datetime.date):
        value = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    else:
        value = 'office:value-type="string"'
    return f"<table:table-cell {value}>{shown}</table:table-cell>"


def make_html(source: Any) -> tuple[bytes, Cells]:
    """Return the HTML that office systems send under the name .xls."""
    cells = [[" ".join(_plain(cell).split()) for cell in row] for row in draw_cells(source)]
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    encoding = ENCODINGS[source.ConsumeIntInRange(0, 2)]
    head = f'<html><head><meta charset="{encoding.removesuffix("-sig")}"></head><body><table border=1>'
    return f"{head}{rows}</table></body></html>".encode(encoding, "ignore"), [list(row) for row in cells]


def make_spreadsheet_xml(source: Any) -> tuple[bytes, Cells]:
    """Return the XML of Excel 2003."""
    cells = draw_cells(source)
    rows = "".join("<Row>" + "".join(map(_xml_cell, row)) + "</Row>" for row in cells)
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    head = '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
    head += f'<Workbook xmlns="{space}" xmlns:ss="{space}">'
    return f'{head}<Worksheet ss:Name="a"><Table>{rows}</Table></Worksheet></Workbook>'.encode(), cells


def _xml_cell(cell: Cell) -> str:
    if cell is None or cell == "":
        return "<Cell/>"
    kind, text = "String", html.escape(_plain(cell)).replace("\n", "&#10;")
    if isinstance(cell, bool):
        kind, text = "Boolean", str(int(cell))
    elif isinstance(cell, float):
        kind, text = "Number", repr(cell)
    elif isinstance(cell, datetime.date):
        kind, text = "DateTime", f"{cell.isoformat()}T00:00:00.000"
    return f'<Cell><Data ss:Type="{kind}">{text}</Data></Cell>'


def make_tab_text(source: Any) -> tuple[bytes, Cells]:
    """Return the text with tabs that other systems send under the name .xls."""
    cells = [[" ".join(_plain(cell).replace('"', "").split()) for cell in row] for row in draw_cells(source)]
    encoding = ENCODINGS[source.ConsumeIntInRange(0, len(ENCODINGS) - 1)]
    text = "".join("\t".join(row) + "\r\n" for row in cells)
    return text.encode(encoding), [list(row) for row in cells]


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return cell.isoformat() if isinstance(cell, datetime.date) else cell


def differs(text: str, cell: Cell) -> bool:
    """Return whether the text a reader gives says something else than the cell that was written."""
    if isinstance(cell, bool):
        return text.upper() not in {str(cell).upper(), str(int(cell))}
    if isinstance(cell, float):
        return not _is_number(text, cell)
    if isinstance(cell, datetime.date):
        return not text.startswith(cell.isoformat())
    return _words(text) != _words(cell or "")


def _is_number(text: str, wanted: float) -> bool:
    shown = text.strip().replace(",", "")
    scale = 100.0 if shown.endswith("%") else 1.0
    try:
        return math.isclose(float(shown.rstrip("%")) / scale, wanted, rel_tol=1e-12)
    except ValueError:
        return False


def _words(text: str) -> str:
    """Return a text without what containers cannot keep: the kind of line end, and blanks at the ends."""
    return "\n".join(line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


MAKERS: dict[str, tuple[tuple[str, Callable[[Any], tuple[bytes, Cells]]], ...]] = {
    "csv": (("a.csv", make_csv),),
    "xlsx": (("a.xlsx", make_xlsx),),
    "ods": (("a.ods", make_ods),),
    "fake-xls": (("a.xls", make_html), ("a.xls", make_spreadsheet_xml), ("a.xls", make_tab_text)),
}
"""Format -> name of the file and maker."""
