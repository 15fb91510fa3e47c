"""Goals of one term or of two: whose targets a chart and a tile show, and what each is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qbase.core.results.result import Criterion, Result, Scorecard
from qbase.core.text import Text
from qbase.figures.charts.drawn_series import targets_of

Terms = Scorecard | Sequence[Scorecard] | None
"""One scorecard; or several, from the near to the far term."""
TARGET, NEAR, FAR = Text("目标", "target"), Text("近期目标", "near target"), Text("远期目标", "far target")


class Goal(NamedTuple):
    """A target as it is drawn.

    Parameters
    ----------
    criterion : Criterion
        Target and verdict.
    word : Text
        Target, near target or far target.
    title : Text
        Of the preset that sets it.
    """

    criterion: Criterion
    word: Text
    title: Text


def cards_of(terms: Terms) -> tuple[Scorecard, ...]:
    """Return the scorecards of a call, from the near to the far term."""
    return () if terms is None else (terms,) if isinstance(terms, Scorecard) else tuple(terms)


def goals_of(result: Result, terms: Terms) -> tuple[Goal, ...]:
    """Return the targets for the outcome of a result, those of the near term first.

    Parameters
    ----------
    result : Result
        Whose outcome is judged.
    terms : Scorecard, sequence of Scorecard or None
        Of one term they are called targets; of several the first is the near and the last the far one.
    """
    cards = cards_of(terms)
    words = [NEAR, *[TARGET] * (len(cards) - 2), FAR] if len(cards) > 1 else [TARGET]
    return tuple(
        Goal(criterion, word, card.preset_title)
        for card, word in zip(cards, words, strict=False)
        for criterion in targets_of(result, card)
    )
