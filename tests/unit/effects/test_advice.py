"""The advisor sees untreated outcomes only, answers for one treated town, and says why a design is not carried."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, PanelError, Policy, Spell, Text
from qbase.effects import advise, choose_controls
from qbase.effects.comparison.untreated_facts import read_facts
from qbase.effects.judging.design_options import judge_designs

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up")
QUARTERS = pd.period_range("2018Q1", periods=16, freq="Q")


def make_panel(values: np.ndarray, *, n: float = 20, cells: pd.DataFrame | None = None) -> Panel:
    names = [f"K{i:02d}" for i in range(len(values))]
    index = pd.MultiIndex.from_product([names, QUARTERS], names=["entity", "period"])
    data = pd.DataFrame({ID: values.ravel(), f"{ID}__n": float(n)}, index=index)
    return Panel(data=data.dropna(), entity="town_code", freq="Q", indicators={ID: RATE}, cells=cells, sampling="naive")


def make_policy(starts: dict[int, int]) -> Policy:
    spells = tuple(Spell(entity=f"K{i:02d}", start=QUARTERS[s]) for i, s in starts.items())
    return Policy(policy_id="base", title=Text("基地", "Base"), spells=spells)


def draws(n_entities: int, seed: int = 1) -> np.ndarray:
    return 85 + np.random.default_rng(seed).normal(size=(n_entities, 16)) * 2


def carried(panel: Panel, policy: Policy) -> dict[str, bool]:
    return {o.name: o.can for o in advise(panel, policy, ID).options}


def test_treated_outcomes_after_the_start_never_change_the_advice() -> None:
    starts = {0: 8, 1: 8, 2: 11, 3: 12}
    values, other = draws(12), draws(12)
    for i, s in starts.items():
        other[i, s:] = np.random.default_rng(i).uniform(0, 100, 16 - s)
    policy = make_policy(starts)
    one, two = advise(make_panel(values), policy, ID), advise(make_panel(other), policy, ID)
    assert one == two
    assert repr(one) == repr(two)


def test_batches_of_treated_cells_do_not_change_it_either() -> None:
    panel, policy = make_panel(draws(12)), make_policy({0: 8, 1: 8, 2: 8})
    data = panel.data.copy()
    entity, period = data.index.get_level_values("entity"), data.index.get_level_values("period")
    treated = entity.isin(["K00", "K01", "K02"]) & (period >= QUARTERS[8])
    data.loc[treated, f"{ID}__n"] = 400.0
    more = Panel(data=data, entity="town_code", freq="Q", indicators={ID: RATE})
    assert advise(more, policy, ID) == advise(panel, policy, ID)


def test_untreated_outcomes_do_change_what_could_be_found() -> None:
    policy, calm = make_policy({0: 8, 1: 8, 2: 8}), draws(12)
    wild = calm.copy()
    wild[:, :8] = 60 + 4 * (calm[:, :8] - 85)
    rooms = [advise(make_panel(v), policy, ID).headroom for v in (calm, wild)]
    assert rooms[1].detectable == pytest.approx(4 * rooms[0].detectable)


def test_what_could_be_found_is_what_the_history_would_show() -> None:
    policy, found = make_policy({0: 8, 1: 8, 2: 8}), []
    for seed in range(200):
        facts = read_facts(make_panel(draws(12, seed)), policy, ID)
        found.append(facts.block_error)
    # block means of 4 quarters: sd 2, so a change has variance 2 · 4 / 4, between 3 and 9 entities
    assert np.mean(found) == pytest.approx(np.sqrt(2 * (1 / 3 + 1 / 9)), rel=0.05)


def test_one_treated_town_is_an_answer() -> None:
    advice = advise(make_panel(draws(12)), make_policy({0: 10}), ID)
    assert advice.lead.name == "synthetic"
    assert "0.083" in advice.lead.why.en
    assert not advice.find("imputation").can
    assert "below 3 there is no interval" in advice.find("imputation").why.en
    assert advice.say().items[1].zh.startswith("以合成控制为主")


def test_one_treated_town_with_a_short_history_is_described() -> None:
    advice = advise(make_panel(draws(12)), make_policy({0: 2}), ID)
    assert advice.lead.name == "path"
    assert "2 periods before" in advice.find("synthetic").why.en


def test_all_treated_at_once_leave_before_against_after() -> None:
    advice = advise(make_panel(draws(4)), make_policy(dict.fromkeys(range(4), 8)), ID)
    assert advice.lead.name == "before_after"
    assert "nobody to compare with" in advice.find("staggered").why.en


def test_several_dates_without_never_treated_carry_while_somebody_is_untreated() -> None:
    starts = {0: 6, 1: 6, 2: 9, 3: 9, 4: 12, 5: 12}
    panel = make_panel(draws(6))
    assert not carried(panel, make_policy(starts))["staggered"]
    assert "2021Q1" in advise(panel, make_policy(starts), ID).find("staggered").why.en
    late = make_policy({**starts, 4: 15, 5: 15})
    assert "2021Q4" in advise(panel, late, ID).find("staggered").why.en


def test_those_treated_after_the_data_are_controls() -> None:
    policy = make_policy({0: 8, 1: 8, 2: 8})
    later = Policy(policy_id="base", title=policy.title, spells=(*policy.spells, Spell(entity="K05", start="2030Q1")))
    facts = read_facts(make_panel(draws(8)), later, ID)
    assert (facts.n_treated, facts.n_never, facts.n_after_data, facts.n_controls) == (3, 4, 1, 5)


def test_few_periods_before_leave_group_time_effects_without_an_average_base() -> None:
    designs = carried(make_panel(draws(12)), make_policy(dict.fromkeys(range(4), 2)))
    assert (designs["imputation"], designs["staggered"], designs["synthetic"]) == (False, True, False)


def cells_of(random: int) -> pd.DataFrame:
    rows = [
        (f"K{i:02d}", q, s, n) for i in range(12) for q in QUARTERS for s, n in (("random", random), ("directed", 9))
    ]
    return pd.DataFrame(rows, columns=["entity", "period", "sampling", "n"])


@pytest.mark.parametrize(("random", "can"), [(8, True), (1, False)])
def test_random_draws_alone_need_enough_of_them(random: int, can: bool) -> None:
    panel = make_panel(draws(12), cells=cells_of(random))
    advice = advise(panel, make_policy(dict.fromkeys(range(4), 8)), ID)
    assert advice.find("random_draws").can is can
    assert advice.facts.random_per_cell == random


def test_unknown_drawing_is_said() -> None:
    option = advise(make_panel(draws(12)), make_policy(dict.fromkeys(range(4), 8)), ID).find("random_draws")
    assert not option.can
    assert "do not tell how batches were drawn" in option.why.en


def test_no_headroom_is_foreseen() -> None:
    values = np.clip(draws(12) + 13.5, 0, 100)
    advice = advise(make_panel(values), make_policy({0: 8}), ID)
    assert advice.headroom.is_enough is False
    assert "现有数据很可能不足以判断" in advice.say().items[2].zh


def test_the_advice_is_text_table_html_and_json() -> None:
    advice = advise(make_panel(draws(12)), make_policy(dict.fromkeys(range(4), 8)), ID)
    assert "No outcome under the policy was looked at" in advice.table().note.en
    assert len(advice.table().rows) == len(judge_designs(advice.facts, sampling="naive")) == 6
    assert "<table>" in advice._repr_html_()
    assert "imputation estimate leads" in repr(advice)
    assert json.loads(json.dumps(advice.payload()))["lead"] == "imputation"


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(PanelError):
        advise(make_panel(draws(4)), make_policy({0: 8}), "D9")


ENTITIES = pd.DataFrame({"entity": ["A", "B", "C", "D", "E"], "product": ["p", "p", "p", "q", "p"]})


def test_controls_make_the_same_are_not_next_door_and_share_no_firm() -> None:
    adjacent = pd.DataFrame({"entity": ["B", "A"], "neighbour": ["A", "D"]})
    firms = pd.DataFrame({"entity": ["A", "C", "E"], "firm": ["f1", "f1", "f2"]})
    chosen = choose_controls(ENTITIES, ["A"], adjacent=adjacent, firms=firms)
    assert (chosen.controls, dict(chosen.spillover)) == (("E",), {"B": ("A",)})
    assert {e: t.en for e, t in chosen.left_out.items()} == {
        "C": "shares a firm with a treated one",
        "D": "another product",
    }
    assert chosen.compared == ("A", "E")


def test_without_borders_and_firms_only_the_product_decides() -> None:
    assert choose_controls(ENTITIES, ["A"]).controls == ("B", "C", "E")


@pytest.mark.parametrize(
    ("entities", "treated", "code"),
    [(ENTITIES[["entity"]], ["A"], "QB561"), (ENTITIES, ["Z"], "QB562"), (pd.concat([ENTITIES] * 2), ["A"], "QB562")],
)
def test_frames_that_do_not_fit_are_refused(entities, treated, code) -> None:
    with pytest.raises(Exception, match=code):
        choose_controls(entities, treated)
