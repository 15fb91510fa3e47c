"""Storey 1: arrays of counts and weights in; intervals, shrunk rates, small-area estimates and tests out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.stats.adoption_permutations import Assignments as Assignments
    from qbase.stats.adoption_permutations import attainable_p as attainable_p
    from qbase.stats.adoption_permutations import exchanged_places as exchanged_places
    from qbase.stats.adoption_permutations import inverted_limits as inverted_limits
    from qbase.stats.adoption_permutations import list_assignments as list_assignments
    from qbase.stats.adoption_permutations import permutation_p as permutation_p
    from qbase.stats.adoption_permutations import sequential_p as sequential_p
    from qbase.stats.clustered_covariance import ClusteredFit as ClusteredFit
    from qbase.stats.clustered_covariance import fit_clustered as fit_clustered
    from qbase.stats.design_intervals import clopper_pearson_interval as clopper_pearson_interval
    from qbase.stats.design_intervals import design_interval as design_interval
    from qbase.stats.design_intervals import jeffreys_interval as jeffreys_interval
    from qbase.stats.design_tests import ClassFractions as ClassFractions
    from qbase.stats.design_tests import Difference as Difference
    from qbase.stats.design_tests import compare_draws as compare_draws
    from qbase.stats.design_tests import compare_fractions as compare_fractions
    from qbase.stats.design_weights import Linearised as Linearised
    from qbase.stats.design_weights import effective_parts as effective_parts
    from qbase.stats.design_weights import expected_draws as expected_draws
    from qbase.stats.design_weights import firm_correlation as firm_correlation
    from qbase.stats.design_weights import merge_strata as merge_strata
    from qbase.stats.design_weights import own_factor as own_factor
    from qbase.stats.design_weights import poststratified_mean as poststratified_mean
    from qbase.stats.design_weights import rake_weights as rake_weights
    from qbase.stats.design_weights import raking_factor as raking_factor
    from qbase.stats.design_weights import relative_rates as relative_rates
    from qbase.stats.difference_intervals import newcombe_interval as newcombe_interval
    from qbase.stats.firth_logit import FirthLogit as FirthLogit
    from qbase.stats.firth_logit import TwoWayLogit as TwoWayLogit
    from qbase.stats.firth_logit import fit_firth_logit as fit_firth_logit
    from qbase.stats.firth_logit import fit_two_way_logit as fit_two_way_logit
    from qbase.stats.romano_wolf import romano_wolf_p as romano_wolf_p
    from qbase.stats.shrinkage import BetaBinomial as BetaBinomial
    from qbase.stats.shrinkage import fit_beta_binomial as fit_beta_binomial
    from qbase.stats.shrinkage import shrink_rates as shrink_rates
    from qbase.stats.shrinkage import stein_factor as stein_factor
    from qbase.stats.small_areas import SmallAreas as SmallAreas
    from qbase.stats.small_areas import estimate_small_areas as estimate_small_areas
    from qbase.stats.wilson import square_and_add as square_and_add
    from qbase.stats.wilson import wilson_interval as wilson_interval

__getattr__, __dir__ = lazy_room(__name__)
