"""What a notebook may hand to `build_panel` by mistake: four lines, never a traceback or a column of nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.demo import build_province
from qbase.demo.sending.tidy_files import write_tidy
from qbase.indicators import build_panel
from qbase.intake import load_files
from qbase.lake import Workspace


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("calls")
    workspace = Workspace.create(home / "home")
    tables = build_province("small").tables
    read = ("inspections", "firms", "clusters", "towns", "designations")
    load_files(workspace, write_tidy(home / "deliveries", {name: tables[name] for name in read}))
    return workspace


def test_an_indicator_without_a_value_is_named_though_others_have_some(lake: Workspace) -> None:
    with pytest.raises(DataError, match="QB421") as caught:
        build_panel(lake, ["D1.batch", "L15.score"], last="2017Q4")
    told = str(caught.value)
    assert "L15.score" in told
    assert "designations.score" in told
    assert "leave out L15.score" in told
    assert "D1.batch" not in told


@pytest.mark.parametrize("given", [None, 5, [], ["D1.batch", 5], [None]])
def test_what_is_no_id_is_refused(lake: Workspace, given: object) -> None:
    with pytest.raises(UsageError, match="QB407") as caught:
        build_panel(lake, given)  # type: ignore[arg-type]
    assert repr(given) in str(caught.value)


def test_ids_may_come_from_anything_that_lists_them(lake: Workspace) -> None:
    ids = ["D1.batch", "D1.firm"]
    for given in (tuple(ids), iter(ids), dict.fromkeys(ids), pd.Index(ids)):
        assert list(build_panel(lake, given, first="2024Q1").indicators) == ids  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [2020, "2020", pd.Period("2020", freq="Y-DEC")])
def test_a_year_may_be_a_number(lake: Workspace, first: object) -> None:
    panel = build_panel(lake, "D1.batch", freq="A", first=first, last=2021)  # type: ignore[arg-type]
    assert {str(p) for p in panel.data.index.get_level_values("period")} == {"2020", "2021"}


@pytest.mark.parametrize(
    ("freq", "last"),
    [
        ("Q", 2020),
        ("Q", pd.Timestamp("2020-03-31")),
        ("A", pd.Timestamp("2020-03-31")),
        ("A", pd.Period("2020Q3", freq="Q-DEC")),
        ("Q", pd.Period("2020-03", freq="M")),
        ("Q", float("nan")),
        ("A", True),
    ],
)
def test_what_is_no_period_of_the_frequency_is_refused(lake: Workspace, freq: str, last: object) -> None:
    with pytest.raises(UsageError, match="QB101"):
        build_panel(lake, "D1.batch", freq=freq, last=last)  # type: ignore[arg-type]
