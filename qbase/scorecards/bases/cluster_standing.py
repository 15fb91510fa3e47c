"""One cluster before the gates of a base: what it meets, what binds it, what follows and what would settle the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.decision import Decision
from qbase.core.results.result import Result, Scorecard, Verdict
from qbase.core.results.sentences import add_article
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Indicator
from qbase.scorecards.bases.base_status import base_verdict
from qbase.scorecards.bases.binding_gates import RULE, GateState, find_binding, list_gates, say_step
from qbase.scorecards.gates.gate_verdicts import gate_verdicts
from qbase.scorecards.presets.preset_values import Preset

GATES = Indicator(id="gates", name=Text("达到的关口", "gates that are met"), unit="item", better="up", role="outcome")
WORDS: dict[Verdict, Text] = {
    "met": Text("达到基地的全部条件", "meets every gate of a base"),
    "not_met": Text("未达到基地条件", "is not a base"),
    "cannot_tell": Text("是否达到基地条件尚无法判断", "cannot yet be said to be a base or not"),
}
MET_RULE = Text(
    "每个必过关口都达到才是基地；有一个未达到就不是；其余尚无法判断。",
    "A base meets every required gate; one missed gate and it is none; all else cannot be told.",
)
HEADS: dict[Verdict, Text] = {
    "met": Text("达到全部关口", "every gate is met"),
    "not_met": Text("未达到条件", "conditions not met"),
    "cannot_tell": Text("尚无法判断", "cannot tell yet"),
}
TALLIES: dict[Verdict, Text] = {
    "met": Text("达到 {n} 个", "{n} met"),
    "not_met": Text("未达到 {n} 个", "{n} not met"),
    "cannot_tell": Text("尚无法判断 {n} 个", "{n} open"),
}
MOST_OPEN = 3
"""So many open gates are named in the box; all of them are in the table."""


def judge_standing(card: Scorecard, preset: Preset, *beside: Scorecard) -> Result:
    """Judge where one cluster stands before the gates of a base, under a preset and beside others.

    It is a base when every required gate is met, none when one is missed, and cannot be told otherwise.

    Parameters
    ----------
    card : Scorecard
        From `score_gates` under ``preset``.
    preset : Preset
        Its ``required`` gates decide.
    *beside : Scorecard
        Of the same cluster under other presets.

    Returns
    -------
    Result
        A full count: term ``gates``, how many required gates are met; term ``changed`` for each preset beside, how many
        of them get another verdict there. Table ``standing``: gate, name_zh, name_en, verdict, attained, open_by,
        is_binding, step_zh, step_en (what follows, or what would settle it), why_zh and why_en (of open
        gates, and of a lead that one window of quarters decided). Table
        ``beside``: gate, preset, title_zh, title_en, verdict.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_standing, read_gates, read_preset, score_gates
    >>> preset = read_preset("base_2026")
    >>> data = read_gates(open_workspace(), preset)
    >>> standing = judge_standing(score_gates(data, preset, clusters=["K003"])[0], preset)
    >>> standing.tables["standing"].set_index("gate").loc["L2", ["verdict", "step_en"]].tolist()
    ['not_met', 'find products and quarters that trail, and compare practice with the like']
    """
    states = list_gates(card, preset)
    binding = find_binding(states)
    table = pd.DataFrame([_row(card, state, state is binding) for state in states])
    others = pd.DataFrame(_others(preset, beside), columns=["gate", "preset", "title_zh", "title_en", "verdict"])
    verdict = base_verdict(states)
    met = Estimate(
        term="gates", key={"entity": card.entity}, value=float((table["verdict"] == "met").sum()), n_obs=len(table),
        uncertainty="none_full_count",
    )  # fmt: skip
    changed = [_changed(card, other, states) for other in beside]
    labels = {"said[gates]": _say(card, table, binding, verdict), "preset": card.preset_title}
    labels |= {f"said[changed:{o.preset}]": _say_changed(o, e) for o, e in zip(beside, changed, strict=True)}
    return Result(
        estimand="level",
        outcome=GATES,
        unit="item",
        method=f"standing_{card.preset}",
        estimates=(met, *changed),
        subject=card.subject,
        tables={"standing": table, "beside": others},
        notes=(MET_RULE, RULE),
        settings={"entity": card.entity, "preset": card.preset, "verdict": verdict},
        sources=card.sources,
        labels=labels,
        coverage=card.coverage,
        spoken=tuple(range(1 + len(changed))),
    )  # fmt: skip


def _row(card: Scorecard, state: GateState, is_binding: bool) -> dict[str, Any]:
    name, step = card.gate_name(state.gate), say_step(state)
    own = [c for c in card.criteria if c.gate == state.gate]
    opened = (
        *(c.why for c in own if c.verdict == "cannot_tell"),
        *(m.why for m in card.missing if m.gate == state.gate),
    )
    # of a gate that is missed only what its value does not show: which quarters trail
    missed = [c.why for c in own if c.verdict == "not_met" and "window" in c.estimate.key]
    why = [t for t in (opened if state.verdict == "cannot_tell" else missed) if t.zh]
    reason = join(why, zh="；", en="; ") if why else Text("", "")
    return {
        "gate": state.gate,
        "name_zh": name.zh,
        "name_en": name.en,
        "verdict": state.verdict,
        "attained": state.attained,
        "open_by": state.open_by,
        "is_binding": is_binding,
        "step_zh": "" if state.verdict == "met" else step.zh,
        "step_en": "" if state.verdict == "met" else step.en,
        "why_zh": reason.zh,
        "why_en": reason.en,
    }


def _others(preset: Preset, beside: Sequence[Scorecard]) -> list[tuple[str, str, str, str, str]]:
    return [
        (gate, card.preset, card.preset_title.zh, card.preset_title.en, _verdict_of(card, gate))
        for card in beside
        for gate in preset.required
    ]


def _verdict_of(card: Scorecard, gate: str) -> Verdict:
    return gate_verdicts(card.criteria, card.missing).get(gate, "cannot_tell")


def _changed(card: Scorecard, other: Scorecard, states: Sequence[GateState]) -> Estimate:
    moved = sum(_verdict_of(other, s.gate) != s.verdict for s in states)
    return Estimate(
        term=f"changed:{other.preset}", key={"entity": card.entity}, value=float(moved), n_obs=len(states),
        uncertainty="none_full_count",
    )  # fmt: skip


def _say(card: Scorecard, table: pd.DataFrame, binding: GateState | None, verdict: Verdict) -> Text:
    tally = {v: int((table["verdict"] == v).sum()) for v in WORDS}
    who, n = add_article(card.subject), count(len(table))
    told = join([TALLIES[v].format(n=count(k)) for v, k in tally.items() if k], zh="、", en=", ")
    said = Text(
        f"按预设“{card.preset_title.zh}”，{who.zh}{WORDS[verdict].zh}：{n} 个必过关口{told.zh}。",
        f"Under the preset {card.preset_title.en}, {who.en} {WORDS[verdict].en}: of {n} required gates {told.en}.",
    )
    return said if binding is None else said + Text("", " ") + _say_binding(card, binding)


def _say_binding(card: Scorecard, binding: GateState) -> Text:
    name, step = card.gate_name(binding.gate), say_step(binding)
    # QA stays QA
    named = name.en if name.en[1:2].isupper() else name.en[:1].lower() + name.en[1:]
    return Text(
        f"卡住的关口是 {binding.gate} {name.zh}，下一步：{step.zh}。",
        f"The gate that binds is {binding.gate} ({named}); next: {step.en}.",
    )


def _say_changed(other: Scorecard, changed: Estimate) -> Text:
    n, moved = count(changed.n_obs or 0), count(int(changed.value))
    if not changed.value:
        return Text(
            f"换用预设“{other.preset_title.zh}”，{n} 个关口的结论都不变。",
            f"Under the preset {other.preset_title.en} none of {n} gates gets another verdict.",
        )
    return Text(
        f"换用预设“{other.preset_title.zh}”，{n} 个关口中 {moved} 个的结论不同：先议限值，再议整改。",
        f"Under the preset {other.preset_title.en} {moved} of {n} gates get another verdict: settle the thresholds "
        "first, then act.",
    )


def decide_cluster(standing: Result, quarter: Decision) -> Decision:
    """Decide what the leading group can be told of a cluster: a base or not, and what its quarter shows.

    The gates give the word (`judge_standing`); what the quarter allows to say, and what it does not, is taken from
    `qbase.trends.decide_quarter` as it stands. Open gates are what cannot be said, each with what would settle it; the
    three that come first in the preset are named and the rest are counted.

    Parameters
    ----------
    standing : Result
        From `judge_standing`.
    quarter : Decision
        From `decide_quarter`, for the same cluster.

    Returns
    -------
    Decision

    Examples
    --------
    >>> from qbase.core import Decision, Text
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import decide_cluster, judge_standing, read_gates, read_preset, score_gates
    >>> preset = read_preset("base_2026")
    >>> data = read_gates(open_workspace(), preset)
    >>> standing = judge_standing(score_gates(data, preset, clusters=["K003"])[0], preset)
    >>> rate = Text("望埭镇涤纶产业集群的合格率", "pass rate of the Wangdai polyester fibre cluster")
    >>> quarter = Decision(name="decision", verdict="cannot_tell", subject=rate)
    >>> decide_cluster(standing, quarter).lead.en
    'Wangdai polyester fibre cluster as a high-quality production base: conditions not met.'
    """
    verdict: Verdict = standing.settings["verdict"]
    opened = [r for r in standing.tables["standing"].to_dict("records") if r["verdict"] == "cannot_tell"]
    named = opened[:MOST_OPEN]
    settles = [_named(r, Text(str(r["step_zh"]), str(r["step_en"]))) for r in named]
    return Decision(
        name="decision",
        verdict=verdict,
        subject=standing.subject + Text("创建优质产品生产基地", " as a high-quality production base"),
        words=HEADS[verdict],
        # how many gates are met leads the page
        can_say=((quarter.lead, None), *quarter.can_say),
        cannot_say=(*map(_open_words, named), *_rest(len(opened)), *quarter.cannot_say),
        would_settle=(*settles, *quarter.would_settle),
    )


def _named(row: dict[Any, Any], said: Text) -> Text:
    return Text(f"{row['gate']}（{row['name_zh']}）：{said.zh}。", f"{row['gate']} ({row['name_en']}): {said.en}.")


def _open_words(row: dict[Any, Any]) -> Text:
    why = Text(str(row["why_zh"]), str(row["why_en"]))
    if not why.zh:
        why = Text("区间跨越限值，或名单上还有未核的企业", "its interval spans the threshold, or firms are unverified")
    return _named(row, Text(why.zh.rstrip("。"), why.en.rstrip(".")))


def _rest(opened: int) -> tuple[Text, ...]:
    more = opened - MOST_OPEN
    if more <= 0:
        return ()
    return (Text(f"另有 {more} 个关口尚无法判断，见关口表。", f"{more} more gates are open: see the table of gates."),)
