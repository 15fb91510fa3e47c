"""Published charts and breaks by the public functions: accident departments of the NHS, the flow of the Nile."""

from __future__ import annotations

import pathlib

import pandas as pd
import pytest
import statsmodels.api as sm

from qbase.core import Indicator, Panel, Text
from qbase.trends import estimate_breaks, estimate_control


def test_the_accident_departments_of_the_nhs(shared_data: pathlib.Path) -> None:
    """qicharts2 0.8.1 on Mohammed et al. (2013): sigma_Z 10.640422, 16 of 20 weeks outside a p chart, none outside p′.

    The weeks stand here as quarters: a chart knows their order alone.
    """
    data = pd.read_csv(shared_data / "fixtures" / "nhs_accidents.csv")
    quarters = [str(pd.Period("2008Q1", freq="Q-DEC") + i) for i in range(len(data))]
    frame = pd.DataFrame({"place": "A", "q": quarters, "seen__k": data["r"], "seen__n": data["n"]})
    frame["seen"] = 100 * frame["seen__k"] / frame["seen__n"]
    seen = Indicator(id="seen", name=Text("四小时内就诊率", "share seen within four hours"), unit="pct", better="up")
    panel = Panel.from_frame(frame, entity="place", period="q", freq="Q", indicators={"seen": seen})
    chosen = estimate_control(panel, "seen", entity="A")
    assert chosen.method == "laney_chart"
    series = chosen.tables["series"]
    assert series["sigma_z"].iloc[0] == pytest.approx(10.640422, abs=5e-7)
    assert series["centre"].iloc[0] == pytest.approx(95.29, abs=5e-5)
    assert not series["beyond"].any()
    plain = estimate_control(panel, "seen", entity="A", chart="p")
    assert plain.tables["series"]["beyond"].sum() == 16


def test_the_flow_of_the_nile() -> None:
    """strucchange 1.5.3 (Bai and Perron 2003): one break, the last year before it 1898, 95 % interval 1895 to 1902."""
    nile = sm.datasets.nile.load_pandas().data
    flow = Indicator(id="flow", name=Text("流量", "flow"), unit="index", better="none")
    frame = pd.DataFrame({"place": "N", "year": nile["year"].astype(int), "flow": nile["volume"]})
    panel = Panel.from_frame(frame, entity="place", period="year", freq="A", indicators={"flow": flow})
    result = estimate_breaks(panel, "flow", entity="N")
    (row,) = result.tables["breaks"].to_dict("records")
    # the table names the first year after the break
    assert [int(row[c]) - 1 for c in ("period", "low", "high")] == [1898, 1895, 1902]
    assert row["p_value"] < 0.001
    before, after = result.tables["series"].groupby("segment")["mean"].first()
    assert (before, after) == pytest.approx((1097.75, 849.97222), abs=5e-6)
