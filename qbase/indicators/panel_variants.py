"""The panels that stand beside the one an effect is estimated on: other draws, one yardstick, further outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.core.panel import Panel, Sampling
from qbase.core.periods import Freq
from qbase.core.policy import Policy
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.maturity.maturity_table import Maturity
from qbase.indicators.maturity.quarter_maturity import withhold_preliminary
from qbase.indicators.panel_building import build_panel

if TYPE_CHECKING:
    from qbase.lake import Workspace

CONSTANT = {"D1.batch": "D1.rejudged"}
"""Outcome -> the same by one yardstick."""


def build_variants(
    workspace: Workspace,
    policy: Policy,
    outcome: str,
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    sampling: Sampling = "naive",
    maturity: Maturity | None = None,
    snapshot: str | None = None,
) -> dict[str, Panel]:
    """Build the panels an effect is held against, as far as the lake has the data for them.

    Parameters
    ----------
    workspace : Workspace
        See `build_panel`.
    policy : Policy
        Its plan names secondary and placebo outcomes.
    outcome : str
        The primary one.
    entity, freq, sampling, snapshot
        Of the panel of the effect.
    maturity : Maturity or None
        Preliminary rows are left out as in the panel of the effect.

    Returns
    -------
    dict
        ``random``: the outcome of random draws (双随机) alone, unless the panel is that already. ``constant``: the
        outcome by one yardstick. ``secondary`` and ``placebo``: the outcomes the plan names, in one panel each. What
        cannot be built is left out.

    Examples
    --------
    >>> from qbase.indicators import build_policy, build_variants
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> variants = build_variants(workspace, build_policy(workspace, "base"), "D1.batch")
    >>> variants["random"]
    <Panel D1.batch: 12 x 40 quarterly periods 2016Q1 to 2025Q4, 443 rows, random_draw>
    """
    plan = policy.plan
    wanted: dict[str, tuple[tuple[str, ...], Sampling]] = {
        "random": ((outcome,) if sampling == "naive" else (), "random_draw"),
        "constant": ((CONSTANT[outcome],) if outcome in CONSTANT and sampling == "naive" else (), "naive"),
        "secondary": (() if plan is None else plan.secondary, "naive"),
        "placebo": (() if plan is None else plan.placebo, "naive"),
    }
    built: dict[str, Panel] = {}
    for name, (ids, drawn) in wanted.items():
        about: dict[str, Any] = {"entity": entity, "freq": freq, "sampling": drawn, "snapshot": snapshot}
        kept = [i for i in ids if len(ids) == 1 or _try(workspace, [i], maturity, about) is not None]
        panel = _try(workspace, kept, maturity, about) if kept else None
        if panel is not None:
            built[name] = panel
    return built


def _try(workspace: Workspace, ids: Sequence[str], maturity: Maturity | None, about: dict[str, Any]) -> Panel | None:
    """Return a panel, or None where the data do not hold it: no items, no classes, not measured by this entity."""
    try:
        panel = build_panel(workspace, ids, **about)
        return panel if maturity is None else withhold_preliminary(panel, maturity)
    except QbaseError:
        return None
