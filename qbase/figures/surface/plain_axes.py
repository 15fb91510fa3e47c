"""The axes of a drawing without matplotlib's artists: the few marks that the figures use, as text at once.

Building and laying out artists takes ten times as long as what they say. So marks are written down here as matplotlib
would write them, byte for byte (a test holds one against the other); whatever is not known here, matplotlib draws.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from qbase.core.shown.palette import LIGHT
from qbase.figures.surface import svg_elements as svg
from qbase.figures.surface.svg_elements import Floats

AXIS, SPINE = 0.5, 2.5
"""Heights at which matplotlib draws grid and labels, and the line of the axis."""
Dash = Literal["-"] | tuple[float, tuple[float, ...]]


class NotPlainError(Exception):
    """What was asked for is left to matplotlib; nobody but the sheet hears of it."""


class Call(NamedTuple):
    """One request to the sheet, or to its axes, as it came."""

    to_axes: bool
    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]


class Markers(NamedTuple):
    """Points of one outline; whether it is written once and referred to is known when all marks are."""

    steps: svg.Steps
    vertices: int
    points: list[tuple[float, float]]
    styles: list[dict[str, str]]
    clip: str


def plain(method: Callable[..., None]) -> Callable[..., Any]:
    """Let a method of the axes put its call on record, and leave it to matplotlib where it is not plain."""

    @functools.wraps(method)
    def drawn(self: PlainAxes, *args: Any, **options: Any) -> Any:
        if self.real is not None:
            return getattr(self.real, method.__name__)(*args, **options)
        try:
            method(self, *args, **options)
        except (NotPlainError, TypeError):
            # an option that matplotlib knows
            return getattr(self.turn(), method.__name__)(*args, **options)
        self.calls.append(Call(True, method.__name__, args, options))
        return None

    return drawn


class PlainAxes:
    """Axes in a box of a sheet; data in, elements out.

    Parameters
    ----------
    box : tuple of float
        Left, top, right and bottom in pixels of the sheet.
    x, y : tuple of (float, float)
        Limits of the data.
    size : tuple of (float, float)
        Width and height of the sheet.
    calls : list of Call
        Record of the sheet, to which the calls to the axes are added.
    turn : callable
        Lets matplotlib draw the sheet from here on, and returns its axes.
    """

    def __init__(
        self, *, box: tuple[float, float, float, float], x: tuple[float, float], y: tuple[float, float],
        size: tuple[float, float], calls: list[Call], turn: Callable[[], Any],
    ) -> None:  # fmt: skip
        self.box, self.x, self.y, self.size, self.calls = box, x, y, size, calls
        self.real: Any = None
        self._turn = turn
        self._marks: list[tuple[float, str | Markers]] = []
        self._grid: str | None = None
        self._has_x = False
        self._clip = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.turn(), name)

    def turn(self) -> Any:
        """Return matplotlib's axes, with all that was drawn so far."""
        if self.real is None:
            self.real = self._turn()
        return self.real

    def get_xlim(self) -> tuple[float, float]:
        """Return the limits of x."""
        return self.x

    def get_ylim(self) -> tuple[float, float]:
        """Return the limits of y."""
        return self.y

    def across(self, values: Any) -> Floats:
        """Return the pixels of x values."""
        left, _, right, _ = self.box
        low, high = self.x
        return left + (_floats(values) - low) / (high - low) * (right - left)

    def down(self, values: Any) -> Floats:
        """Return the pixels of y values, counted from the top."""
        _, top, _, bottom = self.box
        low, high = self.y
        return bottom - (_floats(values) - low) / (high - low) * (bottom - top)

    @plain
    def set_xticks(self, ticks: Sequence[float]) -> None:
        """Have no ticks on the x axis.

        Raises
        ------
        NotPlainError
            There are to be some.
        """
        if len(ticks):
            raise NotPlainError
        self._has_x = True

    @plain
    def set_yticks(self, ticks: Sequence[float]) -> None:
        """Have no ticks on the y axis.

        Raises
        ------
        NotPlainError
            There are to be some.
        """
        if len(ticks):
            raise NotPlainError
        self._grid = ""

    def grid(self, ticks: Sequence[float], labels: Sequence[str], size: float) -> None:
        """Draw a line across at each y value, with its label to the left.

        Raises
        ------
        NotPlainError
            A value lies outside, where matplotlib would widen the axis.
        """
        left, _, right, _ = self.box
        if ticks and not min(self.y) <= min(ticks) <= max(ticks) <= max(self.y):
            raise NotPlainError
        style, parts = svg.css(stroke=LIGHT["grid"], width=1.0), []
        how: dict[str, Any] = {"size": size, "bold": False, "anchor": "end", "colour": LIGHT["mut"], "middle": True}
        for y, label in zip(self.down(ticks).tolist(), labels, strict=True):
            parts.append(svg.path_element(f"M {svg.short(left)} {svg.short(y)} L {svg.short(right)} {svg.short(y)}",
                                          style, self._clipped(True)))  # fmt: skip
            parts.append(svg.text_element(left - 6.0, y, label, **how) if label else "")
        self._grid = "".join(parts)

    def stroke(self, x: Floats, y: Floats, zorder: float, style: dict[str, str], clip_on: bool = False) -> None:
        """Draw a line through pixels."""
        if len(x):
            d = svg.line_data(x, y, *self.size)
            self._marks.append((zorder, svg.path_element(d, style, self._clipped(clip_on))))

    @plain
    def plot(
        self, x: Any, y: Any, *, color: str, lw: float, zorder: float, ls: Dash = "-", clip_on: bool = True
    ) -> None:
        """Draw a line through points."""
        self.stroke(self.across(x), self.down(y), zorder, _line(color, lw, ls), clip_on)

    @plain
    def step(
        self, x: Any, y: Any, *, where: Literal["post"], color: str, lw: float, zorder: float, ls: Dash = "-",
        clip_on: bool = True,
    ) -> None:  # fmt: skip
        """Draw a line that keeps each value until the next."""
        _refuse_unless(where == "post")
        stepped = _steps(self.across(x), self.down(y))
        self.stroke(*stepped, zorder, _line(color, lw, ls), clip_on)

    @plain
    def vlines(
        self, x: Any, ymin: Any, ymax: Any, *, color: str, lw: float, zorder: float, clip_on: bool = True
    ) -> None:
        """Draw upright lines."""
        self._segments((self.across(x), self.down(ymin)), (self.across(x), self.down(ymax)), color, lw, zorder, clip_on)

    @plain
    def hlines(
        self, y: Any, xmin: Any, xmax: Any, *, color: str, lw: float, zorder: float, clip_on: bool = True
    ) -> None:
        """Draw level lines."""
        self._segments((self.across(xmin), self.down(y)), (self.across(xmax), self.down(y)), color, lw, zorder, clip_on)

    def _segments(
        self, start: tuple[Floats, Floats], end: tuple[Floats, Floats], color: str, lw: float, zorder: float,
        clip_on: bool,
    ) -> None:  # fmt: skip
        ends = np.array([*start, *end])
        _refuse_unless(bool(np.isfinite(ends).all()))
        style = _line(color, lw, "-")
        parts = [
            svg.path_element(
                svg.line_data(np.array([x0, x1]), np.array([y0, y1]), *self.size), style, self._clipped(clip_on)
            )
            for x0, y0, x1, y1 in ends.T
        ]
        self._marks.append((zorder, "".join(parts)))

    @plain
    def fill_between(
        self, x: Any, y1: Any, y2: Any, *, color: str, lw: float, zorder: float, step: Literal["post"] | None = None
    ) -> None:
        """Fill the area between two lines."""
        at = self.across(x)
        ends = [np.broadcast_to(self.down(y), at.shape) for y in (y1, y2)]
        _refuse_unless(lw == 0 and len(at) > 0 and bool(np.isfinite([at, *ends]).all()))
        (over, first), (back, second) = ((at, ends[0]), (at, ends[1]))
        if step is not None:
            _refuse_unless(step == "post")
            (over, first), (back, second) = _steps(at, ends[0]), _steps(at, ends[1])
        px = np.concatenate([at[:1], over, at[-1:], back[::-1]])
        py = np.concatenate([ends[1][:1], first, ends[1][-1:], second[::-1]])
        style, clip = svg.css(face=color), self._clipped(True)
        if float(np.ptp(px)) >= self.size[0] or float(np.ptp(py)) >= self.size[1]:
            # what is larger than the sheet is written where it stands
            mark: str | Markers = svg.path_element(svg.path_data(svg.polygon(px, py)), style, clip)
        else:
            moved = svg.polygon(px, py - self.size[1])
            mark = Markers(moved, len(px) + 1, [(0.0, self.size[1])], [style], clip)
        self._marks.append((zorder, mark))

    @plain
    def scatter(
        self, x: Any, y: Any, *, s: float, lw: float, zorder: float, color: str | Sequence[str] | None = None,
        facecolor: str | None = None, edgecolor: str, marker: str = "o", clip_on: bool = True,
    ) -> None:  # fmt: skip
        """Draw a marker at each point; ``s`` is its area."""
        px, py = self.across(x), self.down(y)
        faces = [facecolor or color] if isinstance(facecolor or color, str) else list(color or ())
        _refuse_unless(bool(np.isfinite([px, py]).all()) and lw > 0 and bool(faces) and not (color and facecolor))
        points = list(zip(px.tolist(), py.tolist(), strict=True))
        if not points:
            return
        _refuse_unless(len(faces) in {1, len(points)})
        _refuse_unless(marker == "o" or "none" not in faces)
        styles = [svg.css(face=None if f == "none" else str(f), stroke=edgecolor, width=lw) for f in faces]
        steps, vertices = svg.marker_steps(marker, float(s))
        self._marks.append((zorder, Markers(steps, vertices, points, styles, self._clipped(clip_on))))

    @plain
    def barh(self, y: Sequence[float], width: Sequence[float], *, height: float, color: str, lw: float,
             zorder: float) -> None:  # fmt: skip
        """Draw bars from 0 to their width."""
        _refuse_unless(lw == 0 and bool(np.isfinite([*y, *width]).all()))
        x0, style = float(self.across(0.0)), svg.css(face=color)
        for middle, value in zip(y, width, strict=True):
            x1, (y0, y1) = float(self.across(value)), self.down([middle - height / 2, middle - height / 2 + height])
            d = svg.path_data(svg.polygon(np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1])))
            self._marks.append((zorder, svg.path_element(d, style, self._clipped(True))))

    @plain
    def axvspan(
        self, xmin: float, xmax: float, *, color: str, lw: float, alpha: float, zorder: float, clip_on: bool = True
    ) -> None:
        """Fill what lies between two x values, over the height of the axes."""
        _refuse_unless(lw == 0)
        (x0, x1), (_, top, _, bottom) = self.across([xmin, xmax]), self.box
        d = svg.path_data(svg.polygon(np.array([x0, x1, x1, x0]), np.array([bottom, bottom, top, top])))
        style = svg.css(face=color, opacity=alpha)
        self._marks.append((zorder, svg.path_element(d, style, self._clipped(clip_on))))

    def is_whole(self) -> bool:
        """Whether both axes were told their ticks; matplotlib would choose some of its own."""
        return self._has_x and self._grid is not None

    def elements(self) -> Iterator[str]:
        """Yield what was drawn, from the lowest up."""
        left, _, right, bottom = map(svg.short, self.box)
        axis = svg.css(stroke=LIGHT["line"], width=1.0) | {"stroke-linejoin": "miter", "stroke-linecap": "square"}
        spine = svg.path_element(f"M {left} {bottom} L {right} {bottom}", axis)
        known: set[str] = set()
        count = 0
        for _, mark in sorted([*self._marks, (SPINE, spine), (AXIS, self._grid or "")], key=lambda mark: mark[0]):
            if isinstance(mark, str):
                yield mark
                continue
            kind = _kind_of(mark)
            if kind == "inline":
                yield from _inline(mark)
            elif kind == "once":
                yield _once(mark, known)
            else:
                yield _collected(mark, count)
                count += 1

    def clip_definition(self) -> str:
        """Return the definition of the box that marks were clipped to; empty where none was."""
        return svg.clip_element(self._clip, self._clip_box()) if self._clip else ""

    def _clipped(self, clip_on: bool) -> str:
        if clip_on and not self._clip:
            self._clip = svg.make_id("p", self._clip_box())
        return self._clip if clip_on else ""

    def _clip_box(self) -> tuple[Any, ...]:
        """Return left, top, width and height by the very steps of matplotlib: its id holds every digit of them."""
        w, h = (np.float64(side / 72) * 72 for side in self.size)
        left, top, right, bottom = self.box
        x, y, wide, tall = left / self.size[0], 1 - bottom / self.size[1], (right - left) / self.size[0], 0.0
        tall = (bottom - top) / self.size[1]
        x0, y0, x1, y1 = x * w, y * h, (x + wide) * w, (y + tall) * h
        wide, tall = ((x1 - x0) + x0) - x0, ((y1 - y0) + y0) - y0
        return x0, h - (y0 + tall), wide, tall


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=float)


def _refuse_unless(is_known: bool) -> None:
    if not is_known:
        raise NotPlainError


def _line(color: str, lw: float, ls: Dash) -> dict[str, str]:
    return svg.css(stroke=color, width=lw, dash=() if ls == "-" else ls[1])


def _steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of a line that keeps each value until the next."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def _kind_of(mark: Markers) -> str:
    """Return how matplotlib writes markers: ``once`` with one style, else what it reckons to be shorter."""
    if len(mark.styles) == 1 and mark.styles[0]["fill"] != "none":
        return "once"
    n = len(mark.points)
    return "collected" if mark.vertices + 9 * n + 3 < (mark.vertices + 5) * n else "inline"


def _once(mark: Markers, known: set[str]) -> str:
    # a matrix more than for a collection, after which no zero has a sign
    steps = [(letter, [v + 0.0 for v in at]) for letter, at in mark.steps]
    raw, style = svg.raw_data(steps), svg.css_text(mark.styles[0])
    name = svg.make_id("m", (raw, style))
    defined = ""
    if name not in known:
        known.add(name)
        lines = {key: value for key, value in mark.styles[0].items() if key.startswith("stroke")}
        defined = f"<defs>{svg.path_element(svg.path_data(steps), lines, name=name)}</defs>"
    return defined + svg.group("".join(svg.use_elements(name, mark.points, [style])), mark.clip)


def _collected(mark: Markers, count: int) -> str:
    raw = svg.raw_data(mark.steps)
    name = f"C{count:x}_0_{svg.make_id('', raw)}"
    path = svg.path_element(svg.path_data(mark.steps), {}, name=name)
    uses = svg.use_elements(name, mark.points, [svg.css_text(style) for style in mark.styles])
    return f"<defs>{path}</defs>" + "".join(svg.group(use, mark.clip) for use in uses)


def _inline(mark: Markers) -> Iterator[str]:
    for i, (x, y) in enumerate(mark.points):
        moved = [(letter, [v + (y if j % 2 else x) for j, v in enumerate(at)]) for letter, at in mark.steps]
        if mark.styles[i % len(mark.styles)]["fill"] == "none":
            # cut at the edges of the sheet, an outline is led back to its start before it is closed
            moved.insert(-1, ("L", moved[0][1]))
        yield svg.path_element(svg.path_data(moved), mark.styles[i % len(mark.styles)], mark.clip)
