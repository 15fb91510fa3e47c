"""Synthetic control: the treated against their synthetic comparison, and the gap among those of the donors."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, number, p_value
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, direction_of, withheld
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.figures.designs.synthetic_drawing import Synthetic, draw_synthetic, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    first_fit,
    model_of,
    sentence,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.surface.period_axis import both, read_period

SAID = ("rmspe_ratio", "placebo_rank", "fit_before", "donor_weights")
MAX_ROWS = 40
HOW = Text(
    "上图：政策前两线越贴合，之后的分离越说明问题。下图：蓝线与各对照自己的差距相比，落在其中即看不出效果。",
    "Above: the closer both lines before the policy, the more a gap afterwards says. Below: a blue line among the gaps "
    "of the donors shows no effect.",
)


def plot_synthetic(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw the treated beside their synthetic comparison, and their gap before those of all donors.

    Parameters
    ----------
    result : Result
        Of `qbase.effects.estimate_synthetic`: tables ``synthetic`` and ``placebos``.
    policy : Policy or None
        Whose start is drawn; None takes the first period with an effect.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        Without those tables (QB713).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import estimate_synthetic
    >>> from qbase.figures import plot_synthetic
    >>> rows = [(f"K{k}", 2010 + t, 80 + k + t + (6 if k == 2 and t > 5 else 0)) for k in range(1, 6) for t in range(9)]
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="index", better="up")
    >>> frame = pd.DataFrame(rows, columns=["cluster_id", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="cluster_id", period="year", freq="A", indicators={"rate": rate})
    >>> spell = Spell(entity="K2", start=pd.Period("2016", "Y"))
    >>> policy = Policy(policy_id="one", title=Text("一地试点", "One pilot"), spells=(spell,))
    >>> plot_synthetic(estimate_synthetic(panel, policy, "rate", method="sc"), policy=policy).title.en
    'The effect on pass rate cannot be told yet'
    """
    drawn = _read(result, policy)
    name = f"synthetic:{result.outcome.id}:{result.method}"
    title, alt = _title(result), _alt(drawn)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_synthetic, drawn), height=height_of
    )
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(drawn),
        how_to_read=HOW,
        note=sentences(
            sentence(model_of(result)),
            *(sentence(c.text) for wanted in SAID for c in result.checks if c.name == wanted),
            source_note(result),
        ),
        alt=alt,
        drawings=drawings,
        table=_table(drawn, name),
        preview=preview,
    )


def _read(result: Result, policy: Policy | None) -> Synthetic:
    paths = result.tables.get("synthetic", pd.DataFrame())
    placebos = result.tables.get("placebos", pd.DataFrame())
    if paths.empty or placebos.empty:
        raise DataError(
            "QB713", name=result.name, found=", ".join(result.tables) or "no table",
            expected="tables synthetic and placebos", fix="plot_synthetic(estimate_synthetic(panel, policy, outcome))",
        )  # fmt: skip
    periods = tuple(read_period(p) for p in paths["period"])
    order = [str(p) for p in paths["period"]]
    donors = tuple(
        own.set_index(own["period"].astype(str))["gap"].reindex(order).to_numpy(dtype=float)
        for _, own in placebos.groupby("entity", sort=True)
    )
    after = sum("event_time" in e.key for e in result.estimates)
    starts = sorted(set(policy.first_treated.values())) if policy is not None else []
    return Synthetic(
        result=result,
        periods=periods,
        treated=paths["treated"].to_numpy(dtype=float),
        synthetic=paths["synthetic"].to_numpy(dtype=float),
        gap=paths["gap"].to_numpy(dtype=float),
        donors=donors,
        start=starts[0] if starts else periods[-after] if after else None,
    )


def _att(result: Result) -> Estimate:
    return result.find("att")


def _title(result: Result) -> Text:
    outcome, att = result.outcome.label, _att(result)
    held = withheld(result)
    if held is not None:
        return Text(f"政策效果：{held.zh}", f"The effect of the policy: {held.en}")
    direction = direction_of(att, result.settings.get("margin"))
    if direction in ("up", "down"):
        size = number(abs(att.value), digits_of(result, att))
        words = Text("高于合成对照", "above") if direction == "up" else Text("低于合成对照", "below")
        return first_fit(
            [
                capital(
                    Text(f"{outcome.zh}{words.zh} {size}", f"{outcome.en} {size} {words.en} its synthetic comparison")
                ),
                Text(f"{words.zh} {size}", f"{size} {words.en} the synthetic comparison"),
            ]
        )
    return first_fit(
        [
            Text(f"政策对{outcome.zh}的效果尚无法判断", f"The effect on {outcome.en} cannot be told yet"),
            Text("政策效果尚无法判断", "The effect of the policy cannot be told yet"),
        ]
    )


def _subtitle(drawn: Synthetic) -> Text:
    result, first, last = drawn.result, both(drawn.periods[0]), both(drawn.periods[-1])
    n = count(len(drawn.donors))
    return Text(
        f"{result.subject.zh}与其合成对照，安慰剂 {n} 个；{first.zh}～{last.zh}",
        f"{capital(result.subject).en} and the synthetic comparison, {n} placebos; {first.en}–{last.en}",
    )


def _alt(drawn: Synthetic) -> Text:
    result, att = drawn.result, _att(drawn.result)
    digits = digits_of(result, att)
    value = number(att.value, digits, sign=True)
    finite = [abs(float(g[-1])) for g in drawn.donors if np.isfinite(g[-1])]
    wider = sum(g >= abs(float(drawn.gap[-1])) for g in finite)
    text = Text(
        f"采用政策者从 {number(drawn.treated[0], 1)} 到 {number(drawn.treated[-1], 1)}，合成对照从 "
        f"{number(drawn.synthetic[0], 1)} 到 {number(drawn.synthetic[-1], 1)}。平均差距 {value}；最后一期 "
        f"{count(len(finite))} 个对照中 {count(wider)} 个的差距至少同样大。",
        f"The treated go from {number(drawn.treated[0], 1)} to {number(drawn.treated[-1], 1)}, the synthetic "
        f"comparison from {number(drawn.synthetic[0], 1)} to {number(drawn.synthetic[-1], 1)}. Average gap "
        f"{value}; in the last period {count(wider)} of {count(len(finite))} donors have a gap at least as large.",
    )
    if att.p_value is None:
        return text
    sign = p_value(att.p_value)
    return text + Text(f"按排名 p {_equals(sign)}。", f" By rank p {_equals(sign)}.")


def _equals(shown: str) -> str:
    return shown if shown[0] in "<>" else f"= {shown}"


def _table(drawn: Synthetic, name: str) -> Table:
    result = drawn.result
    digits = digits_of(result, _att(result))
    frame = result.tables["synthetic"]
    series = (drawn.treated, drawn.synthetic, drawn.gap)
    rows: list[tuple[str | Text, ...]] = [
        (both(p), number(t, digits), number(s, digits), number(g, digits, sign=True))
        for p, t, s, g in zip(drawn.periods, *series, strict=True)
    ]
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
    return Table(
        name=f"{name}:table",
        caption=Text("采用政策者与合成对照", "The treated and their synthetic comparison"),
        columns=(
            Column(label=Text("时期", "Period")),
            Column(label=with_unit(Text("采用政策者", "Treated"), result.outcome.unit), numeric=True),
            Column(label=with_unit(Text("合成对照", "Synthetic"), result.outcome.unit), numeric=True),
            Column(label=with_unit(Text("差距", "Gap"), result.unit), numeric=True),
        ),
        rows=tuple(rows[:MAX_ROWS]),
        data=data | account_data([result.coverage] * len(frame)),
    )
