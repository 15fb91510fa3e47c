"""Order of rows, and names where all placebo policies are played, mean nothing to the design lab."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.effects import estimate_design_quality

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
NAMES = [f"K{i}" for i in range(7)]
DESIGNS = ["imputation", "staggered", "synthetic", "before_after", "twfe"]


def frame_of(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (name, pd.Period("2018Q1") + t, 80 + 2 * i + float(rng.normal(0, 3)))
        for i, name in enumerate(NAMES)
        for t in range(12)
    ]
    return pd.DataFrame(rows, columns=["cluster_id", "quarter", "rate"])


def scores(frame: pd.DataFrame, treated: list[str]) -> pd.DataFrame:
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={"rate": RATE})
    spells = tuple(Spell(entity=name, start=pd.Period("2020Q3")) for name in treated)
    policy = Policy(policy_id="one", title=Text("试点", "pilot"), spells=spells)
    # one treated of seven in three periods: 21 placebo policies, all of which are played
    found = estimate_design_quality(
        panel, policy, "rate", designs=DESIGNS, n_treated=1, draws=40, permutations=19, history="before"
    )
    return found.tables["scores"].drop(columns=["design", "shape"])


@settings(max_examples=4)
@given(order=st.permutations(range(7 * 12)), names=st.permutations(NAMES), seed=st.integers(0, 50))
def test_order_and_names_of_entities_do_not_matter(order: list[int], names: list[str], seed: int) -> None:
    frame = frame_of(seed)
    right = scores(frame, ["K0"])
    pd.testing.assert_frame_equal(scores(frame.iloc[order], ["K0"]), right)
    called = dict(zip(NAMES, names, strict=True))
    other = frame.assign(cluster_id=frame["cluster_id"].map(called))
    pd.testing.assert_frame_equal(scores(other, [called["K0"]]), right, rtol=1e-7, atol=1e-9)
