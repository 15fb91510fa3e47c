"""Estimates side by side: one row each, with interval, zero line and verdict in words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from qbase.core.errors import DataError
from qbase.core.numbers import level_text, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, direction_of, quantity
from qbase.core.shown.display import Figure
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text, join, same
from qbase.core.values import Estimate
from qbase.figures.charts.event_figure import refuse_bare
from qbase.figures.surface.canvas import LINE, Sheet, render
from qbase.figures.surface.figure_words import (
    axis_unit,
    bracket,
    capital,
    counts,
    first_fit,
    model_of,
    row_label,
    sentences,
    source_note,
    uncapital,
    verdict,
)
from qbase.figures.surface.period_axis import number_ticks, tick_digits
from qbase.figures.tabulating.check_names import failed_note
from qbase.figures.tabulating.result_tables import spoken_of, tabulate_estimates

ROW, ROW_NARROW, HEAD, FOOT = 60, 92, 34, 30
HOW = Text(
    "圆点为估计值，横线为置信区间；横线盖住 0 即尚无法判断升降。两行区间重叠不等于两行没有差别。",
    "A dot is an estimate, the line its confidence interval; a line that covers 0 cannot tell the direction. "
    "Overlap of two lines does not show that they are alike.",
)


@dataclasses.dataclass(frozen=True, eq=False)
class _Row:
    """One row: whom and what, by which method, and what it says."""

    result: Result
    estimate: Estimate
    label: Text
    model: Text

    @property
    def digits(self) -> int:
        return digits_of(self.result, self.estimate)

    @property
    def value(self) -> Text:
        shown = number(self.estimate.value, self.digits, sign=True)
        doubt = bracket(self.estimate, self.digits, level=False)
        return Text(f"{shown}（{doubt.zh}）", f"{shown} ({doubt.en})")

    @property
    def role(self) -> str:
        return "grey" if self.estimate.covers_zero else "blue"


def plot_estimates(*results: Result, labels: Sequence[Text] = ()) -> Figure:
    """Draw the spoken estimates of several results under each other.

    Made for lines that must be read together, such as a replication with independent errors beside the
    same estimate with clustered errors.

    Parameters
    ----------
    *results : Result
        Changes, trends or effects in one unit.
    labels : sequence of Text
        Names of the results; method and standard errors when left out.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table of the estimates.

    Raises
    ------
    DataError
        No result (QB707), different units (QB706), an estimate without interval (QB702), a character
        without glyph (QB701).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import estimate_twfe
    >>> from qbase.figures import plot_estimates
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> panel, policy = build_case(home, "us_scrap_grants")
    >>> results = [estimate_twfe(panel, policy, "X1.log_scrap", vcov=v) for v in ("iid", None)]
    >>> figure = plot_estimates(*results)
    >>> print(figure.alt.en)
    Comparison of 2 estimates. Average effect, Two-way fixed effects, iid errors: −0.279 log points (95% CI −0.572
    to 0.015), cannot tell: could be lower or higher. Average effect, Two-way fixed effects, errors clustered by
    firm: −0.279 log points (95% CI −0.604 to 0.047), cannot tell: could be lower or higher.
    """
    rows = _rows(results, labels)
    name = "estimates:" + ":".join(dict.fromkeys(f"{r.outcome.id}:{r.method}" for r in results))
    title, alt = _title(rows), _alt(rows)
    draw = functools.partial(_draw, rows)
    drawings, preview = render(name, title=title, alt=alt, draw=draw, height=functools.partial(_height, len(rows)))
    table = tabulate_estimates(*results)
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(rows),
        how_to_read=HOW,
        note=sentences(*_notes(results), source_note(*results)),
        alt=alt,
        drawings=drawings,
        table=dataclasses.replace(table, name=f"{name}:table"),
        preview=preview,
    )


def _rows(results: Sequence[Result], labels: Sequence[Text]) -> tuple[_Row, ...]:
    units = list(dict.fromkeys(r.unit for r in results))
    if not results:
        raise DataError("QB707", found="0 results", expected="at least one", fix="plot_estimates(result, …)")
    if len(units) > 1:
        raise DataError(
            "QB706",
            found=" | ".join(units),
            expected="one unit",
            fix="plot_estimates once per unit, or tabulate_estimates",
        )
    rows = []
    several = len({r.outcome.id for r in results}) > 1
    for i, result in enumerate(results):
        model = labels[i] if i < len(labels) else model_of(result)
        for estimate in spoken_of(result):
            refuse_bare(estimate)
            label = row_label(result, estimate, several=several)
            rows.append(_Row(result=result, estimate=estimate, label=label, model=capital(model)))
    if not rows:
        raise DataError(
            "QB707",
            found="results without an estimate",
            expected="at least one estimate",
            fix="print(result.summary())",
        )
    # lines on one question stand together, whatever the order of the results
    first = {r.label.en: i for i, r in reversed(list(enumerate(rows)))}
    return tuple(sorted(rows, key=lambda r: first[r.label.en]))


def _height(n: int, narrow: bool) -> int:
    return HEAD + FOOT + n * (ROW_NARROW if narrow else ROW)


def _title(rows: Sequence[_Row]) -> Text:
    outcomes = list({r.result.outcome.id: r.result.outcome.label for r in rows}.values())
    settled = sum(direction_of(r.estimate, r.result.settings.get("margin")) != "cannot_tell" for r in rows)
    found = Text(f"{len(rows)} 个估计中 {settled} 个可判断升降", f"{settled} of {len(rows)} estimates tell a direction")
    if len(rows) == 1:
        found = uncapital(verdict(rows[0].result, rows[0].estimate, graded=False))
    elif settled == len(rows):
        found = Text(f"{len(rows)} 个估计都可判断升降", f"{len(rows)} of {len(rows)} estimates tell a direction")
    elif settled == 0:
        found = Text(f"{len(rows)} 个估计均尚无法判断升降", f"none of {len(rows)} estimates tells a direction")
    one = outcomes[0] if len(outcomes) == 1 else Text(f"{len(outcomes)} 项指标", f"{len(outcomes)} indicators")
    return first_fit([capital(Text(f"{one.zh}：{found.zh}", f"{one.en}: {found.en}")), capital(found)])


def _subtitle(rows: Sequence[_Row]) -> Text:
    subjects = list({r.result.subject.en: r.result.subject for r in rows}.values())
    unit = axis_unit(rows[0].result.unit)
    n = counts([r.estimate.n_obs for r in rows if r.estimate.n_obs is not None], same(""))
    who = join(subjects[:3], zh="、", en=", ") + (same("…") if len(subjects) > 3 else same(""))
    return capital(
        Text(
            f"{who.zh}；估计值与区间" + (f"（{unit.zh}）" if unit.zh else "") + f"；{n.zh}",
            f"{who.en}; estimate and interval" + (f" ({unit.en})" if unit.en else "") + f"; {n.en}",
        )
    )


def _notes(results: Sequence[Result]) -> list[Text]:
    levels = sorted({level_text(e.ci_level) for r in results for e in spoken_of(r)})
    words = Text(f"区间：{'、'.join(levels)} 置信区间。", f"Intervals: {', '.join(levels)} confidence.")
    return [words, *failed_note(*results)]


def _alt(rows: Sequence[_Row]) -> Text:
    parts = [Text(f"估计值比较图，共 {len(rows)} 行。", f"Comparison of {len(rows)} estimates.")]
    for r in rows:
        value = quantity(r.estimate.value, r.result.unit, r.digits, sign=True)
        doubt, says = bracket(r.estimate, r.digits), verdict(r.result, r.estimate, graded=False)
        parts.append(
            Text(
                f"{r.label.zh}，{r.model.zh}：{value.zh}（{doubt.zh}），{says.zh}。",
                f"{r.label.en}, {r.model.en}: {value.en} ({doubt.en}), {says.en.lower()}.",
            )
        )
    return sentences(*parts)


def _draw(rows: Sequence[_Row], sheet: Sheet) -> None:
    ends = [0.0]
    for r in rows:
        ends += [float(v) for v in (r.estimate.ci_low, r.estimate.ci_high) if v is not None]
    ticks = number_ticks(min(ends), max(ends), bins=4 if sheet.narrow else 6)
    low, high = min(ticks[0], min(ends)), max(ticks[-1], max(ends))
    pad = (high - low) * 0.02
    step = ROW_NARROW if sheet.narrow else ROW
    left, right = _columns(rows, sheet)
    top, bottom = float(HEAD), sheet.height - float(FOOT)
    sheet.frame(left=left, top=top, right=right, bottom=bottom, x=(low - pad, high + pad), y=(len(rows) - 0.5, -0.5))
    _ground(rows, sheet, ticks, top, bottom)
    for i, r in enumerate(rows):
        middle = top + (i + 0.5) * step
        _draw_row(r, sheet, middle, left, right)
        if i and sheet.narrow:
            sheet.stroke([0, sheet.width], [top + i * step] * 2, "grid")


def _columns(rows: Sequence[_Row], sheet: Sheet) -> tuple[float, float]:
    """Return the edges of the plot: labels to the left of it and words to the right, in a narrow drawing neither."""
    if sheet.narrow:
        return 8.0, sheet.width - 8.0
    names = [sheet.wide(sheet.t(r.label), bold=True) for r in rows]
    names += [sheet.wide(sheet.t(r.model), size=sheet.small) for r in rows]
    words = [sheet.wide(sheet.t(r.value), bold=True) for r in rows]
    words += [sheet.wide(_words(r, sheet), size=sheet.small) for r in rows]
    left, right = min(max(names) + 18, 240.0), min(max(words) + 18, 250.0)
    return left, sheet.width - right


def _words(row: _Row, sheet: Sheet) -> str:
    return sheet.t(verdict(row.result, row.estimate, short=True))


def _ground(rows: Sequence[_Row], sheet: Sheet, ticks: Sequence[float], top: float, bottom: float) -> None:
    digits = tick_digits(ticks)
    sheet.ax.set_yticks([])
    sheet.x_labels(ticks, [number(t, digits) for t in ticks])
    # in a narrow drawing the words stand above each line, and no rule may run through them
    spans = [(top, bottom)]
    if sheet.narrow:
        spans = [(top + i * ROW_NARROW + 60, top + (i + 1) * ROW_NARROW - 6) for i in range(len(rows))]
    for span in spans:
        for tick in ticks:
            sheet.stroke([sheet.px(tick)] * 2, span, "grid")
        sheet.stroke([sheet.px(0)] * 2, span, "ink", width=1.3)
    unit = axis_unit(rows[0].result.unit)
    words = Text("估计值" + (f"（{unit.zh}）" if unit.zh else ""), "Estimate" + (f" ({unit.en})" if unit.en else ""))
    sheet.text(sheet.px(sheet.ax.get_xlim()[0]), HEAD - 12, sheet.t(words), role="mut", va="baseline")


def _draw_row(row: _Row, sheet: Sheet, middle: float, left: float, right: float) -> None:
    low, high = row.estimate.ci_low, row.estimate.ci_high
    y = middle + 27 if sheet.narrow else middle
    (_write_above if sheet.narrow else _write_beside)(row, sheet, middle, left, right)
    if low is not None and high is not None:
        sheet.stroke([sheet.px(low), sheet.px(high)], [y, y], row.role, width=3.4, under=False)
    sheet.ax.scatter(
        [row.estimate.value], [np.round(sheet.value_at(y), 9)], s=64, color=LIGHT[row.role],
        edgecolor=LIGHT["bg"], lw=1.4, zorder=4, clip_on=False,
    )  # fmt: skip


def _write_above(row: _Row, sheet: Sheet, middle: float, left: float, right: float) -> None:
    line, value, small = sheet.size * LINE, sheet.t(row.value), sheet.small
    top, role = middle - ROW_NARROW / 2 + 14, _text_role(row)
    room = sheet.width - sheet.wide(value, bold=True) - 8
    sheet.text(0, top, sheet.fit(sheet.t(row.label), room, bold=True), bold=True)
    sheet.text(sheet.width, top, value, role=role, bold=True, ha="right")
    sheet.text(0, top + line, sheet.fit(sheet.t(row.model), sheet.width, size=small), role="mut", size=small)
    sheet.text(0, top + 2 * line, sheet.fit(_words(row, sheet), sheet.width, size=small), role=role, size=small)


def _write_beside(row: _Row, sheet: Sheet, middle: float, left: float, right: float) -> None:
    line, small = sheet.size * LINE, sheet.small
    model = sheet.wrap(sheet.t(row.model), left - 14, 2, size=small)
    top = middle - len(model) * line / 2
    sheet.text(0, top, sheet.fit(sheet.t(row.label), left - 14, bold=True), bold=True)
    sheet.lines(0, top + line, model, role="mut", size=small)
    room = sheet.width - right - 14
    words = sheet.wrap(_words(row, sheet), room, 2, size=small)
    top = middle - len(words) * line / 2
    value = sheet.fit(sheet.t(row.value), room, bold=True)
    sheet.text(right + 14, top, value, role=_text_role(row), bold=True)
    sheet.lines(right + 14, top + line, words, role="mut", size=small)


def _text_role(row: _Row) -> str:
    """Return the role of words: grey is for marks only, text on it would be too pale."""
    return "mut" if row.role == "grey" else "blue"
