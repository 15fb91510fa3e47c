"""What is kept of a lake is what is made of it, and nothing is fitted a second time."""

from __future__ import annotations

import pandas as pd
import pytest

from qbase.core.results.result import Result
from qbase.lake import Workspace
from qbase.trends import check_integrity, estimate_watchlist, read_integrity, read_watch_tables, read_watchlist
from qbase.trends.watching import integrity_page, visit_list


def facts(result: Result) -> list[object]:
    """Return all of a result but its frames."""
    checks = [(check.name, check.passed, check.text) for check in result.checks]
    told = [checks, result.notes, dict(result.labels), result.unanswered, result.grade, result.spoken]
    return [repr(result), list(map(repr, result.estimates)), *told, repr(dict(result.settings)), result.sources]


def frames(result: Result) -> dict[str, pd.DataFrame]:
    return dict(result.tables) | {check.name: check.table for check in result.checks if check.table is not None}


def hold_same(kept: Result, made: Result) -> None:
    assert facts(kept) == facts(made)
    assert kept.coverage == made.coverage
    assert list(frames(kept)) == list(frames(made))
    for name, table in frames(made).items():
        pd.testing.assert_frame_equal(frames(kept)[name], table)


def test_the_second_asking_reads_what_the_first_one_made(demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = read_watch_tables(demo_lake)
    hold_same(read_watchlist(demo_lake), estimate_watchlist(tables))
    hold_same(read_integrity(demo_lake), check_integrity(tables))
    for module in (visit_list, integrity_page):
        monkeypatch.setattr(module, "read_watch_tables", pytest.fail)
    hold_same(read_watchlist(demo_lake), estimate_watchlist(tables))
    hold_same(read_integrity(demo_lake), check_integrity(tables))


def test_another_choice_is_made_anew(demo_lake: Workspace) -> None:
    few, many = (len(read_watchlist(demo_lake, share=share).tables["watchlist"]) for share in (0.1, 0.2))
    assert few < many


def test_groups_and_places_are_told_by_name(demo_lake: Workspace) -> None:
    (calibration,) = (check for check in read_watchlist(demo_lake).checks if check.name == "calibration")
    off = calibration.table[calibration.table["q_value"] <= 0.05]
    assert set(off["group"]) == {"town"}
    towns = demo_lake.query("SELECT DISTINCT town_code, town_name FROM towns").set_index("town_code")["town_name"]
    for code in off["value"]:
        assert code not in calibration.text.zh
        assert towns[code] in calibration.text.zh
