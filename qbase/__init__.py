"""qbase: a workbench for the quality of industrial clusters and the policies that try to raise it.

``import qbase as qb`` offers the everyday verbs (``qb.open_workspace``, ``qb.build_panel`` …); each is loaded when it
is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room
from qbase.core.package import VERSION

if TYPE_CHECKING:
    from qbase.core.panel import Panel as Panel
    from qbase.core.policy import Policy as Policy
    from qbase.core.results.compared_editions import compare_last as compare_last
    from qbase.core.results.conclusion import conclude as conclude
    from qbase.core.results.records import record as record
    from qbase.core.results.sentences import say_each as say_each
    from qbase.effects.extra.event_study import estimate_event_study as estimate_event_study
    from qbase.effects.extra.twfe import estimate_twfe as estimate_twfe
    from qbase.explore.everyday import describe as describe
    from qbase.explore.everyday import plot as plot
    from qbase.indicators.availability import list_indicators as list_indicators
    from qbase.indicators.panel_building import build_panel as build_panel
    from qbase.indicators.policies.policy_spells import build_policy as build_policy
    from qbase.intake.loading.file_loading import load_files as load_files
    from qbase.intake.review.delivery_check import check_delivery as check_delivery
    from qbase.lake.workspace import Workspace as Workspace
    from qbase.lake.workspace import open_workspace as open_workspace
    from qbase.planning.precision.needed_batches import plan_batches as plan_batches
    from qbase.reports.comparing.last_results import read_last_results as read_last_results
    from qbase.reports.running.whole_run import run_report as run_report
    from qbase.scorecards.target_verdicts import score_targets as score_targets
    from qbase.trends.rates.rate_change import estimate_change as estimate_change
    from qbase.trends.rates.rate_level import estimate_level as estimate_level

__version__ = VERSION
__getattr__, __dir__ = lazy_room(__name__)
