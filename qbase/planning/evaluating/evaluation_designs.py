"""Who starts when in each design, and by which estimator it will be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from qbase.core.text import Text
from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.lab.design_answers import DesignName as Estimator

DesignName = Literal["did", "staggered", "phase_in"]
DESIGNS: tuple[DesignName, ...] = get_args(DesignName)

JUDGED_BY: Mapping[DesignName, Estimator] = {"did": "imputation", "staggered": "staggered", "phase_in": "imputation"}
"""With one start imputation is difference-in-differences: the change from the average before, less that of others."""

LAST_START: Mapping[DesignName, float] = {"did": 0.0, "staggered": 0.75, "phase_in": 1.75}
"""Years from the first start to the last."""

NAMES: Mapping[DesignName, Text] = {
    "did": Text("双重差分（同时开始）", "difference-in-differences (one start)"),
    "staggered": Text("分批采用（一年之内）", "staggered adoption (within a year)"),
    "phase_in": Text("抽签分期（两年之内）", "phase-in by lot (within two years)"),
}


def plan_starts(
    design: DesignName, *, treated: int, entities: int, before: int, n_periods: int, per_year: int
) -> Floats:
    """Return the column in which each entity starts, shape (G,): the treated first, at equal steps.

    NaN for the comparison and for those that have not started by ``n_periods``. Which entity has which place is drawn
    elsewhere, so the order among them is by lot.
    """
    reach = round(LAST_START[design] * per_year)
    offsets = np.rint(np.linspace(0, reach, treated)) if treated > 1 else np.zeros(1)
    start = np.concatenate([before + offsets, np.full(entities - treated, np.nan)])
    return np.where(start < n_periods, start, np.nan)
