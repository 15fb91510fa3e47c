"""What batches can be grouped by: a closed list, each factor with its SQL and its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.indicators.cells.inspection_window import Rows, require_table
from qbase.indicators.cells.sampling_design import Design
from qbase.indicators.cells.strata import UNKNOWN, by_firm_parts

ENTITY = "entity"
"""Every row of counts has its entity, so that the mix of entities can be a factor as well."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Factor:
    """One thing batches are grouped by.

    Parameters
    ----------
    column : str
        Of table inspections; empty where it is made of something else.
    sql : str
        Its value, from aliases h (the batch), s (sizes of the register) and b (bands of items).
    name : Text
        In a sentence.
    """

    column: str
    sql: str
    name: Text


FACTORS: Mapping[str, Factor] = {
    "risk_class": Factor(column="risk_class", sql="h.risk_class", name=Text("风险等级", "risk class")),
    # a size that was not printed is the register's, as where rates are weighted by their frame
    "size_class": Factor(column="size_class", sql="coalesce(h.size_class, s.size_class)", name=Text("规模", "size")),
    "product": Factor(column="product_name", sql="h.product_name", name=Text("产品", "product")),
    "laboratory": Factor(column="lab_name", sql="h.lab_name", name=Text("检验机构", "laboratory")),
    "inspector": Factor(column="inspector_code", sql="h.inspector_code", name=Text("抽样人员", "inspector")),
    "sample_type": Factor(column="sample_type", sql="h.sample_type", name=Text("抽样方式", "way of drawing")),
    "standard": Factor(column="std_no", sql="h.std_no", name=Text("执行标准", "standard")),
    "level": Factor(column="level", sql="h.level", name=Text("抽查层级", "level of inspection")),
    "domain": Factor(column="domain", sql="h.domain", name=Text("抽样环节", "place of drawing")),
    "items_band": Factor(column="", sql="b.items_band", name=Text("每批检验项目数", "items per batch")),
}
ENTITY_NAMES = {
    "cluster_id": Text("产业集群", "cluster"),
    "firm_id": Text("企业", "firm"),
    "town_code": Text("乡镇", "town"),
}

_HITS = {
    "D1.batch": "SELECT *, is_pass AS is_hit FROM counted",
    "D1.severe": "SELECT c.*, NOT c.is_pass AND b.has_severe AS is_hit "
    "FROM counted AS c JOIN by_batch AS b USING (sample_no)",
    "D1.label_only": "SELECT c.*, NOT c.is_pass AND b.has_label AND NOT b.has_severe AS is_hit "
    "FROM counted AS c JOIN by_batch AS b USING (sample_no)",
}
OUTCOMES = tuple(_HITS)
"""Rates of batches: what one batch counts as does not depend on the others."""

BY_ITEMS = ("D1.severe", "D1.label_only")
_BANDS = """
SELECT sample_no, CASE WHEN count(*) < 5 THEN '1-4' WHEN count(*) < 10 THEN '5-9' ELSE '10+' END AS items_band
FROM items GROUP BY sample_no
"""
_NO_BANDS = "SELECT NULL::VARCHAR AS sample_no, NULL::VARCHAR AS items_band WHERE false"


def check_factors(by: Sequence[str]) -> tuple[str, ...]:
    """Return factors, each once.

    Raises
    ------
    UsageError
        One that is none (QB402).
    """
    given = (by,) if isinstance(by, str) else tuple(by)
    wrong = [b for b in given if b not in FACTORS]
    if wrong:
        raise UsageError(
            "QB402",
            option="by",
            value=", ".join(map(str, wrong)),
            found=f"by={given!r}",
            expected=" | ".join(FACTORS),
            fix='by=("risk_class", "size_class")',
        )
    return tuple(dict.fromkeys(given))


def group_parts(rows: Rows, outcome: str, by: Sequence[str]) -> dict[str, str]:
    """Return what stands in the braces of ``statements/group_counts.sql``.

    Raises
    ------
    DataError
        Items are asked for and were not loaded (QB403).
    """
    if "items_band" in by:
        require_table(rows.workspace, "items", rows.at)
    held = set(rows.workspace.query("SELECT * FROM inspections LIMIT 0", snapshot=rows.at).columns)
    # sample_type is there already: what counts depends on it
    wanted = {FACTORS[b].column for b in by} - {"", "sample_type"}
    more = [f"{'m.' + c if c in held else 'NULL::VARCHAR'} AS {c}" for c in sorted(wanted)]
    groups = [f"coalesce(CAST({FACTORS[b].sql} AS VARCHAR), '{UNKNOWN}') AS {b}," for b in by]
    return {
        "{hits}": _HITS[outcome],
        "{groups}": "\n    ".join(groups),
        "{more}": ", ".join(["m.sample_no", "m.matched_id AS firm_id", *more]) + ",",
        "{sizes}": by_firm_parts(rows, Design())["{sizes}"],
        "{bands}": _BANDS if "items_band" in by else _NO_BANDS,
    }
