"""The Chinese font: a dependency, never a file of the project, cut down to the glyphs a page uses."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import io
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from qbase.core.errors import SetupError
from qbase.core.lazy import read_once
from qbase.core.whole_files import write_atomic

PACKAGE = "pylopdf-fonts-zh-cn"
FILE = "NotoSansSC-Regular.otf"
FAMILY = "Noto Sans SC"
# a page always carries these, so that its style sheet and counters never miss one
ALWAYS = "".join(map(chr, range(0x20, 0x7F))) + "−–—…·％（）「」～±≥≤×"
INVISIBLE = frozenset("\n\r\t\u00ad\u200b\ufeff")


@functools.cache
def font_file() -> pathlib.Path:
    """Return the path of the font shipped by the font package.

    Raises
    ------
    SetupError
        The package or its file is missing (QB160).
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for entry in files:
        path = pathlib.Path(str(entry.locate()))
        if entry.name == FILE and path.is_file():
            return path
    raise SetupError("QB160", found=f"no {FILE}", expected=f"package {PACKAGE}", fix=f"pip install {PACKAGE}")


@read_once
def covered() -> frozenset[int]:
    """Return the code points the font can draw."""
    from fontTools.ttLib import TTFont

    with TTFont(font_file(), lazy=True) as font:
        return frozenset(font.getBestCmap())


def missing_glyphs(text: str) -> list[str]:
    """Return the characters of a text that the font cannot draw, sorted, each once."""
    return sorted({c for c in text if c not in INVISIBLE and ord(c) not in covered()})


def subset_woff2(characters: Iterable[str]) -> bytes:
    """Return the font cut down to some characters, as WOFF2; cached by glyph set.

    Parameters
    ----------
    characters : iterable of str
        Characters of the page; punctuation and ASCII are always added.

    Returns
    -------
    bytes
        The same bytes for the same set.
    """
    wanted = sorted({c for c in characters if ord(c) in covered()} | {c for c in ALWAYS if ord(c) in covered()})
    digest = hashlib.sha256(("".join(wanted) + _font_version()).encode()).hexdigest()
    cached = _cache_folder() / f"{digest}.woff2"
    if cached.is_file():
        return cached.read_bytes()
    data = _cut("".join(wanted))
    try:
        write_atomic(cached, data)
    except OSError:
        # a read-only home costs a second per report, nothing else
        return data
    return data


def few_woff2(characters: Iterable[str]) -> bytes:
    """Return a font of a few characters beside a larger one, as WOFF2: their outlines, and no kerning.

    Cutting the whole font takes a second, mostly for tables that a handful of names does not need.

    Parameters
    ----------
    characters : iterable of str
        Those the font cannot draw are left out.

    Returns
    -------
    bytes
        The same bytes for the same set.
    """
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    whole, glyphs, names = _outlines()
    wanted = {ord(c): names[ord(c)] for c in sorted(characters) if ord(c) in names}
    order = [".notdef", *dict.fromkeys(wanted.values())]
    shapes, widths = {}, {}
    for name in order:
        pen = T2CharStringPen(glyphs[name].width, glyphs)
        glyphs[name].draw(pen)
        shapes[name], widths[name] = pen.getCharString(), (glyphs[name].width, 0)
    line, metrics = whole["hhea"], whole["OS/2"]
    small = FontBuilder(whole["head"].unitsPerEm, isTTF=False)
    small.updateHead(created=whole["head"].created, modified=whole["head"].modified)
    small.setupGlyphOrder(order)
    small.setupCharacterMap(wanted)
    small.setupCFF(FAMILY.replace(" ", ""), {"FullName": FAMILY}, shapes, {})
    small.setupHorizontalMetrics(widths)
    small.setupHorizontalHeader(ascent=line.ascent, descent=line.descent, lineGap=line.lineGap)
    same = ("sTypoAscender", "sTypoDescender", "sTypoLineGap", "usWinAscent", "usWinDescent", "fsSelection")
    small.setupOS2(**{field: getattr(metrics, field) for field in same})
    small.setupNameTable({"familyName": FAMILY, "styleName": "Regular"})
    small.setupPost()
    small.font.recalcTimestamp, small.font.flavor = False, "woff2"
    buffer = io.BytesIO()
    small.save(buffer)
    return buffer.getvalue()


@read_once
def _outlines() -> tuple[Any, Any, Mapping[int, str]]:
    """Return the font, its glyphs and their names; in memory, so that forks do not share a place in a file."""
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(font_file().read_bytes()), lazy=True)
    return font, font.getGlyphSet(), font.getBestCmap()


def _cut(text: str) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options()
    options.layout_features = ["kern", "locl", "halt", "chws", "tnum"]
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 13, 14]
    options.notdef_outline = True
    with TTFont(font_file(), recalcTimestamp=False, recalcBBoxes=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text=text)
        cutter.subset(font)
        font.flavor = "woff2"
        buffer = io.BytesIO()
        font.save(buffer)
    return buffer.getvalue()


def _font_version() -> str:
    return importlib.metadata.version(PACKAGE) + importlib.metadata.version("fonttools")


def _cache_folder() -> pathlib.Path:
    base = os.environ.get("QBASE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(base) / "qbase-fonts" if base else pathlib.Path.home() / ".cache" / "qbase-fonts"
