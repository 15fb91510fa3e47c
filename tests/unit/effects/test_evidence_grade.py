"""The evidence grade is the table of docs/evidence.md: every line lowers, none raises."""

from __future__ import annotations

import itertools
import pathlib
import re

import pytest

from qbase.core import CheckResult, Estimate, Indicator, Plan, Result, Text
from qbase.core.results.sentences import ORDER, grade_of
from qbase.effects import explain_grade, grade_evidence, judge_evidence
from qbase.effects.judging.evidence_grade import RULES

DOC = pathlib.Path(__file__).resolve().parents[3] / "docs" / "evidence.md"
RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
WORDS = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
LOCKED = Plan(outcome="D1.batch", post_hoc=False, **WORDS)
AFTER = Plan(outcome="D1.batch", post_hoc=True, **WORDS)


def check(name: str, passed: bool | None = False) -> CheckResult:
    return CheckResult(name=name, passed=passed, text=Text(name, name))


def effect(*checks: CheckResult, low: float = 3.0, n: int | None = 8, floor: float | None = None, grade=None) -> Result:
    att = Estimate(term="att", value=6.0, std_error=1.5, ci_low=low, ci_high=12 - low, n_treated=n, p_floor=floor)
    return Result(
        estimand="effect", outcome=RATE, unit="pp", method="staggered", estimates=(att,), checks=checks, grade=grade,
        subject=Text("采用政策的集群", "treated clusters"),
    )  # fmt: skip


CASES = [
    ("nothing against it", effect(), (), LOCKED, "strong"),
    ("headroom", effect(), ("headroom",), LOCKED, None),
    ("headroom beside all else", effect(low=-1.0, n=2), ("headroom", "same_sampling"), None, None),
    ("decision_date", effect(), ("decision_date",), LOCKED, None),
    ("undecided", effect(low=-0.5), (), LOCKED, "limited"),
    ("few_treated without placebos", effect(n=4), (), LOCKED, "limited"),
    ("few_treated, placebos too coarse", effect(n=4, floor=0.08), (), LOCKED, "limited"),
    ("few_treated, a valid placebo set", effect(n=4, floor=0.02), (), LOCKED, "strong"),
    ("five treated are not few", effect(n=5), (), LOCKED, "strong"),
    ("mix_moved", effect(), ("same_sampling",), LOCKED, "limited"),
    ("yardstick_moved", effect(), ("same_yardstick",), LOCKED, "limited"),
    ("failed_once", effect(), ("placebo_in_time",), LOCKED, "moderate"),
    ("failed_once in the result itself", effect(check("placebo_in_time")), (), LOCKED, "moderate"),
    ("dose_followed", effect(), ("dose_unpredicted",), LOCKED, "limited"),
    ("failed_twice", effect(check("placebo_in_time")), ("spillover",), LOCKED, "limited"),
    ("set_afterwards", effect(), (), AFTER, "moderate"),
    ("no plan is set afterwards", effect(), (), None, "moderate"),
    ("not_as_planned", effect(), ("as_planned",), LOCKED, "moderate"),
    ("method", effect(grade="limited"), (), LOCKED, "limited"),
    ("method, moderate", effect(grade="moderate"), (), LOCKED, "moderate"),
]


@pytest.mark.parametrize(("what", "result", "failed", "plan", "grade"), CASES, ids=[c[0] for c in CASES])
def test_the_grade_is_that_of_the_table_and_the_sentence_says_the_same(what, result, failed, plan, grade) -> None:
    checks = [check(name) for name in failed]
    assert grade_evidence(result, checks, plan) == grade
    judged = judge_evidence(result, *checks, plan=plan)
    assert grade_of(judged, judged["att"]) == grade
    assert judged.say().grades == (grade,)


def test_the_document_lists_the_lines_of_the_code_in_their_order() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, flags=re.M) == [rule.name for rule in RULES]
    caps = re.findall(r"^\| `\w+` \|.*\| (\w+)[^|]*\|$", text, flags=re.M)
    assert [c for c, rule in zip(caps, RULES, strict=True) if rule.name != "method"] == [
        rule.cap or "none" for rule in RULES if rule.name != "method"
    ]


def test_a_passed_check_adds_nothing_whatever_else_holds() -> None:
    passed = [check(name, True) for name in ("parallel_leads", "placebo_in_time", "headroom", "as_planned")]
    for (_, result, failed, plan, grade), extra in itertools.product(CASES, (passed, [check("parallel_leads", None)])):
        assert grade_evidence(result, [*extra, *(check(f) for f in failed)], plan) == grade


def test_a_further_failure_never_raises_the_grade() -> None:
    rank = {None: -1, **{g: i for i, g in enumerate(ORDER)}}
    for _, result, failed, plan, grade in CASES:
        worse = grade_evidence(result, [check(f) for f in (*failed, "spillover")], plan)
        assert rank[worse] <= rank[grade]


def test_why_is_said_in_both_languages() -> None:
    said = explain_grade(effect(n=2), [check("same_sampling")], AFTER)
    assert said.zh == (
        "证据有限：采用政策的不足 5 个，又没有有效的安慰剂集合；抽样方式随政策改变；一项检查未通过；评价方案事后设定。"
    )
    assert said.en.startswith("Limited evidence: fewer than 5 are treated")
    assert explain_grade(effect(), (), LOCKED).en == "Strong evidence."
    assert explain_grade(effect(), [check("headroom")], LOCKED).zh.startswith("不给证据等级：现有数据不足以判断")


def test_one_estimate_can_be_graded_by_itself() -> None:
    result = effect()
    late = Estimate(term="event", key={"event_time": 3}, value=2.0, ci_low=-1, ci_high=5, n_treated=8)
    assert grade_evidence(result, (), LOCKED, estimate=late) == "limited"
