"""What two-way fixed effects are made of: every comparison of two groups, with its weight (Goodman-Bacon 2021)."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, build_grid

COLUMNS = ("kind", "treated", "comparison", "n_treated", "n_comparison", "estimate", "weight")
NEVER = "never"


class Arm(NamedTuple):
    """Entities of one adoption date: their mean path, their share of all, and the share of periods treated."""

    path: Floats
    share: float
    treated: float
    n: int
    start: int


def decompose_twfe(panel: Panel, policy: Policy, outcome: str) -> pd.DataFrame:
    """Decompose the two-way fixed-effects estimate into comparisons of two groups over two spans of time.

    The estimate of `estimate_twfe` without event times and weights is the sum of ``weight × estimate`` over the rows,
    to rounding. Rows of kind ``later_vs_earlier`` compare with entities already treated: where effects grow they pull
    the estimate down.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``, for every entity in every period.
    policy : Policy
        Who was treated from when; absorbing. Entities treated throughout are left out, as in `estimate_twfe`.
    outcome : str
        Id of an indicator of the panel.

    Returns
    -------
    pandas.DataFrame
        One row per comparison. ``kind``: ``treated_vs_never``, ``earlier_vs_later`` or ``later_vs_earlier``;
        ``treated`` and ``comparison``: codes of the periods of adoption, or ``never``; ``n_treated``, ``n_comparison``:
        entities; ``estimate``: the difference of differences, in the outcome's unit (points for percentages);
        ``weight``: sums to 1.

    Raises
    ------
    DataError
        An entity lacks an outcome in some period (QB590).
    PanelError, PolicyError
        See `qbase.effects.comparison.treated_and_controls.build_design`.

    References
    ----------
    Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. J. Econometrics 225.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import decompose_twfe
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> passed = {"A": [90, 91, 95, 96], "B": [88, 88, 89, 93], "C": [92, 93, 92, 93]}
    >>> rows = [(k, 2020 + t, float(v)) for k, values in passed.items() for t, v in enumerate(values)]
    >>> frame = pd.DataFrame(rows, columns=["place", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="place", period="year", freq="A", indicators={"rate": rate})
    >>> spells = (Spell(entity="A", start=2022), Spell(entity="B", start=2023))
    >>> policy = Policy(policy_id="grants", title=Text("补助", "Grants"), spells=spells)
    >>> parts = decompose_twfe(panel, policy, "rate")
    >>> print(parts[["kind", "treated", "comparison", "estimate", "weight"]].round(3).to_string(index=False))
                kind treated comparison  estimate  weight
    treated_vs_never    2022      never       5.0     0.4
    treated_vs_never    2023      never       4.0     0.3
    earlier_vs_later    2022       2023       3.5     0.2
    later_vs_earlier    2023       2022       3.0     0.1
    >>> round(float((parts["weight"] * parts["estimate"]).sum()), 3)
    4.2
    """
    grid = build_grid(panel, policy, outcome)
    _refuse_gaps(grid)
    frame = pd.DataFrame(_comparisons(grid), columns=list(COLUMNS))
    frame["weight"] /= frame["weight"].sum()
    order = {"treated_vs_never": 0, "earlier_vs_later": 1, "later_vs_earlier": 2}
    by = frame.assign(order=frame["kind"].map(order)).sort_values(["order", "treated", "comparison"])
    return by.drop(columns="order").reset_index(drop=True)


def _refuse_gaps(grid: OutcomeGrid) -> None:
    gaps = np.isnan(grid.y)
    if not gaps.any():
        return
    row, column = (int(i) for i in np.argwhere(gaps)[0])
    raise DataError(
        "QB590",
        found=f"{int(gaps.sum())} of {gaps.size} outcomes missing, "
        f"first {grid.entities[row]} in {grid.code_of(column)}",
        expected=f"an outcome of {len(grid.entities)} entities in each of {grid.n_periods} periods",
        fix="a panel of fewer periods or of the entities that have all; estimate_twfe itself takes gaps",
    )


def _comparisons(grid: OutcomeGrid) -> list[tuple[str, str, str, int, int, float, float]]:
    arms = [_arm(grid, grid.start == start, start) for start in grid.cohorts]
    untreated = ~grid.is_treated
    rows = []
    if untreated.any():
        never = _arm(grid, untreated, grid.n_periods)
        rows = [_against_never(grid, arm, never) for arm in arms]
    for early, late in itertools.combinations(arms, 2):
        rows += _of_two_dates(grid, early, late)
    return rows


def _arm(grid: OutcomeGrid, rows: np.ndarray, start: int) -> Arm:
    return Arm(
        path=np.asarray(grid.y[rows].mean(axis=0), dtype=float),
        share=float(rows.mean()),
        treated=(grid.n_periods - start) / grid.n_periods,
        n=int(rows.sum()),
        start=start,
    )


def _against_never(grid: OutcomeGrid, arm: Arm, never: Arm) -> tuple[str, str, str, int, int, float, float]:
    weight = arm.share * never.share * arm.treated * (1 - arm.treated)
    gap = arm.path - never.path
    estimate = float(gap[arm.start :].mean() - gap[: arm.start].mean())
    return ("treated_vs_never", grid.code_of(arm.start), NEVER, arm.n, never.n, estimate, weight)


def _of_two_dates(grid: OutcomeGrid, early: Arm, late: Arm) -> list[tuple[str, str, str, int, int, float, float]]:
    """Return the comparison while the later are untreated, and that while the earlier are already treated."""
    gap, between = early.path - late.path, slice(early.start, late.start)
    middle = float(gap[between].mean())
    first, last = grid.code_of(early.start), grid.code_of(late.start)
    shares = early.share * late.share
    return [
        (
            "earlier_vs_later", first, last, early.n, late.n, middle - float(gap[: early.start].mean()),
            shares * (early.treated - late.treated) * (1 - early.treated),
        ),
        (
            "later_vs_earlier", last, first, late.n, early.n, middle - float(gap[late.start :].mean()),
            shares * late.treated * (early.treated - late.treated),
        ),
    ]  # fmt: skip
