"""Panels with the counts by firm behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core import Indicator, Panel, Text
from qbase.indicators import FirmCounts

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def build(
    rows: list[tuple[str, str, str, int, int]], *, freq: str = "Q", indicator: Indicator = RATE
) -> tuple[Panel, FirmCounts]:
    """Return a panel and its firms from entity, period, firm, n, k."""
    data = pd.DataFrame(rows, columns=["entity", "period", "firm", "n", "k"])
    sums = data.groupby(["entity", "period"], as_index=False)[["n", "k"]].sum()
    i = indicator.id
    frame = sums.rename(columns={"n": f"{i}__n", "k": f"{i}__k"}).assign(**{i: 100 * sums["k"] / sums["n"]})
    panel = Panel.from_frame(frame, entity="entity", period="period", freq=freq, indicators={i: indicator})  # type: ignore[arg-type]
    index = pd.PeriodIndex(data["period"], freq="Q-DEC" if freq == "Q" else "Y-DEC")
    return panel, FirmCounts(data=data.assign(period=index), outcome=i)


def draw(
    seed: int,
    *,
    periods: list[str],
    firms: int,
    batches: int,
    icc: float = 0.0,
    rate: float = 0.9,
    paired: bool = True,
    entities: tuple[str, ...] = ("K1",),
) -> list[tuple[str, str, str, int, int]]:
    """Draw firms whose batches are alike, the same in every period where paired."""
    rng = np.random.default_rng(seed)
    rows = []
    for e in entities:
        chance = np.full(firms, rate)
        for p in periods:
            if icc > 0 and (p == periods[0] or not paired):
                total = (1 - icc) / icc
                chance = rng.beta(rate * total, (1 - rate) * total, firms)
            passed = rng.binomial(batches, chance)
            rows += [(e, p, f"{e}F{i:03d}" + ("" if paired else p), batches, int(k)) for i, k in enumerate(passed)]
    return rows
