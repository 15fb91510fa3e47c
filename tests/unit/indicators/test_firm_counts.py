"""Batches by firm: summed over firms they are the counts of the panel, however it is built."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import UsageError
from qbase.indicators import Design, build_panel, read_firm_counts
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import directed_sample, draw, firms, frame, put


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two clusters; a firm of several batches, a maker outside the register, one without a name, and a re-check."""
    home = Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home")))
    put(home, "firms", firms("K1", "K2"))
    put(home, "frame", frame("K1", "K2"))
    rows = [*directed_sample("K1"), *directed_sample("K2")]
    rows += [draw("K1", 3, 2, passed=i > 0, kind="random") for i in range(4)]
    rows.append({**draw("K1", 3, 2, passed=False, kind="random"), "is_recheck": True})
    stranger = {"uscc": None, "firm_name": "外来厂", "town_code": "TK1"}
    rows += [{**draw("K1", 0, 2, passed=i > 0, kind="risk"), **stranger} for i in range(2)]
    rows.append({**draw("K1", 0, 2, passed=False, kind="risk"), **stranger, "firm_name": None})
    put(home, "inspections", rows)
    return home


@pytest.mark.parametrize("entity", ["cluster_id", "town_code"])
@pytest.mark.parametrize("freq", ["Q", "A"])
@pytest.mark.parametrize("sampling", ["naive", "random_draw", "post_stratified"])
@pytest.mark.parametrize("outcome", ["D1.batch", "D1.firm"])
def test_they_add_up_exactly_to_the_panel(workspace, entity, freq, sampling, outcome) -> None:
    words = {"entity": entity, "freq": freq, "sampling": sampling}
    panel = build_panel(workspace, outcome, design=Design(), **words)
    found = read_firm_counts(workspace, outcome, **words)
    assert found is not None
    sums = found.cells()
    assert sums.index.equals(panel.counts(outcome).index)
    assert (sums[["k", "n"]].to_numpy() == panel.counts(outcome)[["k", "n"]].to_numpy()).all()
    firms_in = found.data.groupby(["entity", "period"]).size()
    assert (firms_in.to_numpy() == panel.data[f"{outcome}__n_firms"].to_numpy()).all()


def test_a_firm_is_one_row_and_a_window_is_that_of_the_panel(workspace) -> None:
    found = read_firm_counts(workspace, entity="town_code", first="2024Q1", last="2024Q1")
    assert found is not None
    rows = found.of("TK1")
    assert rows.loc[rows["firm"] == "K1F03", ["n", "k"]].to_numpy().tolist() == [[4, 3]]
    assert rows.loc[rows["firm"] == "外来厂", ["n", "k"]].to_numpy().tolist() == [[2, 1]]
    assert rows.loc[rows["firm"] == "", ["n", "k"]].to_numpy().tolist() == [[1, 0]]
    assert [str(p) for p in found.data["period"].unique()] == ["2024Q1"]


def test_what_is_not_made_of_batches_of_firms_has_none(workspace) -> None:
    assert read_firm_counts(workspace, "D1.finding") is None
    assert read_firm_counts(workspace, entity="firm_id") is None


def test_unknown_words_are_refused(workspace) -> None:
    for words, code in (({"sampling": "weighted"}, "QB402"), ({"entity": "city"}, "QB402"), ({"freq": "M"}, "QB402")):
        with pytest.raises(UsageError, match=code):
            read_firm_counts(workspace, **words)
    with pytest.raises(UsageError, match="QB401"):
        read_firm_counts(workspace, "D9.batch")
