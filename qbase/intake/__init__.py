"""Storey 3: delivery -> accepted and quarantined rows; nothing lost, nothing wrong in silence.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.intake.case import Case, PublishedNumber, list_cases, read_case
    from qbase.intake.case_data import load_case
    from qbase.intake.load import load_files
    from qbase.intake.reasons import explain_reason
    from qbase.intake.recipe import Recipe, list_recipes, read_recipe
    from qbase.intake.report import LoadReport

_HOME = {
    "case": ("Case", "PublishedNumber", "list_cases", "read_case"),
    "case_data": ("load_case",),
    "load": ("load_files",),
    "reasons": ("explain_reason",),
    "recipe": ("Recipe", "list_recipes", "read_recipe"),
    "report": ("LoadReport",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Case", "LoadReport", "PublishedNumber", "Recipe", "explain_reason", "list_cases", "list_recipes", "load_case",
    "load_files", "read_case", "read_recipe",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.intake.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
