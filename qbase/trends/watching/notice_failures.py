"""Failures on published lists that were sampled at somebody else's than the firm that made the goods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from qbase.indicators.cells.inspection_window import Rows
    from qbase.lake import Workspace

LISTS = ("failure_notices", "notice_batches")
COLUMNS = ["entity", "firm", "firm_name", "record_no"]

# a name that two firms of the register carry is nobody's; one record on both kinds of lists is one failure
_SQL = """
WITH named AS (
    SELECT firm_name, any_value(firm_id) AS firm, any_value({place}) AS entity
    FROM firms WHERE firm_name IS NOT NULL GROUP BY firm_name HAVING count(DISTINCT firm_id) = 1
)
SELECT DISTINCT f.entity, f.firm, f.firm_name, n.record_no
FROM {list} AS n JOIN named AS f ON trim(n.firm_name) = f.firm_name
WHERE coalesce(n.result, 'fail') = 'fail' AND f.entity IS NOT NULL
  AND n.sampled_name IS NOT NULL AND trim(n.sampled_name) <> f.firm_name
  AND n.publish_date BETWEEN CAST(? AS DATE) AND CAST(? AS DATE)
ORDER BY ALL
"""
PLACE = {"cluster_id": "cluster_id", "town_code": "town_code", "firm_id": "firm_id"}


def read_notice_failures(workspace: Workspace, rows: Rows) -> tuple[pd.DataFrame, list[str]]:
    """Read the failures on lists of a window that were sampled elsewhere, matched to the register by full name.

    Parameters
    ----------
    workspace : Workspace
        Holds firms; lists where there are any.
    rows : Rows
        Entity, days and snapshot of the window; a list counts by the day it was published.

    Returns
    -------
    pandas.DataFrame
        One row per failure: entity, firm, firm_name, record_no.
    list of str
        The lists on record.
    """
    held = [t for t in LISTS if workspace.has_table(t, rows.at)]
    if not held or not workspace.has_table("firms", rows.at):
        return pd.DataFrame(columns=COLUMNS), held
    found = []
    for name in held:
        sql = _SQL.replace("{place}", PLACE[rows.entity]).replace("{list}", name)
        found.append(workspace.query(sql, params=(rows.first_day, rows.last_day), snapshot=rows.at))
    every = pd.concat(found, ignore_index=True)
    return every.drop_duplicates(["firm", "record_no"], ignore_index=True), held
