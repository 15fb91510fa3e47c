"""How an event study is drawn: shaded leads, two kinds of interval, the average effect at the side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import level_text, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, quantity
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.figures.surface.canvas import LINE, Sheet
from qbase.figures.surface.figure_words import axis_unit, bracket
from qbase.figures.surface.period_axis import number_ticks, shown, tick_digits

BASE = -1
KEY = (
    Text("粗线：逐点 {level} CI", "Thick: pointwise {level} CI"),
    Text("细线：联合 {level} 区间", "Thin: joint {level} band"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Everything the drawings of an event study need; events in order of time."""

    result: Result
    events: tuple[Estimate, ...]
    att: Estimate | None
    start: pd.Period | None
    step: Text

    @property
    def times(self) -> list[int]:
        """Event times in order."""
        return [int(e.key["event_time"]) for e in self.events]

    @property
    def base(self) -> int | None:
        """The event time that is 0 by definition, or None when it was estimated."""
        stated = self.result.settings.get("base", BASE)
        if isinstance(stated, str):
            return None
        return None if int(stated) in self.times else int(stated)

    @property
    def has_treated(self) -> bool:
        """Whether every event says how many treated stand behind it."""
        return all(e.n_treated is not None for e in self.events)

    def shown(self, time: int) -> str:
        """Return an event time as it is written; a binned end stands for all beyond it."""
        side = "" if time not in self.result.settings.get("binned", ()) else ("≥" if time >= 0 else "≤")
        return side + number(time, 0, sign=True)

    @property
    def digits(self) -> int:
        """Decimals of the events, the same as in sentence and table."""
        return digits_of(self.result, self.events[0])

    @property
    def has_joint(self) -> bool:
        """Whether every event with an interval carries a joint one."""
        told = [e for e in self.events if e.ci_low is not None]
        return bool(told) and all(e.joint_low is not None and e.joint_high is not None for e in told)


def _limits(study: Study) -> tuple[float, float, list[float]]:
    values = [0.0]
    for e in (*study.events, *([study.att] if study.att else [])):
        values += [v for v in (e.ci_low, e.ci_high, e.joint_low, e.joint_high) if v is not None]
    ticks = number_ticks(min(values), max(values))
    return min(ticks[0], min(values)), max(ticks[-1], max(values)), ticks


def draw_study(study: Study, sheet: Sheet) -> None:
    """Draw one variant."""
    low, high, ticks = _limits(study)
    digits = tick_digits(ticks)
    labels = [number(t, digits) for t in ticks]
    left = max(map(sheet.wide, labels)) + (8 if sheet.narrow else 12)
    side = _side_texts(study, sheet)
    key = max(sheet.wide(t, size=sheet.small) for t in _key(study, sheet))
    room = max([key, *(sheet.wide(t, bold=True) for t in side)]) + 16
    right = sheet.width - (4 if sheet.narrow else room)
    row = sheet.size * LINE
    top, bottom = 30.0 + (row if sheet.narrow and side else 0), sheet.height - 30.0 - row
    head, foot = row + 10, row + 8 + (sheet.small * LINE if study.has_treated else 0)
    scale = (high - low) / (bottom - top - head - foot)
    times = [*study.times, *([study.base] if study.base is not None else [])]
    x = (min(times) - 0.6, max(times) + 0.6)
    sheet.frame(left=left, top=top, right=right, bottom=bottom, x=x, y=(low - foot * scale, high + head * scale))
    title = Text(
        f"与基期相比的差异变化（{axis_unit(study.result.unit).zh}）",
        f"Change vs base ({axis_unit(study.result.unit).en})",
    )
    if not axis_unit(study.result.unit).zh:
        title = Text("与基期相比的差异变化", "Change vs base")
    sheet.y_axis(ticks, labels, "")
    sheet.text(left, 21, sheet.t(title), role="mut", va="baseline")
    _x_axis(study, sheet, times, right - left)
    _draw_ground(study, sheet, left, top, right, bottom)
    _draw_events(study, sheet)
    if study.has_treated:
        _draw_treated(study, sheet, bottom)
    _draw_words(study, sheet, left, top, right, bottom)
    if side:
        _draw_side(study, sheet, side, right, top, bottom)
    if not sheet.narrow:
        _draw_key(study, sheet, right, top, bottom)


def _x_axis(study: Study, sheet: Sheet, times: list[int], room: float) -> None:
    slot = room / (max(times) - min(times) + 1.2)
    slots = range(min(times), max(times) + 1)
    wide = max(sheet.wide(study.shown(t)) for t in slots) + 6
    step = next(s for s in (1, 2, 4, 5, 10, 20, 50, 1000) if s * slot >= wide)
    at = [t for t in slots if t % step == 0]
    sheet.x_labels(at, [study.shown(t) for t in at])
    word = Text(
        f"实施后的{study.step.zh}数（0 为实施当期）", f"{study.step.en.capitalize()} since adoption (0 = adoption)"
    )
    sheet.text(sheet.px(sheet.ax.get_xlim()[0]), sheet.height - 8, sheet.t(word), role="mut", va="baseline")


def _draw_ground(study: Study, sheet: Sheet, left: float, top: float, right: float, bottom: float) -> None:
    ax = sheet.ax
    ax.axvspan(ax.get_xlim()[0], -0.5, color=LIGHT["greyf"], lw=0, alpha=0.7, zorder=0, clip_on=False)
    zero, start = sheet.py(0), sheet.px(-0.5)
    sheet.stroke([left, right], [zero, zero], "ink", width=1.3)
    sheet.stroke([start, start], [top, bottom], "plum", width=1.6, dash=(5, 3))
    if study.att is not None:
        y = sheet.py(study.att.value)
        sheet.stroke([start + 2, right], [y, y], "blue", width=1.3, dash=(1.2, 2))


def _draw_events(study: Study, sheet: Sheet) -> None:
    ax = sheet.ax
    slot = sheet.px(1) - sheet.px(0)
    dot = float(np.clip(slot * 0.26, 4.0, 8.0))
    bar = float(np.clip(slot * 0.13, 2.0, 4.0))
    for role, part in (
        ("grey", [e for e in study.events if int(e.key["event_time"]) < 0]),
        ("blue", [e for e in study.events if int(e.key["event_time"]) >= 0]),
    ):
        bare = [e for e in part if e.ci_low is None]
        # too few treated stand behind these: described by a hollow dot, never joined to the others
        ax.scatter(
            [int(e.key["event_time"]) for e in bare], [e.value for e in bare], s=dot**2, facecolor=LIGHT["bg"],
            edgecolor=LIGHT[role], lw=1.2, zorder=3.9, clip_on=False,
        )  # fmt: skip
        frame = pd.DataFrame([{"x": e.key["event_time"], **e.payload()} for e in part if e.ci_low is not None])
        if frame.empty:
            continue
        colour = LIGHT[role]
        if study.has_joint:
            ax.vlines(
                frame["x"], frame["joint_low"], frame["joint_high"], color=colour, lw=1.1, zorder=3, clip_on=False
            )
        ax.vlines(frame["x"], frame["ci_low"], frame["ci_high"], color=colour, lw=bar, zorder=3.1, clip_on=False)
        ax.scatter(
            frame["x"], frame["value"], s=dot**2, color=colour, edgecolor=LIGHT["bg"], lw=1.2, zorder=4, clip_on=False
        )
    if study.base is not None:
        ax.scatter([study.base], [0], s=dot**2, facecolor=LIGHT["bg"], edgecolor=LIGHT["grey"], lw=1.6, zorder=4)
        word = sheet.t(Text("基期", "base"))
        half = sheet.wide(word, size=sheet.small) / 2
        x = min(sheet.px(study.base), sheet.px(-0.5) - half - 4) if study.base < 0 else sheet.px(study.base)
        # the start of the policy is named at the bottom
        below = sheet.py(0) + dot + 9 < sheet.py(ax.get_ylim()[0]) - 2 * sheet.size
        y = sheet.py(0) + (dot + 9 if below else -dot - 9)
        sheet.text(x, y, word, role="mut", size=sheet.small, ha="center")


def _draw_treated(study: Study, sheet: Sheet, bottom: float) -> None:
    """Write under each dot how many treated entities stand behind it, as far as they fit."""
    slot = sheet.px(1) - sheet.px(0)
    wide = max(sheet.wide(str(e.n_treated), size=sheet.small) for e in study.events) + 4
    step = next(s for s in (1, 2, 4, 5, 10, 20, 50, 1000) if s * slot >= wide)
    for e in study.events:
        at = int(e.key["event_time"])
        if at % step == 0:
            sheet.text(sheet.px(at), bottom - 6, str(e.n_treated), role="mut", size=sheet.small, ha="center")


def _draw_words(study: Study, sheet: Sheet, left: float, top: float, right: float, bottom: float) -> None:
    start = sheet.px(-0.5)
    y = top + sheet.size * 0.8
    before = [Text("实施前：应接近 0", "Before: should be near 0"), Text("实施前", "Before")]
    # whether that change is an effect is for the sentence to say
    after = [Text("实施后：差异变化", "After: change of the difference"), Text("实施后", "After")]
    _one_of(sheet, before, start - left - 12, left + 6, y, "mut", bold=False)
    _one_of(sheet, after[leads_failed(study.result) :], right - start - 12, start + 8, y, "blue", bold=True)
    when = "" if study.start is None else shown(study.start, sheet.lang)
    labels = [Text(f"{when} 政策实施".strip(), f"Policy starts {when}".strip()), Text("实施", "Start")]
    fits = next((t for t in labels if sheet.wide(sheet.t(t), bold=True) <= start - left - 8), None)
    y = bottom - sheet.size * 0.8 - (sheet.small * LINE if study.has_treated else 0)
    if fits is not None:
        sheet.text(start - 7, y, sheet.t(fits), role="plum", bold=True, ha="right")
    else:
        sheet.text(start + 7, y, sheet.t(labels[0]), role="plum", bold=True)


def _one_of(sheet: Sheet, texts: list[Text], room: float, x: float, y: float, role: str, *, bold: bool) -> None:
    """Write the longest of some texts that fits, or none."""
    for text in texts:
        if sheet.wide(sheet.t(text), bold=bold) <= room:
            sheet.text(x, y, sheet.t(text), role=role, bold=bold)
            return


def _side_texts(study: Study, sheet: Sheet) -> list[str]:
    """Return the lines of the average effect; in a narrow drawing one line that fits."""
    if study.att is None:
        return []
    att, unit, digits = study.att, study.result.unit, digits_of(study.result, study.att)
    value = quantity(att.value, unit, digits, sign=True)
    if unit == "pp":
        value = Text(value.zh, f"{number(att.value, digits, sign=True)} pp")
    lines = [sheet.t(Text("平均效果", "Average effect")), sheet.t(value), sheet.t(bracket(att, digits))]
    if not sheet.narrow:
        return lines
    short = [sheet.t(Text("平均", "Average")), number(att.value, digits, sign=True), sheet.t(bracket(att, digits))]
    choices = [" ".join(lines), " ".join(short), " ".join(short[1:])]
    return [next((c for c in choices if sheet.wide(c, bold=True) <= sheet.width * 0.86), choices[-1])]


def _draw_side(study: Study, sheet: Sheet, side: list[str], right: float, top: float, bottom: float) -> None:
    row = sheet.size * LINE
    if sheet.narrow:
        sheet.text(sheet.px(sheet.ax.get_xlim()[0]), 21 + row, side[0], role="blue", bold=True, va="baseline")
    elif study.att is not None:
        y = float(np.clip(sheet.py(study.att.value), top + row, bottom - row * 1.5))
        sheet.lines(right + 12, y - row, side, role="blue", bold=True)


def _draw_key(study: Study, sheet: Sheet, right: float, top: float, bottom: float) -> None:
    """Explain the two kinds of line at the right, in the half the average effect leaves free."""
    row = sheet.small * LINE
    lines = _key(study, sheet)
    is_low = study.att is not None and sheet.py(study.att.value) > (top + bottom) / 2
    sheet.lines(right + 12, top + row if is_low else bottom - row * 1.5, lines, role="mut", size=sheet.small)


def _key(study: Study, sheet: Sheet) -> list[str]:
    level = level_text(study.events[0].ci_level)
    return [sheet.t(t.format(level=level)) for t in (KEY if study.has_joint else KEY[:1])]


def leads_failed(result: Result) -> bool:
    """Return whether the groups moved apart before adoption."""
    return any(c.name == "parallel_leads" and c.passed is False for c in result.checks)
