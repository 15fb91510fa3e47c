"""Storey 9: looking around: a value in words or as a picture, and a workspace of one's own.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.explore.everyday import describe as describe
    from qbase.explore.everyday import plot as plot
    from qbase.explore.panel_words import describe_panel as describe_panel
    from qbase.explore.table_words import TableWords as TableWords
    from qbase.explore.table_words import describe_table as describe_table
    from qbase.explore.table_words import write_empty_workbook as write_empty_workbook
    from qbase.explore.workspace_making import add_letter as add_letter
    from qbase.explore.workspace_making import list_templates as list_templates
    from qbase.explore.workspace_making import new_workspace as new_workspace

__getattr__, __dir__ = lazy_room(__name__)
