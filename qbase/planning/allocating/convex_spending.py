"""How many firms of each stratum keep every precision asked for: Bethel's allocation, by Chromy's steps.

Every precision is a sum of ``a / m`` over strata of m firms, convex in m. At the optimum m is the root of a weighted
sum of these ``a`` over the cost, and the weights, the prices of the precisions, are found by letting each grow as long
as its limit is exceeded. The prices also bound what any allocation must cost, by which an answer can be proved.
A linear program over tangents (HiGHS) has the same answer (tests/unit/planning/test_planned_draws.py).
"""

from __future__ import annotations

import dataclasses
import heapq

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS = 2000
CLOSE = 1e-6
"""Prices are taken when no limit is exceeded by more than this share, and no more than this share of the cost is paid
for limits that are kept with something to spare."""

SLACK = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Spending:
    """What is asked of an allocation.

    Parameters
    ----------
    cost : numpy.ndarray, shape (H,)
        Of drawing one firm of a stratum.
    least, most : numpy.ndarray, shape (H,)
        Firms to draw at least and at most; 1 or more.
    loss : numpy.ndarray, shape (H,)
        What is to be small: the sum of ``loss / m``.
    demands : scipy.sparse.csr_matrix, shape (D, H)
        Of each domain, the sum of ``demand / m`` is to stay within its limit.
    limits : numpy.ndarray, shape (D,)
    """

    cost: Floats
    least: Ints
    most: Ints
    loss: Floats
    demands: csr_matrix
    limits: Floats

    def unmet(self) -> Ints:
        """Return the domains whose limit not even all firms would keep."""
        return np.flatnonzero(self.demands @ (1 / self.most) > self.limits * (1 + SLACK))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fractions:
    """The optimum before firms are whole.

    Parameters
    ----------
    firms : numpy.ndarray, shape (H,)
    prices : numpy.ndarray, shape (D,)
        What one more unit of ``1 / limit`` of a domain costs.
    """

    firms: Floats
    prices: Floats


def cheapest_firms(asked: Spending) -> Ints:
    """Return the firms that keep every limit at the least cost; each limit can be kept (`Spending.unmet`).

    References
    ----------
    Bethel, J. (1989). Sample allocation in multivariate surveys. Survey Methodology 15, 47-57. Chromy, J. B. (1987).
    Design optimization with multiple objectives. Proceedings of the Survey Research Methods Section, ASA, 194-199.
    """
    return _whole(asked, balance_prices(asked, 0.0).firms)


def least_cost_bound(asked: Spending, prices: Floats) -> float:
    """Return what any allocation within the limits must cost, by these prices (Lagrange's dual)."""
    pull = asked.demands.T @ prices
    firms = _firms_at(asked, pull)
    return float(asked.cost @ firms + pull @ (1 / firms) - prices @ asked.limits)


def best_firms(asked: Spending, budget: float) -> Ints | None:
    """Return the firms with the least loss that keep every limit within a budget; None where it does not suffice."""
    found = cheapest_firms(asked)
    if found @ asked.cost > budget * (1 + SLACK):
        return None
    scale = float((np.sqrt(asked.loss * asked.cost)).sum()) or 1.0
    worth = (budget / scale) ** 2

    def over(log_worth: float) -> float:
        return float((asked.cost * balance_prices(asked, float(np.exp(log_worth))).firms).sum()) - budget

    low, high = np.log(worth) - 12, np.log(worth) + 12
    if over(high) <= 0:
        fractions = asked.most.astype(float)
    else:
        fractions = balance_prices(asked, float(np.exp(brentq(over, low, high, xtol=1e-6)))).firms
        # what is rounded up to keep the limits may cost more than what is rounded down saves
    whole = _whole(asked, fractions)
    if whole @ asked.cost > budget * (1 + SLACK):
        whole = found
    return _spend_rest(asked, whole, budget)


def balance_prices(asked: Spending, worth: float) -> Fractions:
    """Return the firms at which every limit with a price is just kept, where a unit of loss is worth so much money."""
    base = worth * asked.loss
    root = np.asarray(asked.demands.sqrt() @ np.sqrt(asked.cost)).ravel()
    prices = (root / asked.limits) ** 2
    firms = _firms_at(asked, base + asked.demands.T @ prices)
    for _ in range(STEPS):
        used = (asked.demands @ (1 / firms)) / asked.limits
        idle = float((prices * asked.limits * np.maximum(1 - used, 0)).sum())
        if (used <= 1 + CLOSE).all() and idle <= CLOSE * float((asked.cost * firms).sum()):
            break
        # a limit that is kept loses its price, one that is exceeded gets a higher one
        prices = prices * used**2
        firms = _firms_at(asked, base + asked.demands.T @ prices)
    return Fractions(firms=firms, prices=prices)


def _firms_at(asked: Spending, pull: Floats) -> Floats:
    return np.clip(np.sqrt(np.maximum(pull, 0) / asked.cost), asked.least, asked.most)


def _whole(asked: Spending, fractions: Floats) -> Ints:
    """Return whole firms: rounded down, then one more where a limit needs it most."""
    m = np.clip(np.floor(fractions + 1e-6), asked.least, asked.most).astype(np.int64)
    for row in range(asked.demands.shape[0]):
        _keep_limit(asked, m, row)
    return m


def _keep_limit(asked: Spending, m: Ints, row: int) -> None:
    part = slice(asked.demands.indptr[row], asked.demands.indptr[row + 1])
    strata, demand = asked.demands.indices[part], asked.demands.data[part]
    while demand @ (1 / m[strata]) > asked.limits[row] * (1 + SLACK):
        gain = np.where(m[strata] < asked.most[strata], demand / (m[strata] * (m[strata] + 1)) / asked.cost[strata], 0)
        m[strata[int(gain.argmax())]] += 1


def _spend_rest(asked: Spending, m: Ints, budget: float) -> Ints:
    """Return the firms with one more where it lowers the loss most for its cost, as long as money is left."""
    left = budget - float(m @ asked.cost)
    gain = asked.loss / (m * (m + 1)) / asked.cost
    queue = [(-g, h) for h, g in enumerate(gain.tolist()) if m[h] < asked.most[h] and g > 0]
    heapq.heapify(queue)
    while queue:
        _, h = heapq.heappop(queue)
        if asked.cost[h] > left + SLACK * budget:
            continue
        m[h] += 1
        left -= float(asked.cost[h])
        if m[h] < asked.most[h]:
            heapq.heappush(queue, (-float(asked.loss[h] / (m[h] * (m[h] + 1)) / asked.cost[h]), h))
    return m
