"""Whether an effect is the one that was planned, and whether today is a day to judge it."""

from __future__ import annotations

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import level_text
from qbase.core.panel import Panel
from qbase.core.policy import Plan
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.stats.testing.alpha_spending import decision_levels

ATT = "att"
STATED = {
    "population": (Text("范围", "population"), ("population",)),
    "weight": (Text("权重", "weight"), ("weight", "weights")),
    "window": (Text("窗口", "window"), ("window",)),
    "comparator": (Text("对照", "comparator"), ("comparator", "controls", "control")),
    "inference": (Text("推断方法", "inference"), ("inference", "vcov")),
}
"""Word of the plan -> its name, and the settings of a result that say it."""


def check_as_planned(result: Result, plan: Plan | None) -> CheckResult:
    """Check an effect against the plan of its policy, word by word.

    Parameters
    ----------
    result : Result
        Its outcome and settings.
    plan : Plan or None
        As `qbase.indicators.read_plan` gives it.

    Returns
    -------
    CheckResult
        ``as_planned``; False with what differs, None where there is no plan or the result does not state all of it.
        Its table holds planned beside done. What is said of a plan set afterwards is said too.

    Examples
    --------
    >>> from qbase.core import Plan
    >>> from qbase.effects import check_as_planned, estimate_twfe
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> plan = Plan(
    ...     outcome="D1.firm", population="all clusters", weight="equal", window="all", comparator="not yet treated",
    ...     inference="CRV1", post_hoc=False,
    ... )
    >>> check = check_as_planned(estimate_twfe(panel, policy, "D1.batch"), plan)
    >>> check.passed, check.text.en
    (False, 'Departs from the locked plan: outcome D1.batch where D1.firm was planned.')
    """
    if plan is None:
        text = Text("没有评价方案：设定均为事后选择。", "There is no plan: every choice was made afterwards.")
        return CheckResult(name="as_planned", passed=None, text=text)
    rows: list[tuple[str, Text, str, str | None]] = [
        ("outcome", Text("指标", "outcome"), plan.outcome, result.outcome.id)
    ]
    for word, (name, keys) in STATED.items():
        done = next((_word(result.settings[key]) for key in keys if key in result.settings), None)
        rows.append((word, name, getattr(plan, word), done))
    differ = [(n, p, d) for w, n, p, d in rows if d is not None and _plain(p) != _plain(d) and _is_comparable(w, p, d)]
    unstated = [n for w, n, p, d in rows if d is None or not _is_comparable(w, p, d)]
    table = pd.DataFrame([(w, p, d) for w, _, p, d in rows], columns=["what", "planned", "done"])
    passed = False if differ else (None if unstated else True)
    return CheckResult(name="as_planned", passed=passed, text=_text(plan, differ, unstated), table=table)


def check_decision_date(panel: Panel, plan: Plan | None, result: Result | None = None) -> CheckResult:
    """Check whether the data end on a date of decision; between them an effect is monitored, not concluded.

    Which look it is follows from the last period of the panel, so that running again is no further look.

    Parameters
    ----------
    panel : Panel
        Its last period is the look.
    plan : Plan or None
        Its ``decision_dates``; without any, looks are not corrected for.
    result : Result or None
        Whose interval should have the level of the look (`level_of_look`).

    Returns
    -------
    CheckResult
        ``decision_date``; False between the dates, and where the interval is narrower than this look allows: either
        takes verdict and grade away. None without declared dates.

    References
    ----------
    Lan, K. K. G. and DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70, 659-663.

    Examples
    --------
    >>> from qbase.core import Plan
    >>> from qbase.effects import check_decision_date
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> words = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
    >>> plan = Plan(outcome="D1.batch", decision_dates=("2024-12-31", "2026-12-31"), post_hoc=False, **words)
    >>> check = check_decision_date(build_panel(open_workspace(), "D1.batch", last="2025Q3"), plan)
    >>> check.passed, check.text.en
    (False, 'Monitoring, no conclusion: the data end in 2025Q3, the next date of decision is 2026-12-31.')
    """
    if plan is None or not plan.decision_dates:
        text = Text(
            "没有约定作结论的日期：多次查看会增加误报。",
            "No dates of decision were declared: repeated looks add false alarms.",
        )
        return CheckResult(name="decision_date", passed=None, text=text)
    last = panel.periods.max()
    level = level_of_look(panel, plan)
    if level is None:
        later = [day for day in plan.decision_dates if pd.Timestamp(day) > last.end_time]
        at = periods.code(last)
        tail = (
            Text(f"下一个作结论的日期是 {later[0]}", f"the next date of decision is {later[0]}")
            if later
            else Text("约定的日期都已过去", "all dates of decision are past")
        )
        text = Text(
            f"监测，不作结论：数据到 {at}，{tail.zh}。", f"Monitoring, no conclusion: the data end in {at}, {tail.en}."
        )
        return CheckResult(name="decision_date", passed=False, text=text)
    shown, k, of = level_text(level), _look(panel, plan), len(plan.decision_dates)
    facts = Text(
        f"第 {k} 次作结论（共 {of} 次），区间应为 {shown}", f"Decision {k} of {of}: its interval has level {shown}"
    )
    if result is not None and result.estimates and result.find(ATT).ci_level < level - 1e-6:
        has = level_text(result.find(ATT).ci_level)
        text = Text(
            f"{facts.zh}，而这里是 {has}，不作结论。", f"{facts.en}; here it is {has}, so there is no conclusion."
        )
        return CheckResult(name="decision_date", passed=False, text=text)
    return CheckResult(name="decision_date", passed=True, text=Text(f"{facts.zh}。", f"{facts.en}."))


def level_of_look(panel: Panel, plan: Plan) -> float | None:
    """Return the level the interval must have when the panel ends in a period of decision; None where it does not."""
    k = _look(panel, plan)
    # what the last look needs is written with four decimals, so a level typed from the sentence is enough
    return None if k is None else float(decision_levels(len(plan.decision_dates))[k - 1].round(4))


def _look(panel: Panel, plan: Plan) -> int | None:
    last = panel.periods.max()
    return next(
        (k for k, day in enumerate(plan.decision_dates, 1) if last.start_time <= pd.Timestamp(day) <= last.end_time),
        None,
    )


def _word(value: object) -> str:
    if isinstance(value, dict):
        return next(iter(map(str, value)), "")
    return "equal" if value is None else str(value)


def _plain(word: str | None) -> str:
    return " ".join(str(word).lower().replace("_", " ").split())


def _is_comparable(word: str, planned: str, done: str | None) -> bool:
    """Return whether both sides are single words of the house; sentences are compared by a person."""
    return word == "outcome" or (bool(planned) and len(_plain(planned).split()) <= 3 and done is not None)


def _text(plan: Plan, differ: list[tuple[Text, str, str]], unstated: list[Text]) -> Text:
    locked = (
        Text("事后设定的方案", "the plan, which was set afterwards")
        if plan.post_hoc
        else Text("锁定的方案", "the locked plan")
    )
    if differ:
        parts = [Text(f"{n.zh}为 {d}，方案为 {p}", f"{n.en} {d} where {p} was planned") for n, p, d in differ]
        what = join(parts, zh="；", en="; ")
        return Text(f"与{locked.zh}不一致：{what.zh}。", f"Departs from {locked.en}: {what.en}.")
    if unstated:
        what = join(unstated, zh="、", en=", ")
        return Text(
            f"与{locked.zh}可比的各项一致；须由人对照：{what.zh}。",
            f"Agrees with {locked.en} where words can be compared; to be read by a person: {what.en}.",
        )
    return Text(f"与{locked.zh}一致。", f"Agrees with {locked.en}.")
