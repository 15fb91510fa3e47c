"""A path of effects, before and after adoption, put together as a result: who is behind each term, and its doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import EMPTY, CheckResult, Estimate, Key
from qbase.effects.comparison.effect_words import STEP, event_text, given_notes, moment_label, treated_text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.doubt.few_clusters import LEAST, Inference
from qbase.effects.fitting.path_fit import PathFit, Term
from qbase.effects.judging.drawing_shift import check_drawing
from qbase.effects.judging.lead_tests import check_leads, check_test_power, settle_power

SINCE = Text(
    "政策开始以来平均，与同期未采用者相比，", "on average since treatment began, compared with those not treated, "
)
COMPARED = Text("与同期未采用者相比，", "compared with those not treated at the time, ")
WEIGHTED = {
    "equal": Text("平均效果中每个主体权重相同。", "Every treated entity counts the same in the average."),
    "n": Text(
        "按政策前抽查批次加权：受抽查量影响。",
        "Weighted by batches tested before treatment: depends on how much is tested.",
    ),
    "firms": Text("平均效果按 {when} 的企业数加权。", "The average weighs entities by their firms in {when}."),
    "output": Text("平均效果按 {when} 的产值加权。", "The average weighs entities by their output in {when}."),
}
OTHER_WEIGHT = Text("平均效果按给定的权重“{name}”加权。", "The average weighs entities by the weights given, {name}.")
FOLLOWED = {
    "cluster_id": Text("集群", "cluster"),
    "town_code": Text("乡镇", "town"),
    "firm_id": Text("企业", "firm"),
}


def assemble_path(
    panel: Panel,
    policy: Policy,
    grid: OutcomeGrid,
    fit: PathFit,
    inference: Inference,
    *,
    method: str,
    level: float,
    settings: Mapping[str, Any],
    checks: Sequence[CheckResult] = (),
    notes: Sequence[Text] = (),
    tables: Mapping[str, pd.DataFrame] = EMPTY,
    labels: Mapping[str, Text] = EMPTY,
    margin: float | None = None,
    subject: Text | None = None,
) -> Result:
    """Put a result together: ``att`` first, which the sentence speaks of, then event times, cohorts and periods.

    Parameters
    ----------
    panel, policy : Panel, Policy
        What was estimated.
    grid : OutcomeGrid
        The comparison as arrays.
    fit : PathFit
        Coefficients; a term that cannot be estimated is left out.
    inference : Inference
        Their doubt. A term without an interval says by whom it is carried, and has no verdict.
    method : str
        Name of the method.
    level : float
        Confidence level of the intervals.
    settings, tables, labels : mapping
        In addition to what every path states.
    checks, notes : sequence
        Those of the estimator; what the inference has to say comes after its notes.
    margin, subject
        As every estimator of effects takes them.
    """
    # the base of a path is 0 by definition and has no doubt
    kept = [i for i, value in enumerate(fit.beta) if np.isfinite(value) and fit.influence[:, i].any()]
    estimates = tuple(_estimate(grid, fit, inference, i, level) for i in kept)
    names = [name_of(grid, fit.terms[i]) for i in kept]
    shown = {"n": n_unit(panel), **_labels(grid, [fit.terms[i] for i in kept]), **labels}
    return Result(
        estimand="effect",
        outcome=grid.indicator,
        unit=difference_unit(grid.indicator.unit),
        method=method,
        estimates=estimates,
        subject=subject or policy.treated or treated_text(panel.entity),
        vcov=pd.DataFrame(inference.vcov[np.ix_(kept, kept)], index=names, columns=names),
        tables={"paths": build_path_means(grid), **tables},
        checks=settle_power(checks, estimates[0], margin) if estimates else tuple(checks),
        notes=(*notes, weight_note(grid.weighted_by), *inference.notes, *given_notes(panel, policy)),
        settings={**_settings(panel, policy, grid, inference, level, margin), **settings},
        sources=(*panel.sources, *policy.sources),
        labels=shown,
        coverage=panel.coverage_of(grid.indicator.id),
    )


def path_checks(panel: Panel, grid: OutcomeGrid, inference: Inference, *, level: float) -> tuple[CheckResult, ...]:
    """Return what every path is checked for: how both sides moved before, and whether the way of drawing moved."""
    leads = check_leads(inference, unit=difference_unit(grid.indicator.unit))
    others = (check_test_power(inference), check_drawing(panel, grid, level=level))
    return (leads, *(check for check in others if check is not None))


def name_of(grid: OutcomeGrid, term: Term) -> str:
    """Return the name of a term in covariance frames and labels: ``att``, ``event[-2]``, ``cohort[2022Q3]``."""
    kind, at = term
    if at is None:
        return kind
    return f"{kind}[{at if kind == 'event' else grid.code_of(at)}]"


def weight_note(name: str) -> Text:
    """Return by what entities weigh in the average, in words."""
    kind, _, when = name.partition(" ")
    return WEIGHTED.get(kind, OTHER_WEIGHT).format(name=name, when=when)


def n_unit(panel: Panel) -> Text:
    """Return what n counts: cells of an entity and a period."""
    who = FOLLOWED.get(panel.entity, Text("主体", "entity"))
    return Text(f"个{who.zh}·{STEP[panel.freq].zh.removeprefix('个')}", f"{who.en}-{STEP[panel.freq].en}s")


def _estimate(grid: OutcomeGrid, fit: PathFit, inference: Inference, i: int, level: float) -> Estimate:
    kind, at = fit.terms[i]
    has_interval = bool(np.isfinite(inference.ci_low[i]) and np.isfinite(inference.ci_high[i]))
    key: dict[str, Key] = {}
    if at is not None:
        key = {"event_time": at} if kind == "event" else {_KEYS[kind]: grid.code_of(at)}
    return Estimate(
        term=kind,
        key=key,
        value=float(fit.beta[i]),
        std_error=_known(inference.std_error[i]) if has_interval else None,
        ci_low=_known(inference.ci_low[i]) if has_interval else None,
        ci_high=_known(inference.ci_high[i]) if has_interval else None,
        joint_low=_known(inference.joint_low[i]),
        joint_high=_known(inference.joint_high[i]),
        ci_level=level,
        p_value=_known(inference.p_value[i]),
        p_floor=inference.p_floor if np.isfinite(inference.p_value[i]) else None,
        n_obs=int(np.isfinite(grid.y).sum()),
        n_clusters=int(grid.cluster.max()) + 1,
        n_treated=int(fit.n_treated[i]),
        n_cells=int(fit.n_cells[i]),
        n_effective=float(fit.n_effective[i]),
        uncertainty=("randomisation" if inference.method == "permutation" else "model")
        if has_interval
        else "none_too_few",
    )


_KEYS = {"cohort": "adopted", "period": "period"}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _labels(grid: OutcomeGrid, terms: Sequence[Term]) -> dict[str, Text]:
    return {name_of(grid, term): _label(grid, *term) for term in terms}


def _label(grid: OutcomeGrid, kind: str, at: int | None) -> Text:
    if at is None:
        return SINCE
    if kind == "event":
        return moment_label(event_text(at, grid.freq), COMPARED)
    code = grid.code_of(at)
    when = Text(f"{code} 起采用者", f"for those treated from {code}") if kind == "cohort" else Text(code, f"in {code}")
    return moment_label(when, COMPARED)


def build_path_means(grid: OutcomeGrid) -> pd.DataFrame:
    """Return the plain means behind an effect, by period.

    Returns
    -------
    pandas.DataFrame
        Columns period (code), treated_mean, comparison_mean, n_treated, n_comparison. The treated are those treated at
        any time within the data, before their start too; entities weigh as in the average effect.
    """
    columns: dict[str, Any] = {"period": [grid.code_of(t) for t in range(grid.n_periods)]}
    seen = np.isfinite(grid.y)
    for name, side in (("treated", grid.is_treated), ("comparison", ~grid.is_treated)):
        weight = np.where(seen[side], grid.weight[side, None], 0.0)
        total = weight.sum(axis=0)
        mean = (weight * np.where(seen[side], grid.y[side], 0.0)).sum(axis=0) / np.where(total > 0, total, np.nan)
        columns |= {f"{name}_mean": mean, f"n_{name}": seen[side].sum(axis=0)}
    return pd.DataFrame(columns)[["period", "treated_mean", "comparison_mean", "n_treated", "n_comparison"]]


def _settings(
    panel: Panel, policy: Policy, grid: OutcomeGrid, inference: Inference, level: float, margin: float | None
) -> dict[str, Any]:
    """Return what is needed to repeat a path, and what its doubt rests on."""
    lead = inference.lead_test
    df = {} if inference.df is None else {"df": round(inference.df, 3)}
    settings: dict[str, Any] = {
        "outcome": grid.indicator.id,
        "policy": policy.policy_id,
        "entity_kind": panel.entity,
        "freq": panel.freq,
        "sampling": panel.sampling,
        "weight": grid.weighted_by,
        "level": level,
        "inference": inference.method,
        "draws": inference.n_draws,
        "least_treated": LEAST,
        **df,
    }
    if lead is not None:
        settings["lead_p"] = round(float(lead.p_value), 6) if np.isfinite(lead.p_value) else None
    return settings if margin is None else {**settings, "margin": margin}
