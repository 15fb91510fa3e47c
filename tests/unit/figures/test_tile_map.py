"""Places as tiles: read without colour, where they are said to lie, and nothing told that is not known."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from qbase.core import DataError, UsageError
from qbase.core.results.result import Result
from qbase.figures import plot_tile_map
from qbase.indicators import build_panel
from qbase.lake import Workspace
from qbase.release import check_svg
from qbase.trends import compare_peers


@pytest.fixture(scope="module")
def peers(demo_lake: Workspace) -> Result:
    return compare_peers(build_panel(demo_lake, "D1.batch", entity="town_code"), "D1.batch", period="2025")


def codes(result: Result) -> list[str]:
    return [str(entity) for entity in result.tables["peers"]["entity"]]


def test_a_tile_says_its_number_and_whether_anything_may_be_said(peers: Result) -> None:
    figure = plot_tile_map(peers)
    low = int(peers.tables["peers"]["outside"].ne("").sum())
    assert low == 1
    assert figure.title.zh == "12 个乡镇中 1 个与平均 82.5% 分得出"
    for drawing in figure.drawings.values():
        check_svg(drawing)
        for rate in peers.tables["peers"]["rate_pct"]:
            assert f"{rate:.1f}" in drawing
        assert drawing.count("▼") == low + 1, "a sign on each, and one in the key"
        hatched = drawing.count("var(--line)")
        assert hatched == 12 - low + 1, "who cannot be told from the mean is hatched, and the key says so"
    assert "横渚镇 56.7%" in figure.alt.zh
    assert "11 cannot be told from the mean" in figure.alt.en
    assert "not of place" in figure.note.en
    rows = {row[0].en if hasattr(row[0], "en") else row[0]: row for row in figure.table.rows}
    assert rows["Hengzhu Town"][-1].en == "below the mean"  # type: ignore[union-attr]
    assert len(rows) == len(figure.table.data["rate_pct"]) == 12


def test_places_lie_where_they_are_said_to_and_one_without_a_number_is_empty(peers: Result) -> None:
    at = {code: (i % 4, i // 4) for i, code in enumerate(codes(peers))}
    figure = plot_tile_map(peers, places={**at, "990000000": (5, 2)})
    assert "coordinates given" in figure.note.en
    assert "dasharray" in figure.drawings["en_wide"]
    assert "no number (dashed)" in figure.drawings["en_wide"]
    moved = plot_tile_map(peers, places={code: (x, y + 1) for code, (x, y) in at.items()})
    assert moved.drawings["en_wide"] != plot_tile_map(peers, places=at).drawings["en_wide"]


def test_what_is_withheld_is_no_number(peers: Result) -> None:
    first = codes(peers)[0]
    left = peers.tables["peers"].iloc[1:]
    held = dataclasses.replace(
        peers, tables={**peers.tables, "peers": left}, settings={**peers.settings, "withheld": [first]}
    )
    figure = plot_tile_map(held)
    gone = f"{peers.tables['peers']['rate_pct'].iloc[0]:.1f}"
    assert gone not in figure.drawings["zh_wide"]
    assert "…" in figure.drawings["zh_wide"]
    assert figure.table.rows[0][1:4] == ("…", "…", "…")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda at: dict(list(at.items())[1:]), "no coordinates"),
        (lambda at: dict.fromkeys(at, (0, 0)), "one tile for two"),
        (lambda at: {k: (x - 1, y) for k, (x, y) in at.items()}, "no whole numbers"),
    ],
    ids=["lacking", "doubled", "negative"],
)
def test_coordinates_that_do_not_hold_are_refused(peers: Result, spoil: Any, word: str) -> None:
    at = {code: (i, 0) for i, code in enumerate(codes(peers))}
    with pytest.raises(UsageError, match="QB890") as caught:
        plot_tile_map(peers, places=spoil(at))
    assert word in caught.value.found


def test_a_result_without_an_answer_is_refused(peers: Result) -> None:
    with pytest.raises(DataError, match="QB539"):
        plot_tile_map(dataclasses.replace(peers, tables={}))
