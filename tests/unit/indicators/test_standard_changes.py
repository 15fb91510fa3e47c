"""When a new edition of a standard came into use, read from the inspections."""

from __future__ import annotations

import pathlib
from typing import Any

import pandas as pd
import pytest

from qbase.indicators.policies.standard_changes import EDITION, _changes, _merge, list_standard_changes
from qbase.lake import Workspace


def rows(*given: tuple[str, str, int, str, str, int]) -> pd.DataFrame:
    columns = ["product_name", "base", "year", "quarter", "entity", "n"]
    frame = pd.DataFrame(given, columns=columns)
    return frame.assign(quarter=pd.PeriodIndex(frame["quarter"], freq="Q").to_timestamp())


@pytest.mark.parametrize("written", ["GB/T 8960—2015", "GB/T 8960-2015", " GB/T 8960 – 2015 ", "GB/T 8960——2015"])
def test_an_edition_is_the_year_after_the_dash(written: str) -> None:
    found = EDITION.fullmatch(written)
    assert found is not None
    assert (found["base"], found["year"]) == ("GB/T 8960", "2015")


class NoStandard(Workspace):
    """A lake in which no inspection names a standard."""

    def has_table(self, table: str, at: Any = None) -> bool:
        return table == "inspections"

    def query(self, statement: str, **how: Any) -> pd.DataFrame:
        return pd.DataFrame(columns=["product_name", "std_no", "quarter", "entity", "n"])


def test_where_no_inspection_names_a_standard_there_is_no_change(tmp_path: pathlib.Path) -> None:
    assert list_standard_changes(NoStandard(Workspace.create(tmp_path).root)) == ()


def test_a_number_without_edition_is_none() -> None:
    assert EDITION.fullmatch("GB/T 8960") is None


def test_a_change_is_dated_to_the_quarter_from_which_the_new_edition_judges_most() -> None:
    found = _merge(_changes(rows(
        ("yarn", "A", 2014, "2020Q3", "K1", 20), ("yarn", "A", 2014, "2020Q4", "K1", 18),
        ("yarn", "A", 2020, "2020Q4", "K1", 2), ("yarn", "A", 2014, "2021Q1", "K2", 3),
        ("yarn", "A", 2020, "2021Q1", "K1", 17), ("yarn", "A", 2020, "2021Q2", "K1", 20),
        ("cloth", "A", 2014, "2020Q4", "K3", 9), ("cloth", "A", 2020, "2021Q1", "K3", 9),
        ("wire", "B", 2014, "2020Q4", "K4", 50), ("wire", "B", 2019, "2020Q4", "K4", 3),
    )))  # fmt: skip
    (event,) = found
    assert (str(event.period), event.kind, event.entities) == ("2021Q1", "standard", ("K1", "K2", "K3"))
    assert event.title.en == "A: edition 2020 in place of 2014"


def test_a_return_to_the_old_edition_is_no_change_yet_and_several_editions_are_several() -> None:
    quarters = ["2019Q1", "2019Q2", "2019Q3", "2019Q4", "2020Q1", "2020Q2"]
    years = [2010, 2015, 2010, 2015, 2015, 2019]
    found = _merge(_changes(rows(*(("p", "A", y, q, "K1", 10) for q, y in zip(quarters, years, strict=True)))))
    assert [(str(e.period), e.title.en) for e in found] == [
        ("2019Q4", "A: edition 2015 in place of 2010"),
        ("2020Q2", "A: edition 2019 in place of 2015"),
    ]
