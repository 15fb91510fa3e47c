"""Gates of a place and of the clusters in it, and what was put into these."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from qbase.core.results.result import Result, Scorecard
from qbase.indicators.panel_building import build_panel
from qbase.scorecards.bases.cluster_standing import judge_standing
from qbase.scorecards.county.place_records import RATE, PlaceRecords
from qbase.scorecards.doses.dose_ledger import build_dose_ledger
from qbase.scorecards.doses.dose_rows import read_dose_rows
from qbase.scorecards.gates.gate_data import read_gates
from qbase.scorecards.gates.gate_verdicts import score_gates
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset

if TYPE_CHECKING:
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PlaceGates:
    """Gates of a place.

    Parameters
    ----------
    towns : tuple of Scorecard
        Of its towns, by the gates a town can be judged on.
    clusters : tuple of Scorecard
        Of the clusters in it.
    standings : tuple of Result
        From `judge_standing`, one for each cluster.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_place, read_place
    >>> workspace = open_workspace()
    >>> judge_place(workspace, read_place(workspace, "青棹镇", last="2025Q4"), "outline_2025")
    <PlaceGates 1 towns, 1 clusters under outline_2025>
    """

    towns: tuple[Scorecard, ...]
    clusters: tuple[Scorecard, ...]
    standings: tuple[Result, ...]

    def __repr__(self) -> str:
        presets = ", ".join(dict.fromkeys(card.preset for card in self.towns))
        return f"<PlaceGates {len(self.towns)} towns, {len(self.clusters)} clusters under {presets}>"


def judge_place(workspace: Workspace, records: PlaceRecords, preset: str | Preset) -> PlaceGates:
    """Judge the gates of a preset for the towns of a place and for the clusters in it.

    Parameters
    ----------
    workspace : Workspace
        Whose presets and tables are read.
    records : PlaceRecords
        From `read_place`; its quarter is the last one judged.
    preset : str or Preset
        Named in every verdict.

    Returns
    -------
    PlaceGates

    Raises
    ------
    UsageError
        No such preset (QB601).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_place, read_place
    >>> workspace = open_workspace()
    >>> gates = judge_place(workspace, read_place(workspace, "青棹镇", last="2025Q4"), "base_2026")
    >>> [(c.gate, c.verdict) for c in gates.towns[0].criteria][:2], gates.standings[0].settings["verdict"]
    ([('D1', 'not_met'), ('D2', 'not_met')], 'not_met')
    """
    chosen = read_preset(preset, workspace) if isinstance(preset, str) else preset
    window = {"as_of": records.quarter, "snapshot": records.panel.snapshot or None}
    of_towns = read_gates(workspace, chosen, entity="town_code", **window)  # type: ignore[arg-type]
    towns = score_gates(of_towns, chosen, clusters=[t for t in records.town_names if t in of_towns.names])
    cards: tuple[Scorecard, ...] = ()
    if records.clusters:
        data = read_gates(workspace, chosen, **window)  # type: ignore[arg-type]
        cards = score_gates(data, chosen, clusters=records.clusters)
    # gates of one cluster or product are told with the clusters
    of_own = [dataclasses.replace(c, missing=tuple(m for m in c.missing if of_towns.judges(m.gate))) for c in towns]
    return PlaceGates(
        towns=tuple(of_own), clusters=cards, standings=tuple(judge_standing(card, chosen) for card in cards)
    )


def build_place_ledgers(workspace: Workspace, records: PlaceRecords) -> tuple[Result, ...]:
    """Put the doses of instruments beside the pass rate, for each cluster of a place.

    Parameters
    ----------
    workspace : Workspace
        Its table ``instruments``.
    records : PlaceRecords
        From `read_place`.

    Returns
    -------
    tuple of Result
        From `build_dose_ledger`, one for each cluster that was inspected; none where no instruments were loaded.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_place_ledgers, read_place
    >>> workspace = open_workspace()
    >>> [r.subject.en for r in build_place_ledgers(workspace, read_place(workspace, "青棹镇", last="2025Q4"))]
    ['Qingzhao polyester fibre cluster']
    """
    at = workspace.snapshot(records.panel.snapshot or None)
    if not records.clusters or not workspace.has_table("instruments", at):
        return ()
    panel = build_panel(workspace, RATE, snapshot=at.id, last=records.quarter)
    rows, inside = read_dose_rows(workspace, snapshot=at), [c for c in records.clusters if c in panel.entities]
    return tuple(build_dose_ledger(panel, rows, RATE, entity=c) for c in inside)
