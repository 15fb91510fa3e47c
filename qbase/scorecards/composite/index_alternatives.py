"""What else a method might have been, declared before looking."""

from __future__ import annotations

import dataclasses
import math

from qbase.core.errors import UsageError
from qbase.core.given import check_word
from qbase.scorecards.composite.index_design import (
    WORDS,
    Aggregation,
    Imputation,
    IndexDesign,
    Normalisation,
    Outliers,
    Weighting,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alternatives:
    """Choices of method that a reasonable person might have made instead; the design's own always counts among them.

    Parameters
    ----------
    normalisation, weighting, aggregation, imputation, outliers : tuple of str
        Words as in `IndexDesign`.
    weight_spread : float
        Coefficient of variation of a weight around its scheme (Dirichlet), for parts of equal weight; below 1, 0 for
        none.
    leaves_out : bool
        Whether in half of the worlds one indicator, any, is left out.

    Raises
    ------
    UsageError
        A word of no method (QB144), or a spread that cannot be (QB668).

    Examples
    --------
    >>> from qbase.scorecards import Alternatives
    >>> Alternatives(weighting=("equal", "expert", "entropy"), leaves_out=False).weighting
    ('equal', 'expert', 'entropy')
    """

    normalisation: tuple[Normalisation, ...] = ("min_max", "z_score", "rank")
    weighting: tuple[Weighting, ...] = ("equal", "expert")
    aggregation: tuple[Aggregation, ...] = ("arithmetic", "geometric")
    imputation: tuple[Imputation, ...] = ("none", "median")
    outliers: tuple[Outliers, ...] = ("winsorise", "none")
    weight_spread: float = 0.25
    leaves_out: bool = True

    def __post_init__(self) -> None:
        for option, known in WORDS.items():
            for word in getattr(self, option):
                check_word(option, word, known)
        if not (math.isfinite(self.weight_spread) and 0 <= self.weight_spread < 1):
            raise UsageError(
                "QB668", what="weight_spread", found=f"{self.weight_spread!r}", expected="0, or a number below 1",
                fix="weight_spread=0.25",
            )  # fmt: skip

    def options(self, design: IndexDesign) -> dict[str, tuple[str, ...]]:
        """Return the words of every choice, the one of a design first, each once."""
        return {name: tuple(dict.fromkeys((getattr(design, name), *getattr(self, name)))) for name in WORDS}
