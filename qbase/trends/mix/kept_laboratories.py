"""The comparison of laboratories of a snapshot, made once: it is alike on the page of every subject."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import join
from qbase.indicators.group_counts import find_group_counts
from qbase.indicators.kept.kept_values import keep_value
from qbase.trends.counts.period_counts import find_entity
from qbase.trends.mix.laboratory_effects import estimate_laboratories
from qbase.trends.mix.laboratory_words import say_lead

if TYPE_CHECKING:
    from qbase.indicators import Maturity
    from qbase.lake import Workspace


def read_laboratories(
    workspace: Workspace,
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    maturity: Maturity | None = None,
) -> Result:
    """Return the comparison of laboratories of a panel's snapshot, made once and kept; the lead is that of one entity.

    Parameters
    ----------
    workspace : Workspace
        Whose batches are counted, at the snapshot of the panel.
    panel : Panel
        What is followed, how it was drawn and by what period.
    outcome : str
        A rate of batches in the panel.
    entity, first, last, maturity
        As `qbase.trends.estimate_laboratories` takes them.

    Returns
    -------
    Result
        What `qbase.trends.estimate_laboratories` gives, with estimates of ``lead``, ``explained`` and ``left`` for the
        entity alone; table ``leads`` has all.

    Raises
    ------
    UsageError
        An unknown entity (QB501), a period that is none (QB101).
    DataError
        Nothing was tested (QB502), or a table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_laboratories
    >>> workspace = open_workspace()
    >>> found = read_laboratories(workspace, build_panel(workspace, "D1.batch"), "D1.batch", entity="K003")
    >>> sorted({e.key["entity"] for e in found.estimates if "entity" in e.key})
    ['K003']
    """
    at = workspace.snapshot(panel.snapshot or None)
    # what a panel covers and what is preliminary on a day decide as much as the snapshot does
    decided = (_print_of(panel.data[[outcome]]), "" if maturity is None else _print_of(maturity.table))
    asked = (outcome, panel.entity, panel.freq, str(first), str(last), decided)

    def build(of: str | None = None) -> Result:
        counts = find_group_counts(workspace, panel, outcome, by=("laboratory",), first=first, last=last)
        return estimate_laboratories(counts, entity=of, first=first, last=last, maturity=maturity)

    if panel.sampling != "naive":
        # weighted rates are not compared, and not pooled: there is nothing to keep
        return build(entity)
    whole = keep_value(workspace, "laboratories", asked, at, build, rooms=("trends",))
    own = None if entity is None else find_entity(panel, entity)
    kept = tuple(e for e in whole.estimates if e.key.get("entity", own) == own)
    told = dict(whole.labels)
    if own is not None and whole.estimates:
        told["later"] = join([told["later"], say_lead(kept, panel, own)], zh="", en=" ")
    settings = {**whole.settings, "entity": own}
    return dataclasses.replace(whole, estimates=kept, labels=told, settings=settings)


def _print_of(frame: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()
