"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.effects.comparison.carried_spells import carry_spells as carry_spells
    from qbase.effects.comparison.default_controls import Controls as Controls
    from qbase.effects.comparison.default_controls import choose_controls as choose_controls
    from qbase.effects.credibility.all_checks import check_credibility as check_credibility
    from qbase.effects.credibility.functional_form import check_functional_form as check_functional_form
    from qbase.effects.credibility.planned_looks import check_as_planned as check_as_planned
    from qbase.effects.credibility.planned_looks import check_decision_date as check_decision_date
    from qbase.effects.credibility.trend_departures import check_trend_departures as check_trend_departures
    from qbase.effects.estimators.advised import describe_path as describe_path
    from qbase.effects.estimators.advised import estimate_advised as estimate_advised
    from qbase.effects.estimators.before_after import estimate_before_after as estimate_before_after
    from qbase.effects.estimators.imputed import estimate_imputation as estimate_imputation
    from qbase.effects.estimators.instruments import estimate_instruments as estimate_instruments
    from qbase.effects.estimators.published_effects import estimate_published as estimate_published
    from qbase.effects.estimators.secondary import Secondary as Secondary
    from qbase.effects.estimators.secondary import estimate_secondary as estimate_secondary
    from qbase.effects.estimators.staggered import estimate_staggered as estimate_staggered
    from qbase.effects.estimators.synthetic import estimate_synthetic as estimate_synthetic
    from qbase.effects.extra.event_study import estimate_event_study as estimate_event_study
    from qbase.effects.extra.goodman_bacon import decompose_twfe as decompose_twfe
    from qbase.effects.extra.interrupted_series import estimate_interrupted_series as estimate_interrupted_series
    from qbase.effects.extra.sun_abraham import estimate_sun_abraham as estimate_sun_abraham
    from qbase.effects.extra.triple_difference import estimate_triple_difference as estimate_triple_difference
    from qbase.effects.extra.twfe import estimate_twfe as estimate_twfe
    from qbase.effects.judging.advice import Advice as Advice
    from qbase.effects.judging.advice import advise as advise
    from qbase.effects.judging.deciding import decide as decide
    from qbase.effects.judging.design_options import DesignOption as DesignOption
    from qbase.effects.judging.evidence_grade import explain_grade as explain_grade
    from qbase.effects.judging.evidence_grade import grade_evidence as grade_evidence
    from qbase.effects.judging.evidence_grade import judge_evidence as judge_evidence
    from qbase.effects.judging.headroom import Headroom as Headroom
    from qbase.effects.judging.headroom import add_margin as add_margin
    from qbase.effects.judging.headroom import check_headroom as check_headroom
    from qbase.effects.judging.headroom import estimate_headroom as estimate_headroom
    from qbase.effects.judging.published_numbers import check_published as check_published
    from qbase.effects.judging.reconciled import find_alike as find_alike
    from qbase.effects.judging.reconciled import reconcile as reconcile
    from qbase.effects.judging.reconciled import reconcile_all as reconcile_all
    from qbase.effects.lab.design_power import estimate_design_power as estimate_design_power
    from qbase.effects.lab.design_quality import estimate_design_quality as estimate_design_quality
    from qbase.effects.sensitivity.breakdown import breakdown_value as breakdown_value
    from qbase.effects.sensitivity.pretest_power import PretestPower as PretestPower
    from qbase.effects.sensitivity.pretest_power import roth_power as roth_power
    from qbase.effects.sensitivity.relative_magnitude import RelativeBounds as RelativeBounds
    from qbase.effects.sensitivity.relative_magnitude import relative_magnitude_bounds as relative_magnitude_bounds
    from qbase.effects.sensitivity.smoothness import SmoothBounds as SmoothBounds
    from qbase.effects.sensitivity.smoothness import smoothness_bounds as smoothness_bounds

__getattr__, __dir__ = lazy_room(__name__)
