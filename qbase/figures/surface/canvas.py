"""One drawing surface for every figure: pixels, roles and texts; four variants; SVG and preview out."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from qbase.core.errors import DataError
from qbase.core.lazy import read_once
from qbase.core.shown.display import run_folder, shown_language
from qbase.core.shown.fonts import font_file, missing_glyphs
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.figure_svg import finish_svg
from qbase.figures.surface.theme import FAMILIES, house_rc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure
    from matplotlib.font_manager import FontProperties

WIDE, NARROW, HEIGHT = 820, 350, 400
PREVIEW_DPI = 144
LINE = 1.3
# browsers make the bold of a family with one weight a little wider than the regular
BOLD = 1.04
Align = Literal["left", "center", "right"]


class Variant(NamedTuple):
    """Language and width of one drawing."""

    lang: Literal["zh", "en"]
    narrow: bool

    @property
    def key(self) -> str:
        """Key in `Figure.drawings`."""
        return f"{self.lang}_{'narrow' if self.narrow else 'wide'}"


VARIANTS = tuple(Variant(lang, narrow) for lang in ("zh", "en") for narrow in (False, True))


class Sheet:
    """A drawing under way; coordinates are pixels from the top left unless a method says otherwise.

    Parameters
    ----------
    variant : Variant
        Language and width.
    height : int
        In pixels.
    """

    def __init__(self, variant: Variant, height: int) -> None:
        from matplotlib.figure import Figure

        self.lang, self.narrow = variant
        self.width, self.height = (NARROW if self.narrow else WIDE), height
        self.size = 12.0 if self.narrow else 13.0
        self.small = self.size - 1
        self.texts: list[str] = []
        self.fig: MplFigure = Figure(figsize=(self.width / 72, height / 72), dpi=72)
        self.fig.patch.set_visible(False)
        self.ax: Axes
        self._box = (0.0, 0.0, 1.0, 1.0)
        self._range = (0.0, 1.0, 0.0, 1.0)

    def frame(
        self, *, left: float, top: float, right: float, bottom: float, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        """Open the axes: edges in pixels of the sheet, then the limits of the data."""
        w, h = self.width, self.height
        self._box, self._range = (left, top, right, bottom), (*x, *y)
        self.ax = self.fig.add_axes((left / w, 1 - bottom / h, (right - left) / w, (bottom - top) / h))
        self.ax.set(xlim=x, ylim=y)
        self.ax.patch.set_visible(False)

    def px(self, value: float) -> float:
        """Return the pixel of an x value."""
        left, _, right, _ = self._box
        low, high, _, _ = self._range
        return left + (value - low) / (high - low) * (right - left)

    def py(self, value: float) -> float:
        """Return the pixel of a y value, counted from the top."""
        _, top, _, bottom = self._box
        _, _, low, high = self._range
        return bottom - (value - low) / (high - low) * (bottom - top)

    def t(self, text: Text) -> str:
        """Return a text in the language of the drawing."""
        return text[self.lang]

    def text(
        self, x: float, y: float, text: str, *, role: str = "ink", size: float | None = None, bold: bool = False,
        ha: Align = "left", va: str = "center",
    ) -> None:  # fmt: skip
        """Write one line at a pixel."""
        self.texts.append(text)
        self.fig.text(
            x / self.width, 1 - y / self.height, text, color=LIGHT[role], ha=ha, parse_math=False,
            va="center_baseline" if va == "center" else va, fontproperties=_font(size or self.size, bold),
        )  # fmt: skip

    def lines(self, x: float, y: float, lines: Sequence[str], **how: Any) -> None:
        """Write several lines, the first at ``y``."""
        step = (how.get("size") or self.size) * LINE
        for i, line in enumerate(lines):
            self.text(x, y + i * step, line, **how)

    def stroke(
        self, xs: Sequence[float], ys: Sequence[float], role: str, *, width: float = 1.0, dash: Sequence[float] = (),
        under: bool = True,
    ) -> None:  # fmt: skip
        """Draw a line through pixels, under the data unless told otherwise."""
        from matplotlib.lines import Line2D

        self.ax.add_artist(
            Line2D(
                [x / self.width for x in xs], [1 - y / self.height for y in ys], color=LIGHT[role], lw=width,
                ls=(0, tuple(dash)) if dash else "-", transform=self.fig.transFigure, clip_on=False,
                zorder=2.0 if under else 3.5, dash_capstyle="butt",
            )
        )  # fmt: skip

    def y_axis(self, ticks: Sequence[float], labels: Sequence[str], title: str) -> None:
        """Label the grid lines, with the title horizontal above the axis."""
        left, top, _, _ = self._box
        self.texts += labels
        self.ax.set_yticks(list(ticks), list(labels), fontproperties=_font(self.size, False))
        self.text(left, top - 9, title, role="mut", va="baseline")

    def x_labels(self, at: Sequence[float], labels: Sequence[str], *, size: float | None = None) -> None:
        """Write labels under the axis at x values."""
        bottom = self._box[3]
        self.ax.set_xticks([])
        for value, label in zip(at, labels, strict=True):
            self.text(self.px(value), bottom + 17, label, role="mut", size=size, ha="center", va="baseline")

    def wide(self, text: str, *, size: float | None = None, bold: bool = False) -> float:
        """Return the width of a line in pixels."""
        return text_width(text) * (size or self.size) * (BOLD if bold else 1)

    def fit(self, text: str, room: float, **how: Any) -> str:
        """Return the text, or its beginning with an ellipsis when it is wider than the room."""
        if self.wide(text, **how) <= room:
            return text
        while text and self.wide(text + "…", **how) > room:
            text = text[:-1]
        return text.rstrip() + "…"

    def wrap(self, text: str, room: float, lines: int, **how: Any) -> list[str]:
        """Return the text in at most so many lines; what does not fit ends in an ellipsis."""
        rows: list[str] = []
        while text and len(rows) < lines - 1 and self.wide(text, **how) > room:
            cut = max(i for i in range(1, len(text) + 1) if i == 1 or self.wide(text[:i], **how) <= room)
            space = text.rfind(" ", 0, cut + 1)
            # closing marks never begin a line
            while space <= 0 and cut > 1 and text[cut : cut + 1] in "，。；：、）」》%":
                cut -= 1
            cut = space if space > 0 else cut
            rows.append(text[:cut].rstrip())
            text = text[cut:].lstrip()
        return [*rows, self.fit(text, room, **how)] if text else rows


@functools.cache
def _font(size: float, bold: bool) -> FontProperties:
    """Return the font by file: no search, and no complaint that the package has no bold face."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=list(FAMILIES), fname=str(font_file()), size=size, weight="bold" if bold else "normal")


@read_once
def _metrics() -> Any:
    from matplotlib.ft2font import FT2Font

    font = FT2Font(str(font_file()))
    font.set_size(100, 72)
    return font


@functools.cache
def _advance(character: str) -> float:
    from matplotlib.ft2font import LoadFlags

    if missing_glyphs(character):
        # refused by `render` with all its fellows, so its width does not matter
        return 1.0
    return float(_metrics().load_char(ord(character), flags=LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 100


def text_width(text: str) -> float:
    """Return the width of a line in units of the font size."""
    return sum(map(_advance, text))


def spread(centres: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels apart as little as possible (least squares), inside ``low`` to ``high``.

    Parameters
    ----------
    centres, heights : sequence of float
        Wanted centre and height of each label, in pixels.
    low, high : float
        Room for all of them.

    Returns
    -------
    list of float
        Centres in the order given; labels keep their order and do not overlap.
    """
    if not centres:
        return []
    order = sorted(range(len(centres)), key=lambda i: (centres[i], i))
    tall = np.array([heights[i] for i in order], dtype=float)
    offset = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
    blocks: list[list[float]] = []
    for i, o in zip(order, offset, strict=True):
        blocks.append([centres[i] - float(o)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    level = np.concatenate([np.full(len(b), np.mean(b)) for b in blocks])
    ceiling = max(low + tall[0] / 2, high - tall[-1] / 2 - offset[-1])
    placed = np.clip(level, low + tall[0] / 2, ceiling) + offset
    result = [0.0] * len(centres)
    for i, y in zip(order, placed, strict=True):
        result[i] = float(y)
    return result


def render(
    name: str, *, title: Text, alt: Text, draw: Callable[[Sheet], None], height: int | Callable[[bool], int] = HEIGHT
) -> tuple[dict[str, str], bytes]:
    """Draw the four variants of a figure, and a preview outside a run.

    Parameters
    ----------
    name : str
        Name of the figure, enters the ids.
    title, alt : Text
        Text alternative of the drawings.
    draw : callable
        Draws one variant on a `Sheet`.
    height : int or callable
        In pixels; a callable takes whether the drawing is narrow.

    Returns
    -------
    drawings : dict of str to str
        Key of the variant -> SVG.
    preview : bytes
        PNG at double size in the language shown first; empty inside a run.

    Raises
    ------
    DataError
        A character has no glyph (QB701), or the drawing leaves our SVG list (QB709).
    """
    import matplotlib as mpl

    drawings, preview = {}, b""
    with mpl.rc_context(house_rc()):
        for variant in VARIANTS:
            sheet = Sheet(variant, height(variant.narrow) if callable(height) else height)
            draw(sheet)
            refuse_missing(name, "".join(sheet.texts) + title[sheet.lang] + alt[sheet.lang])
            drawings[variant.key] = finish_svg(
                _svg(sheet.fig), name=f"{name}/{variant.key}", title=title[sheet.lang], desc=alt[sheet.lang]
            )
            if not run_folder() and variant == Variant(shown_language(), False):
                preview = _png(sheet.fig)
    return drawings, preview


def refuse_missing(name: str, text: str) -> None:
    """Raise when the font lacks a character of a text.

    Raises
    ------
    DataError
        With the characters (QB701).
    """
    lacking = missing_glyphs(text)
    if lacking:
        shown = " ".join(f"{c} (U+{ord(c):04X})" for c in lacking)
        raise DataError(
            "QB701",
            figure=name,
            characters=shown,
            found=shown,
            expected="characters of Noto Sans SC",
            fix="write the name with common characters where the data come from",
        )


def _svg(fig: MplFigure) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(fig)
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def _png(fig: MplFigure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    fig.patch.set(visible=True, facecolor=LIGHT["bg"])
    fig.set_canvas(FigureCanvasAgg(fig))
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=PREVIEW_DPI, metadata={"Software": None})
    return buffer.getvalue()
