"""Snapshot of the lake → policy: who was treated from when, by which document."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.periods import CODES, Freq, convert, parse_period
from qbase.core.policy import DateName, Plan, Policy, PolicyDate, Spell
from qbase.core.text import Text
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.policies.locked_plan import PLAN, read_plan
from qbase.indicators.policies.policy_doses import carry_doses
from qbase.indicators.policies.policy_places import carry_spells
from qbase.lake.entity_names import read_replaced

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

DATES: tuple[DateName, ...] = ("drafted", "announced", "effective", "funded", "accepted")

_POLICIES = "SELECT DISTINCT * FROM policies ORDER BY policy_id"
_SPELLS = "SELECT DISTINCT * FROM spells WHERE policy_id = ? ORDER BY entity_id, start_quarter"


def build_policy(
    workspace: Workspace, policy_id: str, *, freq: Freq = "Q", entity: Entity | None = None, snapshot: str | None = None
) -> Policy:
    """Build a policy from tables policies and spells.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    policy_id : str
        Key of table policies.
    freq : {"Q", "H", "A"}
        Period of the panel it goes with; by half-year and year a spell starts in that of its first quarter.
    entity : {"cluster_id", "firm_id", "town_code"} or None
        What the panel follows: the spell of a cluster is carried to its town or its firms. None leaves spells as they
        were written.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    Policy
        ``plan`` is that of `read_plan`: locked in the ledger, else as the table states it, else None. Where it names
        instruments, ``doses`` are those of `read_doses`, if there are any.

    Raises
    ------
    UsageError
        No such policy (QB405), or frequency (QB402).
    DataError
        A table is missing (QB403).
    PolicyError
        Nobody is treated (QB130), spells are impossible (QB131), or cannot be carried to the entity (QB451).

    Examples
    --------
    >>> from qbase.indicators import build_policy
    >>> from qbase.lake import open_workspace
    >>> policy = build_policy(open_workspace(), "base")
    >>> policy
    <Policy base: 5 treated, binary>
    >>> {spell.entity: str(spell.start) for spell in policy.spells}
    {'K001': '2022Q3', 'K005': '2021Q3', 'K006': '2019Q3', 'K008': '2022Q3', 'K009': '2020Q3'}
    """
    at = workspace.snapshot(snapshot)
    asked = (policy_id, freq, entity)
    policy = keep_value(workspace, "policy", asked, at, lambda: _read(workspace, policy_id, freq, entity, at))
    # whether a plan was locked, and is still the one that was, is asked anew each time
    planned = dataclasses.replace(policy, plan=read_plan(workspace, policy, snapshot=at))
    return carry_doses(workspace, planned, snapshot=at)


def _read(workspace: Workspace, policy_id: str, freq: Freq, entity: Entity | None, at: Snapshot) -> Policy:
    for table in ("policies", "spells"):
        require_table(workspace, table, at)
    if freq not in CODES:
        raise UsageError(
            "QB402", option="freq", value=freq, found=f"freq={freq!r}", expected=" | ".join(CODES), fix='freq="Q"'
        )
    policies = workspace.query(_POLICIES, snapshot=at)
    ids = [str(p) for p in policies["policy_id"]]
    if policy_id not in ids:
        raise UsageError(
            "QB405",
            policy=policy_id,
            found=repr(policy_id),
            expected=" | ".join(ids) or "no policy loaded yet",
            fix=suggest_names(policy_id, ids) or "qbase load FILE…",
        )
    row = {str(k): v for k, v in policies.iloc[ids.index(policy_id)].items()}
    spells = workspace.query(_SPELLS, params=(policy_id,), snapshot=at)
    # a town named by a code made by rule is the one of the official code that replaced it
    spells = spells.replace({"entity_id": read_replaced(workspace, at)})
    treated = tuple(dict.fromkeys(_spell(s, freq) for s in spells.to_dict("records")))
    return Policy(
        policy_id=policy_id,
        title=Text(str(row["policy_name"]), _text(row, "policy_name_en") or str(row["policy_name"])),
        spells=treated if entity is None else carry_spells(workspace, policy_id, treated, entity, at),
        dates=_dates(row),
        group=_groups(spells),
        kind=row["kind"],
        plan=_plan(row),
        sources=tuple(workspace.source(t, at) for t in ("policies", "spells")),
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None or pd.isna(value) else str(value)


def _day(row: Mapping[str, Any], column: str) -> str:
    text = _text(row, column)
    return pd.Timestamp(text).date().isoformat() if text else ""


def _dates(row: Mapping[str, Any]) -> dict[str, PolicyDate]:
    days = {name: _day(row, f"{name}_date") for name in DATES}
    return {
        name: PolicyDate(on=day, source=str(row["date_source"]), confidence=row["date_confidence"])
        for name, day in days.items()
        if day
    }


def _spell(row: Mapping[Any, Any], freq: Freq) -> Spell:
    end = _text(row, "end_quarter")
    return Spell(
        entity=str(row["entity_id"]),
        start=_period(str(row["start_quarter"]), freq),
        end=_period(end, freq) if end else None,
    )


def _period(quarter: str, freq: Freq) -> pd.Period:
    return convert(parse_period(quarter, "Q"), freq)


def _groups(spells: pd.DataFrame) -> dict[str, str]:
    if "group_name" not in spells.columns:
        return {}
    stated = spells.dropna(subset=["group_name"])
    return {str(e): str(g) for e, g in zip(stated["entity_id"], stated["group_name"], strict=True)}


def _plan(row: Mapping[str, Any]) -> Plan | None:
    parts: dict[str, Any] = {name: _text(row, f"plan_{name}") for name in PLAN}
    if not parts["outcome"]:
        return None
    locked, effective = _day(row, "plan_locked_date"), _day(row, "effective_date")
    return Plan(**parts, locked_on=locked, post_hoc=not (locked and locked <= effective), decision_dates=())
