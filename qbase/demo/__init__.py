"""Storey 3: the fictional province 云泽省, with messy deliveries and a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.demo.deliveries import write_deliveries
    from qbase.demo.province import Province, build_province
    from qbase.demo.scenario import PRODUCER, SEED, Scenario

__getattr__ = lazy_names(
    __name__,
    {
        "deliveries": ("write_deliveries",),
        "province": ("Province", "build_province"),
        "scenario": ("PRODUCER", "SEED", "Scenario"),
    },
)

__all__ = [
    "PRODUCER", "SEED", "Province", "Scenario", "build_province", "write_deliveries",
]  # fmt: skip
