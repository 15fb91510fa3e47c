"""Storey 0: the values everybody speaks.

Names are loaded when first used, so that ``qbase --help`` pays for none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.core.conclusion import Conclusion, conclude
    from qbase.core.display import MIME, Column, Figure, Prose, Provenance, Table, Tile, Tiles
    from qbase.core.errors import DataError, PanelError, PolicyError, QbaseError, RunError, SetupError, UsageError
    from qbase.core.panel import Panel
    from qbase.core.policy import Plan, Policy, PolicyDate, Spell
    from qbase.core.records import record
    from qbase.core.result import Criterion, Result, Scorecard
    from qbase.core.text import Text
    from qbase.core.values import CheckResult, Estimate, Indicator, Limits, ReportSpec, RunRecord, Source

_HOME = {
    "conclusion": ("Conclusion", "conclude"),
    "display": ("MIME", "Column", "Figure", "Prose", "Provenance", "Table", "Tile", "Tiles"),
    "errors": ("DataError", "PanelError", "PolicyError", "QbaseError", "RunError", "SetupError", "UsageError"),
    "panel": ("Panel",),
    "policy": ("Plan", "Policy", "PolicyDate", "Spell"),
    "records": ("record",),
    "result": ("Criterion", "Result", "Scorecard"),
    "text": ("Text",),
    "values": ("CheckResult", "Estimate", "Indicator", "Limits", "ReportSpec", "RunRecord", "Source"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "MIME", "CheckResult", "Column", "Conclusion", "Criterion", "DataError", "Estimate", "Figure", "Indicator",
    "Limits", "Panel", "PanelError", "Plan", "Policy", "PolicyDate", "PolicyError", "Prose", "Provenance",
    "QbaseError", "ReportSpec", "Result", "RunError", "RunRecord", "Scorecard", "SetupError", "Source", "Spell",
    "Table", "Text", "Tile", "Tiles", "UsageError", "conclude", "record",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.core.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
