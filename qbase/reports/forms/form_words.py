"""The few words that forms say of their own, in both languages."""

from __future__ import annotations

from qbase.core.text import Text
from qbase.reports.forms.form_parts import Form

HOW = Text("怎么看", "How to read")
ANNEX = Text("附录", "Annex")
CONTENTS = Text("目录", "Contents")
COVER = Text("封面", "Cover")
NOTES = Text("说明", "Notes")
TABLE = Text("表", "Table")
SHEET = Text("工作表", "Sheet")
DATA = Text("数据版本", "Data")
RUN = Text("运行", "Run")
COLON = Text("：", ": ")
ALT = Text("图的文字说明", "The figure in words")
DRAWINGS = Text("图在网页版中；此处列出图上的数字。", "The drawings are in the page; the numbers drawn stand here.")


def say_origin(form: Form) -> str:
    """Return what tells a form from every other: mark, day, data version and run.

    Parameters
    ----------
    form : Form
        Of a page.

    Returns
    -------
    str
        One line, as `data` and `run` are named on the page.

    Examples
    --------
    >>> from qbase.reports.forms.form_parts import Form
    >>> from qbase.reports.forms.form_words import say_origin
    >>> rest = dict.fromkeys(("brief", "body", "annex"), ())
    >>> known = {"report_id": "trends", "run_id": "20261130T080000-0a1b2c3d4e", "day": "2026-11-30"}
    >>> say_origin(Form(lang="en", title="Trends", mark="Internal", facts=("1 May", "Data S0003"), **known, **rest))
    'Internal · 2026-11-30 · Data S0003 · Run 20261130T080000-0a1b'
    """
    versions = [fact for fact in form.facts if fact.startswith(DATA[form.lang])]
    run = f"{RUN[form.lang]} {form.short_run}" if form.run_id else ""
    return " · ".join(filter(None, (form.mark, form.day, *versions[:1], run)))
