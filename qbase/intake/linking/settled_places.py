"""Towns and clusters of a file that appear only as words: looked up, or offered as new rows for a person to accept."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.text import Text
from qbase.intake.linking.offered_clusters import Group, find_clusters, name_cluster
from qbase.intake.linking.place_names import (
    NO_COUNTY,
    Place,
    Places,
    find_county,
    name_towns,
    read_places,
    split_address,
    squeeze,
)
from qbase.intake.recipes.questions import Question, accepted_names, ask, rejected_names
from qbase.intake.shaping.recipe_steps import Work
from qbase.tables import read_contract

if TYPE_CHECKING:
    from qbase.intake.recipes.recipe_model import Recipe
    from qbase.intake.shaping.canonical_table import Sheets
    from qbase.lake import Workspace

PRINTED = ("town_name", "address")
LEAST_SHARE = 0.5
"""Towns are read out of addresses only where at least this share of them lies in one county."""
SHOWN = 12


def has_places(sheets: Sheets) -> bool:
    """Say whether a table names towns in words, so that the lake has to be asked about them."""
    rule = {column.name for column in sheets.contract.columns}
    return (
        "town_code" in rule
        and sheets.contract.name != "towns"
        and any(name in sheets.data.column_names for name in PRINTED)
    )


def settle_places(workspace: Workspace, sheets: Sheets, recipe: Recipe, file: str) -> dict[str, pa.Table]:
    """Look up the towns and clusters of a table; its work is changed in place.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows towns and clusters.
    sheets : Sheets
        A table with `has_places`.
    recipe : Recipe
        With the answers given.
    file : str
        Its name may speak of the county.

    Returns
    -------
    dict of str to pyarrow.Table
        New rows of towns and clusters that a person accepted.

    Raises
    ------
    DataError
        Names nobody knows, with the flags that add or refuse them (QB360).
    """
    work = sheets.work
    places = read_places(workspace)
    county = find_county(_titles(sheets, file), places.counties)
    county, unknown = _unknown(work, places, county)
    given, refused = (names(recipe, "towns") for names in (accepted_names, rejected_names))
    # what is asked counts as accepted until it is answered, so that everything is asked at once
    new = name_towns(sorted(unknown - refused), county, places)
    before = {place.code for place in places.all if place.is_town}
    # a town that a person keeps apart from an official one of its name is meant by this answer again
    kept = {squeeze(place.name): place.code for place in new if place.code in before}
    _fill_towns(work, Places([*places.all, *new]), county, kept)
    groups = _find_groups(workspace, work, {place.code: place.name for place in (*places.all, *new)})
    ask(
        [*_offer_towns(sorted(unknown - given - refused), county), *_offer_clusters(groups, recipe)], work.contract.name
    )
    named = [*(place for place in new if place.code not in before), *_used_divisions(work, places)]
    rows = {"towns": _town_rows(named)} if named else {}
    return rows | _fill_clusters(work, groups, recipe)


def _titles(sheets: Sheets, file: str) -> list[str]:
    titles = ["".join(part.grid.row(row)) for part in sheets.parts for row in part.layout.of_reason("title_row")]
    return [*titles, file, *(part.grid.sheet for part in sheets.parts)]


def _unknown(work: Work, places: Places, county: str) -> tuple[str, set[str]]:
    """Return the county of the file, and the names of towns in it that nobody knows a code of."""
    named = set(_count_left(work, "town_name"))
    above = {where for where, town in map(split_address, named) if town}
    county = county or (above.pop() if len(above) == 1 else "")
    # 甲县石桥镇 is 石桥镇 of the next file: the county is no part of the name
    bare = {_bare(name, county) for name in named if not places.find(name, county)}
    unknown = _without_short({name for name in bare if not places.find(name, county)})
    addresses = _count(work.column("address"))
    written = {text: split_address(text) for text in addresses if not places.find_in(text, county)}
    most: collections.Counter[str] = collections.Counter()
    for text, times in addresses.items():
        where, town = split_address(text)
        if town:
            most[where] += times
    if most:
        home, count = most.most_common(1)[0]
        if count >= LEAST_SHARE * sum(most.values()):
            county = county or home
            unknown |= {town for where, town in written.values() if where == home and not places.find(town, county)}
    return county, unknown


def _count(cells: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """Return how often each text stands in a column, in order of its first cell; nothing for the empty ones."""
    return {item["values"]: item["counts"] for item in pc.value_counts(cells).to_pylist() if item["values"]}


def _count_left(work: Work, name: str) -> dict[str, int]:
    """Return how often each text stands in the rows of a column that are not listed."""
    if not work.listed:
        return _count(work.column(name))
    is_left = np.ones(len(work), np.bool_)
    is_left[list(work.listed)] = False
    return _count(work.column(name).filter(pa.array(is_left)))


def _bare(printed: str, county: str) -> str:
    """Return the name of a town without the county of the file, and what stands above it."""
    name = squeeze(printed)
    _, joint, town = name.rpartition(county) if county else ("", "", "")
    return town if joint and town else name


def _without_short(names: set[str]) -> set[str]:
    """Leave out names that only shorten another one: 河田 beside 河田镇 is no town of its own."""
    full = name_towns(sorted(names), "", Places([]))
    return {name for name in names if not Places([place for place in full if place.name != name]).find(name)}


def _offer_towns(names: Sequence[str], county: str) -> list[Question]:
    if not names:
        return []
    shown = "、".join(names[:SHOWN]) + (f" … ({len(names)})" if len(names) > SHOWN else "")
    where = Text(county or "县名未注明", county or "county not stated")
    text = Text(
        f"把这些没有代码的乡镇加入乡镇表：{shown}（{where.zh}）",
        f"add these towns, whose code is not known, to the table of towns: {shown} ({where.en})",
    )
    return [Question(key=f"towns:{'+'.join(names)}", text=text)]


def _fill_towns(work: Work, places: Places, county: str, kept: Mapping[str, str]) -> None:
    """Fill the codes that are not printed, from the name of the town first and from the address where it has none."""
    codes: pa.Array | pa.ChunkedArray = work.column("town_code")
    counts: collections.Counter[str] = collections.Counter()
    is_printed = np.zeros(len(work), np.bool_)
    for column in PRINTED:
        has_text = work.filled(column)
        is_printed |= has_text
        is_open = has_text & ~np.asarray(pc.fill_null(pc.not_equal(codes, ""), False))
        if not is_open.any():
            continue
        texts = work.column(column).filter(pa.array(is_open))
        looked = {}
        for text in _count(texts):
            own = kept.get(_bare(text, county), "") if column == "town_name" else ""
            found = places.find(text, county) if column == "town_name" else places.find_in(text, county)
            looked[text] = own or found
        new = [looked[text] or None for text in texts.to_pylist()]
        codes = pc.replace_with_mask(_whole(codes), pa.array(is_open), pa.array(new, pa.string()))
        counts[f"town_by_{'name' if column == 'town_name' else 'address'}"] += sum(code is not None for code in new)
    work.fill("town_code", codes)
    work.warnings += [f"town_code:{code} {n}" for code, n in counts.items() if n]
    is_rest = is_printed & np.asarray(codes.is_null())
    is_rest[list(work.listed)] = False
    if is_rest.any():
        work.warnings.append(f"town_code:town_not_known {int(is_rest.sum())}")


def _whole(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def _used_divisions(work: Work, places: Places) -> list[Place]:
    """Return the divisions a file names that the table of towns does not have yet: with them it has their names."""
    towns = {place.code for place in places.all if place.is_town}
    used = set(work.column("town_code").unique().to_pylist()) - towns
    return [place for place in places.all if place.code in used]


def _town_rows(new: Iterable[Place]) -> pa.Table:
    rows = [
        {"town_code": place.code, "town_name": place.name, "county_name": place.county or NO_COUNTY} for place in new
    ]
    return _typed_rows("towns", rows)


def _typed_rows(table: str, rows: Sequence[Mapping[str, str]]) -> pa.Table:
    """Return rows of text as a table of its contract; what a row does not say is null."""
    kinds = {"date": pa.date32()}
    columns = read_contract(table).columns
    return pa.table(
        {c.name: pa.array([row.get(c.name) for row in rows], kinds.get(c.type, pa.string())) for c in columns}
    )


def _find_groups(workspace: Workspace, work: Work, names: Mapping[str, str]) -> list[Group]:
    """Return the firms that may be clusters, where the register does not speak of clusters at all."""
    if work.contract.name != "firms" or "cluster_id" in work.data.column_names:
        return []
    return find_clusters(workspace, work, names)


def _offer_clusters(groups: Sequence[Group], recipe: Recipe) -> list[Question]:
    answered = accepted_names(recipe, "clusters") | rejected_names(recipe, "clusters")
    asked = [group for group in groups if group.label not in answered]
    if not asked:
        return []
    shown = "、".join(f"{name_cluster(group)}（{len(group.rows)} 家）" for group in asked[:SHOWN])
    shown_en = ", ".join(f"{name_cluster(group)} ({len(group.rows)} firms)" for group in asked[:SHOWN])
    text = Text(
        f"名录没有集群一列；把同一乡镇同一行业的企业算作一个集群：{shown}",
        f"the register has no column of clusters; take the firms of one town and industry as one: {shown_en}",
    )
    return [Question(key=f"clusters:{'+'.join(group.label for group in asked)}", text=text)]


def _fill_clusters(work: Work, groups: Sequence[Group], recipe: Recipe) -> dict[str, pa.Table]:
    """Fill the clusters a person accepted, and return the rows of those that are new."""
    taken = [group for group in groups if group.label in accepted_names(recipe, "clusters")]
    if not taken:
        return {}
    cells: list[str | None] = [None] * len(work)
    for group in taken:
        for row in group.rows:
            cells[row] = group.cluster_id
    work.fill("cluster_id", cells)
    work.warnings.append(f"cluster_id:cluster_by_place {sum(cell is not None for cell in cells)}")
    new = [_cluster_row(group) for group in taken if not group.is_known]
    return {"clusters": _typed_rows("clusters", new)} if new else {}


def _cluster_row(group: Group) -> dict[str, str]:
    return {
        "cluster_id": group.cluster_id,
        "town_code": group.town_code,
        "industry_code": group.industry_code,
        "cluster_name": name_cluster(group),
    }


def with_origin(rows: pa.Table, sha256: str) -> pa.Table:
    """Add to rows that a person accepted which file named them first; they stand on no row of it."""
    n = len(rows)
    return (
        rows.append_column("delivery_sha256", pa.array([sha256] * n, pa.string()))
        .append_column("sheet", pa.array([""] * n, pa.string()))
        .append_column("row_no", pa.array([0] * n, pa.int64()))
    )
