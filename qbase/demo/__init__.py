"""Storey 3: the fictional province 云泽省, with messy deliveries and a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.demo.delivery_folder import write_deliveries as write_deliveries
    from qbase.demo.province import Province as Province
    from qbase.demo.province import build_province as build_province
    from qbase.demo.world.scenario import CLOSED_ON as CLOSED_ON
    from qbase.demo.world.scenario import PRODUCER as PRODUCER
    from qbase.demo.world.scenario import SEED as SEED
    from qbase.demo.world.scenario import Scenario as Scenario

__getattr__, __dir__ = lazy_room(__name__)
