"""How an index is built, declared before looking: indicators in pillars, their weights, and every choice of method."""

from __future__ import annotations

import dataclasses
import graphlib
import math
from collections.abc import Mapping
from typing import Literal, get_args

from qbase.core.errors import UsageError
from qbase.core.given import check_day, check_word, read_text
from qbase.core.text import Text
from qbase.core.values import freeze

Imputation = Literal["none", "mean", "median", "group_mean"]
Outliers = Literal["none", "winsorise"]
Normalisation = Literal["min_max", "z_score", "rank"]
Weighting = Literal["equal", "expert", "entropy"]
Aggregation = Literal["arithmetic", "geometric"]

WORDS: dict[str, tuple[str, ...]] = {
    "imputation": get_args(Imputation),
    "outliers": get_args(Outliers),
    "normalisation": get_args(Normalisation),
    "weighting": get_args(Weighting),
    "aggregation": get_args(Aggregation),
}
"""Choices of method and their words, in the order of the steps."""
EXAMPLE = 'Pillar(id="quality", name=Text("质量", "quality"), parts={"D1.batch": 2, "D1c.recheck": 1})'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pillar:
    """A part of an index: some indicators or pillars below it, with the weights declared for them.

    Parameters
    ----------
    id : str
        Its own; no indicator has it.
    name : Text
        For readers.
    parts : mapping of str to float
        Id of an indicator or of another pillar -> declared weight among its neighbours, above 0. Only their ratios
        count.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import Pillar
    >>> pillar = Pillar(id="quality", name=Text("质量水平", "level of quality"), parts={"D1.batch": 2, "L11.grade": 1})
    >>> pillar.shares()
    {'D1.batch': 0.6666666666666666, 'L11.grade': 0.3333333333333333}
    """

    id: str
    name: Text
    parts: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", read_text("name", self.name))
        object.__setattr__(self, "parts", freeze({str(i): float(w) for i, w in self.parts.items()}))

    def shares(self) -> dict[str, float]:
        """Return the declared weights, adding up to 1."""
        total = sum(self.parts.values())
        return {part: weight / total for part, weight in self.parts.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class IndexDesign:
    """A declared index: what goes into it, in which pillars, and how each step is done.

    Parameters
    ----------
    id : str
        Names the index in records.
    name : Text
        For readers, such as 集群质量综合指数.
    pillars : tuple of Pillar
        One of them, the index itself, is part of no other.
    source : Text
        Who declared the weights, and where.
    declared_on : str
        ISO date.
    least_entity, least_indicator : float
        Screening: share of its values an entity, or an indicator, must have. Indicators are screened first.
    imputation : {"none", "mean", "median", "group_mean"}
        Of what is missing; ``none`` spreads the weight over what an entity has.
    groups : mapping
        Entity -> group, for ``group_mean``.
    outliers : {"winsorise", "none"}
        Beyond a skew of 2 with a kurtosis of 3.5, up to five values are drawn in; where that is not enough the
        indicator is taken in logarithms (the rule of COINr).
    normalisation : {"min_max", "z_score", "rank"}
        Onto ``scale``; z scores have mean 50 and standard deviation 10.
    ranges : mapping
        Indicator -> the two ends declared for ``min_max``, in its unit; others take the lowest and highest value seen.
    scale : tuple of float
        Worst and best score; the geometric mean needs both above 0.
    weighting : {"equal", "expert", "entropy"}
        ``expert`` takes the weights declared in the pillars.
    aggregation : {"arithmetic", "geometric"}
        Of the parts of every pillar; in the geometric mean a bad part is not made good by others.

    Raises
    ------
    UsageError
        Pillars that are no tree (QB660), a number that cannot be (QB661), a word of no method (QB144), or a day that
        is none (QB148).

    References
    ----------
    OECD/JRC (2008). Handbook on constructing composite indicators: methodology and user guide.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import IndexDesign, Pillar
    >>> quality = Pillar(id="quality", name=Text("质量", "quality"), parts={"D1.batch": 2, "L11.grade": 1})
    >>> systems = Pillar(id="systems", name=Text("体系", "systems"), parts={"D2.firms": 1, "N3": 1})
    >>> whole = Pillar(id="index", name=Text("指数", "index"), parts={"quality": 2, "systems": 1})
    >>> design = IndexDesign(
    ...     id="own", name=Text("本镇质量指数", "our quality index"), pillars=(whole, quality, systems),
    ...     source=Text("镇质量办", "quality office of the town"), declared_on="2024-02-01",
    ... )
    >>> design.indicators, design.root.id
    (('D1.batch', 'L11.grade', 'D2.firms', 'N3'), 'index')
    """

    id: str
    name: Text
    pillars: tuple[Pillar, ...]
    source: Text
    declared_on: str
    least_entity: float = 2 / 3
    least_indicator: float = 2 / 3
    imputation: Imputation = "none"
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outliers: Outliers = "winsorise"
    normalisation: Normalisation = "min_max"
    ranges: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    scale: tuple[float, float] = (1.0, 100.0)
    weighting: Weighting = "equal"
    aggregation: Aggregation = "arithmetic"

    def __post_init__(self) -> None:
        for name in ("name", "source"):
            object.__setattr__(self, name, read_text(name, getattr(self, name)))
        object.__setattr__(self, "groups", freeze(self.groups))
        object.__setattr__(self, "ranges", freeze({i: (float(a), float(b)) for i, (a, b) in self.ranges.items()}))
        check_day("declared_on", self.declared_on)
        for option, known in WORDS.items():
            check_word(option, getattr(self, option), known)
        _check_tree(self.pillars)
        _check_numbers(self)

    @property
    def root(self) -> Pillar:
        """The pillar that is the index."""
        below = {part for pillar in self.pillars for part in pillar.parts}
        return next(p for p in self.pillars if p.id not in below)

    @property
    def indicators(self) -> tuple[str, ...]:
        """Ids of the indicators, in the order of the pillars below the root."""
        by_id = {p.id: p for p in self.pillars}

        def leaves(pillar: Pillar) -> tuple[str, ...]:
            return tuple(i for part in pillar.parts for i in (leaves(by_id[part]) if part in by_id else (part,)))

        return leaves(self.root)


def _check_tree(pillars: tuple[Pillar, ...]) -> None:
    ids = [p.id for p in pillars]
    parts = [part for p in pillars for part in p.parts]
    doubled = sorted({i for i in ids if ids.count(i) > 1} | {p for p in parts if parts.count(p) > 1})
    roots = [i for i in ids if i not in parts]
    found = ""
    if doubled:
        found = f"{doubled[0]} stands in it twice"
    elif any(not p.parts for p in pillars):
        found = f"{next(p.id for p in pillars if not p.parts)} has no part"
    elif len(roots) != 1 or _is_circle(pillars):
        found = f"{len(roots)} pillars that are part of no other" + (f": {', '.join(roots)}" if roots else "")
    if found:
        raise UsageError("QB660", found=found, expected="a tree: every part once, one pillar on top", fix=EXAMPLE)


def _is_circle(pillars: tuple[Pillar, ...]) -> bool:
    try:
        graphlib.TopologicalSorter({p.id: list(p.parts) for p in pillars}).prepare()
    except graphlib.CycleError:
        return True
    return False


def _check_numbers(design: IndexDesign) -> None:
    for pillar in design.pillars:
        for part, weight in pillar.parts.items():
            if not (math.isfinite(weight) and weight > 0):
                raise _impossible(f"weight of {part}", weight, "a finite number above 0", f'parts={{"{part}": 1}}')
    for name in ("least_entity", "least_indicator"):
        if not 0 <= getattr(design, name) <= 1:
            raise _impossible(name, getattr(design, name), "a share between 0 and 1", f"{name}=2 / 3")
    low, high = design.scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise _impossible("scale", design.scale, "worst score below best score", "scale=(1.0, 100.0)")
    if design.aggregation == "geometric" and low <= 0:
        raise _impossible("scale", design.scale, "scores above 0 for a geometric mean", "scale=(1.0, 100.0)")
    for indicator, (a, b) in design.ranges.items():
        if not (math.isfinite(a) and math.isfinite(b) and a < b):
            raise _impossible(
                f"ranges of {indicator}", (a, b), "lower end, upper end", f'ranges={{"{indicator}": (0, 100)}}'
            )


def _impossible(what: str, found: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB661", what=what, found=f"{found!r}", expected=expected, fix=fix)
