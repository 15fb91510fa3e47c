"""The parts of a change as bars: words, table and refusals."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

import qbase as qb
from qbase.core import Indicator, Text
from qbase.core.errors import DataError
from qbase.core.results.result import Result
from qbase.figures import plot_decomposition
from qbase.indicators import build_group_counts
from qbase.trends import decompose_mix, estimate_change

RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")


def decomposed(by: tuple[str, ...] = ("size", "risk")) -> Result:
    rows = {
        "entity": "A", "period": ["2023Q4"] * 3 + ["2024Q4"] * 3, "size": ["large", "small", "small"] * 2,
        "risk": ["A", "B", "C"] * 2, "n": [200, 60, 40, 100, 200, 100], "k": [190, 50, 30, 95, 164, 80],
    }  # fmt: skip
    names = {"size": Text("规模", "size"), "risk": Text("风险等级", "risk class")}
    return decompose_mix(
        build_group_counts(pd.DataFrame(rows), indicator=RATE, by=("size", "risk"), names=names), by=by
    )


def test_plot_shows_every_part_in_both_languages_and_widths() -> None:
    result = decomposed()
    figure = qb.plot(result)
    assert figure.name == "decomposition:y"
    assert set(figure.drawings) == {"zh_wide", "zh_narrow", "en_wide", "en_narrow"}
    for lang, words in (
        ("zh", ("抽查对象的构成", "规模", "风险等级", "同类之内")),
        ("en", ("Who was inspected", "Size", "Risk class")),
    ):
        for width in ("wide", "narrow"):
            assert all(f">{w}<" in figure.drawings[f"{lang}_{width}"] for w in words)
    assert "Change −" in figure.alt.en
    assert f"{result['within'].value:+.1f}".replace("-", "−") in figure.drawings["en_wide"]
    assert plot_decomposition(result).drawings == figure.drawings


def test_the_title_says_no_more_than_the_intervals() -> None:
    found = decomposed()
    assert "−" in plot_decomposition(found).title.en, "a composition that leaves out zero is said"
    wide = tuple(dataclasses.replace(e, ci_low=-90.0, ci_high=90.0) for e in found.estimates)
    unclear = plot_decomposition(dataclasses.replace(found, estimates=wide)).title
    assert (unclear.zh, unclear.en) == ("合格率：升降与构成都看不出", "Pass rate: neither change nor mix can be told")


def test_the_table_sums_each_factor_alone_under_the_whole() -> None:
    table = plot_decomposition(decomposed()).table
    assert [str(getattr(row[0], "en", row[0])) for row in table.rows] == [
        "All", "By size", "large", "small", "By risk class", "A", "B", "C"
    ]  # fmt: skip
    assert table.rows[0][1] == "300 → 400"
    assert len(table.data["factor"]) == 5


def test_one_factor_needs_no_row_of_its_own_and_others_are_no_decomposition() -> None:
    drawing = plot_decomposition(decomposed(("size",))).drawings["en_wide"]
    assert ">By size<" in drawing
    assert ">Size<" not in drawing
    result = decomposed()
    change = estimate_change(
        build_group_counts(
            pd.DataFrame({"entity": "A", "period": ["2023Q4", "2024Q4"], "size": "s", "n": 50, "k": [40, 45]}),
            indicator=RATE, by=("size",),
        ).panel, "y",
    )  # fmt: skip
    with pytest.raises(DataError, match="QB711"):
        plot_decomposition(change)
    assert result.method == "kitagawa"
