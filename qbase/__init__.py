"""qbase: a workbench for the quality of industrial clusters and the policies that try to raise it.

``import qbase as qb`` offers the everyday verbs (``qb.open_workspace``, ``qb.build_panel`` …); each is loaded when it
is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import VERSION, lazy_room

if TYPE_CHECKING:
    from qbase.core.panel import Panel as Panel
    from qbase.core.policy import Policy as Policy
    from qbase.core.policy import PolicyDate as PolicyDate
    from qbase.core.policy import Spell as Spell
    from qbase.core.policy import match_policy as match_policy
    from qbase.core.results.compared_editions import compare_last as compare_last
    from qbase.core.results.conclusion import conclude as conclude
    from qbase.core.results.records import record as record
    from qbase.core.results.result import Result as Result
    from qbase.core.results.result import Scorecard as Scorecard
    from qbase.core.results.result import add_checks as add_checks
    from qbase.core.results.sentences import say_each as say_each
    from qbase.core.text import Text as Text
    from qbase.core.values import Estimate as Estimate
    from qbase.core.values import Indicator as Indicator
    from qbase.core.values import Source as Source
    from qbase.effects.comparison.default_controls import choose_controls as choose_controls
    from qbase.effects.estimators.advised import estimate_advised as estimate_advised
    from qbase.effects.estimators.instruments import estimate_instruments as estimate_instruments
    from qbase.effects.estimators.published_effects import estimate_published as estimate_published
    from qbase.effects.estimators.secondary import estimate_secondary as estimate_secondary
    from qbase.effects.extra.event_study import estimate_event_study as estimate_event_study
    from qbase.effects.extra.twfe import estimate_twfe as estimate_twfe
    from qbase.effects.judging.advice import advise as advise
    from qbase.effects.judging.deciding import decide as decide
    from qbase.effects.judging.reconciled import find_alike as find_alike
    from qbase.effects.judging.reconciled import reconcile_all as reconcile_all
    from qbase.effects.lab.design_power import estimate_design_power as estimate_design_power
    from qbase.effects.lab.design_quality import estimate_design_quality as estimate_design_quality
    from qbase.explore.everyday import describe as describe
    from qbase.explore.everyday import plot as plot
    from qbase.export.inert_csv import write_csv as write_csv
    from qbase.export.inert_workbook import write_xlsx as write_xlsx
    from qbase.export.table_file import write_table as write_table
    from qbase.figures.charts.decomposition_figure import plot_decomposition as plot_decomposition
    from qbase.figures.charts.indicator_tiles import tiles_of as tiles_of
    from qbase.figures.charts.panel_figure import plot_panel as plot_panel
    from qbase.figures.charts.trend_figure import plot_trend as plot_trend
    from qbase.figures.comparing.clause_figure import plot_clauses as plot_clauses
    from qbase.figures.comparing.funnel_figure import plot_funnel as plot_funnel
    from qbase.figures.comparing.gate_figure import plot_gates as plot_gates
    from qbase.figures.comparing.index_figure import plot_index_ranks as plot_index_ranks
    from qbase.figures.comparing.index_tables import tabulate_index_parts as tabulate_index_parts
    from qbase.figures.comparing.index_tables import tabulate_index_steps as tabulate_index_steps
    from qbase.figures.comparing.ledger_figure import plot_dose_ledger as plot_dose_ledger
    from qbase.figures.designs.evaluation_figure import plot_evaluation as plot_evaluation
    from qbase.figures.designs.frontier_figure import plot_frontier as plot_frontier
    from qbase.figures.designs.power_figure import plot_design_power as plot_design_power
    from qbase.figures.designs.specification_figure import plot_specifications as plot_specifications
    from qbase.figures.effect_figure import plot_effect as plot_effect
    from qbase.figures.signals.break_figure import plot_breaks as plot_breaks
    from qbase.figures.signals.control_figure import plot_control as plot_control
    from qbase.figures.signals.joinpoint_figure import plot_joinpoints as plot_joinpoints
    from qbase.figures.surface.theme import use_theme as use_theme
    from qbase.figures.tabulating.brief_tables import tabulate_changes as tabulate_changes
    from qbase.figures.tabulating.brief_tables import tabulate_failed_items as tabulate_failed_items
    from qbase.figures.tabulating.brief_tables import tabulate_followup as tabulate_followup
    from qbase.figures.tabulating.clause_table import tabulate_clauses as tabulate_clauses
    from qbase.figures.tabulating.design_tables import tabulate_designs as tabulate_designs
    from qbase.figures.tabulating.gate_tables import tabulate_bases as tabulate_bases
    from qbase.figures.tabulating.gate_tables import tabulate_gates as tabulate_gates
    from qbase.figures.tabulating.gate_tables import tabulate_presets as tabulate_presets
    from qbase.figures.tabulating.gate_tables import tabulate_shortlist as tabulate_shortlist
    from qbase.figures.tabulating.integrity_table import tabulate_integrity as tabulate_integrity
    from qbase.figures.tabulating.last_edition import tabulate_last as tabulate_last
    from qbase.figures.tabulating.office_tables import tabulate_elsewhere as tabulate_elsewhere
    from qbase.figures.tabulating.office_tables import tabulate_watchlist as tabulate_watchlist
    from qbase.figures.tabulating.planning_tables import tabulate_draws as tabulate_draws
    from qbase.figures.tabulating.planning_tables import tabulate_evaluation as tabulate_evaluation
    from qbase.figures.tabulating.planning_tables import tabulate_frontier as tabulate_frontier
    from qbase.figures.tabulating.planning_tables import tabulate_prices as tabulate_prices
    from qbase.figures.tabulating.result_tables import tabulate_accounting as tabulate_accounting
    from qbase.figures.tabulating.result_tables import tabulate_checks as tabulate_checks
    from qbase.figures.tabulating.result_tables import tabulate_estimates as tabulate_estimates
    from qbase.figures.tabulating.result_tables import tabulate_scorecard as tabulate_scorecard
    from qbase.figures.tabulating.side_by_side import tabulate_side_by_side as tabulate_side_by_side
    from qbase.figures.tabulating.standing_table import tabulate_standing as tabulate_standing
    from qbase.indicators.availability import list_indicators as list_indicators
    from qbase.indicators.firm_counts import read_firm_counts as read_firm_counts
    from qbase.indicators.followup_panel import read_followup as read_followup
    from qbase.indicators.group_counts import find_group_counts as find_group_counts
    from qbase.indicators.maturity.quarter_maturity import check_maturity as check_maturity
    from qbase.indicators.maturity.quarter_maturity import read_maturity as read_maturity
    from qbase.indicators.maturity.quarter_maturity import withhold_preliminary as withhold_preliminary
    from qbase.indicators.measures.failed_items import read_failed_items as read_failed_items
    from qbase.indicators.panel_building import build_panel as build_panel
    from qbase.indicators.panel_variants import build_variants as build_variants
    from qbase.indicators.policies.baseline_weights import read_weights as read_weights
    from qbase.indicators.policies.case_panel import build_case as build_case
    from qbase.indicators.policies.case_panel import check_case as check_case
    from qbase.indicators.policies.entity_products import read_neighbours as read_neighbours
    from qbase.indicators.policies.entity_products import read_products as read_products
    from qbase.indicators.policies.policy_spells import build_policy as build_policy
    from qbase.indicators.policies.standard_changes import list_standard_changes as list_standard_changes
    from qbase.indicators.yearly_totals import read_history as read_history
    from qbase.intake.loading.file_loading import load_files as load_files
    from qbase.intake.review.delivery_check import check_delivery as check_delivery
    from qbase.lake.workspace import Workspace as Workspace
    from qbase.lake.workspace import open_workspace as open_workspace
    from qbase.planning.allocating.planned_draws import plan_draws as plan_draws
    from qbase.planning.allocating.sampling_strata import read_listed_firms as read_listed_firms
    from qbase.planning.allocating.sampling_strata import read_strata as read_strata
    from qbase.planning.evaluating.planned_evaluation import plan_evaluation as plan_evaluation
    from qbase.planning.frontier.finding_frontier import plan_frontier as plan_frontier
    from qbase.planning.precision.needed_batches import plan_batches as plan_batches
    from qbase.release.disclosing.disclosure import protect as protect
    from qbase.release.disclosing.protected_inputs import protect_inputs as protect_inputs
    from qbase.reports.asking.given_check import check_given as check_given
    from qbase.reports.comparing.last_results import read_last_results as read_last_results
    from qbase.reports.running.whole_run import run_report as run_report
    from qbase.scorecards.bases.base_status import judge_bases as judge_bases
    from qbase.scorecards.bases.clause_states import judge_clauses as judge_clauses
    from qbase.scorecards.bases.cluster_standing import decide_cluster as decide_cluster
    from qbase.scorecards.bases.cluster_standing import judge_standing as judge_standing
    from qbase.scorecards.bases.shortlist import build_shortlist as build_shortlist
    from qbase.scorecards.composite.index_building import build_index as build_index
    from qbase.scorecards.composite.index_designs import read_index_design as read_index_design
    from qbase.scorecards.composite.rank_robustness import estimate_rank_robustness as estimate_rank_robustness
    from qbase.scorecards.doses.dose_ledger import build_dose_ledger as build_dose_ledger
    from qbase.scorecards.doses.dose_rows import read_dose_rows as read_dose_rows
    from qbase.scorecards.gates.gate_data import read_gates as read_gates
    from qbase.scorecards.gates.gate_verdicts import score_gates as score_gates
    from qbase.scorecards.gates.time_to_target import say_time_to_target as say_time_to_target
    from qbase.scorecards.presets.preset_files import read_preset as read_preset
    from qbase.scorecards.target_verdicts import score_targets as score_targets
    from qbase.trends.deciding.quarter_decision import decide_quarter as decide_quarter
    from qbase.trends.mix.kept_laboratories import read_laboratories as read_laboratories
    from qbase.trends.mix.laboratory_effects import estimate_laboratories as estimate_laboratories
    from qbase.trends.mix.mix_decomposition import decompose_mix as decompose_mix
    from qbase.trends.peers.peer_funnel import compare_peers as compare_peers
    from qbase.trends.peers.peer_gap import estimate_gap as estimate_gap
    from qbase.trends.rates.change_verdicts import match_margin as match_margin
    from qbase.trends.rates.followup_levels import estimate_followup as estimate_followup
    from qbase.trends.rates.rate_change import estimate_change as estimate_change
    from qbase.trends.rates.rate_level import estimate_level as estimate_level
    from qbase.trends.rates.rate_trend import estimate_trend as estimate_trend
    from qbase.trends.signals.control_signals import estimate_control as estimate_control
    from qbase.trends.signals.rate_breaks import estimate_breaks as estimate_breaks
    from qbase.trends.signals.rate_joinpoints import estimate_joinpoints as estimate_joinpoints
    from qbase.trends.watching.credit_grades import estimate_grades as estimate_grades
    from qbase.trends.watching.failures_elsewhere import find_elsewhere as find_elsewhere
    from qbase.trends.watching.integrity_page import read_integrity as read_integrity
    from qbase.trends.watching.repeated_looks import estimate_looks as estimate_looks
    from qbase.trends.watching.visit_list import read_watchlist as read_watchlist

__version__ = VERSION
__getattr__, __dir__ = lazy_room(__name__)
