"""The smallest effect found with a power: a ladder of effects, then steps inside the rung that crosses it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.lab.design_answers import PathInference, answer_path, ready_exchanges
from qbase.effects.lab.design_scores import Share, crossing_effects, find_rejections, share_of
from qbase.effects.lab.placebo_draws import Played, better_sign
from qbase.effects.lab.resampled_batches import Resampled
from qbase.effects.lab.untreated_history import History
from qbase.planning.evaluating.evaluation_designs import JUDGED_BY, DesignName
from qbase.planning.evaluating.future_rates import Futures, carry_out

Bools = NDArray[np.bool_]

LADDER = (0.0, 4.0, 8.0, 14.0, 25.0)
"""Percentage points; the last brings nearly every rate to its bound."""

RUNGS = 3
AT_ONCE = 50
"""Histories whose noise is kept at a time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """One plan: a design, batches in each cluster and quarter to come, and when it is looked at.

    Parameters
    ----------
    design : {"did", "staggered", "phase_in"}
    each : int
    n_periods : int
    start : numpy.ndarray, shape (G,)
    """

    design: DesignName
    each: int
    n_periods: int
    start: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a plan finds at each of M effects, ascending from 0.

    Parameters
    ----------
    gain : numpy.ndarray, shape (M,)
        Average improvements there really were, in points.
    found : tuple of Share, length M
        Draws in which an improvement is said.
    size, unanswered : Share
        Draws in which any change is said where there is none; draws in which nothing could be said.
    detectable : tuple of float
        Effect found with the power, and between which effects so many draws place it; infinite where none is.
    """

    gain: Floats
    found: tuple[Share, ...]
    size: Share
    unanswered: Share
    detectable: tuple[float, float, float]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Draws by effects, shape (A, M): improvements said, changes said, nothing that could be said, and true gains."""

    improved: Bools
    changed: Bools
    silent: Bools
    gain: Floats


def find_detectable(
    history: History, futures: Futures, point: Point, inference: PathInference, *, power: float
) -> Found:
    """Return the smallest effect that a plan finds with a power.

    Parameters
    ----------
    history : History
        Whose indicator and period the futures continue; its outcomes are not used.
    futures : Futures
        The same for every point, so that points differ by what is planned alone.
    point : Point
    inference : PathInference
        Of the letters.
    power : float
    """
    judge = _judge_of(history, futures, point, inference)
    effects = np.array(LADDER)
    judged = judge(effects)
    share = judged.improved.mean(axis=0)
    above = np.flatnonzero(share >= power)
    if len(above) and above[0] > 0:
        low, high = effects[above[0] - 1], effects[above[0]]
        further = np.linspace(low, high, RUNGS + 2)[1:-1]
        judged = _join(judged, judge(further))
        effects = np.concatenate([effects, further])
    order = np.argsort(effects, kind="stable")
    draws = len(judged.gain)
    found = tuple(share_of(int(judged.improved[:, m].sum()), draws, level=inference.level) for m in order)
    gain = judged.gain.mean(axis=0)[order]
    return Found(
        gain=gain,
        found=found,
        size=share_of(int(judged.changed[:, 0].sum()), draws, level=inference.level),
        unanswered=share_of(int(judged.silent[:, 0].sum()), draws, level=inference.level),
        detectable=crossing_effects(gain, found, power=power),
    )


def judge_effects(
    history: History, futures: Futures, point: Point, inference: PathInference, effects: Floats
) -> Judged:
    """Return what is said of effects under each history; see `find_detectable`."""
    return _judge_of(history, futures, point, inference)(effects)


def _judge_of(history: History, futures: Futures, point: Point, inference: PathInference) -> Callable[[Floats], Judged]:
    """Return a judge of effects that works out once what does not depend on them: the noise of the untreated cells."""
    sign = better_sign(history.grid.indicator)
    how = {"n_periods": point.n_periods, "each": point.each}
    start = np.broadcast_to(point.start, futures.rate.shape[:2])
    bare = carry_out(futures, point.start, np.zeros(1), **how)
    drawn = Resampled(y=bare.y[:, 0], n=bare.n, k=bare.k)
    blocks = [slice(a, a + AT_ONCE) for a in range(0, len(start), AT_ONCE)]
    exchanges = [ready_exchanges(history, start[at], inference, drawn.block(at)) for at in blocks]

    def judge(effects: Floats) -> Judged:
        made = carry_out(futures, point.start, sign * effects, **how)
        parts = []
        for at, ready in zip(blocks, exchanges, strict=True):
            played = Played(y=made.y[at], truth=made.gain[at], capped=np.zeros(made.gain[at].shape))
            answers = answer_path(history, start[at], played, JUDGED_BY[point.design], inference, exchanges=ready)
            changed = find_rejections(answers, inference.level)
            with np.errstate(invalid="ignore"):
                improved = changed & (sign * answers.beta > 0)
            silent = ~(np.isfinite(answers.low) | np.isfinite(answers.p))
            parts.append(Judged(improved=improved, changed=changed, silent=silent, gain=sign * made.gain[at]))
        return Judged(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Judged)}
        )

    return judge


def _join(one: Judged, other: Judged) -> Judged:
    names = [f.name for f in dataclasses.fields(Judged)]
    return Judged(**{n: np.concatenate([getattr(one, n), getattr(other, n)], axis=1) for n in names})
