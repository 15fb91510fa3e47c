"""Weights of before the policy: who was on the list then, and what they made."""

from __future__ import annotations

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.indicators import read_baseline_weights
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import fill, put


def starting(period: str) -> Policy:
    return Policy(policy_id="P", title=Text("政策", "policy"), spells=(Spell(entity="K1", start=period),))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = fill(Workspace.create(tmp_path_factory.mktemp("weights")), "K1", "K2")
    rows = [{"firm_id": f"K1F{i:02d}", "year": 2023, "output_wan_cny": 10.0 + i} for i in range(2)]
    put(home, "firm_year", rows)
    return home


def test_clusters_weigh_by_the_firms_on_the_list_of_the_quarter_before(lake: Workspace):
    found = read_baseline_weights(lake, starting("2024Q3"))
    assert dict(found) == {"K1": 20.0, "K2": 20.0}
    assert found.name == "firms 2024Q2"


def test_by_years_the_last_quarter_of_the_year_before_is_the_baseline(lake: Workspace):
    assert read_baseline_weights(lake, starting("2025")).name == "firms 2024Q4"


def test_output_is_that_of_the_last_full_year(lake: Workspace):
    found = read_baseline_weights(lake, starting("2024Q3"), by="output")
    names = lake.query("SELECT firm_id FROM firms ORDER BY firm_id")["firm_id"]
    known = {f"K1F{i:02d}" for i in range(2)} & set(names)
    assert found.name == "output 2023"
    assert dict(found) == {"K1": sum(10.0 + int(name[-1]) for name in known)}


def test_before_the_list_begins_there_is_nothing_to_weigh_by(lake: Workspace):
    with pytest.raises(DataError) as caught:
        read_baseline_weights(lake, starting("2001Q1"))
    assert caught.value.code == "QB455"


def test_words_that_are_none_are_refused(lake: Workspace):
    with pytest.raises(UsageError):
        read_baseline_weights(lake, starting("2024Q3"), by="batches")
