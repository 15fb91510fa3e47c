"""Storey 6b: what is drawn next year, and what will be known then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.planning.allocating.planned_draws import plan_draws as plan_draws
    from qbase.planning.allocating.sampling_strata import Strata as Strata
    from qbase.planning.allocating.sampling_strata import build_strata as build_strata
    from qbase.planning.allocating.sampling_strata import merge_list as merge_list
    from qbase.planning.allocating.sampling_strata import read_listed_firms as read_listed_firms
    from qbase.planning.allocating.sampling_strata import read_strata as read_strata
    from qbase.planning.drawing.closed_list import read_closed_list as read_closed_list
    from qbase.planning.drawing.committed_seed import Commitment as Commitment
    from qbase.planning.drawing.committed_seed import build_commitment as build_commitment
    from qbase.planning.drawing.committed_seed import build_seed as build_seed
    from qbase.planning.drawing.committed_seed import new_secret as new_secret
    from qbase.planning.drawing.drawn_firms import draw_firms as draw_firms
    from qbase.planning.drawing.phase_in_lot import PhaseIn as PhaseIn
    from qbase.planning.drawing.phase_in_lot import draw_phase_in as draw_phase_in
    from qbase.planning.evaluating.planned_evaluation import plan_evaluation as plan_evaluation
    from qbase.planning.frontier.finding_frontier import plan_frontier as plan_frontier
    from qbase.planning.precision.needed_batches import plan_batches as plan_batches
    from qbase.planning.writing.phase_in_files import verify_phase_in as verify_phase_in
    from qbase.planning.writing.phase_in_files import write_phase_in as write_phase_in
    from qbase.planning.writing.plan_files import verify_plan as verify_plan
    from qbase.planning.writing.plan_files import write_plan as write_plan
    from qbase.planning.writing.plan_files import write_sampling_list as write_sampling_list

__getattr__, __dir__ = lazy_room(__name__)
