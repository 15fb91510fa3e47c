"""Cleaning matplotlib's SVG: what may stay, what goes, what is refused; labels and ticks on the way there."""

from __future__ import annotations

import itertools
import os
import re
import warnings

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbase.core import DataError
from qbase.core.periods import ordinal
from qbase.core.shown.fonts import missing_glyphs
from qbase.figures.surface import svg_elements
from qbase.figures.surface.canvas import NARROW, Sheet, Variant, spread, text_width
from qbase.figures.surface.figure_svg import finish_svg
from qbase.figures.surface.period_axis import number_ticks, place_ticks, position, read_period, tick_digits

HEAD = (
    '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "y"><svg viewBox="0 0 10.0001 5" xmlns="http://www.w3.org/2000/svg" '
    'xmlns:xlink="http://www.w3.org/1999/xlink"><metadata>who</metadata><defs><style>*{}</style></defs>'
)


def finish(inside: str) -> str:
    return finish_svg(HEAD + inside + "</svg>", name="n", title="t", desc="d")


def test_what_is_dropped_and_what_is_shortened() -> None:
    out = finish(
        '<!-- c --><g id="figure_1"><g id="axes_1"><path id="p" d="M 1.23456 0.00001 \nL -0.001 2 " '
        'style="fill: none; stroke: #1F5FA8; font-family: x; --evil: 1"/></g></g>'
    )
    assert '<path d="M 1.23 0 L 0 2" style="fill:none;stroke:var(--blue)" />' in out
    assert 'viewBox="0 0 10 5"' in out
    assert not re.search("metadata|style>|<!--|font-family|evil|xmlns|figure_1", out)


def test_references_are_renamed_together() -> None:
    out = finish(
        '<defs><path id="m1" d="M 0 0"/><clipPath id="c1"><rect width="1" height="1"/></clipPath></defs>'
        '<g clip-path="url(#c1)"><use xlink:href="#m1" x="1" y="2"/></g>'
    )
    (marker,) = re.findall(r'<path id="([^"]+)"', out)
    (clip,) = re.findall(r'<clipPath id="([^"]+)"', out)
    assert f'href="#{marker}"' in out
    assert f'clip-path="url(#{clip})"' in out
    assert marker.startswith("q")
    assert marker != clip
    assert "xlink" not in out


def test_the_prefix_depends_on_name_and_content() -> None:
    def prefix(name: str, inside: str) -> str:
        out = finish_svg(HEAD + inside + "</svg>", name=name, title="t", desc="d")
        return re.findall(r'aria-labelledby="(\w+)t ', out)[0]

    path = '<path d="M 0 0"/>'
    assert prefix("a", path) == prefix("a", path)
    assert len({prefix("a", path), prefix("b", path), prefix("a", '<path d="M 0 1"/>')}) == 3


@pytest.mark.parametrize(
    "inside",
    [
        '<script>alert(1)</script>',
        '<image href="x.png"/>',
        '<foreignObject/>',
        '<path d="M 0 0" onclick="x()"/>',
        '<path d="M 0 0" style="fill: #123456"/>',
        '<path d="M 0 0" style="fill: url(http://x)"/>',
    ],
)  # fmt: skip
def test_anything_else_is_refused(inside: str) -> None:
    with pytest.raises(DataError) as error:
        finish(inside)
    assert error.value.code == "QB709"


def test_a_rotated_text_keeps_its_rotation() -> None:
    assert "transform" not in finish('<text x="1" y="2" transform="rotate(-0 1 2)">a</text>')
    assert 'transform="rotate(-0.5 1 2)"' in finish('<text x="1" y="2" transform="rotate(-0.5 1 2)">a</text>')


labels = st.lists(st.tuples(st.floats(0, 300), st.floats(10, 40)), min_size=1, max_size=7)


@given(labels)
def test_spread_labels_never_overlap_and_keep_their_order(wanted: list[tuple[float, float]]) -> None:
    centres, heights = [c for c, _ in wanted], [h for _, h in wanted]
    placed = spread(centres, heights, 0.0, 300.0)
    order = sorted(range(len(placed)), key=lambda i: (centres[i], i))
    edges = [(placed[i] - heights[i] / 2, placed[i] + heights[i] / 2) for i in order]
    assert all(b[0] >= a[1] - 1e-6 for a, b in itertools.pairwise(edges))
    assert edges[0][0] >= -1e-6
    assert edges[-1][1] <= 300 + 1e-6


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread([200.0, 50.0, 100.0], [20.0] * 3, 0, 300) == [200.0, 50.0, 100.0]
    assert spread([100.0, 100.0], [20.0, 20.0], 0, 300) == [90.0, 110.0]
    assert spread([], [], 0, 1) == []


@given(st.integers(1, 130), st.sampled_from(["Q", "A"]), st.sampled_from([230.0, 640.0]), st.sampled_from(["zh", "en"]))
def test_ticks_never_touch_and_tell_the_truth(n: int, freq: str, room: float, lang: str) -> None:
    first = read_period("2003Q3" if freq == "Q" else "2003")
    last = first + (n - 1)
    slot = room / (n + 0.4)
    ticks = place_ticks(first, last, slot, lambda t: text_width(t) * 13, lang)
    assert ticks.at
    boxes = [(x * slot, text_width(t) * 6.5) for x, t in zip(ticks.at, ticks.labels, strict=True)]
    assert all(b - a >= wa + wb for (a, wa), (b, wb) in itertools.pairwise(boxes))
    for x, label in zip(ticks.at, ticks.labels, strict=True):
        assert first.ordinal <= x <= last.ordinal
        period = pd.Period(ordinal=round(x), freq=first.freqstr)
        digits = label.replace("'", str(period.year // 100))
        assert digits.startswith(str(period.year))


@given(st.floats(-1e4, 1e4), st.floats(0, 1e3))
def test_number_ticks_enclose_the_range(low: float, width: float) -> None:
    ticks = number_ticks(low, low + width)
    slack = 1e-6 * max(1.0, abs(low), width)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + width - slack
    assert 2 <= len(ticks) <= 9


def test_tick_digits() -> None:
    assert [tick_digits(t) for t in ([0.0, 2.0], [0.0, 0.5], [0.1, 0.15], [90.0])] == [0, 1, 2, 0]


def test_where_a_period_begins() -> None:
    quarter, year = read_period("2022Q3"), read_period("2022")
    assert position(quarter, "Q") == quarter.ordinal - 0.5
    assert position(year, "Q") == read_period("2022Q1").ordinal - 0.5
    assert position(quarter, "A") == pytest.approx(year.ordinal, abs=0.01)
    half = read_period("2022H2")
    assert position(quarter, "H") == position(half, "H") == ordinal(half) - 0.5
    assert position(read_period("2022Q4"), "H") == pytest.approx(ordinal(half), abs=0.01)


def test_wrapping_keeps_every_character_or_says_so() -> None:
    sheet = Sheet(Variant("zh", True), 400)
    assert sheet.width == NARROW
    text = "优质产品生产基地创建三年行动方案，分批推进"
    rows = sheet.wrap(text, 130, 4)
    assert "".join(rows) == text
    assert all(sheet.wide(r) <= 130 for r in rows)
    assert not any(r.startswith("，") for r in rows)
    short = sheet.wrap(text, 60, 2)
    assert len(short) == 2
    assert short[-1].endswith("…")
    assert sheet.wrap("two words here", 60, 3) == ["two words", "here"]


def _glyphs_lost(characters: list[str]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lost = 0
        for character in characters:
            try:
                svg_elements.read_glyph(character)
            except (UserWarning, RuntimeError):
                lost += 1
    return lost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only forks share open files")
def test_forks_that_measure_at_once_read_every_glyph() -> None:
    """The font is opened once and pages are made in forks: they must not share a position in its file."""
    characters = [c for c in map(chr, range(0x4E00, 0x9000)) if not missing_glyphs(c)][:4000]
    expected = text_width("测量")
    children = []
    for order in (characters, characters[::-1]):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = int(_glyphs_lost(order) > 0)
            finally:
                # whatever happens, a fork of the tests goes no further
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert text_width("测量") == expected
