"""A finished page becomes a form: its first page, its sections and its annex, in one language."""

from __future__ import annotations

from collections.abc import Iterator

from qbase.core.errors import Lang
from qbase.release.verifying.page_reading import Element, Page, read_page
from qbase.reports.forms.form_parts import Block, Drawing, Form, Paragraph
from qbase.reports.forms.page_walk import read_blocks, read_words


def read_form(source: str, lang: Lang, *, day: str) -> Form:
    """Read a page as a form.

    Whatever a form shows the page shows: nothing is computed, and what the page does not show cannot get into a form.

    Parameters
    ----------
    source : str
        HTML of a finished report that passed verification.
    lang : {"zh", "en"}
        Which of its languages.
    day : str
        Day of the run, ISO.

    Returns
    -------
    Form

    Examples
    --------
    >>> from qbase.reports.forms.form_reading import read_form
    >>> mark = '<p class="kick"><span class="zh">内部资料</span><span class="en">Internal</span></p>'
    >>> head = '<section class="title">' + mark + '<h1><span class="zh">走势</span><span class="en">Trends</span></h1>'
    >>> lead = '<div class="bluf"><p class="zh">看不出升降。</p><p class="en">Cannot tell.</p></div></section>'
    >>> form = read_form(f'<body><main id="main">{head}{lead}</main></body>', "en", day="2026-11-30")
    >>> form.mark, form.title, [block.style for block in form.brief]
    ('Internal', 'Trends', ['lead'])
    """
    page = read_page(source)
    main = page.body.find(lambda e: e.tag == "main") or page.body
    top = next((e for e in main.elements if "title" in e.classes), Element("section", {}))
    return Form(
        lang=lang,
        title=_first(top, "h1", lang),
        mark=_first(top, "kick", lang),
        facts=tuple(fact for fact in _facts(top, lang) if fact),
        report_id=page.meta("qbase-report"),
        run_id=page.meta("qbase-run"),
        day=day,
        brief=tuple(_brief(page, main, top, lang)),
        body=tuple(_sections(page, main, lang)),
        annex=tuple(_annex(page, main, lang)),
    )


def _first(element: Element, name: str, lang: Lang) -> str:
    found = element.find(lambda e: e.tag == name or name in e.classes)
    if found is None:
        return ""
    # beside who may read it stand marks such as “fictional province”
    return " · ".join(filter(None, (read_words(_without_chips(found), lang), *_chips(found, lang))))


def _without_chips(element: Element) -> Element:
    kept = [c for c in element.children if isinstance(c, str) or "chip" not in c.classes]
    return Element(element.tag, element.attributes, children=kept)


def _chips(element: Element, lang: Lang) -> list[str]:
    return [read_words(chip, lang) for chip in element.elements if "chip" in chip.classes]


def _facts(top: Element, lang: Lang) -> Iterator[str]:
    meta = top.find(lambda e: e.tag == "p" and "meta" in e.classes)
    for fact in meta.elements if meta else ():
        words, code = read_words(fact, lang), fact.find(lambda e: e.tag == "code")
        value = read_words(code, lang) if code else ""
        yield f"{words.removesuffix(value).strip()} {value}" if value else words


def _brief(page: Page, main: Element, top: Element, lang: Lang) -> Iterator[Block]:
    """Yield the first page: question, lead, key indicators, findings, decision, reminders, and last its figures."""
    head = list(_below_head(page, top, lang))
    keys = [b for e in _overviews(main) for b in read_blocks(page, e, lang)]
    first = next((i + 1 for i, b in enumerate(head) if isinstance(b, Paragraph) and b.style == "lead"), 0)
    first += sum(isinstance(b, Paragraph) and b.style == "grade" for b in head[first : first + 1])
    rest = head[first:]
    yield from head[:first]
    yield from keys
    yield from (b for b in rest if not isinstance(b, Drawing))
    yield from (b for b in rest if isinstance(b, Drawing))


def _below_head(page: Page, top: Element, lang: Lang) -> Iterator[Block]:
    for element in top.elements:
        if element.tag == "h1" or {"kick", "meta"}.intersection(element.classes):
            continue
        yield from read_blocks(page, Element("div", {}, children=[element]), lang)


def _overviews(main: Element) -> list[Element]:
    return [e for e in main.elements if e.attributes.get("id") == "overview"]


def _sections(page: Page, main: Element, lang: Lang) -> Iterator[Block]:
    for element in main.elements:
        if element.tag == "section" and "title" not in element.classes and element.attributes.get("id") != "overview":
            yield from read_blocks(page, element, lang)


def _annex(page: Page, main: Element, lang: Lang) -> Iterator[Block]:
    for details in (e for e in main.elements if "annex" in e.classes):
        for element in details.elements:
            if element.tag != "section":
                continue
            blocks = list(read_blocks(page, element, lang))
            is_last = element.attributes.get("id") == "origin" and isinstance(blocks[-1], Paragraph)
            # that the file opens offline and holds no script is said of the page
            yield from blocks[:-1] if is_last else blocks
