"""What a quarter allows to say about a rate: improved, worsened, steady, or that it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qbase.core.errors import DataError
from qbase.core.numbers import count, level_text, number, percent
from qbase.core.results.decision import FAILED, Decision
from qbase.core.results.result import Result, distinct_checks
from qbase.core.results.sentences import digits_of, grade_of, withheld
from qbase.core.text import Text, spaced
from qbase.core.values import CheckResult, Estimate
from qbase.trends.deciding.quarter_next_step import QuarterVerdict, is_far, say_next_step
from qbase.trends.rates.change_verdicts import judge_change

WORDS: Mapping[QuarterVerdict, Text] = {
    "improved": Text("与上年同期相比改善", "improved on a year ago"),
    "worsened": Text("与上年同期相比恶化", "worse than a year ago"),
    "no_effect": Text("与上年同期相比持平", "steady against a year ago"),
    "cannot_tell": Text("与上年同期相比看不出升降", "cannot tell whether it changed on a year ago"),
}
FOUND: Mapping[str, QuarterVerdict] = {"improving": "improved", "worsening": "worsened", "steady": "no_effect"}
MOVED = frozenset({"same_sampling", "same_entities", "within_entities"})
"""Checks whose failure means that how, or whom, inspectors drew may have made the change."""

OPPOSED = {"improving": "worsening", "worsening": "improving"}
UNCHANGED = Text(
    "“没有变化”：区间含 0 不等于不变。", "That nothing changed: an interval that covers 0 does not say so."
)
BY_DRAWING = Text(
    "抽样方式或抽查对象前后不同，是变是不变都可能来自抽样",
    "how or whom inspectors drew moved as well, and may have made a change or hidden one",
)
LIMITED = Text(
    "证据有限：不止一项检查未通过，或未能计入的记录过多",
    "the evidence is limited: more than one check failed, or too many records could not be counted",
)
OTHER_WAY = Text("当季与累计方向相反", "the quarter and the year to date point in opposite directions")
OF_SEASON = Text(
    "环比的升降是质量的升降：环比没有扣除季节影响。",
    "That a change on the quarter before is one of quality: the season is not taken out.",
)
LATEST = Text("最新一期如何：", "How the latest quarter stands: ")
NOTHING_BEFORE = Text(
    "上年同期的抽查记录完整入库之后，才能同比。",
    "A comparison takes the inspections of the same quarter a year ago, complete and on record.",
)
FAULTLESS = Text("“数据没有问题”：", "That nothing is wrong with the data: ")
NO_CAUSE = Text(
    "变化的原因：同比只说升降，不说是不是政策带来的。",
    "What lies behind a change: a comparison with a year ago cannot tell a policy from other causes.",
)


def decide_quarter(change: Result, *beside: Result, level: Result, need: Result | None = None) -> Decision:
    """Decide what a quarter shows from its change against a year ago, by these rules, the first that holds.

    1. No estimate, or too few batches for a verdict: cannot tell. 2. The 95 % interval covers 0 and two one-sided
    tests do not stay inside the declared margin: cannot tell. 3. The way of drawing, or the entities drawn, moved
    between the two periods (checks ``same_sampling``, ``same_entities``, ``within_entities``), or the evidence is
    limited for another reason (two failed checks, too many records lost): cannot tell. 4. The year to date comes to the
    opposite word: cannot tell. 5. Inside the margin: no change that matters (``no_effect``, 持平). 6. Else improved or
    worsened, by the direction that is better; where neither is, cannot tell.

    Parameters
    ----------
    change : Result
        Of `estimate_change` against ``year_ago``, declared beforehand as the one that decides.
    *beside : Result
        Other changes of the same rate: the year to date (``cumulative``) can only take a word away, the others are
        said and decide nothing.
    level : Result
        Of `estimate_level`, the rate of the quarter.
    need : Result or None
        Of `qbase.planning.plan_batches` at that level: how many batches would settle it.

    Returns
    -------
    Decision
        ``improved worsened no_effect cannot_tell``. What can be said: the comparisons, and what changes are ruled out.
        What cannot: whether checks failed, preliminary periods, causes. What would settle it: batches a quarter.
        The next step: what there is to decide, what holds meanwhile, which period to look at next.

    Raises
    ------
    DataError
        The results are no changes of one rate, or the level is another's (QB508).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import decide_quarter, estimate_change, estimate_level, match_margin
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> asked = {"entity": "K001", "margin": match_margin(2.0)}
    >>> level = estimate_level(panel, "D1.batch", entity="K001")
    >>> decision = decide_quarter(estimate_change(panel, "D1.batch", **asked), level=level)
    >>> decision.verdict, decision.can_say[0][0].en
    ('cannot_tell', 'A rise of more than 14.5 or a fall of more than 36.9 percentage points is ruled out (95% CI).')
    """
    _refuse_others(change, beside, level)
    verdict, why = judge_quarter(change, *beside)
    return Decision(
        name="decision",
        verdict=verdict,
        subject=spaced(Text("{who}的{what}", "{what} of {who}").format(who=level.subject, what=level.outcome.label)),
        words=WORDS[verdict],
        can_say=tuple((text, grade_of(r, _spoken(r))) for text, r in _can_say(change, beside, why)),
        cannot_say=tuple(_cannot_say(change, beside, level, why)),
        would_settle=tuple(_would_settle(change, level, need, verdict)),
        next_step=say_next_step(verdict, change, level, need),
    )


def judge_quarter(change: Result, *beside: Result) -> tuple[QuarterVerdict, Text | None]:
    """Return the verdict of `decide_quarter`, and why a change that was found is not given its word."""
    if not change.estimates or withheld(change) is not None:
        return "cannot_tell", None
    word = judge_change(change)
    if word not in FOUND:
        return "cannot_tell", None
    if _has_moved(change):
        return "cannot_tell", BY_DRAWING
    if grade_of(change, _spoken(change)) == "limited":
        return "cannot_tell", LIMITED
    year = next((r for r in beside if r.settings.get("against") == "cumulative" and r.estimates), None)
    if year is not None and withheld(year) is None and judge_change(year) == OPPOSED.get(word):
        return "cannot_tell", OTHER_WAY
    return FOUND[word], None


def say_ruled_out(result: Result) -> Text | None:
    """Return which changes the interval of a change rules out; None without one."""
    e = _spoken(result)
    if e.ci_low is None or e.ci_high is None:
        return None
    digits, shown = digits_of(result, e), level_text(e.ci_level)
    rise, fall = (number(max(x, 0.0), digits) for x in (e.ci_high, -e.ci_low))
    if e.ci_high <= 0 or e.ci_low >= 0:
        zh, en = ("任何提高", "any rise") if e.ci_high <= 0 else ("任何降低", "any fall")
        bound = fall if e.ci_high <= 0 else rise
        zh2, en2 = ("降低", "fall") if e.ci_high <= 0 else ("提高", "rise")
        return Text(
            f"可以排除{zh}，也可以排除{zh2}超过 {bound} 个百分点（{shown} CI）。",
            f"{en[:1].upper()}{en[1:]}, and a {en2} of more than {bound} percentage points, is ruled out ({shown} CI).",
        )
    return Text(
        f"可以排除提高超过 {rise} 个百分点或降低超过 {fall} 个百分点（{shown} CI）。",
        f"A rise of more than {rise} or a fall of more than {fall} percentage points is ruled out ({shown} CI).",
    )


def _can_say(change: Result, beside: Sequence[Result], why: Text | None) -> list[tuple[Text, Result]]:
    said: list[tuple[Text, Result]] = []
    # where draws moved the interval is about what was drawn, not about quality
    if change.estimates and not _has_moved(change) and why is None and (out := say_ruled_out(change)) is not None:
        said.append((out, change))
    # the change itself leads its letter; the verdict above says its word
    told = [r for r in beside if _has_word(r)]
    return said + [(result.say().items[0], result) for result in told]


def _has_moved(change: Result) -> bool:
    return any(c.passed is False and c.name in MOVED for c in change.checks)


def _has_word(result: Result) -> bool:
    return bool(result.estimates) and withheld(result) is None and judge_change(result) != "cannot_tell"


def _cannot_say(change: Result, beside: Sequence[Result], level: Result, why: Text | None) -> list[Text]:
    said: list[Text] = []
    if not change.estimates:
        said += list(change.say().items)
    elif (held := withheld(change)) is not None:
        said.append(Text(f"是升是降：{held.zh}。", f"Whether it rose or fell: {held.en}."))
    elif why is not None:
        said.append(Text(f"是否真有变化：{why.zh}。", f"Whether there was a change: {why.en}."))
    elif judge_change(change) == "cannot_tell":
        said.append(UNCHANGED)
    if _failed(change, level, *beside):
        said.append(FAULTLESS + FAILED)
    said += [LATEST + _ended(c.text) for c in level.checks if c.name == "maturity" and c.passed is not True]
    said += [OF_SEASON] if any(r.settings.get("against") == "previous" and _has_word(r) for r in beside) else []
    said += [NO_CAUSE] if change.estimates else []
    return list({t.en: t for t in said}.values())


def _failed(change: Result, level: Result, *beside: Result) -> list[CheckResult]:
    """Return failed checks; of comparisons that decide nothing only those that say what was drawn moved."""
    first = [c for c in distinct_checks(change, level) if c.passed is False]
    moved = [c for c in distinct_checks(*beside) if c.passed is False and c.name in MOVED]
    return [*first, *moved]


def _would_settle(change: Result, level: Result, need: Result | None, verdict: QuarterVerdict) -> list[Text]:
    if not change.estimates:
        return [NOTHING_BEFORE]
    if need is None or verdict != "cannot_tell" or not level.estimates:
        return []
    now = level.estimates[level.spoken[0]].n_obs or 0
    if not need.estimates:
        return [need.say().items[0]]
    wanted = need.estimates[0]
    half = float(wanted.key["half_width_pp"])
    both, shown, firms = number(half * 2**0.5, 1), number(half, 1), count(int(wanted.key["firms"]))
    chance = percent(100 * float(need.settings["assurance"]), 0)
    text = Text(
        f"两期各在 {firms} 家企业随机抽 {count(int(wanted.value))} 批（现有 {count(now)} 批），每期合格率"
        f"有 {chance} 的把握精确到 ±{shown} 个百分点，两期之差约 ±{both} 个百分点。",
        f"{count(int(wanted.value))} batches of {firms} firms drawn at random in each of the two quarters (now "
        f"{count(now)}): with a chance of {chance} each rate is then known within ±{shown} points, their difference "
        f"within about ±{both}.",
    )
    if not is_far(need, now):
        return [text]
    years = number(wanted.value / max(4 * now, 1), 0)
    far = Text(
        f"按现有批次，需合并约 {years} 年的抽查。", f"At the present pace that is about {years} years of inspections."
    )
    return [text, far]


def _spoken(result: Result) -> Estimate:
    return result.estimates[result.spoken[0]]


def _ended(text: Text) -> Text:
    zh = text.zh if text.zh.endswith(("。", "；")) else f"{text.zh}。"
    return Text(zh, text.en if text.en.endswith(".") else f"{text.en}.")


def _refuse_others(change: Result, beside: Sequence[Result], level: Result) -> None:
    wrong = [r for r in (change, *beside) if r.estimand != "change" or r.outcome.id != level.outcome.id]
    subjects = {r.settings.get("entity") for r in (change, *beside, level)}
    if wrong or level.estimand != "level" or len(subjects) > 1 or change.settings.get("against") != "year_ago":
        raise DataError(
            "QB508",
            found=", ".join(r.name for r in (change, *beside, level)),
            expected="changes against a year ago first, and a level, of one rate and one subject",
            fix='decide_quarter(estimate_change(…, against="year_ago"), level=estimate_level(…))',
        )
