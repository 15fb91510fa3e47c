"""What the other entities of a panel say of over-dispersion, in numbers and in words."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from qbase.core.numbers import count, number, percent
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.stats.control.pooled_likeness import LEAST_ENTITIES, LikenessPool, pool_likeness
from qbase.trends.signals.control_numbers import Charted
from qbase.trends.signals.measured_series import Measured

Dispersion = Literal["panel", "own"]
NOTHING = Text("", "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PanelLikeness:
    """What a chart may borrow from its panel.

    Parameters
    ----------
    asked : {"panel", "own"}
        What was asked for.
    pool : LikenessPool or None
        Of the other entities; None where nothing is borrowed.
    entities : int
        Other entities with counts.
    is_one : bool
        Whether the chart is of one entity, to which others can be likened.
    """

    asked: Dispersion
    pool: LikenessPool | None
    entities: int
    is_one: bool


def read_likeness(
    panel: Panel, outcome: str, measured: Measured, *, entity: str | None, asked: Dispersion
) -> PanelLikeness:
    """Learn over-dispersion from the other entities of a panel.

    Nothing is borrowed where it was not asked for, where the chart is of all together (whose quarters vary less than
    those of one), where there are no counts, or where fewer than eight other entities can be used.

    Parameters
    ----------
    panel : Panel
        Without preliminary periods.
    outcome : str
        Id of a rate.
    measured : Measured
        The series that is charted.
    entity : str or None
        Whose it is, as the panel writes it.
    asked : {"panel", "own"}
        ``own`` borrows nothing.
    """
    if not measured.has_counts:
        return PanelLikeness(asked=asked, pool=None, entities=0, is_one=entity is not None)
    others = [e for e in panel.entities if e != entity]
    if entity is None or asked == "own" or len(others) < LEAST_ENTITIES:
        is_one = entity is not None or len(panel.entities) == 1
        return PanelLikeness(asked=asked, pool=None, entities=len(others) if entity is not None else 0, is_one=is_one)
    counts = panel.counts(outcome)
    wide = {c: counts[c].unstack("period").sort_index(axis=1).loc[others].to_numpy(dtype=float) for c in ("k", "n")}
    return PanelLikeness(asked=asked, pool=pool_likeness(wide["k"], wide["n"]), entities=len(others), is_one=True)


def say_likeness(found: PanelLikeness, measured: Measured, charted: Charted) -> Text:
    """Return as a sentence whether over-dispersion was learnt from the panel; empty where it was asked to be own."""
    if found.asked == "own" or charted.chart == "xmr" or not found.is_one:
        return NOTHING
    phase = charted.phases[-1]
    if phase.pooled is not None:
        typical = float(measured.n[phase.start : phase.stop].mean())
        wide = number(math.sqrt(1 + (typical - 1) * phase.pooled.likeness), 2)
        own, n = percent(100 * phase.pooled.own_share, 0), count(found.pool.entities if found.pool else 0)
        return Text(
            f"抽样之外的波动由面板中另外 {n} 个对象与本序列共同估计（σ_Z {wide}，本序列占 {own}）。",
            f"How much its periods vary beyond sampling is learnt from {n} other entities of the panel and from itself "
            f"(sigma_Z {wide}, own share {own}).",
        )
    if phase.variation in ("too_short", "all_alike"):
        return NOTHING
    if found.pool is not None:
        return Text(
            "各期波动明显大于面板中其他对象，只由本序列估计；这样发现变化的能力较低。",
            "Its periods vary more than those of the other entities of the panel do: how much is learnt from this "
            "series alone, which finds fewer changes.",
        )
    return Text(
        f"面板中可比的其他对象不足 {LEAST_ENTITIES} 个，抽样之外的波动只由本序列估计；这样发现变化的能力较低。",
        f"The panel holds fewer than {LEAST_ENTITIES} other entities to learn from: how much its periods vary beyond "
        "sampling is learnt from this series alone, which finds fewer changes.",
    )


def likeness_settings(found: PanelLikeness, charted: Charted) -> dict[str, object]:
    """Return what a result says of it in its settings: from whom it was learnt, and what."""
    phases = [p.pooled for p in charted.phases]
    last = phases[-1]
    settings: dict[str, object] = {
        "dispersion": "panel" if last is not None else "own", "dispersion_asked": found.asked,
    }  # fmt: skip
    if found.pool is not None:
        settings |= {
            "dispersion_entities": found.pool.entities, "panel_likeness": round(found.pool.mean, 4),
            "panel_likeness_spread": round(found.pool.spread, 4),
        }  # fmt: skip
    if last is not None:
        settings |= {"likeness": round(last.likeness, 4), "likeness_own_share": round(last.own_share, 3)}
    return settings
