"""The plan of a policy as the ledger holds it: what was to be judged, and whether it was written before looking."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

from qbase.core.errors import PolicyError
from qbase.core.policy import Plan, Policy

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

RECIPE = "plan_lock"
PLAN = ("outcome", "population", "weight", "window", "comparator", "inference")
FURTHER = ("secondary", "placebo")
"""Lists of further outcomes; a plan that names none is stored without the word, as plans always were."""
SINGLED = "instruments"
"""The list of instruments; stored in the same way."""
OBSERVED = ("inspections", "sample_date")
"""Table and day of the rows a plan must come before."""


def read_plan(workspace: Workspace, policy: Policy, *, snapshot: str | Snapshot | None = None) -> Plan | None:
    """Return the plan of a policy, and whether it was entered before anything of the policy's time could be seen.

    Parameters
    ----------
    workspace : Workspace
        Its ledger holds locked plans and the order of snapshots.
    policy : Policy
        Its spells say when the policy's time begins; its own plan, as its table has it, serves where none is locked.
    snapshot : str, Snapshot or None
        As it was then; the latest when None.

    Returns
    -------
    Plan or None
        ``post_hoc`` is False only where no snapshot up to the one the plan came with holds an inspection of the
        policy's time. A day typed into a file can make a plan post hoc, never the reverse. None without any plan.

    Examples
    --------
    >>> from qbase.indicators import build_policy, read_plan
    >>> from qbase.lake import open_workspace
    >>> read_plan(open_workspace(), build_policy(open_workspace(), "base")) is None
    True
    """
    found = find_lock(workspace, policy.policy_id, snapshot)
    begins = min(start.start_time for start in policy.first_treated.values()).date()
    if found is not None:
        seen = _saw_policy_time(workspace, int(str(found["snapshot"])[1:]), begins)
        return stored_plan(workspace, found, post_hoc=seen)
    plan = policy.plan
    if plan is None or plan.post_hoc:
        return plan
    number = _entered(workspace, policy.policy_id, snapshot)
    if number is not None and _saw_policy_time(workspace, number, begins):
        return Plan(**{name: getattr(plan, name) for name in PLAN}, locked_on=plan.locked_on, post_hoc=True)
    return plan


def file_name(policy_id: str) -> str:
    """Return the name a locked plan is stored under."""
    return f"{policy_id}.plan.json"


def find_lock(workspace: Workspace, policy_id: str, snapshot: str | Snapshot | None = None) -> dict[str, Any] | None:
    """Return the ledger's entry of a locked plan, the first one; None where none is locked."""
    rows = workspace.deliveries(every=True, snapshot=snapshot)
    locked = rows[(rows["recipe"] == RECIPE) & (rows["file_name"] == file_name(policy_id))]
    return None if locked.empty else {str(k): v for k, v in locked.iloc[0].items()}


def stored_plan(workspace: Workspace, found: dict[str, Any], *, post_hoc: bool) -> Plan:
    """Return a locked plan from its stored bytes.

    Raises
    ------
    PolicyError
        The bytes are not those that were locked (QB454).
    """
    sha256 = str(found["sha256"])
    file = workspace.raw / sha256[:2] / sha256 / str(found["file_name"])
    written = file.read_bytes()
    if hashlib.sha256(written).hexdigest() != sha256:
        raise PolicyError(
            "QB454", policy=str(found["file_name"]), day=str(found["loaded_at"])[:10],
            found="a stored plan whose bytes were changed", expected=f"sha256 {sha256}",
            fix="restore the file from a backup of data/raw",
        )  # fmt: skip
    words = json.loads(written)
    return Plan(
        **{word: words[word] for word in PLAN},
        decision_dates=tuple(words["decision_dates"]),
        secondary=tuple(words.get("secondary", ())),
        placebo=tuple(words.get("placebo", ())),
        instruments=tuple(words.get(SINGLED, ())),
        locked_on=str(found["loaded_at"])[:10],
        sha256=sha256,
        post_hoc=post_hoc,
    )


def _entered(workspace: Workspace, policy_id: str, snapshot: str | Snapshot | None) -> int | None:
    """Return the number of the snapshot the row of a policy came with."""
    at = workspace.snapshot(snapshot)
    row = workspace.query("SELECT * FROM policies WHERE policy_id = ?", params=(policy_id,), snapshot=at)
    if row.empty or "delivery_sha256" not in row:
        return None
    brought = workspace.deliveries(every=True, sha256=str(row["delivery_sha256"].iloc[0]))
    return None if brought.empty else int(str(brought["snapshot"].iloc[0])[1:])


def _saw_policy_time(workspace: Workspace, until: int, begins: datetime.date) -> bool:
    """Return whether a snapshot up to one holds a row of the policy's time, also if it was withdrawn later."""
    table, day = OBSERVED
    asked: set[int] = set()
    for number in range(until, 0, -1):
        at = workspace.snapshot(f"S{number:04d}")
        version = at.versions.get(table)
        if version is None or version in asked:
            continue
        asked.add(version)
        sql = f"SELECT count(*) AS n FROM {table} WHERE {day} >= ?"  # noqa: S608, both names are ours
        if int(workspace.query(sql, params=(begins,), snapshot=at)["n"].iloc[0]):
            return True
    return False
