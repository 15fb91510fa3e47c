"""The fonts of a page: one for the words of the house, the same on every page, and one for what is left, its names.

A font cut for each page costs more processor time than its letter; this way the large one is cut once for a build.
"""

from __future__ import annotations

import base64
from collections.abc import Collection

from qbase.core.lazy import PACKAGE, read_once
from qbase.core.shown import fonts

ROOMS = (
    *("core/results", "core/shown", "indicators", "trends", "effects", "scorecards", "planning"),
    *("figures", "release", "reports/rendering", "reports/releasing"),
)
"""Whose texts are read on pages; a banner is written into a page that has its fonts already."""
TEXTS = ("*.py", "*.toml", "*.j2", "*.css")


def font_faces(characters: Collection[str], family: str) -> str:
    """Return the CSS that embeds the fonts of a page.

    Parameters
    ----------
    characters : collection of str
        All that the page shows.
    family : str
        Name the style sheet knows them by.
    """
    rest = {c for c in characters if ord(c) in fonts.covered()} - house_characters()
    faces = [_face(family, _house_font())]
    if rest:
        ranges = ",".join(f"U+{ord(c):X}" for c in sorted(rest))
        faces.append(_face(family, fonts.few_woff2(rest), f";unicode-range:{ranges}"))
    return "".join(faces)


def _face(family: str, data: bytes, more: str = "") -> str:
    source = f"url(data:font/woff2;base64,{base64.b64encode(data).decode()}) format('woff2')"
    return f"@font-face{{font-family:'{family}';font-display:swap;src:{source}{more}}}"


@read_once
def house_characters() -> frozenset[str]:
    """Return the characters the house itself writes on pages, as far as the font draws them."""
    paths = (path for room in ROOMS for pattern in TEXTS for path in (PACKAGE / room).rglob(pattern))
    held = set(fonts.ALWAYS).union(*(path.read_text(encoding="utf-8") for path in paths))
    return frozenset(c for c in held if ord(c) in fonts.covered())


def _house_font() -> bytes:
    return fonts.subset_woff2(house_characters())
