"""A form as a Word document: real headings, header rows, alternatives of figures; the same bytes each time."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from typing import Any

from qbase.export.inert_workbook import clean_times
from qbase.reports.forms.form_parts import (
    Block,
    Box,
    Drawing,
    Form,
    Grid,
    Heading,
    Keys,
    Listing,
    Pairs,
    Paragraph,
    Runs,
)
from qbase.reports.forms.form_words import ANNEX, DRAWINGS, HOW, say_origin
from qbase.reports.forms.pdf_form import draw_png

WESTERN, CHINESE = "Calibri", "Microsoft YaHei"
WIDTH_CM = 15.5


def write_word(form: Form) -> bytes:
    """Return a form as a Word document.

    Parameters
    ----------
    form : Form
        Of a page that passed verification.

    Returns
    -------
    bytes
        The same form gives the same bytes. Figures are pictures where ``qbase[pdf]`` is installed; elsewhere the
        numbers drawn stand in their place, and the document says so.

    Examples
    --------
    >>> import io
    >>> import docx
    >>> from qbase.reports.forms.form_parts import Form, Paragraph, Run
    >>> from qbase.reports.forms.word_form import write_word
    >>> brief = (Paragraph(runs=(Run(text="cannot tell", bold=True),), style="lead"),)
    >>> rest = {"report_id": "trends", "run_id": "20261130T080000-0a1b2c", "day": "2026-11-30", "body": (), "annex": ()}
    >>> form = Form(lang="en", title="Trends", mark="Internal", facts=(), brief=brief, **rest)
    >>> [p.text for p in docx.Document(io.BytesIO(write_word(form))).paragraphs]
    ['Internal', 'Trends', '', 'cannot tell']
    """
    return _Writer(form).write()


class _Writer:
    def __init__(self, form: Form) -> None:
        import docx

        self.form = form
        self.document: Any = docx.Document()
        self._settle()

    def write(self) -> bytes:
        form, document = self.form, self.document
        document.add_paragraph(form.mark).runs[0].bold = True
        document.add_paragraph(form.title, style="Title")
        self._small(" · ".join(form.facts))
        for block in form.brief:
            self._add(block)
        for block in form.body:
            self._add(block)
        if form.annex:
            document.add_heading(ANNEX[form.lang], level=1)
        for block in form.annex:
            self._add(block)
        buffer = io.BytesIO()
        document.save(buffer)
        return clean_times(buffer.getvalue(), form.day)

    def _settle(self) -> None:
        """Set what the document is: language, fonts, who may read it; no machine and no person."""
        from docx.oxml.ns import qn

        form, document = self.form, self.document
        told = document.core_properties
        told.title, told.author, told.last_modified_by, told.comments = form.title, "qbase", "qbase", ""
        told.subject, told.keywords = form.mark, f"{form.report_id} {form.run_id}"
        told.language = "zh-CN" if form.lang == "zh" else "en-GB"
        told.created = told.modified = datetime.datetime.fromisoformat(form.day).replace(tzinfo=datetime.UTC)
        told.revision = 1
        for name in ("Normal", "Title", "Heading 1", "Heading 2", "Heading 3", "List Bullet", "List Number"):
            fonts = document.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
            for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
                fonts.attrib.pop(qn(f"w:{theme}"), None)
            for kind in ("ascii", "hAnsi"):
                fonts.set(qn(f"w:{kind}"), WESTERN)
            fonts.set(qn("w:eastAsia"), CHINESE)
        self._speak(document.styles["Normal"].element.get_or_add_rPr(), told.language)
        section = document.sections[0]
        section.header.paragraphs[0].text = form.mark
        section.footer.paragraphs[0].text = say_origin(form)

    @staticmethod
    def _speak(properties: Any, language: str) -> None:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        spoken = OxmlElement("w:lang")
        spoken.set(qn("w:val"), language)
        spoken.set(qn("w:eastAsia"), "zh-CN")
        properties.append(spoken)

    def _small(self, text: str) -> None:
        from docx.shared import Pt

        run = self.document.add_paragraph().add_run(text)
        run.font.size = Pt(8.5)

    def _runs(self, runs: Runs, style: str | None = None, *, bold: bool = False) -> Any:
        paragraph = self.document.add_paragraph(style=style)
        for run in runs:
            paragraph.add_run(run.text).bold = run.bold or bold
        return paragraph

    def _add(self, block: Block) -> None:
        document = self.document
        if isinstance(block, Heading):
            document.add_heading(block.text, level=max(block.level - 1, 1))
        elif isinstance(block, Paragraph):
            style = "Intense Quote" if block.style == "lead" else None
            self._runs(block.runs, style, bold=block.style == "verdict")
        elif isinstance(block, Listing):
            self._list(block)
        elif isinstance(block, Pairs):
            for term, said in block.items:
                paragraph = document.add_paragraph()
                paragraph.add_run(f"{term}  ").bold = True
                paragraph.add_run(said)
        elif isinstance(block, Keys):
            rows = [(key.label, key.value, key.interval, " · ".join((key.change, *key.chips))) for key in block.items]
            self._table((), rows)
        elif isinstance(block, Box):
            for inner in block.blocks:
                self._add(inner)
        elif isinstance(block, Drawing):
            self._figure(block)
        else:
            self._grid(block)

    def _list(self, block: Listing) -> None:
        # numbered by hand: lists of one style go on counting from the list before
        for i, item in enumerate(block.items, start=1):
            paragraph = self._runs(item, None if block.numbered else "List Bullet")
            if block.numbered:
                paragraph.runs[0].text = f"{i}. {paragraph.runs[0].text}"

    def _figure(self, block: Drawing) -> None:
        from docx.shared import Cm

        title = self.document.add_paragraph()
        title.add_run(f"{block.number}  ")
        title.add_run(block.title).bold = True
        title.paragraph_format.keep_with_next = True
        self._small(block.subtitle)
        picture = draw_png(block.svg) if block.svg else None
        if picture is not None:
            shape = self.document.add_picture(io.BytesIO(picture), width=Cm(WIDTH_CM))
            about = shape._inline.docPr
            about.set("descr", block.alt)
            about.set("name", block.number)
        self._small(f"{HOW[self.form.lang]}  {block.how}")
        self._small(block.note)
        if picture is None:
            self._small(f"{DRAWINGS[self.form.lang]} {block.alt}")
            self._grid(block.grid)

    def _grid(self, grid: Grid) -> None:
        if grid.title:
            title = self.document.add_paragraph()
            title.add_run(grid.title).bold = True
            title.paragraph_format.keep_with_next = True
        if grid.labels:
            self._table(grid.labels, grid.rows, grid.numeric)
        self._small(grid.note)

    def _table(self, labels: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.oxml import OxmlElement
        from docx.shared import Pt

        lines = [*([labels] if labels else ()), *rows]
        if not lines:
            return
        table = self.document.add_table(rows=len(lines), cols=len(lines[0]))
        table.style = "Table Grid"
        # a table hands out its cells one by one by counting all of them anew
        cells = table._cells
        for i, line in enumerate(lines):
            for j, text in enumerate(line):
                paragraph = cells[i * len(line) + j].paragraphs[0]
                run = paragraph.add_run(text)
                run.font.size = Pt(8.5)
                run.bold = bool(labels) and i == 0
                if j < len(numeric) and numeric[j]:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        if labels:
            table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        self.document.add_paragraph()
