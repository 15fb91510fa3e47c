"""Joinpoint regression: straight lines that meet, their number chosen by tests, with the doubt of each date."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEED = 20000215
"""Of the draws that tests are held against; the same series gives the same answer twice."""

CHUNK = 2**16
"""Numbers reckoned at once: they stay in the cache of the processor."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """A trend with m joinpoints over T periods.

    Parameters
    ----------
    knots : numpy.ndarray of int, shape (m,)
        Positions of the periods at which lines meet.
    low, high : numpy.ndarray of int, shape (m,)
        Interval of each position, the others free to move.
    slopes, errors : numpy.ndarray, shape (m + 1,)
        Of every segment, in units of the value a unit of time; errors count that the dates are estimated.
    df : float
        Degrees of freedom of t.
    fitted : numpy.ndarray, shape (T,)
        With the season, where there is one.
    trend : numpy.ndarray, shape (T,)
        The lines alone, at the mean of the seasons.
    tests : tuple of (int, int, float)
        Joinpoints of the null hypothesis, of the alternative, p value; in the order they were made.
    """

    knots: Ints
    low: Ints
    high: Ints
    slopes: Floats
    errors: Floats
    df: float
    fitted: Floats
    trend: Floats
    tests: tuple[tuple[int, int, float], ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Space:
    """What knots can do to a series, on the scale where every period has one variance."""

    time: Floats
    root: Floats
    base: Floats
    frame: Floats
    sets: dict[int, Ints]
    axes: dict[int, Floats]

    def clear(self, y: Floats) -> Floats:
        """Take constant, slope and season out; y has shape (T,) or (T, draws)."""
        return np.asarray(y - self.frame @ (self.frame.T @ y), dtype=float)

    def gains(self, clear: Floats, m: int) -> Iterator[Floats]:
        """Yield what each set of m knots takes off the sum of squares, some sets at a time: shape (sets, draws)."""
        q = self.axes[m]
        step = max(CHUNK // (m * clear.shape[1]), 1)
        for at in range(0, len(q), step):
            part = q[at : at + step]
            score = part.reshape(-1, part.shape[2]) @ clear
            score *= score
            yield score.reshape(len(part), m, -1).sum(axis=1)

    def best(self, clear: Floats, m: int) -> Floats:
        """Return the least sum of squares with m knots, shape (draws,)."""
        total = np.asarray((clear**2).sum(axis=0), dtype=float)
        if m == 0:
            return total
        most = functools.reduce(np.maximum, (g.max(axis=0) for g in self.gains(clear, m)))
        return np.asarray(total - most, dtype=float)


def fit_joinpoints(
    value: Floats,
    weight: Floats,
    time: Floats,
    *,
    season: Floats | None = None,
    most: int = 3,
    least: int = 4,
    alpha: float = 0.05,
    level: float = 0.95,
    draws: int = 999,
) -> Joined:
    """Fit a continuous trend of straight lines by weighted least squares, 0 to ``most`` joinpoints.

    The number is chosen by the sequence of tests of Kim et al.: a null of few joinpoints against the most still
    possible; a rejection raises the null, a test that does not reject lowers the alternative, until they meet. Each is
    made at alpha over ``most``, so that a straight trend gets a joinpoint with a chance of at most alpha (Bonferroni).
    BIC, the usual other way, has no such bound. No joinpoint as the null has a distribution that depends on weights and
    times alone, so it is drawn once from normal noise; beyond, residuals are permuted, as there.

    Parameters
    ----------
    value, weight, time : numpy.ndarray, shape (T,)
        Share or percent, number of tests behind each, and time in years, in order.
    season : numpy.ndarray, shape (T, S), or None
        Columns beside constant and slope.
    most : int
        Most joinpoints, 0 to 3.
    least : int
        Periods before the first, between two and after the last joinpoint.
    alpha : float
        Chance of any joinpoint in a straight trend.
    level : float
        Of the intervals of the dates.
    draws : int
        Of each test.

    Returns
    -------
    Joined

    References
    ----------
    Kim, H.-J., Fay, M. P., Feuer, E. J. and Midthune, D. N. (2000). Permutation tests for joinpoint regression with
    applications to cancer rates. Statistics in Medicine 19, 335-351. Lerman, P. M. (1980). Fitting segmented regression
    models by grid search. Applied Statistics 29, 77-84 (search and intervals of dates). Seber, G. A. F. and Wild, C. J.
    (1989). Nonlinear Regression, chapter 9 (errors of slopes with estimated joinpoints).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats.control.joinpoints import fit_joinpoints
    >>> time = np.arange(40) / 4
    >>> value = 80 + 2 * time - 4 * np.maximum(time - 5, 0) + np.tile([0.3, -0.3], 20)
    >>> found = fit_joinpoints(value, np.full(40, 50.0), time)
    >>> found.knots.tolist(), found.slopes.round(1).tolist()
    ([20], [2.0, -2.0])
    """
    space = _span(time.tobytes(), weight.tobytes(), b"" if season is None else season.tobytes(), most, least)
    y = space.root * value
    few, many, tests = 0, max(space.sets, default=0), []
    clear = space.clear(y)
    while few < many:
        p = _test(space, clear, few, many, draws)
        tests.append((few, many, p))
        few, many = (few + 1, many) if p <= alpha / most else (few, many - 1)
    return _describe(space, y, few, level, tuple(tests))


@functools.lru_cache(maxsize=8)
def _span(time_bytes: bytes, weight_bytes: bytes, season_bytes: bytes, most: int, least: int) -> _Space:
    time, weight = np.frombuffer(time_bytes), np.frombuffer(weight_bytes)
    season = np.frombuffer(season_bytes).reshape(len(time), -1) if season_bytes else np.empty((len(time), 0))
    root = np.sqrt(weight)
    base = root[:, None] * np.column_stack([np.ones(len(time)), time, season])
    frame = np.linalg.qr(base)[0]
    sets, axes = {}, {}
    for m in range(1, most + 1):
        free = len(time) - base.shape[1] - 2 * m
        found = [s for s in itertools.combinations(range(least - 1, len(time) - least + 1), m) if _apart(s, least)]
        if not found or free < 3:
            break
        sets[m] = np.array(found, dtype=np.int64)
        bent = root[:, None, None] * np.maximum(time[:, None, None] - time[sets[m]][None], 0.0)
        inside = bent - np.einsum("ij,jsm->ism", frame @ frame.T, bent)
        axes[m] = np.ascontiguousarray(np.linalg.qr(inside.transpose(1, 0, 2))[0].transpose(0, 2, 1))
    return _Space(time=time, root=root, base=base, frame=frame, sets=sets, axes=axes)


def _apart(knots: Sequence[int], least: int) -> bool:
    return all(b - a >= least for a, b in itertools.pairwise(knots))


def _ratio(space: _Space, clear: Floats, few: int, many: int) -> Floats:
    less = space.best(clear, many)
    return np.asarray((space.best(clear, few) - less) / less, dtype=float)


def _test(space: _Space, clear: Floats, few: int, many: int, draws: int) -> float:
    """Return the p value of a null of few joinpoints against many."""
    found = float(_ratio(space, clear[:, None], few, many)[0])
    drawn = _null(space, many, draws) if few == 0 else _permuted(space, clear, few, many, draws)
    return float(1 + (drawn >= found).sum()) / (draws + 1)


_NULLS: dict[tuple[int, int, int], tuple[_Space, Floats]] = {}


def _null(space: _Space, many: int, draws: int) -> Floats:
    """Return the ratio in series of noise around a straight trend; neither the trend nor the noise moves it."""
    key = (id(space), many, draws)
    held = _NULLS.get(key)
    if held is None or held[0] is not space:
        if len(_NULLS) > 24:
            _NULLS.clear()
        noise = np.random.default_rng(SEED).standard_normal((len(space.time), draws))
        held = (space, _ratio(space, space.clear(noise), 0, many))
        _NULLS[key] = held
    return held[1]


def _permuted(space: _Space, clear: Floats, few: int, many: int, draws: int) -> Floats:
    gain = np.concatenate([g[:, 0] for g in space.gains(clear[:, None], few)])
    q = space.axes[few][int(gain.argmax())]
    fitted = q.T @ (q @ clear)
    rest = clear - fitted
    order = np.random.default_rng(SEED + few).permuted(np.tile(np.arange(len(rest)), (draws, 1)), axis=1)
    return _ratio(space, space.clear(fitted[:, None] + rest[order].T), few, many)


def _describe(space: _Space, y: Floats, m: int, level: float, tests: tuple[tuple[int, int, float], ...]) -> Joined:
    clear, size = space.clear(y), len(y)
    knots, low, high = (np.empty(0, dtype=np.int64) for _ in range(3))
    df = float(size - space.base.shape[1] - 2 * m)
    if m:
        left = float((clear**2).sum()) - np.concatenate([g[:, 0] for g in space.gains(clear[:, None], m)])
        knots = space.sets[m][int(left.argmin())]
        inside = space.sets[m][left <= left.min() * (1 + float(stats.f.ppf(level, 1, df)) / df)]
        low, high = inside.min(axis=0), inside.max(axis=0)
    bent = space.root[:, None] * np.maximum(space.time[:, None] - space.time[knots][None], 0.0)
    x = np.column_stack([space.base, bent])
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    turn = beta[space.base.shape[1] :]
    # where lines meet is estimated as well: how the fit moves with a date stands beside the slopes
    moved = -space.root[:, None] * (space.time[:, None] > space.time[knots][None]) * turn
    full = np.column_stack([x, moved])
    left_over = y - x @ beta
    vcov = np.linalg.pinv(full.T @ full) * float(left_over @ left_over) / max(df, 1.0)
    pick = np.zeros((m + 1, full.shape[1]))
    pick[:, 1] = 1.0
    pick[:, space.base.shape[1] : space.base.shape[1] + m] = np.tri(m + 1, m, -1)
    slopes = pick[:, : x.shape[1]] @ beta
    errors = np.sqrt(np.einsum("ij,jk,ik->i", pick, vcov, pick))
    fitted = x @ beta / space.root
    season = space.base[:, 2:] @ beta[2 : space.base.shape[1]] / space.root
    return Joined(
        knots=knots, low=low, high=high, slopes=slopes, errors=errors, df=df, fitted=fitted,
        trend=fitted - season + season.mean(), tests=tests,
    )  # fmt: skip
