"""Whether a contract agrees with itself."""

from __future__ import annotations

import re

from qbase.tables.contract_model import ColumnRule, Contract
from qbase.tables.header_normal import normalise_header

_NAME = re.compile(r"[a-z][a-z0-9_]*")

Fault = tuple[str, str]


def find_fault(contract: Contract) -> Fault | None:
    """Return the first thing in which a contract contradicts itself, as found and expected; None when it is sound.

    Parameters
    ----------
    contract : Contract
        As its file says.

    Returns
    -------
    tuple of (str, str) or None
    """
    names = [contract.name, *contract.column_names, *(r.code for r in contract.rules)]
    wrong = [n for n in names if not _NAME.fullmatch(str(n))]
    doubled = sorted({n for n in contract.column_names if contract.column_names.count(n) > 1})
    if isinstance(contract.version, bool) or not isinstance(contract.version, int) or contract.version < 1:
        return f"version = {contract.version!r}", "a whole number from 1"
    if wrong:
        return f"name {wrong[0]!r}", "lower-case letters, digits and underscores"
    if doubled:
        return f"two columns {doubled[0]}", "one column per name"
    found = [_find_in_key(contract), _find_header_clash(contract), *(_find_in(c, contract) for c in contract.columns)]
    return next((fault for fault in found if fault is not None), None)


def _find_in(column: ColumnRule, contract: Contract) -> Fault | None:
    known = set(contract.column_names)
    if column.counts and (len(column.counts) != 2 or not set(column.counts) <= known):
        return f"column {column.name}: counts {', '.join(column.counts)}", "two columns: part, whole"
    if not set(column.instead) <= known - {column.name}:
        return f"column {column.name}: instead {', '.join(column.instead)}", "other columns of the table"
    if column.unstated and column.unstated not in column.values:
        return f"column {column.name}: unstated {column.unstated!r}", " | ".join(column.values) or "an enum"
    if column.min is not None and column.max is not None and column.min > column.max:  # type: ignore[operator]
        return f"column {column.name}: min {column.min} above max {column.max}", "min <= max"
    return None


def _find_in_key(contract: Contract) -> Fault | None:
    required = [c.name for c in contract.columns if c.required]
    wrong = [k for k in contract.key if k not in required]
    if wrong:
        return f"key {', '.join(wrong)}", f"required columns: {', '.join(required)}"
    odd = [c for c in contract.repeats if c in contract.key or c not in contract.column_names]
    if odd:
        return f"repeats {', '.join(odd)}", "columns outside the key"
    period = contract.period_column
    dated = [c.name for c in contract.columns if c.type in ("date", "quarter")]
    if period is not None and period not in dated:
        return f"period_column = {period!r}", " | ".join(dated) or "a date or quarter column"
    return None


def _find_header_clash(contract: Contract) -> Fault | None:
    owner: dict[str, str] = {}
    for column in contract.columns:
        for header in {normalise_header(h) for h in column.headers}:
            if owner.setdefault(header, column.name) != column.name:
                return f"header {header!r} means {owner[header]} and {column.name}", "one column per header"
    return None
