"""The tables of a form as a workbook: cover, contents, notes, then one table a sheet; no cell can become a formula."""

from __future__ import annotations

import decimal
import re

import pandas as pd

from qbase.export import write_xlsx
from qbase.reports.forms.form_parts import Box, Form, Grid, Listing, Paragraph, plain
from qbase.reports.forms.form_words import CONTENTS, COVER, NOTES, SHEET, TABLE, say_origin

_NUMBER = re.compile(r"[−+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
MOST_DIGITS = 15


def write_workbook(form: Form) -> bytes:
    """Return the tables of a form, and the numbers behind its figures, as a workbook.

    Parameters
    ----------
    form : Form
        Of a page that passed verification.

    Returns
    -------
    bytes
        The same form gives the same bytes.

    Examples
    --------
    >>> import io
    >>> import openpyxl
    >>> from qbase.reports.forms.form_parts import Form, Grid
    >>> from qbase.reports.forms.workbook_form import write_workbook
    >>> labels, rows = ("cluster", "rate (%)"), (("=K003", "81.80"), ("K007", "…"))
    >>> grid = Grid(name="rates", number="Table 1", caption="Rates", labels=labels, numeric=(False, True), rows=rows)
    >>> rest = {"report_id": "trends", "run_id": "20261130T080000-0a1b2c", "day": "2026-11-30", "annex": ()}
    >>> form = Form(lang="en", title="Trends", mark="Internal", facts=(), brief=(), body=(grid,), **rest)
    >>> book = openpyxl.load_workbook(io.BytesIO(write_workbook(form)))
    >>> book.sheetnames, list(book["Table 1"].values)[-2:]
    (['Cover', 'Contents', 'Notes', 'Table 1'], [('=K003', 81.8), ('K007', '…')])
    """
    lang, tables = form.lang, _named(form)
    sheets = {
        COVER[lang]: _lines(form.mark, [form.title, *form.facts, say_origin(form)]),
        CONTENTS[lang]: pd.DataFrame(
            {SHEET[lang]: list(tables), TABLE[lang]: [grid.caption or grid.title for grid in tables.values()]}
        ),
        NOTES[lang]: _lines(NOTES[lang], _said(form)),
        **{name: _frame(grid) for name, grid in tables.items()},
    }
    above = {name: [grid.title, *filter(None, (grid.note, say_origin(form)))] for name, grid in tables.items()}
    return write_xlsx(sheets, above=above)


def _lines(head: str, lines: list[str]) -> pd.DataFrame:
    return pd.DataFrame({head: [line for line in lines if line]})


def _said(form: Form) -> list[str]:
    """Return what the first page says: no table is read without it."""
    lines: list[str] = []
    for block in form.brief:
        inner = block.blocks if isinstance(block, Box) else (block,)
        lines += [plain(b.runs) for b in inner if isinstance(b, Paragraph)]
        lines += [plain(item) for b in inner if isinstance(b, Listing) for item in b.items]
    return lines


def _named(form: Form) -> dict[str, Grid]:
    """Return the tables by the names of their sheets: their number on the page, or a number of their own."""
    tables: dict[str, Grid] = {}
    taken = {name[form.lang].lower() for name in (COVER, CONTENTS, NOTES)}
    for grid in form.grids():
        if not grid.labels:
            continue
        base = re.sub(r"[\[\]:*?/\\']", " ", grid.number or grid.caption).strip()[:24] or TABLE[form.lang]
        names = (base if i == 1 else f"{base} ({i})" for i in range(1, len(taken) + 2))
        name = next(name for name in names if name.lower() not in taken)
        taken.add(name.lower())
        tables[name] = grid
    return tables


def _frame(grid: Grid) -> pd.DataFrame:
    """Return a table; a column of numbers holds numbers, with the decimals that the page shows."""
    columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.labels)
    cells = {
        i: [_number(cell) if is_numeric else cell for cell in column]
        for i, (column, is_numeric) in enumerate(zip(columns, grid.numeric, strict=True))
    }
    frame = pd.DataFrame(cells, dtype=object)
    frame.columns = pd.Index(grid.labels)
    return frame


def _number(cell: str) -> decimal.Decimal | str:
    if not _NUMBER.fullmatch(cell) or sum(c.isdigit() for c in cell) > MOST_DIGITS:
        return cell
    return decimal.Decimal(cell.replace(",", "").replace("−", "-"))
