from __future__ import annotations

import dataclasses
import math
import pathlib

import numpy as np
import pytest

from qbase.core.errors import DataError, SetupError, UsageError
from qbase.intake import list_cases, load_case, read_case
from qbase.intake.cases import case_loading as case_data
from qbase.intake.cases.case_description import read_case_file
from qbase.intake.cases.case_tables import BUILDERS, build_castle_doctrine, build_prop99
from qbase.lake import Workspace


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def test_description_carries_the_published_answer() -> None:
    case = read_case("us_scrap_grants")
    assert [(p.term, p.event_time, p.value, p.std_error) for p in case.published] == [
        ("grant", 0, -0.252, 0.151),
        ("grant_1", 1, -0.422, 0.210),
    ]
    assert case.n_obs == 162
    assert len(case.labels) == len(case.event_times)
    assert case.outcome.better == "down"


def test_unknown_case() -> None:
    with pytest.raises(UsageError, match="QB301"):
        read_case("nothing")


def test_case_is_a_delivery_loaded_once(home: Workspace) -> None:
    report = load_case(home, "us_scrap_grants")
    assert (report.verdict, report.rows_seen, report.listed, report.accepted) == ("OK", 472, 1, 471)
    again = load_case(home, "us_scrap_grants")
    assert again.already
    assert len(home.deliveries()) == 1
    source = home.source("case_us_scrap_grants")
    assert source.sha256 == report.sha256
    assert "Holzer" in source.producer
    counts = home.query(
        "SELECT first_grant_year AS y, count(DISTINCT firm_id) AS n FROM case_us_scrap_grants GROUP BY 1 ORDER BY 1"
    )
    assert counts["n"].tolist() == [36, 30, 91]


def test_award_is_the_year_of_the_grant_and_adoption_absorbs(home: Workspace) -> None:
    load_case(home, "us_scrap_grants")
    rows = home.query("SELECT * FROM case_us_scrap_grants WHERE first_grant_year = 1988 ORDER BY firm_id, year")
    assert rows["has_grant_award"].tolist() == [False, True, False] * 36
    assert set(rows["first_grant_year"]) == {1988}


def test_published_estimates_follow_from_the_table(home: Workspace) -> None:
    """Firm and year effects by least squares; Wooldridge, Example 14.1: -0.252 and -0.422, n = 162."""
    load_case(home, "us_scrap_grants")
    data = home.query("SELECT * FROM case_us_scrap_grants WHERE log_scrap IS NOT NULL")
    since = data["year"] - data["first_grant_year"]
    columns = [(since == 0).fillna(False), (since == 1).fillna(False)]
    columns += [data["year"] == year for year in (1988, 1989)]
    columns += [data["firm_id"] == firm for firm in sorted(set(data["firm_id"]))]
    design = np.column_stack([column.to_numpy(dtype=float) for column in columns])
    slope = np.linalg.lstsq(design, data["log_scrap"].to_numpy(dtype=float), rcond=None)[0]
    assert len(data) == 162
    assert slope[:2].round(3).tolist() == [-0.252, -0.422]


def test_another_version_of_the_data_is_refused(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    original = case_data.read_case
    monkeypatch.setattr(case_data, "read_case", lambda name: dataclasses.replace(original(name), n_obs=161))
    with pytest.raises(DataError, match="QB305"):
        load_case(home, "us_scrap_grants")
    assert home.tables() == []


def test_a_missing_package_is_named(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_data.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SetupError, match="QB304"):
        load_case(home, "us_scrap_grants")


@pytest.mark.parametrize("name", ["us_prop99", "us_castle_doctrine"])
def test_a_case_of_the_extra_names_the_extra(home: Workspace, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(case_data.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SetupError, match="QB304") as caught:
        load_case(home, name)
    assert caught.value.fix == "pip install qbase[cases]"
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("name", list_cases())
def test_every_case_has_its_parts(name: str) -> None:
    case = read_case(name)
    assert case.name == name
    assert name in BUILDERS
    assert len(case.labels) == len(case.event_times)
    assert case.published
    for number in case.published:
        assert round(number.value, number.digits) == number.value
        assert (number.event_time is None) == (number.event_time not in case.event_times)


def test_the_start_is_the_first_treated_year_or_the_year_before_the_first_whole_one() -> None:
    prop, castle = read_case("us_prop99"), read_case("us_castle_doctrine")
    rows = [
        {"State": s, "Year": str(y), "PacksPerCapita": "90.5", "treated": str(int(s == "CA" and y >= 1989))}
        for s in ("CA", "UT")
        for y in range(1987, 1991)
    ]
    data = {**read_case_file("us_prop99")["data"], "rows": 8, "treated": 1}
    table = build_prop99(rows, prop, data).to_pandas()
    assert table.groupby("state")["first_treated_year"].first().to_dict()["CA"] == 1989
    assert table.query("state == 'UT'")["first_treated_year"].isna().all()
    rows = [
        {"sid": s, "year": str(y), "homicide": "5.0", "l_homicide": repr(math.log(5)), "post": str(int(y >= 2006))}
        for s in ("1", "2")
        for y in range(2004, 2008)
    ]
    data = {**read_case_file("us_castle_doctrine")["data"], "rows": 8, "treated": 2}
    assert set(build_castle_doctrine(rows, castle, data).to_pandas()["first_law_year"]) == {2005}
    with pytest.raises(DataError, match=r"QB305.*castle"):
        build_castle_doctrine(rows[:-1], castle, data)
    rows[3]["l_homicide"] = "1.0"
    with pytest.raises(DataError, match="QB305"):
        build_castle_doctrine(rows, castle, data)
