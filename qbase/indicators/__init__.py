"""Storey 4: from a snapshot of the lake to a panel, a policy or a published case.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.indicators.availability import Availability, list_indicators
    from qbase.indicators.case import build_case, check_case
    from qbase.indicators.catalogue import CatalogueRow, find_indicator, read_catalogue, read_rows
    from qbase.indicators.clauses import Clause, find_clauses, read_clauses
    from qbase.indicators.coverage import Coverage, check_coverage, read_coverage
    from qbase.indicators.panel import build_panel
    from qbase.indicators.policy import build_policy
    from qbase.indicators.structure import estimate_structure

_HOME = {
    "availability": ("Availability", "list_indicators"),
    "case": ("build_case", "check_case"),
    "catalogue": ("CatalogueRow", "find_indicator", "read_catalogue", "read_rows"),
    "clauses": ("Clause", "find_clauses", "read_clauses"),
    "coverage": ("Coverage", "check_coverage", "read_coverage"),
    "panel": ("build_panel",),
    "policy": ("build_policy",),
    "structure": ("estimate_structure",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Availability", "CatalogueRow", "Clause", "Coverage", "build_case", "build_panel", "build_policy", "check_case",
    "check_coverage", "estimate_structure", "find_clauses", "find_indicator", "list_indicators", "read_catalogue",
    "read_clauses", "read_coverage", "read_rows",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.indicators.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
