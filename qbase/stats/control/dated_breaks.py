"""Breaks in the mean of a weighted series, one after another, at a known false alarm; documented dates come first."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from scipy import stats

from qbase.core.errors import UsageError
from qbase.stats.control.change_scan import DRAWS, SEED, permutations, step_gains
from qbase.stats.control.control_limits import Floats
from qbase.stats.control.mean_breaks import TRIM, argmax_quantile


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatedBreak:
    """One break of a series.

    Parameters
    ----------
    last : int
        Position of the last point before it.
    low, high : int
        Ends of the confidence interval of ``last``; -1, or the last point of the series, where it is open.
    searched : int
        Where the search alone puts it; ``last`` is another point where a documented date lies in the interval.
    p_value : float
        Of the search that found it.
    step, step_low, step_high : float
        Mean after less mean before, and an interval as wide as the search demands: it leaves 0 out where the test of
        this one break does.
    is_documented : bool
        Whether ``last`` is a documented date.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import DatedBreak, date_breaks
    >>> found, _ = date_breaks(np.array([9.0, 11, 10, 9, 10, 10, 15, 14, 16, 15, 14, 15]))
    >>> isinstance(found[0], DatedBreak), found[0].is_documented
    (True, False)
    """

    last: int
    low: int
    high: int
    searched: int
    p_value: float
    step: float
    step_low: float
    step_high: float
    is_documented: bool


def date_breaks(
    value: Floats,
    weight: Floats | None = None,
    *,
    documented: tuple[int, ...] = (),
    alpha: float = 0.05,
    most: int = 5,
    trim: float = TRIM,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> tuple[tuple[DatedBreak, ...], float]:
    """Find the breaks in the mean of a series by sup-F, their number by testing one more until none is found.

    Each round looks at every segment there is and permutes its points, so that a series without a break gets one with
    probability ``alpha`` at most. Half of it is spent on the documented dates, which need no search, where there are
    any. The interval of a date is Bai's, with the tests cumulated as its clock, widened to the dates that the
    likelihood ratio does not tell from the best one: Bai's alone is too short for small steps. A documented date that
    lies in it is the date.

    Parameters
    ----------
    value, weight : numpy.ndarray, shape (T,)
        Without gaps; None weighs all alike.
    documented : tuple of int
        Positions of the last point before a documented change.
    alpha : float
        Chance of finding any break where there is none.
    most : int
        Most that are searched.
    trim : float
        Least share of the series in a segment.
    level : float
        Of the intervals.
    draws, seed : int
        Of the permutations.

    Returns
    -------
    tuple of tuple of DatedBreak and float
        In order of time; and the p value of the first round, which says whether there is any.

    Raises
    ------
    UsageError
        Too short for a break (QB519).

    References
    ----------
    Bai, J. and Perron, P. (1998). Estimating and testing linear models with multiple structural changes. Econometrica
    66. Bai, J. (1997). Estimating multiple breaks one at a time. Econometric Theory 13. Eo, Y. and Morley, J. (2015).
    Likelihood-ratio-based confidence sets for the timing of structural breaks. Quantitative Economics 6.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import date_breaks
    >>> (found,), p = date_breaks(np.array([9.0, 11, 10, 9, 10, 10, 15, 14, 16, 15, 14, 15]))
    >>> found.last, found.low, found.high, round(found.step, 2), p < 0.01
    (5, 4, 6, 5.0, True)
    """
    size = len(value)
    least = max(2, math.floor(trim * size))
    if size < 2 * least:
        raise UsageError(
            "QB519", option="n_breaks", value="1", found=f"{size} periods, segments of {least} at least",
            expected="at most 0 breaks", fix="more periods, or a smaller trim",
        )  # fmt: skip
    series = _Series(
        value=np.asarray(value, dtype=float), least=least, documented=documented, level=level, draws=draws, seed=seed,
        weight=np.ones(size) if weight is None else np.asarray(weight, dtype=float),
    )  # fmt: skip
    last: list[int] = []
    p_of: list[float] = []
    first_p = 1.0
    while len(last) < most:
        edges = [-1, *sorted(last), size - 1]
        rounds = [series.test(a + 1, b + 1) for a, b in itertools.pairwise(edges)]
        open_ = [r for r in rounds if r is not None]
        if not open_:
            break
        p, at = min(open_)
        p = min(1.0, p * len(open_))
        first_p = p if not last else first_p
        if p > alpha:
            break
        last.append(at)
        p_of.append(p)
    order = np.argsort(last)
    return series.date([last[i] for i in order], [p_of[i] for i in order]), first_p


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Series:
    value: Floats
    weight: Floats
    least: int
    documented: tuple[int, ...]
    level: float
    draws: int
    seed: int

    def test(self, start: int, stop: int) -> tuple[float, int] | None:
        """Return p of a break between two points, and its best date; None where none fits."""
        y, w = self.value[start:stop], self.weight[start:stop]
        points = len(y)
        if points < 2 * self.least:
            return None
        moved = w * (y - np.average(y, weights=w))
        gains = step_gains(moved, w, self.least)
        at = int(gains.argmax())
        if (moved * y).sum() <= 1e-12 * max(float((w * y * y).sum()), 1e-300):
            return 1.0, start + at + self.least - 1
        order = permutations(points, self.draws, self.seed)
        drawn = step_gains(moved[order], w[order], self.least)
        p = _share(drawn.max(axis=1), float(gains.max()))
        told = [d - start - self.least + 1 for d in self.documented]
        told = [d for d in told if 0 <= d < len(gains)]
        if told:
            p = min(1.0, 2 * p, 2 * _share(drawn[:, told].max(axis=1), float(gains[told].max())))
        return p, start + at + self.least - 1

    def date(self, last: list[int], p_of: list[float]) -> tuple[DatedBreak, ...]:
        """Search each break anew between its neighbours, and give its date and size their intervals."""
        found: list[DatedBreak] = []
        places = list(last)
        for i, p in enumerate(p_of):
            start = places[i - 1] + 1 if i else 0
            stop = places[i + 1] + 1 if i + 1 < len(places) else len(self.value)
            one = self._one(start, stop, p)
            places[i] = one.last
            found.append(one)
        return tuple(found)

    def _one(self, start: int, stop: int, p: float) -> DatedBreak:
        y, w = self.value[start:stop], self.weight[start:stop]
        gains = step_gains(w * (y - np.average(y, weights=w)), w, self.least)
        at = int(gains.argmax())
        tau = at + self.least
        parts = ((y[:tau], w[:tau]), (y[tau:], w[tau:]))
        spread = [float((b * (a - np.average(a, weights=b)) ** 2).mean()) for a, b in parts]
        pooled = (spread[0] * tau + spread[1] * (len(y) - tau)) / (len(y) - 2)
        # a side on which all passed has no variance of its own, and is not certain for that
        spread = [s if s > 0 else pooled for s in spread]
        step = step_at(y, w, tau, self.level)[0]
        cut = -2 * math.log(1 - math.sqrt(self.level))
        alike = np.flatnonzero(gains.max() - gains <= cut * pooled) + self.least - 1
        low, high = self._bai(w, tau, step, (spread[0], spread[1]))
        low, high = min(low, int(alike[0])), max(high, int(alike[-1]))
        told = [d - start for d in self.documented if low <= d - start <= high and d - start - self.least + 1 >= 0]
        told = [d for d in told if d - self.least + 1 < len(gains)]
        chosen = max(told, key=lambda d: (gains[d - self.least + 1], -d)) if told else tau - 1
        size = float(np.average(y[chosen + 1 :], weights=w[chosen + 1 :]))
        size -= float(np.average(y[: chosen + 1], weights=w[: chosen + 1]))
        half = self._half(y, w, chosen, told)
        return DatedBreak(
            last=start + chosen, low=start + low if low >= 0 else start - 1, high=start + min(high, len(y) - 1),
            searched=start + tau - 1, p_value=p, step=size, step_low=size - half, step_high=size + half,
            is_documented=bool(told),
        )  # fmt: skip

    def _half(self, y: Floats, w: Floats, at: int, told: list[int]) -> float:
        """Return half the interval of a step: standard errors as many as the largest of all dates has by chance."""
        points = len(y)
        moved = w * (y - np.average(y, weights=w))
        whole = float((moved * y).sum())
        order = permutations(points, self.draws, self.seed)
        drawn = step_gains(moved[order], w[order], self.least)
        columns = [d - self.least + 1 for d in told] or list(range(drawn.shape[1]))
        share = (1 - self.level) / (2 if self.documented else 1)
        cut = float(np.quantile(drawn[:, columns].max(axis=1), 1 - share, method="higher"))
        head, mass = float(w[: at + 1].sum()), float(w.sum())
        within = whole - float(moved[: at + 1].sum()) ** 2 * mass / (head * (mass - head))
        bar = cut / max(whole - cut, 1e-300) * max(within, 0.0)
        return math.sqrt(bar * mass / (head * (mass - head)))

    def _bai(self, w: Floats, tau: int, step: float, spread: tuple[float, float]) -> tuple[int, int]:
        """Return Bai's interval; its clock runs with the weights, by their mean around the break."""
        if step == 0 or min(spread) <= 0:
            return tau - 1, tau - 1
        ratio, tail, scale = spread[1] / spread[0], (1 - self.level) / 2, spread[0] / step**2
        clock = np.concatenate([[0.0], np.cumsum(w)])
        back = clock[tau] - argmax_quantile(1 - tail, ratio) * scale
        ahead = clock[tau] - argmax_quantile(tail, ratio) * scale
        slack = 1e-9 * clock[-1]
        low = int(np.searchsorted(clock, back + slack, side="right")) - 1
        high = int(np.searchsorted(clock, ahead - slack, side="left"))
        return max(low, 0) - 1, min(high, len(w)) - 1


def _share(drawn: Floats, found: float) -> float:
    return float((1 + (drawn >= found * (1 - 1e-9)).sum()) / (len(drawn) + 1))


def step_at(y: Floats, w: Floats, tau: int, level: float) -> tuple[float, float, float]:
    """Return mean after less mean before the first ``tau`` points, with Welch's interval of weighted means.

    Parameters
    ----------
    y, w : numpy.ndarray, shape (T,)
        Values and weights; a side on which nothing varies takes the variance of the other.
    tau : int
        Points before the step, at least 2 on either side.
    level : float
        Confidence level.

    Returns
    -------
    tuple of float
        Step, lower and upper end.
    """
    sides = [(y[:tau], w[:tau]), (y[tau:], w[tau:])]
    means = [float(np.average(a, weights=b)) for a, b in sides]
    spread = [float((b * (a - m) ** 2).sum() / (len(a) - 1)) for (a, b), m in zip(sides, means, strict=True)]
    spread = [s if s > 0 else max(spread) for s in spread]
    errors = [s / float(b.sum()) for s, (_, b) in zip(spread, sides, strict=True)]
    step = means[1] - means[0]
    if sum(errors) <= 0:
        return step, step, step
    freedom = sum(errors) ** 2 / sum(e**2 / (len(a) - 1) for e, (a, _) in zip(errors, sides, strict=True))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(sum(errors))
    return step, step - half, step + half
