"""Small indices for the tests: rates with counts, a value with an interval, a full count, in two pillars."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from qbase.core import Indicator, Panel, Text
from qbase.core.text import same
from qbase.scorecards import IndexDesign, Pillar
from qbase.stats import wilson_interval

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
LOSS = Indicator(id="loss", name=Text("质量损失率", "quality loss"), unit="pct", better="down")
BRAND = Indicator(id="brand", name=Text("品牌指数", "brand index"), unit="score", better="up")
OUTPUT = Indicator(id="output", name=Text("产值", "output"), unit="yi_cny", better="up")
INDICATORS = {i.id: i for i in (RATE, LOSS, BRAND, OUTPUT)}


def frame_of(n: int, seed: int = 1) -> pd.DataFrame:
    """Return n clusters of one year, no two alike."""
    rng = np.random.default_rng(seed)
    tested = rng.integers(40, 120, n)
    passed, lost = rng.binomial(tested, rng.uniform(0.7, 0.98, n)), rng.binomial(tested, rng.uniform(0.01, 0.2, n))
    brand = rng.normal(60, 10, n).clip(20, 95)
    columns: dict[str, Any] = {"cluster_id": [f"K{i:03d}" for i in range(n)], "year": 2024}
    for name, k in (("rate", passed), ("loss", lost)):
        low, high = wilson_interval(k, tested)
        columns |= {name: 100 * k / tested, f"{name}__n": tested, f"{name}__k": k}
        columns |= {f"{name}__lo": 100 * low, f"{name}__hi": 100 * high}
    columns |= {"brand": brand, "brand__lo": brand - 4, "brand__hi": brand + 6, "output": rng.lognormal(3, 0.4, n)}
    return pd.DataFrame(columns)


def panel_of(frame: pd.DataFrame, **how: Any) -> Panel:
    names = {str(e): Text(f"{e} 产业集群", f"{e} cluster") for e in frame["cluster_id"]}
    indicators = {i: INDICATORS[i] for i in INDICATORS if i in frame}
    return Panel.from_frame(
        frame, entity="cluster_id", period="year", freq="A", indicators=indicators, labels=names, **how
    )  # fmt: skip


def design_of(**changes: Any) -> IndexDesign:
    quality = Pillar(id="quality", name=same("quality"), parts={"rate": 3, "loss": 1})
    market = Pillar(id="market", name=same("market"), parts={"brand": 1, "output": 1})
    whole = Pillar(id="whole", name=same("whole"), parts={"quality": 2, "market": 1})
    plain = IndexDesign(
        id="small", name=Text("质量指数", "quality index"), pillars=(whole, quality, market), source=same("test"),
        declared_on="2024-01-01",
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)
