"""Verdicts on single levels: by one-sided exact limits where batches were counted, else by the whole interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qbase.core.errors import DataError, UsageError
from qbase.core.numbers import count
from qbase.core.results.result import Criterion, Result, Scorecard, Verdict
from qbase.core.text import Text, join, same
from qbase.core.values import Better, Estimate
from qbase.scorecards.gates import gate_words as words
from qbase.scorecards.gates.exact_verdicts import Judged, find_least_n, judge_rates
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset, Target

EVERYBODY = "all"
COUNTED = "wilson"
"""Method of levels that are k of n, without anything that widened them."""


def verdict_of(estimate: Estimate, target: float, better: Better) -> Verdict:
    """Return what an interval allows to say about a target.

    Parameters
    ----------
    estimate : Estimate
        Value with its interval; a full count stands for itself.
    target : float
        Same unit.
    better : {"up", "down", "none"}
        Good direction; ``none`` is judged as ``up``.

    Returns
    -------
    {"met", "not_met", "cannot_tell"}
        ``met`` only when the whole interval is on the good side, the target itself included; ``not_met`` only
        when the whole interval misses it.
    """
    low = estimate.value if estimate.ci_low is None else estimate.ci_low
    high = estimate.value if estimate.ci_high is None else estimate.ci_high
    if better == "down":
        low, high, target = -high, -low, -target
    if low >= target:
        return "met"
    return "not_met" if high < target else "cannot_tell"


def score_targets(
    results: Result | Sequence[Result],
    preset: str | Preset = "outline_2025",
    *,
    entity: str | None = None,
    naive: bool = False,
) -> Scorecard:
    """Judge levels against the targets of a preset; whole presets over all clusters are for `score_gates`.

    Batches as drawn are judged by Clopper and Pearson's one-sided limits on k of n; a rate whose interval was
    widened, for firms or for weights, by its whole interval. Fewer draws than the target's floor have no
    verdict, and neither have batches as drawn where the target is meant for random draws, unless ``naive`` asks for it.
    Every criterion names treatment, window and n.

    Parameters
    ----------
    results : Result or sequence of Result
        Levels, as `qbase.trends.estimate_level` gives them; the estimate each speaks of is judged.
    preset : str or Preset
        Name of a preset, ``outline_2025``, or one of your own.
    entity : str or None
        Whose results to judge; None takes them as they are, provided that they are of one entity.
    naive : bool
        Judge batches as drawn, directed ones included, as if the target were meant for them; the verdict says so.

    Returns
    -------
    Scorecard
        One criterion per indicator with a target and a result, in the order of the preset; none under ``no_target``,
        and none for a level without an answer. What rests on a preliminary period can be neither met nor missed.

    Raises
    ------
    UsageError
        Unknown preset (QB601), results of several entities and none named (QB604).
    DataError
        No result fits entity and preset (QB603), a result is no level (QB605), two results for one target (QB606).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import score_targets
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> card = score_targets([estimate_level(panel, "D1.batch", entity="K001")], preset="outline_2025")
    >>> card
    <Scorecard K001 under outline_2025: D1.batch cannot_tell>
    >>> print(card.criteria[0].why.en)
    Some of these batches were drawn where failures were expected, which tends to lower the rate; the target is meant
        for weighted random draws, so there is no verdict.
    """
    chosen = read_preset(preset) if isinstance(preset, str) else preset
    results = [results] if isinstance(results, Result) else list(results)
    ours = _of_entity(results, entity)
    _check_levels(ours)
    levels = {t.indicator_id: t for t in reversed(chosen.targets) if t.kind == "rate"}
    wanted = [t for t in chosen.targets if levels.get(t.indicator_id) is t]
    criteria = tuple(c for t in wanted if (c := _criterion(t, ours, naive=naive)) is not None)
    is_silent = any(not r.estimates and r.outcome.id in {t.indicator_id for t in chosen.targets} for r in ours)
    if not criteria and wanted and not is_silent:
        raise DataError(
            "QB603",
            preset=chosen.preset_id,
            found=", ".join(f"{r.outcome.id} ({_entity(r)})" for r in results) or "no result",
            expected=" | ".join(t.indicator_id for t in wanted) + (f" of {entity}" if entity else ""),
            fix=f'estimate_level(panel, "{wanted[0].indicator_id}", entity={entity!r})',
        )
    judged = [r for r in ours if any(r.outcome.id == c.indicator.id for c in criteria)] or ours
    return Scorecard(
        entity=_entity(judged[0]),
        subject=judged[0].subject,
        preset=chosen.preset_id,
        preset_title=chosen.title,
        criteria=criteria,
        sources=tuple(dict.fromkeys(s for r in judged for s in r.sources)),
        coverage=max((r.coverage for r in judged if r.coverage is not None), key=lambda c: c.lost, default=None),
    )


def _entity(result: Result) -> str:
    return str(result.settings.get("entity") or EVERYBODY)


def _of_entity(results: Sequence[Result], entity: str | None) -> list[Result]:
    if entity is not None:
        return [r for r in results if _entity(r) == entity]
    found = sorted({_entity(r) for r in results})
    if len(found) > 1:
        raise UsageError(
            "QB604",
            found=", ".join(found),
            expected="results of one entity",
            fix=f'score_targets(results, entity="{found[0]}")',
        )
    return list(results)


def _check_levels(results: Sequence[Result]) -> None:
    for result in results:
        if result.estimand != "level":
            raise DataError(
                "QB605",
                estimand=result.estimand,
                found=result.name,
                expected="level:…",
                fix=f'estimate_level(panel, "{result.outcome.id}")',
            )


def _criterion(target: Target, results: Sequence[Result], *, naive: bool) -> Criterion | None:
    fits = [r for r in results if r.outcome.id == target.indicator_id]
    if not fits:
        return None
    if len(fits) > 1:
        raise DataError(
            "QB606",
            indicator=target.indicator_id,
            found=f"{len(fits)} results for {target.indicator_id}",
            expected="one",
            fix="give one result per indicator",
        )
    result = fits[0]
    if not result.estimates:
        return None
    estimate = result.estimates[result.spoken[0]]
    verdict, why = judge_level(result, estimate, target, naive=naive)
    shown = estimate
    if verdict != "cannot_tell" and result.method == COUNTED:
        # the limits that decided: no printed end may contradict the verdict
        exact = _exact(result, estimate, target)
        low, high = 100 * float(exact.low[0]), 100 * float(exact.high[0])
        shown = dataclasses.replace(estimate, ci_low=low, ci_high=high, ci_level=round(2 * target.level - 1, 6))
    return Criterion(
        indicator=result.outcome,
        estimate=shown,
        target=target.value,
        source=target.source,
        verdict=verdict,
        gate=target.gate_id,
        judged=_judged(result, estimate),
        why=why,
        n_possible=find_least_n(target.value / 100, level=target.level, better=result.outcome.better),
    )


def judge_level(result: Result, estimate: Estimate, target: Target, *, naive: bool) -> tuple[Verdict, Text]:
    """Return the verdict on one level, and why there is none."""
    n = estimate.n_obs or 0
    if is_preliminary(result, estimate):
        return "cannot_tell", words.PRELIMINARY
    if estimate.uncertainty == "none_full_count":
        return verdict_of(estimate, target.value, result.outcome.better), words.NOTHING
    if _sampling(result) == "naive" and target.sampling != "naive" and not naive:
        return "cannot_tell", words.say_not_meant(target.sampling)
    if n < target.least_n:
        return "cannot_tell", words.say_too_few(n, target.least_n)
    if result.method != COUNTED:
        return verdict_of(estimate, target.value, result.outcome.better), words.NOTHING
    exact = _exact(result, estimate, target)
    verdict: Verdict = "met" if exact.is_met[0] else "not_met" if exact.is_missed[0] else "cannot_tell"
    needed = find_least_n(target.value / 100, level=target.level, better=result.outcome.better)
    return verdict, words.say_possible(needed, n, target.level) if verdict == "cannot_tell" else words.NOTHING


def _exact(result: Result, estimate: Estimate, target: Target) -> Judged:
    rate, n = [estimate.value / 100], [estimate.n_obs or 0]
    return judge_rates(rate, n, target.value / 100, level=target.level, better=result.outcome.better)


def _sampling(result: Result) -> str:
    return str(result.settings.get("sampling", "naive"))


def _judged(result: Result, estimate: Estimate) -> Text:
    """Name treatment, window and n of what was judged."""
    when = same(str(estimate.key.get("period", "")))
    how = words.TREATMENTS[_sampling(result)]
    parts = [how, *([when] if when.zh else []), same(f"n = {count(estimate.n_obs or 0)}")]
    return join(parts, zh="，", en=", ")


def is_preliminary(result: Result, estimate: Estimate) -> bool:
    """Whether an estimate is of a period that the result's series marks as preliminary."""
    series = result.tables.get("series")
    if series is None or "is_preliminary" not in series:
        return False
    young = series.loc[series["is_preliminary"].astype(bool), "period"].astype(str)
    return str(estimate.key.get("period")) in set(young)
