"""Storey 7: results and scorecards as figures and tables, in both languages and two widths. Computes nothing.

Names are loaded when first used; matplotlib is imported by the first drawing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.figures.events import plot_event_study
    from qbase.figures.forest import plot_estimates
    from qbase.figures.tables import tabulate_accounting, tabulate_checks, tabulate_estimates, tabulate_scorecard
    from qbase.figures.theme import house_rc, use_theme
    from qbase.figures.tiles import tiles_of
    from qbase.figures.trend import plot_trend

__getattr__ = lazy_names(
    __name__,
    {
        "events": ("plot_event_study",),
        "forest": ("plot_estimates",),
        "tables": ("tabulate_accounting", "tabulate_checks", "tabulate_estimates", "tabulate_scorecard"),
        "theme": ("house_rc", "use_theme"),
        "tiles": ("tiles_of",),
        "trend": ("plot_trend",),
    },
)

__all__ = [
    "house_rc", "plot_estimates", "plot_event_study", "plot_trend", "tabulate_accounting", "tabulate_checks",
    "tabulate_estimates", "tabulate_scorecard", "tiles_of", "use_theme",
]  # fmt: skip
