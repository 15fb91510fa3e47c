"""Whether one series of counts holds a lasting change, judged by the variance that many series have taught."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from qbase.stats.control.change_scan import DRAWS, LEAST_POINTS, SEED, step_gains
from qbase.stats.control.control_limits import Floats
from qbase.stats.control.memory_charts import JudgedTogether, Memory, join_chances, path_heights
from qbase.stats.control.pooled_likeness import LikenessPool, period_likeness

OUTSIDE = 0.05
"""A series whose periods differ more than this share of series from the pool does not borrow from it."""

FEW = 1e-6
"""Least correlation that is drawn: none, for all that counts can show."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PooledVerdict:
    """One series judged by the variance that many have taught.

    Parameters
    ----------
    p_value : float
        How often a quiet series from the pool has a change as striking; with a memory, a change or a path.
    likeness : float
        Correlation of the batches of one period: that of the pool, moved towards the series' own.
    own : float
        What the series says alone; NaN where it says nothing.
    own_share : float
        Weight of ``own`` in ``likeness``.
    is_alike : bool
        Whether the series may be one of the pool; where False it should be judged by itself.
    power : tuple of float
        How often each of the steps asked for would be found in the middle.
    variance : float
        Of a period of one batch, on shares: what a path is drawn in.
    together : JudgedTogether or None
        Test and path, with a memory.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import LikenessPool, PooledVerdict, judge_pooled
    >>> pool = LikenessPool(mean=0.0, spread=0.0, error=0.002, entities=36, p_value=0.5)
    >>> isinstance(judge_pooled(np.full(20, 18.0), np.full(20, 20.0), pool), PooledVerdict)
    True
    """

    p_value: float
    likeness: float
    own: float
    own_share: float
    is_alike: bool
    power: tuple[float, ...]
    variance: float
    together: JudgedTogether | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Drawn:
    """The series and its draws, the series first: passes, tests, what each says of its correlation."""

    k: Floats
    n: Floats
    own: Floats
    likeness: Floats

    @property
    def variance(self) -> Floats:
        """Variance of a period of one batch of each, shape (1 + draws,)."""
        share = self.k.sum(axis=1) / self.n.sum(axis=1)
        wider = 1 + (self.n - 1).mean(axis=1) * self.likeness
        return np.asarray(np.maximum(share * (1 - share) * wider, 1e-12))

    @property
    def distance(self) -> Floats:
        """Distance of each share from the mean of its series."""
        return np.asarray(self.k / self.n - self.k.sum(axis=1, keepdims=True) / self.n.sum(axis=1, keepdims=True))


def judge_pooled(
    k: Floats, n: Floats, pool: LikenessPool, *, alpha: float = 0.05, memory: Memory | None = None,
    steps: Sequence[float] = (), draws: int = DRAWS, seed: int = SEED,
) -> PooledVerdict:  # fmt: skip
    """Test whether the share of one series changed once for good, in units of a variance learnt from many series.

    The statistic is what the best step explains, over the variance of a period: that of the series' own share and of a
    correlation between batches that is the pool's, moved towards the series' own by as much as its own is worth. It is
    held against quiet series drawn with the same share and tests, whose correlations differ as those of the pool do and
    are learnt in the same way, so that what is not known of the correlation is counted. A series that differs from
    period to period more than all but one in twenty of these is no member of the pool (``is_alike``).

    Parameters
    ----------
    k, n : numpy.ndarray, shape (T,)
        Passes and tests of the measured periods, at least twice `LEAST_POINTS`; some pass and some fail.
    pool : LikenessPool
        Of the other series.
    alpha : float
        Of the limit of a path and of ``power``.
    memory : {"ewma", "cusum"} or None
        A path that is judged together with the test, as by `judge_together`.
    steps : sequence of float
        Changes of the share whose chance of being found is told.
    draws, seed : int
        Of the quiet series.

    Returns
    -------
    PooledVerdict

    References
    ----------
    Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression. Statistical
    Applications in Genetics and Molecular Biology 3. Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and
    their Application, chapter 4 (tests by simulation).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import LikenessPool, judge_pooled
    >>> pool = LikenessPool(mean=0.02, spread=0.01, error=0.002, entities=36, p_value=0.001)
    >>> fallen = np.array([18.0, 19, 18, 17, 19, 18, 18, 19, 15, 14, 16, 15, 14, 16, 15, 15])
    >>> found = judge_pooled(fallen, np.full(16, 20.0), pool, steps=(0.05, 0.1))
    >>> found.p_value < 0.01, [round(p, 1) for p in found.power]
    (True, [0.1, 0.4])
    """
    drawn, own_share = _draw_quiet(np.asarray(k, dtype=float), np.asarray(n, dtype=float), pool, draws, seed)
    variance, distance = drawn.variance, drawn.distance
    gain = step_gains(drawn.n * distance, drawn.n, LEAST_POINTS).max(axis=1) / variance
    together = None
    if memory is not None:
        z = distance * np.sqrt(drawn.n / variance[:, None])
        together = join_chances(gain, path_heights(z.T, memory), alpha)
    own = float(drawn.own[0])
    return PooledVerdict(
        p_value=_share_as_large(gain) if together is None else together.p_value,
        likeness=float(drawn.likeness[0]), own=own, own_share=own_share if np.isfinite(own) else 0.0,
        is_alike=not np.isfinite(own) or _share_as_large(drawn.own) >= OUTSIDE,
        power=_power(drawn, gain, steps, alpha), variance=float(variance[0]), together=together,
    )  # fmt: skip


def _draw_quiet(k: Floats, n: Floats, pool: LikenessPool, draws: int, seed: int) -> tuple[_Drawn, float]:
    """Return the series with quiet ones drawn like it, and what the own correlation weighs."""
    rng = np.random.default_rng([seed, len(n)])
    mean = min(max(pool.mean, FEW), 0.99)
    spread = min(pool.prior_variance, 0.9 * mean * (1 - mean))
    total = mean * (1 - mean) / max(spread, 1e-12) - 1
    true = np.clip(rng.beta(mean * total, (1 - mean) * total, draws), FEW, 0.99)
    share = min(max(float(k.sum() / n.sum()), 1e-9), 1 - 1e-9)
    sharp = (1 / true - 1)[:, None]
    chance = rng.beta(np.broadcast_to(share * sharp, (draws, len(n))), (1 - share) * sharp)
    again = rng.binomial(n.astype(np.int64), np.nan_to_num(chance, nan=share)).astype(float)
    passed = np.concatenate([k[None, :], again])
    tests = np.broadcast_to(n, passed.shape)
    own, _ = period_likeness(passed, tests)
    weight, centre = _own_weight(true, own[1:])
    learnt = np.where(np.isfinite(own), mean + weight * (own - centre), mean)
    return _Drawn(k=passed, n=tests, own=own, likeness=np.clip(learnt, 0.0, 1.0)), weight


def _own_weight(true: Floats, own: Floats) -> tuple[float, float]:
    """Return the slope of the true correlation on what a series says of it, in [0, 1], and the mean of the latter."""
    told = np.isfinite(own)
    if told.sum() < len(own) / 2 or not np.ptp(own[told]) > 0:
        return 0.0, 0.0
    shared = np.cov(true[told], own[told])
    return float(np.clip(shared[0, 1] / shared[1, 1], 0.0, 1.0)), float(own[told].mean())


def _share_as_large(found: Floats) -> float:
    """Return the share of values at least as large as the first, itself included; values that are none count."""
    return float((~(found < found[0] * (1 - 1e-9) if found[0] > 0 else found < found[0])).mean())


def _power(drawn: _Drawn, gain: Floats, steps: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Return how often a step added to the later half of quiet series would be found."""
    if not steps:
        return ()
    bar = np.quantile(gain[1:], 1 - alpha)
    value, weight, variance = drawn.k[1:] / drawn.n[1:], drawn.n[1:], drawn.variance[1:]
    later = np.arange(value.shape[1]) >= value.shape[1] // 2
    found = []
    for step in steps:
        moved = value + step * later
        moved = weight * (moved - np.average(moved, weights=weight, axis=1)[:, None])
        found.append(float((step_gains(moved, weight, LEAST_POINTS).max(axis=1) / variance > bar).mean()))
    return tuple(found)
