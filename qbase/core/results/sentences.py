"""Sentences made from results. A reader meets verdict, direction, size, unit and interval, never a star.

Rules (user-experience.md section 4): an interval that covers 0 is 尚无法判断 / cannot tell, unless it lies
inside a stated margin; evidence is strong only when every check passed; a causal verb needs a design.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from qbase.core import periods
from qbase.core.numbers import (
    UNITS,
    UNITS_SHORT,
    count,
    declared_digits,
    interval,
    level_text,
    number,
    p_value,
)
from qbase.core.results.sayable import criterion_digits as criterion_digits
from qbase.core.results.sayable import digits_among as digits_among
from qbase.core.results.sayable import digits_of as digits_of
from qbase.core.shown.display import Prose
from qbase.core.text import Text, join, same, spaced
from qbase.core.values import Estimate, Grade

if TYPE_CHECKING:
    from qbase.core.results.sayable import SayableCriterion, SayableResult, SayableScorecard

Direction = Literal["up", "down", "little", "cannot_tell"]

GRADES: dict[Grade, Text] = {
    "strong": Text("证据较强", "strong evidence"),
    "moderate": Text("证据中等", "moderate evidence"),
    "limited": Text("证据有限", "limited evidence"),
}
ORDER: tuple[Grade, ...] = ("limited", "moderate", "strong")
VERBS: dict[tuple[str, bool], Text] = {
    ("up", True): Text("估计提高", "rose by an estimated"),
    ("down", True): Text("估计降低", "fell by an estimated"),
    ("up", False): Text("可能提高，估计为", "probably rose, by an estimated"),
    ("down", False): Text("可能降低，估计为", "probably fell, by an estimated"),
}
WITHHELD: dict[str, Text] = {
    "headroom": Text("现有数据不足以判断", "the data cannot decide"),
    "test_power": Text("现有数据不足以判断", "the data cannot decide"),
    "decision_date": Text("监测，不作结论", "monitoring, no conclusion"),
    "min_n": Text("样本过少，不判断升降", "too few were tested for a verdict"),
}
"""Checks whose failure takes the verdict and the grade away, and what is said instead."""
_PERIOD = re.compile(r"\d{4}(Q[1-4]|H[12])?")
CANNOT_TELL = Text("尚无法判断", "cannot be told yet")


def direction_of(estimate: Estimate, margin: float | None = None) -> Direction:
    """Return what an interval allows to say.

    Parameters
    ----------
    estimate : Estimate
        A difference or an effect.
    margin : float or None
        Declared before looking; an interval wholly inside ± margin is a little effect. Where the margin is dated the
        estimate carries the 90 % interval of two one-sided tests, and that one is compared; else its own interval,
        whose size at the margin is far below 5 %.
    """
    low, high = estimate.ci_low, estimate.ci_high
    if estimate.tost_low is not None and estimate.tost_high is not None:
        low, high = estimate.tost_low, estimate.tost_high
    if margin is not None and low is not None and high is not None and -margin < low and high < margin:
        return "little"
    if estimate.covers_zero:
        return "cannot_tell"
    return "up" if estimate.value > 0 else "down"


def withheld(result: SayableResult) -> Text | None:
    """Return what is said in place of a verdict, where a check forbids one; None where a verdict may be given."""
    return next((WITHHELD[c.name] for c in result.checks if c.passed is False and c.name in WITHHELD), None)


def grade_of(result: SayableResult, estimate: Estimate) -> Grade | None:
    """Return the evidence grade: strong only when the interval excludes 0 and no check failed.

    One failed check gives moderate, two or more or an interval that covers 0 give limited;
    the method's own cap (`Result.grade`) can only lower it, and what stands on too few of the records is limited.
    None where the data cannot decide at all, or it is not the day to (`withheld`).
    """
    if withheld(result) is not None:
        return None
    if result.coverage is not None and result.coverage.is_lossy:
        return "limited"
    failed = sum(check.passed is False for check in result.checks)
    settled = direction_of(estimate, result.settings.get("margin")) != "cannot_tell"
    grade: Grade = "limited" if not settled or failed > 1 else ("moderate" if failed else "strong")
    if result.grade is not None and ORDER.index(result.grade) < ORDER.index(grade):
        return result.grade
    return grade


def target_text(criterion: SayableCriterion) -> Text:
    """Return the target as it was declared, with its unit."""
    unit = criterion.indicator.unit
    return quantity(criterion.target, unit, declared_digits(criterion.target, unit))


def doubt(result: SayableResult, estimate: Estimate, *, flip: bool = False) -> Text:
    """Return the bracket after a number: interval (and n), or that everything was counted."""
    digits = digits_of(result, estimate)
    if estimate.uncertainty == "none_too_few":
        n = count(estimate.n_treated or 0)
        return Text(f"采用者仅 {n} 个，不给区间", f"only {n} treated: no interval can be given")
    if estimate.ci_low is None or estimate.ci_high is None:
        return Text("全数统计，无抽样误差", "full count, no sampling error")
    low, high = (-estimate.ci_high, -estimate.ci_low) if flip else (estimate.ci_low, estimate.ci_high)
    level = level_text(estimate.ci_level) + " CI "
    shown = interval(low, high, digits)
    return Text(level + shown.zh, level + shown.en)


def plain_estimate(result: SayableResult, estimate: Estimate) -> str:
    """Return one estimate on one line, as a replication line prints it: ``−0.252 (0.151), 95% CI …``."""
    digits = digits_of(result, estimate)
    error = "" if estimate.std_error is None else f" ({number(estimate.std_error, digits)})"
    key = "".join(f" {k}={v}" for k, v in estimate.key.items())
    unit = UNITS_SHORT[result.unit].en
    n = "" if estimate.n_obs is None else f", n = {count(estimate.n_obs)}"
    return f"{estimate.term}{key}: {number(estimate.value, digits)} {unit}{error}, {doubt(result, estimate).en}{n}"


def say_result(result: SayableResult) -> Prose:
    """Return the sentences of a result with their evidence grades; where there is no estimate, why."""
    if not result.estimates:
        why = result.unanswered.format(subject=add_article(result.subject), outcome=result.outcome.label)
        return Prose(name=result.name, items=(spaced(why),), grades=(None,))
    spoken = [result.estimates[i] for i in result.spoken]
    speak = {"level": _say_level, "need": _say_need}.get(result.estimand, _say_difference)
    graded = result.estimand in {"change", "trend", "effect", "gap"}
    said: dict[Text, Grade | None] = {}
    for e in spoken:
        words = result.labels.get(f"said[{e.term}]") or _add_later(result, e, speak(result, e))
        said.setdefault(spaced(words), grade_of(result, e) if graded else None)
    return Prose(name=result.name, items=tuple(said), grades=tuple(said.values()))


def _add_later(result: SayableResult, estimate: Estimate, said: Text) -> Text:
    """Add the sentence that belongs to one estimate, where its labels have one."""
    later = result.labels.get(f"later[{estimate.term}]")
    return said if later is None else join([said, later], zh="", en=" ")


def say_each(*results: SayableResult) -> Prose:
    """Return the sentences of several results as one text, what two of them say word for word only once.

    Examples
    --------
    >>> from qbase.core import say_each
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> rates = [estimate_level(panel, "D1.batch", entity=k, period="2024Q4") for k in ("K003", "K007", "K003")]
    >>> for text in say_each(*rates).items:
    ...     print(text.en)
    The batch pass rate of the Wangdai polyester fibre cluster in 2024 Q4 is estimated at 80.0% (95% CI
        58.4–91.9; n = 20 batches).
    The batch pass rate of the Hengzhu valves and cocks cluster in 2024 Q4 is estimated at 38.9% (95% CI
        20.3–61.4; n = 18 batches).
    """
    said: dict[Text, Grade | None] = {}
    for result in results:
        prose = say_result(result)
        for text, grade in zip(prose.items, prose.grades, strict=True):
            said.setdefault(text, grade)
    names = dict.fromkeys(result.name for result in results)
    return Prose(name="said:" + ":".join(names), items=tuple(said), grades=tuple(said.values()))


def quantity(value: float, unit: str, digits: int, *, sign: bool = False) -> Text:
    """Return a number with its unit: 93.3% / 2.3 个百分点 / 2.3 percentage points."""
    text = number(value, digits, sign=sign)
    words = UNITS[unit]
    if unit == "pct":
        return Text(text + "%", text + "%")
    return Text(f"{text} {words.zh}".rstrip(), f"{text} {words.en}".rstrip())


def add_article(subject: Text) -> Text:
    """Give the English name of one cluster its article; tables hold the bare name."""
    bare = subject.en.endswith(" cluster") and not subject.en.lower().startswith(("the ", "a "))
    return Text(subject.zh, f"the {subject.en}") if bare else subject


def _when(result: SayableResult, estimate: Estimate) -> Text:
    code = estimate.key.get("period")
    if code is None:
        return Text("", "")
    if not _PERIOD.fullmatch(str(code)):
        return Text(f"{code} ", f" in {code}")
    period = periods.parse_any(str(code))
    named = periods.label(period, is_half=result.settings.get("window") == "half_year")
    return Text(named.zh, f" in {named.en}")


def _n(estimate: Estimate, unit: Text) -> Text:
    if estimate.n_obs is None:
        return Text("", "")
    one = {"batches": "batch", "firms": "firm"}.get(unit.en, unit.en) if estimate.n_obs == 1 else unit.en
    return Text(f"；n = {count(estimate.n_obs)} {unit.zh}".rstrip(), f"; n = {count(estimate.n_obs)} {one}".rstrip())


def label_of(result: SayableResult, estimate: Estimate) -> Text:
    """Return the words for an estimate: of its event time (``event[1]``) where it has one, else of its term."""
    at_time = f"{estimate.term}[{estimate.key.get('event_time')}]"
    return result.labels.get(at_time, result.labels.get(estimate.term, Text("", "")))


def _subject_of(result: SayableResult, estimate: Estimate) -> Text:
    """Return whom an estimate is about: ``subject[term]`` of the labels, where it is not all of the subject."""
    return result.labels.get(f"subject[{estimate.term}]", result.subject)


def _unit_of_n(result: SayableResult) -> Text:
    return (
        UNITS[result.outcome.counted] if result.outcome.unit == "pct" and result.estimand == "level" else Text("", "")
    )


def _say_level(result: SayableResult, estimate: Estimate) -> Text:
    value = quantity(estimate.value, result.unit, digits_of(result, estimate))
    bracket = doubt(result, estimate) + _n(estimate, _unit_of_n(result))
    counted = estimate.uncertainty == "none_full_count"
    said = Text(
        "{when}{subject}的{outcome}{is_} {value}（{bracket}）。",
        "The {outcome} of {subject}{when} {is_} {value} ({bracket}).",
    ).format(
        is_=Text("为", "is") if counted else Text("估计为", "is estimated at"),
        when=_when(result, estimate),
        subject=add_article(result.subject),
        outcome=result.outcome.label,
        value=value,
        bracket=bracket,
    )
    later = result.labels.get("later")
    return said if later is None else join([said, later], zh="", en=" ")


def _say_need(result: SayableResult, estimate: Estimate) -> Text:
    value = quantity(estimate.value, result.unit, 0)
    return Text("{subject}，需要 {value}（{label}）。", "{subject}, {value} are needed ({label}).").format(
        subject=add_article(result.subject), value=value, label=result.labels.get(estimate.term, Text("", ""))
    )


def _say_difference(result: SayableResult, estimate: Estimate) -> Text:
    digits = digits_of(result, estimate)
    about = Text("{label}{subject}的{outcome}", "{label}the {outcome} of {subject}").format(
        label=label_of(result, estimate),
        subject=add_article(_subject_of(result, estimate)),
        outcome=result.outcome.label,
    )
    tail = _n(estimate, result.labels.get("n", Text("", "")))
    direction = direction_of(estimate, result.settings.get("margin"))
    held = withheld(result)
    if held is None and direction in {"up", "down"}:
        return _say_moved(result, estimate, about, tail, down=direction == "down")
    value = quantity(estimate.value, result.unit, digits, sign=True)
    bracket = doubt(result, estimate) + tail
    if held is not None:
        said = Text(
            "{about}：{held}。估计 {value}（{bracket}）。", "{about}: {held}. The estimate is {value} ({bracket})."
        )
    elif direction == "little":
        return _say_little(result, estimate, about, value, bracket)
    else:
        untold = "如何变化尚无法判断" if result.estimand == "effect" else "看不出升降"
        said = Text(
            "{about}" + untold + "：估计 {value}（{bracket}），可能降低，也可能提高。",
            "{about}: cannot tell. The estimate is {value} ({bracket}): it could be lower or higher.",
        )
    return _capital(said.format(about=about, held=held or "", value=value, bracket=bracket))


def _say_little(result: SayableResult, estimate: Estimate, about: Text, value: Text, bracket: Text) -> Text:
    declared = float(result.settings["margin"])
    margin = quantity(declared, result.unit, declared_digits(declared, result.unit))
    said = Text(
        "{about}变化很小，估计 {value}（{bracket}），不超过 ±{margin}。",
        "{about} changed little, by an estimated {value} ({bracket}), no more than ±{margin}.",
    )
    if estimate.tost_low is None or estimate.tost_high is None:
        return _capital(said.format(about=about, value=value, bracket=bracket, margin=margin))
    tested = interval(estimate.tost_low, estimate.tost_high, digits_of(result, estimate))
    effect = result.estimand == "effect"
    said = Text(
        ("{about}没有要紧的效果" if effect else "{about}没有要紧的变化")
        + "：估计 {value}（{bracket}）；等效检验的 90% 区间 {tested} 在 ±{margin} 之内"
        "（界值 {day} 声明，来源：{source}）。",
        ("{about}: no effect that matters" if effect else "{about}: no change that matters")
        + ". The estimate is {value} ({bracket}); the 90% interval of the equivalence test, {tested}, lies inside "
        "±{margin} (margin declared on {day}; source: {source}).",
    )
    day, source = result.settings.get("margin_declared_on", ""), result.settings.get("margin_source", {})
    return _capital(
        said.format(
            about=about, value=value, bracket=bracket, margin=margin, tested=tested, day=day,
            source=Text(source.get("zh", ""), source.get("en", "")),
        )
    )  # fmt: skip


def _say_moved(result: SayableResult, estimate: Estimate, about: Text, tail: Text, *, down: bool) -> Text:
    grade: Grade = grade_of(result, estimate) or "limited"
    bracket = join([doubt(result, estimate, flip=down) + tail, GRADES[grade]], zh="；", en="; ")
    return _capital(
        Text("{about}{verb} {value}（{bracket}）。", "{about} {verb} {value} ({bracket}).").format(
            about=about,
            verb=VERBS[("down" if down else "up", grade == "strong")],
            value=quantity(abs(estimate.value), result.unit, digits_of(result, estimate)),
            bracket=bracket,
        )
    )


def _capital(text: Text) -> Text:
    return Text(text.zh, text.en[:1].upper() + text.en[1:])


VERDICTS = {
    "met": Text("达到", "meets"),
    "not_met": Text("未达到", "does not meet"),
    "cannot_tell": Text("尚无法判断是否达到", "cannot yet be said to meet or miss"),
}


def say_scorecard(card: SayableScorecard) -> Prose:
    """Return one sentence per criterion, or the one that no target was declared."""
    if not card.criteria:
        silent = Text("{preset}：不判断{subject}是否达标。", "{preset}: no verdict on {subject}.")
        words = silent.format(preset=card.preset_title, subject=add_article(card.subject))
        return Prose(name=card.name, items=(spaced(_capital(words)),))
    return Prose(name=card.name, items=tuple(spaced(_say_criterion(card, c)) for c in card.criteria))


def _say_criterion(card: SayableScorecard, criterion: SayableCriterion) -> Text:
    e = criterion.estimate
    digits = criterion_digits(criterion)
    shown = Text("全数统计", "full count")
    if e.ci_low is not None and e.ci_high is not None:
        shown = same(level_text(e.ci_level) + " CI ") + interval(e.ci_low, e.ci_high, digits)
    shown = join([shown, criterion.judged], zh="；", en="; ") if criterion.judged.zh else shown
    said = Text(
        "{subject}的{outcome}（{value}，{shown}）{verdict}目标 {target}（预设：{preset}；来源：{source}）。",
        "The {outcome} of {subject} ({value}, {shown}) {verdict} the target of {target} "
        "(preset: {preset}; source: {source}).",
    ).format(
        subject=add_article(card.subject),
        outcome=criterion.indicator.label,
        value=quantity(e.value, criterion.indicator.unit, digits),
        shown=shown,
        verdict=VERDICTS[criterion.verdict],
        target=target_text(criterion),
        preset=card.preset_title,
        source=criterion.source,
    )
    return said if not criterion.why.zh else join([said, criterion.why], zh="", en=" ")


def say_p(p: float) -> Text:
    """Return ``p = 0.047`` or ``p < 0.001``, the same in both languages."""
    shown = p_value(p)
    return same(f"p {shown}" if shown[0] in "<>" else f"p = {shown}")
