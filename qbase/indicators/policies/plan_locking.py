"""The plan of a policy file goes into the ledger: whole, hashed, and once."""

from __future__ import annotations

import hashlib
import json
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any

from qbase.core.errors import PolicyError, UsageError
from qbase.core.policy import Plan
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.policies.locked_plan import FURTHER, PLAN, RECIPE, SINGLED, file_name, find_lock, stored_plan
from qbase.indicators.policies.policy_rules import read_instruments
from qbase.indicators.policies.policy_words import as_day, entries_of, read_policy_words
from qbase.lake import Delivery

if TYPE_CHECKING:
    from qbase.lake import Workspace


def lock_plan(workspace: Workspace, policy_id: str, path: pathlib.Path | None = None) -> Plan:
    """Lock the plan of a policy file: its words go into the ledger, with their hash and the order of snapshots.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger keeps it.
    policy_id : str
        Id of the policy; it need not be loaded yet.
    path : pathlib.Path or None
        The policy file; None is ``data/policies/ID.toml`` of the workspace.

    Returns
    -------
    Plan
        With ``locked_on`` and ``sha256``; ``post_hoc`` is decided when it is read (`read_plan`), for it takes the
        spells of the policy.

    Raises
    ------
    UsageError
        Not a readable TOML file (QB445), an unknown indicator (QB401), words of the plan are missing (QB453),
        or its instruments are unknown or more than two (QB456).
    PolicyError
        Another plan of this policy is locked already (QB454).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from qbase.indicators import lock_plan
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = pathlib.Path("bases.toml").write_text('''[plan]
    ... outcome = "D1.batch"
    ... population = "all clusters of the product"
    ... weight = "firms of the baseline frame"
    ... window = "12 quarters before, 8 after"
    ... comparator = "never treated"
    ... inference = "permutation of adoption dates"
    ... decision_dates = ["2025-03-31", "2026-03-31"]''', "utf-8")
    >>> plan = lock_plan(home, "bases", pathlib.Path("bases.toml"))
    >>> plan.outcome, plan.decision_dates, plan == lock_plan(home, "bases", pathlib.Path("bases.toml"))
    ('D1.batch', ('2025-03-31', '2026-03-31'), True)
    """
    file = path or workspace.root / "data" / "policies" / f"{policy_id}.toml"
    words = _words(policy_id, file)
    written = json.dumps(words, ensure_ascii=False, sort_keys=True, indent=1).encode()
    found = find_lock(workspace, policy_id)
    if found is None:
        workspace.commit(_store(workspace, policy_id, written), {})
        found = find_lock(workspace, policy_id)
    elif found["sha256"] != hashlib.sha256(written).hexdigest():
        raise PolicyError(
            "QB454", policy=policy_id, day=found["loaded_at"][:10],
            found=f"another plan, locked on {found['loaded_at'][:10]} in {found['snapshot']}",
            expected="the plan that was locked, word for word", fix=f"lock the changed one as {policy_id}-2",
        )  # fmt: skip
    return stored_plan(workspace, found or {}, post_hoc=True)


def _words(policy_id: str, file: pathlib.Path) -> dict[str, Any]:
    """Return the words of the plan in a form that has one spelling: what is hashed."""
    section = (entries_of(read_policy_words(file), "plan") or [{}])[0]
    missing = [word for word in PLAN if not str(section.get(word, "")).strip()]
    given = section.get("decision_dates", [])
    days = [as_day(day) for day in (given if isinstance(given, list) else [given])]
    if missing or not all(days):
        found = f"no [plan] {', '.join(missing)}" if missing else f"decision_dates {given}"
        raise UsageError(
            "QB453", policy=policy_id, found=found,
            expected=" · ".join(PLAN) + '; decision_dates = ["2025-03-31"] where there are any',
            fix=f"complete [plan] in {file.name}, then: qbase policy lock {policy_id}",
        )  # fmt: skip
    further = {word: _listed(section.get(word, [])) for word in FURTHER}
    for outcome in (str(section["outcome"]).strip(), *(i for ids in further.values() for i in ids)):
        find_indicator(outcome)
    plan = {word: " ".join(str(section[word]).split()) for word in PLAN}
    further[SINGLED] = read_instruments(section.get(SINGLED, []))
    stated = {word: ids for word, ids in further.items() if ids}
    return {"policy": policy_id, **plan, "decision_dates": sorted(days), **stated}


def _listed(given: object) -> list[str]:
    """Return the ids of further outcomes, each once, in order."""
    ids = given if isinstance(given, list) else [given]
    return list(dict.fromkeys(str(i).strip() for i in ids if str(i).strip()))


def _store(workspace: Workspace, policy_id: str, written: bytes) -> Delivery:
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / file_name(policy_id)
        file.write_bytes(written)
        sha256, _ = workspace.store_raw(file)
    return Delivery(sha256=sha256, file_name=file_name(policy_id), table="policies", recipe=RECIPE, verdict="OK")
