"""Ranks of an index, by the rules of every drawing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from qbase.core import DataError, Figure, Result
from qbase.explore import plot
from qbase.figures import plot_dose_ledger, plot_index_ranks, tabulate_index_parts, tabulate_index_steps
from qbase.figures.comparing.index_figure import share_text
from qbase.scorecards import build_dose_ledger, build_index, estimate_rank_robustness
from tests.unit.figures.drawing_rules import RULES
from tests.unit.scorecards.index_cases import design_of, frame_of, panel_of
from tests.unit.scorecards.test_dose_ledger import ROWS, rows_of, with_kind
from tests.unit.scorecards.test_dose_ledger import panel_of as quarters


def drawn_of(n: int, worlds: int = 100) -> Figure:
    return plot_index_ranks(estimate_rank_robustness(build_index(panel_of(frame_of(n)), design_of()), worlds=worlds))


def ledger_of(entity: str | None) -> Result:
    return build_dose_ledger(with_kind(quarters()), ROWS, "rate", entity=entity)


CASES: dict[str, Callable[[], Figure]] = {
    "ledger": lambda: plot_dose_ledger(ledger_of("A")),
    "ledger_all": lambda: plot_dose_ledger(ledger_of(None)),
    "index": lambda: drawn_of(12),
    "index_two": lambda: drawn_of(2),
    "index_many": lambda: drawn_of(62),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make() for name, make in CASES.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", CASES)
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


def test_the_same_index_gives_the_same_bytes(drawn: dict[str, Figure]) -> None:
    assert CASES["index"]().payload() == drawn["index"].payload()


def test_the_title_says_no_more_than_the_sentence() -> None:
    result = estimate_rank_robustness(build_index(panel_of(frame_of(12)), design_of()), worlds=200)
    figure, said = plot_index_ranks(result), result.say().items[0]
    top = result.tables["ranks"].sort_values("share_first").iloc[-1]
    share = f"{top['share_first']:.0f}%"
    assert f"{top['name_zh']}居首的占 {share}" in figure.title.zh
    assert f"{top['name_en']} is first in {share}" in figure.title.en
    assert share in said.zh
    assert share in said.en
    assert "4 项指标，200 种" in figure.subtitle.zh


def test_where_no_two_are_told_apart_the_title_says_so() -> None:
    result = estimate_rank_robustness(build_index(panel_of(frame_of(4)), design_of()), worlds=100)
    ranks = result.tables["ranks"].assign(low=1, high=4)
    alike = dataclasses.replace(result, tables=dict(result.tables) | {"ranks": ranks})
    assert plot_index_ranks(alike).title.en == "No two of 4 entities can be put in order"


def test_alternative_text_and_table_hold_every_row_and_the_rest_is_in_the_data(drawn: dict[str, Figure]) -> None:
    figure = drawn["index"]
    for row in figure.table.rows:
        assert row[0].zh in figure.alt.zh
        assert f"first in {row[5]}" in figure.alt.en
    many = drawn["index_many"]
    assert len(many.table.rows) == 60
    assert len(many.table.data["entity"]) == 62
    assert "60" in many.note.zh


def test_a_share_is_never_rounded_to_certainty() -> None:
    assert [share_text(x) for x in (0, 0.02, 0.99, 1.2, 98.9, 99.98, 100)] == [
        "0%", "< 1%", "< 1%", "1%", "99%", "> 99%", "100%",
    ]  # fmt: skip


def test_the_everyday_plot_finds_the_right_figure(drawn: dict[str, Figure]) -> None:
    assert plot(ledger_of("A")).name == drawn["ledger"].name
    index = build_index(panel_of(frame_of(4)), design_of())
    assert plot(estimate_rank_robustness(index, worlds=100)).name == drawn["index"].name


def test_another_result_is_refused() -> None:
    result = estimate_rank_robustness(build_index(panel_of(frame_of(4)), design_of()), worlds=100)
    with pytest.raises(DataError) as refused:
        plot_index_ranks(dataclasses.replace(result, tables={}))
    assert refused.value.code == "QB539"


def test_what_an_entity_gets_from_each_indicator_adds_up_and_stands_beside_all_weights() -> None:
    index = build_index(panel_of(frame_of(6)), design_of())
    result = estimate_rank_robustness(index, worlds=100)
    table = tabulate_index_parts(result, entity="K002")
    assert [c.label.en for c in table.columns] == ["Indicator", "Equal", "Declared", "Entropy", "Score", "Adds"]
    added = sum(table.data["contribution"])
    assert added == pytest.approx(index.scores.set_index("entity").loc["K002", "index"])
    assert sum(table.data["entropy"]) == pytest.approx(1)
    assert table.rows[0][0].zh == "合格率"
    assert len(tabulate_index_parts(result).columns) == 4
    assert len(tabulate_index_steps(result).rows) == 6
    with pytest.raises(DataError):
        tabulate_index_parts(result, entity="K999")
    with pytest.raises(DataError):
        tabulate_index_steps(dataclasses.replace(result, tables={}))


def test_a_ledger_claims_no_effect_and_tells_every_dose(drawn: dict[str, Figure]) -> None:
    figure = drawn["ledger"]
    assert figure.title.en == "1 of 7 instruments used, 2 of 5 safeguards in place"
    assert "不说明效果" in figure.note.zh
    assert "nothing of an effect" in figure.note.en
    assert "agglomeration (W1) 3.00" in figure.alt.en
    assert figure.table.rows[1][3:] == ("1/1", "0%", "1/2")
    assert figure.table.rows[3][3] == "–"  # nothing on record is not 0
    assert "n = 80" in figure.subtitle.en
    empty = build_dose_ledger(with_kind(quarters()), rows_of(W1=[float("nan")] * 8), "rate", entity="A")
    with pytest.raises(DataError) as refused:
        plot_dose_ledger(empty)
    assert refused.value.code == "QB539"
