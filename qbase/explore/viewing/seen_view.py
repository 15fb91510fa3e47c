"""What a view shows: its panel, what is estimated from it, the figure and the sentences."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure
from qbase.core.text import Text
from qbase.explore.everyday import plot
from qbase.explore.viewing.view import View
from qbase.figures.surface.canvas import leave_previews
from qbase.indicators import build_panel, read_firm_counts
from qbase.indicators.cells.inspection_window import open_rows

if TYPE_CHECKING:
    from qbase.indicators import FirmCounts
    from qbase.indicators.whole_series import WholeSeries
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a view shows.

    Parameters
    ----------
    view : View
        What was asked.
    panel : Panel
        What it is estimated from.
    result : Result
        The answer, or why there is none.
    figure : Figure or None
        None where there is no answer to draw.
    """

    view: View
    panel: Panel
    result: Result
    figure: Figure | None

    @property
    def sentences(self) -> tuple[Text, ...]:
        """What the result says."""
        return self.result.say().items


def estimate_view(workspace: Workspace, view: View, *, series: WholeSeries | None = None) -> Seen:
    """Build the panel of a view, estimate and draw.

    Parameters
    ----------
    workspace : Workspace
        Whose data are looked at.
    view : View
        What is looked at.
    series : WholeSeries or None
        Of its indicator, kind of entity and frequency, where it was counted before: windows are then cut from it, and
        hold what is counted without it.

    Returns
    -------
    Seen
        The figure without its PNG: the explorer shows the drawing itself.

    Raises
    ------
    QbaseError
        What `build_panel`, the method and `plot` raise: the combination does not hold.

    Examples
    --------
    >>> from qbase.explore import View, estimate_view
    >>> from qbase.lake import open_workspace
    >>> seen = estimate_view(open_workspace(), View(subject="K001", first="2024Q1", last="2025Q4"))
    >>> seen.figure
    <Figure trend:D1.batch:K001>
    >>> print(seen.sentences[0].en)
    The batch pass rate of the Qingzhao polyester fibre cluster in 2025 Q4 is estimated at 75.0% (95% CI 50.2–89.9;
    n = 16 batches).
    """
    way = view.way
    asked: dict[str, Any] = {}
    panel, firms = _cut(workspace, view, series) or _count(workspace, view)
    if way.takes_firms:
        asked["firms"] = firms
    if way.takes_subject and view.subject is not None:
        asked["entity"] = view.subject
    result = getattr(importlib.import_module(way.module), way.function)(panel, view.indicator, **asked)
    with leave_previews():
        figure = plot(result) if result.estimates else None
    return Seen(view=view, panel=panel, result=result, figure=figure)


def _count(workspace: Workspace, view: View) -> tuple[Panel, FirmCounts | None]:
    panel = build_panel(workspace, view.indicator, **view.window)
    return panel, read_firm_counts(workspace, view.indicator, **view.window) if view.way.takes_firms else None


def _cut(workspace: Workspace, view: View, series: WholeSeries | None) -> tuple[Panel, FirmCounts | None] | None:
    if series is None or view.sampling != "naive":
        return None
    span: dict[str, Any] = {"snapshot": series.panel.snapshot, "first": view.first, "last": view.last}
    return series.cut(open_rows(workspace, entity=view.entity, freq=view.freq, **span))
