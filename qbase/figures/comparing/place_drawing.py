"""How a map of tiles is drawn: one square a place, its value written in it, hatched where nothing can be said."""

from __future__ import annotations

import dataclasses

from qbase.core.text import Text
from qbase.figures.surface.canvas import Sheet

GAP, KEY, MOST_WIDE, HATCH = 4.0, 24.0, 104.0, 7.0
MARKS = {"": ("", "ink", "bg"), "low": ("▼", "ink", "orangef"), "high": ("▲", "ink", "bluef")}
"""Mark, role of the words, role that fills the tile; who cannot be told from the mean is hatched instead."""
WORDS = {
    "high": Text("明显高于平均", "above the mean"),
    "low": Text("明显低于平均", "below the mean"),
    "": Text("与平均分不出（斜线）", "cannot be told from the mean (hatched)"),
    "none": Text("没有数字（虚框）", "no number (dashed)"),
}
TALL = {True: 46.0, False: 54.0}


@dataclasses.dataclass(frozen=True)
class PlaceTile:
    """One place: where it stands, what it is called, its value as written, and on which side of the mean it lies.

    ``side`` is ``low``, ``high``, empty where that cannot be told, ``none`` where there is no number. ``is_far`` says
    that it lies outside the wider limits as well.
    """

    column: int
    row: int
    name: Text
    value: str
    side: str
    is_far: bool = False


@dataclasses.dataclass(frozen=True)
class PlaceMap:
    """The tiles, and the words of the key for those sides that occur."""

    tiles: tuple[PlaceTile, ...]
    key: tuple[str, ...]

    @property
    def across(self) -> int:
        """Columns."""
        return 1 + max(tile.column for tile in self.tiles)

    @property
    def down(self) -> int:
        """Rows."""
        return 1 + max(tile.row for tile in self.tiles)


def height_of(shown: PlaceMap, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return int(shown.down * (TALL[narrow] + GAP) + KEY * (len(shown.key) if narrow else -(-len(shown.key) // 2)) + 16)


def draw_places(shown: PlaceMap, sheet: Sheet) -> None:
    """Draw one variant."""
    tall = TALL[sheet.narrow]
    bottom = shown.down * (tall + GAP)
    wide = min(MOST_WIDE, (sheet.width + GAP) / shown.across - GAP)
    sheet.frame(left=0.0, top=0.0, right=sheet.width, bottom=bottom, x=(0.0, sheet.width), y=(bottom, 0.0))
    sheet.ax.set_xticks([])
    sheet.ax.set_yticks([])
    sheet.ax.spines["bottom"].set_visible(False)
    for tile in shown.tiles:
        _draw_tile(tile, sheet, tile.column * (wide + GAP), tile.row * (tall + GAP), wide, tall)
    columns = 1 if sheet.narrow else 2
    for i, side in enumerate(shown.key):
        x, y = i % columns * sheet.width / columns, bottom + 10 + (i // columns + 0.5) * KEY
        _draw_tile(PlaceTile(0, 0, Text("", ""), "", side), sheet, x, y - 8, 16.0, 16.0)
        sheet.text(x + 24, y, f"{_mark(side)} {sheet.t(WORDS[side])}".strip(), role="mut", size=sheet.small)


def _mark(side: str) -> str:
    return MARKS[side][0] if side in MARKS else ""


def _draw_tile(tile: PlaceTile, sheet: Sheet, x: float, y: float, wide: float, tall: float) -> None:
    _, role, fill = MARKS.get(tile.side, MARKS[""])
    if fill != "bg":
        sheet.stroke([x, x + wide], [y + tall / 2] * 2, fill, width=tall)
    if tile.side == "":
        _hatch(sheet, x, y, wide, tall)
    xs = [x + 0.5, x + wide - 0.5, x + wide - 0.5, x + 0.5, x + 0.5]
    ys = [y + 0.5, y + 0.5, y + tall - 0.5, y + tall - 0.5, y + 0.5]
    sheet.stroke(xs, ys, "ink" if tile.is_far else "grey", width=2.2 if tile.is_far else 1.0,
                 dash=(4.0, 3.0) if tile.side == "none" else ())  # fmt: skip
    if tile.name.zh:
        name = sheet.fit(sheet.t(tile.name), wide - 8, size=sheet.small)
        sheet.text(x + wide / 2, y + 0.3 * tall, name, size=sheet.small, role=role, ha="center")
        words = f"{_mark(tile.side)} {tile.value}".strip()
        words = words if sheet.wide(words, bold=True) <= wide - 4 else tile.value
        sheet.text(x + wide / 2, y + 0.7 * tall, words, bold=tile.side in {"low", "high"}, role=role, ha="center")


def _hatch(sheet: Sheet, x: float, y: float, wide: float, tall: float) -> None:
    """Draw slanted lines from edge to edge of a tile, to and fro: one line is a tenth of the bytes of many."""
    xs: list[float] = []
    ys: list[float] = []
    for i, reach in enumerate(range(int(HATCH), int(wide + tall), int(HATCH))):
        ends = [(min(reach, wide), max(0.0, reach - wide)), (max(0.0, reach - tall), min(reach, tall))]
        for across, down in ends if i % 2 else reversed(ends):
            xs.append(x + across)
            ys.append(y + down)
    sheet.stroke(xs, ys, "line", width=0.8)
