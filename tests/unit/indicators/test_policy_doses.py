"""Instruments of a plan are few, known and locked with it; doses of the lake are read as they were delivered."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.indicators import lock_plan, read_doses
from qbase.indicators.policies.policy_rules import read_instruments
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import put

PLAN = """[plan]
outcome = "D1.batch"
population = "同产品集群"
weight = "equal"
window = "all"
comparator = "never treated"
inference = "CRV3"
"""


def policy(*entities: str) -> Policy:
    spells = tuple(Spell(entity=entity, start="2024Q3") for entity in entities)
    return Policy(policy_id="P", title=Text("政策", "policy"), spells=spells)


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def write(home: Workspace, text: str) -> pathlib.Path:
    path = home.root / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_instruments_are_locked_and_hashed_with_the_plan(home: Workspace) -> None:
    bare = lock_plan(home, "bare", write(home, PLAN))
    named = lock_plan(home, "named", write(home, PLAN + 'instruments = ["w3", "Ｗ1", "W3"]\n'))
    assert (bare.instruments, named.instruments) == ((), ("W1", "W3"))
    assert "instruments" not in next(home.raw.rglob("bare.plan.json")).read_text("utf-8")
    with pytest.raises(Exception, match="QB454"):
        lock_plan(home, "bare", write(home, PLAN + 'instruments = ["W1"]\n'))


@pytest.mark.parametrize("given", [["W1", "W2", "W3"], ["W8"], "quality", [1]])
def test_more_than_two_or_unknown_ones_are_refused(home: Workspace, given: object) -> None:
    with pytest.raises(UsageError) as caught:
        read_instruments(given)
    assert caught.value.code == "QB456"
    assert "at most 2 of W1" in str(caught.value)


def test_a_plan_with_too_many_is_not_locked(home: Workspace) -> None:
    with pytest.raises(UsageError, match="QB456"):
        lock_plan(home, "many", write(home, PLAN + 'instruments = ["W1", "W2", "W3"]\n'))
    assert home.deliveries(every=True).empty


def test_doses_are_read_by_cluster_quarter_and_instrument(home: Workspace) -> None:
    rows = [
        {"cluster_id": "K1", "quarter": "2024Q2", "dose_w1": 0.0, "dose_w3": 0.0},
        {"cluster_id": "K1", "quarter": "2024Q3", "dose_w1": 0.8, "dose_w3": 0.0},
        {"cluster_id": "K2", "quarter": "2024Q3", "dose_w1": 0.5, "dose_w3": None},
    ]
    put(home, "instruments", rows)
    doses = read_doses(home, policy("K1"))
    told = {(e, str(p), i): v for e, p, i, v, _ in doses.itertuples(index=False)}
    assert told == {
        ("K1", "2024Q2", "W1"): 0.0, ("K1", "2024Q3", "W1"): 0.8, ("K2", "2024Q3", "W1"): 0.5,
        ("K1", "2024Q2", "W3"): 0.0, ("K1", "2024Q3", "W3"): 0.0,
    }  # fmt: skip
    assert set(doses["unit"]) == {"index"}


def test_no_table_or_no_dose_of_the_policy_is_said(home: Workspace) -> None:
    with pytest.raises(DataError, match="QB403"):
        read_doses(home, policy("K1"))
    put(home, "instruments", [{"cluster_id": "K2", "quarter": "2024Q3", "dose_w1": 0.5}])
    with pytest.raises(DataError) as caught:
        read_doses(home, policy("K1"))
    assert caught.value.code == "QB457"
