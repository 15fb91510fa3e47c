"""Storey 6: results against dated targets; a verdict always names its preset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.scorecards.composite.index_alternatives import Alternatives as Alternatives
    from qbase.scorecards.composite.index_building import CompositeIndex as CompositeIndex
    from qbase.scorecards.composite.index_building import build_index as build_index
    from qbase.scorecards.composite.index_design import IndexDesign as IndexDesign
    from qbase.scorecards.composite.index_design import Pillar as Pillar
    from qbase.scorecards.composite.index_designs import list_index_designs as list_index_designs
    from qbase.scorecards.composite.index_designs import parse_index_design as parse_index_design
    from qbase.scorecards.composite.index_designs import read_index_design as read_index_design
    from qbase.scorecards.composite.index_steps import IndexStep as IndexStep
    from qbase.scorecards.composite.rank_robustness import estimate_rank_robustness as estimate_rank_robustness
    from qbase.scorecards.doses.dose_ledger import build_dose_ledger as build_dose_ledger
    from qbase.scorecards.doses.dose_rows import DoseRows as DoseRows
    from qbase.scorecards.doses.dose_rows import read_dose_rows as read_dose_rows
    from qbase.scorecards.target_presets import Preset as Preset
    from qbase.scorecards.target_presets import Target as Target
    from qbase.scorecards.target_presets import list_presets as list_presets
    from qbase.scorecards.target_presets import read_preset as read_preset
    from qbase.scorecards.target_verdicts import score_targets as score_targets

__getattr__, __dir__ = lazy_room(__name__)
