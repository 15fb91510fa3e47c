"""Real files with known answers, as they were published."""

from __future__ import annotations

import csv
import pathlib
import re
import shutil

import pytest

from qbase.core.errors import QbaseError
from qbase.indicators import build_panel
from qbase.intake import load_files
from qbase.lake import Workspace

pytestmark = pytest.mark.shared
# class -> establishments and per cent broadly compliant, England 2018-19, from the README of the data
ENGLAND = {"a": (1605, 13.8), "b": (18889, 58.7), "c": (91359, 89.4), "d": (178866, 98.0), "e": (177543, 99.8)}
POPULATION_RATE = {"2016-17": 94.52, "2017-18": 94.89, "2018-19": 95.15}


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def returns(folder: pathlib.Path, year: str = "*") -> list[pathlib.Path]:
    return sorted((folder / "uk_fsa_laems").glob(f"{year}-enforcement-data-food-hygiene.csv"))


@pytest.fixture(scope="module")
def british(tmp_path_factory: pytest.TempPathFactory, shared_data: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path_factory.mktemp("uk") / "home")
    reports = load_files(home, returns(shared_data), recipe="uk_fsa_laems")
    assert [(r.verdict, r.accepted, r.quarantined) for r in reports] == [
        ("WARN", 388, 0), ("WARN", 356, 0), ("WARN", 355, 0),
    ]  # fmt: skip
    return home


def test_three_years_of_british_returns_have_their_known_rates(british: Workspace) -> None:
    for year, rate in POPULATION_RATE.items():
        sums = ", ".join(
            f"sum({c}_rated_count)::BIGINT AS n_{c}, sum({c}_rated_count * {c}_compliant_pct) AS k_{c}" for c in ENGLAND
        )
        where = "country = 'england' AND year_code = ?"
        found = british.query(f"SELECT {sums} FROM uk_fsa_laems WHERE {where}", params=(year,)).iloc[0]  # noqa: S608
        n, k = (sum(found[f"{sign}_{c}"] for c in ENGLAND) for sign in "nk")
        assert round(k / n, 2) == rate
        if year == "2018-19":
            assert {c: (found[f"n_{c}"], round(found[f"k_{c}"] / found[f"n_{c}"], 1)) for c in ENGLAND} == ENGLAND


def test_footnote_marks_leave_the_names_and_nothing_else_does(british: Workspace) -> None:
    names = set(british.query("SELECT DISTINCT authority_name AS x FROM uk_fsa_laems")["x"])
    assert [name for name in names if re.search(r"[?|*]|\(\d|\s{2}|\s$", name)] == []
    expected = {"Swansea", "Tameside", "Armagh City, Banbridge and Craigavon", "Bournemouth", "Edinburgh (City of)"}
    assert expected | {"Comhairle nan Eilean Siar (Western Isles)", "Windsor and Maidenhead"} <= names


def test_what_was_not_returned_is_missing_and_not_zero(british: Workspace, shared_data: pathlib.Path) -> None:
    (path,) = returns(shared_data, "2018-19")
    with path.open(encoding="utf-8") as file:
        marks = sum(row["Aratedestablishments"].strip() in ("NP", "NR", "") for row in csv.DictReader(file))
    where = "a_rated_count IS NULL AND year_code = '2018-19'"
    found = british.query(f"SELECT count(*) AS n FROM uk_fsa_laems WHERE {where}")  # noqa: S608
    assert found["n"][0] == marks > 0


DRIFTS = {
    "spaces and capitals": lambda h: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", h).upper(),
    "dashes and commas": lambda h: h.replace("-", " – ").replace("|", ", ").replace("&", " and "),
    "footnotes": lambda h: f"{h} (3)" if "stablishments" in h else h,
    "premises": lambda h: re.sub("establishments", "premises", h, flags=re.IGNORECASE),
    "per cent in words": lambda h: h.replace("%", " percentage "),
}


@pytest.mark.parametrize("drift", sorted(DRIFTS))
def test_a_fourth_year_whose_headers_drift_is_read_alike(
    home: Workspace, shared_data: pathlib.Path, tmp_path: pathlib.Path, drift: str
) -> None:
    (path,) = returns(shared_data, "2017-18")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))[:60]
    paths = []
    for year, names in (("2017-18", header), ("2019-20", [DRIFTS[drift](name) for name in header])):
        paths.append(tmp_path / f"{year}-enforcement-data-food-hygiene.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *rows])
    first, second = load_files(home, paths, recipe="uk_fsa_laems")
    assert (second.accepted, second.quarantined) == (59, 0)
    assert second.warnings == first.warnings  # no column is absent, none is unknown
    kept = "SELECT * EXCLUDE (year_code, delivery_sha256) FROM uk_fsa_laems WHERE year_code = ? ORDER BY row_no"
    left, right = (home.query(kept, params=(year,)) for year in ("2017-18", "2019-20"))
    assert left.equals(right)


def test_other_returns_of_the_same_office_are_refused(home: Workspace, shared_data: pathlib.Path) -> None:
    paths = [shared_data / "uk_fsa_laems" / f"2018-19-enforcement-data-{n}.csv" for n in ("food-standards", "sampling")]
    codes = [report.error and report.error["code"] for report in load_files(home, paths, recipe="uk_fsa_laems")]
    assert codes == ["QB321", "QB320"], "columns missing, and another table altogether"
    assert home.tables() == []


@pytest.fixture(scope="module")
def notices(tmp_path_factory: pytest.TempPathFactory, shared_data: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path_factory.mktemp("cn") / "home")
    path = shared_data / "cn_cqn_quality_notices" / "cqn_2019_sample_raw.csv"
    (report,) = load_files(home, [path], recipe="cn_quality_notices")
    assert (report.verdict, report.rows_seen, report.quarantined) == ("WARN", 385, 0)
    assert report.listed + report.accepted == 385
    return home


def test_chinese_notices_hold_the_samples_their_titles_say(notices: Workspace) -> None:
    found = notices.query("SELECT notice_title AS t, count(*) AS n FROM failure_notices GROUP BY 1")
    counts = dict(zip(found["t"], found["n"], strict=True))
    titles = {
        "3类食品25批次": 25,
        "4类食品10批次": 10,
        "8批次食品": 8,
        "59批（台）": 56,
        "62批（台）": 58,
        "12批产品": 9,
    }
    assert {short: n for short in titles for t, n in counts.items() if t.startswith(short)} == titles
    (warnings,) = notices.deliveries()["warnings"]
    wrong = {w.partition(":")[0][:6]: w.rpartition(" ")[2] for w in warnings if "headline_mismatch" in w}
    assert {"59批（台）": "59/56", "62批（台）": "62/58", "12批产品不": "12/9"}.items() <= wrong.items()
    assert not any(title.startswith(("3类食品", "4类食品", "8批次")) for title in wrong)


def test_failed_items_are_kept_beside_their_samples(notices: Workspace) -> None:
    found = notices.query(
        "SELECT n.notice_title AS t, count(*) AS n "
        "FROM failed_items i JOIN failure_notices n USING (record_no) GROUP BY 1"
    )
    rows = dict(zip(found["t"], found["n"], strict=True))
    assert rows["3类食品25批次样品抽检不合格"] == 28
    assert rows["4类食品10批次样品抽检不合格"] == 11
    powers = notices.query("SELECT measured_text AS x FROM failed_items WHERE measured_text LIKE '3.7×104%'")
    assert len(powers) == 1  # kept as printed: 3.7×10⁴ or 3.7×104 is not for a program to say


def test_failures_alone_make_no_rate(notices: Workspace) -> None:
    assert set(notices.tables()) == {"failure_notices", "failed_items", "flagged_cells", "set_aside"}
    for indicator in ("D1", "N5"):
        with pytest.raises(QbaseError):
            build_panel(notices, indicator)


def test_the_same_notices_cannot_pass_for_inspections(home: Workspace, shared_data: pathlib.Path) -> None:
    copy = home.root / "notices.csv"
    shutil.copy(shared_data / "cn_cqn_quality_notices" / "cqn_2019_sample_raw.csv", copy)
    for recipe in (None, "inspections", "inspections_office"):
        (report,) = load_files(home, [copy], recipe=recipe)
        assert report.verdict == "REJECTED"
    assert home.tables() == []
