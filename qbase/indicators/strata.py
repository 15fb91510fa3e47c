"""The inspections of a window by stratum of the frame (risk class x size), and the frame itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.indicators.rows import Rows, require_table

if TYPE_CHECKING:
    from qbase.indicators.sampling import Design

KEYS = ["cluster_id", "period", "risk_class", "size_class"]
SUMS = ["n", "k", "n_firms", "n_clean", "sum_nn", "sum_kk"]
UNKNOWN = "unknown"


def read_strata(rows: Rows, design: Design) -> pd.DataFrame:
    """Return sums over firms by entity, period, cluster, risk class and size; see ``measures/strata.sql``."""
    frame = rows.query("by_firm", "strata", parts=by_firm_parts(rows, design))
    frame = frame.assign(entity=frame["entity"].astype(str), period=periods.to_periods(frame["period"], rows.freq))
    return frame[frame["risk_class"].notna()].reset_index(drop=True) if design.is_fixed else frame


def by_firm_parts(rows: Rows, design: Design) -> dict[str, str]:
    """Return what stands in the braces of ``measures/by_firm.sql``."""
    held = set(rows.workspace.query("SELECT * FROM inspections LIMIT 0", snapshot=rows.at).columns)
    has_firms = rows.workspace.has_table("firms", rows.at)
    firms = set(rows.workspace.query("SELECT * FROM firms LIMIT 0", snapshot=rows.at).columns) if has_firms else set()
    more = [
        "m.matched_id AS firm_id",
        "f.cluster_id AS cluster_id",
        *(f"{'m.' + c if c in held else 'NULL::VARCHAR'} AS {c}" for c in ("risk_class", "size_class")),
        f"{'m.inclusion_probability' if 'inclusion_probability' in held else 'NULL::DOUBLE'} AS inclusion_probability",
    ]
    of_register = "any_value(size_class)" if "size_class" in firms else "NULL::VARCHAR"
    one_size = " HAVING count(DISTINCT size_class) = 1" if "size_class" in firms else ""
    source = "firms" if has_firms else "registered"
    sizes = f"SELECT firm_id, {of_register} AS size_class FROM {source} GROUP BY firm_id{one_size}"  # noqa: S608
    owner = "b" if design.is_fixed else "c"
    return {
        "{more}": ", ".join(more) + ",",
        "{sizes}": sizes,
        "{classes}": _base_classes(held, design.base_year) if design.base_year else _NO_CLASSES,
        "{risk}": f"{owner}.risk_class",
        "{size}": f"coalesce({owner}.size_class, s.size_class)",
    }


_NO_CLASSES = "SELECT NULL::VARCHAR AS firm_id, NULL::VARCHAR AS risk_class, NULL::VARCHAR AS size_class WHERE false"


def _base_classes(held: set[str], year: int) -> str:
    risk, size = (f"i.{c}" if c in held else "NULL::VARCHAR" for c in ("risk_class", "size_class"))
    # names come from closed lists and the year is a number
    return f"""
        SELECT firm_id, last.r AS risk_class, last.s AS size_class FROM (
            SELECT coalesce(u.firm_id, c.firm_id, n.firm_id) AS firm_id, max(struct_pack(d := i.sample_date, r := {risk}, s := {size})) AS last
            FROM inspections AS i
            LEFT JOIN by_uscc AS u ON u.uscc = i.uscc
            LEFT JOIN registered AS c ON c.firm_id = i.firm_code
            LEFT JOIN by_name AS n ON n.firm_name = i.firm_name
            WHERE i.sample_date <= DATE '{int(year)}-12-31' AND {risk} IS NOT NULL
            GROUP BY 1
        )"""  # noqa: S608, E501


def read_frame(rows: Rows, design: Design, found: pd.DataFrame, *, is_needed: bool) -> pd.DataFrame | None:
    """Return firms by cluster, period, class and size: the mean over the quarters of a period.

    Raises
    ------
    DataError
        It is needed and there is none (QB403), or it lacks clusters or periods (QB431).
    """
    if not rows.workspace.has_table("frame", rows.at):
        if is_needed:
            require_table(rows.workspace, "frame", rows.at)
        return None
    raw = rows.workspace.query(
        "SELECT DISTINCT cluster_id, quarter, risk_class, size_class, n_firms AS firms FROM frame", snapshot=rows.at
    )
    codes, names = pd.factorize(raw["quarter"].astype(str))
    quarter = periods.to_periods(pd.Index(names), "Q").take(codes)
    clusters = found[["cluster_id", "period"]].dropna().drop_duplicates()
    if design.is_fixed:
        raw = raw[(quarter.year == design.base_year) & (quarter.quarter == 4)].drop(columns="quarter")
        frame = clusters.merge(raw, on="cluster_id")
    else:
        raw = raw.assign(period=quarter if rows.freq == "Q" else quarter.asfreq("Y-DEC"))
        quarters = raw.groupby(["cluster_id", "period"])["quarter"].nunique().rename("quarters")
        frame = raw.groupby(KEYS)["firms"].sum().reset_index().merge(quarters.reset_index(), on=KEYS[:2])
        frame = frame.assign(firms=frame["firms"] / frame["quarters"]).drop(columns="quarters")
    absent = clusters.merge(frame[KEYS[:2]].drop_duplicates(), on=KEYS[:2], how="left", indicator=True)
    absent = absent[absent["_merge"] == "left_only"]
    if len(absent) and is_needed:
        first = absent.iloc[0]
        raise DataError(
            "QB431",
            cluster=first["cluster_id"],
            period=periods.code(first["period"]),
            found=f"{len(absent)} of {len(clusters)} cluster-periods without a frame",
            expected="rows of table frame for every cluster and period with inspections",
            fix='qbase load FRAME…        (or sampling="random_draw")',
        )
    return frame[[*KEYS, "firms"]]


def build_cells(strata: pd.DataFrame) -> pd.DataFrame:
    """Return batches by stratum and way of drawing, zero rows left out."""
    named = strata["risk_class"].notna() & strata["size_class"].notna()
    stratum = (strata["risk_class"].astype(object) + "-" + strata["size_class"].astype(object)).where(named, UNKNOWN)
    parts = []
    for kind in ("random", "directed"):
        is_random = kind == "random"
        n = strata["random_n"] if is_random else strata["all_n"] - strata["random_n"]
        k = strata["random_k"] if is_random else strata["all_k"] - strata["random_k"]
        part = pd.DataFrame({"entity": strata["entity"], "period": strata["period"], "stratum": stratum})
        parts.append(
            part.assign(
                sampling=kind, n=n, k=k, n_firms=strata[f"{kind}_n_firms"], top1=strata[f"{kind}_top1"],
                top2=strata[f"{kind}_top2"], weight=strata["weight"],
            )
        )  # fmt: skip
    cells = pd.concat(parts, ignore_index=True)
    return cells[cells["n"] > 0].sort_values(["entity", "period", "stratum", "sampling"], ignore_index=True)
