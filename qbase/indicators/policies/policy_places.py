"""Who a policy treats: a cluster, a town or a firm, by id or by name; and the same spell for what a panel follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import DataError, PolicyError, QbaseError
from qbase.core.nearest_name import suggest_names
from qbase.core.policy import Spell
from qbase.core.text import Text
from qbase.indicators.cells.inspection_window import require_table
from qbase.lake.entity_names import NAMED, NameColumns, names_sql, read_replaced

if TYPE_CHECKING:
    from qbase.indicators.cells.window_sql import Entity
    from qbase.lake import Snapshot, Workspace

KINDS: Mapping[str, tuple[str, Text]] = {
    "cluster": ("cluster_id", Text("产业集群", "cluster")),
    "town": ("town_code", Text("乡镇", "town")),
    "firm": ("firm_id", Text("企业", "firm")),
}
"""Word of a policy file -> kind of entity, and what it is called."""
SHOWN = 5
_INTO: Mapping[tuple[str, str], tuple[str, str]] = {
    ("cluster", "town_code"): ("clusters", "SELECT DISTINCT town_code FROM clusters WHERE cluster_id = ?"),
    ("cluster", "firm_id"): ("firms", "SELECT DISTINCT firm_id FROM firms WHERE cluster_id = ?"),
    ("town", "cluster_id"): ("clusters", "SELECT DISTINCT cluster_id FROM clusters WHERE list_contains(?, town_code)"),
    ("town", "firm_id"): ("firms", "SELECT DISTINCT firm_id FROM firms WHERE list_contains(?, town_code)"),
}


def read_names(workspace: Workspace, kind: str, at: Snapshot) -> dict[str, str]:
    """Return id -> name of all clusters, towns or firms.

    Raises
    ------
    DataError
        Their table was not loaded (QB403).
    """
    require_table(workspace, names_of(kind).table, at)
    source = names_sql(workspace, KINDS[kind][0], at)
    known = workspace.query(f"SELECT * FROM {source} ORDER BY code", snapshot=at)  # noqa: S608  (a statement of ours)
    return {str(code): str(name) for code, name in zip(known["code"], known["zh"], strict=True)}


def names_of(kind: str) -> NameColumns:
    """Return where the names of clusters, towns or firms stand."""
    return NAMED[KINDS[kind][0]]


def settle_places(workspace: Workspace, entries: Sequence[dict[str, Any]], faults: list[QbaseError]) -> dict[str, str]:
    """Put ids where names were written, in place, and return id -> name of all that are named.

    What is not known, or is the name of several, joins the faults (QB449).
    """
    at, known, named = workspace.snapshot(), dict[str, dict[str, str]](), dict[str, str]()
    replaced = read_replaced(workspace, at)
    for entry in entries:
        for kind in (kind for kind in KINDS if kind in entry):
            try:
                names = known.setdefault(kind, {}) or read_names(workspace, kind, at)
                known[kind] = names
                word = str(entry[kind]).strip()
                entry[kind] = find_place(replaced.get(word, word) if kind == "town" else word, kind, names)
                named[entry[kind]] = names[entry[kind]]
            except QbaseError as fault:
                faults += [] if any(fault.args == old.args for old in faults) else [fault]
    return named


def find_place(word: str, kind: str, names: Mapping[str, str]) -> str:
    """Return the id of a cluster, town or firm that is named by id or by its whole name.

    Raises
    ------
    DataError
        There is none, or there are several of the name (QB449).
    """
    if word in names:
        return word
    called = [i for i, name in names.items() if name == word]
    if len(called) == 1:
        return called[0]
    shown = [f"{i} {names[i]}" for i in (called or names)][:SHOWN]
    more = f" · … ({len(names)})" if not called and len(names) > SHOWN else ""
    what = KINDS[kind][1]
    near = suggest_names(word, [*names, *names.values()])
    raise DataError(
        "QB449", cluster=word, kind_zh=what.zh, kind_en=what.en, found=repr(word), expected=" · ".join(shown) + more,
        fix=" | ".join(f'{kind} = "{i}"' for i in called) or near,
    )  # fmt: skip


def carry_spells(
    workspace: Workspace, policy_id: str, spells: Sequence[Spell], entity: Entity, at: Snapshot
) -> tuple[Spell, ...]:
    """Return the spells of what a panel follows: a treated cluster means its town, or its firms.

    Parameters
    ----------
    workspace : Workspace
        Its registers say which firm is in which cluster and town.
    policy_id : str
        For errors.
    spells : sequence of Spell
        As they were written.
    entity : {"cluster_id", "firm_id", "town_code"}
        What the panel follows.
    at : Snapshot
        Of the lake.

    Returns
    -------
    tuple of Spell
        Each once; an entity in no register stays as it is.

    Raises
    ------
    PolicyError
        Nobody can be found to carry a spell to, or only a part of the entity is treated (QB451).
    """
    carried: dict[tuple[str, Any], Spell] = {}
    kinds = _kinds_of(workspace, sorted({spell.entity for spell in spells}), at)
    for spell in spells:
        for name in _carry(workspace, policy_id, spell.entity, kinds.get(spell.entity, ""), entity, at):
            carried[(name, spell.start)] = dataclasses.replace(spell, entity=name)
    if entity == "town_code":
        _refuse_part(workspace, policy_id, spells, at)
    return tuple(carried.values())


def _kinds_of(workspace: Workspace, names: Sequence[str], at: Snapshot) -> dict[str, str]:
    """Return what each name is, by the first register that holds it; one question a register, not one a name."""
    found: dict[str, str] = {}
    for kind, named in ((kind, names_of(kind)) for kind in KINDS):
        left = [name for name in names if name not in found]
        if left and workspace.has_table(named.table, at):
            marks = ", ".join("?" * len(left))
            sql = f"SELECT DISTINCT code FROM {names_sql(workspace, KINDS[kind][0], at)} WHERE code IN ({marks})"  # noqa: S608
            rows = workspace.query(sql, params=tuple(left), snapshot=at)
            found |= dict.fromkeys(rows["code"].astype(str), kind)
    return found


def _carry(workspace: Workspace, policy_id: str, name: str, kind: str, entity: Entity, at: Snapshot) -> list[str]:
    if not kind or KINDS[kind][0] == entity:
        return [name]
    way = _INTO.get((kind, entity))
    if way is not None and workspace.has_table(way[0], at):
        replaced = read_replaced(workspace, at)
        # rows of a town stand under the codes it had as well
        codes = [name, *(made for made, official in replaced.items() if official == name)]
        params = (codes if kind == "town" else name,)
        rows = workspace.query(way[1], params=params, snapshot=at).iloc[:, 0].dropna().astype(str)
        if len(rows):
            return sorted({replaced.get(row, row) if entity == "town_code" else row for row in rows})
    wanted = next(k for k, (key, _) in KINDS.items() if key == entity)
    raise _not_carried(policy_id, f"{kind} {name}", wanted, f"no {wanted} is known for {kind} {name}")


def _refuse_part(workspace: Workspace, policy_id: str, spells: Sequence[Spell], at: Snapshot) -> None:
    """Refuse a town of which one cluster is treated and another is not: the town is neither."""
    if not workspace.has_table("clusters", at):
        return
    treated = {spell.entity for spell in spells}
    known = workspace.query("SELECT DISTINCT cluster_id, town_code FROM clusters", snapshot=at)
    known = known.replace({"town_code": read_replaced(workspace, at)})
    towns = set(known[known["cluster_id"].isin(treated)]["town_code"]) - treated
    beside = known[known["town_code"].isin(towns) & ~known["cluster_id"].isin(treated)]
    if len(beside):
        first = beside.iloc[0]
        found = f"town {first['town_code']}: cluster {first['cluster_id']} is not treated"
        raise _not_carried(policy_id, f"town {first['town_code']}", "town", found)


def _not_carried(policy_id: str, what: str, wanted: str, found: str) -> PolicyError:
    return PolicyError(
        "QB451", policy=policy_id, what=what, wanted_zh=KINDS[wanted][1].zh, wanted_en=wanted, found=found,
        expected=f"{wanted}s that are treated as a whole",
        fix=f'[[spell]] {wanted} = "…", or a panel of what the policy names (entity="cluster_id" | "town_code")',
    )  # fmt: skip
