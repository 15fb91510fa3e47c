"""A change in its parts: who was inspected, factor by factor, and what changed within groups."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, interval, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_among, digits_of, quantity
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.core.values import Estimate
from qbase.figures.charts.decomposition_drawing import Bar, draw_bars, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    axis_unit,
    bracket,
    capital,
    counts,
    data_row,
    first_fit,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.surface.period_axis import period_text
from qbase.figures.tabulating.check_names import failed_note

SAME_KIND = Text("同类之内", "Within groups of one kind")
MAX_ROWS = 40
HOW = Text(
    "色条从 0 起，为各部分的大小，横线为置信区间；横线盖住 0 即尚无法判断。构成与同类之内相加即为变化。",
    "Bars start at 0 and show each part, lines its confidence interval; a line that covers 0 cannot tell. Who was "
    "inspected and within groups add up to the change.",
)
ALONE = Text("各类别的数字按单一因素计算。", "Rows of groups take one factor alone.")


def plot_decomposition(result: Result) -> Figure:
    """Draw the parts of a change under each other.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.decompose_mix`.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table of groups.

    Raises
    ------
    DataError
        It is no decomposition (QB711), or a character has no glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_decomposition
    >>> from qbase.indicators import read_group_counts
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import decompose_mix
    >>> counts = read_group_counts(open_workspace(), "D1.batch", by=("risk_class", "size_class"), freq="A")
    >>> plot_decomposition(decompose_mix(counts, first="2021", last="2025")).title.en
    'Batch pass rate: neither change nor mix can be told'
    """
    if "groups" not in result.tables or not {"composition", "within"} <= {e.term for e in result.estimates}:
        raise DataError(
            "QB711", name=result.name, found=", ".join(result.tables) or "no table",
            expected="estimates composition and within, and table groups",
            fix="plot_decomposition(decompose_mix(counts))",
        )  # fmt: skip
    bars = _bars(result)
    name = f"decomposition:{result.outcome.id}" + (f":{e}" if (e := result.settings.get("entity")) else "")
    title, alt = _title(result), _alt(result, bars)
    axis = with_unit(Text("变化", "Change"), result.unit)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_bars, bars, axis),
        height=functools.partial(height_of, bars),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result),
        how_to_read=HOW,
        note=sentences(*failed_note(result), *result.notes, source_note(result)),
        alt=alt,
        drawings=drawings,
        table=_table(result, name),
        preview=preview,
    )


def _when(result: Result, side: str) -> Text:
    """Return a period in a few words; a sum of periods by its own name."""
    return result.labels.get(f"when[{side}]", period_text(result.settings[side]))


def _digits(result: Result) -> int:
    """Return one number of decimals for all: parts that are to add up are rounded alike."""
    return digits_among(result.estimates[:3], result.unit, "change", result.settings)


def _bars(result: Result) -> tuple[Bar, ...]:
    factors = [e for e in result.estimates if e.term == "composition_by"]
    by = join([result.labels[f"factor[{e.key['factor']}]"] for e in factors], zh="、", en=", ")
    first, last = (_when(result, x) for x in ("first", "last"))
    nothing = same("")
    change = Text("{last} 比 {first}", "{last} vs {first}").format(first=first, last=last)
    bars = [
        _bar(result, result["change"], Text("变化", "Change"), change),
        _bar(result, result["composition"], capital(result.labels["composition"]), Text(f"按{by.zh}", f"By {by.en}")),
    ]
    if len(factors) > 1:
        for e in factors:
            bars.append(_bar(result, e, capital(result.labels[f"factor[{e.key['factor']}]"]), nothing, is_part=True))
    bars.append(_bar(result, result["within"], SAME_KIND, Text("类内合格情况的变化", "Their own rates changed")))
    kept = result.find("adjusted_change", mix="first")
    words = Text("构成保持 {first}", "Mix of {first} kept").format(first=first)
    bars.append(_bar(result, kept, Text("构成不变时的变化", "Change at an unchanged mix"), words, starts_block=True))
    return tuple(bars)


def _bar(
    result: Result, estimate: Estimate, label: Text, words: Text, *, is_part: bool = False, starts_block: bool = False
) -> Bar:
    digits = max(_digits(result), digits_of(result, estimate))
    value, doubt = number(estimate.value, digits, sign=True), bracket(estimate, digits, level=False)
    return Bar(
        label=label,
        words=words,
        value=estimate.value,
        low=float(estimate.ci_low if estimate.ci_low is not None else estimate.value),
        high=float(estimate.ci_high if estimate.ci_high is not None else estimate.value),
        shown=Text(f"{value}（{doubt.zh}）", f"{value} ({doubt.en})"),
        is_tellable=not estimate.covers_zero,
        is_part=is_part,
        starts_block=starts_block,
    )


def _title(result: Result) -> Text:
    digits = _digits(result)
    change, who = quantity(result["change"].value, result.unit, digits, sign=True), result.labels["composition"]
    short, part = (number(result[term].value, digits, sign=True) for term in ("change", "composition"))
    outcome, unit = result.outcome.label, axis_unit(result.unit)
    if result["change"].covers_zero and result["composition"].covers_zero:
        untold = Text("升降与构成都看不出", "neither change nor mix can be told")
        return first_fit([capital(Text(f"{outcome.zh}：{untold.zh}", f"{outcome.en}: {untold.en}")), capital(untold)])
    return first_fit(
        [
            capital(
                Text(
                    f"{outcome.zh} {change.zh}，其中构成 {part}",
                    f"{outcome.en} {change.en}, {part} of it {who.en}",
                )
            ),
            Text(f"变化 {change.zh}，其中构成 {part}", f"Change {short} {unit.en}, {part} of it {who.en}"),
            Text(f"变化 {change.zh}，其中构成 {part}", f"Change {short} {unit.en}, {part} of it the mix"),
        ]
    )


def _subtitle(result: Result) -> Text:
    first, last = (_when(result, x) for x in ("first", "last"))
    n = counts([result.estimates[0].n_obs or 0], same(""))
    subject, outcome, unit = result.subject, result.outcome.label, axis_unit(result.unit)
    return capital(
        Text(
            f"{subject.zh}；{outcome.zh}，{last.zh} 比 {first.zh}（{unit.zh}）；{n.zh}",
            f"{subject.en}; {outcome.en}, {last.en} vs {first.en} ({unit.en}); {n.en}",
        )
    )


def _alt(result: Result, bars: tuple[Bar, ...]) -> Text:
    unit = axis_unit(result.unit)
    rows = [Text(f"{b.label.zh} {b.shown.zh}", f"{b.label.en} {b.shown.en}") for b in bars]
    listed = join(rows, zh="；", en="; ")
    return Text(f"变化的分解（{unit.zh}）：{listed.zh}。", f"Parts of the change ({unit.en}): {listed.en}.")


def _table(result: Result, name: str) -> Table:
    groups, digits = result.tables["groups"], _digits(result)
    unit = axis_unit(result.unit)
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in groups[c]] for c in groups.columns}
    data |= account_data([result.coverage] * len(groups))
    return Table(
        name=f"{name}:table",
        caption=Text(f"变化由哪些类别而来。{ALONE.zh}", f"Which groups the change comes from. {ALONE.en}"),
        columns=(
            Column(label=Text("类别", "Group")),
            Column(label=Text("批次", "Batches"), numeric=True),
            Column(label=Text("占比", "Share"), numeric=True),
            Column(label=Text("比率", "Rate"), numeric=True),
            Column(label=Text(f"构成（{unit.zh}）", f"Mix ({unit.en})"), numeric=True),
            Column(label=Text(f"类内（{unit.zh}）", f"Within ({unit.en})"), numeric=True),
        ),
        rows=tuple(_rows(result, groups, digits))[:MAX_ROWS],
        data=data,
    )


def _rows(result: Result, groups: pd.DataFrame, digits: int) -> Iterator[tuple[str | Text, ...]]:
    compared = result.tables["compared"]
    n, rate = ([row[x] for row in compared.to_dict("records")] for x in ("n", "rate_pct"))
    yield (
        Text("全部", "All"), _from_to(*(count(int(x)) for x in n)), "100%", _from_to(*(percent(x) for x in rate)),
        _estimated(result["composition"], digits), _estimated(result["within"], digits),
    )  # fmt: skip
    for factor in dict.fromkeys(groups["factor"]):
        by = result.labels[f"factor[{factor}]"]
        part = result.find("composition_by", factor=factor)
        own = _estimated(part, max(digits, digits_of(result, part)))
        yield (Text(f"按{by.zh}", f"By {by.en}"), "", "", "", own, "")
        for row in groups[groups["factor"] == factor].to_dict("records"):
            yield (
                str(row["group"]),
                _from_to(count(int(row["n_first"])), count(int(row["n_last"]))),
                _from_to(*(percent(row[f"share_{side}_pct"]) for side in ("first", "last"))),
                _from_to(*(percent(row[f"rate_{side}_pct"]) for side in ("first", "last"))),
                *(_ends(row[f"{p}_pp"], row[f"{p}_low"], row[f"{p}_high"], digits) for p in ("composition", "within")),
            )


def _from_to(a: str, b: str) -> str:
    return f"{a} → {b}"


def _estimated(e: Estimate, digits: int) -> Text:
    low, high = (e.value if x is None else x for x in (e.ci_low, e.ci_high))
    return _ends(e.value, low, high, digits)


def _ends(value: float, low: float, high: float, digits: int) -> Text:
    shown, ends = number(value, digits, sign=True), interval(low, high, digits)
    return Text(f"{shown}（{ends.zh}）", f"{shown} ({ends.en})")
