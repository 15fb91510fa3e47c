"""Storey 6: results against dated targets; a verdict always names its preset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.scorecards.bases.base_status import judge_bases as judge_bases
    from qbase.scorecards.bases.clause_states import judge_clauses as judge_clauses
    from qbase.scorecards.bases.cluster_standing import decide_cluster as decide_cluster
    from qbase.scorecards.bases.cluster_standing import judge_standing as judge_standing
    from qbase.scorecards.bases.shortlist import build_shortlist as build_shortlist
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
    from qbase.scorecards.county.county_advice import advise_county as advise_county
    from qbase.scorecards.county.county_cases import read_cases as read_cases
    from qbase.scorecards.county.county_places import Place as Place
    from qbase.scorecards.county.county_places import find_place as find_place
    from qbase.scorecards.county.place_followup import estimate_place_followup as estimate_place_followup
    from qbase.scorecards.county.place_gates import PlaceGates as PlaceGates
    from qbase.scorecards.county.place_gates import build_place_ledgers as build_place_ledgers
    from qbase.scorecards.county.place_gates import judge_place as judge_place
    from qbase.scorecards.county.place_records import PlaceRecords as PlaceRecords
    from qbase.scorecards.county.place_records import read_place as read_place
    from qbase.scorecards.county.rate_breakdown import estimate_breakdown as estimate_breakdown
    from qbase.scorecards.county.red_black_list import judge_red_black as judge_red_black
    from qbase.scorecards.doses.dose_ledger import build_dose_ledger as build_dose_ledger
    from qbase.scorecards.doses.dose_rows import DoseRows as DoseRows
    from qbase.scorecards.doses.dose_rows import read_dose_rows as read_dose_rows
    from qbase.scorecards.gates.exact_verdicts import estimate_probability_met as estimate_probability_met
    from qbase.scorecards.gates.exact_verdicts import estimate_unverified_failures as estimate_unverified_failures
    from qbase.scorecards.gates.exact_verdicts import find_least_n as find_least_n
    from qbase.scorecards.gates.exact_verdicts import judge_rates as judge_rates
    from qbase.scorecards.gates.gate_data import GateData as GateData
    from qbase.scorecards.gates.gate_data import read_gates as read_gates
    from qbase.scorecards.gates.gate_verdicts import score_gates as score_gates
    from qbase.scorecards.gates.time_to_target import say_time_to_target as say_time_to_target
    from qbase.scorecards.presets.preset_differences import compare_presets as compare_presets
    from qbase.scorecards.presets.preset_files import list_presets as list_presets
    from qbase.scorecards.presets.preset_files import read_preset as read_preset
    from qbase.scorecards.presets.preset_values import Preset as Preset
    from qbase.scorecards.presets.preset_values import Target as Target
    from qbase.scorecards.target_verdicts import score_targets as score_targets

__getattr__, __dir__ = lazy_room(__name__)
