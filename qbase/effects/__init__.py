"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.effects.estimators.event_study import estimate_event_study as estimate_event_study
    from qbase.effects.estimators.twfe import estimate_twfe as estimate_twfe
    from qbase.effects.judging.published_numbers import check_published as check_published
    from qbase.effects.sensitivity.breakdown import breakdown_value as breakdown_value
    from qbase.effects.sensitivity.pretest_power import PretestPower as PretestPower
    from qbase.effects.sensitivity.pretest_power import roth_power as roth_power
    from qbase.effects.sensitivity.relative_magnitude import RelativeBounds as RelativeBounds
    from qbase.effects.sensitivity.relative_magnitude import relative_magnitude_bounds as relative_magnitude_bounds
    from qbase.effects.sensitivity.smoothness import SmoothBounds as SmoothBounds
    from qbase.effects.sensitivity.smoothness import smoothness_bounds as smoothness_bounds

__getattr__, __dir__ = lazy_room(__name__)
