"""A sheet drawn by matplotlib: previews, and what `plain_axes` does not know."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from qbase.core.shown.fonts import font_file
from qbase.core.shown.palette import LIGHT
from qbase.figures.surface.plain_axes import Call
from qbase.figures.surface.theme import FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure
    from matplotlib.font_manager import FontProperties

PREVIEW_DPI = 144


class RealSheet:
    """A figure of matplotlib that takes the calls of a sheet; coordinates are pixels from the top left.

    Parameters
    ----------
    width, height : float
        In pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.fig: MplFigure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.fig.patch.set_visible(False)
        self.ax: Axes

    def repeat(self, calls: Iterable[Call]) -> None:
        """Draw what is on record."""
        for call in calls:
            getattr(self.ax if call.to_axes else self, call.name)(*call.args, **call.options)

    def frame(
        self, *, left: float, top: float, right: float, bottom: float, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        """Open axes in a box, with limits of the data."""
        w, h = self.width, self.height
        self.ax = self.fig.add_axes((left / w, 1 - bottom / h, (right - left) / w, (bottom - top) / h))
        self.ax.set(xlim=x, ylim=y)
        self.ax.patch.set_visible(False)

    def text(self, x: float, y: float, text: str, *, role: str, size: float, bold: bool, ha: str, va: str) -> None:
        """Write one line."""
        self.fig.text(
            x / self.width, 1 - y / self.height, text, color=LIGHT[role], ha=ha, parse_math=False,
            va="center_baseline" if va == "center" else va, fontproperties=_font(size, bold),
        )  # fmt: skip

    def stroke(
        self, xs: Sequence[float], ys: Sequence[float], role: str, *, width: float, dash: Sequence[float], under: bool
    ) -> None:
        """Draw a line through pixels."""
        from matplotlib.lines import Line2D

        self.ax.add_artist(
            Line2D(
                [x / self.width for x in xs], [1 - y / self.height for y in ys], color=LIGHT[role], lw=width,
                ls=(0, tuple(dash)) if dash else "-", transform=self.fig.transFigure, clip_on=False,
                zorder=2.0 if under else 3.5, dash_capstyle="butt",
            )
        )  # fmt: skip

    def ticks(self, at: Sequence[float], labels: Sequence[str], size: float) -> None:
        """Label y values and draw a line across at each."""
        self.ax.set_yticks(list(at), list(labels), fontproperties=_font(size, False))

    def svg(self) -> str:
        """Return the drawing as matplotlib writes it."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        buffer = io.StringIO()
        FigureCanvasSVG(self.fig)
        self.fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        return buffer.getvalue()

    def png(self) -> bytes:
        """Return the drawing as an image at double size, on the colour of the page."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.fig.patch.set(visible=True, facecolor=LIGHT["bg"])
        self.fig.set_canvas(FigureCanvasAgg(self.fig))
        buffer = io.BytesIO()
        self.fig.savefig(buffer, format="png", dpi=PREVIEW_DPI, metadata={"Software": None})
        return buffer.getvalue()


@functools.cache
def _font(size: float, bold: bool) -> FontProperties:
    """Return the font by file: no search, and no complaint that the package has no bold face."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=list(FAMILIES), fname=str(font_file()), size=size, weight="bold" if bold else "normal")
