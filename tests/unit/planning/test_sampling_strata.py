"""Strata of a lake: firms on the newest list, random draws of the last years, nothing else."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import DataError
from qbase.lake import Workspace
from qbase.planning import read_listed_firms, read_strata
from tests.unit.indicators.sampled_lake import directed_sample, fill, firms, frame, put


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two clusters of ten firms of class A and ten of D; the first has twelve of D on its newest list."""
    found = Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home")))
    put(found, "firms", firms("K1", "K2"))
    rows = frame("K1", "K2")
    for row in rows:
        if (row["cluster_id"], row["quarter"], row["risk_class"]) == ("K1", "2024Q4", "D"):
            row["n_firms"] = 12
    put(found, "frame", rows)
    put(found, "inspections", [*directed_sample("K1"), *directed_sample("K2")])
    return found


def test_the_newest_list_counts_and_an_earlier_day_has_its_own(home: Workspace) -> None:
    assert read_listed_firms(home) == {"K1": 22, "K2": 20}
    assert read_listed_firms(home, last="2024Q3") == {"K1": 20, "K2": 20}
    assert read_listed_firms(home, last="2023Q4") == {}


def test_a_list_delivered_twice_counts_once(tmp_path: pathlib.Path) -> None:
    twice = fill(Workspace.create(tmp_path), "K1")
    put(twice, "frame", frame("K1"), part="again")
    assert read_listed_firms(twice) == {"K1": 20}


def test_only_random_draws_teach_the_rates(home: Workspace) -> None:
    """A quarter holds 2 random draws of A, which pass, and 2 of D, which fail; the 8 directed ones are left out."""
    strata = read_strata(home)
    own = strata.data[strata.data["entity"] == "K1"].set_index("stratum")
    assert own["n_firms"].to_dict() == {"A-small": 10, "D-small": 12}
    assert own[["n_tested", "n_passed"]].to_dict("index") == {
        "A-small": {"n_tested": 8, "n_passed": 8},
        "D-small": {"n_tested": 8, "n_passed": 0},
    }
    assert strata.firms_of("K1") == 22


def test_without_a_list_there_is_nothing_to_draw_from(tmp_path: pathlib.Path) -> None:
    bare = Workspace.create(tmp_path)
    put(bare, "firms", firms("K1"))
    put(bare, "inspections", directed_sample("K1"))
    assert read_listed_firms(bare) == {}
    with pytest.raises(DataError, match="QB403"):
        read_strata(bare)
