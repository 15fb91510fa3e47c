"""Storey 5: what it would take to know more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.planning.batches import plan_batches

__all__ = ["plan_batches"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qbase.planning.batches import plan_batches

    globals()[name] = plan_batches
    return plan_batches
