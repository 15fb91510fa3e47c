"""What a policy file may say: an id that can be typed, starts no earlier than the policy, targets that can be met."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import code, freq_of, period_at
from qbase.core.policy import Policy
from qbase.core.text import Text
from qbase.core.values import INSTRUMENTS, MOST_INSTRUMENTS
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.intake.values.cell_values import narrow

if TYPE_CHECKING:
    import pyarrow as pa

    from qbase.lake import Workspace

_ID = re.compile(r"\w[\w.-]*")


def misfit(place: str, found: str, expected: str, fix: str) -> DataError:
    """Return the error of a value that does not fit its place in the file (QB448)."""
    return DataError("QB448", place=place, found=found, expected=expected, fix=fix)


def check_id(policy_id: str) -> None:
    """Refuse an id that cannot be typed in a command, or be the name of a file.

    Raises
    ------
    DataError
        It holds other signs than letters, digits, ``_ . -`` (QB448).
    """
    if not _ID.fullmatch(policy_id):
        raise misfit("[policy] id", repr(policy_id), "letters, digits, _ . -", 'id = "zhili-2022"')


def read_instruments(given: object) -> list[str]:
    """Return the instruments a plan singles out, each once, in their own order: w3 and Ｗ3 are W3.

    Raises
    ------
    UsageError
        One that is none of W1 to W7, or more than two (QB456).
    """
    said = given if isinstance(given, list) else [given]
    texts = [text for text in (narrow(str(word)).strip().upper() for word in said) if text]
    unknown = [text for text in texts if text not in INSTRUMENTS]
    named = [code for code in INSTRUMENTS if code in texts]
    if unknown or len(named) > MOST_INSTRUMENTS:
        shown = ", ".join(unknown) or f"{len(named)}: {', '.join(named)}"
        kept = ", ".join(f'"{code}"' for code in named[:MOST_INSTRUMENTS] or INSTRUMENTS[:1])
        raise UsageError(
            "QB456", found=shown, expected=f"at most {MOST_INSTRUMENTS} of {' · '.join(INSTRUMENTS)}",
            fix=f"instruments = [{kept}]",
        )  # fmt: skip
    return named


def check_sense(policy: Policy, targets: Sequence[Mapping[str, str]]) -> None:
    """Refuse what is well written and cannot be meant.

    Parameters
    ----------
    policy : Policy
        Of the file.
    targets : sequence of mapping
        Rows of table targets as text.

    Raises
    ------
    DataError
        The id holds signs that cannot be typed in a command, a cluster is treated before the first date of the
        policy, or a target is in another unit or out of reach (QB448).
    """
    check_id(policy.policy_id)
    days = {name: pd.Timestamp(date.on) for name, date in policy.dates.items()}
    name, day = min(days.items(), key=lambda item: item[1])
    for spell in policy.spells:
        begun = period_at(day, freq_of(spell.start))
        if spell.start < begun:
            found = f"{spell.entity} from {code(spell.start)}, {name} {day.date()}"
            first = code(begun)
            raise misfit("[[spell]] start", found, f"{first} or later", f"correct start, or state the date of {name}")
    for row in targets:
        _check_target(row)


def find_rarities(policy: Policy) -> tuple[Text, ...]:
    """Return what a policy may say and seldom does, to be read again: effect before the announcement.

    Documents with effect for the past exist; whoever estimates an effect must know that nobody could act on it before.
    """
    announced, effective = policy.dates.get("announced"), policy.dates.get("effective")
    if announced is None or effective is None or announced.on <= effective.on:
        return ()
    return (
        Text(
            f"施行日期 {effective.on} 早于公布日期 {announced.on}，属追溯施行，请核对；日期来源：{announced.source}",
            f"took effect on {effective.on}, announced only on {announced.on}: retroactive, please check; "
            f"source of the dates: {announced.source}",
        ),
    )


def _check_target(row: Mapping[str, str]) -> None:
    measured = find_indicator(row["indicator_id"])
    unit, i = measured.indicator.unit, measured.indicator.id
    if row.get("unit_code", unit) != unit:
        raise misfit("[[target]] unit", f"{row['unit_code']!r} for {i}", unit, f'unit = "{unit}", and value in it')
    if not row.get("value"):
        return
    value = float(row["value"])
    is_rate = measured.kind in ("rate", "weighted")
    low, high = (0.0, 100.0) if is_rate else (0.0, 1.0) if unit in ("share", "flag") else (0.0, float("inf"))
    if measured.kind in ("index", "difference") and unit not in ("share", "flag", "rank"):
        low = -high
    if not low <= value <= high:
        raise misfit("[[target]] value", f"{value:g} for {i}", f"{low:g} … {high:g} {unit}", "correct value")
    if is_rate and measured.indicator.better == "up" and 0 < value <= 1:
        raise misfit("[[target]] value", f"{value:g} for {i}", f"percent: {100 * value:g}", f"value = {100 * value:g}")


def check_new(workspace: Workspace, policy_id: str, tables: Mapping[str, pa.Table]) -> None:
    """Refuse what the lake has already: of two rows with one key neither would count.

    Raises
    ------
    DataError
        The policy, one of its targets or one of its doses is loaded (QB450).
    """
    at = workspace.snapshot()
    old: list[str] = []
    if workspace.has_table("policies", at):
        known = workspace.query("SELECT policy_id FROM policies WHERE policy_id = ?", params=(policy_id,), snapshot=at)
        old += [f"policy {policy_id}"] * bool(len(known))
    if not old and "targets" in tables and workspace.has_table("targets", at):
        stored = set(workspace.query("SELECT DISTINCT target_id FROM targets", snapshot=at)["target_id"])
        old += [f"target {i}" for i in tables["targets"]["target_id"].to_pylist() if i in stored]
    if not old and "instruments" in tables and workspace.has_table("instruments", at):
        doses = workspace.query("SELECT DISTINCT cluster_id, quarter FROM instruments", snapshot=at)
        taken = set(zip(doses["cluster_id"], doses["quarter"], strict=True))
        rows = tables["instruments"].select(["cluster_id", "quarter"]).to_pylist()
        old += [f"doses of {r['cluster_id']} in {r['quarter']}" for r in rows if tuple(r.values()) in taken]
    if old:
        fixes = {"policy": f'id = "{policy_id}-2"', "target": "leave out id of the [[target]]"}
        raise DataError(
            "QB450",
            what=old[0],
            found="; ".join(old[:3]) + (f"; … ({len(old)})" if len(old) > 3 else ""),
            expected="a policy, targets and doses that are not loaded yet",
            fix=fixes.get(old[0].split()[0], "remove these [[dose]] entries"),
        )
