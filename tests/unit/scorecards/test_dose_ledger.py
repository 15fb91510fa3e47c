"""Doses beside outcomes: what was not recorded is not 0, what stands side by side is no effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Text, UsageError
from qbase.core.text import same
from qbase.core.values import INSTRUMENTS
from qbase.scorecards import DoseRows, build_dose_ledger
from qbase.scorecards.doses.dose_rows import SAFEGUARDS
from qbase.stats import wilson_interval

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
QUARTERS = pd.period_range("2023Q1", "2023Q4", freq="Q")


def panel_of(freq: str = "Q") -> Panel:
    frame = pd.DataFrame({"e": np.repeat(["A", "B"], 4), "q": list(map(str, QUARTERS)) * 2 if freq == "Q" else 0})
    frame["rate__n"], frame["rate__k"] = 20, [18, 17, 19, 20, 10, 12, 11, 15]
    low, high = wilson_interval(frame["rate__k"], frame["rate__n"])
    frame = frame.assign(rate=5.0 * frame["rate__k"], rate__lo=100 * low, rate__hi=100 * high)
    if freq == "A":
        frame = frame.iloc[[0, 4]].assign(q=2023)
    return Panel.from_frame(frame, entity="e", period="q", freq=freq, indicators={"rate": RATE})


def with_kind(panel: Panel) -> Panel:
    return Panel(
        data=panel.data, entity="cluster_id", freq=panel.freq, indicators=panel.indicators,
        labels={"A": Text("甲产业集群", "A cluster")},
    )  # fmt: skip


def rows_of(**columns: list[float]) -> DoseRows:
    index = pd.MultiIndex.from_product([["A", "B"], QUARTERS], names=["entity", "period"])
    frame = pd.DataFrame({name: np.array(values, dtype=float) for name, values in columns.items()}, index=index)
    names = {code: same(code) for code in (*INSTRUMENTS, *SAFEGUARDS)}
    return DoseRows(rows=frame, names=names, units=dict.fromkeys(INSTRUMENTS, "index"), sources=())


NAN = np.nan
ROWS = rows_of(
    W1=[0, 2, 4, NAN, 0, 0, 0, 0], W2=[NAN] * 8, S1=[0, 0, 1, 1, 0, 0, 0, 0], S2=[0] * 8, S3=[0] * 8, S4=[0] * 8,
    S5=[0, 0, 0, 1, 0, 0, 0, 0], tasks_done=[NAN, 1, 2, 3, 0, 0, 0, 0], tasks_planned=[NAN, 2, 2, 4, 0, 0, 1, 0],
)  # fmt: skip


def test_doses_are_means_since_the_first_and_what_was_not_recorded_is_not_0() -> None:
    ledger = build_dose_ledger(with_kind(panel_of()), ROWS, "rate", entity="A")
    (dose,) = ledger.estimates
    assert (dose.value, dose.key["quarters"], dose.uncertainty) == (3.0, 2, "none_full_count")
    table = ledger.tables["ledger"].set_index("period")
    assert table["W2"].isna().all()
    assert np.isnan(table.loc["2023Q4", "W1"])
    assert np.isnan(table.loc["2023Q1", "tasks_planned"])
    assert table.loc["2023Q4", ["S1", "S2", "S5"]].tolist() == [100, 0, 100]
    assert table.loc["2023Q2", ["value", "n"]].tolist() == [85, 20]


def test_the_sentence_says_that_it_is_no_effect() -> None:
    (said,) = build_dose_ledger(with_kind(panel_of()), ROWS, "rate", entity="A").say().items
    assert "七项工具中有 1 项投入" in said.zh
    assert "Since 2023 Q2, 1 of seven instruments were used in the A cluster" in said.en
    assert "2 of five safeguards" in said.en
    assert "Of 8 planned tasks 6 were done (75.0%)" in said.en
    assert "100.0% (95% CI 83.9–100.0; n = 20 batches)" in said.en
    assert "say nothing of an effect" in said.en
    assert "不说明效果" in said.zh
    for word in ("提高了", "使得", "led to", "raised", "because"):
        assert word not in said.zh + said.en


def test_all_together_are_means_over_clusters_and_pooled_batches() -> None:
    ledger = build_dose_ledger(with_kind(panel_of()), ROWS, "rate")
    table = ledger.tables["ledger"].set_index("period")
    assert table.loc["2023Q3", ["W1", "S1", "value", "n", "tasks_planned", "n_entities"]].tolist() == [
        2,
        50,
        75,
        40,
        3,
        2,
    ]
    # the one that was not recorded is not counted as 0
    assert table.loc["2023Q4", "W1"] == 0
    assert "in 20% of clusters on average, 0 of them in all" in ledger.say().items[0].en


def test_without_a_record_there_is_no_answer_and_other_panels_are_refused() -> None:
    empty = build_dose_ledger(with_kind(panel_of()), rows_of(W1=[NAN] * 8), "rate", entity="A")
    assert not empty.estimates
    assert "A cluster" in empty.say().items[0].en
    for panel in (panel_of(), with_kind(panel_of("A"))):
        with pytest.raises(UsageError) as refused:
            build_dose_ledger(panel, ROWS, "rate")
        assert refused.value.code == "QB669"
