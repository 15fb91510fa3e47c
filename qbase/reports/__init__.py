"""Storey 8: specification -> run -> page -> gallery. Knows notebooks by path, nothing of the rooms behind.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.reports.asking.given_check import check_given as check_given
    from qbase.reports.asking.letter_parameters import Parameter as Parameter
    from qbase.reports.asking.letter_parameters import read_parameters as read_parameters
    from qbase.reports.asking.report_spec import find_specs as find_specs
    from qbase.reports.asking.report_spec import list_specs as list_specs
    from qbase.reports.asking.report_spec import read_spec as read_spec
    from qbase.reports.asking.run_arguments import check_params as check_params
    from qbase.reports.asking.run_arguments import read_words as read_words
    from qbase.reports.rendering.gallery import build_gallery as build_gallery
    from qbase.reports.rendering.page_meta import report_meta as report_meta
    from qbase.reports.rendering.page_rendering import render_report as render_report
    from qbase.reports.running.published_pages import find_pages as find_pages
    from qbase.reports.running.run_batch import Job as Job
    from qbase.reports.running.run_batch import Outcome as Outcome
    from qbase.reports.running.run_batch import run_many as run_many
    from qbase.reports.running.run_states import close_dead_runs as close_dead_runs
    from qbase.reports.running.run_states import read_meta as read_meta
    from qbase.reports.running.whole_run import run_report as run_report
    from qbase.reports.upkeep.reconciliation import Discrepancy as Discrepancy
    from qbase.reports.upkeep.reconciliation import reconcile_runs as reconcile_runs

__getattr__, __dir__ = lazy_room(__name__)
