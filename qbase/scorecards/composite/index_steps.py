"""What every step of an index did, in words and counted."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.core.numbers import count, number, percent
from qbase.core.text import Text
from qbase.scorecards.composite.data_steps import Treatment
from qbase.scorecards.composite.index_design import WORDS, IndexDesign
from qbase.scorecards.composite.index_values import Floats, IndexValues


@dataclasses.dataclass(frozen=True, kw_only=True)
class IndexStep:
    """What one step of an index did.

    Parameters
    ----------
    step : str
        ``screening``, ``imputation``, ``outliers``, ``normalisation``, ``weighting`` or ``aggregation``.
    method : str
        The word of the design.
    changed : int
        How many values (at screening: entities and indicators; at normalisation: indicators without any difference
        and values beyond a declared range) it left out or replaced.
    text : Text
        In words.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import IndexStep
    >>> words = Text("按中位数填补 3 个值", "3 values imputed by the median")
    >>> step = IndexStep(step="imputation", method="median", changed=3, text=words)
    >>> step.step, step.changed
    ('imputation', 3)
    """

    step: str
    method: str
    changed: int
    text: Text


def step_of(step: str, method: str, changed: int, text: Text) -> IndexStep:
    """Record a step."""
    return IndexStep(step=step, method=method, changed=changed, text=text)


def say_screened(kept: IndexValues, no_entity: dict[str, float], no_indicator: dict[str, float]) -> Text:
    """Say what was left out for want of data."""
    n, m = count(len(kept.entities)), count(len(kept.indicators))
    text = Text(f"筛选：留下 {n} 个对象、{m} 项指标", f"Screening: {n} entities and {m} indicators stay")
    out = [(i, percent(100 * s, 0)) for i, s in (no_entity | no_indicator).items()]
    if not out:
        return text + Text("，无一因缺数被剔除。", ", none is left out for want of data.")
    listed = Text("、".join(f"{i}（有 {s}）" for i, s in out), ", ".join(f"{i} ({s} on record)" for i, s in out))
    return text + Text(f"；因缺数剔除：{listed.zh}。", f"; left out for want of data: {listed.en}.")


def tell_steps(
    kept: IndexValues, design: IndexDesign, filled: Floats, treatments: tuple[Treatment, ...], treated: Floats,
    normalised: Floats, ranges: Floats | None,
) -> list[IndexStep]:  # fmt: skip
    """Return the steps after screening, each with what it changed."""
    gaps = int(np.isnan(kept.values).sum())
    imputed = gaps - int(np.isnan(filled).sum())
    share = percent(100 * gaps / kept.values.size)
    drawn, logged = sum(t.n_low + t.n_high for t in treatments), sum(t.is_logged for t in treatments)
    flat = int(np.isnan(normalised[:, ~np.isnan(treated).all(axis=0)]).all(axis=0).sum())
    beyond = 0
    if ranges is not None and design.normalisation == "min_max":
        with np.errstate(invalid="ignore"):
            beyond = int(((treated < ranges[0]) | (treated > ranges[1])).sum())
    words = {name: METHODS[name][getattr(design, name)] for name in WORDS}
    low, high = (number(x, 0) for x in design.scale)
    declared = Text(f"，{design.source.zh}，{design.declared_on}", f", {design.source.en}, {design.declared_on}")
    declared = declared if design.weighting == "expert" else Text("", "")
    texts = {
        "imputation": Text(
            f"缺失 {count(gaps)} 个值（{share}），{words['imputation'].zh} {count(imputed)} 个。",
            f"{count(gaps)} values ({share}) are missing, {count(imputed)} {words['imputation'].en}.",
        ),
        "outliers": Text(
            f"离群值：{words['outliers'].zh}，收拢 {count(drawn)} 个值，取对数 {count(logged)} 项指标。",
            f"Outliers: {words['outliers'].en}; {count(drawn)} values drawn in, {count(logged)} indicators in "
            "logarithms.",
        ),
        "normalisation": Text(
            f"标准化：{words['normalisation'].zh}，{low}～{high} 分；{count(flat)} 项指标各对象相同，不计入；"
            f"{count(beyond)} 个值超出声明的范围，按端点计。",
            f"Normalisation: {words['normalisation'].en}, {low} to {high} points; {count(flat)} indicators do not "
            f"differ and do not count; {count(beyond)} values beyond a declared range count as its end.",
        ),
        "weighting": Text(
            f"权重：{words['weighting'].zh}{declared.zh}。", f"Weights: {words['weighting'].en}{declared.en}."
        ),
        "aggregation": Text(f"合成：{words['aggregation'].zh}。", f"Aggregation: {words['aggregation'].en}."),
    }
    changed = {"imputation": imputed, "outliers": drawn, "normalisation": flat + beyond}
    return [step_of(name, getattr(design, name), changed.get(name, 0), text) for name, text in texts.items()]


METHODS: dict[str, dict[str, Text]] = {
    "imputation": {
        "none": Text("不填补，权重分给其余指标；填补", "imputed (weights go to the others instead)"),
        "mean": Text("按均值填补", "imputed by the mean"),
        "median": Text("按中位数填补", "imputed by the median"),
        "group_mean": Text("按同组均值填补", "imputed by the mean of the group"),
    },
    "outliers": {
        "none": Text("不处理", "left as they are"),
        "winsorise": Text("按偏度 2、峰度 3.5 收拢", "drawn in beyond a skew of 2 and a kurtosis of 3.5"),
    },
    "normalisation": {
        "min_max": Text("极差法", "between the lowest and the highest value"),
        "z_score": Text("标准分", "z scores"),
        "rank": Text("位次法", "ranks"),
    },
    "weighting": {
        "equal": Text("各层等权", "equal within every pillar"),
        "expert": Text("声明的专家权重", "as declared"),
        "entropy": Text("熵权", "by entropy"),
    },
    "aggregation": {
        "arithmetic": Text("算术平均", "arithmetic mean"),
        "geometric": Text("几何平均", "geometric mean"),
    },
}
"""Words of every method."""
