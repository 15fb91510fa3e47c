"""How gates are drawn: a row a cluster, a column a gate, a mark that needs no colour."""

from __future__ import annotations

import dataclasses

from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet

ROW, ROW_NARROW, HEAD, FOOT, KEY = 26.0, 42.0, 34.0, 8.0, 30.0
MARKS = {"met": ("◆", "blue"), "cannot_tell": ("▽", "grey"), "not_met": ("▼", "orange")}
WORDS = {
    "met": Text("达到", "met"), "cannot_tell": Text("尚无法判断", "cannot tell"), "not_met": Text("未达到", "not met"),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class GateGrid:
    """Gates across, clusters down; one verdict a cell; how many gates each cluster meets, in words."""

    gates: tuple[str, ...]
    names: tuple[Text, ...]
    verdicts: tuple[tuple[str, ...], ...]
    sums: tuple[str, ...]
    bound: tuple[str, ...]


def height_of(grid: GateGrid, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return int(HEAD + FOOT + KEY + (ROW_NARROW if narrow else ROW) * len(grid.names))


def draw_gates(grid: GateGrid, sheet: Sheet) -> None:
    """Draw one variant."""
    step = ROW_NARROW if sheet.narrow else ROW
    bottom = HEAD + step * len(grid.names)
    left = 6.0 if sheet.narrow else min(max(sheet.wide(sheet.t(n)) for n in grid.names) + 16, 300.0)
    right = sheet.width - (6.0 if sheet.narrow else 58.0)
    sheet.frame(left=left, top=HEAD, right=right, bottom=bottom, x=(0, len(grid.gates)), y=(bottom, HEAD))
    sheet.ax.set_xticks([])
    sheet.ax.set_yticks([])
    sheet.ax.spines["bottom"].set_visible(False)
    every = 1 if sheet.px(1) - sheet.px(0) >= sheet.wide("N5", size=sheet.small) + 3 else 2
    for i, gate in enumerate(grid.gates):
        # where codes do not fit side by side every other one stands a line higher
        y = HEAD - 8 - (0 if every == 1 or i % 2 else 13)
        sheet.text(sheet.px(i + 0.5), y, gate, role="mut", ha="center", va="baseline", size=sheet.small)
    for row, name in enumerate(grid.names):
        top = HEAD + row * step
        middle = top + (0.72 if sheet.narrow else 0.5) * step
        sheet.stroke([left, right], [top, top], "grid")
        _write(grid, sheet, row, name, top, middle, left)
        for i, verdict in enumerate(grid.verdicts[row]):
            mark, role = MARKS[verdict]
            is_bound = grid.gates[i] == grid.bound[row]
            sheet.text(sheet.px(i + 0.5), middle, mark, role=role, ha="center", bold=is_bound)
            if is_bound:
                x = sheet.px(i + 0.5)
                sheet.stroke([x - 6, x + 6], [middle + 9, middle + 9], "ink", width=1.4)
    _draw_key(sheet, bottom, left)


def _write(grid: GateGrid, sheet: Sheet, row: int, name: Text, top: float, middle: float, left: float) -> None:
    """Write the name and the sum of a row."""
    if not sheet.narrow:
        sheet.text(0, middle, sheet.fit(sheet.t(name), left - 14))
        sheet.text(sheet.width, middle, grid.sums[row], role="mut", ha="right")
        return
    y = top + 0.5 * sheet.size * LINE + 2
    room = sheet.width - 12 - sheet.wide(grid.sums[row], size=sheet.small) - 10
    sheet.text(left, y, sheet.fit(sheet.t(name), room))
    sheet.text(sheet.width - 6, y, grid.sums[row], role="mut", ha="right", size=sheet.small)


def _draw_key(sheet: Sheet, bottom: float, left: float) -> None:
    """Say what the marks mean."""
    x = left
    for verdict, (mark, role) in MARKS.items():
        words = sheet.t(WORDS[verdict])
        sheet.text(x, bottom + KEY / 2, mark, role=role, size=sheet.small)
        sheet.text(x + 15, bottom + KEY / 2, words, role="mut", size=sheet.small)
        x += 15 + sheet.wide(words, size=sheet.small) + 16
