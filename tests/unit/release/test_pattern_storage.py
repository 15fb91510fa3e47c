"""A pattern is made once for a snapshot, preset and period, handed on, and never trusted when damaged."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from qbase.cli.main import run
from qbase.core import DataError, UsageError
from qbase.core.panel import Panel
from qbase.indicators import build_panel, read_contributors
from qbase.lake import Workspace
from qbase.release import (
    build_pattern,
    list_patterns,
    protect,
    protect_panel,
    read_disclosure_preset,
    read_pattern_marks,
    withhold_cells,
)
from qbase.release.disclosing.pattern_storage import FOLDER
from tests.unit.indicators.sampled_lake import draw, firms, put

FIRST = "2024Q1"
EDITION = "cn_default-1"
BATCH = "D1.batch"


def draws(quarter_month: int) -> list[dict[str, object]]:
    """Four clusters of a quarter: one rests on two firms, and every cluster has a failure."""
    found = []
    for cluster, n_firms in (("K1", 2), ("K2", 5), ("K3", 6), ("K4", 12)):
        for firm in range(n_firms):
            found += [draw(cluster, firm, quarter_month, passed=firm > 0 or i > 0, kind="risk") for i in range(2)]
    return found


def make_home(folder: pathlib.Path) -> Workspace:
    home = Workspace.create(folder)
    put(home, "firms", firms("K1", "K2", "K3", "K4"))
    put(home, "inspections", draws(2))
    return home


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return make_home(tmp_path / "home")


def panel_of(home: Workspace, **more: str) -> Panel:
    return build_panel(home, BATCH, first=FIRST, last=FIRST, **more)  # type: ignore[arg-type]


def test_a_pattern_is_made_once_and_read_after(home: Workspace) -> None:
    made = build_pattern(home, FIRST)
    assert made.counts()["primary"] > 0
    assert build_pattern(home, FIRST).content == made.content
    assert [p.content for p in list_patterns(home, EDITION, 2024)] == [made.content]
    mark = read_pattern_marks(home, made.snapshot)
    assert mark == read_pattern_marks(home, made.snapshot) != ""
    assert made.content not in mark
    assert read_pattern_marks(home, "S9999") == ""


def test_the_next_snapshot_is_handed_what_was_shown(home: Workspace) -> None:
    first = build_pattern(home, FIRST)
    put(home, "inspections", [draw("K1", 7 + i, 3, passed=i > 0, kind="risk") for i in range(4)], part="late")
    second = build_pattern(home, FIRST)
    assert (second.previous, second.snapshot > first.snapshot) == (first.content, True)
    assert [p.content for p in list_patterns(home, EDITION, 2024)] == [first.content, second.content]
    cells = second.cells.query("kind == 'cluster' and group == '*'").set_index("place")
    assert cells.loc["K1", "n_firms"] > 3
    assert cells.loc["K1", "state"] == "carried"


def test_a_change_of_preset_opens_nothing_that_was_closed(home: Workspace) -> None:
    put(home, "inspections", [draw("K4", i % 12, 2, passed=i % 3 > 0, kind="risk") for i in range(31)], part="more")
    strict = build_pattern(home, FIRST, preset="opensafely")
    closed = strict.cells[strict.cells["state"].isin(["primary", "secondary", "carried"])].index
    assert build_pattern(home, FIRST).cells.loc[closed, "state"].isin(["primary", "carried"]).all()
    assert strict.cells.loc[closed, "place"].nunique() > 1


def test_no_pattern_is_made_for_an_earlier_state_than_the_last(home: Workspace) -> None:
    put(home, "inspections", [draw("K4", i, 5, passed=i > 1, kind="risk") for i in range(12)], part="next")
    build_pattern(home, "2024Q2")
    with pytest.raises(DataError) as caught:
        build_pattern(home, FIRST)
    assert caught.value.code == "QB759"


def test_a_damaged_or_missing_pattern_shows_nothing(home: Workspace) -> None:
    build_pattern(home, FIRST)
    put(home, "inspections", [draw("K2", 9, 3, passed=True, kind="risk")], part="late")
    build_pattern(home, FIRST)
    first, second = sorted((home.lake / FOLDER).glob("*.parquet"))
    whole = second.read_bytes()
    second.write_bytes(whole[:-9])
    with pytest.raises(DataError) as caught:
        protect_panel(home, panel_of(home), profile="external")
    assert caught.value.code == "QB758"
    second.write_bytes(whole)
    first.unlink()
    with pytest.raises(DataError) as caught:
        protect_panel(home, panel_of(home), profile="external")
    assert caught.value.code == "QB758"


def test_a_panel_for_outside_is_computed_from_what_is_left(home: Workspace) -> None:
    panel = panel_of(home)
    assert protect_panel(home, panel, profile="internal") is panel
    with pytest.raises(DataError) as caught:
        protect_panel(home, panel, profile="external")
    assert caught.value.code == "QB763"
    pattern = build_pattern(home, FIRST)
    left = protect_panel(home, panel, profile="external")
    state = pattern.cells.query("kind == 'cluster' and group == '*'").set_index("place")["state"]
    assert left.entities == sorted(state.index[state == "shown"])
    assert "K1" not in left.entities
    assert len(left.entities) < len(panel.entities) - 1  # another one is withheld for it
    kept = panel.data[panel.data.index.get_level_values("entity").isin(left.entities)]
    columns = [BATCH, f"{BATCH}__n", f"{BATCH}__k", f"{BATCH}__lo", f"{BATCH}__hi"]
    assert (left.data[columns] - kept[columns]).abs().to_numpy().max() < 1e-9
    assert left.cells is None
    assert left.coverage is None
    assert "…" in left.notes[-1].zh
    assert protect(left, profile="external") is left


def test_nothing_of_what_is_withheld_is_in_what_is_left(home: Workspace) -> None:
    panel, pattern = panel_of(home), build_pattern(home, FIRST)
    left = protect_panel(home, panel, profile="external")
    other, cells, hidden = panel.data.copy(), pattern.cells.copy(), pattern.is_hidden
    cells.loc[hidden, ["n", "k", "n_firms"]] += 5
    gone = ~other.index.isin(left.data.index)
    other.loc[gone, [f"{BATCH}__n", f"{BATCH}__k", f"{BATCH}__n_firms"]] += 5
    changed = dataclasses.replace(panel, data=other)
    again = withhold_cells(changed, [dataclasses.replace(pattern, cells=cells)], read_disclosure_preset())
    assert gone.any()
    assert again.data.equals(left.data)
    assert (again.labels, again.sources, again.notes) == (left.labels, left.sources, left.notes)
    assert (again.cells, again.coverage, again.indicators) == (left.cells, left.coverage, left.indicators)


def test_what_no_pattern_covers_stays_inside(home: Workspace) -> None:
    build_pattern(home, FIRST)
    panel = panel_of(home)
    with pytest.raises(UsageError) as refused:
        protect_panel(home, panel_of(home, entity="firm_id"), profile="external")
    assert refused.value.code == "QB764"
    with pytest.raises(UsageError) as refused:
        protect_panel(home, panel, profile="public")
    assert refused.value.code == "QB752"
    data = panel.data.copy()
    data.loc[("K4", data.index[-1][1]), f"{BATCH}__k"] -= 1
    with pytest.raises(DataError) as caught:
        protect_panel(home, dataclasses.replace(panel, data=data), profile="external")
    assert caught.value.code == "QB765"


def test_rounded_presets_show_no_count_off_their_base(home: Workspace) -> None:
    put(home, "inspections", [draw("K4", i % 12, 2, passed=i % 3 > 0, kind="risk") for i in range(31)], part="more")
    build_pattern(home, FIRST, preset="opensafely")
    left = protect_panel(home, panel_of(home), profile="external", preset="opensafely")
    counts = left.counts(BATCH)
    assert left.entities == ["K4"]
    assert (counts % 5 == 0).to_numpy().all()
    assert left.data[BATCH].tolist() == (100 * counts["k"] / counts["n"]).tolist()


def test_contributors_add_up_to_the_panels(home: Workspace) -> None:
    rows = read_contributors(home, first=FIRST, last=FIRST)
    for entity, column in (("cluster_id", "cluster"), ("town_code", "town")):
        counts = panel_of(home, entity=entity).counts(BATCH).groupby("entity").sum()
        assert (
            rows[rows[column] != ""].groupby(column)[["k", "n"]].sum().to_numpy().tolist() == counts.to_numpy().tolist()
        )


def test_the_command_settles_a_pattern(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["release", "pattern", "--period", FIRST, "--home", str(home.root), "--lang", "en"]
    assert run(words) == 0
    told = capsys.readouterr().out
    assert "withheld for itself" in told
    assert list_patterns(home, EDITION, 2024)[0].content[:12] in told


def test_where_nothing_is_left_it_says_so(home: Workspace) -> None:
    panel, pattern = panel_of(home), build_pattern(home, FIRST)
    closed = dataclasses.replace(pattern, cells=pattern.cells.assign(state="carried"))
    with pytest.raises(DataError) as caught:
        withhold_cells(panel, [closed], read_disclosure_preset())
    assert caught.value.code == "QB714"
