"""Write docs/indicators.md and docs/policy_clauses.md from the catalogue; the suite holds both to this script."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from qbase.core.numbers import UNITS
from qbase.indicators import read_catalogue, read_clauses, read_rows
from qbase.scorecards.bases.beside_lines import read_beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qbase.indicators import CatalogueRow
    from qbase.indicators.catalogue.indicator_rows import Measured
    from qbase.scorecards.bases.beside_lines import BesideLine

DOCS = pathlib.Path(__file__).resolve().parent
BETTER = {"up": "up 越高越好", "down": "down 越低越好", "none": "neither 不分好坏"}
BASIS = {
    "sample": "a sample, with an interval 抽样，有区间",
    "full_count": "a full count of what was delivered, no interval 全数，无区间",
    "survey": "a survey, with an interval 调查，有区间",
    "model": "a model or an assessment 模型或评估",
}
FREQUENCIES = {"Q": "quarter 季", "H": "half-year 半年", "A": "year 年", "M": "month 月"}
ENTITIES = {"cluster_id": "cluster 集群", "town_code": "town 镇", "firm_id": "firm 企业"}
ROLES = {"outcome": "outcome 结果", "instrument": "instrument 政策工具", "context": "context 背景"}
DICTIONARY = """# Indicator dictionary 指标字典

Made by `docs/make_indicators.py` from the catalogue (`qbase/indicators/catalogue/`); do not edit by hand.

{lines} lines of the policy's research design, {measures} indicators, {missing} of them without data in any contract.
One definition serves SQL, labels, axes, tables and this page. With data of your own: `qbase indicators` says which can
be computed, `qbase indicators --missing` what is asked for and lacking, `qbase panel ID --out FILE` writes the numbers.

*Text* quotes the target in the policy text where it sets one; *outside* is a reference from elsewhere and never a
target by itself. *Needs* are columns of the tables (`qbase table NAME`).
"""
CLAUSES = """# Policy-clause map 政策条款对照

Made by `docs/make_indicators.py` from the catalogue; do not edit by hand. {clauses} sentences of the policy text,
verbatim, each with the lines of the catalogue that follow it ([dictionary](indicators.md)), and with what stands beside
the catalogue: parts without a number, and places where the text disagrees with itself. The state of each line and
sentence for one cluster (met, not met, measured, data missing, a result, stated) is drawn by the letter
[40_base_scorecard](../notebooks/40_base_scorecard.ipynb): `qbase run base_scorecard -p subject=CLUSTER`. A sentence
without a line is listed all the same, so that nothing of the text is passed over silently.
"""


def write_dictionary() -> str:
    """Return the page of indicators."""
    rows, catalogue = read_rows(), read_catalogue()
    missing = sum(measured.missing is not None for measured in catalogue.values())
    parts = [DICTIONARY.format(lines=len(rows), measures=len(catalogue), missing=missing)]
    for row in rows.values():
        parts.append(_row(row))
        parts += [_measured(catalogue[measure]) for measure in row.measures]
    return "\n".join(parts)


def write_clauses() -> str:
    """Return the page of sentences of the policy text."""
    clauses, rows = read_clauses(), read_rows()
    parts = [CLAUSES.format(clauses=len(clauses))]
    section = ""
    for clause in clauses.values():
        if clause.section != section:
            section = clause.section
            parts.append(f"## {section}\n")
        parts.append(f"**{clause.id}** {clause.quotation}\n")
        lines = [row for row in rows.values() if clause.id in row.clauses]
        told = [f"- `{row.id}` {row.name.zh} · {row.name.en}: {_ids(row.measures)}" for row in lines]
        told += [_beside(line) for line in read_beside() if clause.id in line.clauses]
        parts.append("\n".join(told or ["- no line of the catalogue 无对应指标"]) + "\n")
    return "\n".join(parts)


def _ids(measures: Sequence[str]) -> str:
    return ", ".join(f"`{measure}`" for measure in measures)


def _beside(line: BesideLine) -> str:
    parts = [
        f"{line.lacking.zh} · {line.lacking.en}" if line.lacking.zh else "",
        f"{line.said.zh} {line.said.en}".strip(),
    ]
    told = "; ".join(part for part in (_ids(line.measures), *parts) if part)
    return f"- beside the catalogue 另列 `{line.id}` {line.name.zh} · {line.name.en}: {told}"


def _row(row: CatalogueRow) -> str:
    lines = [
        f"## {row.id} {row.name.zh} · {row.name.en}\n",
        f"- clauses 条款: {', '.join(row.clauses)}; words 原文: {row.words}",
    ]
    lines.append(f"- collected 数据: {row.data.zh} · {row.data.en}")
    if row.target:
        value = "" if row.target_value is None else f" ({row.target_value:g})"
        lines.append(f"- text 目标原文: {row.target}{value}")
    if row.outside is not None:
        lines.append(f"- outside 外部参照: {row.outside.zh} · {row.outside.en}")
    return "\n".join(lines) + "\n"


def _measured(measured: Measured) -> str:
    indicator = measured.indicator
    unit = UNITS[indicator.unit]
    named = f"{unit.zh} {unit.en}".strip() if unit.zh != unit.en else unit.zh
    facts = [
        f"unit 单位: {named or '–'}",
        f"better 方向: {BETTER[indicator.better]}",
        ROLES[indicator.role],
        BASIS[measured.basis],
        f"by {', '.join(FREQUENCIES.get(freq, freq) for freq in measured.freqs)}",
        f"for {', '.join(ENTITIES[entity] for entity in measured.entities)}",
    ]
    lines = [f"### `{indicator.id}` {indicator.name.zh} · {indicator.name.en}\n", "; ".join(facts) + ".\n"]
    if indicator.formula:
        lines.append(f"- formula 公式: {_plain(indicator.formula)}")
    if measured.needs:
        lines.append("- needs 所需: " + ", ".join(f"`{column}`" for column in measured.needs))
    if measured.missing is not None:
        lines.append(f"- no data 尚无数据: {measured.missing.zh} · {measured.missing.en}")
    return "\n".join(lines) + "\n"


def _plain(formula: str) -> str:
    """Keep signs of a formula from being read as Markdown."""
    for sign in "\\*_[]<>|":
        formula = formula.replace(sign, f"\\{sign}")
    return formula


def main() -> None:
    """Write both pages."""
    (DOCS / "indicators.md").write_text(write_dictionary(), encoding="utf-8")
    (DOCS / "policy_clauses.md").write_text(write_clauses(), encoding="utf-8")


if __name__ == "__main__":
    main()
