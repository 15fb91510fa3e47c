"""What happened on a known date and may move a series: a standard that changed, a policy that began."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_text
from qbase.core.periods import read_period
from qbase.core.text import Text

EventKind = Literal["standard", "policy", "break", "other"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatedEvent:
    """One dated event beside a series.

    Parameters
    ----------
    period : pandas.Period
        The first period under the new state; what is clearly a quarter or a year is read: ``"2021Q1"``, ``2021``.
    title : Text
        Its name.
    kind : {"standard", "policy", "break", "other"}
        A standard that changed moves the yardstick, never quality; ``break`` was found in a series.
    entities : tuple of str
        Whom it concerns; empty is everybody.
    source : str
        Table or document it was read from.

    Raises
    ------
    UsageError
        A period that is none (QB101), a kind that is none or a title that is no text (QB144).

    Examples
    --------
    >>> from qbase.core import DatedEvent, Text
    >>> change = DatedEvent(period="2021Q1", title=Text("标准修订", "Revised standard"), kind="standard")
    >>> change.period, change.concerns("K003")
    (Period('2021Q1', 'Q-DEC'), True)
    """

    period: pd.Period
    title: Text
    kind: EventKind = "other"
    entities: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        check_word("kind", self.kind, get_args(EventKind))
        object.__setattr__(self, "title", read_text("title", self.title))
        period = read_period(self.period)
        if period is None:
            raise UsageError(
                "QB101", text=self.period, found=repr(self.period), expected="a quarter or a year, such as 2021Q1",
                fix='period="2021Q1"',
            )  # fmt: skip
        object.__setattr__(self, "period", period)

    def concerns(self, entity: str | None) -> bool:
        """Return whether an entity, or with None the sum of all, is touched by it."""
        return entity is None or not self.entities or entity in self.entities

    def at(self, freqstr: str) -> pd.Period:
        """Return its first period on an axis of another frequency."""
        return self.period if self.period.freqstr == freqstr else self.period.asfreq(freqstr[:1], how="start")
