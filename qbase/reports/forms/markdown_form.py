"""A form as plain Markdown: words and tables, the numbers of a figure in place of its drawing."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
from qbase.reports.forms.form_words import ALT, ANNEX, COLON, HOW, say_origin

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$])")
_STOPS = "：:。.，,；;、）)”"
_BEGIN = re.compile(r"^(\s*)([#+\-=]|\d+(?=[.)]\s))")


def write_markdown(form: Form) -> str:
    r"""Return a form as Markdown with pipe tables.

    Parameters
    ----------
    form : Form
        Of a page that passed verification.

    Returns
    -------
    str
        Who may read it stands in the first line.

    Examples
    --------
    >>> from qbase.reports.forms.form_parts import Form, Heading, Paragraph, Run
    >>> from qbase.reports.forms.markdown_form import write_markdown
    >>> brief = (Paragraph(runs=(Run(text="cannot tell", bold=True), Run(text=", n = 42 *")), style="lead"),)
    >>> rest = {"report_id": "trends", "run_id": "20261130T080000-0a1b2c", "day": "2026-11-30", "body": (), "annex": ()}
    >>> form = Form(lang="en", title="Trends", mark="Internal", facts=("Data S0003",), brief=brief, **rest)
    >>> print(write_markdown(form))
    *Internal · 2026-11-30 · Data S0003 · Run 20261130T080000-0a1b*
    <BLANKLINE>
    # Trends
    <BLANKLINE>
    Data S0003
    <BLANKLINE>
    > **cannot tell**, n = 42 \*
    <BLANKLINE>
    """
    parts = [f"*{plain_words(say_origin(form))}*", f"# {plain_words(form.title)}", plain_words(" · ".join(form.facts))]
    for block in (*form.brief, *form.body):
        parts += _block(block, form)
    if form.annex:
        parts += ["---", f"*{ANNEX[form.lang]}*"]
    for block in form.annex:
        parts += _block(block, form)
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def plain_words(text: str) -> str:
    r"""Return a text in which nothing is a mark of Markdown.

    >>> print(plain_words("1. a*b|c_d"))
    1\. a\*b\|c\_d
    """
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    begun = _BEGIN.match(escaped)
    if not begun:
        return escaped
    place = begun.end() if begun[2].isdigit() else begun.start(2)
    return f"{escaped[:place]}\\{escaped[place:]}"


def _words(runs: Runs) -> str:
    made = []
    for i, run in enumerate(runs):
        text = plain_words(run.text) if i == 0 else _SPECIAL.sub(r"\\\1", run.text)
        lead = run.text[: len(run.text) - len(run.text.lstrip())] if i == 0 else ""
        made.append(_bold(text) if run.bold and text.strip() else lead + _kept(text, run.text))
    return "".join(made).strip()


def _bold(text: str) -> str:
    """Return a text in bold: a mark that ends bold and stands between a stop and a Chinese character is none."""
    body = text.strip().rstrip(_STOPS)
    rest = text.strip()[len(body) :]
    return f"**{body}**{rest}" if body else rest


def _kept(text: str, before: str) -> str:
    """Return a text with the blank at its end that making it plain took away."""
    return text + " " if before.endswith(" ") and not text.endswith(" ") else text


def _block(block: Block, form: Form) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{'#' * block.level} {plain_words(block.text)}"
    elif isinstance(block, Paragraph):
        yield ("> " if block.style == "lead" else "") + _words(block.runs)
    elif isinstance(block, Listing):
        marks = (f"{i}." if block.numbered else "-" for i in range(1, len(block.items) + 1))
        yield "\n".join(f"{mark} {_words(item)}" for mark, item in zip(marks, block.items, strict=True))
    elif isinstance(block, Pairs):
        yield "\n".join(f"- **{plain_words(term)}** {plain_words(said)}" for term, said in block.items)
    elif isinstance(block, Keys):
        yield "\n".join(
            f"- **{plain_words(key.label)}**{COLON[form.lang]}**{plain_words(key.value)}**"
            + "".join(f" · {plain_words(part)}" for part in (key.interval, key.change, *key.chips) if part)
            for key in block.items
        )
    elif isinstance(block, Box):
        for inner in block.blocks:
            yield from _block(inner, form)
    elif isinstance(block, Drawing):
        yield f"**{plain_words(block.number)}  {plain_words(block.title)}**"
        yield from map(plain_words, (block.subtitle, ALT[form.lang] + COLON[form.lang] + block.alt))
        yield f"**{HOW[form.lang]}** {plain_words(block.how)}"
        yield plain_words(block.note)
        yield from _table(block.grid)
    else:
        yield from _table(block)


def _table(grid: Grid) -> Iterator[str]:
    if grid.title:
        yield f"**{plain_words(grid.title)}**"
    if grid.labels:
        rule = ["---:" if is_numeric else "---" for is_numeric in grid.numeric]
        rows = [grid.labels, *grid.rows]
        lines = [[_cell(cell) for cell in row] for row in rows]
        lines.insert(1, rule)
        yield "\n".join("| " + " | ".join(line) + " |" for line in lines)
    yield plain_words(grid.note)


def _cell(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
