"""Verdicts: a target is met only when the whole interval says so."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.errors import DataError, UsageError
from qbase.core.results.result import Criterion, Result, Scorecard, Verdict
from qbase.core.values import Better, Estimate
from qbase.scorecards.target_presets import Preset, Target, read_preset

EVERYBODY = "all"


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
    results: Result | Sequence[Result], preset: str | Preset = "outline_2025", *, entity: str | None = None
) -> Scorecard:
    """Judge levels against the targets of a preset.

    Parameters
    ----------
    results : Result or sequence of Result
        Levels, as `qbase.trends.estimate_level` gives them; the estimate each speaks of is judged.
    preset : str or Preset
        Name of a preset, ``outline_2025``, or one of your own.
    entity : str or None
        Whose results to judge; None takes them as they are, provided that they are of one entity.

    Returns
    -------
    Scorecard
        One criterion per target that has a result, in the order of the preset; none under ``no_target``, and none for a
        level without an answer. What rests on a preliminary period can be neither met nor missed.

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
    <Scorecard K001 under outline_2025: D1.batch not_met>
    >>> round(card.criteria[0].estimate.ci_high, 1), card.criteria[0].target
    (89.8, 94.0)
    """
    chosen = read_preset(preset) if isinstance(preset, str) else preset
    results = [results] if isinstance(results, Result) else list(results)
    ours = _of_entity(results, entity)
    _check_levels(ours)
    criteria = tuple(c for t in chosen.targets if (c := _criterion(t, ours)) is not None)
    is_silent = any(not r.estimates and r.outcome.id in {t.indicator_id for t in chosen.targets} for r in ours)
    if not criteria and chosen.targets and not is_silent:
        raise DataError(
            "QB603",
            preset=chosen.preset_id,
            found=", ".join(f"{r.outcome.id} ({_entity(r)})" for r in results) or "no result",
            expected=" | ".join(t.indicator_id for t in chosen.targets) + (f" of {entity}" if entity else ""),
            fix=f'estimate_level(panel, "{chosen.targets[0].indicator_id}", entity={entity!r})',
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


def _criterion(target: Target, results: Sequence[Result]) -> Criterion | None:
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
    return Criterion(
        indicator=result.outcome,
        estimate=estimate,
        target=target.value,
        source=target.source,
        verdict="cannot_tell"
        if is_preliminary(result, estimate)
        else verdict_of(estimate, target.value, result.outcome.better),
    )


def is_preliminary(result: Result, estimate: Estimate) -> bool:
    """Whether an estimate is of a period that the result's series marks as preliminary."""
    series = result.tables.get("series")
    if series is None or "is_preliminary" not in series:
        return False
    young = series.loc[series["is_preliminary"].astype(bool), "period"].astype(str)
    return str(estimate.key.get("period")) in set(young)
