"""Bases: joint draws, what binds, the number of bases, the shortlist."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core.text import Text
from qbase.scorecards import judge_bases, read_preset, score_gates
from qbase.scorecards.bases.base_status import base_verdict
from qbase.scorecards.bases.binding_gates import GateState, find_binding, list_gates, say_step
from qbase.scorecards.bases.joint_gates import draw_gates
from tests.unit.scorecards.gate_makers import make_data, make_quarters

OUTLINE = read_preset("outline_2025")
RATES_ONLY = dataclasses.replace(
    OUTLINE,
    targets=(*OUTLINE.of_gate("D1"), dataclasses.replace(OUTLINE.of_gate("D1")[0], gate="N5"), *OUTLINE.of_gate("L2")),
    required=("D1", "N5"),
)


def with_list(data, failed):
    frame = pd.DataFrame({"listed": 5, "verified": 5, "failed": failed}, index=list(data.names))
    return dataclasses.replace(data, lists={("N3", "firms"): frame})


def test_gates_of_one_rate_hold_together_and_are_not_multiplied():
    data = make_data(make_quarters([[0.95] * 4], n=30), {})
    cards = score_gates(data, RATES_ONLY)
    joint = draw_gates(data, RATES_ONLY, cards, draws=4000, seed=1)
    alone = cards[0].criteria[0].probability_met
    assert joint.probability[0] == pytest.approx(alone, abs=0.03)
    assert alone**2 < joint.probability[0] - 0.05


def test_two_rivals_do_not_both_lead():
    data = make_data(make_quarters([[0.9] * 8, [0.9] * 8], n=40), {"K1": "a", "K2": "a"})
    preset = dataclasses.replace(RATES_ONLY, required=("L2",))
    joint = draw_gates(data, preset, score_gates(data, preset), draws=2000, seed=0)
    assert joint.holds.sum(axis=1).max() == 1


def test_draws_do_not_depend_on_who_is_asked_for():
    data = make_data(make_quarters([[0.95] * 4, [0.9] * 4, [0.97] * 4], n=60), {})
    everybody = draw_gates(data, RATES_ONLY, score_gates(data, RATES_ONLY), draws=500, seed=3)
    one = draw_gates(data, RATES_ONLY, score_gates(data, RATES_ONLY, clusters=["K2"]), draws=500, seed=3)
    assert (everybody.holds[:, 1] == one.holds[:, 0]).all()


def test_the_number_of_bases_spans_open_gates():
    data = with_list(make_data(make_quarters([[0.99] * 4, [0.99] * 4], n=200), {}), [0, 0])
    preset = dataclasses.replace(OUTLINE, required=("D1", "N3"))
    found = judge_bases(data, preset)
    assert found.tables["bases"]["verdict"].tolist() == ["met", "met"]
    assert found["bases"].value == 2
    assert "100%" in found.say().items[0].en
    wider = judge_bases(data, dataclasses.replace(preset, required=("D1", "N3", "D5")))
    assert wider.tables["bases"]["verdict"].tolist() == ["cannot_tell"] * 2
    number = wider.tables["number"].set_index("bases")
    assert number.loc[0, "least_share"] == 1.0
    assert number.loc[2, "most_share"] > 0.95
    assert wider["bases"].ci_low == 0
    assert wider["bases"].ci_high == 2


def test_one_missed_gate_is_enough():
    data = with_list(make_data(make_quarters([[0.99] * 4, [0.99] * 4], n=200), {}), [0, 1])
    found = judge_bases(data, dataclasses.replace(OUTLINE, required=("D1", "N3")))
    rows = found.tables["bases"].set_index("entity")
    assert rows.loc["K2", ["verdict", "binding", "probability"]].tolist() == ["not_met", "N3", 0.0]
    assert rows.loc["K2", "step_zh"] == say_step(state("N3", "not_met", 0.8)).zh
    assert rows.loc["K1", "step_en"] == "every gate is passed: apply for acceptance"


def state(gate, verdict, attained=None, probability=None, open_by=""):
    return GateState(gate=gate, verdict=verdict, attained=attained, probability=probability, open_by=open_by)


def test_the_binding_gate_follows_the_stated_rule():
    missed = [state("D2", "not_met", 0.6), state("N3", "not_met", 0.4), state("D1", "cannot_tell", 0.9, 0.1, "draws")]
    assert find_binding(missed).gate == "N3"
    unknown = [state("D1", "cannot_tell", 0.9, 0.1, "draws"), state("N4", "cannot_tell", 0.8, None, "list")]
    assert find_binding(unknown).gate == "N4"
    assert "unverified" in say_step(find_binding(unknown)).en
    assert find_binding([state("D1", "met", 1.0)]) is None
    assert base_verdict(unknown) == "cannot_tell"


def test_every_required_gate_has_a_next_step_of_its_own():
    steps = {say_step(state(g, "not_met", 0.5)).en for g in OUTLINE.required}
    assert len(steps) == len(OUTLINE.required)


def test_a_gate_open_on_one_threshold_is_open():
    data = with_list(make_data(make_quarters([[0.99] * 4], n=200), {}), [0])
    states = {s.gate: s for s in list_gates(score_gates(data, OUTLINE)[0], OUTLINE)}
    assert states["N1"].verdict == "cannot_tell"
    assert states["N1"].open_by == "data"
    assert states["N3"].verdict == "met"


def test_hundreds_of_clusters_are_drawn_together():
    rng = np.random.default_rng(0)
    data = make_data(
        make_quarters(rng.uniform(0.85, 1, (300, 8)), n=15), {f"K{i + 1}": str(i % 90) for i in range(300)}
    )
    data = dataclasses.replace(data, names={k: Text(k, k) for k in data.names})
    preset = dataclasses.replace(RATES_ONLY, required=("D1", "N5", "L2"))
    found = judge_bases(data, preset, draws=500)
    assert len(found.tables["bases"]) == 300
    assert found.tables["number"]["least_share"].sum() == pytest.approx(1)
