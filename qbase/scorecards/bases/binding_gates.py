"""Which gate binds a cluster, and what follows: stated rules, the same for all."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from importlib import resources

from qbase.core.lazy import read_once
from qbase.core.results.result import Criterion, Scorecard, Verdict
from qbase.core.text import Text
from qbase.core.values import ReadOnly, freeze
from qbase.scorecards.gates.gate_verdicts import gate_verdicts
from qbase.scorecards.presets.preset_values import Preset

RULE = Text(
    "卡住集群的关口：未达到的关口中完成程度最低的一个（实际值除以限值；越低越好的指标反过来）；没有未达到的，取达到概率最低、"
    "或根本无法判断的一个。",
    "The gate that binds a cluster: of those missed the one attained least (value over threshold, the other way round "
    "where lower is better); where none is missed, the one least likely to be met, or not to be judged at all.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateState:
    """One required gate of one cluster.

    Parameters
    ----------
    gate : str
        Line of the catalogue.
    verdict : {"met", "not_met", "cannot_tell"}
        Of all its thresholds together.
    attained : float or None
        Share of the threshold that is reached, at most 1, of the least attained threshold; None where nothing is known.
    probability : float or None
        Least probability of its sampled thresholds.
    open_by : {"", "list", "draws", "data"}
        Why it cannot be told.
    """

    gate: str
    verdict: Verdict
    attained: float | None
    probability: float | None
    open_by: str


def list_gates(card: Scorecard, preset: Preset) -> tuple[GateState, ...]:
    """Return the state of every required gate of a scorecard, in the order of the preset."""
    verdicts = gate_verdicts(card.criteria, card.missing)
    return tuple(_state(gate, verdicts.get(gate, "cannot_tell"), card) for gate in preset.required)


def _state(gate: str, verdict: Verdict, card: Scorecard) -> GateState:
    own = [c for c in card.criteria if c.gate == gate]
    chances = [c.probability_met for c in own if c.probability_met is not None]
    is_missing = not own or any(m.gate == gate for m in card.missing)
    unknown = [c for c in own if c.verdict == "cannot_tell"]
    is_list = any(c.estimate.uncertainty == "none_full_count" for c in unknown)
    why = "data" if is_missing else "list" if is_list else "draws"
    return GateState(
        gate=gate,
        verdict=verdict,
        attained=min((attained(c) for c in own), default=None),
        probability=min(chances, default=None),
        open_by=why if verdict == "cannot_tell" else "",
    )


def attained(criterion: Criterion) -> float:
    """Return the share of a threshold that is reached, 0 to 1; of a lead its probability."""
    value, target = criterion.estimate.value, criterion.target
    if criterion.estimate.term == "lead":
        return criterion.probability_met or 0.0
    if criterion.indicator.better == "down":
        value, target = target, value
    share = 1.0 if value >= target else value / target if target > 0 else 0.0
    return max(share, 0.0)


def find_binding(states: Sequence[GateState]) -> GateState | None:
    """Return the gate that binds, by `RULE`; None where every gate is met."""
    missed = [s for s in states if s.verdict == "not_met"]
    if missed:
        return min(missed, key=lambda s: s.attained if s.attained is not None else 0.0)
    unknown = [s for s in states if s.verdict == "cannot_tell"]
    return min(unknown, key=lambda s: s.probability if s.probability is not None else -1.0, default=None)


def say_step(state: GateState | None) -> Text:
    """Return the next step for a cluster bound by a gate."""
    steps = _steps()
    if state is None:
        return steps["pass"]
    return steps[
        state.gate if state.verdict == "not_met" and state.gate in steps else f"open.{state.open_by or 'data'}"
    ]


@read_once
def _steps() -> ReadOnly[str, Text]:
    raw = tomllib.loads(
        resources.files("qbase.scorecards.bases").joinpath("next_steps.toml").read_text(encoding="utf-8")
    )
    flat = {k: v for k, v in raw.items() if k != "open"} | {f"open.{k}": v for k, v in raw["open"].items()}
    return freeze({k: Text(v["zh"], v["en"]) for k, v in flat.items()})
