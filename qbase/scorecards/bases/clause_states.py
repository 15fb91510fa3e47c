"""Every line of the policy text: met or not, measured without a threshold, or missing data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.result import Result, Scorecard
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Indicator
from qbase.indicators.availability import Availability, list_indicators
from qbase.indicators.catalogue.clauses import find_clauses, read_clauses
from qbase.indicators.catalogue.indicator_rows import CatalogueRow, read_rows
from qbase.scorecards.gates.gate_verdicts import gate_verdicts

if TYPE_CHECKING:
    from qbase.lake import Workspace

STATES = ("met", "not_met", "cannot_tell", "measured", "missing")
LINES = Indicator(
    id="clauses", name=Text("政策条目", "lines of the policy text"), unit="item", better="none", role="context"
)
TENSIONS = (
    Text(
        "原文近期说“一批”，长期说“2~3 个”：两处数目并不一致，预设按“2~3 个”判断。",
        "The text speaks of a batch of bases in one place and of 2 to 3 in another; presets count 2 to 3.",
    ),
    Text(
        "原文的质监分局、工商分局自 2018 年机构改革起并入市场监管部门，序列按职能延续。",
        "The bureaus of quality supervision and of industry and commerce that the text names became part of market "
        "regulation in the reform of 2018; series follow the function.",
    ),
    Text(
        "中国名牌、省著名商标等评选已停止：只计仍在有效期内的，停止后的零不是质量下降。",
        "China Top Brand, provincial famous trademarks and others were abolished: what is still valid counts, and a "
        "zero afterwards is no loss of quality.",
    ),
)


def judge_clauses(workspace: Workspace, card: Scorecard, *, snapshot: str | None = None) -> Result:
    """Judge every line of the policy text for one cluster: met or not, measured, or missing data.

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
        A full count: how many lines are judged or measured. Table ``clauses``: row, clause (sentences of the text),
        words, name_zh, name_en, state (``met``, ``not_met``, ``cannot_tell``, ``measured``, ``missing``), measures
        and ready (how many indicators it has, and can be computed), lacking_zh, lacking_en. ``cannot_tell`` has a
        threshold and no verdict yet; ``measured`` has numbers and no threshold.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_clauses, read_gates, score_gates
    >>> workspace = open_workspace()
    >>> card = score_gates(read_gates(workspace, "outline_2025"), "outline_2025", clusters=["K001"])[0]
    >>> judge_clauses(workspace, card).tables["clauses"]["state"].value_counts().sort_index().to_dict()
    {'measured': 78, 'not_met': 8}
    """
    verdicts = gate_verdicts(card.criteria, ())
    known: dict[str, list[Availability]] = {}
    for found in list_indicators(workspace, snapshot=snapshot):
        known.setdefault(found.measured.row, []).append(found)
    table = pd.DataFrame([_row(row, known.get(i, []), verdicts.get(i, "")) for i, row in read_rows().items()])
    there = int((table["state"] != "missing").sum())
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
        tables={"clauses": table},
        notes=TENSIONS,
        settings={"entity": card.entity, "preset": card.preset},
        sources=card.sources,
        labels={"said[clauses]": _say(table, card)},
        coverage=card.coverage,
    )  # fmt: skip


def _row(row: CatalogueRow, found: list[Availability], verdict: str) -> dict[str, Any]:
    ready = [a for a in found if a.state == "ready"]
    lacking = join([a.status for a in found if a.state != "ready"], zh="；", en="; ")
    sentences = [c for given in row.clauses for c in find_clauses(given)]
    return {
        "row": row.id,
        "clause": ", ".join(dict.fromkeys(sentences)),
        "words": row.words,
        "name_zh": row.name.zh,
        "name_en": row.name.en,
        "state": verdict or ("measured" if ready else "missing"),
        "measures": len(found),
        "ready": len(ready),
        "lacking_zh": lacking.zh,
        "lacking_en": lacking.en,
    }


def _say(table: pd.DataFrame, card: Scorecard) -> Text:
    tally = {s: int((table["state"] == s).sum()) for s in STATES}
    told = {c for cell in table.loc[table["state"] != "missing", "clause"] for c in cell.split(", ")}
    whole = len(read_clauses())
    return Text(
        f"政策 {count(len(table))} 个条目（原文 {whole} 句）按预设“{card.preset_title.zh}”：达到 {tally['met']}，"
        f"未达到 {tally['not_met']}，有限值但尚无法判断 {tally['cannot_tell']}，有数字无限值 {tally['measured']}，"
        f"缺数据 {tally['missing']}；{len(told)} 句至少有一个数字。",
        f"Of {count(len(table))} lines of the policy ({whole} sentences) under the preset {card.preset_title.en}, "
        f"{tally['met']} are met, {tally['not_met']} are not, {tally['cannot_tell']} have a threshold and no verdict "
        f"yet, {tally['measured']} are measured without a threshold, and {tally['missing']} lack data; {len(told)} "
        "sentences have at least one number.",
    )
