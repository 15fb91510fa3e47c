"""How much each entity counts in the average effect: its firms, or their output, before anybody was treated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.given import check_word
from qbase.core.policy import Policy
from qbase.core.values import freeze
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.cells.window_sql import Entity
from qbase.intake import read_towns

if TYPE_CHECKING:
    from qbase.lake import Workspace

By = Literal["firms", "output"]
Kind = Literal["firms", "output", "equal", "n"]

_FRAME = "SELECT cluster_id AS entity, sum(n_firms) AS weight FROM frame WHERE quarter = $quarter GROUP BY 1"
_ALIVE = """
SELECT {entity} AS entity, {weight} AS weight FROM firms AS f {join}
WHERE {entity} IS NOT NULL AND (f.entry_quarter IS NULL OR f.entry_quarter <= $quarter)
AND (f.exit_quarter IS NULL OR f.exit_quarter > $quarter) GROUP BY 1
"""
_OUTPUT = """
JOIN (SELECT firm_id, max(coalesce(output_wan_cny, revenue_wan_cny)) AS output FROM firm_year
WHERE year = $year GROUP BY 1) AS y ON y.firm_id = f.firm_id
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineWeights(Mapping[str, float]):
    """Entity -> weight; ``name`` says what was counted and when: ``firms 2019Q2``.

    Examples
    --------
    >>> from qbase.indicators import BaselineWeights
    >>> weights = BaselineWeights(name="firms 2019Q2", shares={"K003": 41.0})
    >>> weights["K003"], weights.name
    (41.0, 'firms 2019Q2')
    """

    name: str
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", freeze(self.shares))

    def __getitem__(self, entity: str) -> float:
        return self.shares[entity]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shares)

    def __len__(self) -> int:
        return len(self.shares)


def read_baseline_weights(
    workspace: Workspace,
    policy: Policy,
    *,
    entity: Entity = "cluster_id",
    by: By = "firms",
    snapshot: str | None = None,
) -> BaselineWeights:
    """Read the weights of the entities of a panel as they stood before the first adoption.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``frame`` (for clusters) or ``firms``, and ``firm_year`` for the output.
    policy : Policy
        The quarter before its first adoption (by years: the last quarter of the year before) is the baseline.
    entity : {"cluster_id", "town_code", "firm_id"}
        What the panel follows.
    by : {"firms", "output"}
        Firms on the list of the quarter, or the output of the last full year, in 10,000 yuan.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    BaselineWeights
        An entity without firms then is not in it.

    Raises
    ------
    UsageError
        ``by`` or ``entity`` is neither (QB144).
    DataError
        The table is missing (QB403), or nothing stands in it for that time (QB455).

    Examples
    --------
    >>> from qbase.indicators import build_policy, read_baseline_weights
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> weights = read_baseline_weights(workspace, build_policy(workspace, "base"))
    >>> weights.name, len(weights)
    ('firms 2019Q2', 12)
    """
    check_word("by", by, ("firms", "output"))
    check_word("entity", entity, ("cluster_id", "town_code", "firm_id"))
    at = workspace.snapshot(snapshot)
    base = _baseline(policy)
    values = {"quarter": periods.code(base), "year": base.year - (base.quarter < 4)}
    has_frame = entity == "cluster_id" and by == "firms" and workspace.has_table("frame", at)
    for table in ("frame",) if has_frame else ("firms", *(("firm_year",) if by == "output" else ())):
        require_table(workspace, table, at)
    sql = _ALIVE.format(
        entity=f"f.{entity}",
        weight="count(DISTINCT f.firm_id)" if by == "firms" else "sum(y.output)",
        join="" if by == "firms" else _OUTPUT,
    )
    sql = _FRAME if has_frame else sql
    params = {name: value for name, value in values.items() if f"${name}" in sql}
    found = workspace.query(sql, params=params, snapshot=at).dropna()
    if entity == "town_code":
        now = read_towns(workspace, at).renumbered()  # a panel goes by the codes of today
        today = [now.get(code, code) for code in found["entity"].astype(str)]
        found = found.assign(entity=today).groupby("entity", as_index=False)[["weight"]].sum()
    found = found[found["weight"] > 0].sort_values("entity")
    if found.empty:
        raise DataError(
            "QB455", when=str(values["quarter"]), found=f"no {by} of any {entity} in {values['quarter']}",
            expected="firms listed before the first adoption", fix='weight="equal", or load the list of that time',
        )  # fmt: skip
    return BaselineWeights(
        name=f"{by} {values['quarter'] if by == 'firms' else values['year']}",
        shares={str(e): float(w) for e, w in zip(found["entity"], found["weight"], strict=True)},
    )


def _baseline(policy: Policy) -> pd.Period:
    """Return the quarter before the first adoption."""
    first = min(policy.first_treated.values()) - 1
    return periods.period_at(first.end_time, "Q")


def read_weights(
    workspace: Workspace, policy: Policy, kind: Kind, *, entity: Entity = "cluster_id", snapshot: str | None = None
) -> str | BaselineWeights:
    """Return what an estimator of effects takes as ``weight``: a word, or weights read from before the policy.

    Parameters
    ----------
    workspace, policy, entity, snapshot
        See `read_baseline_weights`.
    kind : {"firms", "output", "equal", "n"}
        Firms or output of before, every entity the same, or batches tested.

    Returns
    -------
    str or BaselineWeights

    Raises
    ------
    UsageError
        A kind that is none (QB144).
    DataError
        See `read_baseline_weights`.

    Examples
    --------
    >>> from qbase.indicators import build_policy, read_weights
    >>> from qbase.lake import open_workspace
    >>> policy = build_policy(open_workspace(), "base")
    >>> read_weights(open_workspace(), policy, "equal"), read_weights(open_workspace(), policy, "firms").name
    ('equal', 'firms 2019Q2')
    """
    check_word("kind", kind, ("firms", "output", "equal", "n"))
    if kind in ("equal", "n"):
        return kind
    by: By = "firms" if kind == "firms" else "output"
    return read_baseline_weights(workspace, policy, entity=entity, by=by, snapshot=snapshot)
