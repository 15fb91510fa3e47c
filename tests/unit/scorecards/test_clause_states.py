"""Every line and every sentence of the policy text has one state."""

from __future__ import annotations

import dataclasses
import pathlib

import pandas as pd
import pytest

from qbase.core.results.result import Result, Scorecard
from qbase.indicators import read_catalogue, read_clauses, read_rows
from qbase.lake import Workspace
from qbase.scorecards import judge_clauses, read_gates, score_gates
from qbase.scorecards.bases.beside_lines import read_beside
from qbase.scorecards.bases.clause_states import PARTS, STATES, sentence_state
from tests.unit.indicators.sampled_lake import directed_sample, firms, frame, put

CLUSTERS = [
    {"cluster_id": k, "town_code": "990021101", "industry_code": "2822", "cluster_name": n}
    for k, n in {"K1": "甲镇涤纶产业集群", "K2": "乙镇涤纶产业集群"}.items()
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A lake that holds inspections, firms and a frame, and nothing else of what the policy asks for."""
    found = Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home")))
    put(found, "clusters", CLUSTERS)
    put(found, "firms", firms("K1", "K2"))
    put(found, "frame", frame("K1", "K2"))
    put(found, "inspections", [*directed_sample("K1"), *directed_sample("K2")])
    return found


@pytest.fixture(scope="module")
def card(home: Workspace) -> Scorecard:
    return score_gates(read_gates(home, "base_2026"), "base_2026", clusters=["K1"])[0]


@pytest.fixture(scope="module")
def judged(home: Workspace, card: Scorecard) -> Result:
    return judge_clauses(home, card)


def test_every_line_appears_exactly_once_with_a_state(judged: Result) -> None:
    lines = judged.tables["clauses"]
    assert list(lines["row"]) == list(read_rows())
    assert len(lines) == lines["row"].nunique() == 86
    assert set(lines["state"]) <= set(STATES) - {"stated"}
    assert set(lines["part_zh"]) == {text.zh for part, text in PARTS.items() if part != "Z"}


def test_every_sentence_of_the_text_appears_exactly_once_with_a_state(judged: Result) -> None:
    told = judged.tables["sentences"]
    assert list(told["clause"]) == list(read_clauses())
    assert list(told["quotation"]) == [c.quotation for c in read_clauses().values()]
    assert set(told["state"]) <= set(STATES)
    # and no line is lost on the way to its sentences
    placed = {line for cell in told["lines"] for line in cell.split(", ")}
    assert placed == {*read_rows(), *(line.id for line in read_beside())}


def test_the_state_of_a_sentence_is_that_of_its_lines(judged: Result) -> None:
    both = pd.concat([judged.tables["clauses"], judged.tables["beside"]]).set_index("row")["state"]
    for row in judged.tables["sentences"].itertuples():
        own = [both[line] for line in row.lines.split(", ")]
        assert row.state == sentence_state(own), row.clause
        assert (row.state == "not_met") == ("not_met" in own), row.clause


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["met", "not_met", "missing"], "not_met"),
        (["met", "cannot_tell"], "cannot_tell"),
        (["met", "met"], "met"),
        (["met", "measured"], "measured"),
        (["result", "missing"], "measured"),
        (["missing", "stated"], "missing"),
        (["result"], "result"),
        (["stated"], "stated"),
    ],
)
def test_a_sentence_is_never_better_than_its_lines(states: list[str], expected: str) -> None:
    assert sentence_state(states) == expected


def test_what_lacks_data_says_which_table(judged: Result) -> None:
    lines = judged.tables["clauses"].set_index("row")
    assert lines.loc["N3", "state"] == "missing"
    assert "firm_checks" in lines.loc["N3", "lacking_en"]
    both = pd.concat([judged.tables["clauses"], judged.tables["beside"]])
    without = both[both["state"] == "missing"]
    assert len(without) > 20
    assert (without["lacking_zh"] != "").all()
    assert (without["lacking_en"] != "").all()
    assert (without["indicators"] == "").all()


def test_what_is_measured_names_its_indicators(judged: Result) -> None:
    both = pd.concat([judged.tables["clauses"], judged.tables["beside"]])
    told = both[~both["state"].isin(["missing", "stated"])]
    assert (told["indicators"] != "").all()
    for cell, ready in zip(told["indicators"], told["ready"], strict=True):
        assert len(cell.split(", ")) == ready
        assert set(cell.split(", ")) <= set(read_catalogue())


def test_judged_lines_have_the_verdict_of_the_card(judged: Result, card: Scorecard) -> None:
    lines = judged.tables["clauses"].set_index("row")["state"]
    assert {c.gate for c in card.criteria} == {i for i, s in lines.items() if s in {"met", "not_met", "cannot_tell"}}
    for criterion in card.criteria:
        assert lines[criterion.gate] == criterion.verdict


def test_bases_and_designations_are_results(home: Workspace, card: Scorecard, judged: Result) -> None:
    lines = judged.tables["clauses"].set_index("row")["state"]
    # neither can be counted here: without data a result lacks data like any other line
    assert set(lines[["L1", "L15"]]) <= {"result", "missing"}
    granted = {"cluster_id": "K1", "title": "demonstration_zone", "level": "province"}
    put(home, "designations", [{**granted, "grant_date": "2024-05-01"}])
    assert judge_clauses(home, card).tables["clauses"].set_index("row").loc["L15", "state"] == "result"


def test_what_the_text_says_beside_the_lines_stands_in_its_words(judged: Result) -> None:
    clauses = read_clauses()
    for line in read_beside():
        assert line.words in "".join(clauses[c].quotation for c in line.clauses), line.id
        assert bool(line.said.zh) != bool(line.lacking.zh), line.id
        assert set(line.measures) <= set(read_catalogue()), line.id
    told = " ".join(note.en for note in judged.notes)
    assert all(words in told for words in ("a batch", "reform of 2018", "series are closed"))


def test_verdicts_of_another_preset_change_the_states(home: Workspace, card: Scorecard) -> None:
    other = dataclasses.replace(card, criteria=())
    assert not set(judge_clauses(home, other).tables["clauses"]["state"]) & {"met", "not_met", "cannot_tell"}
