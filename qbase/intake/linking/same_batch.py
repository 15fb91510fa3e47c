"""One batch, counted once: the same sample under several notices, and re-checks nobody marked.

Nothing is changed in the inspections. What was found is written to ``batch_links``, and whoever counts decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.linking.link_diary import write_derived

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

TABLE = "batch_links"
RECHECK_DAYS = 75
"""A re-check has to be made within 75 days of the order to put things right (order no. 18 of the SAMR, article 47)."""
RECHECK_RULE = (
    f"same firm and product, within {RECHECK_DAYS} days after a failure that no other sample re-checks, not marked"
)
NOTICE_RULE = "same firm, product, day and laboratory under another sample number and notice"

# an explicit parent settles it; without a code the printed name stands for the firm
_FIRM = "coalesce(uscc, firm_code, firm_name)"
LIKE_ONE_SQL = """
SELECT l.sample_no, l.kind FROM batch_links l JOIN looked b USING (sample_no)
JOIN looked a ON a.sample_no = l.other_no
WHERE a.product_name = b.product_name
  AND coalesce(a.uscc, a.firm_code, a.firm_name) = coalesce(b.uscc, b.firm_code, b.firm_name)
  AND (l.kind = 'other_notice' OR (a.result = 'fail' AND NOT coalesce(b.is_recheck, false)))
"""
"""Links that corrections since have left standing: nothing is taken out of ``batch_links``.

``looked`` are the inspections they name."""
_RECHECKS = f"""
WITH open AS (SELECT *, {_FIRM} AS firm FROM inspections
              WHERE NOT coalesce(is_recheck, false) AND coalesce(role, 'producer') = 'producer'),
pairs AS (
    SELECT b.sample_no, a.sample_no AS other_no, date_diff('day', a.sample_date, b.sample_date) AS days,
           row_number() OVER (PARTITION BY b.sample_no ORDER BY b.parent_no = a.sample_no DESC NULLS LAST,
                              a.sample_date DESC, a.sample_no) AS place, b.parent_no IS NOT NULL AS has_parent
    FROM open b JOIN open a
      ON a.firm = b.firm AND a.product_name = b.product_name AND a.result = 'fail'
     AND a.sample_no <> b.sample_no
     AND b.sample_date > a.sample_date AND b.sample_date <= a.sample_date + {RECHECK_DAYS}
    WHERE (b.parent_no = a.sample_no OR (b.parent_no IS NULL AND b.sample_type NOT IN ('complaint', 'followup')
           AND a.sample_no NOT IN (SELECT parent_no FROM inspections WHERE parent_no IS NOT NULL))) {{scope}}
)
SELECT sample_no, other_no, CASE WHEN has_parent THEN 'unmarked_recheck' ELSE 'likely_recheck' END AS kind, days
FROM pairs WHERE place = 1
"""  # noqa: S608  (built from constants)
_NOTICES = f"""
WITH open AS (SELECT *, {_FIRM} AS firm FROM inspections WHERE notice_no IS NOT NULL)
SELECT b.sample_no, min(a.sample_no) AS other_no, 'other_notice' AS kind, 0 AS days
FROM open b JOIN open a
  ON a.firm = b.firm AND a.product_name = b.product_name AND a.sample_date = b.sample_date
 AND a.lab_name = b.lab_name AND a.result = b.result AND coalesce(a.std_no, '') = coalesce(b.std_no, '')
 AND a.notice_no <> b.notice_no AND a.sample_no < b.sample_no
WHERE coalesce(a.is_recheck, false) = coalesce(b.is_recheck, false) {{scope}}
GROUP BY b.sample_no
"""  # noqa: S608  (built from constants)


def link_batches(workspace: Workspace, *, deliveries: Sequence[str] | None = None) -> tuple[Snapshot, dict[str, int]]:
    """Find batches that look like one: re-checks nobody marked, and one batch under two notices.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections; without them nothing happens.
    deliveries : sequence of str or None
        sha256 of deliveries to look at; None looks at all.

    Returns
    -------
    tuple of (Snapshot, dict)
        Snapshot with the links; kind -> how many are new.

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import link_batches
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_link_batches"))
    >>> link_batches(home)[1]
    {}
    >>> home.query("SELECT sample_no, other_no, kind, days FROM batch_links ORDER BY sample_no LIMIT 2")
           sample_no       other_no            kind  days
    0  YZ2016Q3D0012  YZ2016Q2D0055  likely_recheck    72
    1  YZ2017Q3D0015  YZ2017Q3D0050  likely_recheck     7
    """
    at = workspace.snapshot()
    if "inspections" not in at.versions or deliveries == []:
        return at, {}
    listed = ", ".join(f"'{sha256}'" for sha256 in deliveries or ())
    scope = f"AND b.delivery_sha256 IN ({listed})" if listed else ""
    parts = []
    for sql, rule in ((_RECHECKS, RECHECK_RULE), (_NOTICES, NOTICE_RULE)):
        rows = workspace.arrow(sql.format(scope=scope), snapshot=at)
        parts.append(rows.append_column("rule", pa.array([rule] * len(rows), pa.string())))
    found = pa.concat_tables(parts, promote_options="permissive")
    if TABLE in at.versions and len(found):
        known = workspace.arrow(f"SELECT sample_no, other_no, kind FROM {TABLE}", snapshot=at)  # noqa: S608
        found = found.join(known, ["sample_no", "other_no", "kind"], join_type="left anti")
    found = found.sort_by([("sample_no", "ascending"), ("kind", "ascending")])
    counts = {str(row["values"]): int(row["counts"]) for row in pc.value_counts(found["kind"]).to_pylist()}
    return write_derived(workspace, TABLE, {TABLE: found} if len(found) else {}), counts
