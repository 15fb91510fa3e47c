"""Storey 7: results and scorecards as figures and tables, in both languages and two widths. Computes nothing.

Names are loaded when first used; matplotlib is imported by the first drawing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.figures.charts.decomposition_figure import plot_decomposition as plot_decomposition
    from qbase.figures.charts.event_figure import plot_event_study as plot_event_study
    from qbase.figures.charts.forest_figure import plot_estimates as plot_estimates
    from qbase.figures.charts.indicator_tiles import tiles_of as tiles_of
    from qbase.figures.charts.panel_figure import plot_panel as plot_panel
    from qbase.figures.charts.path_figure import plot_paths as plot_paths
    from qbase.figures.charts.trend_figure import plot_trend as plot_trend
    from qbase.figures.comparing.clause_figure import plot_clauses as plot_clauses
    from qbase.figures.comparing.funnel_figure import plot_funnel as plot_funnel
    from qbase.figures.comparing.gate_figure import plot_gates as plot_gates
    from qbase.figures.comparing.index_figure import plot_index_ranks as plot_index_ranks
    from qbase.figures.comparing.index_tables import tabulate_index_parts as tabulate_index_parts
    from qbase.figures.comparing.index_tables import tabulate_index_steps as tabulate_index_steps
    from qbase.figures.comparing.ledger_figure import plot_dose_ledger as plot_dose_ledger
    from qbase.figures.comparing.place_figure import plot_tile_map as plot_tile_map
    from qbase.figures.comparing.rank_figure import plot_ranks as plot_ranks
    from qbase.figures.designs.evaluation_figure import plot_evaluation as plot_evaluation
    from qbase.figures.designs.frontier_figure import plot_frontier as plot_frontier
    from qbase.figures.designs.power_figure import plot_design_power as plot_design_power
    from qbase.figures.designs.specification_figure import plot_specifications as plot_specifications
    from qbase.figures.designs.synthetic_figure import plot_synthetic as plot_synthetic
    from qbase.figures.effect_figure import plot_effect as plot_effect
    from qbase.figures.signals.break_figure import plot_breaks as plot_breaks
    from qbase.figures.signals.control_figure import plot_control as plot_control
    from qbase.figures.signals.joinpoint_figure import plot_joinpoints as plot_joinpoints
    from qbase.figures.signals.memory_figure import plot_memory as plot_memory
    from qbase.figures.surface.theme import house_rc as house_rc
    from qbase.figures.surface.theme import use_theme as use_theme
    from qbase.figures.tabulating.brief_tables import tabulate_changes as tabulate_changes
    from qbase.figures.tabulating.brief_tables import tabulate_failed_items as tabulate_failed_items
    from qbase.figures.tabulating.brief_tables import tabulate_followup as tabulate_followup
    from qbase.figures.tabulating.clause_table import tabulate_clauses as tabulate_clauses
    from qbase.figures.tabulating.county_tables import tabulate_breakdown as tabulate_breakdown
    from qbase.figures.tabulating.county_tables import tabulate_cases as tabulate_cases
    from qbase.figures.tabulating.county_tables import tabulate_proposals as tabulate_proposals
    from qbase.figures.tabulating.county_tables import tabulate_red_black as tabulate_red_black
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

__getattr__, __dir__ = lazy_room(__name__)
