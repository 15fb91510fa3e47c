"""Storey 5: from a panel to a result, without a policy: levels and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.trends.matched_entities import compare_entities as compare_entities
    from qbase.trends.mix.laboratory_effects import estimate_laboratories as estimate_laboratories
    from qbase.trends.mix.mix_decomposition import decompose_mix as decompose_mix
    from qbase.trends.rate_change import estimate_change as estimate_change
    from qbase.trends.rate_change import estimate_matched_change as estimate_matched_change
    from qbase.trends.rate_level import estimate_level as estimate_level

__getattr__, __dir__ = lazy_room(__name__)
