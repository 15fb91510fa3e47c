"""Power by design: what more treated, more batches or more years would bring."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, declared_digits, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import quantity
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join
from qbase.figures.designs.power_drawing import Power, draw_power, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import account_data, axis_unit, data_row, first_fit, sentences, source_note
from qbase.figures.tabulating.design_tables import detectable_text, share_text

AXES = {
    "treated": Text("采用者数", "Treated"),
    "batches": Text("每格批次", "Batches a cell"),
    "years": Text("历史年数", "Years of history"),
}
MADE = {
    "observed": Text("现有", "as they are"),
    "subsample": Text("抽取一部分", "subsample"),
    "model": Text("按模型", "by the model"),
}
MAX_ROWS = 40
HOW = Text(
    "点为安慰剂政策中发现该大小效果的比例，竖线为精确区间；金色虚线以上即足够。空心点按模型推算，不是现有数据。",
    "Dots: share of placebo policies in which an effect of that size is found, with exact bounds; above the dashed "
    "gold line is enough. Hollow dots are by the model, not the data as they are.",
)


def plot_design_power(result: Result) -> Figure:
    """Draw how often designs find an effect with more or fewer treated, batches and years.

    Parameters
    ----------
    result : Result
        Of `qbase.effects.estimate_design_power`: table ``power``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table, or nothing in it (QB711).

    Examples
    --------
    >>> from qbase.effects import estimate_design_power
    >>> from qbase.figures import plot_design_power
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> found = estimate_design_power(
    ...     panel, policy, "D1.batch", designs=["imputation"], treated=[4, 6], batches=[1], years=(), draws=60
    ... )
    >>> plot_design_power(found)
    <Figure design_power:D1.batch.detectable>
    """
    table = result.tables.get("power", pd.DataFrame())
    if table.empty:
        raise DataError(
            "QB711", name=result.name, found=", ".join(result.tables) or "no table", expected="table power with a row",
            fix="plot_design_power(estimate_design_power(panel, policy, outcome))",
        )  # fmt: skip
    names = {d: result.labels.get(f"design[{d}]", Text(d, d)) for d in dict.fromkeys(table["design"])}
    panels = tuple((AXES[axis], table[table["axis"] == axis]) for axis in AXES if (table["axis"] == axis).any())
    power = Power(panels=panels, names=names, wanted=100 * float(result.settings["power"]))
    name = f"design_power:{result.outcome.id}"
    title, alt = _title(result, table), _alt(result, power)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_power, power),
        height=functools.partial(height_of, power),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result, table),
        how_to_read=HOW,
        note=sentences(*result.notes, source_note(result)),
        alt=alt,
        drawings=drawings,
        table=_table(result, power, table, name),
        preview=preview,
    )


def _effect(result: Result) -> Text:
    effect = float(result.settings["effect"])
    return quantity(effect, result.unit, declared_digits(effect, result.unit))


def _title(result: Result, table: pd.DataFrame) -> Text:
    """Return how often the first design finds the effect as things are, or at most."""
    effect, lead = _effect(result), table[table["design"] == table["design"].iloc[0]]
    lead = lead[lead["found_pct"].notna()]
    now = lead[(lead["axis"] == "batches") & (lead["made"] == "observed")]
    if lead.empty:
        return Text("封顶之前达不到这样大的效果", "No effect of that size fits below the bound")
    share = number(float((now if len(now) else lead)["found_pct"].max()), 0) + "%"
    now_zh, now_en = ("现有条件下", "as things are") if len(now) else ("至多", "at the most")
    return first_fit(
        [
            Text(f"{effect.zh}的效果，{now_zh} {share} 能发现", f"{effect.en}: found in {share} {now_en}"),
            Text(f"{now_zh} {share} 能发现", f"Found in {share} {now_en}"),
        ]
    )


def _subtitle(result: Result, table: pd.DataFrame) -> Text:
    effect, outcome = _effect(result), result.labels.get("outcome", result.outcome.label)
    draws = count(int(table["draws"].max()))
    return Text(
        f"{outcome.zh}，真实平均效果为 {effect.zh}时被发现的比例；每点至多 {draws} 个安慰剂政策",
        f"{outcome.en[:1].upper()}{outcome.en[1:]}: share of placebo policies in which a true average effect of "
        f"{effect.en} is found; up to {draws} at each point",
    )


def _alt(result: Result, power: Power) -> Text:
    design, name = next(iter(power.names.items()))
    parts = []
    for axis, rows in power.panels:
        own = rows[(rows["design"] == design) & rows["found_pct"].notna()].sort_values("at")
        said = [f"{_at(row['at'])}: {number(row['found_pct'], 0)}%" for row in own.to_dict("records")]
        parts.append(Text(f"{axis.zh} {'、'.join(said)}", f"{axis.en} {', '.join(said)}"))
    listed = join(parts, zh="；", en="; ")
    return Text(f"{name.zh}能发现的比例：{listed.zh}。", f"Share found by {name.en}: {listed.en}.")


def _at(value: Any) -> str:
    return number(float(value), 0 if float(value) == round(float(value)) else 1)


def _table(result: Result, power: Power, table: pd.DataFrame, name: str) -> Table:
    unit = axis_unit(result.unit)
    rows: list[tuple[str | Text, ...]] = []
    for axis, own in power.panels:
        for row in own.to_dict("records"):
            at = Text(f"{axis.zh} {_at(row['at'])}", f"{axis.en}: {_at(row['at'])}")
            if row["made"] != "observed":
                made = MADE[str(row["made"])]
                at = Text(f"{at.zh}（{made.zh}）", f"{at.en} ({made.en})")
            rows.append(
                (
                    at,
                    power.names[str(row["design"])],
                    f"{count(int(row['n_treated']))} / {count(int(row['n_entities']))}",
                    count(int(row["n_periods"])),
                    share_text(row, "found"),
                    share_text(row, "size"),
                    number(float(row["unanswered_pct"]), 0) + "%",
                    detectable_text(row, result.unit),
                )
            )
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in table[c]] for c in table.columns}
    data |= account_data([result.coverage] * len(table))
    return Table(
        name=f"{name}:table",
        caption=Text("各条件下的检验力", "Power by what there could be more of"),
        columns=(
            Column(label=Text("条件", "Where")),
            Column(label=Text("设计", "Design")),
            Column(label=Text("采用者 / 对象", "Treated / entities"), numeric=True),
            Column(label=Text("期数", "Periods"), numeric=True),
            Column(label=Text("能发现", "Found"), numeric=True),
            Column(label=Text("误报", "Found where there is none"), numeric=True),
            Column(label=Text("无判断", "No answer"), numeric=True),
            Column(label=Text(f"最小可发现（{unit.zh}）", f"Detectable ({unit.en})"), numeric=True),
        ),
        rows=tuple(rows[:MAX_ROWS]),
        data=data,
    )  # fmt: skip
