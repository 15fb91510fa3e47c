"""Storey 0: the values everybody speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.core.conclusion import Conclusion, conclude
    from qbase.core.display import MIME, Column, Figure, Prose, Provenance, Table, Tile, Tiles
    from qbase.core.errors import DataError, PanelError, PolicyError, QbaseError, RunError, SetupError, UsageError
    from qbase.core.panel import Panel
    from qbase.core.policy import Plan, Policy, PolicyDate, Spell
    from qbase.core.records import record
    from qbase.core.result import Criterion, Result, Scorecard, add_checks
    from qbase.core.sentences import say_each
    from qbase.core.text import Text
    from qbase.core.values import CheckResult, Estimate, Indicator, Limits, ReportSpec, RunRecord, Source

__getattr__ = lazy_names(
    __name__,
    {
        "conclusion": ("Conclusion", "conclude"),
        "display": ("MIME", "Column", "Figure", "Prose", "Provenance", "Table", "Tile", "Tiles"),
        "errors": ("DataError", "PanelError", "PolicyError", "QbaseError", "RunError", "SetupError", "UsageError"),
        "panel": ("Panel",),
        "policy": ("Plan", "Policy", "PolicyDate", "Spell"),
        "records": ("record",),
        "result": ("Criterion", "Result", "Scorecard", "add_checks"),
        "sentences": ("say_each",),
        "text": ("Text",),
        "values": ("CheckResult", "Estimate", "Indicator", "Limits", "ReportSpec", "RunRecord", "Source"),
    },
)

__all__ = [
    "MIME", "CheckResult", "Column", "Conclusion", "Criterion", "DataError", "Estimate", "Figure", "Indicator",
    "Limits", "Panel", "PanelError", "Plan", "Policy", "PolicyDate", "PolicyError", "Prose", "Provenance",
    "QbaseError", "ReportSpec", "Result", "RunError", "RunRecord", "Scorecard", "SetupError", "Source", "Spell",
    "Table", "Text", "Tile", "Tiles", "UsageError", "add_checks", "conclude", "record",
    "say_each",
]  # fmt: skip
