"""Storey 4: from a snapshot of the lake to a panel, a policy or a published case.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.indicators.case import build_case, check_case
    from qbase.indicators.catalogue import find_indicator, read_catalogue
    from qbase.indicators.coverage import Coverage, check_coverage, read_coverage
    from qbase.indicators.panel import build_panel
    from qbase.indicators.policy import build_policy

_HOME = {
    "case": ("build_case", "check_case"),
    "catalogue": ("find_indicator", "read_catalogue"),
    "coverage": ("Coverage", "check_coverage", "read_coverage"),
    "panel": ("build_panel",),
    "policy": ("build_policy",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Coverage", "build_case", "build_panel", "build_policy", "check_case", "check_coverage", "find_indicator",
    "read_catalogue", "read_coverage",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.indicators.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
