"""What changed between two versions of a contract: what old and new rows can share, and what they cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qbase.tables.contracts import Contract

Structure = Mapping[str, Any]

_LIMITS = ("min", "max", "pattern", "check")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContractChange:
    """Differences between the contract rows were stored under and the one of today.

    Parameters
    ----------
    added : tuple of str
        Optional columns that are new: empty in the rows stored before.
    loosened : tuple of str
        Columns and rules whose limits changed: new rows are judged differently, and mean the same.
    broken : tuple of str
        Old and new rows differ in what they hold, each as ``column: before -> now``; a person may let them stand
        side by side.
    unmixable : tuple of str
        One column would hold two types, two units or two meanings of a word; nobody can read it any more.

    Examples
    --------
    >>> from qbase.tables import ContractChange
    >>> change = ContractChange(added=("notice_no",), unmixable=("revenue_wan_cny: 万元 -> 元",))
    >>> change.added, change.unmixable
    (('notice_no',), ('revenue_wan_cny: 万元 -> 元',))
    """

    added: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    unmixable: tuple[str, ...] = ()


def describe_contract(contract: Contract) -> dict[str, Any]:
    """Return what decides how rows are stored, judged and understood; names for readers and headers do not.

    Parameters
    ----------
    contract : Contract
        Of a table.

    Returns
    -------
    dict
        Plain values for JSON: ``version``, ``key``, ``columns``, ``rules``.

    Examples
    --------
    >>> from qbase.tables import describe_contract, read_contract
    >>> stored = describe_contract(read_contract("inspections"))
    >>> stored["version"], stored["key"], stored["columns"]["sample_date"]["type"]
    (3, ['sample_no'], 'date')
    """
    columns = {
        column.name: {
            "type": column.type,
            "unit": column.unit,
            "required": column.required,
            "values": {value: sorted(spellings) for value, spellings in column.values.items()},
            **{name: getattr(column, name) for name in _LIMITS},
        }
        for column in contract.columns
    }
    rules = {rule.code: rule.sql for rule in contract.rules}
    return {"version": contract.version, "key": list(contract.key), "columns": columns, "rules": rules}


def compare_contracts(before: Structure, now: Structure) -> ContractChange:
    """Compare the structure rows were stored under with that of today.

    A new optional column, a further value, a column that may now be empty, other limits and other rules leave the
    meaning of stored rows alone. A column that is gone, that became required, of another type or unit, a value that
    is gone, a spelling that means another value, and another key do not.

    Parameters
    ----------
    before, now : mapping
        From `describe_contract`.

    Returns
    -------
    ContractChange

    Examples
    --------
    >>> import dataclasses
    >>> from qbase.tables import compare_contracts, describe_contract, read_contract
    >>> towns = read_contract("towns")
    >>> less = dataclasses.replace(towns, columns=towns.columns[:-1])
    >>> compare_contracts(describe_contract(less), describe_contract(towns))
    ContractChange(added=('successor_code',), loosened=(), broken=(), unmixable=())
    """
    old, new = before["columns"], now["columns"]
    shared = [name for name in new if name in old]
    unmixable = [change for name in shared for change in _find_unmixable(name, old[name], new[name])]
    broken = [f"{name}: {old[name]['type']} -> -" for name in old if name not in new]
    broken += [f"{name}: - -> required" for name in new if name not in old and new[name]["required"]]
    broken += [change for name in shared for change in _find_broken(name, old[name], new[name])]
    if before["key"] != now["key"]:
        broken.append(f"key: {', '.join(before['key']) or '-'} -> {', '.join(now['key']) or '-'}")
    told = {change.partition(":")[0] for change in (*unmixable, *broken)}
    rules = before["rules"], now["rules"]
    return ContractChange(
        added=tuple(name for name in new if name not in old and not new[name]["required"]),
        loosened=(
            *(name for name in shared if old[name] != new[name] and name not in told),
            *sorted(code for code in {*rules[0], *rules[1]} if rules[0].get(code) != rules[1].get(code)),
        ),
        broken=tuple(broken),
        unmixable=tuple(unmixable),
    )


def _find_unmixable(name: str, old: Structure, new: Structure) -> list[str]:
    found = [f"{name}: {old[part] or '-'} -> {new[part] or '-'}" for part in ("type", "unit") if old[part] != new[part]]
    meant = {spelling: value for value, spellings in new["values"].items() for spelling in (value, *spellings)}
    for value, spellings in old["values"].items():
        moved = [spelling for spelling in spellings if meant.get(spelling, value) != value]
        found += [f"{name}: {spelling} = {value} -> {meant[spelling]}" for spelling in moved]
    return found


def _find_broken(name: str, old: Structure, new: Structure) -> list[str]:
    found = [f"{name}: optional -> required"] if new["required"] and not old["required"] else []
    if old["type"] == new["type"]:
        found += [f"{name}: {value} -> -" for value in old["values"] if value not in new["values"]]
    return found
