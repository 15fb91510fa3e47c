"""What became of failures in a place: the sums over its towns."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from qbase.core.errors import PanelError
from qbase.core.results.result import Result
from qbase.indicators.followup_panel import read_followup
from qbase.scorecards.county.place_records import PlaceRecords
from qbase.trends import estimate_followup

if TYPE_CHECKING:
    from qbase.lake import Workspace


def estimate_place_followup(workspace: Workspace, records: PlaceRecords, *, level: float = 0.95) -> tuple[Result, ...]:
    """Estimate what became of failures in a place over the year up to its quarter.

    Parameters
    ----------
    workspace : Workspace
        Its tables of follow-up, as `qbase.indicators.read_followup` takes them.
    records : PlaceRecords
        From `read_place`.
    level : float
        Confidence level.

    Returns
    -------
    tuple of Result
        As `qbase.trends.estimate_followup`; orders of all towns of a county are added up. None where no town of the
        place has any.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import estimate_place_followup, read_place
    >>> workspace = open_workspace()
    >>> county = read_place(workspace, "清沅县", kind="county", last="2025Q4")
    >>> found = estimate_place_followup(workspace, county)[0]
    >>> found.subject.en, found.estimates[0].n_obs
    ('Qingyuan County', 34)
    """
    snapshot = records.panel.snapshot or None
    whole = read_followup(workspace, entity="town_code", snapshot=snapshot, last=records.quarter)
    try:
        own = whole.keep(records.town_names)
    except PanelError:
        return ()
    is_one = list(records.town_names) == [records.entity]
    entity = records.entity if is_one else None
    found = estimate_followup(own, entity=entity, last=records.quarter, level=level)
    return found if is_one else tuple(_of_county(result, records) for result in found)


def _of_county(result: Result, records: PlaceRecords) -> Result:
    """Return what is summed over all towns of a county under the name of the county."""
    named = tuple(dataclasses.replace(e, key={**e.key, "entity": records.entity}) for e in result.estimates)
    settings = {**result.settings, "entity": records.entity}
    return dataclasses.replace(result, subject=records.place.name, estimates=named, settings=settings)
