"""What later deliveries changed: an indicator compared over the snapshots of the lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.panel_building import build_panel
from qbase.lake.entity_names import TOWN_LINKS

if TYPE_CHECKING:
    from qbase.lake import Workspace

NOTHING_YET = ("QB404", "QB421")


def read_revisions(
    workspace: Workspace,
    indicator: str,
    *,
    snapshots: Sequence[str] | None = None,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> pd.DataFrame:
    """Compare an indicator over snapshots: every value that a later delivery changed.

    Parameters
    ----------
    workspace : Workspace
        Its snapshots are kept for good.
    indicator : str
        Id of the catalogue.
    snapshots : sequence of str or None
        In order; None takes every snapshot that changed a table the indicator rests on.
    entity, freq, first, last
        As for `qbase.indicators.build_panel`.

    Returns
    -------
    pandas.DataFrame
        ``entity``, ``period``, ``snapshot``, ``value_before``, ``value``, ``change``, and ``n_before``, ``n`` where
        the indicator has counts. A value that is new has no ``value_before``; one that is unchanged no row.

    Raises
    ------
    UsageError, DataError
        As in `build_panel`, for the latest snapshot.

    Examples
    --------
    >>> import os, pathlib, tempfile
    >>> from qbase.indicators import read_revisions
    >>> from qbase.intake import load_files
    >>> from qbase.lake import Workspace
    >>> home, file = Workspace.create(tempfile.mkdtemp()), pathlib.Path("late.csv")
    >>> head = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果,区划代码"
    >>> row = "{},省级,2024-02-10,生产,双随机,甲厂,涤纶,{},990021101"
    >>> for results in ({1: "合格", 2: "合格", 3: "合格", 4: "不合格"}, {5: "合格", 6: "不合格"}):
    ...     _ = file.write_text(os.linesep.join([head, *(row.format(*item) for item in results.items())]), "utf-8")
    ...     _ = load_files(home, [file])
    >>> changes = read_revisions(home, "D1.batch", entity="town_code")
    >>> print(changes[["value_before", "value", "n_before", "n"]].round(1))
       value_before  value  n_before  n
    0          75.0   66.7         4  6
    """
    options = {"entity": entity, "freq": freq, "first": first, "last": last}
    latest = build_panel(workspace, indicator, **options)  # type: ignore[arg-type]
    names = list(snapshots) if snapshots is not None else _changed(workspace, latest)
    before = _values(latest, indicator).iloc[:0]
    found = [_compare(before, before).assign(snapshot="")]
    for number, name in enumerate(names):
        try:
            now = _values(build_panel(workspace, indicator, snapshot=name, **options), indicator)  # type: ignore[arg-type]
        except DataError as error:
            if error.code not in NOTHING_YET:
                raise
            now = before.iloc[:0]
        if number:
            found.append(_compare(before, now).assign(snapshot=name))
        before = now
    out = pd.concat([f for f in found if len(f)] or found[:1]).reset_index()
    ahead = ["entity", "period", "snapshot", "value_before", "value", "change"]
    return out[[*ahead, *(c for c in ("n_before", "n") if c in out)]]


def _values(panel: Panel, indicator: str) -> pd.DataFrame:
    columns = {indicator: "value", f"{indicator}__n": "n"}
    return panel.data[[c for c in columns if c in panel.data]].rename(columns=columns)


def _changed(workspace: Workspace, panel: Panel) -> list[str]:
    """Return the snapshots at which a table of the panel changed, from the first that has all of them."""
    at = workspace.snapshot(panel.snapshot or None)
    kept, before = [], None
    for number in range(1, at.number + 1):
        snapshot = workspace.snapshot(f"S{number:04d}")
        versions = {t: snapshot.versions.get(t) for t in panel.tables}
        # before the first link of towns there was nothing to read
        if None not in {v for t, v in versions.items() if t != TOWN_LINKS} and versions != before:
            kept.append(snapshot.id)
            before = versions
    return kept


def _compare(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    both = now.join(before.add_suffix("_before"), how="outer").sort_index()
    both["change"] = both["value"] - both["value_before"]
    is_same = (both["value"] == both["value_before"]) | (both["value"].isna() & both["value_before"].isna())
    if "n" in both:
        is_same &= both["n"] == both["n_before"]
    return both[~is_same]
