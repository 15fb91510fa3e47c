"""What an index is made of: steps, weights, and what each indicator gives to one entity."""

from __future__ import annotations

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, number
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text
from qbase.figures.surface.figure_words import data_row

TIGHT = Text(
    "熵权只看离散程度，会架空各对象相近的指标，所以只列在等权和声明的权重旁边。",
    "Entropy weights look at spread alone and nearly delete indicators in which entities are alike: they stand beside "
    "equal and declared weights only.",
)
STEPS = {
    "screening": Text("筛选", "Screening"),
    "imputation": Text("缺失值", "Gaps"),
    "outliers": Text("离群值", "Outliers"),
    "normalisation": Text("标准化", "Normalisation"),
    "weighting": Text("权重", "Weights"),
    "aggregation": Text("合成", "Aggregation"),
}


def tabulate_index_parts(result: Result, *, entity: str | None = None) -> Table:
    """Tabulate what each indicator weighs under every scheme and, for one entity, its score and what it adds.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.estimate_rank_robustness`: tables ``weights`` and ``contributions``.
    entity : str or None
        Whose scores to show; None shows weights only.

    Returns
    -------
    Table
        One row an indicator; contributions add up to the index (less its worst score where means are geometric).

    Raises
    ------
    DataError
        No such table (QB539), or an entity that is not in it (QB141).

    Examples
    --------
    >>> from qbase.figures import tabulate_index_parts
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, estimate_rank_robustness, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design, period="2025")
    >>> table = tabulate_index_parts(estimate_rank_robustness(index, worlds=100), entity="K001")
    >>> print(table.plain().splitlines()[2])
    batch pass rate | 0.125 | 0.250 | 0.033 | 53.7 | 6.7
    """
    weights = _table_of(result, "weights")
    own = _table_of(result, "contributions").set_index("entity")
    if entity is not None and entity not in own.index:
        raise DataError(
            "QB141", term=entity, found=f"{entity} is not in the index",
            expected=" | ".join(sorted(set(own.index))[:8]), fix="name an entity that was not screened out",
        )  # fmt: skip
    parts = None if entity is None else own.loc[[entity]].set_index("indicator").reindex(weights["indicator"])
    rows: list[tuple[str | Text, ...]] = []
    for at, row in enumerate(weights.to_dict("records")):
        cells = [number(float(row[scheme]), 3) for scheme in ("equal", "expert", "entropy")]
        if parts is not None:
            cells += [number(float(parts[name].iloc[at]), 1) for name in ("score", "contribution")]
        rows.append((result.labels.get(f"indicator[{row['indicator']}]", Text("", "")), *cells))
    columns = [Column(label=Text("指标", "Indicator"))]
    columns += [
        Column(label=label, numeric=True)
        for label in (Text("等权", "Equal"), Text("声明的权重", "Declared"), Text("熵权", "Entropy"))
    ]
    data = {str(c): [data_row(v) for v in weights[c]] for c in weights}
    about = Text("各指标的权重", "Weights of the indicators")
    if parts is not None:
        columns += [Column(label=Text("得分", "Score"), numeric=True), Column(label=Text("贡献", "Adds"), numeric=True)]
        data |= {name: [data_row(v) for v in parts[name]] for name in ("score", "contribution")}
        name = result.labels.get(f"entity[{entity}]", Text(str(entity), str(entity)))
        about = Text(f"{name.zh}：各指标的权重与贡献", f"{name.en}: weights of the indicators and what each adds")
    return Table(
        name=f"index_parts:{result.outcome.id}:{entity or 'all'}", caption=about, columns=tuple(columns),
        rows=tuple(rows), note=TIGHT, data=data,
    )  # fmt: skip


def tabulate_index_steps(result: Result) -> Table:
    """Tabulate what every step of an index did.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.estimate_rank_robustness`: table ``steps``.

    Returns
    -------
    Table
        Step, what was done, how many values it changed.

    Raises
    ------
    DataError
        No such table (QB539).

    Examples
    --------
    >>> from qbase.figures import tabulate_index_steps
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, estimate_rank_robustness, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design, period="2025")
    >>> tabulate_index_steps(estimate_rank_robustness(index, worlds=100)).rows[-1][1].en
    'Aggregation: arithmetic mean.'
    """
    steps = _table_of(result, "steps")
    rows = tuple(
        (STEPS[row["step"]], Text(row["text_zh"], row["text_en"]), count(int(row["changed"])))
        for row in steps.to_dict("records")
    )
    return Table(
        name=f"index_steps:{result.outcome.id}",
        caption=Text("指数怎样合成", "How the index is made"),
        columns=(
            Column(label=Text("步骤", "Step")),
            Column(label=Text("做法", "What was done")),
            Column(label=Text("改动", "Changed"), numeric=True),
        ),
        rows=rows,
    )


def _table_of(result: Result, name: str) -> pd.DataFrame:
    table = result.tables.get(name)
    if table is None:
        raise DataError(
            "QB539", name=result.name, table=name, found=", ".join(result.tables) or "no table",
            expected=f"table {name} of an index", fix="estimate_rank_robustness(index)",
        )  # fmt: skip
    return table
