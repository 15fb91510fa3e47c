"""Rates and data of gates made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core import Indicator, Panel, Text
from qbase.scorecards.gates.gate_data import GateData
from qbase.scorecards.gates.quarter_rates import QuarterRates, read_quarters

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def make_quarters(rates, n=40, young=()) -> QuarterRates:
    entities = tuple(f"K{i + 1}" for i in range(len(rates)))
    grid = np.asarray(rates, dtype=float)
    sizes = np.broadcast_to(np.asarray(n, dtype=float), grid.shape).copy()
    quarters = pd.period_range("2024Q1", periods=grid.shape[1], freq="Q")
    passed = np.round(grid * sizes)
    shape = (len(entities), len(quarters))
    e, q = np.repeat(entities, shape[1]), np.tile([str(x) for x in quarters], shape[0])
    rows = pd.DataFrame({"e": e, "q": q, "D1.batch__n": sizes.ravel(), "D1.batch__k": passed.ravel()})
    rows = rows[rows["D1.batch__n"] > 0]
    rows["D1.batch"] = 100 * rows["D1.batch__k"] / rows["D1.batch__n"]
    panel = Panel.from_frame(rows, entity="e", period="q", freq="Q", indicators={"D1.batch": RATE})
    flags = (
        pd.Series(True, index=pd.MultiIndex.from_tuples([(e, pd.Period(q, "Q")) for e, q in young])) if young else None
    )
    return read_quarters(panel, "D1.batch", last=quarters[-1], quarters=len(quarters), young=flags)


def make_data(quarters: QuarterRates, products) -> GateData:
    names = {e: Text(e, e) for e in quarters.entities}
    rates = {("D1.batch", "random_draw"): quarters}
    return GateData(
        as_of="2025Q4", year="2025", rates=rates, values={}, lists={}, products=products, names=names, lacking={}
    )
