"""What is drawn without matplotlib's artists is, byte for byte, what matplotlib would have drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qbase.core.shown.palette import LIGHT
from qbase.figures.surface.canvas import VARIANTS, Sheet, Variant
from qbase.figures.surface.figure_svg import finish_svg
from qbase.figures.surface.real_axes import RealSheet

BLUE, GREY, BG = LIGHT["blue"], LIGHT["grey"], LIGHT["bg"]
SAID = {"name": "trial/zh_wide", "title": "甲 & 乙", "desc": "a < b > c"}
DRAWS = np.random.default_rng(1)
Draw = Callable[[Any], None]


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(n, dtype=float), np.round(DRAWS.uniform(20, 80, n), 3)


X, Y = _points(12)
MARKS: dict[str, Draw] = {
    "line": lambda ax: ax.plot(X, Y, color=BLUE, lw=1.6, zorder=3, clip_on=False),
    "dashed_and_clipped": lambda ax: ax.plot(X, Y + 60, color=BLUE, lw=1.2, zorder=2, ls=(0, (4, 3))),
    "broken": lambda ax: ax.plot(X, np.where(X == 5, np.nan, Y), color=BLUE, lw=1.0, zorder=3, clip_on=False),
    "one_point": lambda ax: ax.plot(X[:1], Y[:1], color=BLUE, lw=1.6, zorder=3, clip_on=False),
    "no_point": lambda ax: ax.plot(X[:0], Y[:0], color=BLUE, lw=1.6, zorder=3, clip_on=False),
    "long": lambda ax: ax.plot(np.linspace(0, 11, 300), 50 + np.linspace(0, 30, 300), color=BLUE, lw=1.6, zorder=3),
    "off_the_sheet": lambda ax: ax.plot(X, 40 * Y - 900, color=BLUE, lw=1.6, zorder=3),
    "steps": lambda ax: ax.step(X, Y, where="post", color=GREY, lw=1.2, ls=(0, (4, 3)), zorder=2.1, clip_on=False),
    "upright": lambda ax: ax.vlines(X, Y - 5, Y + 5, color=LIGHT["bluef"], lw=7.25, zorder=2.1, clip_on=False),
    "level": lambda ax: ax.hlines(Y, X - 0.2, X + 0.2, color=GREY, lw=1, zorder=2.2, clip_on=False),
    "area": lambda ax: ax.fill_between(X, Y - 9, Y, color=LIGHT["greyf"], lw=0, zorder=1.5),
    "area_in_steps": lambda ax: ax.fill_between(X, Y - 9, Y, step="post", color=LIGHT["greyf"], lw=0, zorder=0.5),
    "area_to_a_value": lambda ax: ax.fill_between([2.0, 4.0], 20.0, 70.0, color=LIGHT["plumf"], lw=0, zorder=1.2),
    "area_larger_than_the_sheet": lambda ax: ax.fill_between(X, 9 * Y, -Y, color=LIGHT["panel"], lw=0, zorder=0.5),
    "dots": lambda ax: ax.scatter(X, Y, s=30.25, color=BLUE, edgecolor=BG, lw=0.8, zorder=4, clip_on=False),
    "dots_of_many_colours": lambda ax: ax.scatter(
        X, Y, s=56, color=[BLUE, GREY] * 6, edgecolor=BG, lw=1.2, zorder=4, clip_on=False
    ),
    "two_diamonds_of_their_own": lambda ax: ax.scatter(
        X[:2], Y[:2], s=56, color=[BLUE, GREY], edgecolor=BG, marker="D", lw=1.2, zorder=4, clip_on=False
    ),
    "a_ring": lambda ax: ax.scatter(X[:1], Y[:1], s=150, color="none", edgecolor=GREY, lw=1.6, zorder=5, clip_on=False),
    "rings": lambda ax: ax.scatter(X, Y, s=150, color="none", edgecolor=GREY, lw=1.6, zorder=5),
    "hollow": lambda ax: ax.scatter(X, Y, s=30, facecolor=BG, edgecolor=GREY, lw=1.6, zorder=4),
    "bars": lambda ax: ax.barh([30.0, 60.0], [4.0, -0.5], height=9, color=LIGHT["bluef"], lw=0, zorder=2.5),
    "span": lambda ax: ax.axvspan(0.0, 3.5, color=LIGHT["greyf"], lw=0, alpha=0.7, zorder=0, clip_on=False),
} | {
    f"marker_{marker}": lambda ax, marker=marker: ax.scatter(
        X, Y, s=47.3, marker=marker, color=BLUE, edgecolor=BG, lw=1.2, zorder=4, clip_on=False
    )
    for marker in ("o", "^", "v", "D", "s", "X", "P")
}  # fmt: skip


def _sheet(draw: Draw, variant: Variant, *, is_down: bool = False) -> Sheet:
    sheet = Sheet(variant, 400)
    ends = (100.0, 0.0) if is_down else (0.0, 100.0)
    sheet.frame(left=33.645, top=30.0, right=sheet.width - 109.3, bottom=370.0, x=(-0.7, 11.7), y=ends)
    sheet.y_axis([0.0, 50.0, 100.0], ["0", "50", "100"], "合格率（%） & more")
    sheet.x_labels([0.0, 5.0], ["2016", "国É"])
    sheet.stroke([40, 60, np.nan, 70, 80], [50, 60, np.nan, 70, 80], "plum", width=1.6, dash=(5, 3))
    sheet.stroke([710, 712, 900], [50, 60, 70], "ink", under=False)
    draw(sheet.ax)
    sheet.text(300, 100, "粗 <b>", role="blue", bold=True, ha="right")
    return sheet


def _drawn(sheet: Sheet) -> tuple[str, str]:
    """Return the drawing as text, and as matplotlib makes it of the same calls."""
    with sheet.settings:
        plain = sheet.svg(**SAID)
        return plain, finish_svg(sheet.real().svg(), **SAID)


@pytest.mark.parametrize("variant", VARIANTS[:2], ids=lambda variant: variant.key)
@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_written_as_matplotlib_writes_it(
    mark: str, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RealSheet] = []
    repeat = RealSheet.repeat
    monkeypatch.setattr(RealSheet, "repeat", lambda self, calls: (asked.append(self), repeat(self, calls))[1])
    sheet = _sheet(MARKS[mark], variant)
    assert not asked, "left to matplotlib"
    plain, real = _drawn(sheet)
    assert plain == real


def test_marks_together_keep_their_order_and_share_outlines() -> None:
    def draw(ax: Any) -> None:
        for mark in MARKS.values():
            mark(ax)
        MARKS["dots"](ax)

    for is_down in (False, True):
        plain, real = _drawn(_sheet(draw, VARIANTS[0], is_down=is_down))
        assert plain == real


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: ax.plot(X, Y, color=BLUE, lw=1.6, zorder=3, alpha=0.5),
        lambda ax: ax.errorbar(X, Y, yerr=3.0, color=BLUE, zorder=3),
        lambda ax: ax.set_yticks([10.0]),
        lambda ax: ax.vlines([1.0], [np.nan], [4.0], color=BLUE, lw=1, zorder=3),
    ],
    ids=["option", "method", "ticks", "missing"],
)
def test_what_is_not_known_is_left_to_matplotlib(draw: Draw) -> None:
    plain, real = _drawn(_sheet(draw, VARIANTS[0]))
    assert plain == real
    assert plain != _drawn(_sheet(lambda ax: None, VARIANTS[0]))[0]


def test_axes_without_word_on_their_ticks_are_left_to_matplotlib() -> None:
    sheet = Sheet(VARIANTS[0], 400)
    sheet.frame(left=40.0, top=30.0, right=700.0, bottom=370.0, x=(0.0, 1.0), y=(0.0, 1.0))
    plain, real = _drawn(sheet)
    assert plain == real
    assert ">0.2<" in plain
