"""What was put in, by cluster and quarter: doses of seven instruments, five safeguards, and what was planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.periods import to_periods
from qbase.core.text import Text
from qbase.core.values import INSTRUMENTS, Source, freeze
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.kept.value_bytes import learn
from qbase.tables import read_contract

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

SAFEGUARDS = tuple(f"S{i}" for i in range(1, 6))
"""The five safeguards of the policy text, by their numbers."""
PLANNED = {
    "tasks": ("tasks_done_count", "tasks_planned_count"),
    "meetings": ("meetings_held_count", "meetings_planned_count"),
}
"""What is counted against a plan: done, planned."""
_INSTRUMENTS = "SELECT DISTINCT * FROM instruments ORDER BY cluster_id, quarter"
_PROGRAMME = "SELECT DISTINCT * FROM programme ORDER BY cluster_id, quarter"


@learn
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DoseRows:
    """Doses, safeguards and plans by cluster and quarter.

    Parameters
    ----------
    rows : pandas.DataFrame
        Index (entity, period); columns ``W1`` … ``W7`` (doses, in the units of ``units``), ``S1`` … ``S5`` (1 in place,
        0 not), ``tasks_done tasks_planned meetings_done meetings_planned``. NaN where nothing was recorded, which is
        not 0.
    names : mapping
        ``W1`` … ``S5`` -> its name.
    units : mapping
        Instrument -> unit of its dose.
    sources : tuple of Source
        Tables it was read from.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_dose_rows
    >>> rows = read_dose_rows(open_workspace())
    >>> rows.rows.loc[("K001", "2023Q1"), ["W1", "W2", "S1", "S3", "tasks_done", "tasks_planned"]].round(2).to_dict()
    {'W1': 0.68, 'W2': 0.37, 'S1': 0.0, 'S3': 1.0, 'tasks_done': 3.0, 'tasks_planned': 3.0}
    """

    rows: pd.DataFrame
    names: Mapping[str, Text]
    units: Mapping[str, str]
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        for name in ("names", "units"):
            object.__setattr__(self, name, freeze(getattr(self, name)))


def read_dose_rows(workspace: Workspace, *, snapshot: Snapshot | str | None = None) -> DoseRows:
    """Read doses, safeguards and plans.

    Parameters
    ----------
    workspace : Workspace
        Its tables instruments and, for plans, programme.
    snapshot : Snapshot, str or None
        Of the lake; None is the latest.

    Returns
    -------
    DoseRows

    Raises
    ------
    DataError
        There is no table instruments (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_dose_rows
    >>> rows = read_dose_rows(open_workspace())
    >>> rows.names["W2"].en, rows.units["W2"], [source.path for source in rows.sources]
    ('Dose W2: quality services', 'index', ['instruments', 'programme'])
    """
    at = workspace.snapshot(snapshot)
    require_table(workspace, "instruments", at)
    return keep_value(workspace, "doses", (), at, lambda: _read(workspace, at), rooms=("scorecards",))


def _read(workspace: Workspace, at: Snapshot) -> DoseRows:
    contract = read_contract("instruments")
    columns = {f"dose_{code.lower()}": code for code in INSTRUMENTS} | {f"has_{c.lower()}": c for c in SAFEGUARDS}
    parts = [_indexed(workspace.query(_INSTRUMENTS, snapshot=at), columns)]
    tables = ["instruments"]
    if "programme" in workspace.tables(at):
        tables.append("programme")
        counts: dict[str, str] = {}
        for what, (done, planned) in PLANNED.items():
            counts |= {done: f"{what}_done", planned: f"{what}_planned"}
        parts.append(_indexed(workspace.query(_PROGRAMME, snapshot=at), counts))
    told = {code: contract.column(column) for column, code in columns.items()}
    return DoseRows(
        rows=pd.concat(parts, axis=1).sort_index(),
        names={code: rule.text for code, rule in told.items()},
        units={code: told[code].unit for code in INSTRUMENTS},
        sources=tuple(workspace.source(table, at) for table in tables),
    )


def _indexed(rows: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    held = {column: name for column, name in columns.items() if column in rows}
    table = pd.DataFrame({name: rows[column].astype(float) for column, name in held.items()})
    table.insert(0, "entity", rows["cluster_id"].astype(str))
    table.insert(1, "period", to_periods(rows["quarter"], "Q"))
    # two deliveries may hold the same row
    return table.drop_duplicates().set_index(["entity", "period"])
