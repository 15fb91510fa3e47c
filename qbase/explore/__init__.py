"""Storey 9: looking around: a value in words or as a picture, and a workspace of one's own.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.explore.everyday import describe as describe
    from qbase.explore.everyday import plot as plot
    from qbase.explore.jupyter.lab_start import run_lab as run_lab
    from qbase.explore.panel_words import describe_panel as describe_panel
    from qbase.explore.table_words import TableWords as TableWords
    from qbase.explore.table_words import describe_table as describe_table
    from qbase.explore.table_words import write_empty_workbook as write_empty_workbook
    from qbase.explore.viewing.form_fields import Field as Field
    from qbase.explore.viewing.form_fields import build_field as build_field
    from qbase.explore.viewing.form_fields import read_form as read_form
    from qbase.explore.viewing.seen_view import estimate_view as estimate_view
    from qbase.explore.viewing.view import View as View
    from qbase.explore.viewing.view_choices import list_measured as list_measured
    from qbase.explore.viewing.view_choices import read_span as read_span
    from qbase.explore.viewing.view_code import write_view_code as write_view_code
    from qbase.explore.viewing.view_report import write_view_report as write_view_report
    from qbase.explore.widgets.explorer import open_explorer as open_explorer
    from qbase.explore.widgets.report_form import open_form as open_form
    from qbase.explore.workspace_making import add_letter as add_letter
    from qbase.explore.workspace_making import list_templates as list_templates
    from qbase.explore.workspace_making import new_workspace as new_workspace

__getattr__, __dir__ = lazy_room(__name__)
