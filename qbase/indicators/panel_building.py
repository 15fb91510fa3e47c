"""Snapshot of the lake → panel: rates with their counts, intervals, names and sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.coverage import Coverage
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel, Sampling
from qbase.core.periods import Freq, to_periods
from qbase.core.text import Text
from qbase.core.values import Source
from qbase.indicators.catalogue.indicator_rows import Measured, find_indicator
from qbase.indicators.cells.batch_counts import TALLIES
from qbase.indicators.cells.inspection_window import Rows, open_rows
from qbase.indicators.cells.record_fates import count_fates
from qbase.indicators.cells.sampling_design import Design
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.measures.measure_run import measure
from qbase.indicators.measures.measure_scope import (
    Scope,
    check_measured,
    needed_tables,
    open_scope,
)
from qbase.indicators.measures.yardstick import check_base_year, name_base_year
from qbase.indicators.sampling.design_rates import check_treatment, weigh_rows
from qbase.lake.entity_names import NAMED, TOWN_LINKS, read_names

if TYPE_CHECKING:
    from qbase.compute import Cluster
    from qbase.lake import Workspace


def build_panel(
    workspace: Workspace,
    indicators: str | Sequence[str],
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    sampling: Sampling = "naive",
    design: Design | None = None,
    base_year: int | None = None,
    cluster: Cluster | None = None,
) -> Panel:
    """Build a panel of indicators.

    Pass rates count first inspections: no re-checks, no complaint or follow-up samples; a failure overturned on
    appeal counts as a pass. How many of the inspections on record it stands on, and why the others do not count, is
    its ``coverage``. A period without inspections has no row.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and, for clusters and firms, the register of firms.
    indicators : str or sequence of str
        Ids of the catalogue, ``"D1.batch"``.
    entity : {"cluster_id", "firm_id", "town_code"}
        What is followed. A town is the one printed on the inspection, else the firm's, under the code it has today.
    freq : {"Q", "H", "A"}
        Quarters, half-years or years.
    snapshot : str or None
        Snapshot of the lake; None is the latest.
    first, last : str, pandas.Period or None
        Window, both inside.
    sampling : {"naive", "random_draw", "post_stratified", "prediction_powered"}
        All first inspections as drawn; random draws weighted by the fraction of their class; all of them
        post-stratified to the frame (`qbase.indicators.sampling.design_rates`).
    design : Design or None
        What a weighted rate describes; None is the level of each period.
    base_year : int or None
        Year whose limits and items are the yardstick of ``D1.rejudged``, ``D1.core`` and ``D1.margin``; None takes
        the limits of the last year each item was tested, and as core the items tested in every year.
    cluster : Cluster or None
        Dask workers that count; None counts on this machine. Both give the same panel. Pass rates of batches and
        firms can be counted by workers, however draws are treated.

    Returns
    -------
    Panel
        Rates in percent with companions ``__n``, ``__k``, ``__n_firms``, ``__lo``, ``__hi`` (95 %; Wilson, or
        Jeffreys on ``__n_eff`` where weighted); ratios with ``__num`` and ``__den``; a full count has no interval.
        ``cells`` holds batches by way of drawing.

    Raises
    ------
    UsageError
        Unknown indicator (QB401), none named (QB407), kind of entity, frequency or sampling (QB402), one that an
        indicator is not measured by (QB420), period (QB101), a treatment that does not fit the indicator (QB433),
        output weights where they make no sense (QB436), a base year where no indicator takes one (QB426), or
        something that workers cannot count (QB186).
    DataError
        A table is missing (QB403), no inspection of the window counts (QB404), an indicator has no value in it
        (QB421) or no source of data (QB422); weighted: firms are missing in the frame (QB431), or no
        inspection carries a class (QB432), no firm drawn has an output to weigh by (QB437), or an inclusion
        probability is none (QB438); the base year holds no items (QB425).
    SetupError, RunError
        The cluster is out of reach (QB181, QB182, QB184) or did not finish (QB185).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4")
    >>> panel
    <Panel D1.batch: 12 x 8 quarterly periods 2024Q1 to 2025Q4, 93 rows, naive>
    >>> print(panel.data.loc["K001"].tail(2).round(1))
            D1.batch  D1.batch__n  D1.batch__k  D1.batch__n_firms  D1.batch__lo  D1.batch__hi
    period
    2025Q3      94.7           19           18                 19          75.4          99.1
    2025Q4      75.0           16           12                 15          50.5          89.8
    """
    ids = _named(indicators)
    asked = (*ids, entity, freq, *map(str, (first, last)), sampling, design, base_year)

    def build() -> Panel:
        return _built(
            workspace,
            ids,
            entity=entity,
            freq=freq,
            snapshot=snapshot,
            first=first,
            last=last,
            sampling=sampling,
            design=design,
            base_year=base_year,
            cluster=cluster,
        )

    # what workers count is the same panel, and is asked for to be counted
    return build() if cluster else keep_value(workspace, "panel", asked, workspace.snapshot(snapshot), build)


def _built(
    workspace: Workspace,
    ids: Sequence[str],
    *,
    entity: Entity,
    freq: Freq,
    snapshot: str | None,
    first: str | pd.Period | None,
    last: str | pd.Period | None,
    sampling: Sampling,
    design: Design | None,
    base_year: int | None,
    cluster: Cluster | None,
) -> Panel:
    measured = {i: find_indicator(i) for i in ids}
    is_inspected = any("inspections" in needed_tables(m, entity=entity) for m in measured.values())
    rows = open_rows(
        workspace,
        entity=entity,
        freq=freq,
        snapshot=snapshot,
        first=first,
        last=last,
        is_inspected=is_inspected,
        cluster=cluster,
    )
    if cluster is not None:
        _check_shared_out(measured)
    for m in measured.values():
        check_measured(m, workspace, rows.at, entity=entity, freq=freq)
    design = design or Design()
    check_treatment(rows, {i: m.measure for i, m in measured.items()}, sampling, design)
    check_base_year(rows, measured, base_year)
    if sampling != "naive":
        return _weighted_panel(rows, measured, sampling, design)
    frames = _measure(measured, open_scope(rows, base_year=base_year))
    data = pd.concat(list(frames.values()), axis=1).sort_index()
    return Panel(
        data=data,
        entity=entity,
        freq=freq,
        indicators={i: name_base_year(m, base_year) for i, m in measured.items()},
        labels=_labels(rows, data.index.get_level_values("entity").unique()),
        cells=_cells(rows) if any(m.is_inspected for m in measured.values()) else None,
        sources=_sources(rows, measured.values()),
        coverage=_coverage(rows, measured, data) if is_inspected else None,
    )


def _drawn(cells: pd.DataFrame, sampling: Sampling) -> int:
    is_random = sampling in {"random_draw", "prediction_powered"}
    kept = cells["sampling"] == "random" if is_random else cells["n"] > 0
    return int(cells.loc[kept, "n"].sum())


def _coverage(rows: Rows, measured: Mapping[str, Measured], data: pd.DataFrame) -> Coverage:
    """Return what the panel stands on; of each rate of batches how many it was made of."""
    made_of = {i: int(data[f"{i}__n"].sum()) for i, m in measured.items() if m.is_inspected and _counts_batches(m)}
    return count_fates(rows, counted=int(rows.tally.sums["n"].sum()), measured=made_of)


def _counts_batches(measured: Measured) -> bool:
    return measured.kind == "rate" and measured.indicator.counted == "batch"


def _check_shared_out(measured: Mapping[str, Measured]) -> None:
    other = [i for i, m in measured.items() if m.function or m.measure not in TALLIES]
    if other:
        raise UsageError(
            "QB186",
            what=", ".join(other),
            found=f"{', '.join(other)} with cluster",
            expected="D1.batch | D1.firm",
            fix="build these on this machine, without --cluster",
        )


def _named(indicators: str | Sequence[str]) -> list[str]:
    # a notebook gives what it has: nothing at all, or a number, must not end in a traceback
    given = [indicators] if isinstance(indicators, str) else indicators
    if not isinstance(given, Iterable) or not (ids := list(given)) or not all(isinstance(i, str) for i in ids):
        raise UsageError(
            "QB407", found=repr(indicators), expected='"D1.batch" | …', fix='build_panel(workspace, "D1.batch")'
        )
    return list(dict.fromkeys(ids))


def _weighted_panel(rows: Rows, measured: Mapping[str, Measured], sampling: Sampling, design: Design) -> Panel:
    indicators = {i: m.indicator for i, m in measured.items()}
    measures = {i: m.measure for i, m in measured.items()}
    found = weigh_rows(rows, indicators, measures, sampling=sampling, design=design)
    if found is None:
        raise _nothing(rows)
    return Panel(
        data=found.data,
        entity=rows.entity,
        freq=rows.freq,
        sampling=sampling,
        indicators=found.indicators,
        labels=_labels(rows, found.data.index.get_level_values("entity").unique()),
        cells=found.cells,
        sources=(*_sources(rows, measured.values()), *(rows.workspace.source(t, rows.at) for t in found.tables)),
        coverage=count_fates(rows, counted=_drawn(found.cells, sampling), sampling=sampling),
    )


def _measure(measured: Mapping[str, Measured], scope: Scope) -> dict[str, pd.DataFrame]:
    rows = scope.rows
    frames = measure(measured, scope)
    empty = [i for i, frame in frames.items() if frame.empty]
    if not empty:
        return frames
    is_all = len(empty) == len(frames)
    if is_all and all(m.is_inspected for m in measured.values()):
        raise _nothing(rows)
    fix = "widen first and last, or load what is expected; qbase indicators --missing"
    since = f"records from {scope.data_first}" if scope.data_first < "9000" else "no records at all"
    raise DataError(
        "QB421",
        indicator=", ".join(empty),
        found=f"0 rows from {rows.first_day} to {rows.last_day}; {since}",
        expected="; ".join(dict.fromkeys(n for i in empty for n in measured[i].needs)),
        fix=fix if is_all else f"leave out {', '.join(empty)}, or {fix}",
    )


def _cells(rows: Rows) -> pd.DataFrame:
    cells = rows.query("cells")
    return cells.assign(entity=cells["entity"].astype(str), period=to_periods(cells["period"], rows.freq))


def _labels(rows: Rows, entities: pd.Index) -> dict[str, Text]:
    return read_names(rows.workspace, rows.entity, rows.at, among=set(entities))


def _sources(rows: Rows, measured: Iterable[Measured]) -> tuple[Source, ...]:
    read = sorted(set().union(*(needed_tables(m, entity=rows.entity) for m in measured)))
    # who an inspection belongs to rests on the links as well, those that rules made and those a person decided
    first = [t for t in ("inspections", "firms", "identity_links") if t in read or "inspections" in read]
    tables = dict.fromkeys([*first, NAMED[rows.entity].table, *read])
    if "towns" in tables:
        tables[TOWN_LINKS] = None  # it says which codes are one town
    return tuple(rows.workspace.source(t, rows.at) for t in tables if rows.workspace.has_table(t, rows.at))


def _nothing(rows: Rows) -> DataError:
    fates = rows.query("coverage")
    found = ", ".join(f"{fate} {n:,}" for fate, n in zip(fates["fate"], fates["n"], strict=True))
    until = f" to {rows.last_day}" if rows.last_day < "9999" else " on"
    return DataError(
        "QB404",
        found=found or f"0 inspections from {rows.first_day}{until}",
        expected="at least one first inspection that matches an entity",
        fix="widen --first and --last, or --entity town_code, or qbase load FIRMS… CLUSTERS…",
    )
