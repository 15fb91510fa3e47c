"""What it would take to decide: more draws where sampling makes the doubt, more clusters where it does not."""

from __future__ import annotations

import dataclasses
import math

from qbase.core.numbers import count
from qbase.core.text import Text
from qbase.effects.comparison.untreated_facts import UntreatedFacts
from qbase.effects.judging.design_checks import FEW_TREATED
from qbase.effects.judging.headroom import Headroom

MOST_TIMES = 10
"""More than tenfold draws are no route: the number then hangs on the last digit of the sampling share."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Route:
    """How a question could be settled.

    Parameters
    ----------
    batches_per_cell : int or None
        Batches a cluster and period; None where no number of them is enough, or more than tenfold would be needed.
    n_treated : int
        Treated clusters, with batches as they are.
    target : float
        Effect that should be found, in the unit of the headroom.
    """

    batches_per_cell: int | None
    n_treated: int
    target: float


def find_route(headroom: Headroom, facts: UntreatedFacts) -> Route | None:
    """Find what it takes until the smallest gain that matters (or the largest possible one) would be found.

    The variance of an effect has a part from sampling, which draws divide, and a part from how clusters differ over
    time, which only more clusters divide. The first is p (100 − p) / n a cell; the whole is seen in the untreated
    history of `read_facts`.

    Parameters
    ----------
    headroom : Headroom
        Of the result.
    facts : UntreatedFacts
        Batches a cell, level and error of the untreated history.

    Returns
    -------
    Route or None
        None where nothing says what should be found, or it would be found already.
    """
    target = headroom.smallest or headroom.largest
    if not target or math.isinf(headroom.detectable):
        if facts.n_treated < FEW_TREATED and target:
            return Route(batches_per_cell=None, n_treated=FEW_TREATED, target=target)
        return None
    if headroom.detectable <= target:
        return None
    wanted = (target / headroom.detectable) ** 2
    share = sampling_share(facts)
    rest = 1 - share
    clusters = math.ceil(facts.n_treated / wanted)
    if facts.batches_per_cell is None or share <= 0 or wanted <= rest:
        return Route(batches_per_cell=None, n_treated=clusters, target=target)
    batches = math.ceil(facts.batches_per_cell * share / (wanted - rest))
    is_route = batches <= MOST_TIMES * facts.batches_per_cell
    return Route(batches_per_cell=batches if is_route else None, n_treated=clusters, target=target)


def sampling_share(facts: UntreatedFacts) -> float:
    """Return the share of an effect's variance that comes from sampling, between 0 and 1; 0 where it is not known."""
    if not facts.batches_per_cell or facts.level is None or not facts.block_error or not facts.block:
        return 0.0
    sides = 1 / facts.n_treated + 1 / max(1, facts.n_controls)
    whole = facts.block_error**2 / sides
    drawn = 2 * facts.level * (100 - facts.level) / facts.batches_per_cell / facts.block
    return min(1.0, max(0.0, drawn / whole))


def say_route(route: Route, facts: UntreatedFacts) -> Text:
    """Return a route in words, with the number of draws or clusters."""
    n, effect = count(route.n_treated), f"{route.target:.1f}"
    if route.batches_per_cell is not None and facts.batches_per_cell is not None:
        now, then = f"{facts.batches_per_cell:g}", count(route.batches_per_cell)
        return Text(
            f"要发现 {effect} 的效果：以双随机把每个集群每期的抽查由 {now} 批增至 {then} 批；或约 {n} 个集群采用"
            f"（现 {facts.n_treated} 个）。",
            f"To find an effect of {effect}: random draws of {then} batches a cluster and period instead of {now}; or "
            f"about {n} treated clusters (now {facts.n_treated}).",
        )
    return Text(
        f"要发现 {effect} 的效果，增加抽查批次不够：须约 {n} 个集群采用（现 {facts.n_treated} 个），"
        "采用时间最好由抽签决定。",
        f"To find an effect of {effect}, more batches would not do: about {n} treated clusters are needed (now "
        f"{facts.n_treated}), their dates drawn by lot if possible.",
    )
