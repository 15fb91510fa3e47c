"""A site for outside made of the house's own pages, and a reader that takes every number off it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import nbformat
import pandas as pd

from qbase.core import Column, Indicator, Panel, ReportSpec, Result, RunRecord, Table, Text, conclude, say_each
from qbase.core.results.records import build_record
from qbase.core.shown.display import MIME, Bundle
from qbase.core.values import EMPTY
from qbase.figures import plot_funnel, plot_trend, tabulate_changes, tiles_of
from qbase.release.verifying.page_reading import Element, Page, read_page
from qbase.release.verifying.shown_bundles import read_bundles, read_figure, read_table
from qbase.release.verifying.verification import verify_html
from qbase.reports.rendering.page_rendering import render_report
from qbase.trends import compare_peers, estimate_change, estimate_level

OUTCOME = "D1.batch"
RATE = Indicator(id=OUTCOME, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up", counted="batch")
KINDS = {"cluster": "cluster_id", "town": "town_code"}
RUN = RunRecord(
    run_id="20260101T000000-000000", report_id="brief", notebook="notebooks/brief.ipynb", params={}, slot="2025-10-01",
    state="ok", fingerprint="", commit="", versions={}, snapshot="S0001", started_at="2025-10-01T00:00:00+08:00",
)  # fmt: skip
SPEC = ReportSpec(
    report_id="brief", notebook=RUN.notebook, title=Text("质量简报", "Quality brief"), profile="external"
)  # fmt: skip
Name = tuple[str, str | None]
Cell = tuple[str, str, str, str]
Shown = dict[Cell, tuple[float, float]]


def panel_of(counts: pd.DataFrame, kind: str) -> Panel:
    """Return batches and passes of clusters or towns by quarter, as `build_panel` has them."""
    rows = counts[counts[kind] != ""].groupby([kind, "period"], as_index=False)[["n", "k"]].sum()
    rows = rows.rename(columns={"n": f"{OUTCOME}__n", "k": f"{OUTCOME}__k"})
    rows[OUTCOME] = 100 * rows[f"{OUTCOME}__k"] / rows[f"{OUTCOME}__n"]
    panel = Panel.from_frame(rows, entity=kind, period="period", freq="Q", indicators={OUTCOME: RATE})
    return dataclasses.replace(panel, entity=KINDS[kind])


def site_of(
    counts: pd.DataFrame, protect: Callable[[Panel], Panel], pages: Mapping[Name, str] = EMPTY
) -> dict[Name, str]:
    """Return a page of every cluster and town that is shown, and of all clusters; pages of before stay.

    The trend of the first of a kind is drawn, and the funnel of all: drawings take most of the time.
    """
    found = dict(pages)
    for kind in KINDS:
        left = protect(panel_of(counts, kind))
        drawn = () if pages else left.entities[:1]
        found |= {(kind, e): page_of(left, e, is_drawn=e in drawn) for e in left.entities if (kind, e) not in found}
    return found if pages else {**found, ("cluster", None): page_of(protect(panel_of(counts, "cluster")), None)}


def page_of(panel: Panel, subject: str | None, *, is_drawn: bool = True) -> str:
    """Return the page of one subject; None pools all."""
    level = estimate_level(panel, OUTCOME, entity=subject)
    kinds = ("previous", "cumulative")
    changes = [estimate_change(panel, OUTCOME, against=kind, entity=subject) for kind in kinds]
    peers = compare_peers(panel, OUTCOME)
    drawn = [plot_trend(level) if subject else plot_funnel(peers)] if is_drawn else [tabulate_series(level)]
    told = [tabulate_changes(level, *changes), tiles_of(level, *changes), conclude(level, *changes, peers)]
    return render([level, *changes, peers], [*drawn, *told, say_each(level, *changes, peers)])


def tabulate_series(level: Result) -> Table:
    """Return the series of a level as a table, for pages without a drawing."""
    rows = level.tables["series"]
    return Table(
        name="series",
        caption=Text("逐期", "by period"),
        columns=tuple(Column(label=Text(c, c)) for c in rows.columns),
        rows=tuple(tuple(map(str, row)) for row in rows.itertuples(index=False)),
        data={c: rows[c].tolist() for c in rows.columns},
    )


def render(results: list[object], bundles: list[Bundle]) -> str:
    outputs = [nbformat.v4.new_output("display_data", data={MIME: b.payload(), "text/plain": ""}) for b in bundles]
    letter = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("show()", outputs=outputs)])
    record = {**build_record([*results, *bundles]), "sentinel": RUN.run_id}
    page = render_report(letter, spec=SPEC, run=RUN, results=record)
    failed = [check for check in verify_html(page, record=record).failed if check.name == "numbers"]
    assert failed == [], failed
    return page


def read_site(pages: Mapping[Name, str]) -> Shown:
    """Return every count that pages give away, by (kind, place, group, time); two pages never tell two numbers."""
    known: Shown = {}
    for (kind, subject), source in pages.items():
        for place, period, n, k in read_counts(read_page(source), subject):
            cell = (kind, place, "*", period)
            assert known.setdefault(cell, (n, k)) == (n, k), f"{cell} is {known[cell]} and {(n, k)}"
    return known


def read_counts(page: Page, subject: str | None) -> Iterator[tuple[str, str, float, float]]:
    """Yield (place, time, n, k) from the data beside tables, from their cells, and from marks of drawings."""
    for root in read_bundles(page, "table"):
        table = read_table(root)
        data = pd.DataFrame(table["data"])
        if subject is not None and {"period", "n", "k"} <= set(data):
            yield from ((subject, row.period, row.n, row.k) for row in data.itertuples())
            yield from _from_cells(table["rows"], subject, data)
        if {"entity", "n", "rate_pct"} <= set(data) and "z" in data:
            when = f"{pd.Period(_last(page)).year}Q1-{_last(page)[-2:]}"
            for row in data.itertuples():
                yield str(row.entity), when, row.n, round(row.n * row.rate_pct / 100)
    for root in read_bundles(page, "figure"):
        _check_marks(read_figure(page, root))


def _from_cells(
    rows: list[list[dict[str, str]]], subject: str, data: pd.DataFrame
) -> Iterator[tuple[str, str, int, int]]:
    """Yield what cells show: with n and one decimal of the rate, k is known."""
    for cells in rows:
        period = re.search(r"(\d{4}) ?Q([1-4])", cells[0]["en"])
        if period is None or len(cells) != 5 or not cells[1]["en"].replace(",", "").isdigit():
            continue
        n, rate = int(cells[1]["en"].replace(",", "")), float(cells[3]["en"])
        if n:
            yield subject, f"{period[1]}Q{period[2]}", n, round(n * rate / 100)


def _last(page: Page) -> str:
    found = re.findall(r"\d{4}Q[1-4]", page.source)
    return max(found)


def _check_marks(figure: dict[str, Any]) -> None:
    """Refuse a drawing with a mark that is no row of the data beside it: its place is a rate to a tenth of a point."""
    rates = figure["table"]["data"]["rate_pct"]
    for name, svg in figure["drawings"].items():
        elements = list(read_page(svg).root.walk())
        texts = [e for e in elements if e.tag == "text" and "text-anchor:end" in e.attributes.get("style", "")]
        ticks = {float(e.attributes["y"]): float(e.text()) for e in texts if re.fullmatch(r"\d{1,3}", e.text())}
        (y0, low), *_, (y1, high) = sorted(ticks.items())
        drop = min(e - g for e in ticks for g in _grid(elements) if e >= g)  # a label stands below its line
        marks = [e for e in elements if e.tag == "use" and {"x", "y"} <= set(e.attributes)]
        assert marks, f"{figure['name']} {name}: no mark was read"
        for mark in marks:
            value = low + (float(mark.attributes["y"]) + drop - y0) * (high - low) / (y1 - y0)
            assert min(abs(value - rate) for rate in rates) < 0.2, f"{figure['name']} {name} shows {value:.1f} %"


def _grid(elements: list[Element]) -> list[float]:
    lines = [e.attributes["d"].split() for e in elements if "stroke:var(--grid)" in e.attributes.get("style", "")]
    return [float(line[2]) for line in lines if len(line) == 6 and line[2] == line[5]]
