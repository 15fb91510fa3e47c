"""Whether all required gates hold at once: joint draws of everything that is uncertain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbase.core.results.result import Criterion, Scorecard
from qbase.scorecards.gates.gate_data import RATE, GateData
from qbase.scorecards.gates.joint_rates import draw_rates, groups_of, lead_of, level_of
from qbase.scorecards.presets.preset_values import Preset, Target

Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JointGates:
    """Required gates in joint draws.

    Parameters
    ----------
    entities : tuple of str
        Clusters, in the order of the scorecards.
    holds : numpy.ndarray of bool, shape (draws, clusters)
        Whether every required gate that can be judged holds.
    is_open : numpy.ndarray of bool, shape (clusters,)
        Some required gate cannot be judged: no threshold, no data, too few draws, a preliminary quarter, firms
        unverified.
    """

    entities: tuple[str, ...]
    holds: Bools
    is_open: Bools

    @property
    def probability(self) -> NDArray[np.float64]:
        """Share of draws in which every gate that can be judged holds, by cluster; an upper bound where one is open."""
        return np.asarray(self.holds.mean(axis=0), dtype=float)

    def numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of bases in each draw: with open gates taken as missed, and taken as met."""
        return (self.holds & ~self.is_open).sum(axis=1), self.holds.sum(axis=1)


def draw_gates(data: GateData, preset: Preset, cards: Sequence[Scorecard], *, draws: int, seed: int) -> JointGates:
    """Draw the truth of every required gate of all clusters together.

    What was counted in full holds or does not, in every draw. Rates and leads of one treatment come from the same draws
    of true rates, so that a cluster good by luck in one gate is so in the others, and a lead falls where a rival rises.
    """
    entities = tuple(card.entity for card in cards)
    required = [t for gate in preset.required for t in preset.of_gate(gate)]
    holds, is_open = np.ones((draws, len(cards)), dtype=bool), np.zeros(len(cards), dtype=bool)
    is_open |= [any(m.gate in preset.required for m in card.missing) for card in cards]
    drawn = {t: i for i, t in enumerate(required) if t.kind in {"rate", "lead"}}
    for target in required:
        found = [_criterion(card, target) for card in cards]
        if target in drawn:
            is_open |= [c is not None and c.probability_met is None for c in found]
            continue
        is_open |= [c is not None and c.verdict == "cannot_tell" for c in found]
        holds &= np.array([c is None or c.verdict != "not_met" for c in found])
    for key in dict.fromkeys(_key(t) for t in drawn):
        _draw(data, key, [t for t in drawn if _key(t) == key], cards, holds, seed=seed)
    return JointGates(entities=entities, holds=holds, is_open=is_open)


def _key(target: Target) -> tuple[str, str]:
    return (RATE if target.kind == "lead" else target.indicator_id, target.sampling)


def _criterion(card: Scorecard, target: Target) -> Criterion | None:
    wanted = (target.gate_id, target.indicator_id)
    return next((c for c in card.criteria if (c.gate, c.indicator.id) == wanted), None)


def _draw(
    data: GateData,
    key: tuple[str, str],
    targets: Sequence[Target],
    cards: Sequence[Scorecard],
    holds: Bools,
    *,
    seed: int,
) -> None:
    """Hold the drawn rates of one treatment against the thresholds that use them, in place and chunk by chunk."""
    quarters = data.rates.get(key)
    if quarters is None:
        return
    place: Mapping[str, int] = {e: i for i, e in enumerate(quarters.entities)}
    groups = groups_of(quarters.entities, data.products)
    judged = [
        [(column, place[card.entity]) for column, card in enumerate(cards) if _is_judged(_criterion(card, t))]
        for t in targets
    ]
    start = 0
    for drawn in draw_rates(quarters, draws=len(holds), rng=np.random.default_rng(seed)):
        rows = slice(start, start + len(drawn))
        for target, pairs in zip(targets, judged, strict=True):
            columns, rates = (np.array(x, dtype=np.int64) for x in (zip(*pairs, strict=True) if pairs else ((), ())))
            holds[rows, columns] &= _holds(target, data, quarters.n, quarters.total, drawn, groups, key)[:, rates]
        start += len(drawn)


def _is_judged(criterion: Criterion | None) -> bool:
    return criterion is not None and criterion.probability_met is not None


def _holds(
    target: Target,
    data: GateData,
    n: NDArray[np.float64],
    total: NDArray[np.float64],
    drawn: NDArray[np.float64],
    groups: Sequence[NDArray[np.int64]],
    key: tuple[str, str],
) -> Bools:
    window = min(target.window, n.shape[1])
    if target.kind == "lead":
        found = lead_of(drawn[..., -window:], n[:, -window:], total[:, -window:], groups)
        return np.asarray((found.lead > target.value / 100) & (found.worst >= -target.margin / 100))
    rate = level_of(drawn, n, window)
    is_down = data.rates[key].panel.indicator(target.indicator_id).better == "down"
    return np.asarray(rate <= target.value / 100 if is_down else rate >= target.value / 100)
