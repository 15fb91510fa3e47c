"""Several treated against those not treated: what leads, the same under other assumptions, and every check of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from qbase.core.errors import QbaseError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.default_controls import Controls
from qbase.effects.comparison.outcome_grid import OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.all_checks import check_credibility
from qbase.effects.credibility.functional_form import check_functional_form
from qbase.effects.credibility.group_time_cells import read_window
from qbase.effects.credibility.trend_departures import check_trend_departures
from qbase.effects.estimators.imputed import estimate_imputation
from qbase.effects.estimators.staggered import estimate_staggered
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.fitting.path_fit import Estimator
from qbase.effects.judging.advice import Advice
from qbase.effects.judging.design_options import Name

NO_ODDS = CheckResult(
    name="functional_form",
    passed=None,
    text=Text("对数几率上的估计无法作出。", "On the log-odds it could not be estimated."),
)
DRAWS_LEAD = Text(
    "全部批次的抽样方式随政策改变，因此以只用双随机批次的估计为主，它不受影响。",
    "The way of drawing all batches changed with the policy: the estimate on random draws alone leads, which this does "
    "not touch.",
)
MAKERS: Mapping[Name, Callable[..., Result]] = {"imputation": estimate_imputation, "staggered": estimate_staggered}
COMPARATOR = "default controls"
"""Word of ``settings["comparator"]`` of the estimate against default controls alone."""


def estimate_compared(
    panel: Panel,
    policy: Policy,
    outcome: str,
    advice: Advice,
    variants: Mapping[str, Panel],
    controls: Controls | None,
    options: dict[str, Any],
) -> tuple[Result, list[Result], tuple[CheckResult, ...]]:
    """Estimate what leads, what stands beside it, and what the leading one is checked for.

    Parameters
    ----------
    panel, policy, outcome, advice, variants, controls
        See `qbase.effects.estimate_advised`; the design that leads is one of `MAKERS`.
    options : dict
        Of the estimators.

    Returns
    -------
    first : Result
    others : list of Result
    checks : tuple of CheckResult
        Beyond those ``first`` carries.
    """
    lead = advice.lead.name
    arm = {} if controls is None else dict(controls.spillover)
    main = _without(panel, arm)
    drawn = _without(variants["random"], arm) if "random" in variants else None
    plain = MAKERS[lead](main, policy, outcome, **options)
    random = try_estimate(lead, drawn, policy, outcome, options) if advice.can("random_draws") else None
    first, base, beside = plain, main, [] if random is None else [random]
    if random is not None and drawn is not None and has_failed(plain.checks, "same_sampling"):
        # what it finds is in part the way of drawing, whatever its interval
        moved = tuple(_moved_of_all(c) if c.name == "same_sampling" else c for c in plain.checks)
        plain = dataclasses.replace(plain, grade="limited", checks=moved)
        first, base, beside = say_random_leads(random), drawn, [plain]
    tried = [try_estimate(name, base, policy, outcome, options) for name in MAKERS if name != lead and advice.can(name)]
    others = [*(result for result in tried if result is not None), *beside]
    checks: tuple[CheckResult, ...] = ()
    has_odds = lead == "imputation" and has_counts(main, outcome)
    odds = try_estimate(lead, main, policy, outcome, {**options, "scale": "logit"}) if has_odds else None
    if odds is None:
        checks = (NO_ODDS,) if has_odds else ()
    else:
        odds = dataclasses.replace(odds, grade=plain.grade)
        form = check_functional_form(plain, odds)
        form = form if first is plain else dataclasses.replace(form, text=_of_all_batches(form.text))
        others, checks = [*others, odds], (form,)
    others += _against_default(base, policy, outcome, lead, advice, controls, options)
    judged = try_grid(main, policy, outcome, options["weight"]) if "constant" in variants else None
    asked: dict[str, Any] = {"lead": lead, "variants": variants, "arm": arm, "as_judged": judged, **options}
    made = check_design(variants["random"] if base is drawn else panel, policy, outcome, **asked)
    if first is plain and has_failed(made, "same_yardstick"):
        constant = variants["constant"]
        by_one = next(iter(constant.indicators))
        ours = try_estimate(lead, _without(constant, arm), policy, by_one, options)
        if ours is not None:
            yardstick = next(check for check in made if check.name == "same_yardstick")
            kept = [c for c in check_design(constant, policy, by_one, **asked) if c.name != "same_yardstick"]
            return ours, [first, *others], (check_trend_departures(ours), *kept, say_constant_leads(yardstick), *checks)
    return first, others, (check_trend_departures(first), *made, *checks)


def say_random_leads(random: Result) -> Result:
    """Return the estimate on random draws with why it leads; how far drawing moved is said of all batches, once."""
    told = CheckResult(name="same_sampling", passed=True, text=DRAWS_LEAD)
    return dataclasses.replace(random, checks=tuple(told if c.name == told.name else c for c in random.checks))


def _moved_of_all(moved: CheckResult) -> CheckResult:
    return dataclasses.replace(moved, text=_of_all_batches(moved.text))


def _of_all_batches(found: Text) -> Text:
    """Return what was found with the sample it is on, where another one leads."""
    return Text(f"以全部批次计：{found.zh}", f"On all batches: {found.en[:1].lower()}{found.en[1:]}")


def say_constant_leads(moved: CheckResult) -> CheckResult:
    """Return the check of the yardstick of an estimate by a constant one: passed, with what was found of the other."""
    text = Text(
        f"{moved.text.zh}因此以按同一限值重判的结果为主。",
        f"{moved.text.en} The outcome by a constant yardstick leads.",
    )
    return dataclasses.replace(moved, passed=True, text=text)


def check_design(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    lead: Name,
    variants: Mapping[str, Panel],
    arm: Mapping[str, tuple[str, ...]],
    as_judged: OutcomeGrid | None,
    leads: int | None,
    lags: int | None,
    weight: Weight,
    **options: Any,
) -> tuple[CheckResult, ...]:
    """Return the checks of credibility of the path that leads, by the estimator it was estimated with.

    The yardstick is judged on ``as_judged``: the outcome of all draws, as the outcome by a constant yardstick is.
    """
    grid = build_grid(panel, policy, outcome, weight=weight)
    before, after = read_window(grid, leads, lags)
    window = Window(leads=before, lags=after)
    estimator: Estimator = (
        GroupTimePath(leads=before, lags=after)
        if lead == "staggered"
        else ImputationEstimator(window=window, terms=list_path_terms(grid, window))
    )
    placebos = {
        name.label.zh: found
        for i, name in (variants["placebo"].indicators.items() if "placebo" in variants else ())
        if (found := try_grid(variants["placebo"], policy, i, weight)) is not None
    }
    constant = variants.get("constant")
    by_one = None if constant is None else try_grid(constant, policy, next(iter(constant.indicators)), weight)
    return check_credibility(
        grid, estimator, policy, placebos=placebos, neighbours=arm, constant=by_one, as_judged=as_judged
    )


def _without(panel: Panel, arm: Collection[str]) -> Panel:
    """Return a panel without those that are compared with nobody."""
    return panel.keep(set(panel.entities) - set(arm))


def has_counts(panel: Panel, outcome: str) -> bool:
    """Return whether an outcome is a rate of passes among batches, which log-odds need."""
    is_counted = {f"{outcome}__n", f"{outcome}__k"} <= set(panel.data.columns)
    return is_counted and panel.sampling == "naive" and panel.indicator(outcome).unit == "pct"


def has_failed(checks: Sequence[CheckResult], name: str) -> bool:
    """Return whether a check of that name did not pass."""
    return any(check.name == name and check.passed is False for check in checks)


def try_estimate(
    design: Name, panel: Panel | None, policy: Policy, outcome: str, options: dict[str, Any]
) -> Result | None:
    """Return a further estimate, or None where its panel is not there or cannot carry it."""
    try:
        return None if panel is None else MAKERS[design](panel, policy, outcome, **options)
    except QbaseError:
        return None


def try_grid(panel: Panel, policy: Policy, outcome: str, weight: Weight) -> OutcomeGrid | None:
    """Return a further outcome as a grid, or None where its panel cannot carry it."""
    try:
        return build_grid(panel, policy, outcome, weight=weight)
    except QbaseError:
        return None


def _against_default(
    base: Panel,
    policy: Policy,
    outcome: str,
    lead: Name,
    advice: Advice,
    controls: Controls | None,
    options: dict[str, Any],
) -> list[Result]:
    """Return the estimate against controls of the same product alone, where the advice has it."""
    if controls is None or not advice.can("default_controls"):
        return []
    found = try_estimate(lead, base.keep(controls.compared), policy, outcome, options)
    if found is None:
        return []
    return [dataclasses.replace(found, settings={**found.settings, "comparator": COMPARATOR})]
