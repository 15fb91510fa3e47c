"""How surely a number of firms brings the arms of an interval within a target, and how many firms that takes.

Half the width of an interval is not "within": at 98 % the lower arm is twice the upper one, and a plan that holds on
average fails in half of all years. What is promised here is the chance that the arms printed next year keep the target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaincinv
from scipy.stats import betabinom, binom, norm

from qbase.stats.design.design_intervals import Method, design_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Arm = Literal["both", "lower", "upper"]

NODES = 15
"""Rates at which what is not known of the rate is averaged out: middles of equally likely slices."""

STEADY, MOST_STEADY = 50, 12
"""The chance goes up and down as whole batches come and go: it has to hold for a fiftieth more firms as well, but need
not be looked at for more than twelve."""

MOST_FIRMS = 2_000_000
BISECTIONS = 26
ROUNDING = 1e-6
AT_ONCE = 24
NEAR = 5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """Rates to expect, with their weights.

    Parameters
    ----------
    values, weights : numpy.ndarray, shape (R,)
        Shares from 0 to 1; weights sum to 1.
    """

    values: Floats
    weights: Floats

    @property
    def mean(self) -> float:
        """Expected rate."""
        return float(self.values @ self.weights)


def known_rate(rate: float) -> Rates:
    """Return a rate that is given, not estimated."""
    return Rates(values=np.array([rate]), weights=np.ones(1))


def uncertain_rate(rate: float, low: float, high: float, *, level: float = 0.95) -> Rates:
    """Return what an interval leaves open of a rate: the beta posterior of as many batches as give that width.

    Jeffreys' prior on the effective number of batches, the one whose Wilson interval is as wide as the given one.
    """
    wide = max(high - low, 1e-6)
    n_eff = _batches_of_width(rate, wide, level)
    a, b = rate * n_eff + 0.5, (1 - rate) * n_eff + 0.5
    middles = (np.arange(NODES) + 0.5) / NODES
    return Rates(values=np.asarray(betaincinv(a, b, middles), dtype=float), weights=np.full(NODES, 1 / NODES))


def _batches_of_width(rate: float, wide: float, level: float) -> float:
    def gap(log_n: float) -> float:
        low, high = design_interval(rate, np.exp(log_n), level=level, method="wilson")
        return float(high - low) - wide

    ends = (np.log(0.05), np.log(1e9))
    if gap(ends[0]) <= 0:
        return float(np.exp(ends[0]))
    return float(np.exp(brentq(gap, *ends))) if gap(ends[1]) < 0 else float(np.exp(ends[1]))


def design_effect(batches_per_firm: int, likeness: float) -> float:
    """Return by what factor batches of one firm count for less than as many of other firms: ``1 + (b − 1)ρ``."""
    return 1 + (batches_per_firm - 1) * likeness


def arm_chance(
    rates: Rates,
    firms: int,
    batches_per_firm: int,
    *,
    target: float,
    likeness: float = 0.0,
    arm: Arm = "both",
    level: float = 0.95,
    method: Method = "wilson",
) -> float:
    """Return the chance that the arms of next year's interval stay within a target.

    The interval is the one the letters print, on ``n / (1 + (b − 1)ρ)`` batches: Wilson's for counts, Jeffreys' for
    weighted rates. Passes of one firm are beta-binomial, firms are independent; their sum is exact, by convolution.

    Parameters
    ----------
    rates : Rates
        To expect; the chance is averaged over them.
    firms, batches_per_firm : int
        To draw.
    target : float
        Longest arm, as a share.
    likeness : float
        Correlation of batches of one firm.
    arm : {"both", "lower", "upper"}
        Which must stay within.
    level, method
        See `qbase.stats.design_interval`.

    Returns
    -------
    float
    """
    how = {"target": target, "likeness": likeness, "arm": arm, "level": level, "method": method}
    return float(_chances(rates, np.array([firms]), batches_per_firm, **how)[0])  # type: ignore[arg-type]


def _chances(
    rates: Rates, firms: Ints, each: int, *, target: float, likeness: float, arm: Arm, level: float, method: Method
) -> Floats:
    """Return the chance for every number of firms, shape (m,)."""
    n = firms * each
    n_eff = n / design_effect(each, likeness)
    low, high = kept_rates(n_eff, np.full(len(n), target), arm=arm, level=level, method=method)
    least, most = np.floor(low * n + ROUNDING), np.ceil(high * n - ROUNDING)
    all_kept = most <= least
    if each == 1 or likeness <= 0:
        p = rates.values[:, None]
        found = rates.weights @ (binom.cdf(least, n, p) + binom.sf(most - 1, n, p))
    else:
        ends = zip(firms, least.astype(int), most.astype(int), strict=True)
        found = np.array([_outside(rates.weights @ _passes(rates, int(m), each, likeness), a, b) for m, a, b in ends])
    return np.where(all_kept, 1.0, found)


def _outside(chances: Floats, least: int, most: int) -> float:
    return float(chances[: max(least + 1, 0)].sum() + chances[most:].sum())


def keeps_target(
    rate: Floats, n_eff: float | Floats, *, target: float | Floats, arm: Arm, level: float, method: Method
) -> NDArray[np.bool_]:
    """Return whether the arms of the intervals of rates stay within a target."""
    size = np.broadcast_to(np.asarray(n_eff, dtype=float), rate.shape)
    low, high = design_interval(rate, size, level=level, method=method)
    kept = np.ones(rate.shape, dtype=bool)
    if arm != "upper":
        kept &= rate - low <= target
    if arm != "lower":
        kept &= high - rate <= target
    return kept


def kept_rates(n_eff: Floats, target: Floats, *, arm: Arm, level: float, method: Method) -> tuple[Floats, Floats]:
    """Return up to and from which rate the arms of intervals stay within a target; they are longest near one half.

    Parameters
    ----------
    n_eff, target : numpy.ndarray, shape (m,)

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Rates at or below ``low`` and at or above ``high`` keep it; both are one half where all rates do.
    """
    if method == "wilson":
        return _kept_by_score(n_eff, target, arm, level)
    # a thousand entities ask for some forty different numbers, and a quantile of a beta is dear
    pairs, back = np.unique(np.stack([n_eff, target]), axis=1, return_inverse=True)
    low, high = _kept_by_quantiles(*pairs, arm=arm, level=level, method=method)
    return low[back], high[back]


def _kept_by_quantiles(
    n_eff: Floats, target: Floats, *, arm: Arm, level: float, method: Method
) -> tuple[Floats, Floats]:
    how = {"target": target, "arm": arm, "level": level, "method": method}
    half = np.full(len(n_eff), 0.5)
    is_kept = keeps_target(half, n_eff, **how)  # type: ignore[arg-type]
    ends = []
    for end in (-0.5, 1.5):
        inner, outer = half.copy(), np.full(len(n_eff), end)
        for _ in range(BISECTIONS):
            middle = (inner + outer) / 2
            found = keeps_target(np.clip(middle, 0, 1), n_eff, **how)  # type: ignore[arg-type]
            inner, outer = np.where(found, inner, middle), np.where(found, middle, outer)
        ends.append(np.where(is_kept, half, outer))
    return ends[0], ends[1]


def _kept_by_score(n_eff: Floats, target: Floats, arm: Arm, level: float) -> tuple[Floats, Floats]:
    """Return the same for Wilson's interval, whose limit q solves ``n (p − q)² = z² q (1 − q)``."""
    z = float(norm.ppf(0.5 + level / 2))
    root = np.sqrt(np.maximum(1 - 4 * n_eff * target**2 / z**2, 0))
    low, high = (1 - root) / 2, (1 + root) / 2
    far = (low + target, high + target), (low - target, high - target)
    some = {"lower": far[:1], "upper": far[1:]}.get(arm, far)
    ends = np.min([x for x, _ in some], axis=0), np.max([x for _, x in some], axis=0)
    return np.where(root > 0, ends[0], 0.5), np.where(root > 0, ends[1], 0.5)


def _passes(rates: Rates, firms: int, each: int, likeness: float) -> Floats:
    """Return the chance of every number of passes of firms alike inside, one row a rate, shape (R, n + 1)."""
    n = firms * each
    power = np.fft.rfft(_one_firm(rates.values, each, likeness), n + 1, axis=1) ** firms
    return np.asarray(np.clip(np.fft.irfft(power, n + 1, axis=1), 0, None), dtype=float)


def _one_firm(rate: Floats, each: int, likeness: float) -> Floats:
    """Return the chance of every number of passes of one firm, one row a rate."""
    k, p = np.arange(each + 1), rate[:, None]
    certain = np.where(k == each, p, 0.0) + np.where(k == 0, 1 - p, 0.0)
    if likeness >= 1:
        return certain
    total, inside = (1 - likeness) / likeness, np.clip(p, 1e-300, 1 - 1e-16)
    found = betabinom.pmf(k, each, inside * total, (1 - inside) * total)
    return np.asarray(np.where((p <= 0) | (p >= 1), certain, found), dtype=float)


def fewest_firms(
    rates: Rates,
    batches_per_firm: int,
    *,
    target: float,
    assurance: float,
    likeness: float = 0.0,
    arm: Arm = "both",
    level: float = 0.95,
    method: Method = "wilson",
    most: int = MOST_FIRMS,
) -> int | None:
    """Return the fewest firms from which on the arms keep the target with the assured chance; None beyond ``most``."""
    how = {"target": target, "likeness": likeness, "arm": arm, "level": level, "method": method}

    def kept(firms: Ints) -> NDArray[np.bool_]:
        found = _chances(rates, firms, batches_per_firm, **how)  # type: ignore[arg-type]
        return np.asarray(found >= assurance, dtype=bool)

    if most < MOST_FIRMS and not kept(np.array([most]))[0]:
        return None
    is_summed = batches_per_firm > 1 and likeness > 0
    return _first_steady(
        kept, _start(rates, batches_per_firm, target, likeness, level), most, 2 if is_summed else AT_ONCE
    )


def fewest_batches(rates: Rates, targets: Floats, *, assurance: float, arm: Arm, level: float, method: Method) -> Ints:
    """Return the fewest independent batches that keep each target with the assured chance, for many rates at once.

    Parameters
    ----------
    rates : Rates
        Values of shape (m, R).
    targets : numpy.ndarray, shape (m,)
        Longest arms, as shares.
    assurance, arm, level, method
        See `arm_chance`.

    Returns
    -------
    numpy.ndarray, shape (m,)
    """

    def kept(n: Ints, method: Method) -> NDArray[np.bool_]:
        low, high = kept_rates(n.astype(float), targets, arm=arm, level=level, method=method)
        least, most = np.floor(low * n + ROUNDING)[:, None], np.ceil(high * n - ROUNDING)[:, None]
        found = binom.cdf(least, n[:, None], rates.values) + binom.sf(most - 1, n[:, None], rates.values)
        return np.asarray((most[:, 0] <= least[:, 0]) | (found @ rates.weights >= assurance), dtype=bool)

    def between(low: Ints, high: Ints, method: Method) -> Ints:
        while (high - low > 1).any():
            middle = np.maximum((low + high) // 2, 1)
            done = kept(middle, method)
            low, high = np.where(done, low, middle), np.where(done, middle, high)
        return high

    high = np.full(len(targets), 16, dtype=np.int64)
    while not (done := kept(high, "wilson")).all():
        high = np.where(done, high, 2 * high)
    near = between(np.zeros_like(high), high, "wilson")
    if method == "wilson":
        return near
    # the search among the dearer intervals begins beside the answer of the cheap ones
    high, low = near + near // NEAR + 1, near - near // NEAR - 1
    while not (done := kept(high, method)).all():
        high = np.where(done, high, high + near // NEAR + 1)
    while (done := kept(np.maximum(low, 1), method) & (low > 1)).any():
        low = np.where(done, np.maximum(low - near // NEAR, 1), low)
    return between(np.maximum(low, 0), high, method)


def _start(rates: Rates, each: int, target: float, likeness: float, level: float) -> int:
    """Return the firms the normal formula asks for at the expected rate: where the search begins."""
    z = float(norm.ppf(0.5 + level / 2))
    spread = max(rates.mean * (1 - rates.mean), target * (1 - target) / 4)
    return max(1, int(z * z * spread / target**2 * design_effect(each, likeness) / each))


def _first_steady(kept: Callable[[Ints], NDArray[np.bool_]], start: int, most: int, at_once: int) -> int | None:
    """Return the first number from which on all are kept; so many are looked at together."""
    low, high = 0, min(start, most)
    while not kept(np.array([high]))[0]:
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        some = np.unique(np.linspace(low, high, at_once + 1)[1:].round().astype(np.int64))
        some = some[some > low]  # the last of them is kept
        broken = np.flatnonzero(~kept(some))
        last = int(broken[-1]) if len(broken) else -1
        low, high = int(some[last]) if last >= 0 else low, int(some[last + 1])
    reach = min(max(1, high // STEADY), MOST_STEADY)
    first = max(1, high - reach)
    while first <= most:
        some = np.arange(first, min(first + reach, most) + 1)
        broken = np.flatnonzero(~kept(some))
        if not len(broken):
            return first
        first = int(some[broken[-1]]) + 1
    return None


def nearest_target(
    rates: Rates,
    firms: int,
    batches_per_firm: int,
    *,
    assurance: float,
    likeness: float = 0.0,
    arm: Arm = "both",
    level: float = 0.95,
    method: Method = "wilson",
    step: float = 0.001,
) -> float:
    """Return the shortest arms, as a share in whole steps, that so many firms keep with the assured chance."""
    how = {"likeness": likeness, "arm": arm, "level": level, "method": method}
    low, high = 0, round(1 / step)
    while high - low > 1:
        middle = (low + high) // 2
        chance = arm_chance(rates, firms, batches_per_firm, target=middle * step, **how)  # type: ignore[arg-type]
        low, high = (low, middle) if chance >= assurance else (middle, high)
    return high * step
