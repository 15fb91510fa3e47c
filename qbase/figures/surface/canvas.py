"""One drawing surface for every figure: pixels, roles and texts; four variants; SVG and preview out."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from qbase.core.errors import DataError
from qbase.core.markup import run_folder, shown_language
from qbase.core.shown.fonts import missing_glyphs
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.figure_svg import finish_svg
from qbase.figures.surface.plain_axes import Call, NotPlainError, PlainAxes
from qbase.figures.surface.real_axes import RealSheet
from qbase.figures.surface.svg_elements import css, read_glyph, text_element, whole_drawing
from qbase.figures.surface.theme import house_rc

WIDE, NARROW, HEIGHT = 820, 350, 400
LINE = 1.3
# browsers make the bold of a family with one weight a little wider than the regular
BOLD = 1.04
Align = Literal["left", "center", "right"]
ANCHORS: dict[str, str] = {"left": "start", "center": "middle", "right": "end"}


class Variant(NamedTuple):
    """Language and width of one drawing."""

    lang: Literal["zh", "en"]
    narrow: bool

    @property
    def key(self) -> str:
        """Key in `Figure.drawings`."""
        return f"{self.lang}_{'narrow' if self.narrow else 'wide'}"


_PREVIEWS = contextvars.ContextVar("previews", default=True)
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
        self.lang, self.narrow = variant
        self.width, self.height = (NARROW if self.narrow else WIDE), height
        self.size = 12.0 if self.narrow else 13.0
        self.small = self.size - 1
        self.texts: list[str] = []
        self.calls: list[Call] = []
        self.ax: Any
        self.plain: PlainAxes | None = None
        self.settings = contextlib.ExitStack()
        self._words: list[str] = []
        self._real: RealSheet | None = None
        self._box = (0.0, 0.0, 1.0, 1.0)
        self._range = (0.0, 1.0, 0.0, 1.0)

    def frame(
        self, *, left: float, top: float, right: float, bottom: float, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        """Open the axes: edges in pixels of the sheet, then the limits of the data."""
        self._box, self._range = (left, top, right, bottom), (*x, *y)
        if self.plain is not None:
            # several axes on a sheet are left to matplotlib
            self.real()
        size = (float(self.width), float(self.height))
        self.ax = self.plain = PlainAxes(box=self._box, x=x, y=y, size=size, calls=self.calls, turn=self._turn)
        self._tell("frame", left=left, top=top, right=right, bottom=bottom, x=x, y=y)
        if self._real is not None:
            self.plain.real = self.ax = self._real.ax

    def real(self) -> RealSheet:
        """Return the sheet as matplotlib draws it, under the settings of the house until the sheet is closed."""
        if self._real is None:
            import matplotlib as mpl

            self.settings.enter_context(mpl.rc_context(house_rc()))
            self._real = RealSheet(self.width, self.height)
            self._real.repeat(self.calls)
        return self._real

    def svg(self, *, name: str, title: str, desc: str) -> str:
        """Return the drawing as a report carries it.

        Raises
        ------
        DataError
            The drawing leaves our SVG list (QB709).
        """
        known = {"name": name, "title": title, "desc": desc}
        if self._real is None and (self.plain is None or self.plain.is_whole()):
            marks, clip = (self.plain.elements(), self.plain.clip_definition()) if self.plain else ((), "")
            return whole_drawing([*marks, *self._words, clip], box=(self.width, self.height), **known)
        return finish_svg(self.real().svg(), **known)

    def _turn(self) -> Any:
        """Let matplotlib draw the sheet from here on; return its axes."""
        self.ax = self.real().ax
        return self.ax

    def _tell(self, name: str, *args: Any, **options: Any) -> None:
        call = Call(False, name, args, options)
        self.calls.append(call)
        if self._real is not None:
            self._real.repeat([call])

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

    def value_at(self, pixel: float) -> float:
        """Return the y value at a pixel, counted from the top."""
        _, top, _, bottom = self._box
        _, _, low, high = self._range
        return low + (bottom - pixel) / (bottom - top) * (high - low)

    def t(self, text: Text) -> str:
        """Return a text in the language of the drawing."""
        return text[self.lang]

    def text(
        self, x: float, y: float, text: str, *, role: str = "ink", size: float | None = None, bold: bool = False,
        ha: Align = "left", va: str = "center",
    ) -> None:  # fmt: skip
        """Write one line at a pixel."""
        size = size or self.size
        self.texts.append(text)
        self._tell("text", x, y, text, role=role, size=size, bold=bold, ha=ha, va=va)
        if text:
            self._words.append(
                text_element(
                    x, y, text, size=size, bold=bold, anchor=ANCHORS[ha], colour=LIGHT[role], middle=va == "center"
                )
            )

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
        self._tell("stroke", xs, ys, role, width=width, dash=dash, under=under)
        style = css(stroke=LIGHT[role], width=width, dash=dash)
        x, y = (np.asarray(line, dtype=float) for line in (xs, ys))
        self.opened().stroke(x, y, 2.0 if under else 3.5, style)

    def opened(self) -> PlainAxes:
        """Return the axes, which `frame` has opened.

        Raises
        ------
        RuntimeError
            It has not.
        """
        if self.plain is None:
            raise RuntimeError("frame() comes first")
        return self.plain

    def y_axis(self, ticks: Sequence[float], labels: Sequence[str], title: str) -> None:
        """Label the grid lines, with the title horizontal above the axis."""
        left, top, _, _ = self._box
        self.texts += labels
        try:
            self.opened().grid(ticks, labels, self.size)
        except NotPlainError:
            self.opened().turn()
        self._tell("ticks", ticks, labels, self.size)
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


def text_width(text: str) -> float:
    """Return the width of a line in units of the font size."""
    return sum(read_glyph(character).advance for character in text)


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


@contextlib.contextmanager
def leave_previews() -> Iterator[None]:
    """Draw without the PNG, which costs more than the four drawings: for whoever shows the drawing itself."""
    token = _PREVIEWS.set(False)
    try:
        yield
    finally:
        _PREVIEWS.reset(token)


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
    drawings, preview = {}, b""
    for variant in VARIANTS:
        sheet = Sheet(variant, height(variant.narrow) if callable(height) else height)
        with sheet.settings:
            draw(sheet)
            refuse_missing(name, "".join(sheet.texts) + title[sheet.lang] + alt[sheet.lang])
            drawings[variant.key] = sheet.svg(
                name=f"{name}/{variant.key}", title=title[sheet.lang], desc=alt[sheet.lang]
            )
            if _PREVIEWS.get() and not run_folder() and variant == Variant(shown_language(), False):
                preview = sheet.real().png()
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
