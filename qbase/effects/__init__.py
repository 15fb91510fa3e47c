"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.effects.event_study import estimate_event_study
    from qbase.effects.published import check_published
    from qbase.effects.twfe import estimate_twfe

__getattr__ = lazy_names(
    __name__,
    {
        "event_study": ("estimate_event_study",),
        "published": ("check_published",),
        "twfe": ("estimate_twfe",),
    },
)

__all__ = [
    "check_published", "estimate_event_study", "estimate_twfe",
]  # fmt: skip
