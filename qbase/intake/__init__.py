"""Storey 3: delivery -> accepted and quarantined rows; nothing lost, nothing wrong in silence.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.intake.case import Case, PublishedNumber, list_cases, read_case

_HOME = {
    "case": ("Case", "PublishedNumber", "list_cases", "read_case"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["Case", "PublishedNumber", "list_cases", "read_case"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.intake.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
