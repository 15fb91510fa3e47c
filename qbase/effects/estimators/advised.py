"""The effect by the design that the data can carry: what leads, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import EMPTY, CheckResult, Margin
from qbase.effects.comparison.default_controls import Controls
from qbase.effects.comparison.effect_words import given_notes, treated_text
from qbase.effects.comparison.mean_paths import build_mean_paths
from qbase.effects.comparison.outcome_grid import Weight
from qbase.effects.credibility.planned_looks import check_as_planned, check_decision_date
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.estimators.before_after import estimate_before_after
from qbase.effects.estimators.compared_designs import estimate_compared
from qbase.effects.estimators.synthetic import estimate_synthetic
from qbase.effects.judging.advice import Advice, advise
from qbase.effects.judging.evidence_grade import judge_evidence
from qbase.effects.judging.headroom import add_margin, check_headroom

NOT_ESTIMATED = Text(
    "{subject}的{outcome}只能描述走势，不能给出政策效果：{why}。",
    "The {outcome} of {subject} can be described, and no effect of the policy estimated: {why}.",
)


def estimate_advised(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    advice: Advice | None = None,
    variants: Mapping[str, Panel] = EMPTY,
    controls: Controls | None = None,
    leads: int | None = None,
    lags: int | None = None,
    weight: Weight = "equal",
    level: float = 0.95,
    margin: Margin | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> tuple[Result, ...]:
    """Estimate an effect by the strongest design the data can carry, with the others that answer the same question.

    Several treated: imputation leads, group-time effects and imputation on the log-odds stand beside it, and so do the
    same on random draws only and against default controls. Where the way of drawing moved with the policy, the
    estimate on random draws leads; where the yardstick moved, the one by a constant yardstick. One treated, or controls
    that only a weighted mean can follow: synthetic control leads, before against after stands beside it. Nobody to
    compare with: before against after, marked weak. Else a described path, without a number.

    Parameters
    ----------
    panel, policy, outcome
        See `qbase.effects.estimate_imputation`.
    advice : Advice or None
        From `qbase.effects.advise`, which None asks.
    variants : mapping
        Panels of `qbase.indicators.build_variants`: ``random``, ``constant`` and ``placebo`` are used here.
    controls : Controls or None
        From `qbase.effects.choose_controls`: its spillover arm is compared with nobody, and those of the same product
        make a further design where they are enough.
    leads, lags : int or None
        Event times shown.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect.
    level : float
        Confidence level.
    margin : Margin or None
        The smallest gain that matters, with source and date: what the headroom is held against, and the margin of two
        one-sided tests.
    seed : int
        Of whatever is drawn.
    subject : Text or None
        The treated in words.

    Returns
    -------
    tuple of Result
        The first leads; it carries the checks of credibility, headroom and plan, and the grade of docs/evidence.md.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        As the estimator that leads.

    Examples
    --------
    >>> from qbase.effects import estimate_advised
    >>> from qbase.indicators import build_panel, build_policy, build_variants
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> panel, policy = build_panel(workspace, "D1.batch"), build_policy(workspace, "base")
    >>> results = estimate_advised(panel, policy, "D1.batch", leads=2, lags=2)
    >>> [result.method for result in results]
    ['imputation', 'group_time', 'imputation_logit']
    >>> drawn = {"random": build_variants(workspace, policy, "D1.batch")["random"]}
    >>> results = estimate_advised(panel, policy, "D1.batch", variants=drawn, leads=2, lags=2)
    >>> [(result.method, result.settings["sampling"]) for result in results]  # the way of drawing moved
    [('imputation', 'random_draw'), ('group_time', 'random_draw'), ('imputation', 'naive'),
    ('imputation_logit', 'naive')]
    """
    advice = advise(panel, policy, outcome, controls=controls) if advice is None else advice
    shared: dict[str, Any] = {"weight": weight, "level": level, "subject": subject}
    paths = {**shared, "leads": leads, "lags": lags, "seed": seed}
    lead = advice.lead.name
    if lead == "path":
        return (describe_path(panel, policy, outcome, why=advice.find("imputation").why, subject=subject),)
    if lead == "before_after":
        return (_judged(panel, policy, estimate_before_after(panel, policy, outcome, **shared), margin),)
    if lead == "synthetic":
        found = estimate_synthetic(panel, policy, outcome, seed=seed, **shared)
        beside = [estimate_before_after(panel, policy, outcome, **shared)] if advice.find("before_after").can else []
        return (_judged(panel, policy, found, margin), *beside)
    first, others, checks = estimate_compared(panel, policy, outcome, advice, variants, controls, paths)
    return (_judged(panel, policy, first, margin, *checks), *others)


def describe_path(panel: Panel, policy: Policy, outcome: str, *, why: Text, subject: Text | None = None) -> Result:
    """Return the plain means of the treated and of the others by period, and why no effect is estimated.

    Parameters
    ----------
    panel, policy, outcome
        See `estimate_advised`.
    why : Text
        The reason, as part of a sentence.
    subject : Text or None
        The treated in words.

    Returns
    -------
    Result
        Without estimates; table ``paths`` as every effect has it.

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.effects import describe_path
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> path = describe_path(panel, policy, "D1.batch", why=Text("只有一个对象采用", "one alone is treated"))
    >>> print(path.say().items[0].en)
    The batch pass rate of treated clusters can be described, and no effect of the policy estimated: one alone is
    treated.
    """
    panel.refuse_shrunk(outcome)
    indicator = panel.indicator(outcome)
    open_words = {word: Text(f"{{{word}}}", f"{{{word}}}") for word in ("subject", "outcome")}
    return Result(
        estimand="effect",
        outcome=indicator,
        unit=difference_unit(indicator.unit),
        method="path",
        estimates=(),
        subject=subject or policy.treated or treated_text(panel.entity),
        tables={"paths": build_mean_paths(panel, policy, outcome)},
        settings={"outcome": outcome, "policy": policy.policy_id, "entity_kind": panel.entity, "freq": panel.freq},
        notes=given_notes(panel, policy),
        sources=(*panel.sources, *policy.sources),
        labels={"unanswered": Text("没有效果估计", "no effect estimated")},
        unanswered=NOT_ESTIMATED.format(**open_words, why=why),
        coverage=panel.coverage_of(outcome),
    )


def _judged(panel: Panel, policy: Policy, found: Result, margin: Margin | None, *checks: CheckResult) -> Result:
    """Return the leading result with what it is judged by: headroom, plan, dates of decision, and its grade."""
    if margin is not None:
        found = add_margin(found, margin)
    planned = check_as_planned(found, policy.plan)
    looked = check_decision_date(panel, policy.plan, found)
    return judge_evidence(
        found, check_headroom(found, smallest_that_matters=margin), planned, looked, *checks, plan=policy.plan
    )
