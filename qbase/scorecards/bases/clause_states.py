"""Every line and every sentence of the policy text: met or not, measured, a result, without data, or stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.result import Result, Scorecard
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Indicator
from qbase.indicators.availability import Availability, list_indicators
from qbase.indicators.catalogue.clauses import find_clauses, read_clauses
from qbase.indicators.catalogue.indicator_rows import CatalogueRow, read_rows
from qbase.scorecards.bases.beside_lines import BesideLine, read_beside
from qbase.scorecards.gates.gate_verdicts import gate_verdicts

if TYPE_CHECKING:
    from qbase.lake import Workspace

STATES = ("met", "not_met", "cannot_tell", "measured", "result", "missing", "stated")
WITHOUT = ("missing", "stated")
"""States without a number."""
RESULT_LINES = frozenset({"L1", "L15"})
"""What comes of the work, and is no condition of a base."""
PARTS = {
    "D": Text("一、定义", "I. Definition"),
    "C": Text("一、差距与意义", "I. Gaps and reasons"),
    "G": Text("二、指导思想", "II. Guiding ideas"),
    "T": Text("三、总目标", "III. Overall goal"),
    "N": Text("三、近期目标", "III. Near-term goal"),
    "L": Text("三、长期目标", "III. Long-term goal"),
    "P": Text("四、原则", "IV. Principles"),
    "W1": Text("五（一）集聚", "V.1 Agglomeration"),
    "W2": Text("五（二）质量管理", "V.2 Management"),
    "W3": Text("五（三）创新", "V.3 Innovation"),
    "W4": Text("五（四）名牌", "V.4 Brands"),
    "W5": Text("五（五）标准", "V.5 Standards"),
    "W6": Text("五（六）检测平台", "V.6 Test platforms"),
    "W7": Text("五（七）信用", "V.7 Credit"),
    "S": Text("六、保障措施", "VI. Safeguards"),
    "Z": Text("原文另有", "Beside the lines"),
}
"""Parts of the text by the first letter of a line; the seven tasks by letter and number."""
LINES = Indicator(
    id="clauses", name=Text("政策条目", "lines of the policy text"), unit="item", better="none", role="context"
)


def judge_clauses(workspace: Workspace, card: Scorecard, *, snapshot: str | None = None) -> Result:
    """Judge every line and every sentence of the policy text for one cluster.

    A sentence has the state of its lines: ``not_met`` where one is missed, else ``cannot_tell`` where one is open,
    ``met`` only where all of them are met, ``measured`` where at least one has a number, else ``missing``.

    Parameters
    ----------
    workspace : Workspace
        What its lake holds decides what is measured.
    card : Scorecard
        Verdicts of the cluster's gates, from `score_gates`.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    Result
        A full count: how many lines are judged or measured. Table ``clauses``: the 86 lines of the catalogue, with
        row, part_zh, part_en (part of the text), clause (sentences of it), words, name_zh, name_en, state, measures and
        ready (how many indicators it has, and can be computed), indicators (those that can), lacking_zh, lacking_en.
        Table ``beside``: the same columns, and said_zh and said_en, for what no line stands for. Table ``sentences``:
        every sentence once, with clause, section, quotation, state and its lines. States: ``met``, ``not_met``,
        ``cannot_tell`` (a threshold and no verdict yet), ``measured`` (a number, no threshold), ``result`` (what comes
        of it, no condition), ``missing`` (no data) and ``stated`` (can have no number: a tension or an ended series,
        in words).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_clauses, read_gates, score_gates
    >>> workspace = open_workspace()
    >>> card = score_gates(read_gates(workspace, "outline_2025"), "outline_2025", clusters=["K001"])[0]
    >>> judged = judge_clauses(workspace, card)
    >>> judged.tables["clauses"]["state"].value_counts().sort_index().to_dict()
    {'measured': 76, 'not_met': 8, 'result': 2}
    >>> judged.tables["beside"].set_index("row")["state"].to_dict()["Z3"]
    'missing'
    """
    verdicts = gate_verdicts(card.criteria, ())
    listed = list_indicators(workspace, snapshot=snapshot)
    lines = [_row(row, [a for a in listed if a.measured.row == i], verdicts) for i, row in read_rows().items()]
    known = {a.measured.indicator.id: a for a in listed}
    beside = [_beside(line, [known[i] for i in line.measures]) for line in read_beside()]
    table, sentences = pd.DataFrame(lines), _sentences([*lines, *beside])
    there = int((~table["state"].isin(WITHOUT)).sum())
    return Result(
        estimand="level",
        outcome=LINES,
        unit="item",
        method=f"clauses_{card.preset}",
        estimates=(
            Estimate(term="clauses", key={"entity": card.entity}, value=float(there), n_obs=len(table),
                     uncertainty="none_full_count"),
        ),
        subject=card.subject,
        tables={"clauses": table, "beside": pd.DataFrame(beside), "sentences": sentences},
        notes=tuple(line.said for line in read_beside() if line.said.zh),
        settings={"entity": card.entity, "preset": card.preset},
        sources=card.sources,
        labels={"said[clauses]": _say(table, sentences, card), "preset": card.preset_title},
        coverage=card.coverage,
    )  # fmt: skip


def _row(row: CatalogueRow, found: Sequence[Availability], verdicts: Mapping[str, str]) -> dict[str, Any]:
    ready = [a for a in found if a.state == "ready"]
    unjudged = ("result" if row.id in RESULT_LINES else "measured") if ready else "missing"
    return {
        **_part(row.id),
        "clause": ", ".join(dict.fromkeys(c for given in row.clauses for c in find_clauses(given))),
        "words": row.words,
        "name_zh": row.name.zh,
        "name_en": row.name.en,
        "state": verdicts.get(row.id) or unjudged,
        **_counted(found, ready, Text("", "")),
    }


def _beside(line: BesideLine, found: Sequence[Availability]) -> dict[str, Any]:
    ready = [a for a in found if a.state == "ready"]
    return {
        **_part(line.id),
        "clause": ", ".join(line.clauses),
        "words": line.words,
        "name_zh": line.name.zh,
        "name_en": line.name.en,
        "state": "stated" if line.said.zh else "measured" if ready else "missing",
        **_counted(found, ready, line.lacking),
        "said_zh": line.said.zh,
        "said_en": line.said.en,
    }


def _part(line: str) -> dict[str, str]:
    part = PARTS[line[:2] if line.startswith("W") else line[:1]]
    return {"row": line, "part_zh": part.zh, "part_en": part.en}


def _counted(found: Sequence[Availability], ready: Sequence[Availability], beyond: Text) -> dict[str, Any]:
    waits = [a.status for a in found if a.state != "ready"]
    lacking = join([*waits, *([beyond] if beyond.zh else [])], zh="；", en="; ")
    return {
        "measures": len(found),
        "ready": len(ready),
        "indicators": ", ".join(a.measured.indicator.id for a in ready),
        "lacking_zh": lacking.zh,
        "lacking_en": lacking.en,
    }


def _sentences(lines: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return every sentence of the text once, with the state its lines give it."""
    own: dict[str, list[Mapping[str, Any]]] = {clause: [] for clause in read_clauses()}
    for line in lines:
        for clause in line["clause"].split(", "):
            own[clause].append(line)
    return pd.DataFrame(
        {
            "clause": clause.id,
            "section": clause.section,
            "quotation": clause.quotation,
            "state": sentence_state([line["state"] for line in own[clause.id]]),
            "lines": ", ".join(line["row"] for line in own[clause.id]),
        }
        for clause in read_clauses().values()
    )


def sentence_state(states: Sequence[str]) -> str:
    """Return the state of a sentence from those of its lines, by the rule of `judge_clauses`.

    Examples
    --------
    >>> from qbase.scorecards.bases.clause_states import sentence_state
    >>> sentence_state(["met", "measured", "stated"]), sentence_state(["met", "met"]), sentence_state(["missing"])
    ('measured', 'met', 'missing')
    """
    found = set(states) - {"stated"}
    for worst in ("not_met", "cannot_tell"):
        if worst in found:
            return worst
    if len(found) == 1:
        return found.pop()
    return "measured" if found - {"missing"} else "stated"


def _say(table: pd.DataFrame, sentences: pd.DataFrame, card: Scorecard) -> Text:
    tally = {s: int((table["state"] == s).sum()) for s in STATES}
    told, whole = int((~sentences["state"].isin(WITHOUT)).sum()), len(sentences)
    return Text(
        f"政策 {count(len(table))} 个条目（原文 {whole} 句）按预设“{card.preset_title.zh}”：达到 {tally['met']}，"
        f"未达到 {tally['not_met']}，有限值但尚无法判断 {tally['cannot_tell']}，有数字无限值 {tally['measured']}，"
        f"只作结果 {tally['result']}，缺数据 {tally['missing']}；{told} 句至少有一个数字。",
        f"Of {count(len(table))} lines of the policy ({whole} sentences) under the preset {card.preset_title.en}, "
        f"{tally['met']} are met, {tally['not_met']} are not, {tally['cannot_tell']} have a threshold and no verdict "
        f"yet, {tally['measured']} are measured without a threshold, {tally['result']} are results and no conditions, "
        f"and {tally['missing']} lack data; {told} sentences have at least one number.",
    )
