"""Storey 9: looking around. Text first: what a panel holds, and a workspace of one's own.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.explore.panels import describe_panel
    from qbase.explore.workspaces import add_letter, list_templates, new_workspace

_HOME = {
    "panels": ("describe_panel",),
    "workspaces": ("add_letter", "list_templates", "new_workspace"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["add_letter", "describe_panel", "list_templates", "new_workspace"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.explore.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
