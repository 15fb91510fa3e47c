"""What each design asks of the data: the rules of the advice, one function a design."""

from __future__ import annotations

import dataclasses
from typing import Literal

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.text import Text
from qbase.effects.comparison.default_controls import Controls
from qbase.effects.comparison.dose_starts import (
    LEAST_APART,
    LEAST_CLUSTERS,
    count_first,
    place_doses,
    read_instruments_asked,
    say_first,
)
from qbase.effects.comparison.outcome_grid import build_grid
from qbase.effects.comparison.untreated_facts import UntreatedFacts

Name = Literal[
    "imputation", "staggered", "random_draws", "default_controls", "synthetic", "before_after", "path", "instruments"
]

LEAST_TREATED = 3
"""Below three treated a term has no interval and no verdict."""
LEAST_CONTROLS = 3
LEAST_BEFORE = 4
"""Periods whose average can be a base: fewer are one noisy period under another name."""
LEAST_PATH = 8
"""Periods a synthetic control has to follow before it may be believed after."""
LEAST_DONORS = 5
LEAST_RANDOM = 3.0
"""Random draws a cell (median) below which most cells hold none or all pass."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DesignOption:
    """One design, whether the data carry it, why or why not, and the function that estimates it.

    One that nobody asked for, ``is_asked`` false, is mentioned below the table alone.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.effects import DesignOption
    >>> title, why = Text("前后比较", "before against after"), Text("弱", "weak")
    >>> DesignOption(name="before_after", title=title, can=True, why=why, how="estimate_before_after").can
    True
    """

    name: Name
    title: Text
    can: bool
    why: Text
    how: str
    is_asked: bool = True


def judge_designs(
    facts: UntreatedFacts, *, sampling: str, controls: Controls | None = None
) -> tuple[DesignOption, ...]:
    """Judge every design by facts of untreated cells, the strongest first.

    Parameters
    ----------
    facts : UntreatedFacts
    sampling : str
        Of the panel: ``naive``, ``random_draw`` or ``post_stratified``.
    controls : Controls or None
        By product and neighbourhood; None where nothing is known of either, which is an option less.
    """
    imputed, grouped = _imputation(facts), _staggered(facts)
    drawn = _random_draws(facts, imputed.can or grouped.can, sampling)
    near = () if controls is None else (_default_controls(controls, imputed.can or grouped.can),)
    return imputed, grouped, drawn, *near, _synthetic(facts), _before_after(facts), _path(facts)


def _lacking(f: UntreatedFacts) -> list[Text]:
    """Return what any comparison of several treated with controls lacks."""
    lacks = []
    if f.n_treated < LEAST_TREATED:
        lacks.append(
            Text(
                f"采用政策且有此前数据的只有 {f.n_treated} 个，少于 {LEAST_TREATED} 个不给区间",
                f"{f.n_treated} treated with data before; below {LEAST_TREATED} there is no interval",
            )
        )
    if not f.n_controls and len(f.starts) < 2:
        lacks.append(Text("同时采用，没有未采用者可比", "all were treated at once, with nobody to compare with"))
    elif f.last_without_untreated:
        at = f.last_without_untreated
        lacks.append(Text(f"{at} 起没有未采用者，须截去其后", f"from {at} on nobody is untreated: cut the data before"))
    elif f.n_controls < LEAST_CONTROLS and len(f.starts) < 2:
        lacks.append(
            Text(f"未采用的只有 {f.n_controls} 个", f"only {f.n_controls} controls, where {LEAST_CONTROLS} are needed")
        )
    return lacks


def _judged(name: Name, title: Text, how: str, lacks: list[Text], carries: Text) -> DesignOption:
    why = Text("；".join(t.zh for t in lacks), "; ".join(t.en for t in lacks)) if lacks else carries
    return DesignOption(name=name, title=title, can=not lacks, why=why, how=how)


def _imputation(f: UntreatedFacts) -> DesignOption:
    lacks = _lacking(f)
    if f.n_treated and f.n_before < LEAST_BEFORE:
        lacks.append(
            Text(f"此前只有 {f.n_before} 期", f"only {f.n_before} periods before, where {LEAST_BEFORE} make an average")
        )
    carries = Text(
        f"采用 {f.n_treated} 个、对照 {f.n_controls} 个，此前至少 {f.n_before} 期，其平均作基期",
        f"{f.n_treated} treated, {f.n_controls} controls and at least {f.n_before} periods before, whose average is "
        "the base",
    )
    return _judged("imputation", Text("插补估计", "the imputation estimate"), "estimate_imputation", lacks, carries)


def _staggered(f: UntreatedFacts) -> DesignOption:
    lacks = _lacking(f)
    if f.n_treated and f.n_before < 2:
        lacks.append(Text("此前不足 2 期，没有提前期可看", "fewer than 2 periods before: no lead can be looked at"))
    carries = Text(
        f"分 {len(f.starts)} 批采用，只与尚未采用者比较，可容许提前反应",
        f"{len(f.starts)} dates of adoption, each compared with those not yet treated; anticipation can be allowed for",
    )
    return _judged("staggered", Text("组别·时期估计", "the group-time estimate"), "estimate_staggered", lacks, carries)


def _random_draws(f: UntreatedFacts, is_compared: bool, sampling: str) -> DesignOption:
    how = 'build_panel(…, sampling="random_draw")'
    title = Text("只用双随机批次的同一估计", "the same on random draws only")
    if sampling == "random_draw":
        lacks = [] if is_compared else [Text("见组别·时期估计", "as for the group-time estimate")]
        return _judged(
            "random_draws", title, how, lacks, Text("面板已只含双随机批次", "the panel holds random draws only")
        )
    lacks = [] if is_compared else [Text("见组别·时期估计", "as for the group-time estimate")]
    if f.random_per_cell is None:
        lacks.append(Text("数据没有说明抽样方式", "the data do not tell how batches were drawn"))
    elif f.random_per_cell < LEAST_RANDOM:
        lacks.append(
            Text(
                f"每格双随机批次中位数仅 {f.random_per_cell:g}",
                f"a median of {f.random_per_cell:g} random draws a cell",
            )
        )
    carries = Text(
        f"每格双随机批次中位数 {f.random_per_cell or 0:g}；不随定向抽查的多少而变",
        f"a median of {f.random_per_cell or 0:g} random draws a cell; it does not move with directed testing",
    )
    return _judged("random_draws", title, how, lacks, carries)


def _default_controls(controls: Controls, is_compared: bool) -> DesignOption:
    n, arm = len(controls.controls), len(controls.spillover)
    lacks = [] if is_compared else [Text("见组别·时期估计", "as for the group-time estimate")]
    if n < LEAST_CONTROLS:
        lacks.append(
            Text(
                f"与采用者产品相同、不相邻、没有共同企业的对照只有 {n} 个",
                f"{n} controls of the same product, not adjacent, no firm in common; {LEAST_CONTROLS} are needed",
            )
        )
    beside = (
        Text(f"；相邻者 {arm} 个另看外溢", f"; {arm} next door are looked at for spillover") if arm else Text("", "")
    )
    carries = Text(
        f"只与产品相同、不相邻、没有共同企业的 {n} 个比较{beside.zh}",
        f"compared with the {n} of the same product, not adjacent, no firm in common{beside.en}",
    )
    title = Text("只与默认对照比较", "against default controls alone")
    return _judged("default_controls", title, "choose_controls", lacks, carries)


def _synthetic(f: UntreatedFacts) -> DesignOption:
    lacks = []
    if not f.n_treated:
        lacks.append(Text("没有采用者有此前的数据", "nobody treated has data before"))
    elif f.n_before < LEAST_PATH:
        lacks.append(
            Text(f"此前只有 {f.n_before} 期可供拟合", f"{f.n_before} periods before to follow; {LEAST_PATH} are needed")
        )
    if f.n_controls < LEAST_DONORS:
        lacks.append(Text(f"供体只有 {f.n_controls} 个", f"{f.n_controls} donors; {LEAST_DONORS} are needed"))
    floor = 1 / (f.n_controls + 1)
    zh, en = f"供体 {f.n_controls} 个，此前 {f.n_before} 期", f"{f.n_controls} donors and {f.n_before} periods before"
    if floor > 0.05:
        zh += f"；安慰剂 p 值最小 {floor:.3f}，达不到 0.05"
        en += f"; its placebo p cannot fall below {floor:.3f}, so it rejects nothing at 0.05"
    return _judged("synthetic", Text("合成控制", "synthetic control"), "estimate_synthetic", lacks, Text(zh, en))


def _before_after(f: UntreatedFacts) -> DesignOption:
    lacks = []
    if not f.n_treated or f.n_before < LEAST_BEFORE:
        before = f.n_before if f.n_treated else 0
        lacks.append(Text(f"此前只有 {before} 期", f"{before} periods before; {LEAST_BEFORE} are needed"))
    carries = Text(
        "弱：把同期的其他变化都算作效果，仅作参照",
        "weak: whatever else happened at the time counts as effect; for reference",
    )
    title = Text("前后比较", "before against after")
    return _judged("before_after", title, "estimate_before_after", lacks, carries)


def _path(f: UntreatedFacts) -> DesignOption:
    carries = Text("只描述走势，不给出效果", "describes how the outcome moved, without an effect")
    return _judged("path", Text("描述走势", "the described path"), "estimate_level", [], carries)


def judge_instruments(panel: Panel, policy: Policy, outcome: str) -> DesignOption:
    """Judge whether effects of the single instruments a plan names can be told apart, from their dates alone.

    Parameters
    ----------
    panel : Panel
    policy : Policy
        With its doses, as `qbase.indicators.build_policy` carries them where the plan names instruments.
    outcome : str
        Tells which periods are held; no outcome is looked at.
    """
    title, how = Text("各项工具单独的效果", "effects of single instruments"), "estimate_instruments"
    if policy.plan is None or not policy.plan.instruments:
        why = Text("没有事先锁定的方案点名工具", "no plan locked beforehand singles one out")
        return DesignOption(name="instruments", title=title, can=False, why=why, how=how, is_asked=False)
    lacks: list[Text] = []
    found = Text("", "")
    try:
        named, matched = read_instruments_asked(policy, None), match_policy(policy, panel.entities)
        grid = build_grid(panel, matched, outcome)
        starts = place_doses(grid, matched)
    except DataError as refused:  # no instrument can be judged; the policy as a whole can
        lacks = [Text(f"{refused.what_zh}（{refused.found}）", f"{refused.what_en} ({refused.found})")]
    else:
        n_first = {code: count_first(grid, starts, code) for code in named}
        found = say_first(n_first)
        if min(n_first.values()) < LEAST_CLUSTERS:
            lacks = [
                Text(
                    f"只能判断整套政策：先行满 {LEAST_APART} 个季度的集群，{found.zh}；每项至少要 {LEAST_CLUSTERS} 个",
                    f"only the whole policy can be judged: clusters in which one ran {LEAST_APART} quarters before any "
                    f"other: {found.en}; {LEAST_CLUSTERS} are needed for each",
                )
            ]
    carries = Text(
        f"先行满 {LEAST_APART} 个季度的集群：{found.zh}；只算一项单独实施的季度",
        f"clusters in which one ran {LEAST_APART} quarters before any other: {found.en}; read while it ran alone",
    )
    return _judged("instruments", title, how, lacks, carries)
