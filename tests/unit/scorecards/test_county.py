"""A county report by hand: places, sums over towns, who stands on the lists and who does not, proposals by rule."""

from __future__ import annotations

import dataclasses
import pathlib

import pandas as pd
import pytest

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.indicators import build_panel, read_failed_items, read_firm_counts
from qbase.lake import Workspace
from qbase.release import protect
from qbase.scorecards import (
    PlaceRecords,
    advise_county,
    estimate_breakdown,
    find_place,
    judge_place,
    judge_red_black,
    read_cases,
    read_place,
)

QUARTER = pd.Period("2025Q4", freq="Q")
ON = "2026-01-25"


@pytest.fixture(scope="module")
def county(demo_lake: Workspace) -> PlaceRecords:
    return read_place(demo_lake, "清沅县", kind="county", last="2025Q4")


@pytest.fixture(scope="module")
def town(demo_lake: Workspace) -> PlaceRecords:
    return read_place(demo_lake, "青棹镇", last="2025Q4")


def with_batches(records: PlaceRecords, rows: list[tuple[str, str, bool, str, str | None]]) -> PlaceRecords:
    """Give firm, day, passed, notice and appeal of each batch; all else is alike."""
    frame = pd.DataFrame(rows, columns=["firm", "sample_date", "is_pass", "notice_no", "appeal_result"])
    frame["period"] = pd.PeriodIndex(frame["sample_date"], freq="Q")
    frame["sample_no"] = [f"S{i}" for i in range(len(frame))]
    frame = frame.assign(firm_name=frame["firm"], entity=records.entity, product="丝", industry="2822", level="county")
    return dataclasses.replace(records, batches=frame.assign(sample_type="random", domain="production"))


def lists_of(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, records: PlaceRecords, events: list[tuple[str, str, str]]
) -> tuple[list[str], list[str], list[str]]:
    from qbase.scorecards.county import red_black_list as module

    published = pd.Series({"early": "2025-04-25", "late": "2026-01-20", "old": "2024-05-25"})
    frame = pd.DataFrame(events, columns=["firm", "event_date", "kind"])
    monkeypatch.setattr(module, "_published", lambda *_: published)
    monkeypatch.setattr(module, "_events", lambda *_: frame)
    found = judge_red_black(workspace, records, on=ON)
    return tuple(found.tables[name]["firm"].tolist() for name in ("black", "red", "left"))  # type: ignore[return-value]


def failing(firm: str, *days: str, notice: str | None = "early", appeal: str | None = None) -> list[tuple]:
    return [(firm, day, False, notice, appeal) for day in days]


def passing(firm: str, *days: str) -> list[tuple]:
    return [(firm, day, True, "early", None) for day in days]


GOOD = ("2024-02-01", "2024-05-01", "2025-02-01", "2025-03-01")


@pytest.mark.parametrize(
    ("rows", "events", "black"),
    [
        (failing("A", "2025-02-01"), [], []),  # one failed batch of one is no ground
        (failing("A", "2025-02-01", "2025-02-01"), [], []),  # nor are two of one sampling
        (failing("A", "2025-02-01", "2025-03-01"), [], ["A"]),
        (failing("A", "2024-02-01", "2025-03-01"), [], []),  # not in one year
        (failing("A", "2025-02-01", "2025-11-01", notice="late"), [], []),  # objections still possible
        (failing("A", "2025-02-01", "2025-03-01", notice="unknown"), [], []),  # not published
        (failing("A", "2025-02-01", "2025-03-01", notice=None), [], []),
        (failing("A", "2025-02-01") + failing("A", "2025-03-01", appeal="pending"), [], []),  # re-test open
        (failing("A", "2025-02-01") + failing("A", "2025-03-01", appeal="upheld"), [], ["A"]),
        ([*failing("A", "2025-02-01"), ("A", "2025-03-01", True, "early", "overturned")], [], []),
        (failing("A", "2025-02-01", "2025-03-01"), [("A", "2025-06-01", "repair")], []),
        (
            failing("A", "2025-02-01", "2025-03-01"),
            [("A", "2025-04-01", "repair")],
            ["A"],
        ),  # repaired before it was told
        (failing("A", "2025-02-01", "2025-03-01"), [("A", "2025-06-01", "reward")], ["A"]),
    ],
)
def test_the_black_list_holds_final_published_results_alone(
    demo_lake: Workspace, town: PlaceRecords, monkeypatch: pytest.MonkeyPatch, rows, events, black
) -> None:
    found, _, left = lists_of(monkeypatch, demo_lake, with_batches(town, rows), events)
    assert found == black
    assert left == (["A"] if events and events[0][2] == "repair" and not black else [])


@pytest.mark.parametrize(
    ("rows", "events", "red"),
    [
        (passing("A", *GOOD), [], ["A"]),
        (passing("A", *GOOD[:3]), [], []),
        (passing("A", *["2025-02-01"] * 4), [], []),  # one quarter
        (passing("A", *GOOD) + failing("A", "2025-11-01", notice="late"), [], []),  # a failure not yet final
        (passing("A", *GOOD), [("A", "2025-06-01", "administrative_penalty")], []),
        (passing("A", *GOOD), [("A", "2020-06-01", "penalty")], ["A"]),
    ],
)
def test_the_red_list_holds_nobody_with_a_failure_or_a_penalty(
    demo_lake: Workspace, town: PlaceRecords, monkeypatch: pytest.MonkeyPatch, rows, events, red
) -> None:
    assert lists_of(monkeypatch, demo_lake, with_batches(town, rows), events)[1] == red


def test_lists_cases_and_proposals_never_leave_the_house(demo_lake: Workspace, town: PlaceRecords) -> None:
    lists = judge_red_black(demo_lake, town)
    # the demo records no credit repair, and the result says so
    assert lists.checks[0].passed is False
    assert "repair" in lists.checks[0].text.en
    for value in (lists, read_cases(demo_lake, town), estimate_breakdown(town)):
        with pytest.raises(QbaseError) as caught:
            protect(value, profile="external")
        assert caught.value.code in {"QB750", "QB751"}


def test_a_county_is_the_sum_of_its_towns(demo_lake: Workspace, county: PlaceRecords, town: PlaceRecords) -> None:
    whole = build_panel(demo_lake, "D1.batch", entity="town_code", last="2025Q4").counts("D1.batch")
    towns = whole[whole.index.get_level_values("entity").isin(county.place.towns)]
    assert len(county.place.towns) == 5
    assert (
        county.panel.counts("D1.batch")
        .droplevel("entity")
        .astype(int)
        .equals(towns.groupby(level="period").sum().astype(int))
    )
    assert county.firms is not None
    assert county.firms.cells().to_numpy().sum() == towns.to_numpy().sum()
    assert town.firms is not None
    assert town.firms.data.equals(
        read_firm_counts(demo_lake, entity="town_code", last="2025Q4")
        .data.query("entity == @town.entity")
        .reset_index(drop=True)
    )
    # every batch stands in one group of each dimension
    groups = estimate_breakdown(county).tables["groups"]
    sums = groups.groupby("dimension")[["n", "k"]].sum()
    year = county.panel.counts("D1.batch").loc[county.entity].tail(4)
    assert set(sums["n"]) == {int(year["n"].sum())}
    assert set(sums["k"]) == {int(year["k"].sum())}
    items = [
        read_failed_items(demo_lake, county.panel, subject=county.entity, members=towns, period=QUARTER).tables["items"]
        for towns in (county.place.towns, county.place.towns[:1])
    ]
    assert items[0]["k"].sum() > items[1]["k"].sum() > 0


def test_cases_count_every_followed_failure_of_the_year_by_its_outcome(
    demo_lake: Workspace, town: PlaceRecords
) -> None:
    found = read_cases(demo_lake, town)
    failed = set(town.year.loc[~town.year["is_pass"].astype(bool), "sample_no"])
    told = dict(demo_lake.query("SELECT DISTINCT sample_no, outcome FROM followup").itertuples(index=False, name=None))
    followed = [outcome for sample, outcome in told.items() if sample in failed]
    counted = {e.key.get("outcome"): (e.value, e.n_obs) for e in found.estimates}
    assert len(followed) > 1
    assert counted.pop(None) == (len(followed), len(failed))
    assert counted == {o: (followed.count(o), len(followed)) for o in ("failed_again", "open", "rectified")}


def test_places_are_found_by_code_and_name_and_the_rest_is_refused(demo_lake: Workspace) -> None:
    # a merged town is its successor
    assert find_place(demo_lake, "990022105").code == find_place(demo_lake, "竹桁").code == "990022104"
    assert find_place(demo_lake, "990021", kind="county").towns == find_place(demo_lake, "青棹镇").beside
    for word in ("镇", "无此镇", ""):
        with pytest.raises(UsageError) as caught:
            find_place(demo_lake, word)
        assert caught.value.code == "QB857"
    with pytest.raises(DataError) as nothing:
        read_place(demo_lake, "芦渚镇")
    assert nothing.value.code == "QB858"


def test_without_notices_there_are_no_lists(tmp_path: pathlib.Path, town: PlaceRecords) -> None:
    empty = dataclasses.replace(town, panel=dataclasses.replace(town.panel, sources=()))
    found = judge_red_black(Workspace.create(tmp_path / "home"), empty, on=ON)
    assert not found.estimates
    assert "notices" in found.say().items[0].en


def test_proposals_follow_from_what_is_shown(demo_lake: Workspace, town: PlaceRecords) -> None:
    gates = judge_place(demo_lake, town, "outline_2025")
    assert gates.towns[0].criteria[0].gate == "D1"
    assert not {m.gate for m in gates.towns[0].missing} & {"L2", "D6"}
    items = read_failed_items(demo_lake, town.panel, subject=town.entity, period=QUARTER)
    table = advise_county(town, standings=gates.standings, items=items).tables["proposals"].set_index("rule")
    binding = gates.standings[0].tables["standing"].query("is_binding").iloc[0]
    assert binding["gate"] in table.loc["gate", "on_en"]
    assert table.loc["gate", "en"] == binding["step_en"]
    first = items.tables["items"].query("not is_label and n_firms >= 2").iloc[0]
    assert f"{first['k']} of {first['n']} batches" in table.loc["item", "on_en"]
    assert not advise_county(town, standings=()).estimates
