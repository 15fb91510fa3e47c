"""One series as control charts and breaks read it: counts where there are any, values where there are not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.trends.counts.period_counts import EVERYBODY, PANEL_LEVEL, find_entity, read_counts
from qbase.trends.counts.preliminary_periods import Parted

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The measured periods of one subject, in order.

    Parameters
    ----------
    indicator : Indicator
        What was measured.
    subject : Text
        Whom.
    index : pandas.PeriodIndex
        T periods; those without a value are not among them.
    value : numpy.ndarray, shape (T,)
        In the unit of the indicator.
    k, n : numpy.ndarray, shape (T,)
        Passes and tests; NaN where the indicator has none.
    has_counts : bool
        Whether the value is k over n.
    """

    indicator: Indicator
    subject: Text
    index: pd.PeriodIndex
    value: Floats
    k: Floats
    n: Floats
    has_counts: bool

    @property
    def weight(self) -> Floats:
        """What a period weighs: its tests, or alike where the value is not made of them."""
        return self.n if self.has_counts else np.ones(len(self.value))

    def frame(self, parted: Parted) -> pd.DataFrame:
        """Return period, n, k, value, is_preliminary; preliminary periods in their place."""
        own = pd.DataFrame(
            {"period": [periods.code(p) for p in self.index], "n": self.n, "k": self.k, "value": self.value}
        ).assign(is_preliminary=False)
        if parted.young is None or parted.young.empty:
            return own
        young = parted.young[["period", "n", "k", "rate_pct"]].rename(columns={"rate_pct": "value"})
        young = young.assign(is_preliminary=True).astype({"n": float, "k": float})
        return pd.concat([own, young]).sort_values("period", ignore_index=True)


def read_measured(panel: Panel, outcome: str, entity: str | None) -> Measured:
    """Read the series of one entity, or of all together.

    A rate is k over n; one weighted by its sampling design, and a measure without counts, is its value. Only counts
    can be added up, so without them one entity has to be named.

    Raises
    ------
    PanelError
        No such indicator (QB123), shrunk values (QB125), a measure without counts over several entities (QB124).
    UsageError
        Unknown entity (QB501).
    DataError
        Nothing was measured (QB502), or a weighted panel is to be pooled (QB505).
    """
    panel.refuse_shrunk(outcome)
    indicator = panel.indicator(outcome)
    is_counted = {f"{outcome}__k", f"{outcome}__n"} <= set(panel.data.columns)
    one = entity if entity is not None or len(panel.entities) > 1 else panel.entities[0]
    if is_counted or one is None or find_entity(panel, one) not in panel.entities:
        counts = read_counts(panel, outcome, entity=entity, level=PANEL_LEVEL)
        k, n = (counts.series[c].to_numpy(dtype=float) for c in ("k", "n"))
        value = counts.series["rate_pct"].to_numpy(dtype=float)
        return Measured(
            indicator=indicator, subject=counts.subject, index=counts.index, value=value, k=k, n=n,
            has_counts=not counts.is_weighted,
        )  # fmt: skip
    one = find_entity(panel, one)
    own = panel.data.loc[[one], outcome].droplevel("entity").dropna().sort_index()
    subject = panel.label(one) if entity is not None else EVERYBODY.get(panel.entity, panel.label(one))
    nothing = np.full(len(own), np.nan)
    return Measured(
        indicator=indicator, subject=subject, index=pd.PeriodIndex(own.index), value=own.to_numpy(dtype=float),
        k=nothing, n=nothing, has_counts=False,
    )  # fmt: skip


def subtract(measured: Measured, other: Measured) -> tuple[Measured, Floats]:
    """Return the difference of two series where both were measured, and what each period of it weighs.

    The weight is the harmonic sum of both numbers of tests: the inverse of the variance, the share apart.
    """
    shared = measured.index.intersection(other.index)
    a, b = measured.index.get_indexer(shared), other.index.get_indexer(shared)
    weight = 1 / (1 / measured.weight[a] + 1 / other.weight[b])
    difference = dataclasses.replace(
        measured, index=pd.PeriodIndex(shared), value=measured.value[a] - other.value[b], n=measured.n[a],
        k=measured.k[a], has_counts=False,
    )  # fmt: skip
    return difference, weight
