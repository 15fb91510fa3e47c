"""A control chart in words: the verdict with its sign, the target, the rules that fired, what the reader must know."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, digits_for, number, p_value, percent
from qbase.core.results.sentences import quantity
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.stats.control.change_scan import scan_power
from qbase.stats.control.control_rules import RULES, SHIFT_POINTS, TREND_POINTS
from qbase.stats.control.memory_charts import SLACK, WEIGHT
from qbase.stats.control.run_lengths import cusum_run_length, ewma_run_length
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.signals.control_numbers import (
    STEPS,
    TRIAL_POINTS,
    VERDICT_POINTS,
    Assurance,
    Charted,
    Phase,
    Variation,
)
from qbase.trends.signals.measured_series import Measured

VARIATIONS: dict[Variation, Text] = {
    "improving": Text("▲ 特殊原因：改善", "▲ special cause: improving"),
    "worsening": Text("▼ 特殊原因：变差", "▼ special cause: worsening"),
    "higher": Text("△ 特殊原因：升高", "△ special cause: higher"),
    "lower": Text("▽ 特殊原因：降低", "▽ special cause: lower"),
    "common_cause": Text("● 共同原因：属正常波动", "● common cause: routine variation"),
    "all_alike": Text("○ 数值全部相同，不作判断", "○ all values alike: no verdict"),
    "too_short": Text("○ 期数太少，不作判断", "○ too few periods: no verdict"),
}
ASSURANCES: dict[Assurance, Text] = {
    "always": Text("◆ 稳定达标", "◆ target always met by the process"),
    "sometimes": Text("◇ 时而达标，时而不达标", "◇ target sometimes met, sometimes not"),
    "never": Text("× 稳定不达标", "× target never met by the process"),
    "cannot_tell": Text("○ 没有界限，无法判断是否稳定达标", "○ no limits: cannot tell whether the target is met"),
}
RULE_WORDS = {
    "beyond": Text("单点超出界限", "one point beyond the limits"),
    "two_of_three": Text("三点中两点偏离两倍标准误以上", "two of three points beyond 2 standard errors"),
    "shift": Text(f"连续 {SHIFT_POINTS} 点在均线同侧", f"{SHIFT_POINTS} points in a row on one side"),
    "trend": Text(f"连续 {TREND_POINTS} 点同向", f"{TREND_POINTS} points in a row in one direction"),
}
CHARTS = {
    "p": Text("p 控制图", "p chart"),
    "laney": Text("Laney p′ 控制图", "Laney p′ chart"),
    "xmr": Text("单值移动极差（XmR）图", "XmR chart"),
}
MEMORIES = {
    "ewma": Text("指数加权移动平均（EWMA，新值权重 0.2）", "The exponentially weighted mean (EWMA, newest period 0.2)"),
    "cusum": Text("累积和（CUSUM，允许值 0.5）", "The cumulative sums (CUSUM, slack 0.5)"),
}
USUAL = {
    "ewma": (3, round(ewma_run_length(WEIGHT, 3.0))),
    "cusum": (4, round(cusum_run_length(SLACK, 4.0))),
}
"""The handbooks' limit, and the mean number of periods until it gives a false alarm."""
INDEPENDENT = Text(
    "判断以各期相互独立、没有季节波动为前提；规则触发的点只是线索，不是结论。",
    "The verdict takes the periods as independent and without season; points at which a rule fires are leads, "
    "not conclusions.",
)


def say_later(measured: Measured, charted: Charted, target: float | None) -> Text:
    """Return the sentences after the centre of the last phase: verdict, target, rules."""
    phase = charted.phases[-1]
    parts = [say_variation(measured, phase), say_assurance(measured, phase, target), say_rules(measured, charted)]
    return join([p for p in parts if p.zh], zh="", en=" ")


def say_variation(measured: Measured, phase: Phase) -> Text:
    """Return the verdict on one phase as a sentence."""
    words = VARIATIONS[phase.variation]
    p = p_value(phase.p_value)
    p = p if p[0] in "<>" else f"= {p}"
    if phase.variation in ("all_alike", "too_short"):
        return Text(f"{words.zh}（{phase.points} 期）。", f"{words.en} ({phase.points} periods).")
    if phase.variation == "common_cause":
        return Text(
            f"{words.zh}（{phase.points} 期内没有持久变化的证据，p {p}）。",
            f"{words.en} (no evidence of a lasting change in {phase.points} periods, p {p}).",
        )
    when = periods.label(measured.index[phase.last + 1])
    digits = digits_for(measured.indicator.unit, None, phase.low, phase.high)
    before, after = (quantity(v, measured.indicator.unit, digits) for v in (phase.before, phase.after))
    return Text(
        f"{words.zh}：{when.zh}起由 {before.zh} 变为 {after.zh}（p {p}）。",
        f"{words.en}, from {before.en} to {after.en} since {when.en} (p {p}).",
    )


def say_assurance(measured: Measured, phase: Phase, target: float | None) -> Text:
    """Return whether the process as it is meets a target, given how much is tested; empty without one."""
    if target is None or not phase.assurance:
        return Text("", "")
    shown, words = quantity(target, measured.indicator.unit, 1), ASSURANCES[phase.assurance]
    if not measured.has_counts:
        return Text(f"目标 {shown.zh}：{words.zh}。", f"Target {shown.en}: {words.en}.")
    n = count(int(np.median(measured.n[phase.start : phase.stop])))
    return Text(
        f"目标 {shown.zh}：{words.zh}（每期样本量中位数 {n}）。",
        f"Target {shown.en}: {words.en} (median of {n} tested a period).",
    )


def say_rules(measured: Measured, charted: Charted) -> Text:
    """Return which rules fired where, and how often they do in a chart in which nothing happens; empty where none."""
    fired = [(rule, np.flatnonzero(charted.signals[rule])) for rule in RULES if charted.signals[rule].any()]
    if not fired:
        return Text("", "")
    told = []
    for rule, at in fired:
        ends = [_when(measured, at[0], lang) for lang in ("zh", "en")]
        more = "" if len(at) == 1 else f"–{_when(measured, at[-1], 'en')}"
        zh = ends[0] if len(at) == 1 else f"{ends[0]}～{_when(measured, at[-1], 'zh')}"
        points = "1 point" if len(at) == 1 else f"{len(at)} points"
        told.append(
            Text(f"{RULE_WORDS[rule].zh}（{zh}，{len(at)} 点）", f"{RULE_WORDS[rule].en} ({ends[1]}{more}, {points})")
        )
    named = join(told, zh="、", en="; ")
    share = percent(100 * charted.quiet_share, 0)
    return Text(
        f"值得查看的点：{named.zh}；这样的图即使没有变化，也有 {share} 会触发某条规则。",
        f"Points to look at: {named.en}. In a chart like this without any change some rule fires in {share} of cases.",
    )


def _when(measured: Measured, i: int, lang: str) -> str:
    written = periods.code(measured.index[i])
    return written if lang == "zh" else f"{written[:4]} {written[4:]}".rstrip()


def check_chart(measured: Measured, charted: Charted) -> list[CheckResult]:
    """Return the checks of a chart: short phases, small n, all alike, over-dispersion, correlation of neighbours."""
    found = [
        _check_length(charted),
        *_check_counts(measured, charted),
        _check_serial(measured, charted),
        _check_memory(charted),
        _check_power(measured, charted),
    ]
    return [c for c in found if c is not None]


def _check_length(charted: Charted) -> CheckResult:
    short = [p.points for p in charted.phases if p.points < TRIAL_POINTS]
    if not short:
        text = Text(f"每个阶段不少于 {TRIAL_POINTS} 期。", f"Each phase has at least {TRIAL_POINTS} periods.")
        return CheckResult(name="phase_length", passed=True, text=text)
    text = Text(
        f"有阶段只有 {min(short)} 期，界限为试用界限（不足 {TRIAL_POINTS} 期）；不足 {VERDICT_POINTS} 期的不作判断。",
        f"A phase has {min(short)} periods: limits are on trial below {TRIAL_POINTS}, and there is no verdict below "
        f"{VERDICT_POINTS}.",
    )
    return CheckResult(name="phase_length", passed=False, text=text)


def _check_counts(measured: Measured, charted: Charted) -> list[CheckResult]:
    if not measured.has_counts:
        return []
    return [*_check_alike(measured, charted), *_check_small(measured, charted), _dispersion(charted)]


def _check_alike(measured: Measured, charted: Charted) -> list[CheckResult]:
    """Say of every phase in which all passed, or all failed, that it has no limits and is not perfect for that."""
    found = []
    for phase in charted.phases:
        own = slice(phase.start, phase.stop)
        n, k = int(measured.n[own].sum()), int(measured.k[own].sum())
        if k not in (0, n):
            continue
        low, high = (float(100 * end[0]) for end in wilson_interval([k], [n]))
        text = Text(
            f"{phase.points} 期 {count(n)} 个样本全部{'合格' if k else '不合格'}，没有波动可供计算界限，图中不画界限；"
            f"真实数值可能{'低' if k else '高'}至 {percent(low if k else high)}。",
            f"All {count(n)} tested in {phase.points} periods {'passed' if k else 'failed'}: there is no variation to "
            f"compute limits from, and none are drawn. The true rate may be as {'low' if k else 'high'} as "
            f"{percent(low if k else high)}.",
        )
        found.append(CheckResult(name="all_alike", passed=False, text=text))
    return found


def _check_small(measured: Measured, charted: Charted) -> list[CheckResult]:
    if charted.chart == "xmr":
        return []
    centre = charted.limits.centre[0]
    # where all passed, or all failed, there are no limits to be rough
    varies = (centre > 0) & (centre < 100)
    few = int((varies & (measured.n * np.minimum(centre, 100 - centre) / 100 < 1)).sum())
    if not varies.any():
        return []
    if few == 0:
        text = Text(
            "每期预计至少有 1 个合格和 1 个不合格样本，界限可用。",
            "At least one pass and one failure is expected in each period: the limits can be used.",
        )
        return [CheckResult(name="small_n_limits", passed=True, text=text)]
    text = Text(
        f"{len(measured.n)} 期中有 {few} 期预计不足 1 个不合格（或合格）样本，界限只是近似；判断依据检验，不依据界限。",
        f"In {few} of {len(measured.n)} periods less than one failure (or pass) is expected: their limits are rough. "
        "The verdict comes from a test of its own and does not rest on them.",
    )
    return [CheckResult(name="small_n_limits", passed=False, text=text)]


def _dispersion(charted: Charted) -> CheckResult:
    p = p_value(charted.dispersion_p)
    p = p if p[0] in "<>" else f"= {p}"
    ratio, words = number(charted.dispersion, 2), CHARTS[charted.chart]
    text = Text(
        f"离散度 {ratio}（1 为纯抽样波动，p {p}）；用 {words.zh}。",
        f"Dispersion {ratio} (1 is sampling alone, p {p}); {words.en} used.",
    )
    return CheckResult(name="dispersion", passed=None, text=text)


def _check_serial(measured: Measured, charted: Charted) -> CheckResult | None:
    limit = 2 / np.sqrt(len(measured.value))
    shown = number(charted.serial, 2)
    if charted.serial <= limit or any(p.variation in ("improving", "worsening") for p in charted.phases):
        return None
    text = Text(
        f"相邻时期相关（{shown}），超出独立时的范围（{number(limit, 2)}），误报率可能高于声明值。",
        f"Neighbouring periods are correlated ({shown}), more than independence allows ({number(limit, 2)}): the false "
        "alarm rate may be above the one stated.",
    )
    return CheckResult(name="independence", passed=False, text=text)


def _check_memory(charted: Charted) -> CheckResult | None:
    """Say what the path is held against, and how often the usual limit would be crossed for nothing."""
    phase = charted.phases[-1]
    if charted.memory is None or phase.together is None:
        return None
    usual, run = USUAL[charted.memory]
    limit = number(phase.together.limit, 2)
    text = Text(
        f"{MEMORIES[charted.memory].zh}与检验一并判断，界限 {limit} 个标准误，两者合计的误报率与声明值一致；"
        f"常用界限 {usual} 平均每 {run} 期误报一次。",
        f"{MEMORIES[charted.memory].en} judged together with the test: its limit is {limit} standard errors, so that "
        f"both give a false alarm no more often than stated; the usual limit {usual} gives one in {run} periods.",
    )
    return CheckResult(name="memory", passed=None, text=text)


def _check_power(measured: Measured, charted: Charted) -> CheckResult | None:
    """Say beside a chart without a verdict which changes it would have found."""
    phase = charted.phases[-1]
    if phase.variation != "common_cause" or not measured.has_counts:
        return None
    own = slice(phase.start, phase.stop)
    if phase.pooled is not None:
        found = list(phase.pooled.power)
    else:
        found = scan_power(measured.value[own], measured.weight[own], STEPS, alpha=charted.alpha_phase)
    shares = [percent(100 * p, 0) for p in found]
    text = Text(
        f"在这样的图上，阶段中段 {STEPS[0]} 个百分点的持久变化约有 {shares[0]} 会被发现，"
        f"{STEPS[1]} 个百分点约有 {shares[1]}；没有发现不等于没有变化。",
        f"In a chart like this a lasting change of {STEPS[0]} points in the middle of the phase would be found in "
        f"about {shares[0]} of cases, one of {STEPS[1]} points in {shares[1]}: none found is not none there.",
    )
    return CheckResult(name="power", passed=None, text=text)


def tell_phases(measured: Measured, charted: Charted, events: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``phases``."""
    rows = []
    starts = {str(r["period"]): r for r in events.to_dict("records")}
    for i, phase in enumerate(charted.phases):
        own = slice(phase.start, phase.stop)
        first = periods.code(measured.index[phase.start])
        begin = [r for at, r in starts.items() if phase.start and _between(at, measured, phase.start)]
        rows.append(
            {
                "phase": i + 1, "first": first, "last": periods.code(measured.index[phase.stop - 1]),
                "n_points": phase.points,
                "n": measured.n[own].sum() if measured.has_counts else np.nan,
                "k": measured.k[own].sum() if measured.has_counts else np.nan,
                "centre": phase.centre, "ci_low": phase.low, "ci_high": phase.high,
                "variation": phase.variation, "p_value": phase.p_value,
                "changed_at": periods.code(measured.index[phase.last + 1]) if phase.last >= 0 else "",
                "before": phase.before, "after": phase.after, "assurance": phase.assurance,
                "began_zh": "；".join(r["title_zh"] for r in begin),
                "began_en": "; ".join(r["title_en"] for r in begin),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _between(at: str, measured: Measured, start: int) -> bool:
    """Return whether an event lies after the last period of the phase before, up to the first of this one."""
    period = periods.read_period(at)
    return period is not None and measured.index[start - 1] < period <= measured.index[start]
