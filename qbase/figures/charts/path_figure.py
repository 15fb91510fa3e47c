"""The paths behind an effect: the treated beside those they are compared with."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, number
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text
from qbase.figures.charts.path_drawing import Paths, draw_paths
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import account_data, source_note
from qbase.figures.surface.period_axis import both, read_period

HOW = Text(
    "蓝线为采用政策者，灰线为比较对象。政策之前两线越同步，之后的分离越说明问题；走势本身不是政策效果。",
    "Blue: the treated; grey: what they are compared with. The more alike before the policy, the more a gap afterwards "
    "says; the paths themselves are no effect.",
)
SIDES = {
    "paths": (
        ("treated_mean", "comparison_mean"),
        (Text("采用政策者", "Treated"), Text("其他主体", "Others")),
    ),
    "synthetic": (
        ("treated", "synthetic"),
        (Text("采用政策者", "Treated"), Text("合成对照", "Synthetic comparison")),
    ),
}


def plot_paths(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw the path of the treated beside that of the others, or of their synthetic comparison.

    Parameters
    ----------
    result : Result
        With a table ``synthetic`` or ``paths``.
    policy : Policy or None
        Whose starts are drawn.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table, or nothing in it (QB710).

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.effects import describe_path
    >>> from qbase.figures import plot_paths
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> path = describe_path(panel, policy, "D1.batch", why=Text("只有一个对象采用", "one alone is treated"))
    >>> plot_paths(path, policy=policy).title.en
    'Batch pass rate of treated and others'
    """
    kind = next((k for k in ("synthetic", "paths") if k in result.tables), None)
    frame = pd.DataFrame() if kind is None else result.tables[kind]
    if kind is None or frame.empty:
        raise DataError(
            "QB710", name=result.name, found=", ".join(result.tables) or "no table",
            expected="a table paths or synthetic",
            fix="plot_effect(estimate_advised(panel, policy, outcome)[0])",
        )  # fmt: skip
    columns, names = SIDES[kind]
    starts = tuple(sorted(set(policy.first_treated.values()))) if policy is not None else ()
    paths = Paths(
        result=result,
        periods=tuple(read_period(p) for p in frame["period"]),
        values=(frame[columns[0]].to_numpy(dtype=float), frame[columns[1]].to_numpy(dtype=float)),
        names=names,
        starts=starts,
    )
    name = f"paths:{result.outcome.id}:{result.method}"
    outcome = result.outcome.label
    other = Text("合成对照", "their synthetic comparison") if kind == "synthetic" else Text("其他主体", "others")
    title = Text(
        f"采用政策者与{other.zh}的{outcome.zh}", f"{outcome.en[:1].upper()}{outcome.en[1:]} of treated and {other.en}"
    )
    alt = _alt(paths)
    drawings, preview = render(name, title=title, alt=alt, draw=functools.partial(draw_paths, paths))
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(paths, frame),
        how_to_read=HOW,
        note=source_note(result),
        alt=alt,
        drawings=drawings,
        table=_table(paths, frame, name, title),
        preview=preview,
    )


def _subtitle(paths: Paths, frame: pd.DataFrame) -> Text:
    first, last = both(paths.periods[0]), both(paths.periods[-1])
    span = Text(f"{first.zh}～{last.zh}", f"{first.en}–{last.en}")
    if "n_treated" not in frame:
        return Text(f"{paths.result.subject.zh}；{span.zh}", f"{paths.result.subject.en}; {span.en}")
    most = [count(int(frame[f"n_{side}"].max())) for side in ("treated", "comparison")]
    return Text(
        f"{paths.result.subject.zh}，各期平均；采用者至多 {most[0]} 个，其他 {most[1]} 个；{span.zh}",
        f"{paths.result.subject.en}, means by period; at most {most[0]} treated and {most[1]} others; {span.en}",
    )


def _alt(paths: Paths) -> Text:
    ends = []
    for values in paths.values:
        seen = values[np.isfinite(values)]
        ends.append((number(float(seen[0]), 1), number(float(seen[-1]), 1)) if len(seen) else ("–", "–"))
    (a, b), (c, d) = ends
    one, two = paths.names
    return Text(
        f"两条走势：{one.zh}从 {a} 到 {b}，{two.zh}从 {c} 到 {d}。",
        f"Two paths: {one.en.lower()} from {a} to {b}, {two.en.lower()} from {c} to {d}.",
    )


def _table(paths: Paths, frame: pd.DataFrame, name: str, title: Text) -> Table:
    digits = digits_of(paths.result, paths.result.estimates[0]) if paths.result.estimates else 1
    columns = [Column(label=Text("时期", "Period")), *(Column(label=n, numeric=True) for n in paths.names)]
    rows: list[tuple[str | Text, ...]] = [
        (both(p), *("–" if not np.isfinite(v) else number(float(v), digits) for v in values))
        for p, *values in zip(paths.periods, *paths.values, strict=True)
    ]
    data = {str(c): frame[c].tolist() for c in frame.columns}
    data |= account_data([paths.result.coverage] * len(frame))
    return Table(name=f"{name}:table", caption=title, columns=tuple(columns), rows=tuple(rows), data=data)
