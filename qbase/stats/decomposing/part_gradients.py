"""Parts of a change as functions of shares and passes by cell, each with its gradient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A number made of the shares and passes of cells, and how it moves with them.

    Parameters
    ----------
    value : float
        As a share.
    by_share, by_passes : numpy.ndarray, shape (2, cells)
        Derivatives by the share of all batches a cell has in each period, and by the share of all batches that are of
        the cell and passed.
    """

    value: float
    by_share: Floats
    by_passes: Floats

    def __add__(self, other: Part) -> Part:
        return Part(
            value=self.value + other.value,
            by_share=self.by_share + other.by_share,
            by_passes=self.by_passes + other.by_passes,
        )

    def scaled(self, factor: float) -> Part:
        """Return the part times a number."""
        return Part(value=factor * self.value, by_share=factor * self.by_share, by_passes=factor * self.by_passes)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Grouped:
    """Shares and passes of two periods by group, and the group of every cell.

    Parameters
    ----------
    share, passes : numpy.ndarray, shape (2, groups)
        Of all batches of the period: those of the group, and those of the group that passed.
    of_cell : numpy.ndarray of int, shape (cells,)
        Group of every cell.
    """

    share: Floats
    passes: Floats
    of_cell: Ints

    @property
    def in_both(self) -> NDArray[np.bool_]:
        """Which groups have batches in both periods."""
        return np.asarray((self.share > 0).all(axis=0), dtype=np.bool_)

    @property
    def rate(self) -> Floats:
        """Rates of two periods; a group without batches in one has the rate of the other."""
        found = np.divide(self.passes, self.share, out=np.zeros_like(self.passes), where=self.share > 0)
        return np.where(self.share > 0, found, found[::-1])

    def spread(self, value: float, by_share: Floats, by_passes: Floats) -> Part:
        """Return a part whose gradients are known by group."""
        return Part(value=value, by_share=by_share[:, self.of_cell], by_passes=by_passes[:, self.of_cell])


def group_cells(share: Floats, passes: Floats, of_cell: Ints) -> Grouped:
    """Return cells summed to groups."""
    size = int(of_cell.max()) + 1
    sums = [np.array([np.bincount(of_cell, row, size) for row in given]) for given in (share, passes)]
    return Grouped(share=sums[0], passes=sums[1], of_cell=of_cell)


def total_part(share: Floats) -> Part:
    """Return the gradient of the whole change; its value is left 0."""
    sign = np.array([[-1.0], [1.0]]) * np.ones(share.shape[1])
    return Part(value=0.0, by_share=np.zeros_like(share), by_passes=sign)


def composition_part(groups: Grouped) -> Part:
    """Return the part of a change that a change of shares makes at mean rates; see `composition_of_groups`."""
    per_group, slopes = _composition(groups)
    return groups.spread(float(per_group.sum()), *slopes)


def composition_of_groups(groups: Grouped) -> list[Part]:
    """Return the composition part group by group: change of its share times how far its mean rate is off the whole's.

    The whole's mean rate is that of the two periods' rates. Taking it off changes no sum, for shares add up to 1, and
    makes a growing group below the whole negative.
    """
    per_group, (by_share, by_passes) = _composition(groups)
    moved = groups.share[1] - groups.share[0]
    centre = float(groups.passes.sum()) / 2
    found = []
    for g in range(len(moved)):
        only = np.arange(len(moved)) == g
        shares = by_share * only + np.array([[centre], [-centre]]) * only
        passes = by_passes * only - moved[g] / 2
        found.append(groups.spread(float(per_group[g] - moved[g] * centre), shares, passes))
    return found


def within_of_groups(groups: Grouped) -> list[Part]:
    """Return what each group's change of rate adds at mean shares; 0 for a group seen in one period only."""
    both, rate, mean = groups.in_both, groups.rate, groups.share.mean(axis=0)
    gain = rate[1] - rate[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(both, mean / groups.share, 0.0)
    sign = np.array([[-1.0], [1.0]])
    by_share = np.where(both, gain / 2 - sign * pull * rate, 0.0)
    by_passes = sign * pull
    return [
        groups.spread(float(mean[g] * gain[g]), by_share * (only := np.arange(len(gain)) == g), by_passes * only)
        for g in range(len(gain))
    ]


def adjusted_part(groups: Grouped, weight: tuple[float, float]) -> Part:
    """Return the change at one mix for both periods: that of the earlier (1, 0), the later (0, 1) or a mean of both.

    Groups seen in one period only have no change and are left out of the mix.
    """
    both, rate, sign = groups.in_both, groups.rate, np.array([[-1.0], [1.0]])
    mix = np.where(both, np.array(weight) @ groups.share, 0.0)
    whole, gain = float(mix.sum()), rate[1] - rate[0]
    value = float(mix @ gain) / whole
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(both, mix / groups.share, 0.0) / whole
    by_share = np.where(both, np.array(weight)[:, None] * (gain - value) / whole - sign * pull * rate, 0.0)
    return groups.spread(value, by_share, sign * pull)


def shapley_parts(factors: int, part_of: Callable[[tuple[int, ...]], Part]) -> list[Part]:
    """Return what each factor adds to a part, averaged over all orders in which factors can be added.

    Parameters
    ----------
    factors : int
        How many there are.
    part_of : callable
        The part when these factors are known.
    """
    known = {s: part_of(s) for size in range(1, factors + 1) for s in combinations(range(factors), size)}
    found = []
    for f in range(factors):
        terms = []
        for s in _subsets([i for i in range(factors) if i != f]):
            weight = math.factorial(len(s)) * math.factorial(factors - len(s) - 1) / math.factorial(factors)
            terms.append(known[tuple(sorted((*s, f)))].scaled(weight))
            if s:
                terms.append(known[s].scaled(-weight))
        found.append(_add(terms))
    return found


def _subsets(items: Sequence[int]) -> list[tuple[int, ...]]:
    return [s for size in range(len(items) + 1) for s in combinations(items, size)]


def _add(parts: Sequence[Part]) -> Part:
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def _composition(groups: Grouped) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return change of share times mean rate by group, and its derivatives."""
    both, rate = groups.in_both, groups.rate
    moved, mean, sign = groups.share[1] - groups.share[0], rate.mean(axis=0), np.array([[-1.0], [1.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(both, moved / (2 * groups.share), 0.0)
    by_share = np.where(both, sign * mean - half * rate, 0.0)
    # a group of one period is all composition: what it passed came, or went, as a whole
    by_passes = np.where(both, half, sign * (groups.share > 0))
    return moved * mean, (by_share, by_passes)
