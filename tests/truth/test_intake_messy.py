"""The messy deliveries of the province: every clean row comes back, every planted fault is found where it was put."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pandas as pd
import pytest

from qbase.demo.delivery_folder import write_messy
from qbase.demo.province import build_province
from qbase.demo.sending.stable_files import to_arrow
from qbase.intake import LoadReport, load_files
from qbase.lake import Workspace
from qbase.tables import read_contract

SEED = 7
RECIPES = {
    "2017年监督抽查结果.csv": "inspections_marks",
    "2023年监督抽查结果.csv": "inspections_items",
    "2024年监督抽查结果.xlsx": "inspections_serials",
    "各乡镇合格率.xlsx": "town_rates_mixed",
    "全省累计.csv": "period_counts_ytd",
    "2025年不合格产品名单.csv": "failure_list",
    "抽查公告.csv": "notices_headlines",
}
# a clean row may differ in these only where the book of planted faults says so
SPOILT = {
    "inspections": {
        "uscc": {"uscc_blank", "uscc_wrong"},
        "firm_name": {"name_variant"},
        "town_code": {"old_town_code"},
    },
    "notices": {"batch_count": {"headline_mismatch"}},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loaded:
    home: Workspace
    reports: dict[str, LoadReport]
    planted: pd.DataFrame
    tables: dict[str, pd.DataFrame]

    def faults(self, *names: str) -> pd.DataFrame:
        return self.planted[self.planted["fault"].isin(names)]

    def flagged(self, column: str, code: str) -> set[str]:
        rows = self.home.query(
            "SELECT i.sample_no FROM flagged_cells f JOIN inspections i USING (delivery_sha256, sheet, row_no) "
            "WHERE f.column_name = ? AND f.code = ?",
            params=(column, code),
        )
        return set(rows["sample_no"])

    def aside(self, file: str, reason: str) -> list[list[str]]:
        rows = self.home.query(
            "SELECT raw FROM set_aside WHERE delivery_sha256 = ? AND reasons = ? ORDER BY row_no",
            params=(self.reports[file].sha256, reason),
        )
        return [json.loads(raw) for raw in rows["raw"]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    province = build_province("small", SEED)
    folder = tmp_path_factory.mktemp("messy")
    paths, planted = write_messy(folder / "in", province)
    home = Workspace.create(folder / "home")
    groups: dict[str | None, list[pathlib.Path]] = {}
    for path in paths:
        recipe = RECIPES.get(path.name) or ("inspections_office" if "监督抽查结果" in path.name else None)
        groups.setdefault(recipe, []).append(path)
    order = sorted(groups, key=lambda recipe: recipe == "notices_headlines")  # the rows it is about go first
    reports = {report.file: report for recipe in order for report in load_files(home, groups[recipe], recipe=recipe)}
    return Loaded(home=home, reports=reports, planted=planted.frame(), tables=dict(province.tables))


def plain(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return every cell as one spelling of its value, by key."""
    contract = read_contract(table)
    out = {}
    for column in contract.columns:
        cells: list[Any] = frame[column.name].tolist() if column.name in frame else [None] * len(frame)
        if column.type in ("int", "number"):
            out[column.name] = ["" if cell is None or cell != cell else repr(float(cell)) for cell in cells]
        elif column.type == "bool":
            out[column.name] = ["" if cell is None or cell != cell else str(bool(cell)) for cell in cells]
        else:
            out[column.name] = ["" if cell is None or cell != cell else str(cell)[:10_000] for cell in cells]
            if column.type == "date":
                out[column.name] = [text[:10] for text in out[column.name]]
    return pd.DataFrame(out).set_index(list(contract.key)).sort_index()


def test_every_clean_row_comes_back_and_differs_only_where_a_fault_was_planted(loaded: Loaded) -> None:
    assert len(loaded.tables) > 30
    for table, clean in loaded.tables.items():
        true = plain(to_arrow(clean).to_pandas(), table)
        found = plain(loaded.home.query(f"SELECT * FROM {table}"), table)  # noqa: S608
        assert list(found.index) == list(true.index), table
        spoilt = SPOILT.get(table, {})
        exact = [column for column in true.columns if column not in spoilt]
        pd.testing.assert_frame_equal(found[exact], true[exact], obj=table)
        for column, faults in spoilt.items():
            planted = loaded.faults(*faults)
            names = planted["sample_no"] if table == "inspections" else planted["place"]
            assert set(true.index[found[column] != true[column]]) == set(names), (table, column)


def test_every_file_is_taken_and_no_row_of_it_is_lost(loaded: Loaded) -> None:
    for report in loaded.reports.values():
        assert report.verdict in ("OK", "WARN"), report
        assert report.quarantined == 0
        assert report.rows_seen == report.listed + report.accepted


def test_spoilt_codes_are_flagged_one_by_one(loaded: Loaded) -> None:
    assert loaded.flagged("uscc", "check") == set(loaded.faults("uscc_wrong")["sample_no"])
    assert loaded.flagged("uscc", "blank") == set(loaded.faults("uscc_blank")["sample_no"])
    printed = loaded.home.query("SELECT printed FROM flagged_cells WHERE column_name = 'uscc' AND code = 'check'")
    assert sorted(printed["printed"]) == sorted(loaded.faults("uscc_wrong")["printed"])


def test_rechecks_that_nobody_ticked_are_found_through_their_parent(loaded: Loaded) -> None:
    planted = loaded.faults("recheck_unflagged")["sample_no"]
    assert len(planted) > 0
    assert loaded.flagged("is_recheck", "derived") == set(planted)


def test_batches_printed_again_under_another_notice_are_listed_once_each(loaded: Loaded) -> None:
    planted = loaded.faults("duplicate_notice")
    rows = loaded.aside("2024年监督抽查结果.xlsx", "repeated_row")
    assert sorted((row[0], row[1]) for row in rows) == sorted(
        zip(planted["sample_no"], planted["printed"], strict=True)
    )


def test_totals_subtotals_and_footnotes_are_listed_and_true(loaded: Loaded) -> None:
    report = loaded.reports["2020年监督抽查结果.xlsx"]
    planted = loaded.faults("subtotal_row", "total_row")
    assert report.reasons["total_row"] == len(planted)
    assert report.reasons["note_row"] == len(loaded.faults("footnote"))
    assert "total_row_wrong" not in report.reasons
    assert [w for w in report.warnings if "mismatch" in w] == []


def test_counts_from_january_on_are_true_and_become_quarters(loaded: Loaded) -> None:
    report = loaded.reports["2022年监督抽查结果.xlsx"]
    assert report.reasons["total_row"] == 4
    assert [w for w in report.warnings if "mismatch" in w] == []
    planted = loaded.faults("year_to_date").query("file_name == '全省累计.csv'")
    found = loaded.home.query("SELECT quarter, batch_count, passed_count FROM period_counts").set_index("quarter")
    assert {q: str(n) for q, n in found["batch_count"].items()} == dict(
        zip(planted["place"], planted["true_value"], strict=True)
    )
    first = loaded.tables["inspections"].query("not is_recheck and result == 'pass'")["sample_date"]
    passed = first.groupby(first.str[:4] + "Q" + ((first.str[5:7].astype(int) + 2) // 3).astype(str)).size()
    assert found["passed_count"].sort_index().tolist() == passed.sort_index().tolist()


def test_money_in_yi_becomes_wan_exactly(loaded: Loaded) -> None:
    (planted,) = loaded.faults("unit_yi")["file_name"]
    assert [name for name, r in loaded.reports.items() if any("unit_converted" in w for w in r.warnings)] == [planted]
    assert loaded.reports[planted].warnings == ("亿元:unit_converted 14",)


def test_exactly_the_planted_notices_are_flagged_with_both_numbers(loaded: Loaded) -> None:
    planted = loaded.faults("headline_mismatch")
    expected = [f"{r.place}:count_mismatch {r.printed}/{r.true_value}" for r in planted.itertuples()]
    assert sorted(loaded.reports["抽查公告.csv"].warnings) == sorted(expected)


def test_rates_are_read_as_their_counts_prove(loaded: Loaded) -> None:
    planted = loaded.faults("rate_spelling")
    found = loaded.home.query(
        "SELECT town_code || '/' || year AS place, pass_rate_pct AS rate, 100.0 * passed_count / batch_count AS true "
        "FROM town_rates"
    )
    assert set(found["place"]) == set(planted["place"])
    assert (found["rate"] - found["true"]).abs().max() < 0.0501  # one decimal was printed
    shares = [r for r in planted.itertuples() if not r.printed.endswith(("%", "％")) and float(r.printed) <= 1]
    assert f"pass_rate_pct:other_unit {len(shares)}" in loaded.reports["各乡镇合格率.xlsx"].warnings


def test_one_row_per_failed_item_becomes_batches_and_items(loaded: Loaded) -> None:
    name = "2023年监督抽查结果.csv"
    planted = loaded.faults("rows_per_item")
    further = [row[0] for row in loaded.aside(name, "further_item")]
    assert {s: further.count(s) + 1 for s in set(further)} == {
        r.sample_no: int(r.printed) for r in planted.itertuples()
    }
    own = set(loaded.tables["inspections"].query("sample_date.str.startswith('2023')")["sample_no"])
    bad = loaded.tables["items"].query("not is_ok")
    bad = bad[bad["sample_no"].isin(own)]
    found = loaded.home.query("SELECT record_no, item_name, measured_text FROM failed_items")
    assert sorted(zip(found["record_no"], found["item_name"], found["measured_text"], strict=True)) == sorted(
        zip(bad["sample_no"], bad["item_name"], [f"{v:g}" for v in bad["value"]], strict=True)
    )


def test_a_list_of_failures_never_reaches_the_inspections(loaded: Loaded, tmp_path: pathlib.Path) -> None:
    report = loaded.reports["2025年不合格产品名单.csv"]
    assert (report.table, report.warnings) == ("failure_notices", ("no_denominator",))
    failures = loaded.tables["inspections"].query("sample_date >= '2025' and result == 'fail'")
    assert set(loaded.home.query("SELECT record_no FROM failure_notices")["record_no"]) == set(failures["sample_no"])
    (plain_load,) = load_files(Workspace.create(tmp_path / "home"), [_find(loaded, "2025年不合格产品名单.csv")])
    assert plain_load.verdict == "REJECTED"


def _find(loaded: Loaded, name: str) -> pathlib.Path:
    return next(loaded.home.raw.rglob(name))
