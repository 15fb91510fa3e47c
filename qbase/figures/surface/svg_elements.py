"""Elements of a drawing as text: the bytes that `finish_svg` makes of what matplotlib writes for the same marks.

Numbers go through six decimals to two, colours to roles, and ids are the hashes of matplotlib until a drawing is whole.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qbase.core.lazy import read_once
from qbase.core.shown.fonts import font_file, missing_glyphs
from qbase.figures.surface.figure_svg import JOINS, refuse, short_style

Floats = npt.NDArray[np.float64]
Steps = tuple[tuple[str, tuple[float, ...]], ...]
SALT = "qbase"
"""Setting ``svg.hashsalt`` of the house."""
MARK = "\0"
"""Stands around every id until it has its final name; no text of a drawing can hold it."""
SIMPLIFIED = 128
"""From so many points on matplotlib leaves out those that cannot be seen."""
THRESHOLD = 1 / 9
MANY = 60
"""So many marks of one style have it from a group."""
_ID = re.compile(f'id="{MARK}([^{MARK}]+){MARK}"')
_ANY = re.compile(f"{MARK}([^{MARK}]+){MARK}")


def six(value: float) -> str:
    """Return a number with at most six decimals, as matplotlib writes it."""
    text = f"{value:.6f}".rstrip("0")
    return text[:-1] if text[-1] == "." else text


def short(value: float) -> str:
    """Return a number as a report carries it; rounded twice, as `finish_svg` would."""
    text = six(value)
    if "." not in text:
        return text
    text = f"{float(text):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def path_data(steps: Iterable[tuple[str, Sequence[float]]]) -> str:
    """Return the ``d`` of a path from its letters and numbers."""
    return " ".join(" ".join((letter, *map(short, at))) for letter, at in steps)


def raw_data(steps: Iterable[tuple[str, Sequence[float]]]) -> str:
    """Return the ``d`` of a path as matplotlib writes it, from which it makes ids."""
    return "".join("z\n" if letter == "z" else f"{letter} {' '.join(map(six, at))} \n" for letter, at in steps)


def polygon(x: Floats, y: Floats) -> Steps:
    """Return a closed path through points."""
    at = list(zip(x.tolist(), y.tolist(), strict=True))
    return (("M", at[0]), *(("L", point) for point in at[1:]), ("z", ()))


def line_data(x: Floats, y: Floats, width: float, height: float) -> str:
    """Return the ``d`` of an open line in pixels: broken where a point is missing, cut at the edges of the sheet.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        In pixels from the top left; NaN breaks the line.
    width, height : float
        Of the sheet.
    """
    is_plain = 2 <= len(x) < SIMPLIFIED and min(x.min(), y.min()) >= 0 and x.max() <= width and y.max() <= height
    if is_plain:
        points = zip(x.tolist(), y.tolist(), strict=True)
        return "M " + " L ".join(f"{short(a)} {short(b)}" for a, b in points)
    from matplotlib.path import Path

    whole: Any = Path(np.column_stack([x, y]))
    # whatever the settings outside
    whole.simplify_threshold = THRESHOLD
    seen: Any = whole.cleaned(remove_nans=True, clip=(0.0, 0.0, width, height), simplify=len(x) >= SIMPLIFIED)
    codes = () if seen.codes is None else seen.codes.tolist()
    letters = {int(Path.MOVETO): "M", int(Path.LINETO): "L"}
    at = zip(codes, seen.vertices.tolist(), strict=True)
    return path_data((letters[code], point) for code, point in at if code in letters)


@functools.cache
def marker_steps(marker: str, area: float) -> tuple[Steps, int]:
    """Return the outline of a marker of `scatter` about its centre, and how many points matplotlib counts in it."""
    from matplotlib.markers import MarkerStyle
    from matplotlib.transforms import Affine2D

    style = MarkerStyle(marker)
    path: Any = style.get_path().transformed(style.get_transform())
    sized = Affine2D().scale(float(np.sqrt(area))).scale(1.0, -1.0)
    letters = {path.MOVETO: "M", path.LINETO: "L", path.CURVE3: "Q", path.CURVE4: "C", path.CLOSEPOLY: "z"}
    steps = tuple(
        (letters[code], () if code == path.CLOSEPOLY else tuple(at.tolist()))
        for at, code in path.iter_segments(sized, simplify=False)
    )
    return steps, len(path.vertices)


def css(
    *, face: str | None = None, stroke: str = "", width: float = 0.0, dash: Sequence[float] = (), opacity: float = 1.0,
) -> dict[str, str]:  # fmt: skip
    """Return the style of a path as matplotlib writes it; dashes are in widths of the line."""
    style = {"fill": "none" if face is None else face.lower()}
    if opacity != 1.0:
        style["opacity"] = six(opacity)
    if dash:
        style |= {"stroke-dasharray": ",".join(six(d * width) for d in dash), "stroke-dashoffset": "0"}
    if width:
        style["stroke"] = stroke.lower()
        if width != 1.0:
            style["stroke-width"] = six(width)
    return style


def css_text(style: Mapping[str, str]) -> str:
    """Return a style as matplotlib writes it."""
    return "; ".join(f"{key}: {value}" for key, value in style.items())


@functools.cache
def _final(raw: str) -> str:
    style = short_style(raw)
    if "#" in style:
        refuse(style)
    return style


def path_element(d: str, style: Mapping[str, str], clip: str = "", name: str = "") -> str:
    """Return a path; ``clip`` is the id of a clip path, ``name`` its own."""
    known = {"id": MARK + name + MARK if name else "", "d": d, "clip-path": clip and f"url(#{MARK}{clip}{MARK})"}
    known["style"] = _final(css_text(style))
    return "<path " + "".join(f'{key}="{value}" ' for key, value in known.items() if value) + "/>"


def use_elements(name: str, points: Iterable[tuple[float, float]], styles: Sequence[str]) -> list[str]:
    """Return one reference to a path for each point; styles are those of matplotlib, in turn.

    Many of one style share it in a group: a funnel of a thousand clusters would be twice as large.
    """
    final, points = [_final(style) for style in styles], list(points)
    head = f'<use href="#{MARK}{name}{MARK}"'
    if len(final) == 1 and len(points) >= MANY:
        uses = "".join(f'{head} x="{short(x)}" y="{short(y)}" />' for x, y in points)
        return [f'<g style="{final[0]}">{uses}</g>']
    return [
        f'{head} x="{short(x)}" y="{short(y)}" style="{final[i % len(final)]}" />' for i, (x, y) in enumerate(points)
    ]


def group(parts: str, clip: str) -> str:
    """Return elements within a clip path, or as they are."""
    return f'<g clip-path="url(#{MARK}{clip}{MARK})">{parts}</g>' if clip else parts


def clip_element(name: str, box: Sequence[float]) -> str:
    """Return the definition of a rectangle: left, top, width and height."""
    known = zip(("x", "y", "width", "height"), map(short, box), strict=True)
    inside = "".join(f'{key}="{value}" ' for key, value in known)
    return f'<defs><clipPath id="{MARK}{name}{MARK}"><rect {inside}/></clipPath></defs>'


def text_element(
    x: float, y: float, text: str, *, size: float, bold: bool, anchor: str, colour: str, middle: bool
) -> str:
    """Return one line of text at a pixel; ``middle`` puts half its height above ``y``."""
    style = {"font-weight": "700"} if bold else {}
    style |= {"font-size": f"{six(size)}px", "text-anchor": anchor, "fill": colour.lower()}
    down = _rise(text) * size / 2 if middle else 0.0
    return f'<text style="{_final(css_text(style))}" x="{short(x)}" y="{short(y + down)}">{escape(text)}</text>'


def escape(text: str) -> str:
    """Return a text as it stands between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def make_id(kind: str, content: object) -> str:
    """Return the id that matplotlib gives to a definition."""
    return kind + hashlib.sha256(f"{SALT}{content}".encode()).hexdigest()[:10]


def whole_drawing(parts: Iterable[str], *, box: tuple[float, float], name: str, title: str, desc: str) -> str:
    """Return the ``<svg>`` of a drawing from its elements, with ids of its own.

    Parameters
    ----------
    parts : iterable of str
        Elements in the order they are drawn.
    box : tuple of (float, float)
        Width and height.
    name, title, desc : str
        As `finish_svg` takes them.
    """
    body = f'<g style="{JOINS}">{"".join(parts)}</g>'
    known = "\0".join([name, title, desc, body.replace(MARK, "")])
    prefix = "q" + hashlib.sha256(known.encode()).hexdigest()[:10]
    names = {raw: f"{prefix}-{i + 1}" for i, raw in enumerate(dict.fromkeys(_ID.findall(body)))}
    body = _ANY.sub(lambda m: names[m[1]], body)
    return (
        f'<svg viewBox="0 0 {short(box[0])} {short(box[1])}" role="img" aria-labelledby="{prefix}t {prefix}d">'
        f'<title id="{prefix}t">{escape(title)}</title><desc id="{prefix}d">{escape(desc)}</desc>{body}</svg>'
    )


class Glyph(NamedTuple):
    """How far a character moves on, and how far it rises above the line, in units of the font size."""

    advance: float
    rise: float


@functools.cache
def read_glyph(character: str) -> Glyph:
    """Read the measures of a character in the Chinese font; what it lacks is refused later, with all its fellows."""
    from matplotlib.ft2font import LoadFlags

    if missing_glyphs(character):
        return Glyph(1.0, 0.0)
    found = _font().load_char(ord(character), flags=LoadFlags.NO_HINTING)
    return Glyph(float(found.linearHoriAdvance) / 65536 / 100, found.bbox[3] / 64 / 100)


@read_once
def _font() -> Any:
    from matplotlib.ft2font import FT2Font

    # in memory: forks would share the position in an open file, and each read what another looked for
    font = FT2Font(io.BytesIO(font_file().read_bytes()))
    font.set_size(100, 72)
    return font


@read_once
def _ascender() -> float:
    """Return how far the font says that it rises above the line, in units of its size."""
    tables = [_font().get_sfnt_table(name) for name in ("OS/2", "head")]
    return float(tables[0]["sTypoAscender"]) / float(tables[1]["unitsPerEm"])


def _rise(text: str) -> float:
    """Return how far a line rises above its baseline, in units of the font size: by its font, or by a higher glyph."""
    return max(_ascender(), *(read_glyph(c).rise for c in text))
