"""How often a design is right: bias, errors, coverage, rejections and what it finds, with the doubt of the draws."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.lab.design_answers import (
    PATHS,
    Answers,
    DesignName,
    PathInference,
    answer_path,
    answer_plain,
    join_answers,
    ready_exchanges,
)
from qbase.effects.lab.placebo_draws import Placebos, Played, Shape, better_sign, join_played, play_effects
from qbase.effects.lab.resampled_batches import Resampled
from qbase.effects.lab.synthetic_answers import answer_synthetic
from qbase.effects.lab.untreated_history import History
from qbase.stats.design.design_intervals import clopper_pearson_interval

CELLS = 4_000_000
"""Numbers of the outcomes of a block of placebo policies: 32 MB."""

MOST_AT_ONCE = 100
"""Placebo policies of a block: the noise of their histories is kept for every design."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Play:
    """What is played out, besides who is treated when.

    Parameters
    ----------
    effects : tuple of float, length M
        Average effects added, ascending; the first is 0.
    shapes : tuple of {"constant", "growing"}
        Each of them is played.
    level, permutations, seed
        Of the designs' own inference.
    """

    effects: tuple[float, ...]
    shapes: tuple[Shape, ...]
    level: float
    permutations: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Share:
    """A share of draws in percent, with exact bounds; the share itself where all placebo policies were played."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Score:
    """What a design shows at each of M effects.

    Parameters
    ----------
    design : str
    n_treated, draws : int
    is_complete : bool
        Whether all placebo policies were played.
    gain, capped : numpy.ndarray, shape (M,)
        Mean improvement there really was, ascending from 0; percent of treated cells the bound was reached in.
    bias, bias_error, rmse, rmse_error : numpy.ndarray, shape (M,)
        In the unit of a difference, with Monte Carlo errors.
    covered, rejected, found, unanswered : tuple of Share, length M
        Intervals that hold the effect, of those given; no effect rejected; a change for the better found; draws
        without interval and without a p value that could reach the level.
    has_interval : bool
        Whether any interval was given.
    """

    design: DesignName
    n_treated: int
    draws: int
    is_complete: bool
    gain: Floats
    capped: Floats
    bias: Floats
    bias_error: Floats
    rmse: Floats
    rmse_error: Floats
    covered: tuple[Share, ...]
    rejected: tuple[Share, ...]
    found: tuple[Share, ...]
    unanswered: tuple[Share, ...]
    has_interval: bool


def play_designs(
    history: History,
    placebos: Placebos,
    designs: Sequence[DesignName],
    play: Play,
    *,
    resampled: Resampled | None = None,
) -> dict[DesignName, tuple[Score, ...]]:
    """Let designs judge placebo policies with known effects, and score their answers: one score a shape.

    Parameters
    ----------
    history, placebos, designs, play
        What is played out.
    resampled : Resampled or None
        A history of its own for each placebo policy.
    """
    effects = np.array(play.effects)
    step = min(MOST_AT_ONCE, max(1, CELLS // (len(play.shapes) * len(effects) * history.grid.y.size)))
    answers: dict[DesignName, list[Answers]] = {name: [] for name in designs}
    made = []
    for first in range(0, len(placebos.start), step):
        at = slice(first, first + step)
        own = None if resampled is None else resampled.block(at)
        start, bare = placebos.start[at], history.grid.y if own is None else own.y
        played = join_played([play_effects(history, start, bare, effects, shape) for shape in play.shapes])
        for name, answer in _answer(history, start, played, designs, play, own):
            answers[name].append(answer)
        made.append(dataclasses.replace(played, y=np.empty(0)))
    truth, capped = (np.concatenate([getattr(m, name) for m in made]) for name in ("truth", "capped"))
    parts = [slice(i * len(effects), (i + 1) * len(effects)) for i in range(len(play.shapes))]
    scores: dict[DesignName, tuple[Score, ...]] = {}
    for name, blocks in answers.items():
        whole = join_answers(blocks)
        scores[name] = tuple(
            _score(history, placebos, name, whole.of_effects(part), truth[:, part], capped[:, part], play.level)
            for part in parts
        )
    return scores


def _answer(
    history: History,
    start: Floats,
    played: Played,
    designs: Sequence[DesignName],
    play: Play,
    own: Resampled | None,
) -> Iterator[tuple[DesignName, Answers]]:
    inference = PathInference(level=play.level, permutations=play.permutations, seed=play.seed)
    shared = ready_exchanges(history, start, inference, own) if set(designs) & set(PATHS) else None
    for name in designs:
        if name == "synthetic":
            yield name, answer_synthetic(history, start, played, level=play.level)
        elif name in PATHS:
            yield name, answer_path(history, start, played, name, inference, exchanges=shared)
        else:
            yield name, answer_plain(history, start, played, name, level=play.level)


def _score(
    history: History,
    placebos: Placebos,
    design: DesignName,
    answers: Answers,
    truth: Floats,
    capped: Floats,
    level: float,
) -> Score:
    sign = better_sign(history.grid.indicator)
    error = answers.beta - truth
    has_interval = np.isfinite(answers.low)
    tells = has_interval | np.isfinite(answers.p)
    rejects = find_rejections(answers, level)
    with np.errstate(invalid="ignore"):
        holds = has_interval & (answers.low <= truth) & (truth <= answers.high)
    finds = rejects & (sign * answers.beta > 0)
    n = np.isfinite(error).sum(axis=0)
    draws, complete = len(error), placebos.is_complete

    def shares(hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> tuple[Share, ...]:
        total = np.full(hits.shape[1], draws) if among is None else among.sum(axis=0)
        return tuple(
            share_of(int(k), int(m), level=level, is_complete=complete)
            for k, m in zip(hits.sum(axis=0), total, strict=True)
        )

    squares = error**2
    rmse = np.sqrt(_mean(squares, n))
    bias = _mean(error, n)
    none = np.zeros(len(n)) if complete else np.sqrt(_mean((error - bias) ** 2, n) / np.maximum(n - 1, 1))
    spread = np.sqrt(_mean((squares - rmse**2) ** 2, n) / np.maximum(n, 1))
    return Score(
        design=design,
        n_treated=int(np.isfinite(placebos.start[0]).sum()),
        draws=draws,
        is_complete=complete,
        gain=sign * truth.mean(axis=0),
        capped=100 * capped.mean(axis=0),
        bias=bias,
        bias_error=none,
        rmse=rmse,
        rmse_error=np.zeros(len(n)) if complete else spread / (2 * np.where(rmse > 0, rmse, 1.0)),
        covered=shares(holds, has_interval),
        rejected=shares(rejects),
        found=shares(finds),
        unanswered=shares(~tells),
        has_interval=bool(has_interval.any()),
    )


def find_rejections(answers: Answers, level: float) -> NDArray[np.bool_]:
    """Return where no effect is rejected, shape (A, M): by the interval, or by the p value where there is none."""
    has_interval = np.isfinite(answers.low)
    with np.errstate(invalid="ignore"):
        by_p = answers.p <= 1 - level + 1e-9
        outside = (answers.low > 0) | (answers.high < 0)
    return np.asarray(np.where(has_interval, outside, by_p), dtype=bool)


def _mean(values: Floats, n: NDArray[np.int64]) -> Floats:
    """Return the mean of the draws with an estimate; NaN where there is none."""
    total = np.where(np.isfinite(values), values, 0.0).sum(axis=0)
    return np.asarray(total / np.where(n > 0, n, np.nan), dtype=float)


def share_of(hits: int, total: int, *, level: float, is_complete: bool = False) -> Share:
    """Return a share in percent with the bounds of Clopper and Pearson; NaN among none.

    Parameters
    ----------
    hits, total : int
    level : float
        Of the bounds.
    is_complete : bool
        Whether nothing was drawn, so that the share has no doubt.
    """
    if not total:
        return Share(value=math.nan, low=math.nan, high=math.nan)
    value = 100 * hits / total
    if is_complete:
        return Share(value=value, low=value, high=value)
    (low,), (high,) = clopper_pearson_interval([hits], [total], level=level)
    return Share(value=value, low=100 * float(low), high=100 * float(high))


def detectable_effect(score: Score, *, power: float) -> tuple[float, float, float]:
    """Return the effect that is found with a power, and between which effects so many draws place it.

    Parameters
    ----------
    score : Score
    power : float
        Such as .8.

    Returns
    -------
    value, low, high : float
        Average improvements as they really were, interpolated between those played; infinite where none is large
        enough.
    """
    return crossing_effects(score.gain, score.found, power=power)


def crossing_effects(gain: Floats, found: Sequence[Share], *, power: float) -> tuple[float, float, float]:
    """Return where shares found reach a power, and where their bounds do; infinite where they do not.

    Parameters
    ----------
    gain : numpy.ndarray, shape (M,)
        Average improvements, ascending.
    found : sequence of Share, length M
    power : float
    """
    crossings = []
    for side in ("value", "high", "low"):
        chances = np.maximum.accumulate([getattr(share, side) for share in found])
        crossings.append(_crossing(gain, chances, 100 * power))
    return crossings[0], crossings[1], crossings[2]


def chance_of(score: Score, effect: float) -> Share:
    """Return how often a true average improvement is found, interpolated between those played; NaN beyond them."""
    if not score.gain[0] <= effect <= score.gain[-1]:
        return Share(value=math.nan, low=math.nan, high=math.nan)
    sides = ("value", "low", "high")
    at = {side: float(np.interp(effect, score.gain, [getattr(s, side) for s in score.found])) for side in sides}
    return Share(**at)


def _crossing(effects: Floats, chances: Floats, wanted: float) -> float:
    reached = np.flatnonzero(chances >= wanted)
    if not len(reached):
        return math.inf
    at = int(reached[0])
    if at == 0:
        return float(effects[0])
    share = (wanted - chances[at - 1]) / (chances[at] - chances[at - 1])
    return float(effects[at - 1] + share * (effects[at] - effects[at - 1]))
