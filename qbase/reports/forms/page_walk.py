"""The parts of a page in one language: what a reader sees, without code, switches and links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qbase.core.errors import Lang
from qbase.release.verifying.page_reading import Element, Page
from qbase.release.verifying.shown_bundles import read_figure, read_table, read_tiles
from qbase.reports.forms.form_parts import (
    Block,
    Box,
    Drawing,
    Grid,
    Heading,
    Key,
    Keys,
    Listing,
    Pairs,
    Paragraph,
    Run,
    Runs,
    Style,
)

LEFT_OUT = frozenset({"code", "acts", "ev", "spark", "goal"})
STYLES: dict[str, Style] = {"verdict": "verdict", "note": "note", "evl": "grade", "left-out": "note"}
HEADINGS = {"h2": 2, "h3": 3, "h4": 4, "h5": 4, "h6": 4}
BEFORE_UNIT = re.compile("[A-Za-z]")
GRADED = {"zh": "（{}）", "en": " ({})"}
_BOTH = re.compile(r"^(?P<zh>.*[\u4e00-\u9fff].*?)\s*/\s+(?P<en>[^\u4e00-\u9fff]*[A-Za-z]{3}[^\u4e00-\u9fff]*)$")
_SPACES = re.compile(r"\s+")


def read_runs(element: Element, lang: Lang, *, bold: bool = False) -> Runs:
    """Return the text of an element in one language, as runs.

    Parameters
    ----------
    element : Element
        Of a page.
    lang : {"zh", "en"}
        What is marked as the other language is left out.
    bold : bool
        Whether it stands in something bold.
    """
    return _joined(_runs(element, lang, bold, "nb" in element.classes))


def _runs(element: Element, lang: Lang, bold: bool, together: bool) -> Iterator[Run]:
    for child in element.children:
        if isinstance(child, str):
            yield Run(text=_SPACES.sub(" ", child), bold=bold, together=together)
        elif "evl" in child.classes:
            # in a list the strength of the evidence follows what it is said of
            words = read_words(child, lang)
            yield Run(text=GRADED[lang].format(words) if words else "")
        elif _is_read(child, lang) and child.tag not in {"a", "svg"}:
            heavy = bold or child.tag in {"b", "strong"}
            yield from _runs(child, lang, heavy, together or "nb" in child.classes)


def _joined(runs: Iterator[Run]) -> Runs:
    """Return runs without outer blanks, alike neighbours as one; two languages side by side keep one blank."""
    kept: list[Run] = []
    for run in runs:
        text = run.text.lstrip() if not kept or kept[-1].text.endswith(" ") else run.text
        if not text:
            continue
        if kept and (kept[-1].bold, kept[-1].together) == (run.bold, run.together) and not run.together:
            kept[-1] = Run(text=kept[-1].text + text, bold=run.bold)
        else:
            kept.append(Run(text=text, bold=run.bold, together=run.together))
    while kept and not kept[-1].text.rstrip():
        kept.pop()
    if kept:
        kept[-1] = Run(text=kept[-1].text.rstrip(), bold=kept[-1].bold, together=kept[-1].together)
    return tuple(kept)


def read_words(element: Element, lang: Lang) -> str:
    """Return the text of an element in one language."""
    return "".join(run.text for run in read_runs(element, lang))


def choose_half(text: str, lang: Lang) -> str:
    """Return a text without the other half of names that stand in both languages, as sources name who made them.

    >>> choose_half("来源：企业 · 云泽省（虚构）/ Yunze (fictional) · S0016。", "zh")
    '来源：企业 · 云泽省（虚构） · S0016。'
    """
    parts = (_BOTH.match(part) for part in text.split(" · "))
    halves = zip(parts, text.split(" · "), strict=True)
    return " · ".join(match[lang].strip() if match else part for match, part in halves)


def _is_read(element: Element, lang: Lang) -> bool:
    other = "en" if lang == "zh" else "zh"
    return not (other in element.classes or LEFT_OUT.intersection(element.classes) or element.tag == "nav")


def read_blocks(page: Page, element: Element, lang: Lang) -> Iterator[Block]:
    """Yield what stands inside an element as blocks, in order.

    Parameters
    ----------
    page : Page
        Whose element it is.
    element : Element
        A section, or a part of one.
    lang : {"zh", "en"}
        Which language.
    """
    for child in element.elements:
        if _is_read(child, lang):
            yield from _block(page, child, lang)


def _block(page: Page, element: Element, lang: Lang) -> Iterator[Block]:
    kind, tag = element.attributes.get("data-kind"), element.tag
    if kind == "table":
        yield _grid(element, lang)
    elif kind == "figure":
        yield _drawing(page, element, lang)
    elif kind == "tiles":
        yield _keys(page, element, lang)
    elif tag in HEADINGS:
        yield Heading(level=HEADINGS[tag], text=read_words(element, lang))
    elif "bluf" in element.classes:
        yield from _lead(page, element, lang)
    elif "decision" in element.classes or tag == "aside":
        named = "care" if tag == "aside" else "decision"
        yield Box(kind=named, blocks=tuple(read_blocks(page, element, lang)))  # type: ignore[arg-type]
    elif tag in {"ol", "ul"}:
        items = (read_runs(li, lang) for li in element.elements if _is_read(li, lang))
        yield Listing(items=tuple(item for item in items if item), numbered=tag == "ol")
    elif tag == "dl":
        yield _pairs(element, lang)
    elif tag == "table":
        yield _plain_table(element, lang)
    elif tag in {"p", "pre"}:
        yield from _paragraph(element, lang)
    elif tag == "img":
        yield Paragraph(runs=(Run(text=element.attributes.get("alt", "")),), style="note")
    else:
        yield from read_blocks(page, element, lang)


def _lead(page: Page, element: Element, lang: Lang) -> Iterator[Block]:
    for block in read_blocks(page, element, lang):
        is_lead = isinstance(block, Paragraph) and block.style == "text"
        yield Paragraph(runs=block.runs, style="lead") if is_lead and isinstance(block, Paragraph) else block


def _paragraph(element: Element, lang: Lang) -> Iterator[Block]:
    style: Style = next((STYLES[name] for name in element.classes if name in STYLES), "text")
    runs = read_runs(element, lang)
    if runs:
        yield Paragraph(runs=runs, style=style)


def _grid(root: Element, lang: Lang) -> Grid:
    payload = read_table(root)
    caption = root.find(lambda e: e.tag == "caption")
    number = caption.find(lambda e: "no" in e.classes) if caption else None
    return Grid(
        name=payload["name"],
        number=read_words(number, lang) if number else "",
        caption=payload["caption"][lang],
        labels=tuple(column["label"][lang] for column in payload["columns"]),
        numeric=tuple(column["numeric"] for column in payload["columns"]),
        rows=tuple(tuple(cell[lang] for cell in row) for row in payload["rows"]),
        note=choose_half(payload["note"][lang], lang) if payload["note"] else "",
    )


def _plain_table(root: Element, lang: Lang) -> Grid:
    """Return a table that is no bundle: the parameters, or what somebody wrote in words."""
    caption = root.find(lambda e: e.tag == "caption")
    rows = [tuple(read_words(cell, lang) for cell in row.elements) for row in root.tagged("tr")]
    width = max(map(len, rows), default=0)
    filled = [row + ("",) * (width - len(row)) for row in rows]
    return Grid(
        name="",
        number="",
        caption=read_words(caption, lang) if caption else "",
        labels=filled[0] if filled else (),
        numeric=(False,) * width,
        rows=tuple(filled[1:]),
    )


def _drawing(page: Page, root: Element, lang: Lang) -> Drawing:
    payload = read_figure(page, root)
    number = root.find(lambda e: "no" in e.classes)
    return Drawing(
        number=read_words(number, lang) if number else "",
        svg=payload["drawings"].get(f"{lang}_wide", ""),
        grid=_grid(root.having("data-kind", "table")[0], lang),
        how=payload["how_to_read"][lang],
        note=choose_half(payload["note"][lang], lang),
        **{name: payload[name][lang] for name in ("title", "subtitle", "alt")},
    )


def _keys(page: Page, root: Element, lang: Lang) -> Keys:
    items = read_tiles(page, root)["items"]
    return Keys(
        items=tuple(
            Key(
                label=item["label"][lang],
                value=_with_unit(item["value"], item["unit"][lang]),
                interval=item["interval"][lang],
                change=item["change"][lang],
                chips=tuple(chip[lang] for chip in item["chips"]),
            )
            for item in items
        )
    )


def _with_unit(value: str, unit: str) -> str:
    return f"{value} {unit}" if BEFORE_UNIT.match(unit) else value + unit


def _pairs(element: Element, lang: Lang) -> Pairs:
    terms = [(pair.tagged("dt"), pair.tagged("dd")) for pair in element.elements]
    words = ((read_words(t[0], lang), read_words(d[0], lang)) for t, d in terms if t and d)
    return Pairs(items=tuple((term, choose_half(said, lang)) for term, said in words))
