"""The evidence grade of an effect, by the rule of docs/evidence.md: every line can lower it, none can raise it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from qbase.core.policy import Plan
from qbase.core.results.result import Result
from qbase.core.results.sentences import GRADES, ORDER, WITHHELD, direction_of
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Grade
from qbase.effects.judging.design_checks import FEW_TREATED

ATT = "att"
VALID_FLOOR = 0.05
"""A placebo set is valid where its smallest attainable p is no larger: else it could not have rejected anything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """One estimate with all that is known against it."""

    result: Result
    estimate: Estimate
    failed: tuple[str, ...]
    plan: Plan | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """One line of the rule: when it holds, what it caps the grade at, and why in words."""

    name: str
    cap: Grade | None
    holds: Callable[[_Case], bool]
    words: Text


def _is_undecided(case: _Case) -> bool:
    return direction_of(case.estimate, case.result.settings.get("margin")) == "cannot_tell"


def _is_few(case: _Case) -> bool:
    n, floor = case.estimate.n_treated, case.estimate.p_floor
    return n is not None and n < FEW_TREATED and (floor is None or floor > VALID_FLOOR)


def _lost_records(case: _Case) -> bool:
    return case.result.coverage is not None and case.result.coverage.is_lossy


def _fails(name: str) -> Callable[[_Case], bool]:
    return lambda case: name in case.failed


RULES: tuple[Rule, ...] = (
    *(Rule(name=name, cap=None, holds=_fails(name), words=words) for name, words in WITHHELD.items()),
    Rule(
        name="undecided",
        cap="limited",
        holds=_is_undecided,
        words=Text("区间包含 0，等效检验也未通过", "the interval covers 0 and no equivalence was found"),
    ),
    Rule(
        name="records_lost",
        cap="limited",
        holds=_lost_records,
        words=Text("所依据的记录损失过多", "too many of the records are lost"),
    ),
    Rule(
        name="few_treated",
        cap="limited",
        holds=_is_few,
        words=Text(
            f"采用政策的不足 {FEW_TREATED} 个，又没有有效的安慰剂集合",
            f"fewer than {FEW_TREATED} are treated and there is no valid placebo set",
        ),
    ),
    Rule(
        name="mix_moved",
        cap="limited",
        holds=_fails("same_sampling"),
        words=Text("抽样方式随政策改变", "the way of drawing moved with the policy"),
    ),
    Rule(
        name="yardstick_moved",
        cap="limited",
        holds=_fails("same_yardstick"),
        words=Text("判定标准随政策改变", "the yardstick moved with the policy"),
    ),
    Rule(
        name="dose_followed",
        cap="limited",
        holds=_fails("dose_unpredicted"),
        words=Text("工具力度可能跟着不合格走", "the dose may have followed failures"),
    ),
    Rule(
        name="failed_twice",
        cap="limited",
        holds=lambda case: len(case.failed) > 1,
        words=Text("两项以上检查未通过", "two or more checks failed"),
    ),
    Rule(
        name="failed_once",
        cap="moderate",
        holds=lambda case: len(case.failed) == 1,
        words=Text("一项检查未通过", "one check failed"),
    ),
    Rule(
        name="set_afterwards",
        cap="moderate",
        holds=lambda case: case.plan is None or case.plan.post_hoc,
        words=Text("评价方案事后设定", "the plan was set afterwards"),
    ),
    Rule(
        name="not_as_planned",
        cap="moderate",
        holds=_fails("as_planned"),
        words=Text("与锁定的方案不一致", "it departs from the locked plan"),
    ),
    Rule(
        name="method",
        cap="moderate",
        holds=lambda case: case.result.grade is not None,
        words=Text("方法本身的限制", "a limit of the method itself"),
    ),
)


def grade_evidence(
    result: Result, checks: Sequence[CheckResult] = (), plan: Plan | None = None, *, estimate: Estimate | None = None
) -> Grade | None:
    """Return the evidence grade of an effect by the rule of docs/evidence.md.

    Parameters
    ----------
    result : Result
        An effect; its own checks count.
    checks : sequence of CheckResult
        Further ones.
    plan : Plan or None
        As `qbase.indicators.read_plan` gives it; None is a plan set afterwards.
    estimate : Estimate or None
        Which of its estimates; None is the average effect.

    Returns
    -------
    {"strong", "moderate", "limited"} or None
        None where the data cannot decide, or it is no day of decision.

    Raises
    ------
    DataError
        There is no average effect and no other estimate was named (QB141).

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Plan, Result, Text
    >>> from qbase.effects import grade_evidence
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> rise = Estimate(term="att", value=6.1, std_error=1.5, ci_low=3.1, ci_high=9.1, n_treated=8)
    >>> result = Result(
    ...     estimand="effect", outcome=rate, unit="pp", method="staggered", estimates=(rise,),
    ...     subject=Text("采用政策的集群", "treated clusters"),
    ... )
    >>> words = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
    >>> grade_evidence(result), grade_evidence(result, plan=Plan(outcome="D1.batch", post_hoc=False, **words))
    ('moderate', 'strong')
    """
    grade: Grade = "strong"
    for _, cap in _caps(result, checks, plan, estimate):
        if cap is None:
            return None
        grade = min(grade, cap, key=ORDER.index)
    return grade


def explain_grade(
    result: Result, checks: Sequence[CheckResult] = (), plan: Plan | None = None, *, estimate: Estimate | None = None
) -> Text:
    """Return the grade with the lines of the rule that lowered it, as one sentence.

    Parameters
    ----------
    result, checks, plan, estimate
        As in `grade_evidence`.

    Returns
    -------
    Text

    Raises
    ------
    DataError
        As `grade_evidence`.

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Result, Text
    >>> from qbase.effects import explain_grade
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> rise = Estimate(term="att", value=6.1, std_error=1.5, ci_low=3.1, ci_high=9.1, n_treated=2)
    >>> result = Result(
    ...     estimand="effect", outcome=rate, unit="pp", method="staggered", estimates=(rise,),
    ...     subject=Text("采用政策的集群", "treated clusters"),
    ... )
    >>> print(explain_grade(result).en)
    Limited evidence: fewer than 5 are treated and there is no valid placebo set; the plan was set afterwards.
    """
    grade = grade_evidence(result, checks, plan, estimate=estimate)
    lowered = [rule.words for rule, _ in _caps(result, checks, plan, estimate)]
    named = Text("不给证据等级", "no evidence grade") if grade is None else GRADES[grade]
    head = Text(named.zh, named.en[:1].upper() + named.en[1:])
    if not lowered:
        return Text(f"{head.zh}。", f"{head.en}.")
    return Text(f"{head.zh}：{'；'.join(w.zh for w in lowered)}。", f"{head.en}: {'; '.join(w.en for w in lowered)}.")


def judge_evidence(result: Result, *checks: CheckResult, plan: Plan | None = None) -> Result:
    """Return an effect with further checks and the cap they and its plan set, so that its own words keep the rule.

    Parameters
    ----------
    result : Result
        An effect; left unchanged.
    *checks : CheckResult
        Of its credibility.
    plan : Plan or None
        None is a plan set afterwards.

    Returns
    -------
    Result
        Its sentences carry the grade of `grade_evidence`; why is the last of its notes.

    Raises
    ------
    DataError
        As `grade_evidence`.

    Examples
    --------
    >>> from qbase.effects import estimate_twfe, judge_evidence
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> judged = judge_evidence(estimate_twfe(panel, policy, "D1.batch"), plan=policy.plan)
    >>> judged.say().grades, "set afterwards" in judged.notes[-1].en
    (('limited',), True)
    """
    caps = [cap for _, cap in _caps(result, checks, plan, None) if cap is not None]
    return dataclasses.replace(
        result,
        checks=(*result.checks, *checks),
        grade=min(caps, key=ORDER.index, default=None),
        notes=(*result.notes, explain_grade(result, checks, plan)),
    )


def _caps(
    result: Result, checks: Sequence[CheckResult], plan: Plan | None, estimate: Estimate | None
) -> list[tuple[Rule, Grade | None]]:
    """Return the lines that hold with the grade each allows; the method's own line allows what the method says."""
    failed = dict.fromkeys(c.name for c in (*result.checks, *checks) if c.passed is False)
    case = _Case(result=result, estimate=estimate or result.find(ATT), failed=tuple(failed), plan=plan)
    return [(rule, result.grade if rule.name == "method" else rule.cap) for rule in RULES if rule.holds(case)]
