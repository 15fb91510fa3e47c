"""Storey 1: arrays of counts and weights in; intervals, shrunk rates, small-area estimates and tests out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.stats.comparing.funnel_limits import Funnel as Funnel
    from qbase.stats.comparing.funnel_limits import funnel_curve as funnel_curve
    from qbase.stats.comparing.funnel_limits import funnel_limits as funnel_limits
    from qbase.stats.comparing.mean_intervals import mean_interval as mean_interval
    from qbase.stats.comparing.rank_intervals import Ranks as Ranks
    from qbase.stats.comparing.rank_intervals import gaussian_rank_intervals as gaussian_rank_intervals
    from qbase.stats.comparing.rank_intervals import rank_intervals as rank_intervals
    from qbase.stats.control.anytime_interval import anytime_interval as anytime_interval
    from qbase.stats.control.change_scan import ChangeScan as ChangeScan
    from qbase.stats.control.change_scan import dispersion_test as dispersion_test
    from qbase.stats.control.change_scan import scan_changes as scan_changes
    from qbase.stats.control.change_scan import scan_power as scan_power
    from qbase.stats.control.control_limits import ControlChart as ControlChart
    from qbase.stats.control.control_limits import cusum_paths as cusum_paths
    from qbase.stats.control.control_limits import ewma_chart as ewma_chart
    from qbase.stats.control.control_limits import laney_chart as laney_chart
    from qbase.stats.control.control_limits import p_chart as p_chart
    from qbase.stats.control.control_limits import xmr_chart as xmr_chart
    from qbase.stats.control.control_rules import find_signals as find_signals
    from qbase.stats.control.dated_breaks import DatedBreak as DatedBreak
    from qbase.stats.control.dated_breaks import date_breaks as date_breaks
    from qbase.stats.control.judged_twice import QuietEnd as QuietEnd
    from qbase.stats.control.judged_twice import date_quiet_end as date_quiet_end
    from qbase.stats.control.mean_breaks import MeanBreaks as MeanBreaks
    from qbase.stats.control.mean_breaks import argmax_cdf as argmax_cdf
    from qbase.stats.control.mean_breaks import break_statistics as break_statistics
    from qbase.stats.control.mean_breaks import find_breaks as find_breaks
    from qbase.stats.control.memory_charts import JudgedTogether as JudgedTogether
    from qbase.stats.control.memory_charts import MemoryChart as MemoryChart
    from qbase.stats.control.memory_charts import judge_together as judge_together
    from qbase.stats.control.memory_charts import memory_chance as memory_chance
    from qbase.stats.control.memory_charts import memory_chart as memory_chart
    from qbase.stats.control.memory_charts import memory_limit as memory_limit
    from qbase.stats.control.run_lengths import cusum_run_length as cusum_run_length
    from qbase.stats.control.run_lengths import ewma_run_length as ewma_run_length
    from qbase.stats.decomposing.change_parts import ChangeParts as ChangeParts
    from qbase.stats.decomposing.change_parts import decompose_change as decompose_change
    from qbase.stats.decomposing.explained_leads import decompose_leads as decompose_leads
    from qbase.stats.decomposing.laboratory_differences import LaboratoryDifferences as LaboratoryDifferences
    from qbase.stats.decomposing.laboratory_differences import compare_laboratories as compare_laboratories
    from qbase.stats.decomposing.pooled_effects import PooledEffects as PooledEffects
    from qbase.stats.decomposing.pooled_effects import shrink_effects as shrink_effects
    from qbase.stats.design.design_intervals import clopper_pearson_interval as clopper_pearson_interval
    from qbase.stats.design.design_intervals import design_interval as design_interval
    from qbase.stats.design.design_intervals import jeffreys_interval as jeffreys_interval
    from qbase.stats.design.design_tests import ClassFractions as ClassFractions
    from qbase.stats.design.design_tests import Difference as Difference
    from qbase.stats.design.design_tests import compare_draws as compare_draws
    from qbase.stats.design.design_tests import compare_fractions as compare_fractions
    from qbase.stats.design.design_weights import Linearised as Linearised
    from qbase.stats.design.design_weights import effective_parts as effective_parts
    from qbase.stats.design.design_weights import expected_draws as expected_draws
    from qbase.stats.design.design_weights import firm_correlation as firm_correlation
    from qbase.stats.design.design_weights import merge_strata as merge_strata
    from qbase.stats.design.design_weights import own_factor as own_factor
    from qbase.stats.design.design_weights import poststratified_mean as poststratified_mean
    from qbase.stats.design.design_weights import rake_weights as rake_weights
    from qbase.stats.design.design_weights import raking_factor as raking_factor
    from qbase.stats.design.design_weights import relative_rates as relative_rates
    from qbase.stats.rates.difference_intervals import newcombe_interval as newcombe_interval
    from qbase.stats.rates.difference_intervals import newcombe_p as newcombe_p
    from qbase.stats.rates.firm_differences import FirmDifference as FirmDifference
    from qbase.stats.rates.firm_differences import compare_firm_rates as compare_firm_rates
    from qbase.stats.rates.firm_differences import shared_correlation as shared_correlation
    from qbase.stats.rates.firm_likeness import FirmLikeness as FirmLikeness
    from qbase.stats.rates.firm_likeness import firm_rate_interval as firm_rate_interval
    from qbase.stats.rates.firm_likeness import fit_firm_likeness as fit_firm_likeness
    from qbase.stats.rates.shrinkage import BetaBinomial as BetaBinomial
    from qbase.stats.rates.shrinkage import fit_beta_binomial as fit_beta_binomial
    from qbase.stats.rates.shrinkage import shrink_rates as shrink_rates
    from qbase.stats.rates.shrinkage import stein_factor as stein_factor
    from qbase.stats.rates.small_areas import SmallAreas as SmallAreas
    from qbase.stats.rates.small_areas import estimate_small_areas as estimate_small_areas
    from qbase.stats.rates.wilson import square_and_add as square_and_add
    from qbase.stats.rates.wilson import wilson_interval as wilson_interval
    from qbase.stats.regression.clustered_covariance import ClusteredFit as ClusteredFit
    from qbase.stats.regression.clustered_covariance import fit_clustered as fit_clustered
    from qbase.stats.regression.firth_logit import FirthLogit as FirthLogit
    from qbase.stats.regression.firth_logit import TwoWayLogit as TwoWayLogit
    from qbase.stats.regression.firth_logit import fit_firth_logit as fit_firth_logit
    from qbase.stats.regression.firth_logit import fit_two_way_logit as fit_two_way_logit
    from qbase.stats.regression.hac_covariance import SeriesFit as SeriesFit
    from qbase.stats.regression.hac_covariance import fit_series as fit_series
    from qbase.stats.regression.ridge_logit import RidgeLogit as RidgeLogit
    from qbase.stats.regression.ridge_logit import fit_ridge_logit as fit_ridge_logit
    from qbase.stats.testing.adoption_permutations import Assignments as Assignments
    from qbase.stats.testing.adoption_permutations import attainable_p as attainable_p
    from qbase.stats.testing.adoption_permutations import exchanged_places as exchanged_places
    from qbase.stats.testing.adoption_permutations import inverted_limits as inverted_limits
    from qbase.stats.testing.adoption_permutations import list_assignments as list_assignments
    from qbase.stats.testing.adoption_permutations import permutation_p as permutation_p
    from qbase.stats.testing.adoption_permutations import sequential_p as sequential_p
    from qbase.stats.testing.alpha_spending import decision_bounds as decision_bounds
    from qbase.stats.testing.alpha_spending import decision_levels as decision_levels
    from qbase.stats.testing.alpha_spending import spent_alpha as spent_alpha
    from qbase.stats.testing.detectable_effect import detecting_error as detecting_error
    from qbase.stats.testing.detectable_effect import minimum_detectable_effect as minimum_detectable_effect
    from qbase.stats.testing.equivalence import equivalence_interval as equivalence_interval
    from qbase.stats.testing.equivalence import equivalence_p as equivalence_p
    from qbase.stats.testing.equivalence import equivalence_power as equivalence_power
    from qbase.stats.testing.equivalence import equivalence_size as equivalence_size
    from qbase.stats.testing.false_discovery import false_discovery_q as false_discovery_q
    from qbase.stats.testing.romano_wolf import romano_wolf_p as romano_wolf_p
    from qbase.stats.testing.stratified_excess import stratified_excess as stratified_excess

__getattr__, __dir__ = lazy_room(__name__)
