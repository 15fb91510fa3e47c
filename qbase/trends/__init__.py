"""Storey 5: from a panel to a result, without a policy: levels and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.trends.change import estimate_change
    from qbase.trends.rate import estimate_rate

__getattr__ = lazy_names(
    __name__,
    {
        "change": ("estimate_change",),
        "rate": ("estimate_rate",),
    },
)

__all__ = [
    "estimate_change", "estimate_rate",
]  # fmt: skip
