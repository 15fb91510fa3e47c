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
    from qbase.reports.asking.run_arguments import read_grid as read_grid
    from qbase.reports.asking.run_arguments import read_words as read_words
    from qbase.reports.batching.batch_jobs import Job as Job
    from qbase.reports.batching.batch_jobs import Outcome as Outcome
    from qbase.reports.batching.cluster_batch import run_on_cluster as run_on_cluster
    from qbase.reports.batching.resumed_runs import resume_runs as resume_runs
    from qbase.reports.batching.run_batch import run_many as run_many
    from qbase.reports.batching.run_planning import plan_jobs as plan_jobs
    from qbase.reports.comparing.last_results import read_last_results as read_last_results
    from qbase.reports.comparing.moved_numbers import Moves as Moves
    from qbase.reports.comparing.moved_numbers import close_moves as close_moves
    from qbase.reports.comparing.moved_numbers import list_moves as list_moves
    from qbase.reports.comparing.moved_numbers import read_moves as read_moves
    from qbase.reports.comparing.run_difference import Difference as Difference
    from qbase.reports.comparing.run_difference import compare_runs as compare_runs
    from qbase.reports.releasing.release_requests import Release as Release
    from qbase.reports.releasing.release_requests import claim_review as claim_review
    from qbase.reports.releasing.release_requests import close_release as close_release
    from qbase.reports.releasing.release_requests import decide_release as decide_release
    from qbase.reports.releasing.release_requests import find_release as find_release
    from qbase.reports.releasing.release_requests import list_releases as list_releases
    from qbase.reports.releasing.release_requests import queue_release as queue_release
    from qbase.reports.releasing.shared_pages import SharedPage as SharedPage
    from qbase.reports.releasing.shared_pages import export_pages as export_pages
    from qbase.reports.rendering.gallery import build_gallery as build_gallery
    from qbase.reports.rendering.page_meta import report_meta as report_meta
    from qbase.reports.rendering.page_rendering import render_report as render_report
    from qbase.reports.running.published_pages import find_pages as find_pages
    from qbase.reports.running.run_states import close_dead_runs as close_dead_runs
    from qbase.reports.running.run_states import read_meta as read_meta
    from qbase.reports.running.whole_run import run_report as run_report
    from qbase.reports.scheduling.due_instants import list_dues as list_dues
    from qbase.reports.scheduling.schedule_reading import Schedule as Schedule
    from qbase.reports.scheduling.schedule_reading import read_schedules as read_schedules
    from qbase.reports.ticking.schedule_tick import Tick as Tick
    from qbase.reports.ticking.schedule_tick import run_due as run_due
    from qbase.reports.upkeep.pruned_runs import Pruned as Pruned
    from qbase.reports.upkeep.pruned_runs import prune_runs as prune_runs
    from qbase.reports.upkeep.reconciliation import Discrepancy as Discrepancy
    from qbase.reports.upkeep.reconciliation import reconcile_runs as reconcile_runs

__getattr__, __dir__ = lazy_room(__name__)
