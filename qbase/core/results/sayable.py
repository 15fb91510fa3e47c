"""What a sentence needs to know of a result, a criterion or a scorecard, and the decimals of their numbers."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qbase.core.coverage import Coverage
from qbase.core.numbers import digits_for
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Grade, Indicator


class SayableResult(Protocol):
    """What `say_result` reads of a result."""

    @property
    def name(self) -> str: ...
    @property
    def estimand(self) -> str: ...
    @property
    def outcome(self) -> Indicator: ...
    @property
    def unit(self) -> str: ...
    @property
    def estimates(self) -> Sequence[Estimate]: ...
    @property
    def subject(self) -> Text: ...
    @property
    def checks(self) -> Sequence[CheckResult]: ...
    @property
    def grade(self) -> Grade | None: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def labels(self) -> Mapping[str, Text]: ...
    @property
    def spoken(self) -> Sequence[int]: ...
    @property
    def unanswered(self) -> Text: ...
    @property
    def coverage(self) -> Coverage | None: ...


class SayableCriterion(Protocol):
    """What `say_scorecard` reads of one criterion."""

    @property
    def indicator(self) -> Indicator: ...
    @property
    def estimate(self) -> Estimate: ...
    @property
    def target(self) -> float: ...
    @property
    def source(self) -> Text: ...
    @property
    def verdict(self) -> str: ...
    @property
    def judged(self) -> Text: ...
    @property
    def why(self) -> Text: ...


class SayableScorecard(Protocol):
    """What `say_scorecard` reads of a scorecard."""

    @property
    def name(self) -> str: ...
    @property
    def subject(self) -> Text: ...
    @property
    def preset_title(self) -> Text: ...
    @property
    def criteria(self) -> Sequence[SayableCriterion]: ...


_DIGITS: weakref.WeakKeyDictionary[SayableResult, dict[str, int]] = weakref.WeakKeyDictionary()
"""Decimals by result and term: of a thousand peers each line would ask all the others again."""


def digits_of(result: SayableResult, estimate: Estimate) -> int:
    """Return the decimals of an estimate: one for all estimates of its term, in sentence, table and figure alike."""
    held = _DIGITS.setdefault(result, {})
    if estimate.term not in held:
        alike = [e for e in result.estimates if e.term == estimate.term]
        if not alike:
            return digits_among([estimate], result.unit, result.estimand, result.settings)
        held[estimate.term] = digits_among(alike, result.unit, result.estimand, result.settings)
    return held[estimate.term]


def digits_among(estimates: Sequence[Estimate], unit: str, estimand: str, settings: Mapping[str, Any]) -> int:
    """Return the decimals that tell every end of some estimates from what the words judge it against: 0, ± margin."""
    marks: tuple[float, ...] = ()
    if estimand not in {"level", "need"}:
        margin = settings.get("margin")
        marks = (0.0,) if margin is None else (0.0, -margin, margin)
    return max((_digits(e, unit, marks) for e in estimates), default=1)


def criterion_digits(criterion: SayableCriterion) -> int:
    """Return the decimals of a criterion: those that tell its ends from its target."""
    return _digits(criterion.estimate, criterion.indicator.unit, (criterion.target,))


def _digits(e: Estimate, unit: str, marks: tuple[float, ...]) -> int:
    own = digits_for(unit, e.std_error, e.ci_low, e.ci_high, marks=marks, value=e.value)
    joint = digits_for(unit, e.std_error, e.joint_low, e.joint_high, marks=marks)
    return max(own, joint, digits_for(unit, e.std_error, e.tost_low, e.tost_high, marks=marks))
