"""A funnel: rates by the number tested, with the limits of entities alike."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from qbase.core.coverage import HIDDEN
from qbase.core.errors import DataError
from qbase.core.numbers import UNITS, count, interval, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.comparing.funnel_drawing import FEW, Funnel, draw_funnel
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    definition_note,
    first_fit,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.tabulating.check_names import failed_note

MAX_ROWS = 60
MOST_DATA = 600
"""A page holds no more entities as data, or a province of a thousand clusters would not fit into it."""
HOW = Text(
    "抽查越少，正常波动越大，界限越宽。界限之外才值得查原因（菱形在 99.8% 之外），界限之内不宜排名。",
    "The fewer tested, the more a rate varies by chance, and the wider the limits. Outside them ask why (diamonds: "
    "outside 99.8%); inside them there is nothing to rank.",
)
PLACES = {
    "": Text("界限之内", "Inside"),
    "low_95": Text("低于 95% 下限", "Below 95%"),
    "high_95": Text("高于 95% 上限", "Above 95%"),
    "low_998": Text("低于 99.8% 下限", "Below 99.8%"),
    "high_998": Text("高于 99.8% 上限", "Above 99.8%"),
}
PHONE = 420


def plot_funnel(result: Result, *, entity: str | None = None) -> Figure:
    """Draw rates by the number tested with their funnel; only who lies outside is named, and whom the reader asks for.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.compare_peers`: tables ``peers`` and ``limits``.
    entity : str or None
        One of them, ringed and named wherever it lies.

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
    >>> from qbase.figures import plot_funnel
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import compare_peers
    >>> plot_funnel(compare_peers(build_panel(open_workspace(), "D1.batch"), "D1.batch", period="2025")).title.en
    '11 of 12 clusters within routine variation; 1 low'
    """
    peers, limits = (result.tables.get(name, pd.DataFrame()) for name in ("peers", "limits"))
    if limits.empty or "outside" not in peers:
        raise DataError(
            "QB539", name=result.name, table="limits", found=", ".join(result.tables) or "no table",
            expected="tables peers and limits", fix="plot_funnel(compare_peers(panel, outcome))",
        )  # fmt: skip
    funnel = Funnel(
        points=peers.assign(is_own=peers["entity"] == entity),
        limits=limits,
        mean=float(result.settings["target_pct"]),
        digits=digits_of(result, result.estimates[0]),
        is_up=result.outcome.better != "down",
        y_title=capital(with_unit(result.outcome.label, result.outcome.unit)),
        x_title=_across(result),
    )
    name = f"funnel:{result.outcome.id}"
    title, alt = _title(result, peers), _alt(result, funnel)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_funnel, funnel),
        height=lambda narrow: PHONE if narrow else 430,
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result, peers),
        how_to_read=HOW,
        note=_note(result),
        alt=alt,
        drawings=drawings,
        table=_table(result, peers, funnel, name),
        preview=preview,
    )


def _across(result: Result) -> Text:
    counted = UNITS[result.outcome.counted]
    if result.settings["sampling"] == "naive":
        return Text(f"抽查数（{counted.zh}）", f"{counted.en[:1].upper()}{counted.en[1:]} tested")
    return Text(f"有效抽查数（{counted.zh}）", f"Effective {counted.en} tested")


def _title(result: Result, peers: pd.DataFrame) -> Text:
    n, kind = len(peers), result.labels["kind"]
    low, high = (int(peers["outside"].str.startswith(side).sum()) for side in ("low", "high"))
    if not low + high:
        return Text(f"{count(n)} {kind.zh}的差别均属正常波动", f"All {count(n)} {kind.en} within routine variation")
    zh = "、".join(f"{count(k)} 个{side}" for k, side in ((low, "偏低"), (high, "偏高")) if k)
    en = ", ".join(f"{count(k)} {side}" for k, side in ((low, "low"), (high, "high")) if k)
    inside = count(n - low - high)
    return first_fit(
        [
            Text(
                f"{count(n)} {kind.zh}中 {inside} 个属正常波动，{zh}",
                f"{inside} of {count(n)} {kind.en} within routine variation; {en}",
            ),
            Text(f"{inside} 个属正常波动，{zh}", f"{inside} within routine variation; {en}"),
        ]
    )


def _subtitle(result: Result, peers: pd.DataFrame) -> Text:
    counted, total = UNITS[result.outcome.counted], count(int(peers["n"].sum()))
    measure, when = capital(with_unit(result.outcome.label, result.outcome.unit)), result.labels["window"]
    kind = result.labels["kind"]
    return Text(
        f"{measure.zh}，按抽查数；{when.zh}，{count(len(peers))} {kind.zh}，n = {total} {counted.zh}",
        f"{measure.en} by the number tested; {when.en}, {count(len(peers))} {kind.en}, n = {total} {counted.en}",
    )


def _note(result: Result) -> Text:
    limits = Text("界限：95%（虚线）、99.8%（实线）。", "Limits: 95% (dashed), 99.8% (solid).")
    if int((result.tables["peers"]["outside"] != "").sum()) > FEW:
        limits += Text("图上放不下的名称见表。", " Names that find no room are in the table.")
    return sentences(
        limits, result.labels["chance"], *failed_note(result), definition_note(result.outcome), source_note(result)
    )


def _alt(result: Result, funnel: Funnel) -> Text:
    rows, kind = funnel.points, result.labels["kind"]
    mean = percent(funnel.mean, funnel.digits)
    low, high = count(int(rows["n_used"].min())), count(int(rows["n_used"].max()))
    parts = [
        Text(
            f"漏斗图，{count(len(rows))} {kind.zh}，抽查数 {low}～{high}，平均 {mean}。",
            f"Funnel plot of {count(len(rows))} {kind.en}: {low} to {high} tested each, mean {mean}.",
        )
    ]
    for place in ("low_998", "low_95", "high_95", "high_998"):
        own = rows[rows["outside"] == place]
        if len(own):
            told = [
                Text(
                    f"{r['name_zh']} {percent(r['rate_pct'], funnel.digits)}",
                    f"{r['name_en']} {percent(r['rate_pct'], funnel.digits)}",
                )
                for r in own.to_dict("records")
            ]
            listed = join(told, zh="、", en=", ")
            parts.append(Text(f"{PLACES[place].zh}：{listed.zh}。", f"{PLACES[place].en}: {listed.en}."))
    if len(parts) == 1 or (rows["outside"] == "").any():
        parts.append(Text("其余在界限之内。", "The others lie inside the limits."))
    return sentences(*parts)


def _six_digits(value: object) -> object:
    """Return a number as a reader can use it; seventeen digits for a thousand clusters double a page."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _table(result: Result, peers: pd.DataFrame, funnel: Funnel, name: str) -> Table:
    counted = UNITS[result.outcome.counted]
    rows: list[tuple[str | Text, ...]] = []
    n_outside = int(funnel.points["outside"].ne("").sum())
    listed = _first(funnel.points, MAX_ROWS)
    known = peers.loc[_first(funnel.points, max(MOST_DATA, n_outside + 1)).index]
    for row in listed.to_dict("records"):
        ends = [interval(row[f"low_{e}_pct"], row[f"high_{e}_pct"], funnel.digits) for e in ("95", "998")]
        rows.append(
            (
                Text(str(row["name_zh"]), str(row["name_en"])),
                count(int(row["n"])),
                number(float(row["rate_pct"]), funnel.digits),
                interval(row["ci_low"], row["ci_high"], funnel.digits),
                *ends,
                PLACES[str(row["outside"])],
            )
        )
    hidden = {e: _hidden_row(result, e) for e in result.settings.get("withheld", ())}
    rows = [row for _, row in sorted([*zip(listed["entity"], rows, strict=True), *hidden.items()], key=lambda r: r[0])]
    data: dict[str, list[object]] = {str(c): [_six_digits(data_row(v)) for v in known[c]] for c in known.columns}
    data |= account_data([result.coverage] * len(known))
    return Table(
        name=f"{name}:table",
        caption=Text("各对象的比率与界限，按代码排列", "Rates and limits, in order of id"),
        columns=(
            Column(label=Text("对象", "Entity")),
            Column(label=Text(f"n（{counted.zh}）", f"n ({counted.en})"), numeric=True),
            Column(label=with_unit(Text("比率", "Rate"), result.outcome.unit), numeric=True),
            Column(label=Text("95% CI", "95% CI"), numeric=True),
            Column(label=Text("95% 界限", "95% limits"), numeric=True),
            Column(label=Text("99.8% 界限", "99.8% limits"), numeric=True),
            Column(label=Text("位置", "Where it lies")),
        ),
        rows=tuple(rows),
        note=sentences(result.labels["chance"], _left_out(len(listed), len(known), len(peers))),
        data=data,
    )  # fmt: skip


def _first(points: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return some of the entities in order of id: those outside the limits and the reader's own before others."""
    is_other = (points["outside"].eq("") & ~points["is_own"]).to_numpy()
    return points.iloc[np.sort(is_other.argsort(kind="stable")[:most])]


def _left_out(listed: int, known: int, all_of_them: int) -> Text:
    if listed == all_of_them:
        return Text("", "")
    first = f"只列 {count(listed)} 行，界限之外的在先", f"{count(listed)} rows, those outside the limits first"
    if known == all_of_them:
        return Text(f"{first[0]}；全部见 CSV。", f"{first[1]}; all are in the CSV.")
    return Text(
        f"{first[0]}；CSV 有 {count(known)} 行，其余都在界限之内，见运行记录。",
        f"{first[1]}; the CSV has {count(known)}, the others lie inside and are in the record of the run.",
    )


def _hidden_row(result: Result, entity: str) -> tuple[str | Text, ...]:
    name = result.labels.get(f"entity[{entity}]", same(entity))
    return (name, *[HIDDEN] * 5, Text("不公开", "withheld"))
