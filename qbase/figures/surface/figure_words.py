"""Words around figures and tables: titles that fit, verdicts, units, methods, sources. All from results."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qbase.core.coverage import Coverage
from qbase.core.numbers import UNITS, UNITS_SHORT, count, declared_digits, interval, level_text, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import GRADES, digits_of, direction_of, grade_of, quantity, withheld
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, join, same
from qbase.core.values import Estimate, Indicator
from qbase.figures.surface.period_axis import period_text

MAX_ZH, MAX_EN = 28, 14
FULL_COUNT = Text("全数统计，无抽样误差", "full count, no sampling error")
TOO_FEW = Text("采用者过少，不给区间", "too few treated: no interval")
DRAWS: Mapping[str, Text] = {
    "random_draw": Text("只用双随机批次", "random draws only"),
    "post_stratified": Text("事后分层", "post-stratified"),
    "prediction_powered": Text("以定向抽查为预测", "corrected by directed draws"),
}
METHODS: Mapping[str, Text] = {
    "wilson": Text("Wilson 区间", "Wilson interval"),
    "newcombe": Text("Newcombe 混合得分区间", "Newcombe hybrid-score interval"),
    "firm_wilson": Text("计入企业内相近的 Wilson 区间", "Wilson interval that knows the firms"),
    "firm_difference": Text("计入企业内相近的差值区间", "difference interval that knows the firms"),
    "binomial_trend": Text("二项回归（拟似然）", "binomial regression (quasi-likelihood)"),
    "firm_trend": Text("二项回归，按企业聚类", "binomial regression, clustered by firm"),
    "design_trend": Text("加权最小二乘，权数来自抽样设计", "least squares weighted by the sampling design"),
    "design": Text("按抽样设计加权的区间", "interval weighted by the sampling design"),
    "design_difference": Text("由两期设计区间合成", "made of both periods' design intervals"),
    "twfe": Text("双向固定效应", "two-way fixed effects"),
    "count": Text("逐行计数", "row by row count"),
    "event_study": Text("事件研究", "event study"),
    "imputation": Text("插补估计", "imputation"),
    "imputation_logit": Text("对数几率上的插补估计", "imputation on the log-odds"),
    "instrument_imputation": Text("单项工具的插补估计", "imputation for one instrument"),
    "group_time": Text("组别·时期估计", "group-time effects"),
    "sdid": Text("合成双重差分", "synthetic difference-in-differences"),
    "synthetic_sc": Text("合成控制", "synthetic control"),
    "synthetic_augmented": Text("增广合成控制", "augmented synthetic control"),
    "before_after": Text("前后比较", "before against after"),
    "sun_abraham": Text("交互加权事件研究", "interaction-weighted event study"),
    "triple_difference": Text("三重差分", "triple difference"),
    "interrupted_series": Text("中断时间序列", "interrupted series"),
    "path": Text("描述走势", "described path"),
    "p_chart": Text("p 控制图", "p chart"),
    "laney_chart": Text("Laney p′ 控制图", "Laney p′ chart"),
    "xmr_chart": Text("单值移动极差（XmR）图", "XmR chart"),
    "sup_f": Text("sup-F 断点检验", "sup-F test of breaks"),
    "funnel": Text("漏斗图界限", "funnel limits"),
    "peer_gap": Text("与同类平均之差", "difference from the mean of peers"),
    "rank_intervals": Text("全部位次同时成立的区间", "intervals that hold for all ranks at once"),
    "kitagawa": Text("Kitagawa 对称分解", "Kitagawa's symmetric decomposition"),
    "goodman": Text("Goodman 同时区间", "Goodman's simultaneous intervals"),
    "ridge_logit": Text("岭回归（logit）", "ridge logit"),
    "joinpoint": Text("连接点回归", "joinpoint regression"),
    "laboratories": Text("同一对象同一时期内比较", "compared within entities and periods"),
}
ENTITIES: Mapping[str, Text] = {
    "cluster_id": Text("产业集群", "industrial cluster"),
    "firm_id": Text("企业", "firm"),
    "town_code": Text("乡镇", "town"),
    "entity": Text("主体", "entity"),
}
DOWN, UP = ("可能降低", "降低"), ("可能提高", "提高")
BELOW, ABOVE = ("可能低于同类", "低于同类"), ("可能高于同类", "高于同类")


def length(text: Text) -> tuple[float, int]:
    """Return the length of a title: Chinese characters (Latin ones count half, spaces nothing) and English words."""
    shown = text.zh.replace(" ", "")
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.5 for c in shown), len(text.en.split())


def first_fit(candidates: Sequence[Text]) -> Text:
    """Return, for each language, the first title within 28 Chinese characters or 14 words, else the last one."""
    sizes = [length(text) for text in candidates]
    zh = next((t.zh for t, (size, _) in zip(candidates, sizes, strict=True) if size <= MAX_ZH), candidates[-1].zh)
    en = next((t.en for t, (_, size) in zip(candidates, sizes, strict=True) if size <= MAX_EN), candidates[-1].en)
    return Text(zh, en)


def axis_unit(unit: str) -> Text:
    """Return the unit as it stands in brackets above an axis; empty when there is none."""
    short = UNITS_SHORT.get(unit, same(""))
    return Text(short.zh.removeprefix("个") if unit.startswith("pp") else short.zh, short.en)


def with_unit(name: Text, unit: str) -> Text:
    """Return a name with its unit in brackets."""
    words = axis_unit(unit)
    return Text(f"{name.zh}（{words.zh}）" if words.zh else name.zh, f"{name.en} ({words.en})" if words.en else name.en)


def capital(text: Text) -> Text:
    """Return the text with a capital at the start of its English."""
    return Text(text.zh, text.en[:1].upper() + text.en[1:])


def uncapital(text: Text) -> Text:
    """Return the text with a small letter at the start of its English."""
    return Text(text.zh, text.en[:1].lower() + text.en[1:])


def unit_of_n(result: Result) -> Text:
    """Return what n counts: batches or firms for a rate, else unnamed observations."""
    return UNITS[result.outcome.counted] if result.outcome.unit == "pct" and result.estimand == "level" else same("")


def counts(values: Iterable[int], unit: Text) -> Text:
    """Return ``n = 120～340 批`` for the range of some counts."""
    present = sorted(values)
    if not present:
        return same("n = 0")
    low, high = count(present[0]), count(present[-1])
    shown = same(low) if low == high else Text(f"{low}～{high}", f"{low}–{high}")
    return Text(f"n = {shown.zh} {unit.zh}".rstrip(), f"n = {shown.en} {unit.en}".rstrip())


def bracket(estimate: Estimate, digits: int, *, level: bool = True) -> Text:
    """Return the interval of an estimate, ``95% CI 0.8～3.9``, or that everything was counted."""
    if estimate.ci_low is None or estimate.ci_high is None:
        return TOO_FEW if estimate.uncertainty == "none_too_few" else FULL_COUNT
    shown = interval(estimate.ci_low, estimate.ci_high, digits)
    return same(level_text(estimate.ci_level) + " CI ") + shown if level else shown


def verdict(result: Result, estimate: Estimate, *, graded: bool = True, short: bool = False) -> Text:
    """Return what an estimate says in a few words: 提高 2.3 个百分点（证据较强）; never a star.

    Parameters
    ----------
    result : Result
        Holds the margin and the checks.
    estimate : Estimate
        One of its estimates.
    graded : bool
        Whether the evidence grade follows in brackets.
    short : bool
        Whether units are abbreviated, for drawings.
    """
    digits = digits_of(result, estimate)
    if result.estimand == "need":
        value = quantity(estimate.value, result.unit, 0)
        return Text(f"需要 {value.zh}", f"{value.en} needed")
    if result.estimand == "level":
        return Text("水平值，不判断升降", "A level: no direction to judge")
    held = withheld(result)
    if held is not None:
        return capital(held)
    direction = direction_of(estimate, result.settings.get("margin"))
    if direction == "cannot_tell" and result.estimand == "gap":
        return Text("尚无法判断：可能低于同类，也可能高于同类", "Cannot tell: could be below or above its peers")
    if direction == "cannot_tell":
        return Text("尚无法判断：可能降低，也可能提高", "Cannot tell: could be lower or higher")
    size = _size(abs(estimate.value), result.unit, digits, short)
    if direction == "little":
        declared = float(result.settings["margin"])
        margin = _size(declared, result.unit, declared_digits(declared, result.unit), short)
        if result.estimand in {"change", "trend"} and estimate.tost_low is not None:
            return Text(f"持平（不超过 ±{margin.zh}）", f"Steady (no more than ±{margin.en})")
        return Text(f"影响很小（不超过 ±{margin.zh}）", f"Little change (no more than ±{margin.en})")
    grade = grade_of(result, estimate) or "limited"
    maybe = "" if grade == "strong" else "probably "
    low, high, en = DOWN, UP, f"{maybe}{direction} {size.en}"
    if result.estimand == "gap":
        low, high, en = BELOW, ABOVE, f"{maybe}{size.en} {'above' if direction == 'up' else 'below'} its peers"
    text = capital(Text(f"{(high if direction == 'up' else low)[grade == 'strong']} {size.zh}", en))
    return text + Text(f"（{GRADES[grade].zh}）", f" ({GRADES[grade].en})") if graded else text


def _size(value: float, unit: str, digits: int, short: bool) -> Text:
    if not short or unit == "pct":
        return quantity(value, unit, digits)
    words, shown = UNITS_SHORT[unit], number(value, digits)
    return Text(f"{shown} {words.zh}".rstrip(), f"{shown} {words.en}".rstrip())


def groups_of(result: Result) -> Text | None:
    """Return whom the standard errors are clustered by, or None where they are not."""
    vcov = result.settings.get("vcov")
    if isinstance(vcov, Mapping) and vcov:
        by = str(next(iter(vcov.values())))
    elif str(vcov).startswith("CRV"):
        by = str(result.settings.get("entity_kind", "entity"))
    else:
        return None
    return ENTITIES.get(by, same(by))


def model_of(result: Result) -> Text:
    """Return method and kind of standard error, which tell two lines on one outcome apart."""
    method = METHODS.get(result.method, same(result.method)) + _sample_of(result)
    by, vcov = groups_of(result), result.settings.get("vcov")
    if by is not None:
        return method + Text(f"，标准误按{by.zh}聚类", f", errors clustered by {by.en}")
    if vcov is None:
        return method
    words = {
        "iid": Text("同方差标准误", "iid errors"),
        "hetero": Text("异方差稳健标准误", "robust errors"),
    }
    return method + Text("，", ", ") + words.get(str(vcov), Text(f"标准误：{vcov}", f"errors: {vcov}"))


def _sample_of(result: Result) -> Text:
    """Return what an effect is estimated on where that is not all batches and all controls."""
    if result.estimand != "effect":
        return Text("", "")
    parts = [DRAWS.get(str(result.settings.get("sampling")))]
    if result.settings.get("comparator") == "default controls":
        parts.append(Text("只与同产品的对照比较", "controls of the same product"))
    told = [part for part in parts if part is not None]
    return Text("".join(f"，{t.zh}" for t in told), "".join(f", {t.en}" for t in told))


def term_of(result: Result, estimate: Estimate) -> Text:
    """Return the words for one estimate: what it is, when; where nothing else fits the first clause of its label."""
    named = result.labels.get(f"entity[{estimate.key.get('entity')}]")
    if named is not None:
        return named
    is_half = result.settings.get("window") == "half_year"
    key = {name: period_text(value, is_half=is_half) for name, value in estimate.key.items() if name != "entity"}
    if estimate.term == "att":
        return Text("平均效果", "average effect")
    if {"first", "period"} <= key.keys():
        return Text("{period} 比 {first}", "{period} vs {first}").format(**key)
    time = estimate.key.get("event_time")
    label = result.labels.get(f"{estimate.term}[{time}]", result.labels.get(estimate.term))
    if label is not None:
        return Text(re.split("[，：]", label.zh)[0].strip(), re.split("[,:]", label.en)[0].strip())
    parts = [value for name, value in key.items() if name != "event_time"]
    if time is not None:
        signed = number(float(time), 0, sign=True)
        parts.insert(0, Text(f"事件时间 {signed}", f"event time {signed}"))
    return join(parts, zh="，", en=", ")


def row_label(result: Result, estimate: Estimate, *, several: bool, subjects: bool = False) -> Text:
    """Return the header of a row: the term, with the outcome or subject where a table or figure holds several."""
    label = _term_label(result, estimate, several=several)
    if not subjects:
        return label
    return capital(Text(f"{result.subject.zh}：{label.zh}", f"{result.subject.en}: {uncapital(label).en}"))


def _term_label(result: Result, estimate: Estimate, *, several: bool) -> Text:
    term, outcome = term_of(result, estimate), result.outcome.label
    if not term.zh:
        return capital(outcome)
    return capital(Text(f"{outcome.zh}：{term.zh}", f"{outcome.en}: {term.en}") if several else term)


def definition_note(*outcomes: Indicator) -> Text:
    """Return one sentence with the whole names of indicators that are shown by a shorter one, or an empty text."""
    names = list({o.id: o.name for o in outcomes if o.short is not None}.values())
    return sentences(*(capital(Text(f"{n.zh}。", f"{n.en}.")) for n in names))


def source_note(*results: Result) -> Text:
    """Return one sentence on what the results rest on, or an empty text."""
    made: dict[tuple[str, str], dict[str, Text]] = {}
    for source in (s for r in results for s in r.sources):
        made.setdefault((source.producer, source.snapshot), {})[source.path] = source.label
    if not made:
        return same("")
    seen = []
    for maker, tables in made.items():
        names = uncapital(join(list(tables.values()), zh="、", en=", "))
        facts = [name_text(fact) for fact in maker if fact]
        seen.append(names + Text(*("".join(f" · {fact[lang]}" for fact in facts) for lang in ("zh", "en"))))
    listed = join(seen, zh="；", en="; ")
    return Text(f"来源：{listed.zh}。", f"Source: {listed.en}.")


def sentences(*parts: Text) -> Text:
    """Join sentences, leaving out empty ones."""
    return join([p for p in parts if p.zh], zh="", en=" ")


def sentence(text: Text) -> Text:
    """Return a phrase as a sentence; what ends already stays."""
    zh = text.zh if text.zh.endswith(("。", "！", "？")) else text.zh + "。"
    return capital(Text(zh, text.en if text.en.endswith((".", "!", "?")) else text.en + "."))


def change_words(change: Result) -> Text:
    """Return a change against its base period: 比 2023Q4 提高 2.3 个百分点 / up 2.3 percentage points on 2023 Q4."""
    moved = change.estimates[change.spoken[0]]
    words, against = verdict(change, moved, graded=False), same("")
    if "first" in moved.key:
        against = Text("比 {base}", " on {base}").format(base=period_text(moved.key["first"]))
    if moved.covers_zero:
        since = against.zh.replace("比", "较", 1) + " 的" if against.zh else ""
        return Text(f"{since}变化尚无法判断", f"change{against.en} cannot be told yet")
    return Text(f"{against.zh} {words.zh}".strip(), f"{uncapital(words).en}{against.en}")


def account_data(accounts: Sequence[Coverage | None]) -> dict[str, list[object]]:
    """Return the columns that say, row by row, what the raw values beside them stand on; none where nobody knows."""
    if not any(accounts):
        return {}
    names = Coverage(fates={}).columns()
    return {name: [None if one is None else one.columns()[name] for one in accounts] for name in names}


def data_row(value: object) -> object:
    """Return a cell of a frame as a plain JSON value; a missing one as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str | None) else str(value)
