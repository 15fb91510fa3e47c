from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, PolicyError, Spell, Text
from qbase.effects import carry_spells, estimate_synthetic
from qbase.effects.comparison.outcome_grid import build_grid

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
FIRMS = {f"T{t}": [f"F{t}{i}" for i in range(3)] for t in range(6)}
LINKS = {"K1": "T1", "K2": "T2", "K3": ["T3", "T4"], "K9": "T9"}


def panel_of(entities: list[str], kind: str, *, effect: dict[str, float] | None = None) -> Panel:
    rng = np.random.default_rng(2)
    common = rng.normal(size=10).cumsum()
    rows = [
        (e, 2012 + t, 80 + i + common[t] + rng.normal(scale=0.01) + (effect or {}).get(e, 0.0) * (t >= 6))
        for i, e in enumerate(entities)
        for t in range(10)
    ]
    frame = pd.DataFrame(rows, columns=[kind, "year", "rate"])
    return Panel.from_frame(frame, entity=kind, period="year", freq="A", indicators={"rate": RATE}, in_percent=True)


def policy_of(*spells: Spell, **parts: object) -> Policy:
    return Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=spells, **parts)


TOWNS = panel_of([f"T{t}" for t in range(6)], "town_code", effect={"T1": 4.0})


def test_a_clusters_town_is_treated_from_the_same_date() -> None:
    carried = carry_spells(TOWNS, policy_of(Spell(entity="K1", start="2018"), group={"K1": "east"}), LINKS)
    assert {e: str(p) for e, p in carried.first_treated.items()} == {"T1": "2018"}
    assert carried.treated == Text("采用政策的集群所在的乡镇", "towns of the treated clusters")
    assert dict(carried.group) == {"T1": "east"}
    assert carried.policy_id == "pilot"


def test_the_carried_town_is_placed_among_all_towns() -> None:
    carried = carry_spells(TOWNS, policy_of(Spell(entity="K1", start="2018")), LINKS)
    result = estimate_synthetic(TOWNS, carried, "rate")
    assert result["att"].value == pytest.approx(4.0, abs=0.05)
    assert result["att"].p_value == result["att"].p_floor == pytest.approx(1 / 6)


def test_its_firms_are_compared_with_those_of_other_towns_and_move_with_their_town() -> None:
    firms = panel_of([f for of_town in FIRMS.values() for f in of_town], "firm_id")
    carried = carry_spells(firms, policy_of(Spell(entity="T1", start="2018")), FIRMS)
    owners = {f: town for town, of_town in FIRMS.items() for f in of_town}
    grid = build_grid(firms, carried, "rate", clusters=owners)
    assert sorted(carried.first_treated) == ["F10", "F11", "F12"]
    assert carried.treated is not None
    assert carried.treated.zh == "采用政策的集群中的企业"
    # one decision, so one treated cluster for inference, however many firms it has
    assert len(set(grid.cluster[grid.is_treated])) == 1
    assert len(set(grid.cluster)) == 6


def test_several_targets_and_targets_outside_the_panel() -> None:
    carried = carry_spells(TOWNS, policy_of(Spell(entity="K3", start="2018"), Spell(entity="T5", start="2019")), LINKS)
    assert sorted(carried.first_treated) == ["T3", "T4", "T5"]
    links = {**LINKS, "K3": ["T3", "T77"]}
    assert sorted(carry_spells(TOWNS, policy_of(Spell(entity="K3", start="2018")), links).first_treated) == ["T3"]


def test_a_target_of_two_treated_starts_with_the_first() -> None:
    spells = (Spell(entity="K1", start="2019"), Spell(entity="K2", start="2017", end="2020"))
    carried = carry_spells(TOWNS, policy_of(*spells), {"K1": "T1", "K2": "T1"})
    assert [(s.entity, str(s.start), s.end) for s in carried.spells] == [("T1", "2017", None)]


def test_spells_of_one_entity_that_follow_each_other_stay_apart() -> None:
    spells = (Spell(entity="K1", start="2014", end="2015"), Spell(entity="K1", start="2018"))
    assert len(carry_spells(TOWNS, policy_of(*spells), LINKS).spells) == 2


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({"K1": "T1", "K8": "T1"}, "T1 also belongs to K8, which is not treated"),
        ({"K1": "T42"}, "T42 not in the panel"),
        ({"K2": "T2"}, "no link from K1"),
    ],
)
def test_what_cannot_be_carried_is_refused(links: dict[str, str], found: str) -> None:
    with pytest.raises(PolicyError, match="QB586") as caught:
        carry_spells(TOWNS, policy_of(Spell(entity="K1", start="2018")), links)
    assert found in str(caught.value)
