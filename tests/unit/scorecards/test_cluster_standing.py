"""One cluster before its gates: counts, what binds, other presets, and the box of a brief."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Decision, Text
from qbase.core.errors import DataError
from qbase.core.results.result import Result, Scorecard
from qbase.figures import tabulate_standing
from qbase.scorecards import decide_cluster, judge_bases, judge_standing, read_preset, score_gates
from qbase.scorecards.bases.cluster_standing import HEADS, MOST_OPEN
from qbase.scorecards.gates.gate_data import GateData
from qbase.scorecards.gates.gate_words import gate_titles
from qbase.scorecards.presets.preset_values import Preset
from tests.unit.scorecards.gate_makers import make_data, make_quarters

PRESET = read_preset("outline_2025")
QUARTER = Decision(
    name="decision",
    verdict="cannot_tell",
    subject=Text("合格率", "pass rate"),
    words=Text("看不出升降", "cannot tell whether it changed"),
    can_say=((Text("可以排除提高。", "A rise is ruled out."), "limited"),),
    cannot_say=(Text("没有变化。", "That nothing changed."),),
    would_settle=(Text("每季抽 40 批。", "40 batches a quarter."),),
)


@pytest.fixture(scope="module")
def data() -> GateData:
    made = make_data(make_quarters([[0.99] * 8, [0.7] * 8, [0.93] * 8], n=40), {"K1": "a", "K2": "a", "K3": "a"})
    verified = pd.DataFrame({"listed": 5, "verified": [5, 5, 4], "failed": [0, 2, 0]}, index=["K1", "K2", "K3"])
    return dataclasses.replace(made, lists={("N3", "firms"): verified})


def only(*gates: str) -> Preset:
    return dataclasses.replace(PRESET, required=gates)


def card_of(data: GateData, cluster: str, preset: Preset = PRESET) -> Scorecard:
    return score_gates(data, preset, clusters=[cluster])[0]


def standing_of(data: GateData, cluster: str, preset: Preset = PRESET) -> Result:
    return judge_standing(card_of(data, cluster, preset), preset)


def test_it_says_of_a_cluster_what_all_clusters_are_judged_to_be(data: GateData) -> None:
    bases = judge_bases(data, PRESET, draws=250).tables["bases"].set_index("entity")
    for cluster in ("K1", "K2", "K3"):
        standing, own = standing_of(data, cluster), bases.loc[cluster]
        table = standing.tables["standing"]
        assert standing.settings["verdict"] == own["verdict"]
        assert table.loc[table["is_binding"], "gate"].tolist() == [own["binding"]]
        assert table.loc[table["is_binding"], "step_en"].tolist() == [own["step_en"]]
        tally = [int((table["verdict"] == v).sum()) for v in ("met", "not_met", "cannot_tell")]
        assert tally == own[["met_count", "missed_count", "open_count"]].tolist()
        assert standing.estimates[0].value == tally[0]


@pytest.mark.parametrize(
    ("cluster", "gates", "verdict"),
    [("K1", ("D1", "N3"), "met"), ("K2", ("D1", "N3"), "not_met"), ("K3", ("D1", "N3"), "cannot_tell")],
)
def test_one_missed_gate_is_no_base_and_an_open_one_leaves_it_open(
    data: GateData, cluster: str, gates: tuple[str, ...], verdict: str
) -> None:
    preset = only(*gates)
    standing = standing_of(data, cluster, preset)
    assert standing.settings["verdict"] == verdict
    decision = decide_cluster(standing, QUARTER)
    assert decision.verdict == verdict
    assert HEADS[verdict].en in decision.lead.en
    said = standing.say().items[0]
    # what nobody counted is not said to be 0
    assert " 0 个" not in said.zh
    assert ("The gate that binds" in said.en) == (verdict != "met")
    # a step follows from every gate that is not met, and from no other
    table = standing.tables["standing"]
    assert ((table["step_zh"] == "") == (table["verdict"] == "met")).all()


def test_another_preset_stands_beside_with_how_many_verdicts_it_changes(data: GateData) -> None:
    other = card_of(data, "K2", read_preset("policy_text"))
    mine = card_of(data, "K2")
    standing = judge_standing(mine, PRESET, other)
    beside = standing.tables["beside"].set_index("gate")["verdict"]
    own = standing.tables["standing"].set_index("gate")["verdict"]
    moved = int((beside != own).sum())
    # the text has no number for the pass rate, the outline has
    assert (own["D1"], beside["D1"]) == ("not_met", "cannot_tell")
    assert standing.estimates[1].value == moved > 0
    assert f"{moved} of 18 gates get another verdict" in standing.say().items[1].en
    same = judge_standing(mine, PRESET, dataclasses.replace(mine, preset="twin"))
    assert "none of 18 gates gets another verdict" in same.say().items[1].en


def test_the_box_takes_the_quarter_as_it_stands_and_names_what_is_open(data: GateData) -> None:
    standing = standing_of(data, "K3")
    decision = decide_cluster(standing, QUARTER)
    opened = standing.tables["standing"].query("verdict == 'cannot_tell'")["gate"].tolist()
    assert len(opened) > MOST_OPEN
    assert decision.can_say == ((QUARTER.lead, None), *QUARTER.can_say)
    assert decision.cannot_say[-1] == QUARTER.cannot_say[-1]
    assert decision.would_settle[-1] == QUARTER.would_settle[-1]
    for gate, text in zip(opened, decision.cannot_say[:MOST_OPEN], strict=False):
        assert text.en.startswith(f"{gate} (")
    assert f"{len(opened) - MOST_OPEN} more gates are open" in decision.cannot_say[MOST_OPEN].en
    settled = standing_of(data, "K1", only("D1"))
    assert decide_cluster(settled, QUARTER).cannot_say == QUARTER.cannot_say


def test_the_table_leads_with_what_binds_and_tells_every_gate(data: GateData) -> None:
    card = card_of(data, "K2")
    other = card_of(data, "K2", read_preset("policy_text"))
    standing = judge_standing(card, PRESET, other)
    table = tabulate_standing(standing, card)
    binding = standing.tables["standing"].query("is_binding")["gate"].item()
    assert table.rows[0][0].en.startswith(f"{binding}\u00a0")
    assert table.rows[0][-1].en.startswith("Binds: ")
    assert sum(row[-1] != "–" and row[-1].en.startswith("Binds") for row in table.rows) == 1
    assert len(table.rows) == len(PRESET.required)
    marks = [row[3].zh[0] for row in table.rows[1:]]
    assert marks == sorted(marks, key="▼▽◆".index)
    rate = next(row for row in table.rows if row[0].en.startswith("D1"))
    # an estimate travels with its interval, and a list is a full count
    assert "90% CI" in rate[1].en
    assert rate[4].en.endswith("Cannot tell")
    assert table.data["verdict_1"][table.data["gate"].index("D1")] == "cannot_tell"


def test_every_gate_of_every_preset_has_a_few_words(data: GateData) -> None:
    titles = gate_titles()
    for gate in PRESET.required:
        assert len(titles[gate].zh) <= 7, gate
        assert len(titles[gate].en.split()) <= 3, gate
        assert card_of(data, "K1").gate_name(gate) == titles[gate]
    bare = dataclasses.replace(card_of(data, "K1"), titles={})
    assert bare.gate_name("N3").en == "coverage of whole-process quality control"
    assert bare.gate_name("no such gate") == Text("", "")


def test_another_result_has_no_table_of_gates(data: GateData) -> None:
    card = card_of(data, "K1")
    with pytest.raises(DataError) as caught:
        tabulate_standing(dataclasses.replace(standing_of(data, "K1"), tables={}), card)
    assert caught.value.code == "QB615"
