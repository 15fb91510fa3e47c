"""What a weighted rate describes: classes and frame, of when, and what a draw counts for."""

from __future__ import annotations

import dataclasses
from typing import Literal

from qbase.core.errors import DataError, UsageError

Basis = Literal["period", "fixed"]
Adjust = Literal["post_stratify", "rake"]
Weight = Literal["firms", "output"]

WEIGHTS = ("firms", "output")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """What a weighted rate describes.

    Parameters
    ----------
    classes, frame : {"period", "fixed"}
        Risk class and size of a firm, and firms by class: those of each period (a level), or fixed at the end of
        ``base_year`` (an effect: a firm that changes class must not look like a change of quality). Firms without
        a class at that time belong to neither and are left out.
    base_year : int or None
        The last year before announcement.
    adjust : {"post_stratify", "rake"}
        How all draws are brought to the frame: by strata of risk class and size, or by these two margins.
    weight : {"firms", "output"}
        What a draw counts for beside its chance to be drawn: its firm as one firm, or the output of its firm
        (`qbase.indicators.sampling.output_rates.read_outputs`).
    is_finite_list : bool
        The rate describes this period's finite list of firms and nothing else; intervals shrink as the list is
        used up. Never for changes, trends and effects.

    Raises
    ------
    DataError
        Classes and frame of different times, a fixed design without base year, or a finite list beside a fixed
        design (QB430).
    UsageError
        No such weight (QB402), or output weights beside a finite list (QB436).

    Examples
    --------
    >>> from qbase.indicators import Design, build_panel
    >>> from qbase.lake import open_workspace
    >>> before = Design(classes="fixed", frame="fixed", base_year=2021)
    >>> window = {"first": "2025Q4", "last": "2025Q4", "sampling": "post_stratified"}
    >>> panel = build_panel(open_workspace(), "D1.batch", design=before, **window)
    >>> panel.data.loc["K001", "D1.batch"].round(1).tolist()  # by the classes and firms of 2021
    [61.1]
    """

    classes: Basis = "period"
    frame: Basis = "period"
    base_year: int | None = None
    adjust: Adjust = "post_stratify"
    weight: Weight = "firms"
    is_finite_list: bool = False

    def __post_init__(self) -> None:
        is_fixed = self.classes == "fixed"
        if self.classes != self.frame or is_fixed != (self.base_year is not None):
            raise DataError(
                "QB430",
                classes=self.classes,
                frame=self.frame,
                found=f"classes={self.classes!r}, frame={self.frame!r}, base_year={self.base_year}",
                expected="both period (a level), or both fixed with the base year (an effect)",
                fix='Design(classes="fixed", frame="fixed", base_year=2021)',
            )
        if is_fixed and self.is_finite_list:
            raise DataError(
                "QB430",
                classes=self.classes,
                frame="finite list",
                found="is_finite_list=True with a fixed design",
                expected="a finite list for the level of its own period only",
                fix="Design(is_finite_list=True), or leave it out",
            )
        if self.weight not in WEIGHTS:
            raise UsageError(
                "QB402",
                option="weight",
                value=self.weight,
                found=f"weight={self.weight!r}",
                expected=" | ".join(WEIGHTS),
                fix='Design(weight="output")',
            )
        if self.weight == "output" and self.is_finite_list:
            raise refuse_output("is_finite_list=True", 'Design(weight="output")')

    @property
    def is_fixed(self) -> bool:
        """Whether classes and frame stand still."""
        return self.base_year is not None


def refuse_output(other: str, fix: str) -> UsageError:
    """Return what to raise where output cannot weigh draws (QB436)."""
    return UsageError(
        "QB436",
        other=other,
        found=f'weight="output" with {other}',
        expected='weight="output" with sampling="random_draw" or "post_stratified", by cluster or town',
        fix=fix,
    )
