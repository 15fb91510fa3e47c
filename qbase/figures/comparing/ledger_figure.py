"""What was put in beside what was measured, quarter by quarter; the drawing claims no effect."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import UNITS, count, interval, number, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text
from qbase.core.values import INSTRUMENTS
from qbase.figures.comparing.ledger_drawing import DOSE, SAFE, Ledger, Strip, draw_ledger, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    first_fit,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.tabulating.check_names import failed_note

SHOWN = 12
"""So many quarters stand in the table shown; the CSV holds all."""
SAFEGUARDS = tuple(f"S{i}" for i in range(1, 6))
HOW = Text(
    "上方点为结果，竖线为 95% 区间；下方每行一项工具或保障，柱高为该季度投入占最大值的份额，各工具同一尺度，空白为没有"
    "投入或没有记录。",
    "Dots on top are the outcome, bars its 95% interval. Below, a row for each instrument and safeguard: the height is "
    "the dose of the quarter on one scale for all instruments; nothing is no dose, or none on record.",
)
SIDE_BY_SIDE = Text(
    "投入与结果只是上下并列，不说明效果。", "Doses and outcome only stand side by side and say nothing of an effect."
)


def plot_dose_ledger(result: Result) -> Figure:
    """Draw doses of instruments and safeguards below an outcome.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.build_dose_ledger`: table ``ledger``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table, or a result without an answer (QB539).

    Examples
    --------
    >>> from qbase.figures import plot_dose_ledger
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_dose_ledger, read_dose_rows
    >>> workspace = open_workspace()
    >>> rows, panel = read_dose_rows(workspace), build_panel(workspace, "D1.batch")
    >>> figure = plot_dose_ledger(build_dose_ledger(panel, rows, "D1.batch", entity="K001"))
    >>> figure, figure.title.en
    (<Figure ledger:D1.batch.doses:K001>, '7 of 7 instruments used, 5 of 5 safeguards in place')
    """
    ledger = result.tables.get("ledger", pd.DataFrame())
    if ledger.empty:
        raise DataError(
            "QB539", name=result.name, table="ledger", found=", ".join(result.tables) or "no table",
            expected="table ledger", fix="plot_dose_ledger(build_dose_ledger(panel, rows, outcome))",
        )  # fmt: skip
    drawn = _ledger(result, ledger)
    name = f"ledger:{result.outcome.id}:{result.settings['entity'] or 'all'}"
    title, alt = _title(result), _alt(result, ledger)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_ledger, drawn),
        height=functools.partial(height_of, drawn),
    )  # fmt: skip
    return Figure(
        name=name, title=title, subtitle=_subtitle(result, ledger), how_to_read=HOW,
        note=sentences(SIDE_BY_SIDE, *failed_note(result), source_note(result)), alt=alt, drawings=drawings,
        table=_table(result, ledger, name), preview=preview,
    )  # fmt: skip


def _ledger(result: Result, ledger: pd.DataFrame) -> Ledger:
    most = float(np.nanmax(ledger[list(INSTRUMENTS)].to_numpy(dtype=float), initial=0.0))
    strips = [_strip(result, ledger, f"instrument[{c}]", c, most, DOSE, "tealf") for c in INSTRUMENTS]
    strips += [_strip(result, ledger, f"safeguard[{c}]", c, 100.0, SAFE, "goldf") for c in SAFEGUARDS]
    value, low, high = (ledger[c].to_numpy(dtype=float) for c in ("value", "low", "high"))
    measured = with_unit(result.labels["measured"], str(result.settings["outcome_unit"]))
    return Ledger(
        periods=tuple(periods.parse_period(p) for p in ledger["period"]), title=capital(measured), value=value, low=low,
        high=high, strips=tuple(strips),
    )  # fmt: skip


def _strip(result: Result, ledger: pd.DataFrame, label: str, code: str, full: float, height: float, role: str) -> Strip:
    values = ledger[code].to_numpy(dtype=float)
    return Strip(name=capital(result.labels[label]), values=values, full=full, height=height, role=role)


def _title(result: Result) -> Text:
    used, safe = (int(result.settings[name]) for name in ("n_used", "n_safeguards"))
    if result.settings["entity"] is not None:
        safe_text = Text(f"五项保障到位 {safe} 项", f"{safe} of 5 safeguards in place")
    else:
        safe_text = Text(f"五项保障 {safe} 项处处到位", f"{safe} of 5 safeguards in place everywhere")
    return first_fit([Text(f"七项工具投入 {used} 项，{safe_text.zh}", f"{used} of 7 instruments used, {safe_text.en}")])


def _subtitle(result: Result, ledger: pd.DataFrame) -> Text:
    first, last = (periods.label(periods.parse_period(ledger["period"].iloc[at])) for at in (0, -1))
    unit = UNITS["batch"]
    n = count(int(ledger["n"].fillna(0).sum()))
    measured = result.labels["measured"]
    return Text(
        f"{result.subject.zh}：政策工具与保障，并列{measured.zh}；{first.zh}至{last.zh}，n = {n} {unit.zh}",
        f"{capital(result.subject).en}: instruments and safeguards beside the {measured.en}; {first.en} to {last.en}, "
        f"n = {n} {unit.en}",
    )


def _alt(result: Result, ledger: pd.DataFrame) -> Text:
    told = [(result.labels[f"instrument[{e.key['instrument']}]"], number(e.value, 2)) for e in result.estimates]
    listed = Text("、".join(f"{t.zh} {v}" for t, v in told), ", ".join(f"{t.en} {v}" for t, v in told))
    known, measured = ledger.dropna(subset=["value"]), result.labels["measured"]
    text = Text(f"每季度平均投入：{listed.zh}。", f"Mean dose a quarter: {listed.en}.")
    if known.empty:
        return text
    row = known.iloc[-1]
    when = periods.label(periods.parse_period(row["period"]))
    return text + Text(
        f"{when.zh}的{measured.zh}为 {number(row['value'], 1)}。",
        f" The {measured.en} of {when.en} is {number(row['value'], 1)}.",
    )


def _table(result: Result, ledger: pd.DataFrame, name: str) -> Table:
    rows: list[tuple[str | Text, ...]] = [
        (
            periods.label(periods.parse_period(row["period"])),
            number(float(row["value"]), 1),
            interval(row["low"], row["high"]) if np.isfinite(row["low"]) else Text("–", "–"),
            _used([row[c] for c in INSTRUMENTS]),
            percent(float(np.mean([row[c] for c in SAFEGUARDS])), 0),
            _plan(row["tasks_done"], row["tasks_planned"]),
        )
        for row in ledger.tail(SHOWN).to_dict("records")
    ]
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in ledger[c]] for c in ledger.columns}
    data |= account_data([result.coverage] * len(ledger))
    return Table(
        name=f"{name}:table",
        caption=Text("投入、保障、计划与结果", "Doses, safeguards, plan and outcome"),
        columns=(
            Column(label=Text("季度", "Quarter")),
            Column(label=capital(result.labels["measured"]), numeric=True),
            Column(label=Text("95% CI", "95% CI"), numeric=True),
            Column(label=Text("投入的工具", "Instruments used"), numeric=True),
            Column(label=Text("保障到位", "Safeguards in place"), numeric=True),
            Column(label=Text("任务完成", "Tasks done"), numeric=True),
        ),
        rows=tuple(rows),
        note=SIDE_BY_SIDE,
        data=data,
    )


def _used(doses: list[float]) -> str:
    """Write how many instruments had a dose, of those with a record."""
    held = [d for d in doses if np.isfinite(d)]
    return f"{sum(d > 0 for d in held)}/{len(held)}" if held else "–"


def _plan(done: float, planned: float) -> str:
    return f"{count(int(done))}/{count(int(planned))}" if np.isfinite(planned) and planned > 0 else "–"
