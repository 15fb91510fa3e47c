"""One verdict per threshold and cluster."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.results.result import Criterion, OpenGate, Scorecard, Verdict
from qbase.core.text import Text
from qbase.core.values import Estimate, Key, freeze
from qbase.indicators.catalogue.indicator_rows import find_indicator, read_rows
from qbase.scorecards.gates import gate_words as words
from qbase.scorecards.gates.exact_verdicts import ROUNDING, estimate_unverified_failures, find_least_n, judge_rates
from qbase.scorecards.gates.gate_data import RATE, GateData
from qbase.scorecards.gates.joint_rates import (
    LEAST_SHARE,
    compared_quarters,
    draw_rates,
    groups_of,
    lead_of,
)
from qbase.scorecards.gates.quarter_rates import YEAR
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import NOTHING, Preset, Target

DRAWS = 4000
Found = Mapping[str, Criterion | Text]
LEAD = Text("领先全省同类产品其余集群的幅度", "lead over the other clusters of the product in the province")


def score_gates(
    data: GateData,
    preset: str | Preset,
    *,
    clusters: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Scorecard, ...]:
    """Judge every gate of a preset for every cluster, or every town.

    A sampled rate meets or misses its threshold by one-sided exact limits on the treatment and window the threshold
    is meant for; below the floor on n, and where a quarter of the window is preliminary, there is no verdict. All of
    them (均, 全部) is met when nobody failed and nobody is unverified. Stable and in the lead (L2) is met when both
    probabilities reach what the preset declares (`judge_lead`).

    Parameters
    ----------
    data : GateData
        From `read_gates`, read for this preset.
    preset : str or Preset
        Named in every verdict.
    clusters : sequence of str or None
        Whom to judge, by the ids of ``data``: of clusters, or of towns; None judges all.
    draws : int
        Joint draws behind the probabilities of a lead.
    seed : int
        Of these draws.

    Returns
    -------
    tuple of Scorecard
        In the order of ``clusters``. ``missing`` are the gates without a threshold or without data.

    Raises
    ------
    UsageError
        No such preset (QB601), or no such cluster (QB613).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates, score_gates
    >>> data = read_gates(open_workspace(), "outline_2025")
    >>> card = score_gates(data, "outline_2025", clusters=["K003"])[0]
    >>> [(c.gate, c.indicator.id, c.verdict) for c in card.criteria][:3]
    [('D1', 'D1.batch', 'cannot_tell'), ('N1', 'N1.penalty', 'not_met'), ('N1', 'N1.licence', 'cannot_tell')]
    >>> card.criteria[0].why.en
    'At a one-sided 95%, met becomes possible from an effective 49 batches on, all of them passing.'
    """
    chosen = read_preset(preset) if isinstance(preset, str) else preset
    asked = list(data.names) if clusters is None else [_known(c, data) for c in clusters]
    judged = [t for t in chosen.targets if data.judges(t.gate_id)]
    found = {_key(t): judge_target(t, data, draws=draws, seed=seed) for t in judged}
    return tuple(_card(entity, chosen, data, found) for entity in asked)


def _key(target: Target) -> tuple[str, str]:
    return target.gate_id, target.indicator_id


def _known(cluster: str, data: GateData) -> str:
    if cluster not in data.names:
        raise UsageError(
            "QB613", cluster=cluster, found=repr(cluster), expected=f"one of {len(data.names)} clusters",
            fix=suggest_names(cluster, data.names),
        )  # fmt: skip
    return cluster


def _card(entity: str, preset: Preset, data: GateData, found: Mapping[tuple[str, str], Found]) -> Scorecard:
    criteria: list[Criterion] = []
    missing: list[OpenGate] = []
    rows = read_rows()
    for gate in preset.gates:
        if not data.judges(gate):
            missing.append(OpenGate(gate=gate, name=rows[gate].name, why=words.OF_CLUSTERS))
            continue
        targets = preset.of_gate(gate)
        if not targets:
            missing.append(OpenGate(gate=gate, name=rows[gate].name, why=words.NO_THRESHOLD))
        for target in targets:
            one = found[_key(target)].get(entity, words.NO_LIST if target.kind == "everybody" else words.NO_DRAWS)
            if isinstance(one, Criterion):
                criteria.append(one)
            else:
                name = find_indicator(target.indicator_id).indicator.label
                missing.append(OpenGate(gate=gate, name=name, why=one))
    return Scorecard(
        entity=entity,
        subject=data.names[entity],
        preset=preset.preset_id,
        preset_title=preset.title,
        criteria=tuple(criteria),
        sources=data.sources,
        coverage=data.coverage,
        missing=tuple(missing),
        titles=freeze({gate: words.gate_titles()[gate] for gate in preset.gates}),
    )


def judge_target(target: Target, data: GateData, *, draws: int = DRAWS, seed: int = 0) -> Found:
    """Judge one threshold for all clusters: a criterion each, or why there is none."""
    if target.indicator_id in data.lacking:
        return dict.fromkeys(data.names, data.lacking[target.indicator_id])
    judge: Callable[[], Found] = {
        "rate": lambda: _judge_rate(target, data),
        "value": lambda: _judge_value(target, data),
        "everybody": lambda: _judge_list(target, data),
        "lead": lambda: _judge_lead(target, data, draws=draws, seed=seed),
    }[target.kind]
    return judge()


def _judge_rate(target: Target, data: GateData) -> Found:
    quarters = data.rates.get((target.indicator_id, target.sampling))
    if quarters is None:
        return {}
    pooled = quarters.last(target.window)
    indicator = quarters.panel.indicator(target.indicator_id)
    size = np.maximum(pooled.n_eff, 1e-12)
    judged = judge_rates(
        pooled.rate, size, target.value / 100, level=target.level, better=indicator.better, n=pooled.n,
        least_n=target.least_n,
    )  # fmt: skip
    possible = find_least_n(target.value / 100, level=target.level, better=indicator.better)
    found: dict[str, Criterion | Text] = {}
    for place, entity in enumerate(quarters.entities):
        n, n_eff = int(pooled.n[place]), float(pooled.n_eff[place])
        if not n:
            found[entity] = words.NO_DRAWS
            continue
        verdict: Verdict = "met" if judged.is_met[place] else "not_met" if judged.is_missed[place] else "cannot_tell"
        why, is_judged = NOTHING, n >= target.least_n and not pooled.is_young[place]
        if pooled.is_young[place]:
            verdict, why = "cannot_tell", words.PRELIMINARY
        elif n < target.least_n:
            why = words.say_too_few(n, target.least_n)
        elif verdict == "cannot_tell":
            why = words.say_possible(possible, n_eff, target.level)
        value, low, high = (100 * float(x[place]) for x in (pooled.rate, judged.low, judged.high))
        found[entity] = Criterion(
            indicator=indicator,
            estimate=Estimate(
                term="rate", key={"entity": entity, "period": data.as_of}, value=value, ci_low=low, ci_high=high,
                ci_level=round(2 * target.level - 1, 6), n_obs=n, uncertainty="design",
            ),
            target=target.value,
            source=target.source,
            verdict=verdict,
            probability_met=float(judged.probability[place]) if is_judged else None,
            gate=target.gate_id,
            judged=words.say_draws(target.sampling, pooled.words, n, n_eff),
            why=why,
            n_possible=possible,
        )  # fmt: skip
    return found


def _judge_value(target: Target, data: GateData) -> Found:
    frame = data.values.get(target.indicator_id)
    if frame is None:
        return {}
    indicator = find_indicator(target.indicator_id).indicator
    years = [str(int(data.year) - back) for back in reversed(range(-(-target.window // 4)))]
    given = frame.rename(columns=str).reindex(index=list(data.names), columns=years).to_numpy(dtype=float)
    found: dict[str, Criterion | Text] = {}
    for entity, row in zip(data.names, given, strict=True):
        if np.isnan(row).any():
            found[entity] = words.say_no_year(years[int(np.isnan(row).argmax())])
            continue
        is_down = indicator.better == "down"
        value = float(row.max() if is_down else row.min())
        is_met = value <= target.value if is_down else value >= target.value
        found[entity] = Criterion(
            indicator=indicator,
            estimate=_full_count(entity, data.year, value),
            target=target.value,
            source=target.source,
            verdict="met" if is_met else "not_met",
            gate=target.gate_id,
            judged=words.say_years(years[0], years[-1]),
        )
    return found


def _full_count(entity: str, year: str, value: float, n: int | None = None) -> Estimate:
    key = {"entity": entity, "period": year}
    return Estimate(term="value", key=key, value=value, n_obs=n, uncertainty="none_full_count")


def _judge_list(target: Target, data: GateData) -> Found:
    frame = data.lists.get((target.indicator_id, target.listed))
    if frame is None:
        return {}
    indicator = find_indicator(target.indicator_id).indicator
    found: dict[str, Criterion | Text] = {}
    for entity, (listed, verified, failed) in zip(
        map(str, frame.index), frame.to_numpy(dtype=int).tolist(), strict=True
    ):
        verdict, why = judge_list(listed, verified, failed, target)
        found[entity] = Criterion(
            indicator=indicator,
            estimate=_full_count(entity, data.year, 100 * (verified - failed) / listed, listed),
            target=target.value,
            source=target.source,
            verdict=verdict,
            gate=target.gate_id,
            judged=words.say_list(listed, verified, failed, data.year),
            why=why,
        )
    return found


def judge_list(listed: int, verified: int, failed: int, target: Target) -> tuple[Verdict, Text]:
    """Judge a count on a list: met when those known to comply suffice, missed when those left cannot save it."""
    known, best = 100 * (verified - failed) / listed, 100 * (listed - failed) / listed
    verdict: Verdict = "met" if known >= target.value else "not_met" if best < target.value else "cannot_tell"
    if verified == listed:
        return verdict, NOTHING
    if target.verified == "random":
        bound = estimate_unverified_failures(listed, verified, failed, level=target.level)
        return verdict, words.say_bound(bound, target.level)
    return verdict, words.NOT_RANDOM if verdict == "cannot_tell" else NOTHING


@functools.lru_cache(maxsize=4)
def _judge_lead(target: Target, data: GateData, *, draws: int, seed: int) -> Found:
    quarters = data.rates.get((RATE, target.sampling))
    if quarters is None:
        return {}
    held = quarters.keep(target.window)
    groups = groups_of(held.entities, data.products)
    rng = np.random.default_rng(seed)
    margin = target.margin / 100
    drawn = [lead_of(x, held.n, held.total, groups) for x in draw_rates(held, draws=draws, rng=rng)]
    lead, windows = np.concatenate([x.lead for x in drawn]), np.concatenate([x.windows for x in drawn], axis=1)
    worst, trailing = windows.min(axis=0), (windows < -margin).mean(axis=1)
    has = compared_quarters(held.total, groups).sum(axis=1)
    found: dict[str, Criterion | Text] = {}
    for place, entity in enumerate(held.entities):
        compared, n = int(has[place]), int(held.n[place].sum())
        if not compared:
            found[entity] = words.NO_PEERS
            continue
        mine, least = lead[:, place], worst[:, place]
        is_ahead, is_steady = mine > target.value / 100, least >= -margin
        above, steady = float(is_ahead.mean()), float(is_steady.mean())
        start = int(trailing[:, place].argmax())
        late = float(trailing[start, place])
        verdict, why = judge_lead(above, steady, late, target, compared=compared, n=n)
        is_judged = not why.zh and not held.is_young[place].any()
        if held.is_young[place].any():
            verdict, why = "cannot_tell", words.PRELIMINARY
        judged = words.say_lead(above, steady, target.margin, compared, target.window, n)
        shown = _Shown(draws=mine, threshold=target.value, n=n)
        if verdict == "not_met" and above > 1 - target.level + ROUNDING:
            # not the lead over all quarters but one window decided: the number beside the verdict is that window's
            ends = held.quarters[start], held.quarters[min(start + YEAR, len(held.quarters)) - 1]
            window, of = "–".join(map(periods.code, ends)), slice(start, start + YEAR)
            own = int(held.n[place, of].sum())
            shown = _Shown(draws=windows[start, :, place], threshold=-target.margin, n=own, window=window)
            why = words.say_trailing(window, late, target.margin)
        chance = float((is_ahead & is_steady).mean()) if is_judged else None
        found[entity] = _lead_criterion(entity, data.as_of, target, shown, verdict, chance, judged, why)
    return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """The lead shown beside a verdict: over all quarters, or of the window that decided."""

    draws: NDArray[np.float64]
    threshold: float
    n: int
    window: str = ""


def _lead_criterion(
    entity: str,
    as_of: str,
    target: Target,
    shown: _Shown,
    verdict: Verdict,
    chance: float | None,
    judged: Text,
    why: Text,
) -> Criterion:
    low, middle, high = (100 * float(q) for q in np.quantile(shown.draws, [1 - target.level, 0.5, target.level]))
    key: dict[str, Key] = {"entity": entity, "period": as_of}
    name = LEAD
    if shown.window:
        key["window"] = shown.window
        name = LEAD + Text(f"（{shown.window}）", f" ({shown.window})")
    return Criterion(
        indicator=dataclasses.replace(find_indicator("L2.lead").indicator, name=name, short=None),
        estimate=Estimate(
            term="lead", key=key, value=middle, ci_low=low, ci_high=high, ci_level=round(2 * target.level - 1, 6),
            n_obs=shown.n, uncertainty="model",
        ),
        target=shown.threshold,
        source=target.source,
        verdict=verdict,
        probability_met=chance,
        gate=target.gate_id,
        judged=judged,
        why=why,
    )  # fmt: skip


def judge_lead(
    above: float, steady: float, trailing: float, target: Target, *, compared: int, n: int
) -> tuple[Verdict, Text]:
    """Judge stable and in the lead.

    Met when the lead and its steadiness are as probable as the preset asks; missed when a lead is as improbable as the
    complement, or when one and the same window of four quarters trails by more than the margin with the probability
    asked for a lead: that none of several noisy windows trails is improbable for the best of clusters.
    """
    if compared < LEAST_SHARE * target.window:
        return "cannot_tell", words.say_few_peers(compared, target.window)
    if n < target.least_n:
        return "cannot_tell", words.say_too_few(n, target.least_n)
    if above >= target.level and steady >= target.steady_level:
        return "met", NOTHING
    is_missed = above <= 1 - target.level + ROUNDING or trailing >= target.level
    return ("not_met" if is_missed else "cannot_tell"), NOTHING


def gate_verdicts(criteria: Iterable[Criterion], missing: Iterable[OpenGate]) -> dict[str, Verdict]:
    """Return one verdict per gate: missed when one of its thresholds is, met when all are and none is open."""
    found: dict[str, Verdict] = {}
    for criterion in criteria:
        before = found.get(criterion.gate, "met")
        order = ("not_met", "cannot_tell", "met")
        found[criterion.gate] = min(before, criterion.verdict, key=order.index)
    for gate in missing:
        if found.get(gate.gate) != "not_met":
            found[gate.gate] = "cannot_tell"
    return found
