"""The specification curve: estimates of one question by what they assume, and by nothing else."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from qbase.core.errors import DataError
from qbase.core.numbers import count, number
from qbase.core.results.result import SAME_QUESTION, Result
from qbase.core.results.sentences import digits_of
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join
from qbase.core.values import Estimate
from qbase.figures.designs.specification_drawing import Curve, Specification, draw_curve, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    bracket,
    capital,
    first_fit,
    model_of,
    sentences,
    source_note,
    verdict,
    with_unit,
)

KINDS: Mapping[str, Text] = {
    "parallel": Text("前提", "Assumption"),
    "base": Text("基期", "Base"),
    "control": Text("对照", "Compared with"),
    "draws": Text("批次", "Batches"),
    "anticipation": Text("提前反应", "Anticipation"),
    "covariates": Text("协变量", "Covariates"),
}
PARALLEL: Mapping[str, Text] = {
    "imputation": Text("按百分点平行", "Parallel in points"),
    "imputation_logit": Text("按对数几率平行", "Parallel in log-odds"),
    "group_time": Text("按百分点平行", "Parallel in points"),
    "sdid": Text("加权后平行", "Parallel once weighted"),
    "synthetic_sc": Text("加权后相同", "Alike once weighted"),
    "synthetic_augmented": Text("加权并校正后相同", "Alike once weighted, corrected"),
    "before_after": Text("没有其他变化", "Nothing else changed"),
    "twfe": Text("平行且效果不变", "Parallel, constant effect"),
    "event_study": Text("平行且各批相同", "Parallel, cohorts alike"),
}
BASES: Mapping[str, Text] = {
    "imputation": Text("此前各期平均", "Average before"),
    "imputation_logit": Text("此前各期平均", "Average before"),
    "sdid": Text("此前加权平均", "Weighted average before"),
    "synthetic_sc": Text("此前整条走势", "Whole path before"),
    "synthetic_augmented": Text("此前整条走势", "Whole path before"),
    "before_after": Text("此前同季平均", "Same season before"),
    "twfe": Text("其余各期", "All other periods"),
}
CONTROLS: Mapping[str, Text] = {
    "not_yet": Text("尚未采用者", "Not yet treated"),
    "never": Text("始终未采用者", "Never treated"),
}
DRAWS: Mapping[str, Text] = {
    "naive": Text("全部批次", "All batches"),
    "random_draw": Text("只用双随机", "Random draws only"),
    "post_stratified": Text("事后分层", "Post-stratified"),
    "prediction_powered": Text("定向作预测", "Directed as predictions"),
}
HOW = Text(
    "每个点是同一问题的一个估计值，由小到大；下方方块说明它作了哪些假定。蓝色区间不含 0，灰色盖住 0，空心没有区间。",
    "Each dot is an estimate of one question, in order of size; squares below say what it assumes. Blue intervals "
    "leave out 0, grey ones cover it, hollow dots have none.",
)
NOT_CHOSEN = Text(
    "假定不由结果挑选：以数据能支持的最强设计为主。",
    "No assumption is chosen by its estimate: the strongest design the data carry leads.",
)


def plot_specifications(*results: Result) -> Figure:
    """Draw estimates of one policy and outcome in order of size, with a grid of what each assumes.

    Parameters
    ----------
    *results : Result
        Effects or changes with a term ``att``; they differ in their assumption alone.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        Fewer than two results, one without an average effect, or results of different outcomes, units, policies or
        weights (QB712).

    Examples
    --------
    >>> from qbase.effects import estimate_imputation, estimate_staggered
    >>> from qbase.figures import plot_specifications
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> effects = [estimate(panel, policy, "D1.batch") for estimate in (estimate_imputation, estimate_staggered)]
    >>> plot_specifications(*effects).title.en
    'Batch pass rate: 1 of 2 assumptions tell a direction'
    """
    items = tuple(sorted((_read(r) for r in results), key=lambda s: (s.estimate.value, s.result.method)))
    _refuse_apart(items)
    rows = [
        (kind, choice)
        for kind in KINDS
        for choice in dict.fromkeys(s.choices[kind] for s in items if kind in s.choices)
    ]
    # what all of them assume alike says nothing about why they differ
    varied = tuple(
        (kind, choice)
        for kind, choice in rows
        if sum(k == kind for k, _ in rows) > 1 or any(kind not in s.choices for s in items)
    )
    curve = Curve(items=items, rows=varied)
    name = f"specifications:{items[0].result.outcome.id}"
    title, alt = _title(curve), _alt(curve)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_curve, curve),
        height=functools.partial(height_of, curve),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(curve),
        how_to_read=HOW,
        note=sentences(NOT_CHOSEN, source_note(*(s.result for s in items))),
        alt=alt,
        drawings=drawings,
        table=_table(curve, name),
        preview=preview,
    )


def _read(result: Result) -> Specification:
    att = next((e for e in result.estimates if e.term == "att"), None)
    if att is None:
        found = ", ".join(sorted({e.term for e in result.estimates})) or "no estimate"
        raise _refusal(f"{result.name}: {found}")
    return Specification(result=result, estimate=att, choices=assumptions_of(result))


def assumptions_of(result: Result) -> dict[str, Text]:
    """Return what a result assumes, by kind of assumption, from its method and settings."""
    method, settings = result.method, result.settings
    made = {"parallel": PARALLEL.get(method, Text(method, method))}
    if method in BASES:
        made["base"] = BASES[method]
    elif isinstance(settings.get("base"), int):
        made["base"] = Text(f"前 {-int(settings['base'])} 期", f"Period {number(int(settings['base']), 0)}")
    if settings.get("control") in CONTROLS:
        made["control"] = CONTROLS[str(settings["control"])]
    elif method in ("sdid", "synthetic_sc", "synthetic_augmented"):
        made["control"] = Text("加权的对照", "Weighted donors")
    elif method in ("twfe", "event_study"):
        made["control"] = Text("所有其他对象", "All others")
    elif method == "before_after":
        made["control"] = Text("没有对照", "Nobody")
    elif method.startswith("imputation"):
        made["control"] = CONTROLS["not_yet"]
    if settings.get("sampling") in DRAWS:
        made["draws"] = DRAWS[str(settings["sampling"])]
    periods = int(settings.get("anticipation") or 0) + int(settings.get("donut") or 0)
    made["anticipation"] = (
        Text(f"前 {periods} 期不计", f"{periods} periods left out") if periods else Text("不允许", "None allowed")
    )
    names = settings.get("covariates") or ()
    made["covariates"] = Text("、".join(names), ", ".join(names)) if names else Text("无", "None")
    return made


def _refuse_apart(items: tuple[Specification, ...]) -> None:
    if len(items) < 2:
        raise _refusal(f"{len(items)} result{'s' if len(items) != 1 else ''}")
    first = items[0].result
    for other in (s.result for s in items[1:]):
        if (other.outcome.id, other.unit) != (first.outcome.id, first.unit):
            raise _refusal(f"{first.outcome.id} in {first.unit}, {other.outcome.id} in {other.unit}")
        for name in SAME_QUESTION:
            mine, its = first.settings.get(name), other.settings.get(name)
            if mine is not None and its is not None and mine != its:
                raise _refusal(f"{name} = {mine} and {its}")


def _refusal(found: str) -> DataError:
    return DataError(
        "QB712", found=found,
        expected="two or more effects of one policy on one outcome, weighed alike, each with a term att",
        fix="plot_specifications(*estimate_advised(panel, policy, outcome))",
    )  # fmt: skip


def _title(curve: Curve) -> Text:
    items, outcome = curve.items, curve.items[0].result.outcome.label
    clear = sum(not s.estimate.covers_zero for s in items)
    signs = {s.estimate.value > 0 for s in items if not s.estimate.covers_zero}
    told = Text(f"{len(items)} 种假定中 {clear} 种可判断方向", f"{clear} of {len(items)} assumptions tell a direction")
    if len(signs) > 1:
        told = Text("方向随假定而变", "the direction changes with the assumption")
    return first_fit([capital(Text(f"{outcome.zh}：{told.zh}", f"{outcome.en}: {told.en}")), capital(told)])


def _subtitle(curve: Curve) -> Text:
    first = curve.items[0].result
    n = max((s.estimate.n_treated or 0) for s in curve.items)
    text = Text(
        f"政策对{first.subject.zh}{first.outcome.label.zh}的平均效果，只改变假定",
        f"Average effect on {first.outcome.label.en} of {first.subject.en}; the assumption alone differs",
    )
    return text + Text(f"；采用者至多 {count(n)} 个", f"; up to {count(n)} treated") if n else text


def _label(item: Specification) -> Text:
    return capital(model_of(item.result))


def _alt(curve: Curve) -> Text:
    said = []
    for item in curve.items:
        digits = digits_of(item.result, item.estimate)
        value, doubt = number(item.estimate.value, digits, sign=True), bracket(item.estimate, digits)
        name = _label(item)
        said.append(Text(f"{name.zh} {value}（{doubt.zh}）", f"{name.en} {value} ({doubt.en})"))
    listed = join(said, zh="；", en="; ")
    return Text(f"设定曲线，由小到大：{listed.zh}。", f"Specification curve in order of size: {listed.en}.")


def _table(curve: Curve, name: str) -> Table:
    kinds = [kind for kind in KINDS if any(k == kind for k, _ in curve.rows)]
    unit = curve.items[0].result.unit
    none = Text("–", "–")
    rows: list[tuple[str | Text, ...]] = []
    for item in curve.items:
        digits = digits_of(item.result, item.estimate)
        rows.append(
            (
                _label(item),
                number(item.estimate.value, digits, sign=True),
                bracket(item.estimate, digits, level=False),
                *(item.choices.get(kind, none) for kind in kinds),
                verdict(item.result, item.estimate, short=True),
            )
        )
    return Table(
        name=f"{name}:table",
        caption=Text("估计值与其假定", "Estimates and what they assume"),
        columns=(
            Column(label=Text("估计方法", "Method")),
            Column(label=with_unit(Text("估计值", "Estimate"), unit), numeric=True),
            Column(label=Text("区间", "Interval"), numeric=True),
            *(Column(label=KINDS[kind]) for kind in kinds),
            Column(label=Text("怎么理解", "In words")),
        ),
        rows=tuple(rows),
        data=_data(curve, kinds),
    )


def _data(curve: Curve, kinds: list[str]) -> dict[str, list[object]]:
    estimates: list[Estimate] = [s.estimate for s in curve.items]
    data: dict[str, list[object]] = {"method": [s.result.method for s in curve.items]}
    for field in ("value", "std_error", "ci_low", "ci_high", "p_value", "n_obs", "n_treated"):
        data[field] = [getattr(e, field) for e in estimates]
    for kind in kinds:
        data[kind] = [s.choices[kind].en if kind in s.choices else None for s in curve.items]
    return data | account_data([s.result.coverage for s in curve.items])
