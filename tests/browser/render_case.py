"""A realistic executed letter for the tests of page, verification and gallery: results, bundles, record, run.

All numbers are made up here; drawings are written by hand so that no other room is needed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import nbformat
import pandas as pd

from qbase.core import (
    MIME,
    CheckResult,
    Column,
    Coverage,
    Estimate,
    Figure,
    Indicator,
    ReportSpec,
    Result,
    RunRecord,
    Source,
    Table,
    Text,
    Tile,
    Tiles,
    conclude,
)
from qbase.core.numbers import interval, number
from qbase.core.results.records import build_record
from qbase.core.shown.display import Bundle
from qbase.core.text import same

RUN_ID = "20261124T090000-4f9b63"
SOURCE = Source(
    path="inspections",
    sha256="5d41402abc4b2a76b9719d911017c592aa11bb22cc33dd44ee55ff6677889900",
    producer="云泽省市场监管局（虚构） / fictional province",
    licence="CC0-1.0",
    retrieved_on="2026-11-20",
    snapshot="S0003",
)
PASS = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
YIELD = Indicator(id="D2.first", name=Text("一次交检合格率", "first-pass yield"), unit="pct", better="up")
COVERAGE = Coverage(fates={"counted": 46752, "recheck": 1208, "no_firm": 311})
PILOT = Text("试点集群", "the pilot clusters")
QUARTERS = [f"{y}Q{q}" for y in range(2019, 2025) for q in range(1, 5)]
RATES = [round(92.0 + 0.9 * math.sin(i * 1.7) * 0.7 + (2.9 if i >= 15 else 0.0), 2) for i in range(24)]


def level() -> Result:
    series = pd.DataFrame({"period": QUARTERS, "n": [1948] * 24, "rate_pct": RATES})
    estimate = Estimate(
        term="rate",
        key={"period": "2024Q4"},
        value=RATES[-1],
        ci_low=RATES[-1] - 0.9,
        ci_high=RATES[-1] + 0.8,
        n_obs=1948,
        uncertainty="design",
    )
    return Result(
        estimand="level",
        outcome=PASS,
        unit="pct",
        method="wilson",
        estimates=(estimate,),
        subject=PILOT,
        tables={"series": series},
        sources=(SOURCE,),
        coverage=COVERAGE,
        notes=(
            Text(
                "抽查样本按风险抽取，合格率低于全体产品的真实水平。",
                "Samples were drawn by risk, so the pass rate lies below the true level of all products.",
            ),
        ),
    )


def effect() -> Result:
    estimate = Estimate(
        term="att", value=1.62, std_error=0.31, ci_low=1.0, ci_high=2.2, p_value=0.0004, n_obs=960, n_clusters=40
    )
    return Result(
        estimand="effect",
        outcome=PASS,
        unit="pp",
        method="twfe",
        estimates=(estimate,),
        subject=PILOT,
        checks=(
            CheckResult(
                name="enough_clusters", passed=True, text=Text("共 40 个集群，足够。", "40 clusters are enough.")
            ),
            CheckResult(
                name="parallel_leads",
                passed=False,
                text=Text(
                    "启动前各期联合检验 p = 0.031：试点集群事前走势可能不同。",
                    "Joint test of the leads, p = 0.031: the pilot clusters may have been on another path before.",
                ),
            ),
        ),
        notes=(
            Text(
                "采用时间不一时双向固定效应可能偏倚。",
                "Two-way fixed effects can be biased when adoption is staggered.",
            ),
        ),
        labels={"att": Text("试点使", "With the pilot, ")},
        sources=(SOURCE,),
        coverage=COVERAGE,
    )


def unclear() -> Result:
    estimate = Estimate(
        term="att", value=0.12, std_error=0.31, ci_low=-0.5, ci_high=0.7, p_value=0.71, n_obs=960, n_clusters=40
    )
    return Result(
        estimand="effect",
        outcome=YIELD,
        unit="pp",
        method="twfe",
        estimates=(estimate,),
        subject=PILOT,
        labels={"att": Text("试点后", "After the pilot, ")},
        sources=(SOURCE,),
        coverage=COVERAGE,
    )


WORDS = {
    "zh": ("试点集群抽查合格率走势", "抽查合格率（%）", "试点启动", "最新"),
    "en": ("Pass rate of the pilot clusters", "Pass rate (%)", "Pilot starts", "Latest"),
}
DESCRIPTION = {
    "zh": f"折线图，2019 至 2024 年，由 {RATES[0]:.1f}% 升至 {RATES[-1]:.1f}%。",
    "en": f"Line chart, 2019 to 2024, from {RATES[0]:.1f}% to {RATES[-1]:.1f}%.",
}


def draw_trend(name: str, lang: str, narrow: bool) -> str:
    """Return a line with limits, a policy date and direct labels."""
    width, height, size, right = (350, 330, 12, 76) if narrow else (820, 380, 13, 130)
    end, mark = width - right, f"{name}-{lang}-{'n' if narrow else 'w'}"
    title, axis, start, latest = WORDS[lang]

    def up(rate: float) -> str:
        return f"{height - 40 - (rate - 90) / 8 * (height - 80):.1f}"

    def text(x: float, y: str, words: str, colour: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y}" font-size="{size}" fill="var(--{colour})"{more}>{words}</text>'

    x = [30 + i * (end - 30) / 23 for i in range(24)]
    cut = (x[14] + x[15]) / 2
    middle, late, bold = ' text-anchor="middle"', ' text-anchor="end"', ' font-weight="700"'
    parts = [f'<rect x="30" y="{up(93.2)}" width="{cut - 30:.1f}" height="80" fill="var(--greyf)"/>']
    for rate in (90, 92, 94, 96, 98):
        parts += [
            f'<path d="M30 {up(rate)}H{end}" style="stroke: var(--grid)"/>',
            text(24, up(rate - 0.1), str(rate), "mut", late),
        ]
    parts.append(
        f'<path d="M{cut:.1f} 30V{height - 40}" stroke="var(--plum)" stroke-width="1.6" stroke-dasharray="5 3"/>'
    )
    points = " ".join(f"{a:.1f},{up(rate)}" for a, rate in zip(x, RATES, strict=True))
    parts.append(f'<polyline points="{points}" fill="none" stroke="var(--grey)" stroke-width="1.4"/>')
    for i, (a, rate) in enumerate(zip(x, RATES, strict=True)):
        role, radius = ("blue", 4.5) if i >= 15 else ("grey", 3)
        parts.append(f'<circle cx="{a:.1f}" cy="{up(rate)}" r="{radius}" fill="var(--{role})"/>')
    parts += [
        text(x[4 * i + 1], f"{height - 14}", f"{2019 + i}"[2 if narrow else 0 :], "mut", middle) for i in range(6)
    ]
    parts += [text(30, "16", axis, "mut"), text(cut - 6, "42", start, "plum", late + bold)]
    parts.append(text(x[-1] + 10, up(RATES[-1] - 0.1), f"{latest} {RATES[-1]:.1f}%", "blue", bold))
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{mark}-t {mark}-d">'
        f'<title id="{mark}-t">{title}</title><desc id="{mark}-d">{DESCRIPTION[lang]}</desc>'
        f'<defs><clipPath id="{mark}-c"><rect x="0" y="0" width="{width}" height="{height}"/></clipPath></defs>'
        f'<g clip-path="url(#{mark}-c)">{"".join(parts)}</g></svg>'
    )


def spark() -> str:
    points = " ".join(f"{i * 5:.0f},{30 - (rate - 90) * 4:.1f}" for i, rate in enumerate(RATES))
    line = f'<polyline points="{points}" fill="none" stroke="var(--mut)" stroke-width="1.6"/>'
    return f'<svg viewBox="0 0 118 32" preserveAspectRatio="none">{line}</svg>'


def trend_figure() -> Figure:
    table = Table(
        name="trend-data",
        caption=Text("试点集群各季度抽查合格率", "Pass rate of the pilot clusters by quarter"),
        columns=(
            Column(label=Text("季度", "Quarter")),
            Column(label=Text("批次 n", "n"), numeric=True),
            Column(label=Text("合格率 %", "Pass rate %"), numeric=True),
        ),
        rows=tuple((q, "1,948", number(r)) for q, r in zip(QUARTERS, RATES, strict=True)),
        data={"period": QUARTERS, "n": [1948] * 24, "rate_pct": RATES},
    )
    return Figure(
        name="trend",
        title=Text("试点集群合格率自 2022 年底升到新台阶", "The pilot clusters stepped up in late 2022"),
        subtitle=Text("抽查合格率，按季；每季 n = 1,948 批", "Pass rate by quarter; n = 1,948 batches a quarter"),
        how_to_read=Text(
            "灰带是启动前的正常波动；蓝点在带外，说明变化不像是偶然。",
            "The grey band is normal variation before the start; blue dots outside it are unlikely to be chance.",
        ),
        note=Text("来源：监督抽查；Wilson 区间。", "Source: supervision inspections; Wilson intervals."),
        alt=Text("折线图：合格率从 2019 年到 2024 年上升。", "Line chart: the pass rate rises from 2019 to 2024."),
        drawings={
            f"{lang}_{w}": draw_trend("trend", lang, w == "narrow") for lang in ("zh", "en") for w in ("wide", "narrow")
        },
        table=table,
    )


def effects_table(*results: Result) -> Table:
    rows = []
    for result in results:
        e = result["att"]
        unclear_ = e.covers_zero
        words = (
            Text("尚无法判断", "cannot tell")
            if unclear_
            else Text(f"提高 {number(e.value)} 个百分点", f"up {number(e.value)} percentage points")
        )
        low, high = e.ci_low or 0.0, e.ci_high or 0.0
        rows.append(
            (
                result.outcome.name,
                number(e.value, sign=True),
                interval(low, high),
                f"{e.p_value:.3f}" if e.p_value and e.p_value > 0.001 else "< 0.001",
                f"{e.n_obs}",
                words,
            )
        )
    columns = (
        (Text("结果指标", "Outcome"), False),
        (Text("估计值", "Estimate"), True),
        (same("95% CI"), True),
        (same("p"), True),
        (same("n"), True),
        (Text("怎么理解", "In words"), False),
    )
    return Table(
        name="effects",
        caption=Text(
            "试点政策对两项结果的平均效果（双重差分，2019Q1～2024Q4）",
            "Average effect of the pilot on two outcomes (2019 Q1–2024 Q4)",
        ),
        columns=tuple(Column(label=label, numeric=numeric) for label, numeric in columns),
        rows=tuple(rows),
        note=Text(
            "集群与季度双向固定效应；按集群聚类（CRV1）；n = 960。",
            "Cluster and quarter fixed effects; CRV1 by cluster; n = 960.",
        ),
        data={
            "outcome": [result.outcome.id for result in results],
            **{name: [getattr(r["att"], name) for r in results] for name in ("value", "ci_low", "ci_high", "p_value")},
            "unit": [result.unit for result in results],
        },
        style="effects",
    )


def key_indicators() -> Tiles:
    tile = Tile(
        label=Text("产品抽查合格率", "Product pass rate"),
        value=number(RATES[-1]),
        unit=same("%"),
        interval=Text(
            f"95% CI {interval(RATES[-1] - 0.9, RATES[-1] + 0.8).zh}",
            f"95% CI {interval(RATES[-1] - 0.9, RATES[-1] + 0.8).en}",
        ),
        change=Text(
            "比 2023 年 +0.4 个百分点（−0.1 至 1.0），变化尚不明确", "vs 2023: +0.4 pp (−0.1 to 1.0), not clear"
        ),
        chips=(Text("正常波动", "No signal"), Text("未达 2025 目标", "Misses 2025 goal")),
        spark=spark(),
    )
    other = dataclasses.replace(
        tile,
        label=Text("监督抽查批次", "Batches inspected"),
        value="46,726",
        unit=Text("批", "batches"),
        interval=Text("全数统计，无抽样误差", "Full count, no sampling error"),
        change=Text("比 2023 年增加 5.1%", "Up 5.1% on 2023"),
        chips=(Text("稳定达标", "Meets 2025 goal"),),
        spark="",
    )
    third = dataclasses.replace(
        tile, label=Text("每万件投诉数", "Complaints per 10,000"), value="5.45", unit=Text("件", "")
    )
    return Tiles(name="overview", items=(tile, other, third))


@dataclasses.dataclass(frozen=True)
class Case:
    """A letter ready to be rendered."""

    notebook: nbformat.NotebookNode
    spec: ReportSpec
    run: RunRecord
    record: dict[str, Any]


def make_case(title: Text | None = None, **params: Any) -> Case:
    one, two, three = level(), effect(), unclear()
    figure, table, tiles = trend_figure(), effects_table(two, three), key_indicators()
    conclusion = conclude(two, one, three)
    shown = (one, two, three, figure, table, tiles, conclusion, one.say(), two.say(), three.say())
    record = {**build_record(shown), "sentinel": RUN_ID, "snapshot": "S0003"}
    cells = [
        *pair(
            "# 集群质量走势\n\n本文回答：试点之后，集群的产品质量是否提高？",
            "# Trends\n\nThe question: did product quality rise in the pilot clusters?",
        ),
        code(
            'cluster: str = "C-LH-01"  # 集群 | cluster\nyear: int = 2024  # 年份 | year | 2016..2025',
            tags=["parameters"],
        ),
        code("from qbase.indicators import build_panel\nfrom qbase.trends import estimate_level"),
        *pair(
            "## 走势\n\n合格率按季计算，只计首次抽查。",
            "## Trend\n\nThe pass rate is computed by quarter, first inspections only.",
        ),
        code('rate = estimate_level(panel, "D1.batch")  # 合格率\nrate.say()', one.say()),
        code("figure = plot_trend(rate, policy=policy)\nfigure", figure),
        *pair(
            "## 政策效果\n\n比较试点与对照集群**前后**的变化。",
            "## Policy effect\n\nThe change of pilot against comparison clusters.",
        ),
        code('effect = estimate_twfe(panel, policy, "D1.batch")\neffect.say()', two.say(), three.say()),
        code("table = tabulate_estimates(effect, other)\ntable", table),
        *pair("## 结论", "## Conclusion"),
        code("conclude(effect, rate, other)", conclusion),
        code("tiles_of(rate)", tiles),
        code("record(rate, effect, other, figure, table)"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    spec = ReportSpec(
        report_id="trends",
        notebook="notebooks/20_quality_trends.ipynb",
        title=title
        or Text("云泽省产业集群质量走势（2024 年度）", "Quality of industrial clusters in Yunze Province, 2024"),
    )
    run = RunRecord(
        run_id=RUN_ID,
        report_id="trends",
        notebook=spec.notebook,
        params=params or {"cluster": "C-LH-01", "year": 2024},
        slot="2026-11-24",
        state="ok",
        fingerprint="9f86d081884c7d659a2feaa0c55ad015",
        commit="4f9b63e0d72626e",
        versions={"qbase": "0.1.0", "python": "3.11.7", "pandas": "3.1.1", "pyfixest": "0.60.0"},
        snapshot="S0003",
        started_at="2026-11-24T09:00:00+08:00",
        seconds=18.6,
    )
    return Case(notebook, spec, run, record)


def pair(zh: str, en: str) -> list[nbformat.NotebookNode]:
    return [nbformat.v4.new_markdown_cell(text, metadata={"tags": [lang]}) for lang, text in (("zh", zh), ("en", en))]


def code(source: str, *bundles: Bundle, tags: list[str] | None = None) -> nbformat.NotebookNode:
    outputs = [bundle_output(b.payload()) for b in bundles]
    return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1, metadata={"tags": tags or []})


def bundle_output(payload: dict[str, Any]) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={MIME: payload, "text/plain": "<bundle>"})
