"""Storey 9: looking around. Text first: what a panel holds, and a workspace of one's own.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.explore.panels import describe_panel
    from qbase.explore.workspaces import add_letter, list_templates, new_workspace

__getattr__ = lazy_names(
    __name__,
    {
        "panels": ("describe_panel",),
        "workspaces": ("add_letter", "list_templates", "new_workspace"),
    },
)

__all__ = ["add_letter", "describe_panel", "list_templates", "new_workspace"]
