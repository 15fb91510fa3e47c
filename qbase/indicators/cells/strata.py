"""The inspections of a window by stratum of the frame (risk class x size), and the frame itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qbase.compute import Cluster, ShardQuery, add_up, open_files, query_files, query_frames
from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.batch_counts import (
    Ask,
    read_register,
    row_parts,
    sort_cells,
)
from qbase.indicators.cells.grown_cells import grow_by_period
from qbase.indicators.cells.inspection_window import Rows, require_table
from qbase.indicators.cells.snapshot_files import REGISTER
from qbase.indicators.cells.sorted_runs import KK_SCALE, Column, add_rows, count_strata
from qbase.indicators.kept.kept_counts import count_once
from qbase.stats.design.design_weights import Ints

if TYPE_CHECKING:
    from qbase.indicators.cells.sampling_design import Design

KEYS = ["cluster_id", "period", "risk_class", "size_class"]
SUMS = ["n", "k", "n_firms", "n_clean", "sum_nn", "sum_kk"]
UNKNOWN = "unknown"
ORDER = ("entity", "period", "cluster_id", "risk_class", "size_class", "inclusion_probability")

_BY_FIRM = "SELECT * FROM by_firm"
_NAMES = (
    "SELECT name, CAST(row_number() OVER (ORDER BY name) - 1 AS SMALLINT) AS place FROM ({}) WHERE name IS NOT NULL"
)
_CODES = "risk.place AS risk_class, size.place AS size_class,"
_NO_CLASSES = "SELECT NULL::VARCHAR AS firm_id, NULL::VARCHAR AS risk_class, NULL::VARCHAR AS size_class WHERE false"
_CHANCE = "c.inclusion_probability,"
_JOINS = (
    "LEFT JOIN risk_names AS risk ON risk.name = c.risk_class LEFT JOIN size_names AS size ON size.name = c.size_class"
)
_SIZES = f"""
SELECT n.place AS size FROM {REGISTER} AS r
LEFT JOIN ({{sizes}}) AS s ON s.firm_id = r.firm_id LEFT JOIN size_names AS n ON n.name = s.size_class
ORDER BY r.firm_no
"""  # noqa: S608  (names of ours)
_BASE = """
SELECT k.place AS risk, n.place AS size FROM registered AS r
LEFT JOIN classes AS b ON b.firm_id = r.firm_id
LEFT JOIN risk_names AS k ON k.name = b.risk_class LEFT JOIN size_names AS n ON n.name = b.size_class
ORDER BY r.firm_no
"""


def read_strata(rows: Rows, design: Design) -> pd.DataFrame:
    """Return sums over firms by entity, period, cluster, risk class and size; see ``statements/strata.sql``.

    Raises
    ------
    UsageError
        Classes fixed at a base year, to be counted on a cluster (QB186).
    SetupError, RunError
        As for `qbase.indicators.cells.batch_counts.count_cells`.
    """
    parts = by_firm_parts(rows, design)
    if rows.cluster is not None:
        frame = _count_there(rows, rows.cluster, design, parts)
    else:
        frame = _count_here(rows, design, parts)
    frame = frame.assign(
        period=periods.to_periods(frame["period"], rows.freq),
        sum_kk=frame["kk_parts"] / KK_SCALE,
        random_sum_kk=frame["random_kk_parts"] / KK_SCALE,
    ).drop(columns=["kk_parts", "random_kk_parts"])
    return frame[frame["risk_class"].notna()].reset_index(drop=True) if design.is_fixed else frame


def read_firms(rows: Rows, strata: pd.DataFrame, *, is_random: bool) -> pd.DataFrame | None:
    """Return firms drawn and firms of which every batch passed, by entity and period, each firm once.

    Parameters
    ----------
    rows : Rows
        The window.
    strata : pandas.DataFrame
        From `read_strata`.
    is_random : bool
        Random draws only.

    Returns
    -------
    pandas.DataFrame or None
        Index (entity, period); ``n_firms``, ``n_clean``. None where a firm is in one stratum of a period: in a quarter
        without recorded probabilities.
    """
    if rows.freq == "Q" and strata["inclusion_probability"].isna().all():
        return None
    sums = rows.tally.sums
    index = pd.MultiIndex.from_arrays(
        [sums["entity"].astype(str), periods.to_periods(sums["period"], rows.freq)], names=["entity", "period"]
    )
    names = ["n_firms", "n_clean"]
    return sums[[f"random_{name}" for name in names] if is_random else names].set_axis(names, axis=1).set_index(index)


def by_firm_parts(rows: Rows, design: Design) -> dict[str, str]:
    """Return what stands in the braces of ``statements/by_firm.sql``."""
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


def _count_there(rows: Rows, cluster: Cluster, design: Design, parts: Mapping[str, str]) -> pd.DataFrame:
    if design.is_fixed:
        raise UsageError(
            "QB186",
            what=f"base_year={design.base_year}",
            found=f"Design(base_year={design.base_year}) with cluster",
            expected="cells that add up over shards; the last class of a firm before a day does not",
            fix="build it on this machine, without --cluster",
        )
    query = rows.shard_query(read_sql("by_firm"), _BY_FIRM, parts=parts)
    return sort_cells(add_up(cluster, query, table="inspections", by=ORDER[:2], summary=_summary()).table, ORDER)


def _count_here(rows: Rows, design: Design, parts: Mapping[str, str]) -> pd.DataFrame:
    def count(window: Rows) -> pd.DataFrame:
        return _count_window(window, design, parts)

    def grow(kept: pd.DataFrame, fresh: ShardQuery) -> pd.DataFrame | None:
        return grow_by_period(rows, kept, fresh, count, ORDER)

    words = ("strata", rows.entity, rows.freq, *(f"{name} {text}" for name, text in sorted(parts.items())))
    query = _query(rows, parts)
    # the last class of a firm before a day may be one that a later file tells
    return count_once(rows.workspace.lake, query, words, lambda: count(rows), grow=None if design.is_fixed else grow)


def _query(rows: Rows, parts: Mapping[str, str]) -> ShardQuery:
    codes = _CODES + _CHANCE * ("m.inclusion_probability" in parts["{more}"])
    tables = {"risk": ["inspections"], "size": [t for t in ("inspections", "firms") if t in rows.at.versions]}
    return rows.shard_query(
        read_sql("firm_rows"),
        parts={**parts, **row_parts(rows.entity, strata=codes, names=_JOINS)},
        prepared={
            f"{kind}_names": _NAMES.format(
                " UNION ".join(f"SELECT DISTINCT {kind}_class AS name FROM {t}" for t in which)  # noqa: S608
            )
            for kind, which in tables.items()
        },
    )


def _count_window(rows: Rows, design: Design, parts: Mapping[str, str]) -> pd.DataFrame:
    query = _query(rows, parts)
    with open_files(query) as ask:
        batches, codes, clusters = _read_numbers(ask(query.sql), ask, rows, design, parts)
    # DuckDB has let go of its memory
    found = _sum_strata(batches, codes, clusters)
    if found is not None:
        return found
    grouped = query_files(rows.shard_query(read_sql("by_firm"), _BY_FIRM, parts=parts))
    return sort_cells(query_frames(_summary(), {"cells": grouped}), ORDER)


def _summary() -> str:
    text = read_sql("strata").replace("{parts}", str(KK_SCALE))
    return f"WITH by_firm AS (SELECT * FROM cells)\n{text}"  # noqa: S608  (SQL of ours)


def _read_numbers(
    batches: pa.Table, ask: Ask, rows: Rows, design: Design, parts: Mapping[str, str]
) -> tuple[pa.Table, dict[str, Column], pd.Series | None]:
    """Return batches, what their numbers mean, and the cluster of each firm where firms are followed."""
    codes = {
        f"{kind}_class": _printed(kind, ask(f"SELECT name FROM {kind}_names ORDER BY place")["name"])  # noqa: S608
        for kind in ("risk", "size")
    }
    sizes = codes["size_class"]
    if design.is_fixed:
        of_base = ask(rows.shard_query(", classes AS ({classes})", _BASE, parts=parts).sql)
        codes["risk_class"] = _of_firm(of_base["risk"].combine_chunks(), codes["risk_class"])
        codes["size_class"] = _of_firm(
            pc.coalesce(of_base["size"].combine_chunks(), _register_sizes(ask, parts)), sizes
        )
    elif batches["size_class"].null_count and "firms" in rows.at.versions:
        register = _of_firm(_register_sizes(ask, parts), sizes)
        filled = [_known_sizes(piece, register) for piece in batches.to_batches()]
        batches = batches.set_column(batches.column_names.index("size_class"), "size_class", pa.chunked_array(filled))
    if rows.entity == "town_code":
        codes["cluster_id"] = read_register(ask, "cluster_id")
        return batches, codes, None
    codes["entity"] = read_register(ask, rows.entity)
    if rows.entity == "cluster_id":
        return batches, codes, None
    register_rows = ask(f"SELECT firm_id, cluster_id FROM {REGISTER}").to_pandas()  # noqa: S608  (a name of ours)
    return batches, codes, register_rows.set_index("firm_id")["cluster_id"]


def _sum_strata(batches: pa.Table, codes: Mapping[str, Column], clusters: pd.Series | None) -> pd.DataFrame | None:
    keys = [key for key in ORDER if key in codes or key in batches.column_names]
    found = add_rows(batches, keys, count_strata, codes)
    if found is None:
        return None
    if "inclusion_probability" not in found:
        found["inclusion_probability"] = np.nan
    if "cluster_id" not in found:
        found["cluster_id"] = found["entity"] if clusters is None else found["entity"].map(clusters)
    return found


def _printed(kind: str, names: pa.ChunkedArray) -> Column:
    return Column(source=f"{kind}_class", table=np.arange(len(names) + 1), names=names.combine_chunks())


def _of_firm(places: pa.ChunkedArray | pa.Array, names: Column) -> Column:
    nothing = len(names.names)
    return Column(
        source="firm_no",
        table=np.append(places.fill_null(nothing).to_numpy(), nothing).astype(np.int64),
        names=names.names,
    )


def _register_sizes(ask: Ask, parts: Mapping[str, str]) -> pa.Array:
    return ask(_SIZES.format(sizes=parts["{sizes}"]))["size"].combine_chunks()


def _known_sizes(piece: pa.RecordBatch, register: Column) -> pa.Array:
    """Return the size of each row as printed, or else the one the register has."""
    return pc.coalesce(piece["size_class"], pa.array(register.read(piece), pa.int16()))


def _base_classes(held: set[str], year: int) -> str:
    risk, size = (f"i.{c}" if c in held else "NULL::VARCHAR" for c in ("risk_class", "size_class"))
    # names come from closed lists and the year is a number
    return f"""
        SELECT firm_id, last.r AS risk_class, last.s AS size_class FROM (
            SELECT coalesce(d.firm_id, u.firm_id, c.firm_id, n.firm_id) AS firm_id,
                max(struct_pack(d := i.sample_date, r := {risk}, s := {size})) AS last
            {{matching}}
            WHERE i.sample_date <= DATE '{int(year)}-12-31' AND {risk} IS NOT NULL
            GROUP BY 1
        )"""  # noqa: S608


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
    raw = _drop_doubled(
        rows.workspace.arrow(
            "SELECT cluster_id, quarter, risk_class, size_class, n_firms AS firms FROM frame", snapshot=rows.at
        ).to_pandas(self_destruct=True)
    )
    codes, names = pd.factorize(raw["quarter"])
    quarter = periods.to_periods(pd.Index(names.astype(str)), "Q").take(codes)
    clusters = found[["cluster_id", "period"]].dropna().drop_duplicates()
    if design.is_fixed:
        raw = raw[(quarter.year == design.base_year) & (quarter.quarter == 4)].drop(columns="quarter")
        frame = clusters.merge(raw, on="cluster_id")
    elif rows.freq == "Q":
        frame = raw.drop(columns="quarter").assign(period=quarter, firms=raw["firms"].astype(float)).dropna(subset=KEYS)
    else:
        raw = raw.assign(period=periods.to_periods(quarter, rows.freq))
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


def _drop_doubled(raw: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without doubled rows; only where a key is doubled are rows compared."""
    key = np.zeros(len(raw), dtype=np.int64)
    for name in ("cluster_id", "quarter", "risk_class", "size_class"):
        codes, names = pd.factorize(raw[name], use_na_sentinel=False)
        key *= len(names)
        key += codes
    key.sort()
    return raw.drop_duplicates() if (key[1:] == key[:-1]).any() else raw


def build_cells(strata: pd.DataFrame) -> pd.DataFrame:
    """Return batches by stratum and way of drawing, zero rows left out."""
    stratum, names = _name_strata(strata)
    kinds = pd.Index(["directed", "random"])
    n = _pair(strata["all_n"] - strata["random_n"], strata["random_n"])
    used = np.flatnonzero(n > 0)
    of, kind = np.divmod(used, 2)
    entity, _ = pd.factorize(strata["entity"], sort=True)
    period = pd.PeriodIndex(strata["period"])
    since = period.asi8 - period.asi8.min(initial=0)
    key = ((entity * (since.max(initial=0) + 1) + since) * len(names) + stratum)[of] * 2 + kind
    order = np.argsort(key, kind="stable")
    of, kind, used = of[order], kind[order], used[order]
    columns = {
        "entity": strata["entity"].array.take(of), "period": period.take(of), "stratum": names.take(stratum[of]),
        "sampling": kinds.take(kind), "n": n[used],
        "k": _pair(strata["all_k"] - strata["random_k"], strata["random_k"])[used],
    }  # fmt: skip
    for name in ("n_firms", "top1", "top2"):
        columns[name] = _pair(strata[f"directed_{name}"], strata[f"random_{name}"])[used]
    return pd.DataFrame({**columns, "weight": strata["weight"].to_numpy()[of]})


def _pair(directed: pd.Series, random: pd.Series) -> Ints:
    """Return the counts of a stratum beside each other: nearly the order that cells have in the end."""
    return np.column_stack([directed.to_numpy(np.int64), random.to_numpy(np.int64)]).ravel()


def _name_strata(strata: pd.DataFrame) -> tuple[Ints, pd.Index]:
    """Return the stratum of each row as a number in the order of the names, and the names."""
    (risk, risks), (size, sizes) = (pd.factorize(strata[f"{kind}_class"]) for kind in ("risk", "size"))
    named = [f"{r}-{s}" for r in risks for s in sizes]
    names = pd.Index(sorted({*named, UNKNOWN}), dtype="str")
    code: Ints = names.get_indexer(pd.Index([*named, UNKNOWN], dtype="str")).astype(np.int64)
    return code[np.where((risk >= 0) & (size >= 0), risk * len(sizes) + size, -1)], names
