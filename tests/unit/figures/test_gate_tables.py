"""Gates drawn and tabulated: every verdict is there, and marks need no colour."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Figure, Result, Text
from qbase.core.errors import DataError
from qbase.figures import plot_gates, tabulate_bases, tabulate_gates, tabulate_presets
from qbase.figures.tabulating.result_tables import MET
from qbase.scorecards import judge_bases, read_preset, score_gates
from qbase.scorecards.gates.gate_data import GateData
from qbase.scorecards.gates.gate_verdicts import gate_verdicts
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES
from tests.unit.scorecards.gate_makers import make_data, make_quarters

PRESET = read_preset("policy_text")


@pytest.fixture(scope="module")
def data() -> GateData:
    made = make_data(make_quarters([[0.99] * 8, [0.7] * 8, [0.9] * 8], n=40), {"K1": "a", "K2": "a"})
    lists = {
        ("N3", "firms"): pd.DataFrame(
            {"listed": 5, "verified": [5, 5, 4], "failed": [0, 2, 0]}, index=["K1", "K2", "K3"]
        )
    }
    return dataclasses.replace(made, lists=lists)


@pytest.fixture(scope="module")
def bases(data) -> Result:
    return judge_bases(data, PRESET, draws=500)


@pytest.fixture(scope="module")
def drawn(bases) -> dict[str, Figure]:
    many = make_data(make_quarters([[0.9] * 4] * 42, n=30), {})
    long = {
        e: Text(f"恒渚镇塑料板管型材产业集群{e}", f"Hengzhu plastic sheet, pipe and profile cluster {e}")
        for e in many.names
    }
    short = dataclasses.replace(PRESET, required=("D1", "N3"))
    crowd = judge_bases(dataclasses.replace(many, names=long), short, draws=250)
    return {"few": plot_gates(bases), "crowd": plot_gates(crowd)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", ["few", "crowd"])
def test_every_drawing_keeps_the_rules(drawn, name, rule):
    rule(drawn, name)


def test_every_cell_has_a_mark_of_its_own_shape(bases):
    figure = plot_gates(bases)
    gates = bases.tables["gates"]
    for key, svg in figure.drawings.items():
        texts = every.texts_of(svg)
        for verdict, mark in (("met", "◆"), ("not_met", "▼"), ("cannot_tell", "▽")):
            # one more stands in the key
            assert sum(t == mark for t in texts) == int((gates["verdict"] == verdict).sum()) + 1, key
        assert sum(t in PRESET.required for t in texts) == len(PRESET.required)


def test_the_title_says_how_many_and_what_binds(bases):
    figure = plot_gates(bases)
    assert figure.title.en.startswith("None of 3 clusters meets every gate")
    assert "K2 0 met" in figure.alt.en
    assert figure.subtitle.en == "As of 2025Q4, 3 clusters, 18 required gates"


def test_gates_without_data_are_rows_too(data):
    card = score_gates(data, PRESET)[2]
    table = tabulate_gates(card)
    assert {row[0].en.split()[0] for row in table.rows} == set(PRESET.gates)
    assert len(table.rows) == len(card.criteria) + len(card.missing)
    assert all(row[3] in MET.values() for row in table.rows)
    told = next(row for row in table.rows if row[0].en.startswith("N3 "))
    assert "5 to verify, 4 verified, 0 failing, 1 unverified" in told[4].en
    assert "应核 5 已核 4 不达标 0 未核 1" in told[4].zh


def test_the_tally_of_each_cluster_is_that_of_its_own_card(data, bases):
    rows = {row[0].zh: row for row in tabulate_bases(bases).rows}
    for card in score_gates(data, PRESET):
        verdicts = gate_verdicts(card.criteria, card.missing)
        told = [verdicts.get(gate, "cannot_tell") for gate in PRESET.required]
        tally = " / ".join(str(told.count(word)) for word in ("met", "not_met", "cannot_tell"))
        assert rows[card.subject.zh][3] == tally


def test_presets_stand_side_by_side_for_one_cluster_only(data):
    presets = ("policy_text", "outline_2025")
    cards = [score_gates(data, p, clusters=["K2"])[0] for p in presets]
    table = tabulate_presets(cards)
    row = next(r for r in table.rows if r[0].en == "D1 Reliable quality")
    assert row[1:] == (MET["cannot_tell"], MET["not_met"])
    with pytest.raises(DataError) as caught:
        tabulate_presets(score_gates(data, "policy_text"))
    assert caught.value.code == "QB616"


def test_clusters_are_grouped_by_what_binds(bases):
    table = tabulate_bases(bases)
    binding = [row[4] for row in table.rows]
    assert [text.en for text in binding] == sorted(text.en for text in binding)
    # a code alone tells an office nothing
    assert all(len(text.zh.split(" ", 1)) == len(text.en.split(" ", 1)) == 2 for text in binding)
    assert len(table.rows) == 3


def test_another_result_is_refused(bases):
    other = dataclasses.replace(bases, tables={})
    for draw in (plot_gates, tabulate_bases):
        with pytest.raises(DataError) as caught:
            draw(other)
        assert caught.value.code == "QB615"
