"""Two fonts draw a page: that of the house, the same on each, and a small one for its names."""

from __future__ import annotations

import base64
import io
import re

from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont

from qbase.core.shown.fonts import ALWAYS, covered, few_woff2, font_file
from qbase.reports.rendering.page_fonts import font_faces, house_characters

NAMES = "鹭棹镇鑫昊淼"
FACE = re.compile(r"@font-face\{font-family:'([^']+)'[^}]*?base64,([A-Za-z0-9+/=]+)\)[^}]*?\}")


def faces(characters: str) -> list[TTFont]:
    return [TTFont(io.BytesIO(base64.b64decode(data))) for _, data in FACE.findall(font_faces(characters, "F"))]


def test_a_page_without_names_of_its_own_has_the_font_of_the_house_alone() -> None:
    (house,) = faces("质量合格率 93.1 %")
    assert set(house.getBestCmap()) == {ord(c) for c in house_characters()}
    assert set(ALWAYS) & {chr(c) for c in covered()} <= house_characters()


def test_names_have_a_small_font_that_is_told_what_it_draws() -> None:
    css = font_faces("质量" + NAMES + "😀", "F")
    _, small = faces("质量" + NAMES + "😀")
    rest = set(NAMES) - house_characters()
    assert {chr(c) for c in small.getBestCmap()} == rest
    ranges = css.rpartition("unicode-range:")[2].removesuffix("}").split(",")
    assert ranges == [f"U+{ord(c):X}" for c in sorted(rest)]
    assert font_faces(NAMES[::-1] + "量质", "F") == font_faces("质量" + NAMES, "F")


def test_the_small_font_draws_and_measures_as_the_large_one() -> None:
    whole = TTFont(io.BytesIO(font_file().read_bytes()), lazy=True)
    small = TTFont(io.BytesIO(few_woff2(NAMES)))
    for code, name in small.getBestCmap().items():
        other = whole.getBestCmap()[code]
        boxes = []
        for font, glyph in ((small, name), (whole, other)):
            pen = BoundsPen(font.getGlyphSet())
            font.getGlyphSet()[glyph].draw(pen)
            boxes.append((pen.bounds, font["hmtx"][glyph][0]))
        assert boxes[0] == boxes[1]
    for field in ("ascent", "descent", "lineGap"):
        assert getattr(small["hhea"], field) == getattr(whole["hhea"], field)
    # the days too: a page made tomorrow has the bytes of today's
    for field in ("unitsPerEm", "created", "modified"):
        assert getattr(small["head"], field) == getattr(whole["head"], field)
