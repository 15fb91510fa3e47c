"""The figure of an effect: which drawing its design asks for."""

from __future__ import annotations

from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure
from qbase.figures.charts.event_figure import plot_event_study
from qbase.figures.charts.path_figure import plot_paths
from qbase.figures.designs.synthetic_figure import plot_synthetic


def plot_effect(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw an effect as its design asks: by event time, against a synthetic comparison, or the paths behind it.

    Parameters
    ----------
    result : Result
        An effect, or a described path.
    policy : Policy or None
        Whose start is drawn.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        As `plot_event_study`, `plot_synthetic` or `plot_paths`.

    Examples
    --------
    >>> from qbase.effects import estimate_imputation
    >>> from qbase.figures import plot_effect
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> plot_effect(estimate_imputation(panel, policy, "D1.batch"), policy=policy).title.en
    'Batch pass rate probably up 3.5 percentage points after adoption'
    """
    if any(int(e.key.get("event_time", 0)) < 0 for e in result.estimates):
        return plot_event_study(result, policy=policy)
    if all(name in result.tables and not result.tables[name].empty for name in ("synthetic", "placebos")):
        return plot_synthetic(result, policy=policy)
    return plot_paths(result, policy=policy)
