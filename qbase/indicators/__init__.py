"""Storey 4: from a snapshot of the lake to a panel, a policy or a published case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.indicators.availability import Availability, list_indicators
    from qbase.indicators.case import build_case, check_case
    from qbase.indicators.catalogue import CatalogueRow, find_indicator, read_catalogue, read_rows
    from qbase.indicators.clauses import Clause, find_clauses, read_clauses
    from qbase.indicators.coverage import Coverage, check_coverage, read_coverage
    from qbase.indicators.design_intervals import clopper_pearson_interval, design_interval, jeffreys_interval
    from qbase.indicators.maturity import (
        Maturity,
        check_maturity,
        read_completeness,
        read_maturity,
        withhold_preliminary,
    )
    from qbase.indicators.maturity_words import say_preliminary
    from qbase.indicators.panel import build_panel
    from qbase.indicators.policy import build_policy
    from qbase.indicators.policy_file import PolicyFile, add_policy, read_policy_file
    from qbase.indicators.revisions import read_revisions
    from qbase.indicators.sampling import Design
    from qbase.indicators.sampling_checks import (
        check_class_fractions,
        check_random_against_directed,
        check_sampling_mix,
    )
    from qbase.indicators.shrinkage import add_shrinkage, fit_beta_binomial, shrink_rates
    from qbase.indicators.small_area import estimate_small_areas
    from qbase.indicators.structure import estimate_structure

__getattr__ = lazy_names(
    __name__,
    {
        "availability": ("Availability", "list_indicators"),
        "case": ("build_case", "check_case"),
        "catalogue": ("CatalogueRow", "find_indicator", "read_catalogue", "read_rows"),
        "clauses": ("Clause", "find_clauses", "read_clauses"),
        "coverage": ("Coverage", "check_coverage", "read_coverage"),
        "design_intervals": ("clopper_pearson_interval", "design_interval", "jeffreys_interval"),
        "maturity": ("Maturity", "check_maturity", "read_completeness", "read_maturity", "withhold_preliminary"),
        "maturity_words": ("say_preliminary",),
        "panel": ("build_panel",),
        "policy": ("build_policy",),
        "policy_file": ("PolicyFile", "add_policy", "read_policy_file"),
        "revisions": ("read_revisions",),
        "sampling": ("Design",),
        "sampling_checks": ("check_class_fractions", "check_random_against_directed", "check_sampling_mix"),
        "shrinkage": ("add_shrinkage", "fit_beta_binomial", "shrink_rates"),
        "small_area": ("estimate_small_areas",),
        "structure": ("estimate_structure",),
    },
)

__all__ = [
    "Availability", "CatalogueRow", "Clause", "Coverage", "Design", "Maturity", "PolicyFile", "add_policy",
    "add_shrinkage", "build_case", "build_panel", "build_policy", "check_case", "check_class_fractions",
    "check_coverage", "check_maturity", "check_random_against_directed", "check_sampling_mix",
    "clopper_pearson_interval", "design_interval", "estimate_small_areas", "estimate_structure", "find_clauses",
    "find_indicator", "fit_beta_binomial", "jeffreys_interval", "list_indicators", "read_catalogue",
    "read_clauses", "read_completeness", "read_coverage", "read_maturity", "read_policy_file", "read_revisions",
    "read_rows", "say_preliminary", "shrink_rates", "withhold_preliminary",
]  # fmt: skip
