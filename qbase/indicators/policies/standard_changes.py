"""When a product began to be judged by a new edition of its standard, as the inspections themselves say."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import get_args

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.given import check_word
from qbase.core.policy import DatedEvent
from qbase.core.text import Text
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.intake import read_towns
from qbase.lake import Snapshot, Workspace

EDITION = re.compile(r"\s*(?P<base>.+?)\s*[-—–―－]+\s*(?P<year>\d{4})\s*")
HALF = 0.5
LEAST_BATCHES = 5
"""So few batches under a new edition may be slips of the pen."""

ROWS = """
    SELECT i.product_name, i.std_no, date_trunc('quarter', i.sample_date) AS quarter, {place} AS entity, count(*) AS n
    FROM inspections AS i {join}
    WHERE i.std_no IS NOT NULL AND i.product_name IS NOT NULL AND i.sample_date IS NOT NULL
    GROUP BY ALL ORDER BY ALL"""


def list_standard_changes(
    workspace: Workspace, *, entity: Entity = "cluster_id", snapshot: str | None = None
) -> tuple[DatedEvent, ...]:
    """List the changes of standards: which edition of which standard came into use when, and whom it concerns.

    A new edition is dated to the first quarter from which on it judges at least half of a product's batches; editions
    of one standard that came into use in one quarter are one event.

    Parameters
    ----------
    workspace : Workspace
        Its inspections name the standard with the year of its edition (``DB99/T 1101—2020``).
    entity : {"cluster_id", "town_code", "firm_id"}
        Whom the events name, as in `build_panel`.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    tuple of DatedEvent
        In order of time, kind ``standard``; ``entities`` are the clusters (towns, firms) with batches of those
        products, where the lake holds the register of firms; an event that names none concerns all.

    Raises
    ------
    UsageError
        No such entity (QB144).
    DataError
        The lake holds no inspections (QB403).

    Examples
    --------
    >>> from qbase.indicators import list_standard_changes
    >>> from qbase.lake import open_workspace
    >>> for event in list_standard_changes(open_workspace()):
    ...     print(event.period, event.title.en, len(event.entities))
    2021Q1 DB99/T 1101: edition 2020 in place of 2014 5
    2021Q1 DB99/T 1102: edition 2020 in place of 2014 2
    """
    check_word("entity", entity, get_args(Entity))
    at = workspace.snapshot(snapshot)
    require_table(workspace, "inspections", at)
    return keep_value(workspace, "standard_changes", (entity,), at, lambda: _list(workspace, entity, at))


def _list(workspace: Workspace, entity: Entity, at: Snapshot) -> tuple[DatedEvent, ...]:
    has_firms = workspace.has_table("firms", at)
    statement = ROWS.replace("{place}", f"f.{entity}" if has_firms else "NULL").replace(
        "{join}", "LEFT JOIN firms AS f USING (uscc)" if has_firms else ""
    )
    rows = workspace.query(statement, snapshot=at)
    if entity == "town_code" and has_firms:
        rows = rows.assign(entity=rows["entity"].replace(read_towns(workspace, at).renumbered()))
    found = [EDITION.fullmatch(str(s)) for s in rows["std_no"]]
    # a list of no rows would choose no columns
    kept = rows[np.array([m is not None for m in found], dtype=bool)].assign(
        base=[m["base"] for m in found if m], year=[int(m["year"]) for m in found if m]
    )
    return tuple(_merge(_changes(kept)))


def _changes(rows: pd.DataFrame) -> Iterable[tuple[pd.Period, str, int, int, tuple[str, ...]]]:
    """Yield quarter, standard, old and new edition, and entities of every change of every product."""
    for (_, base), own in rows.groupby(["product_name", "base"], sort=True):
        if own["year"].nunique() < 2:
            continue
        by = own.pivot_table(index="quarter", columns="year", values="n", aggfunc="sum", fill_value=0).sort_index()
        entities = tuple(sorted({str(e) for e in own["entity"].dropna()}))
        editions = sorted(by.columns[by.sum() >= LEAST_BATCHES])
        for old, new in itertools.pairwise(editions):
            share = by[[y for y in by.columns if y >= new]].sum(axis=1) / by.sum(axis=1)
            is_new = (share >= HALF)[::-1].cummin()[::-1]
            if is_new.any():
                day = pd.Timestamp(is_new.index[is_new][0])
                yield periods.to_periods(pd.Index([day]), "Q")[0], str(base), int(old), int(new), entities


def _merge(changes: Iterable[tuple[pd.Period, str, int, int, tuple[str, ...]]]) -> list[DatedEvent]:
    whom: dict[tuple[pd.Period, str, int, int], set[str]] = {}
    for period, base, old, new, entities in changes:
        whom.setdefault((period, base, old, new), set()).update(entities)
    return [
        DatedEvent(
            period=period,
            title=Text(f"{base} 由 {old} 版改为 {new} 版", f"{base}: edition {new} in place of {old}"),
            kind="standard",
            entities=tuple(sorted(entities)),
            source="inspections",
        )
        for (period, base, old, new), entities in sorted(whom.items())
    ]
