"""Two records held against each other, number by number, with the one rule of what has moved."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

from qbase.core.results.told_numbers import Told, read_told
from qbase.core.values import Estimate

SAME = 1e-9
"""Relative: the same numbers added up in another order differ by less."""
Fate = Literal["same", "changed", "appeared", "gone"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """One number in two records; one of the two is None where only the other record has it."""

    before: Told | None = None
    after: Told | None = None

    @property
    def told(self) -> Told:
        """The newer of the two."""
        return cast("Told", self.after or self.before)

    @property
    def fate(self) -> Fate:
        """What became of it."""
        if self.before is None or self.after is None:
            return "appeared" if self.before is None else "gone"
        a, b = self.before, self.after
        ends = [(getattr(a.estimate, name), getattr(b.estimate, name)) for name in ("value", "ci_low", "ci_high")]
        return "same" if all(is_same(x, y) for x, y in ends) and a.verdict == b.verdict else "changed"

    @property
    def is_of_one_period(self) -> bool:
        """Whether both are about the same period: by key, or by what their results looked at."""
        if self.before is None or self.after is None:
            return False
        return self.before.is_dated or self.before.frame == self.after.frame

    @property
    def change(self) -> float | None:
        """After minus before, in the unit of the number."""
        if self.before is None or self.after is None:
            return None
        return self.after.estimate.value - self.before.estimate.value

    @property
    def half_widths(self) -> float | None:
        """The change in half-widths of the earlier interval; None without one."""
        if self.before is None or self.change is None:
            return None
        low, high = self.before.estimate.ci_low, self.before.estimate.ci_high
        return None if low is None or high is None or low == high else 2 * self.change / (high - low)

    @property
    def has_moved(self) -> bool:
        """Whether it is a number of the same period that lies beyond its earlier interval; see `is_beyond`."""
        if self.before is None or self.after is None or not self.is_of_one_period:
            return False
        # how many batches are needed follows from a level, which is listed itself
        return self.after.estimand != "need" and is_beyond(self.before.estimate, self.after.estimate)

    @property
    def has_turned(self) -> bool:
        """Whether its verdict is another one now, for the same period."""
        if self.before is None or self.after is None or not self.is_of_one_period:
            return False
        return self.before.verdict != self.after.verdict


def is_beyond(before: Estimate, after: Estimate) -> bool:
    """Whether a number moved: the rule, stated here alone.

    The new value lies outside the interval that the old one was given. An old number without an interval (a full
    count) was exact, so any other value has moved.
    """
    if is_same(before.value, after.value):
        return False
    if before.ci_low is None or before.ci_high is None:
        return True
    return not before.ci_low <= after.value <= before.ci_high


def is_same(a: float | None, b: float | None) -> bool:
    """Whether two numbers are one but for rounding; nothing is the same as nothing."""
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=SAME, abs_tol=SAME)


def compare_records(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    """Pair the numbers of two records (``results.json``) by what they are about.

    Parameters
    ----------
    before, after : mapping
        The earlier and the later record.

    Returns
    -------
    list of Compared
        In the order of the later record; what is gone stands at the end.
    """
    return pair(read_told(before), read_told(after))


def pair(before: Iterable[Told], after: Iterable[Told]) -> list[Compared]:
    """Pair numbers by kind, term and key; several that are alike in all of it, in their order."""
    waiting = _grouped(before, _about)
    found = []
    for told in after:
        alike = waiting.get(_about(told), [])
        found.append(Compared(before=alike.pop(0) if alike else None, after=told))
    return found + [Compared(before=told) for left in waiting.values() for told in left]


def _about(told: Told) -> tuple[Any, ...]:
    return (*told.kind, told.estimate.term, *sorted(told.key.items(), key=str))


def _grouped(numbers: Iterable[Told], key: Callable[[Told], tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Told]]:
    groups: dict[tuple[Any, ...], list[Told]] = {}
    for told in numbers:
        groups.setdefault(key(told), []).append(told)
    return groups
