"""Which indicators the loaded data can support, and what the others wait for."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.text import Text
from qbase.indicators.catalogue.clauses import find_clauses
from qbase.indicators.catalogue.indicator_rows import Measured, read_catalogue, read_rows
from qbase.indicators.measures.measure_scope import needed_tables

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

State = Literal["ready", "needs data"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Availability:
    """An indicator and whether a snapshot supports it.

    Parameters
    ----------
    measured : Measured
        Its definition.
    state : {"ready", "needs data"}
        Whether every table and column it needs holds something.
    lacking : tuple of str
        Tables, or columns of loaded tables without a single value.
    reason : Text or None
        Why no table of the contracts can give it.

    Examples
    --------
    >>> from qbase.indicators import list_indicators
    >>> from qbase.lake import open_workspace
    >>> found = next(a for a in list_indicators(open_workspace(), clause="2.1") if a.state == "needs data")
    >>> found.measured.indicator.name.en, found.reason.en
    ('regional brand value (valuation)', 'a valuation report; the excess-earnings method is licensed and the lake
    holds no such result')
    """

    measured: Measured
    state: State
    lacking: tuple[str, ...] = ()
    reason: Text | None = None

    @property
    def status(self) -> Text:
        """One phrase: ready, or what it waits for."""
        if self.state == "ready":
            return Text("可计算", "ready")
        what = self.reason or Text("、".join(self.lacking), ", ".join(self.lacking))
        return Text(f"缺数据：{what.zh}", f"needs data: {what.en}")

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        i = self.measured.indicator
        return {
            "id": i.id,
            "clause": i.clause,
            "name_zh": i.name.zh,
            "name_en": i.name.en,
            "unit": i.unit,
            "role": i.role,
            "status": self.status.en,
            "row": self.measured.row,
            "better": i.better,
            "freqs": list(self.measured.freqs),
            "entities": list(self.measured.entities),
            "lacking": list(self.lacking),
        }


def list_indicators(
    workspace: Workspace, *, clause: str | None = None, snapshot: str | None = None
) -> tuple[Availability, ...]:
    """List the indicators of the catalogue with what a snapshot can support.

    Parameters
    ----------
    workspace : Workspace
        Where the data lie.
    clause : str or None
        A clause of the policy text (``3.near.2``), a part of it (``5.2``) or a line of the catalogue (``D1``).
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    tuple of Availability
        In the order of the catalogue.

    Raises
    ------
    UsageError
        The policy text has no such clause (QB423).

    Examples
    --------
    >>> from qbase.indicators import list_indicators
    >>> from qbase.lake import open_workspace
    >>> [(a.measured.indicator.id, a.state) for a in list_indicators(open_workspace(), clause="G2b")]
    [('G2b.value', 'needs data'), ('G2b.survey', 'ready')]
    """
    chosen = _chosen(clause)
    at = workspace.snapshot(snapshot)
    filled = _filled(workspace, at, {n for m in chosen for n in m.needs})
    return tuple(_judge(m, at, filled) for m in chosen)


def _chosen(clause: str | None) -> list[Measured]:
    catalogue, rows = read_catalogue(), read_rows()
    if clause is None:
        return list(catalogue.values())
    if clause in rows:
        return [catalogue[i] for i in rows[clause].measures]
    wanted = set(find_clauses(clause))
    return [m for m in catalogue.values() if wanted & set(rows[m.row].clauses)]


def _judge(measured: Measured, at: Snapshot, filled: frozenset[str]) -> Availability:
    if measured.missing is not None:
        return Availability(measured=measured, state="needs data", reason=measured.missing)
    tables = sorted(t for t in needed_tables(measured) if t not in at.versions)
    columns = [n for n in measured.needs if n.split(".")[0] not in tables and n not in filled]
    lacking = (*tables, *columns)
    return Availability(measured=measured, state="needs data" if lacking else "ready", lacking=lacking)


def _filled(workspace: Workspace, at: Snapshot, needs: set[str]) -> frozenset[str]:
    """Return the columns that hold at least one value."""
    wanted: dict[str, list[str]] = {}
    for need in sorted(needs):
        table, _, column = need.partition(".")
        if table in at.versions:
            wanted.setdefault(table, []).append(column)
    if not wanted:
        return frozenset()
    selects = []
    for table, columns in wanted.items():
        # names come from the catalogue of the package; COLUMNS skips those an older delivery did not bring
        held = ", ".join(f"'{c}'" for c in [*columns, "row_no"])
        counts = f"SELECT count(COLUMNS(lambda c: c IN ({held}))) FROM {table}"  # noqa: S608
        named = f"SELECT '{table}' AS name, CAST(to_json(t) AS VARCHAR) AS counts FROM ({counts}) AS t"  # noqa: S608
        selects.append(named)
    rows = workspace.query(" UNION ALL ".join(selects), snapshot=at)
    return frozenset(
        f"{name}.{column}"
        for name, counts in zip(rows["name"], rows["counts"], strict=True)
        for column, n in json.loads(counts).items()
        if n > 0
    )
