"""Small deliveries that once gave a wrong answer: each gives its right one, is set aside, or asks.

Right values were worked out by hand or read with other programs, as the table beside the cases says. An entry says how
many rows are taken and set aside, and what the column that the case is about then holds; or the code of the error that
asks or refuses.
"""

from __future__ import annotations

import pathlib
import tomllib

import pytest

from qbase.intake import LoadReport, load_files
from qbase.lake import Workspace

RIGHT: dict[str, str] = tomllib.loads((pathlib.Path(__file__).parent / "cases_right.toml").read_text(encoding="utf-8"))
ABOUT = {
    "inspections": ("result",), "town_year": ("output_wan_cny",), "macro": ("quarter", "ppi_28_index"),
    "notice_batches": ("result",), "town_rates": ("pass_rate_pct",),
}  # fmt: skip
# cases about another column than the usual one of their table
KEYS = ("E1a", "E1b", "E2_", "E3_", "E4_", "E10", "I2_", "G7_", "X1_")
DAYS = ("A8_", "G8_", "G9_", "G10", "E22", "E23", "exceljs", "sheetjs")
FIRMS = ("E11", "F1_", "V3_")
PARENTS = ("E6_", "F2_", "F3_", "I3_", "I5_")
OWN = {KEYS: ("sample_no",), DAYS: ("sample_date",), FIRMS: ("firm_name",), PARENTS: ("result", "parent_no")}
STAFF = ("乡镇年报脚注",)
SHARES = ("F10", "G6_")


def columns_of(name: str, table: str) -> tuple[str, ...]:
    if table == "town_year" and name.startswith(SHARES):
        return ("good_water_share_pct",)
    if name.startswith(STAFF):
        return ("works_count", "works_passed_count")
    if table == "inspections":
        return next((columns for begin, columns in OWN.items() if name.startswith(begin)), ABOUT[table])
    return ABOUT[table]


def say(home: Workspace, report: LoadReport) -> str:
    """Return what became of a case, in the words of the table of right values."""
    if report.error is not None:
        return report.error["code"]
    taken = f"{report.accepted}+{report.quarantined}"
    if not report.accepted:
        return taken
    columns = list(columns_of(report.file, report.table))
    here = home.query(f'SELECT * FROM "{report.table}" ORDER BY row_no, sheet LIMIT 20')  # noqa: S608
    rows = here.reindex(columns=columns).itertuples(index=False)
    return f"{taken} " + " ".join("/".join(_plain(value) for value in row) for row in rows)


def _plain(value: object) -> str:
    if value is None or value != value:
        return "-"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.removesuffix(" 00:00:00")


def cases(shared_data: pathlib.Path) -> list[pathlib.Path]:
    folder = shared_data / "cases"
    found = [*folder.glob("deliveries/*"), *folder.glob("writers/*")]
    return sorted(path for path in found if path.name != "README.md")


@pytest.mark.shared
@pytest.mark.parametrize("part", range(4))
def test_every_case_gives_its_right_answer_is_set_aside_or_asks(
    part: int, tmp_path: pathlib.Path, shared_data: pathlib.Path
) -> None:
    files = cases(shared_data)
    if not files:
        pytest.skip("../shared/data has no cases")
    found = {}
    for number, file in enumerate(files[part::4]):
        home = Workspace.create(tmp_path / f"{number}")
        (report,) = load_files(home, file)
        found[file.name] = say(home, report)
    assert found == {name: RIGHT[name] for name in found}


@pytest.mark.shared
def test_corrections_and_one_key_in_several_dresses_are_the_batch_once(
    tmp_path: pathlib.Path, shared_data: pathlib.Path
) -> None:
    folder = shared_data / "cases" / "deliveries"
    if not folder.is_dir():
        pytest.skip("../shared/data has no cases")
    for number, (names, batches) in enumerate({
        ("E1a_plain_key.csv", "E1b_apostrophe_key.csv", "E2_equals_quote_key.csv", "E4_tab_key.csv"): 3,
        ("I1_plain.csv", "I2_same_with_apostrophe.csv"): 10,
    }.items()):  # fmt: skip
        home = Workspace.create(tmp_path / f"{number}")
        load_files(home, [folder / name for name in names])
        assert home.query("SELECT count(DISTINCT sample_no) AS n FROM inspections")["n"][0] == batches, names
