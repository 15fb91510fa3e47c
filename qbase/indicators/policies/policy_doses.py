"""Table instruments → doses as estimators of effects take them: who got how much of which instrument, and when."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.periods import parse_period
from qbase.core.policy import Policy
from qbase.core.values import INSTRUMENTS
from qbase.indicators.cells.inspection_window import require_table
from qbase.tables import read_contract

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

TABLE = "instruments"
COLUMNS = ("entity", "period", "instrument", "value", "unit")
NO_DOSES = frozenset({"QB403", "QB457"})
"""Errors that say the lake holds none: no table, or nobody of the policy in it."""
_DOSES = "SELECT DISTINCT * FROM instruments ORDER BY cluster_id, quarter"


def read_doses(workspace: Workspace, policy: Policy, *, snapshot: Snapshot | str | None = None) -> pd.DataFrame:
    """Read the doses of instruments W1 to W7, by cluster and quarter.

    Clusters outside the policy are there too: one that got a dose without it is no comparison, and must be seen.

    Parameters
    ----------
    workspace : Workspace
        Its table instruments.
    policy : Policy
        Whose clusters must have doses.
    snapshot : Snapshot, str or None
        Of the lake; None is the latest.

    Returns
    -------
    pandas.DataFrame
        Columns entity, period (quarter), instrument, value, unit; one row for every dose stated, 0 included. It goes
        to `qbase.effects.estimate_instruments`, or into ``Policy.doses``.

    Raises
    ------
    DataError
        The table is missing (QB403), or holds no dose of any entity of the policy (QB457).

    Examples
    --------
    >>> from qbase.indicators import build_policy, read_doses
    >>> from qbase.lake import open_workspace
    >>> doses = read_doses(open_workspace(), build_policy(open_workspace(), "base"))
    >>> given = doses[doses["value"] > 0]
    >>> given.groupby("entity")["period"].min().astype(str).to_dict()
    {'K001': '2022Q3', 'K005': '2021Q3', 'K006': '2019Q3', 'K008': '2022Q3', 'K009': '2020Q3'}
    """
    at = workspace.snapshot(snapshot)
    require_table(workspace, TABLE, at)
    rows = workspace.query(_DOSES, snapshot=at)
    columns = {f"dose_{code.lower()}": code for code in INSTRUMENTS}
    held = [column for column in columns if column in rows]
    long = rows.melt(id_vars=["cluster_id", "quarter"], value_vars=held, var_name="column").dropna(subset="value")
    treated = set(policy.first_treated)
    if not (long["cluster_id"].isin(treated) & (long["value"] > 0)).any():
        raise DataError(
            "QB457", policy=policy.policy_id,
            found=f"{long['cluster_id'].nunique()} clusters in table {TABLE}, none with a dose among "
            f"{', '.join(sorted(treated)[:3])}",
            expected="doses above 0 of the clusters of the policy, by quarter",
            fix="add [[dose]] entries to the policy file, or: qbase load FILE…",
        )  # fmt: skip
    contract = read_contract(TABLE)
    units = {column: contract.column(column).unit or "" for column in held}
    return pd.DataFrame(
        {
            "entity": long["cluster_id"].astype(str),
            "period": [parse_period(str(quarter), "Q") for quarter in long["quarter"]],
            "instrument": long["column"].map(columns),
            "value": long["value"].astype(float),
            "unit": long["column"].map(units),
        },
        columns=list(COLUMNS),
    ).reset_index(drop=True)


def carry_doses(workspace: Workspace, policy: Policy, *, snapshot: Snapshot) -> Policy:
    """Return a policy with the doses of the instruments that its plan names.

    It stays as it is where the plan names none, or the lake holds no doses of its entities: that is told where the
    instruments are judged, and stops nothing else.
    """
    if policy.plan is None or not policy.plan.instruments:
        return policy
    try:
        return dataclasses.replace(policy, doses=read_doses(workspace, policy, snapshot=snapshot))
    except DataError as lost:
        if lost.code not in NO_DOSES:
            raise
        return policy
