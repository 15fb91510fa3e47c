"""From results, checks, headroom and advice to a decision, by stated rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qbase.core.errors import DataError
from qbase.core.numbers import level_text
from qbase.core.panel import Panel
from qbase.core.policy import Plan
from qbase.core.results.decision import FAILED, Decision, DecisionVerdict
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, direction_of, grade_of, quantity, withheld
from qbase.core.text import Text, join, spaced
from qbase.core.values import CheckResult, Grade
from qbase.effects.comparison.effect_next_step import say_effect_step
from qbase.effects.judging.advice import Advice
from qbase.effects.judging.evidence_grade import judge_evidence
from qbase.effects.judging.headroom import Headroom
from qbase.effects.judging.reconciled import SAMPLINGS, method_text
from qbase.effects.judging.settling import find_route, say_route

ATT = "att"
MOVED = frozenset({"same_sampling", "same_yardstick"})
HELD: dict[str, DecisionVerdict] = {
    "decision_date": "monitoring",
    "headroom": "data_cannot_decide",
    "test_power": "data_cannot_decide",
}


def decide(
    results: Sequence[Result],
    checks: Sequence[CheckResult] = (),
    headroom: Headroom | None = None,
    advice: Advice | None = None,
    *,
    plan: Plan | None = None,
    panel: Panel | None = None,
) -> Decision:
    """Decide from effects of one policy on one outcome, by these rules, the first that holds.

    1. Not on a date of decision: monitoring. 2. Minimum detectable effect above the headroom, or nothing rejected, not
    even an effect beyond the margin, where a known variance might have (`check_test_power`): the data cannot decide.
    3. Two one-sided tests inside a dated margin: no effect that matters. 4. The interval covers 0: cannot tell.
    5. Limited evidence by the rule of docs/evidence.md: a hint. 6. Strong or moderate: improved or worsened, by the
    direction that is better.

    Parameters
    ----------
    results : sequence of Result
        The first leads, unless its way of drawing or its yardstick moved with the policy: then one on random draws
        does, where there is one. Another one whose words differ is named among what cannot be said.
    checks : sequence of CheckResult
        Beyond those the results carry.
    headroom : Headroom or None
        Of the leading result; without it a route is looked for in the advice's own.
    plan : Plan or None
        Of the policy, for the evidence grade and its dates of decision; None is one set afterwards.
    advice : Advice or None
        Its facts say how many draws or clusters would settle the question.
    panel : Panel or None
        What the effects were estimated from: its last period says when to judge again. None leaves the next step out,
        as for a published case, whose policy is past.

    A described path, without an estimate, is what the data cannot decide.

    Returns
    -------
    Decision

    Raises
    ------
    DataError
        No results, or one without an average effect (QB564).

    Examples
    --------
    >>> from qbase.effects import advise, decide, estimate_headroom, estimate_twfe
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> effect = estimate_twfe(panel, policy, "D1.batch")
    >>> room = estimate_headroom(effect, smallest_that_matters=2)
    >>> decision = decide([effect], headroom=room, advice=advise(panel, policy, "D1.batch"))
    >>> decision.verdict, decision.lead.en
    ('cannot_tell', 'Batch pass rate of treated clusters: cannot tell yet.')
    """
    if results and not results[0].estimates:
        return _undecided(results[0], headroom, advice, say_effect_step("data_cannot_decide", panel, plan))
    if not results or any(all(e.term != ATT for e in r.estimates) for r in results):
        raise DataError(
            "QB564", found=f"{len(results)} results", expected="at least one effect with a term att",
            fix="decide([estimate_imputation(panel, policy, outcome)], …)",
        )  # fmt: skip
    first = _leading(results, checks)
    lead = judge_evidence(first, *checks, plan=plan)
    others = [r for r in results if r is not first]
    verdict = judge_verdict(lead)
    return Decision(
        name="decision",
        verdict=verdict,
        subject=spaced(Text("{who}的{what}", "{what} of {who}").format(who=lead.subject, what=lead.outcome.label)),
        can_say=tuple(_can_say(lead, verdict)),
        cannot_say=tuple(_cannot_say(lead, others, verdict)),
        would_settle=tuple(_would_settle(headroom, advice, verdict)),
        next_step=say_effect_step(verdict, panel, plan),
    )


def _undecided(result: Result, headroom: Headroom | None, advice: Advice | None, step: Text | None) -> Decision:
    """Return the decision on a described path: what cannot be said and what would settle it."""
    return Decision(
        name="decision",
        verdict="data_cannot_decide",
        subject=spaced(Text("{who}的{what}", "{what} of {who}").format(who=result.subject, what=result.outcome.label)),
        cannot_say=tuple(result.say().items),
        would_settle=tuple(_would_settle(headroom, advice, "data_cannot_decide")),
        next_step=step,
    )


def judge_verdict(result: Result) -> DecisionVerdict:
    """Return the verdict of one effect, whose evidence was judged, by the rules of `decide`."""
    if withheld(result) is not None:
        failed = {c.name for c in result.checks if c.passed is False}
        return next(verdict for name, verdict in HELD.items() if name in failed)
    att = result.find(ATT)
    direction = direction_of(att, result.settings.get("margin"))
    if direction == "little":
        return "no_effect"
    if direction == "cannot_tell":
        return "cannot_tell"
    if grade_of(result, att) == "limited" or result.outcome.better == "none":
        return "hint"
    return "improved" if direction == result.outcome.better else "worsened"


def _leading(results: Sequence[Result], checks: Sequence[CheckResult]) -> Result:
    failed = {c.name for c in (*results[0].checks, *checks) if c.passed is False}
    if not failed & MOVED:
        return results[0]
    return next((r for r in results if r.settings.get("sampling") == "random_draw"), results[0])


def _can_say(result: Result, verdict: DecisionVerdict) -> list[tuple[Text, Grade | None]]:
    att = result.find(ATT)
    if verdict in {"improved", "worsened", "no_effect", "hint"}:
        alone = dataclasses.replace(result, spoken=(result.estimates.index(att),))
        said = alone.say()
        return list(zip(said.items, said.grades, strict=True))
    if verdict in HELD.values() or att.ci_low is None or att.ci_high is None:
        return []
    digits, level = digits_of(result, att), level_text(att.ci_level)
    high, low = quantity(att.ci_high, result.unit, digits), quantity(-att.ci_low, result.unit, digits)
    text = Text(
        f"以 {level} 的把握，提高超过 {high.zh}、降低超过 {low.zh}都可以排除。",
        f"With {level} confidence, a rise of more than {high.en} and a fall of more than {low.en} are ruled out.",
    )
    return [(text, None)]


def _cannot_say(result: Result, others: Sequence[Result], verdict: DecisionVerdict) -> list[Text]:
    said = []
    if verdict in {"cannot_tell", "data_cannot_decide"}:
        said.append(Text("政策有效，或者没有效果。", "That the policy works, or that it has no effect."))
    if verdict == "monitoring":
        said.append(Text("约定的日期之前，任何结论。", "Any conclusion before the declared date."))
    if verdict == "hint":
        said.append(Text("迹象就是效果。", "That the hint is an effect."))
    apart = [_named(other) for other in others if judge_verdict(judge_evidence(other)) != verdict]
    if apart:
        names = join(apart, zh="、", en=" and ")
        other = f"That all estimates agree: by {names.en} the verdict differs."
        said.append(Text(f"各种估计一致：{names.zh}的结论不同。", other))
    if any(c.passed is False for c in result.checks):
        said.append(Text("不带保留的结论：", "Anything without reservations: ") + FAILED)
    return said


def _named(result: Result) -> Text:
    name, drawn = method_text(result), SAMPLINGS.get(str(result.settings.get("sampling")))
    return name if drawn is None else Text(f"{name.zh}（{drawn.zh}）", f"{name.en} ({drawn.en})")


def _would_settle(headroom: Headroom | None, advice: Advice | None, verdict: DecisionVerdict) -> list[Text]:
    if advice is None or verdict in {"improved", "worsened", "no_effect", "monitoring"}:
        return []
    room = headroom or advice.headroom
    route = None if room is None else find_route(room, advice.facts)
    said = [] if route is None else [say_route(route, advice.facts)]
    if not advice.find("imputation").can and not advice.find("staggered").can:
        why = advice.find("staggered").why
        said.append(Text(f"有对照的估计现缺：{why.zh}。", f"An estimate with controls lacks: {why.en}."))
    if said:
        return said
    return [Text("更多时期或更多采用者。", "More periods or more treated.")]
