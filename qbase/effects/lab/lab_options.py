"""What may be asked of the design lab, checked before anything is played."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import cast, get_args

import numpy as np

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_number
from qbase.effects.doubt.history_noise import two_way_residuals
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.lab.design_answers import DesignName
from qbase.effects.lab.untreated_history import History, Kind

STEPS_PP = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0, 100.0)
"""Effects in percentage points; the last ones bring every treated cell to its bound."""

STEPS_SD = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
"""The same in standard deviations of the outcome net of entity and period means, where it has no percent."""

KNOWN_PP, KNOWN_SD = 5.0, 0.5
DESIGNS: tuple[DesignName, ...] = get_args(DesignName)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """Options as they were given, checked.

    Parameters
    ----------
    effects : tuple of float
        Ascending from 0, the known one among them.
    known : float
    designs : tuple of str
    """

    effects: tuple[float, ...]
    known: float
    designs: tuple[DesignName, ...]


def read_asked(history: History, effect: float | None, designs: Sequence[str]) -> Asked:
    """Return the effects to play and the designs that judge them.

    Raises
    ------
    UsageError
        An effect that is no finite number above 0 (QB519), a design that is none (QB144).
    """
    for name in designs:
        check_word("designs", name, DESIGNS)
    is_percent = history.grid.indicator.unit == "pct"
    scale = 1.0 if is_percent else usual_spread(history)
    steps = [scale * s for s in (STEPS_PP if is_percent else STEPS_SD)]
    known = scale * (KNOWN_PP if is_percent else KNOWN_SD) if effect is None else read_number(effect)
    if known is None or not 0 < known < math.inf:
        raise refuse_option("effect", effect, "a finite number above 0, in the unit of a difference", "effect=5")
    effects = tuple(sorted({*steps, known}))
    return Asked(effects=effects, known=known, designs=tuple(cast(DesignName, d) for d in dict.fromkeys(designs)))


def usual_spread(history: History) -> float:
    """Return the standard deviation of outcomes net of entity and period means."""
    y = history.grid.y
    rest = two_way_residuals(y, np.ones(y.shape))
    return float(np.sqrt((rest[np.isfinite(y)] ** 2).mean())) or 1.0


def read_n_treated(history: History, n_treated: int | None) -> int:
    """Return how many are treated in a placebo policy: as asked, or as the policy did, at most half of the entities.

    Raises
    ------
    UsageError
        No whole number from 1 to two less than there are entities (QB519).
    """
    most = len(history.grid.entities) - 2
    if n_treated is None:
        return max(1, min(len(history.offsets), len(history.grid.entities) // 2))
    given = read_count("n_treated", n_treated, least=1)
    if given > most:
        raise refuse_option("n_treated", n_treated, f"at most {most}: two entities stay untreated", f"n_treated={most}")
    return given


def read_kind(history: str | None) -> Kind | None:
    """Return which history is asked for.

    Raises
    ------
    UsageError
        It is none (QB144).
    """
    if history is None:
        return None
    check_word("history", history, get_args(Kind))
    return cast(Kind, history)


def read_axis(option: str, values: Iterable[float] | None, usual: Iterable[float], most: float) -> tuple[float, ...]:
    """Return values of an axis, ascending: as asked, or the usual ones within reach.

    Raises
    ------
    UsageError
        Values that are no finite numbers above 0, or beyond reach (QB519).
    """
    if values is None:
        return tuple(sorted({v for v in usual if v <= most}))
    given = [read_number(v) for v in ([values] if isinstance(values, int | float | str) else values)]
    if any(v is None or not 0 < v <= most for v in given):
        raise refuse_option(option, values, f"numbers above 0, at most {most:g}", f"{option}=None")
    return tuple(sorted({float(v) for v in given if v is not None}))


def refuse_option(option: str, value: object, expected: str, fix: str) -> UsageError:
    """Return the error of an option (QB519)."""
    return UsageError("QB519", option=option, value=value, found=f"{option}={value!r}", expected=expected, fix=fix)
