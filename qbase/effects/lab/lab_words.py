"""What the design lab says: names of designs, what each shows, and on which history."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qbase.core.numbers import UNITS_SHORT, count, difference_unit, interval, level_text, number
from qbase.core.text import Text, join
from qbase.core.values import Indicator
from qbase.effects.comparison.effect_words import ROWS, SPANS
from qbase.effects.lab.design_answers import DesignName
from qbase.effects.lab.design_scores import Score, Share
from qbase.effects.lab.placebo_draws import Placebos
from qbase.effects.lab.untreated_history import History, Kind

NAMES: Mapping[DesignName, Text] = {
    "imputation": Text("插补估计", "imputation"),
    "staggered": Text("组别·时期估计", "group-time effects"),
    "synthetic": Text("合成控制", "synthetic control"),
    "before_after": Text("前后比较", "before against after"),
    "twfe": Text("双向固定效应", "two-way fixed effects"),
}
KINDS: Mapping[Kind, Text] = {
    "before": Text("首次采用政策之前的全部对象", "all entities before the first adoption"),
    "never": Text("始终未采用政策的对象", "entities never treated"),
}
PLACEBO = Text(
    "安慰剂政策：在没有任何政策的历史中，随机指定谁在何时“采用”；真实效果为 0，或为加进结果的已知大小。",
    "Placebo policies: who would have adopted when is drawn where nobody was treated; the true effect is 0, or the "
    "known size that was added to the outcomes.",
)
CAPPED = Text(
    "加入的效果不超过结果的上限；所列效果是扣除封顶后的实际平均值。",
    "What is added ends at the bound of the outcome; effects are the averages that were really there.",
)
SAME_HISTORY = Text(
    "所有抽样用的是同一段历史：结论只说这份数据，区间是抽取安慰剂政策的误差，不含另一段历史会怎样。",
    "All draws share one history: what is said is of these data, and intervals are the error of drawing placebo "
    "policies, not of another history.",
)
TWFE = Text(
    "双向固定效应只作警示：效果随时间增强时，它把已采用者当作比较对象。",
    "Two-way fixed effects stand here as a warning: where effects grow they compare with entities already treated.",
)


def detectable_indicator(outcome: Indicator, power: float) -> Indicator:
    """Return what is measured: the smallest effect that would be found."""
    share = f"{100 * power:g}%"
    return Indicator(
        id=f"{outcome.id}.detectable",
        name=Text(
            f"{outcome.label.zh}的最小可发现效果（{share} 的安慰剂政策中能发现）",
            f"smallest effect on {outcome.label.en} that is found (in {share} of placebo policies)",
        ),
        short=Text("最小可发现效果", "smallest effect found reliably"),
        unit=difference_unit(outcome.unit),
        better="down",
        role="context",
    )


def reliably(power: float) -> Text:
    """Return what reliably means."""
    share = f"{100 * power:g}%"
    return Text(
        f"可发现：{share} 的安慰剂政策中判断为有改善。",
        f"Found reliably: an improvement is said in {share} of placebo policies.",
    )


def name_of_score(score: Score) -> Text:
    """Return the design's name, with how many are treated where it is one alone."""
    if score.design != "synthetic":
        return NAMES[score.design]
    return Text("合成控制（1 个采用者）", "synthetic control (1 treated)")


def played_words(history: History, placebos: Placebos, n_treated: int, draws: int) -> Text:
    """Return what was played, as a subtitle."""
    grid = history.grid
    who, step = ROWS.get(history.entity, Text("对象", "entity")), SPANS[grid.freq]
    n, t = count(len(grid.entities)), count(grid.n_periods)
    span = f"{grid.code_of(0)}～{grid.code_of(grid.n_periods - 1)}"
    kind = KINDS[history.kind]
    return Text(
        f"{count(draws)} 个安慰剂政策：{n} 个{who.zh}中 {n_treated} 个采用，{t} 个{step.zh}"
        f"（{kind.zh}，{span}），先后相差 {placebos.spread} 个{step.zh}",
        f"{count(draws)} placebo policies: {n_treated} treated of {n} {plural(who.en)}, {t} {step.en} ({kind.en}, "
        f"{span.replace('～', '–')}), starts up to {placebos.spread} {step.en} apart",
    )


def plural(word: str) -> str:
    """Return the plural of what a panel follows."""
    return "entities" if word == "entity" else f"{word}s"


def say_score(score: Score, unit: str, known: int, grown: Score, effect: tuple[float, float, float]) -> Text:
    """Return what a design showed, in one sentence without its verdict."""
    bias, later = _signed(float(score.bias[0]), unit), _signed(float(grown.bias[known]), unit)
    size = percent_of(score.rejected[0])
    parts = [
        Text(f"偏差 {bias.zh}", f"bias {bias.en}"),
        Text(f"效果逐期增强时 {later.zh}", f"{later.en} where the effect grows"),
    ]
    if score.unanswered[0].value >= 100:
        parts.append(Text("任何安慰剂政策都给不出判断", "no placebo policy in which it could judge"))
    else:
        parts.append(Text(f"没有效果时误报 {size.zh}", f"a change found where there is none in {size.en}"))
    if score.has_interval:
        held = percent_of(score.covered[known])
        parts.append(Text(f"区间含真值 {held.zh}", f"intervals hold the truth in {held.en}"))
    parts.append(detectable_words(effect, unit, score.is_complete))
    return join(parts, zh="，", en=", ")


def _signed(value: float, unit: str) -> Text:
    shown, words = number(value, 1 if unit == "pp" else 3, sign=True), UNITS_SHORT[unit]
    return Text(f"{shown} {words.zh}".rstrip(), f"{shown} {words.en}".rstrip())


def percent_of(share: Share) -> Text:
    """Return a share with its exact bounds."""
    value = number(share.value, 1) + "%"
    if not math.isfinite(share.value):
        return Text("–", "–")
    if share.low == share.high:
        return Text(value, value)
    ends = interval(share.low, share.high, 1)
    return Text(f"{value}（{ends.zh}）", f"{value} ({ends.en})")


def detectable_words(effect: tuple[float, float, float], unit: str, is_complete: bool) -> Text:
    """Return what size of effect is found, or that none is."""
    value, low, high = effect
    if not math.isfinite(value):
        return Text("封顶之前的任何效果都不足以稳定发现", "no effect below the bound found reliably")
    digits, words = 1 if unit == "pp" else 3, UNITS_SHORT[unit]
    shown = number(value, digits)
    ends = Text("", "")
    if not is_complete and math.isfinite(high):
        span = interval(low, high, digits)
        ends = Text(f"（{span.zh}）", f" ({span.en})")
    elif not is_complete:
        ends = Text(f"（至少 {number(low, digits)}）", f" ({number(low, digits)} or more)")
    return Text(
        f"可发现 {shown}{ends.zh} {words.zh}以上的效果", f"effects found from {shown}{ends.en} {words.en}".rstrip()
    )


FAULTS: Mapping[str, Text] = {
    "answers": Text("大多数安慰剂政策下没有判断", "no judgement in most placebo policies"),
    "bias": Text("有偏差", "it is biased"),
    "growing": Text("效果逐期增强时有偏差", "it is biased where the effect grows"),
    "size": Text("误报过多", "it finds too much where there is nothing"),
    "coverage": Text("区间过窄", "its intervals are too narrow"),
}


SHORT_FAULTS: Mapping[str, Text] = {
    "answers": Text("多数无判断", "mostly silent"),
    "bias": Text("有偏差", "biased"),
    "growing": Text("效果递增时有偏差", "biased if growing"),
    "size": Text("误报过多", "false finds"),
    "coverage": Text("区间过窄", "narrow intervals"),
}


def bounds_note(level: float, is_complete: bool) -> Text:
    """Return what the brackets are."""
    shown = level_text(level)
    whole = Text(
        "全部安慰剂政策都已排演的设计没有抽样误差。",
        "Designs whose placebo policies were all played have no error of draws.",
    )
    text = Text(
        f"占比后的括号为 {shown} 精确区间（Clopper–Pearson），± 为蒙特卡罗标准误。",
        f"Brackets after shares: exact {shown} bounds (Clopper and Pearson); ±: Monte Carlo standard errors.",
    )
    return Text(text.zh + whole.zh, f"{text.en} {whole.en}") if is_complete else text


NOTHING_FOUND = Text(
    "在本数据上能还原真值的设计以{design}最好，但封顶之前的任何效果它都不能稳定发现：现有数据不足以判断。",
    "Of the designs that recover the truth on these data {design} serves best, and it finds no effect below the bound "
    "of the outcome reliably: the data cannot decide.",
)
NONE_RECOVERS = Text(
    "在本数据上没有一种设计能还原真值：不宜估计政策效果。",
    "No design recovers the truth on these data: no effect of a policy should be estimated from them.",
)


def leading_words(design: Text) -> Text:
    """Return whom the sentence is about: the design that leads."""
    return Text(
        f"本数据上能还原真值且最灵敏的设计（{design.zh}）",
        f"the most sensitive design that recovers the truth on these data ({design.en})",
    )


MORE_BATCHES = Text(
    "批次少于现有的，从已抽批次中不放回再抽；多于现有的，按模型推算：各格真实合格率 = 对象与时期效应 + 残差中"
    "不属于抽样的部分，再按二项分布抽取。",
    "Fewer batches than there are: drawn again without replacement from those tested. More: by a model in which the "
    "true rate of a cell is its entity and period effect plus the part of the residual that is not sampling, and "
    "batches are drawn from it.",
)
NOTHING_ANYWHERE = Text(
    "无论增加采用者、批次还是年份，都没有能稳定发现的效果。",
    "With more treated, batches or years alike no effect is found reliably.",
)
