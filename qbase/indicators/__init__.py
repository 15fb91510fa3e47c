"""Storey 4: from a snapshot of the lake to a panel, a policy or a published case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.indicators.availability import Availability as Availability
    from qbase.indicators.availability import list_indicators as list_indicators
    from qbase.indicators.catalogue.clauses import Clause as Clause
    from qbase.indicators.catalogue.clauses import find_clauses as find_clauses
    from qbase.indicators.catalogue.clauses import read_clauses as read_clauses
    from qbase.indicators.catalogue.indicator_rows import CatalogueRow as CatalogueRow
    from qbase.indicators.catalogue.indicator_rows import find_indicator as find_indicator
    from qbase.indicators.catalogue.indicator_rows import read_catalogue as read_catalogue
    from qbase.indicators.catalogue.indicator_rows import read_rows as read_rows
    from qbase.indicators.cells.sampling_design import Design as Design
    from qbase.indicators.contributors import read_contributors as read_contributors
    from qbase.indicators.firm_counts import FirmCounts as FirmCounts
    from qbase.indicators.firm_counts import read_firm_counts as read_firm_counts
    from qbase.indicators.followup_panel import read_followup as read_followup
    from qbase.indicators.group_counts import GroupCounts as GroupCounts
    from qbase.indicators.group_counts import build_group_counts as build_group_counts
    from qbase.indicators.group_counts import find_group_counts as find_group_counts
    from qbase.indicators.group_counts import read_group_counts as read_group_counts
    from qbase.indicators.maturity.maturity_table import Maturity as Maturity
    from qbase.indicators.maturity.maturity_words import say_preliminary as say_preliminary
    from qbase.indicators.maturity.quarter_maturity import check_maturity as check_maturity
    from qbase.indicators.maturity.quarter_maturity import read_completeness as read_completeness
    from qbase.indicators.maturity.quarter_maturity import read_maturity as read_maturity
    from qbase.indicators.maturity.quarter_maturity import withhold_preliminary as withhold_preliminary
    from qbase.indicators.measures.agglomeration import estimate_structure as estimate_structure
    from qbase.indicators.measures.failed_items import read_failed_items as read_failed_items
    from qbase.indicators.panel_building import build_panel as build_panel
    from qbase.indicators.panel_coverage import read_coverage as read_coverage
    from qbase.indicators.panel_variants import build_variants as build_variants
    from qbase.indicators.policies.baseline_weights import BaselineWeights as BaselineWeights
    from qbase.indicators.policies.baseline_weights import read_baseline_weights as read_baseline_weights
    from qbase.indicators.policies.baseline_weights import read_weights as read_weights
    from qbase.indicators.policies.case_panel import build_case as build_case
    from qbase.indicators.policies.case_panel import check_case as check_case
    from qbase.indicators.policies.entity_products import read_neighbours as read_neighbours
    from qbase.indicators.policies.entity_products import read_products as read_products
    from qbase.indicators.policies.estimable import check_estimable as check_estimable
    from qbase.indicators.policies.locked_plan import read_plan as read_plan
    from qbase.indicators.policies.plan_locking import lock_plan as lock_plan
    from qbase.indicators.policies.policy_doses import read_doses as read_doses
    from qbase.indicators.policies.policy_file import PolicyFile as PolicyFile
    from qbase.indicators.policies.policy_file import add_policy as add_policy
    from qbase.indicators.policies.policy_file import read_policy_file as read_policy_file
    from qbase.indicators.policies.policy_spells import build_policy as build_policy
    from qbase.indicators.policies.policy_template import write_policy_template as write_policy_template
    from qbase.indicators.policies.standard_changes import list_standard_changes as list_standard_changes
    from qbase.indicators.revisions import read_revisions as read_revisions
    from qbase.indicators.sampling.sampling_checks import check_class_fractions as check_class_fractions
    from qbase.indicators.sampling.sampling_checks import check_random_against_directed as check_random_against_directed
    from qbase.indicators.sampling.sampling_checks import check_sampling_mix as check_sampling_mix
    from qbase.indicators.sampling.shrunk_rates import add_shrinkage as add_shrinkage
    from qbase.indicators.yearly_totals import History as History
    from qbase.indicators.yearly_totals import read_history as read_history
    from qbase.stats.design.design_intervals import clopper_pearson_interval as clopper_pearson_interval
    from qbase.stats.design.design_intervals import design_interval as design_interval
    from qbase.stats.design.design_intervals import jeffreys_interval as jeffreys_interval
    from qbase.stats.rates.shrinkage import fit_beta_binomial as fit_beta_binomial
    from qbase.stats.rates.shrinkage import shrink_rates as shrink_rates
    from qbase.stats.rates.small_areas import estimate_small_areas as estimate_small_areas

__getattr__, __dir__ = lazy_room(__name__)
