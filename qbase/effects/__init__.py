"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.effects.extra.event_study import estimate_event_study as estimate_event_study
    from qbase.effects.extra.goodman_bacon import decompose_twfe as decompose_twfe
    from qbase.effects.extra.twfe import estimate_twfe as estimate_twfe
    from qbase.effects.judging.published_numbers import check_published as check_published

__getattr__, __dir__ = lazy_room(__name__)
