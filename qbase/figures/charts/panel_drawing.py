"""How a panel is drawn: a row an entity, a bar where it was seen, dark once it adopted, open where it was not."""

from __future__ import annotations

import dataclasses
import math

from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet

ROW, ROW_NARROW, HEAD, FOOT, KEY = 20.0, 38.0, 30.0, 8.0, 30.0
BAR = 7.0
TICKS, TICKS_NARROW = 8, 4
ROLES = {"seen": "grey", "adopted": "blue"}
WORDS = {
    "seen": Text("有观测", "seen"),
    "adopted": Text("采用政策后", "since adoption"),
    "withheld": Text("不公开（…）", "withheld (…)"),
}


@dataclasses.dataclass(frozen=True)
class SeenGrid:
    """Periods across, entities down; a state a cell: ``seen``, ``adopted``, ``withheld`` or empty."""

    periods: tuple[str, ...]
    names: tuple[Text, ...]
    states: tuple[tuple[str, ...], ...]
    sums: tuple[str, ...]

    def runs(self, row: int) -> list[tuple[str, int, int]]:
        """Return state, first place and the place after the last of each stretch of a row that is not empty."""
        found: list[tuple[str, int, int]] = []
        for i, state in enumerate(self.states[row]):
            if found and found[-1][0] == state and found[-1][2] == i:
                found[-1] = (state, found[-1][1], i + 1)
            elif state:
                found.append((state, i, i + 1))
        return found


def height_of_panel(grid: SeenGrid, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return int(HEAD + FOOT + KEY + (ROW_NARROW if narrow else ROW) * len(grid.names))


def draw_panel(grid: SeenGrid, sheet: Sheet) -> None:
    """Draw one variant."""
    step = ROW_NARROW if sheet.narrow else ROW
    bottom = HEAD + step * len(grid.names)
    left = 6.0 if sheet.narrow else min(max(sheet.wide(sheet.t(n)) for n in grid.names) + 16, 300.0)
    right = sheet.width - (6.0 if sheet.narrow else 58.0)
    sheet.frame(left=left, top=HEAD, right=right, bottom=bottom, x=(0, len(grid.periods)), y=(bottom, HEAD))
    sheet.ax.set_xticks([])
    sheet.ax.set_yticks([])
    sheet.ax.spines["bottom"].set_visible(False)
    every = math.ceil(len(grid.periods) / (TICKS_NARROW if sheet.narrow else TICKS))
    for i in range(0, len(grid.periods), every):
        sheet.text(sheet.px(i), HEAD - 8, grid.periods[i], role="mut", va="baseline", size=sheet.small)
    for row, name in enumerate(grid.names):
        top = HEAD + row * step
        middle = top + (0.72 if sheet.narrow else 0.5) * step
        sheet.stroke([left, right], [top, top], "grid")
        _write(sheet, name, grid.sums[row], top, middle, left)
        for state, start, end in grid.runs(row):
            if state == "withheld":
                sheet.text(sheet.px((start + end) / 2), middle, "…", role="mut", ha="center", size=sheet.small)
                continue
            sheet.stroke([sheet.px(start + 0.1), sheet.px(end - 0.1)], [middle, middle], ROLES[state], width=BAR)
    _draw_key(grid, sheet, bottom, left)


def _write(sheet: Sheet, name: Text, told: str, top: float, middle: float, left: float) -> None:
    """Write the name of a row, and how many periods it was seen."""
    if not sheet.narrow:
        sheet.text(0, middle, sheet.fit(sheet.t(name), left - 14))
        sheet.text(sheet.width, middle, told, role="mut", ha="right")
        return
    y = top + 0.5 * sheet.size * LINE + 2
    room = sheet.width - 12 - sheet.wide(told, size=sheet.small) - 10
    sheet.text(left, y, sheet.fit(sheet.t(name), room))
    sheet.text(sheet.width - 6, y, told, role="mut", ha="right", size=sheet.small)


def _draw_key(grid: SeenGrid, sheet: Sheet, bottom: float, left: float) -> None:
    """Say what the bars mean, of those that are there."""
    there = {state for row in grid.states for state in row}
    x, y = left, bottom + KEY / 2
    for state, words in WORDS.items():
        if state not in there:
            continue
        if state in ROLES:
            sheet.stroke([x, x + 16], [y, y], ROLES[state], width=BAR)
        said = sheet.t(words)
        sheet.text(x + (22 if state in ROLES else 0), y, said, role="mut", size=sheet.small)
        x += 22 + sheet.wide(said, size=sheet.small) + 16
