"""The lines of the policy text drawn: every state has a mark of its own, and words."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable

import pandas as pd
import pytest

from qbase.core import Figure, Result, Text
from qbase.core.errors import DataError
from qbase.figures import plot_clauses, tabulate_clauses
from qbase.figures.comparing.clause_drawing import MARKS
from qbase.figures.comparing.clause_figure import WORDS
from qbase.figures.tabulating.clause_table import STATES
from qbase.lake import Workspace
from qbase.scorecards import judge_clauses, read_preset, score_gates
from qbase.scorecards.bases import clause_states
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES
from tests.unit.scorecards.gate_makers import make_data, make_quarters


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Judged in a lake without a single table: nothing is measured but what the card brings."""
    made = make_data(make_quarters([[0.99] * 8, [0.7] * 8], n=40), {"K1": "a", "K2": "a"})
    lists = {("N3", "firms"): pd.DataFrame({"listed": 5, "verified": [5, 5], "failed": [0, 2]}, index=["K1", "K2"])}
    card = score_gates(dataclasses.replace(made, lists=lists), read_preset("policy_text"), clusters=["K1"])[0]
    return judge_clauses(Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home"))), card)


@pytest.fixture(scope="module")
def mixed(empty: Result) -> Result:
    """The same lines with every state among them, and the longest names of a cluster."""
    table = empty.tables["clauses"].copy()
    states = [s for s in clause_states.STATES if s != "stated"]
    table["state"] = [states[i % len(states)] for i in range(len(table))]
    long = Text("恒渚镇塑料板管型材产业集群", "Hengzhu plastic sheet, pipe and profile cluster")
    return dataclasses.replace(empty, tables={**empty.tables, "clauses": table}, subject=long)


@pytest.fixture(scope="module")
def drawn(empty: Result, mixed: Result) -> dict[str, Figure]:
    return {"empty": plot_clauses(empty), "mixed": plot_clauses(mixed)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", ["empty", "mixed"])
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


def test_every_state_has_a_mark_words_and_a_key() -> None:
    assert set(MARKS) == set(WORDS) == set(STATES) == set(clause_states.STATES)
    assert len({mark for mark, _, _ in MARKS.values()}) == len(MARKS)
    for state, (mark, _, _) in MARKS.items():
        # the table below the drawing uses the same marks
        assert STATES[state].zh.startswith(mark), state
        assert STATES[state].en.startswith(mark), state


@pytest.mark.parametrize("name", ["empty", "mixed"])
def test_every_line_is_drawn_once_with_its_mark(
    drawn: dict[str, Figure], name: str, request: pytest.FixtureRequest
) -> None:
    result: Result = request.getfixturevalue(name)
    both = pd.concat([result.tables["clauses"], result.tables["beside"]])
    for key, svg in drawn[name].drawings.items():
        texts = collections.Counter(every.texts_of(svg))
        assert all(texts[code] == 1 for code in both["row"]), key
        for state, (mark, _, _) in MARKS.items():
            n = int((both["state"] == state).sum())
            # one more stands in the key
            assert texts[mark] == (n + 1 if n or state in {"met", "missing"} else 0), (key, state)


def test_title_and_alternative_text_say_the_counts(drawn: dict[str, Figure], empty: Result) -> None:
    tally = empty.tables["clauses"]["state"].value_counts()
    met, missed = int(tally.get("met", 0)), int(tally.get("not_met", 0))
    assert met + missed > 0
    assert drawn["empty"].title.en == (
        f"{met} of 86 policy lines are met, {missed} are not, {86 - met - missed} have no verdict"
    )
    assert f"no data: {int(tally['missing']) + 4}" in drawn["empty"].alt.en
    assert "N3" in drawn["empty"].alt.en.split("no data")[0]


def test_the_table_holds_every_line_and_what_is_stated(empty: Result) -> None:
    table = tabulate_clauses(empty)
    assert len(table.rows) == 86 + len(empty.tables["beside"])
    last = {row[0]: row[-1] for row in table.rows}
    assert "2 to 3" in last["Z5"].en
    assert "surveys" in last["Z2"].zh
    assert len(table.data["state"]) == len(table.rows)


def test_another_result_is_refused(empty: Result) -> None:
    for tables in ({}, {"clauses": empty.tables["clauses"]}):
        with pytest.raises(DataError) as caught:
            plot_clauses(dataclasses.replace(empty, tables=tables))
        assert caught.value.code == "QB615"
