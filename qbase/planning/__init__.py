"""Storey 6b: how many batches it would take to know more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.planning.needed_batches import plan_batches as plan_batches

__getattr__, __dir__ = lazy_room(__name__)
