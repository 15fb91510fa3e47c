"""Funnels and ranks, by the rules of every drawing."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import qbase as qb
from qbase.core import DataError, Figure, Indicator, Panel, Result, Text
from qbase.figures import plot_funnel, plot_ranks
from qbase.stats import wilson_interval
from qbase.trends import compare_peers, rank_entities
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES

RATE = Indicator(id="y", name=Text("监督抽查批次合格率", "batch pass rate"), unit="pct", better="up")
TRADES = (
    ("阀门", "valves and cocks"),
    ("涤纶", "polyester fibre"),
    ("塑料板管型材", "plastic sheet, pipe and profile"),
)


def panel_of(m: int, *, low: int, size: int = 70, seed: int = 1, sampling: str = "naive") -> Panel:
    rng = np.random.default_rng(seed)
    n = 5 + rng.poisson(size * rng.lognormal(0, 0.6, m))
    k = rng.binomial(n, np.where(np.arange(m) < low, 0.7, 0.93))
    lower, upper = wilson_interval(k, n)
    frame = pd.DataFrame({"cluster_id": [f"K{i:03d}" for i in range(m)], "year": 2024, "y": 100 * k / n})
    frame = frame.assign(y__n=n, y__k=k, y__lo=100 * lower, y__hi=100 * upper, y__n_eff=n * 0.9)
    names = {
        f"K{i:03d}": Text(f"恒渚镇{i}{TRADES[i % 3][0]}产业集群", f"Hengzhu {i} {TRADES[i % 3][1]} cluster")
        for i in range(m)
    }
    return Panel.from_frame(
        frame, entity="cluster_id", period="year", freq="A", indicators={"y": RATE}, labels=names, sampling=sampling
    )


def funnel(m: int, low: int, **how: object) -> Result:
    return compare_peers(panel_of(m, low=low, **how), "y")


def ranks(m: int, low: int, size: int = 300) -> Result:
    return rank_entities(panel_of(m, low=low, size=size, sampling="random_draw"), "y")


CASES: dict[str, Callable[[], Figure]] = {
    "funnel": lambda: plot_funnel(funnel(12, 1)),
    "funnel_inside": lambda: plot_funnel(funnel(9, 0)),
    "funnel_many": lambda: plot_funnel(funnel(300, 25)),
    "funnel_some": lambda: plot_funnel(funnel(40, 6, seed=3)),
    "funnel_few": lambda: plot_funnel(funnel(3, 1, size=6)),
    "funnel_weighted": lambda: plot_funnel(funnel(12, 2, sampling="random_draw")),
    "ranks": lambda: plot_ranks(ranks(12, 3)),
    "ranks_two": lambda: plot_ranks(ranks(2, 0, size=10)),
    "ranks_many": lambda: plot_ranks(ranks(75, 20)),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make() for name, make in CASES.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", CASES)
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


@pytest.mark.parametrize("name", ["funnel_some", "ranks"])
def test_the_same_input_gives_the_same_bytes(drawn: dict[str, Figure], name: str) -> None:
    assert CASES[name]().payload() == drawn[name].payload()


def words_of(figure: Figure, key: str) -> str:
    return " ".join(every.texts_of(figure.drawings[key]))


def test_only_those_outside_are_named(drawn: dict[str, Figure]) -> None:
    for name, m, low, how in (("funnel", 12, 1, {}), ("funnel_inside", 9, 0, {}), ("funnel_some", 40, 6, {"seed": 3})):
        rows = funnel(m, low, **how).tables["peers"]
        inside, outside = rows[rows["outside"] == ""], rows[rows["outside"] != ""]
        shown = words_of(drawn[name], "zh_wide")
        assert not any(f"{zh[:5]}" in shown and zh in shown for zh in inside["name_zh"])
        assert len(outside) == low or name == "funnel_some"
        assert not any(zh in drawn[name].title.zh for zh in rows["name_zh"])
    shown = words_of(drawn["funnel"], "en_wide")
    assert "Hengzhu 0 valves and cocks cluster" in shown
    assert {"95%", "99.8%"} <= set(every.texts_of(drawn["funnel"].drawings["en_wide"]))
    for key in ("zh_wide", "zh_narrow", "en_wide", "en_narrow"):
        assert "var(--orange)" in drawn["funnel"].drawings[key]
        assert "var(--orange)" not in drawn["funnel_inside"].drawings[key]


def test_a_funnel_says_no_more_than_its_sentence(drawn: dict[str, Figure]) -> None:
    figure, result = drawn["funnel"], funnel(12, 1)
    assert figure.title == Text(
        "12 个产业集群中 11 个属正常波动，1 个偏低", "11 of 12 clusters within routine variation; 1 low"
    )
    assert drawn["funnel_inside"].title.en == "All 9 clusters within routine variation"
    total = int(result.tables["peers"]["n"].sum())
    assert f"n = {total:,} batches" in figure.subtitle.en
    assert f"n = {total:,} 批" in figure.subtitle.zh
    assert result.labels["chance"].zh in figure.note.zh
    assert "widened by how far all lie apart anyway" in figure.note.en
    assert "Below 99.8%: Hengzhu 0 valves and cocks cluster" in figure.alt.en
    # a thousand clusters with seventeen digits would make a page too large
    assert figure.table.data["rate_pct"] == [float(f"{v:.6g}") for v in result.tables["peers"]["rate_pct"]]
    assert figure.table.rows[0][-1] == Text("低于 99.8% 下限", "Below 99.8%")
    assert "Effective batches tested" in words_of(drawn["funnel_weighted"], "en_wide")


def test_a_funnel_and_ranks_are_plotted_by_the_everyday_verb(drawn: dict[str, Figure]) -> None:
    assert qb.plot(funnel(12, 1)).sha256() == drawn["funnel"].sha256()
    assert qb.plot(ranks(12, 3)).sha256() == drawn["ranks"].sha256()


def test_ranks_are_drawn_as_they_are_in_the_table(drawn: dict[str, Figure]) -> None:
    figure, result = drawn["ranks"], ranks(12, 3)
    table = result.tables["ranks"]
    told = result.settings["ordered_pairs"]
    assert figure.title == Text(
        f"12 个产业集群的 66 对中只有 {told} 对分得出先后", f"{told} of 66 pairs of 12 clusters can be put in order"
    )
    assert figure.table.data["rank_high"] == table["rank_high"].tolist()
    first = table.iloc[0]
    assert f"{first['name_en']} 1 (1–{first['rank_high']})" in figure.alt.en
    assert f"1–{first['rank_high']}" in every.texts_of(figure.drawings["en_narrow"])
    # a bar that spans all ranks is grey, and says nothing
    assert drawn["ranks_two"].title.en == "No two of 2 clusters can be put in order"
    assert "var(--bluef)" not in drawn["ranks_two"].drawings["zh_wide"]
    many = drawn["ranks_many"]
    assert len(many.table.rows) == 60
    assert len(many.table.data["rank"]) == 75
    assert "all 75 are in the CSV" in many.note.en
    assert len(re.findall("Hengzhu", words_of(many, "en_wide"))) == 60


def test_results_without_an_answer_are_not_drawn() -> None:
    for plot, result in (
        (plot_funnel, ranks(12, 3)),
        (plot_ranks, funnel(12, 1)),
        (plot_ranks, rank_entities(panel_of(5, low=0), "y")),
    ):
        with pytest.raises(DataError) as error:
            plot(result)
        assert error.value.code == "QB539"


def test_a_funnel_of_a_thousand_keeps_those_outside_and_the_readers_own() -> None:
    result = funnel(1100, 30)
    peers = result.tables["peers"]
    inside = peers.loc[peers["outside"] == "", "entity"].iloc[-1]
    figure = plot_funnel(result, entity=inside)
    outside = set(peers.loc[peers["outside"] != "", "entity"])
    assert outside
    told = figure.table.data["entity"]
    assert len(told) == 600
    assert {*outside, inside} <= set(told)
    assert told == sorted(told, key=peers["entity"].tolist().index)
    assert len(figure.table.rows) == 60
    assert "the CSV has 600" in figure.table.note.en
    assert sum(map(len, figure.drawings.values())) < 400_000
