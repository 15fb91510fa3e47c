"""A form as PDF, set by typst: tagged, PDF/UA-1, with the font of the house, the same bytes each time."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from qbase.core.errors import RunError, SetupError
from qbase.core.shown import fonts
from qbase.core.shown.palette import LIGHT
from qbase.release.verifying.page_glyphs import name_characters
from qbase.reports.forms.form_parts import Block, Box, Drawing, Form, Grid, Key, Keys
from qbase.reports.forms.form_words import ANNEX, HOW, say_origin
from qbase.reports.rendering.plain_fallbacks import use_light

TEMPLATE = pathlib.Path(__file__).with_name("form.typ")
STANDARD = "ua-1"
_TAG = re.compile(r"<[^>]*>")
# as the page sets words over lines: a rim in the colour of the ground; typst reads no sheet of a page around it
HALO = "paint-order:stroke;stroke:#ffffff;stroke-width:3px;stroke-linejoin:round;stroke-opacity:.85"


def write_pdf(form: Form) -> bytes:
    """Return a form as PDF.

    Parameters
    ----------
    form : Form
        Of a page that passed verification.

    Returns
    -------
    bytes
        Tagged, PDF/UA-1; the same form gives the same bytes.

    Raises
    ------
    SetupError
        The extra ``qbase[pdf]`` is not installed (QB882).
    RunError
        The font lacks a character (QB881), or the form does not hold as PDF/UA-1 (QB884).
    """
    check_characters(form)
    compiler, failure = _compiler()
    words = json.dumps(_data(form), ensure_ascii=False)
    moment = datetime.datetime.fromisoformat(form.day).replace(tzinfo=datetime.UTC)
    try:
        made = compiler.compile(
            # named with every form: bytes that a compiler was made with are gone after their first use
            input=TEMPLATE.read_bytes(),
            format="pdf",
            sys_inputs={"form": words},
            pdf_standards=[STANDARD],
            timestamp=int(moment.timestamp()),
        )
    except failure as error:
        raise RunError(
            "QB884",
            report=form.report_id,
            found=str(error).strip().splitlines()[0][:200],
            expected="PDF/UA-1",
            fix="qbase render … --to docx",
        ) from error
    return bytes(made)


def draw_png(svg: str, width: int = 1640) -> bytes | None:
    """Return a drawing as PNG where typst is installed, else None.

    Parameters
    ----------
    svg : str
        In the colours of the light theme or with those of the page.
    width : int
        In pixels.
    """
    try:
        compiler, _ = _compiler()
    except SetupError:
        return None
    source = (
        "#set page(width: 820pt, height: auto, margin: 4pt, fill: white)\n"
        '#image(bytes(sys.inputs.svg), format: "svg", width: 100%)'
    )
    made = compiler.compile(
        input=source.encode(), format="png", ppi=width / 820 * 72, sys_inputs={"svg": lighten_drawing(svg)}
    )
    return bytes(made[0] if isinstance(made, list) else made)


def lighten_drawing(svg: str) -> str:
    """Return a drawing that stands by itself: colours, font and the rim around words written into it."""
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    place = f' width="{size[1]}" height="{size[2]}"' if size else ""
    root = f'<svg xmlns="http://www.w3.org/2000/svg"{place} font-family="{fonts.FAMILY}"'
    return use_light(svg).replace("<svg", root, 1).replace('<text style="', f'<text style="{HALO};')


def check_characters(form: Form) -> None:
    """Refuse a form with characters that the font cannot draw: typst leaves them out without a word.

    Raises
    ------
    RunError
        It has such characters (QB881).
    """
    drawn = [_TAG.sub(" ", block.svg) for block in form.blocks if isinstance(block, Drawing)]
    missing = fonts.missing_glyphs("".join((*form.texts(), *drawn)))
    if missing:
        raise RunError(
            "QB881",
            report=form.report_id,
            found=name_characters(missing),
            expected=f"characters of {fonts.FAMILY}",
            fix="qbase render … --to docx        (Word takes such characters from the reader's own fonts)",
        )


@functools.cache
def _compiler() -> tuple[Any, type[Exception]]:
    try:
        import typst
    except ImportError as error:
        raise SetupError("QB882", found="no typst", expected="typst 0.15", fix="pip install 'qbase[pdf]'") from error
    known = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(fonts.font_file().parent)]
    )
    return typst.Compiler(font_paths=known), typst.TypstError


def _data(form: Form) -> dict[str, Any]:
    lang = form.lang
    return {
        "lang": lang,
        "region": "cn" if lang == "zh" else "gb",
        "font": fonts.FAMILY,
        "title": form.title,
        "mark": form.mark,
        "facts": " · ".join(form.facts),
        "foot": say_origin(form),
        "keywords": [form.report_id, form.run_id],
        "colours": LIGHT,
        "bullet": "·",
        "how": HOW[lang],
        "annexed": ANNEX[lang],
        # a figure of the first page follows on the second where words and key indicators need the whole of it
        "brief": [_plain(block) for block in form.brief if not isinstance(block, Drawing)],
        "body": [*_drawn(form.brief), *(_plain(block) for block in form.body)],
        "annex": [_plain(block) for block in form.annex],
    }


def _drawn(blocks: Sequence[Block]) -> list[Mapping[str, Any]]:
    return [{**_plain(block), "narrow": True} for block in blocks if isinstance(block, Drawing)]


def _plain(block: Block) -> Mapping[str, Any]:
    """Return a block as the template reads it."""
    kind = type(block).__name__.lower()
    if isinstance(block, Box):
        return {"kind": kind, "name": block.kind, "blocks": [_plain(inner) for inner in block.blocks]}
    if isinstance(block, Grid):
        return {"kind": kind, "title": block.title, **_fields(block, "labels", "numeric", "rows", "note")}
    if isinstance(block, Drawing):
        words = _fields(block, "number", "title", "subtitle", "how", "note", "alt")
        return {"kind": kind, **words, "svg": lighten_drawing(block.svg), "narrow": False}
    if isinstance(block, Keys):
        return {"kind": kind, "items": [_key(key) for key in block.items]}
    return {"kind": kind, **dataclasses.asdict(block)}


def _fields(block: Block, *names: str) -> dict[str, Any]:
    return {name: getattr(block, name) for name in names}


def _key(key: Key) -> dict[str, str]:
    return {**dataclasses.asdict(key), "chips": " · ".join(key.chips)}
