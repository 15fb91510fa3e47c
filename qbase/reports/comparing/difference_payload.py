"""A difference of two runs as plain values for JSON: what is alike is counted, what differs is listed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from qbase.core.results.compared_numbers import Compared
from qbase.core.results.told_numbers import Told
from qbase.reports.comparing.earlier_runs import as_plain
from qbase.reports.comparing.run_difference import Difference
from qbase.reports.comparing.table_difference import TableChange


def payload_of(difference: Difference) -> dict[str, Any]:
    """Return a difference as plain values for JSON."""
    differing = [n for n in difference.numbers if n.fate != "same"]
    return {
        "before": as_plain(difference.before),
        "after": as_plain(difference.after),
        "is_same": difference.is_empty,
        **{
            part: [dataclasses.asdict(change) for change in getattr(difference, part)]
            for part in ("params", "data", "versions", "checks", "conclusions")
        },
        "numbers": {
            **count_fates(n.fate for n in difference.numbers),
            "moved": sum(n.has_moved for n in difference.numbers),
            "turned": sum(n.has_turned for n in difference.numbers),
            "listed": [plain_number(n) for n in differing],
        },
        "tables": {
            **count_fates(t.fate for t in difference.tables),
            "listed": [_table(t) for t in difference.tables if t.fate != "same"],
        },
        "figures": {
            **count_fates(difference.figures.values()),
            "listed": [{"name": n, "fate": f} for n, f in difference.figures.items() if f != "same"],
        },
    }


def count_fates(fates: Any) -> dict[str, int]:
    """Return how many there are of each fate, zeros too."""
    counted = Counter(fates)
    return {fate: counted[fate] for fate in ("same", "changed", "appeared", "gone")}


def plain_number(compared: Compared) -> dict[str, Any]:
    """Return one number of two runs as plain values."""
    told = compared.told
    return {
        "result": told.result,
        "about": told.about.payload(),
        "whom": told.whom.payload(),
        "term": told.estimate.term,
        "key": dict(told.estimate.key),
        "period": told.period,
        "unit": told.unit,
        "fate": compared.fate,
        "is_of_one_period": compared.is_of_one_period,
        "before": _side(compared.before),
        "after": _side(compared.after),
        "change": compared.change,
        "half_widths": compared.half_widths,
        "has_moved": compared.has_moved,
        "has_turned": compared.has_turned,
    }


def _side(told: Told | None) -> dict[str, Any] | None:
    if told is None:
        return None
    e = told.estimate
    return {"value": e.value, "ci_low": e.ci_low, "ci_high": e.ci_high, "n_obs": e.n_obs, "verdict": told.verdict}


def _table(table: TableChange) -> dict[str, Any]:
    cells = [dataclasses.asdict(cell) | {"change": cell.change} for cell in table.cells]
    return dataclasses.asdict(table) | {"cells": cells}
