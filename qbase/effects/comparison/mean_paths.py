"""The plain means of the treated and of the others by period: what a figure shows where no path is estimated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy


def build_mean_paths(panel: Panel, policy: Policy, outcome: str) -> pd.DataFrame:
    """Return means by period, every entity the same.

    Returns
    -------
    pandas.DataFrame
        Columns period (code), treated_mean, n_treated, comparison_mean, n_comparison; the treated are those of the
        policy, before their start too.
    """
    values = panel.data[outcome].astype(float).unstack("period").sort_index(axis=1)
    treated = values.index.astype(str).isin(list(match_policy(policy, panel.entities).first_treated))
    columns: dict[str, Any] = {"period": [periods.code(p) for p in pd.PeriodIndex(values.columns)]}
    for name, side in (("treated", values[treated]), ("comparison", values[~treated])):
        columns |= {f"{name}_mean": side.mean().to_numpy(), f"n_{name}": side.notna().sum().to_numpy(dtype=np.int64)}
    return pd.DataFrame(columns)
