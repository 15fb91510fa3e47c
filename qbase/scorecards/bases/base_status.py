"""Is this a base yet: every required gate at once, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import count, percent
from qbase.core.results.result import Result, Scorecard, Verdict
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.indicators.catalogue.indicator_rows import find_indicator, read_rows
from qbase.scorecards.bases.binding_gates import RULE, GateState, find_binding, list_gates, say_step
from qbase.scorecards.bases.joint_gates import JointGates, draw_gates
from qbase.scorecards.gates.gate_data import GateData
from qbase.scorecards.gates.gate_verdicts import DRAWS, score_gates
from qbase.scorecards.gates.gate_words import gate_titles
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset

LEVEL = 0.9
MET_RULE = Text(
    "每个必过关口都达到才是基地；一个未达到就不是；其余尚无法判断。“可判断的关口同时成立的概率”来自联合抽取，不是各概率的乘积；"
    "有关口无法判断的，它只是上限。",
    "A base meets every required gate; one missed gate and it is none; all else cannot be told. The probability that "
    "the gates that can be judged hold at once is from joint draws, never a product; where a gate is open it is an "
    "upper bound.",
)
RESULTS = Text(
    "L1（基地数）和 L15（称号）是结果，不是条件。", "L1 (bases) and L15 (designation) are results, not conditions."
)


def judge_bases(
    data: GateData,
    preset: str | Preset,
    cards: Sequence[Scorecard] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Result:
    """Judge which clusters are bases under a preset, and how many there are.

    Parameters
    ----------
    data : GateData
        From `read_gates`, read for this preset.
    preset : str or Preset
        Its ``required`` gates decide.
    cards : sequence of Scorecard or None
        From `score_gates` under the same preset; None judges all clusters.
    draws : int
        Joint draws of all clusters.
    seed : int
        Of these draws.

    Returns
    -------
    Result
        Outcome ``L1``; term ``bases``: how many meet every gate, with the range between the deciles of the joint
        draws, open gates taken as missed at its lower end and as met at its upper. Table ``bases``: entity, names,
        verdict, probability (that all gates that can be judged hold), met_count, missed_count, open_count, binding,
        its attainment, the next step in both languages. Table ``gates``: entity, gate, verdict, attained, probability.
        Table ``number``: bases, least_share and most_share of draws, open gates taken as missed and as met.

    Raises
    ------
    UsageError
        No such preset (QB601).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_bases, read_gates
    >>> data = read_gates(open_workspace(), "base_2026")
    >>> found = judge_bases(data, "base_2026")
    >>> found.tables["bases"].loc[2, ["entity", "verdict", "binding"]].tolist()
    ['K003', 'not_met', 'L2']
    """
    chosen = read_preset(preset) if isinstance(preset, str) else preset
    cards = score_gates(data, chosen, draws=draws, seed=seed) if cards is None else tuple(cards)
    joint = draw_gates(data, chosen, cards, draws=draws, seed=seed)
    states = [list_gates(card, chosen) for card in cards]
    bases = pd.DataFrame([_row(c, s, p) for c, s, p in zip(cards, states, joint.probability, strict=True)])
    number = _distribution(joint)
    least, most = joint.numbers()
    met = int((bases["verdict"] == "met").sum())
    low, high = (int(np.quantile(x, q, method="nearest")) for x, q in ((least, 1 - LEVEL), (most, LEVEL)))
    estimate = Estimate(
        term="bases", key={"period": data.as_of}, value=float(met), ci_low=float(min(low, met)),
        ci_high=float(max(high, met)), ci_level=round(2 * LEVEL - 1, 6), n_obs=len(cards), uncertainty="model",
    )  # fmt: skip
    return Result(
        estimand="level",
        outcome=find_indicator("L1").indicator,
        unit="item",
        method=f"gates_{chosen.preset_id}",
        estimates=(estimate,),
        subject=Text("全部集群", "all clusters"),
        tables={"bases": bases, "gates": _long(cards, states), "number": number},
        notes=(MET_RULE, RULE, RESULTS, *chosen.notes),
        settings={
            "preset": chosen.preset_id, "as_of": data.as_of, "required": list(chosen.required), "draws": draws,
            "seed": seed, "least": chosen.bases[0], "most": chosen.bases[1],
        },
        sources=data.sources,
        labels={
            "said[bases]": say_bases(bases, number, chosen, data.as_of),
            **{f"gate[{g}]": gate_titles()[g] for g in chosen.required},
        },
        coverage=data.coverage,
    )  # fmt: skip


def _row(card: Scorecard, states: Sequence[GateState], probability: float) -> dict[str, Any]:
    binding, step = find_binding(states), say_step(find_binding(states))
    tally = {v: sum(s.verdict == v for s in states) for v in ("met", "not_met", "cannot_tell")}
    return {
        "entity": card.entity,
        "name_zh": card.subject.zh,
        "name_en": card.subject.en,
        "verdict": base_verdict(states),
        "probability": float(probability),
        "met_count": tally["met"],
        "missed_count": tally["not_met"],
        "open_count": tally["cannot_tell"],
        "binding": "" if binding is None else binding.gate,
        "attained": None if binding is None else binding.attained,
        "step_zh": step.zh,
        "step_en": step.en,
    }


def base_verdict(states: Sequence[GateState]) -> Verdict:
    """Return whether a cluster is a base: every gate met, or one missed, or cannot tell."""
    found = {s.verdict for s in states}
    if "not_met" in found:
        return "not_met"
    return "met" if found == {"met"} else "cannot_tell"


def _long(cards: Sequence[Scorecard], states: Sequence[Sequence[GateState]]) -> pd.DataFrame:
    rows = [
        [card.entity, s.gate, s.verdict, s.attained, s.probability]
        for card, own in zip(cards, states, strict=True)
        for s in own
    ]
    return pd.DataFrame(rows, columns=["entity", "gate", "verdict", "attained", "probability"])


def _distribution(joint: JointGates) -> pd.DataFrame:
    least, most = joint.numbers()
    there = np.arange(int(most.max(initial=0)) + 1)
    shares = [np.bincount(x, minlength=len(there)) / max(len(x), 1) for x in (least, most)]
    return pd.DataFrame({"bases": there, "least_share": shares[0], "most_share": shares[1]})


def say_bases(bases: pd.DataFrame, number: pd.DataFrame, preset: Preset, as_of: str) -> Text:
    """Return the sentence of the bases: how many, how sure about 2 to 3, and what binds most clusters."""
    tally = {v: int((bases["verdict"] == v).sum()) for v in ("met", "not_met", "cannot_tell")}
    low, high = preset.bases
    inside = number["bases"].between(low, high)
    least, most = (100 * float(number.loc[inside, c].sum()) for c in ("least_share", "most_share"))
    ends = [percent(x, 0) for x in sorted((least, most))]
    chance = "–".join(dict.fromkeys(ends))
    head = Text(
        f"按预设“{preset.title.zh}”，截至 {as_of}，{count(len(bases))} 个集群中 {tally['met']} 个达到基地条件、"
        f"{tally['not_met']} 个未达到、{tally['cannot_tell']} 个尚无法判断；"
        f"基地恰有 {low}～{high} 个的概率为 {chance}。",
        f"Under the preset {preset.title.en}, as of {as_of}, {tally['met']} of {count(len(bases))} clusters meet every "
        f"gate of a base, {tally['not_met']} do not, and {tally['cannot_tell']} cannot be told; the probability that "
        f"there are {low} to {high} bases is {chance}.",
    )
    bound = bases[bases["binding"] != ""]["binding"].value_counts()
    if bound.empty:
        return head
    gate, clusters = str(bound.index[0]), int(bound.iloc[0])
    name = read_rows()[gate].name
    # QMS stays QMS
    plain = name.en if name.en[1:2].isupper() else name.en[:1].lower() + name.en[1:]
    return head + Text(
        f"卡住最多集群的是关口 {gate}（{name.zh}）：{clusters} 个。",
        f" The gate that binds most clusters is {gate} ({plain}): {clusters}.",
    )
