"""Failures found away from the firms are counted by hand, traced back to them, and what is not on record is said."""

from __future__ import annotations

import pathlib

import nbformat
import pandas as pd
import pytest

from qbase.core import DataError, UsageError
from qbase.figures import tabulate_elsewhere, tabulate_watchlist
from qbase.indicators import build_panel
from qbase.lake import Workspace
from qbase.release import protect
from qbase.trends import estimate_watchlist, find_elsewhere, read_watch_tables

ROOT = pathlib.Path(__file__).resolve().parents[3]
COUNT = """
SELECT i.domain, f.firm_id, count(*) AS n,
       sum((i.result = 'fail' AND i.appeal_result IS DISTINCT FROM 'overturned')::INT) AS k
FROM inspections AS i JOIN firms AS f ON i.uscc = f.uscc
WHERE f.cluster_id = 'K003' AND i.sample_date BETWEEN DATE '2025-01-01' AND DATE '2025-12-31'
  AND coalesce(i.role, 'producer') = 'producer' AND NOT coalesce(i.is_recheck, false) AND i.parent_no IS NULL
  AND i.sample_type NOT IN ('complaint', 'followup')
GROUP BY ALL
"""


def test_places_and_firms_are_those_counted_by_hand(demo_lake: Workspace) -> None:
    panel = build_panel(demo_lake, "D1.batch")
    result = find_elsewhere(demo_lake, panel, subject="K003")
    by_hand = demo_lake.query(COUNT)
    places = result.tables["places"].set_index("where")
    for where in ("circulation", "production"):
        own = by_hand[by_hand["domain"] == where]
        # a firm may print no code: those found by name are in the result alone
        assert places.loc[where, "n"] >= own["n"].sum() > 0
        assert places.loc[where, "k"] >= own["k"].sum()
    assert places["n"].sum() == panel.counts("D1.batch").loc["K003"].loc["2025Q1":"2025Q4", "n"].sum()
    firms = result.tables["firms"]
    assert firms["k"].sum() == places.loc["circulation", "k"]
    assert len(firms) == places.loc["circulation", "n_firms"]
    assert result.tables["levels"]["n"].sum() == places.loc["circulation", "n"]
    first = result.estimates[0]
    assert first.value == pytest.approx(100 * places.loc["circulation", "k"] / places.loc["circulation", "n"])
    assert "没有抽样地点" in result.notes[0].zh
    assert "No list of failures was loaded" in result.notes[1].en


def test_the_table_names_the_firms_and_nothing_leaves_the_house(demo_lake: Workspace) -> None:
    result = find_elsewhere(demo_lake, build_panel(demo_lake, "D1.batch"), subject="K001")
    table = tabulate_elsewhere(result)
    names = set(result.tables["firms"]["firm_name"])
    assert {str(row[0].zh).strip("　") for row in table.rows[1:-1]} == names  # type: ignore[union-attr]
    assert "追溯到 1 家企业" in result.say().items[0].zh
    assert "traced back to 1 firm" in result.say().items[0].en
    for profile in ("external", "statutory_public"):
        with pytest.raises(DataError, match="QB750"):
            protect(result, profile=profile)
    with pytest.raises(UsageError, match="QB501"):
        find_elsewhere(demo_lake, build_panel(demo_lake, "D1.batch"), subject="K999")


def test_lists_count_failures_sampled_at_somebody_elses_alone(
    demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = demo_lake.query("SELECT firm_id, firm_name FROM firms WHERE cluster_id = 'K001' ORDER BY firm_id LIMIT 1")
    maker, fid = firm["firm_name"].iloc[0], firm["firm_id"].iloc[0]
    rows = [
        ("1", maker, "远方超市", "2025-03-01", "fail"),
        ("2", maker, maker, "2025-03-01", "fail"),  # at the firm itself
        ("3", maker, None, "2025-03-01", "fail"),  # place not stated
        ("4", maker, "远方超市", "2024-03-01", "fail"),  # another year
        ("5", maker, "远方超市", "2025-05-01", "pass"),
        ("6", "无名厂", "远方超市", "2025-05-01", "fail"),
    ]
    ask, has, source = demo_lake.query, demo_lake.has_table, demo_lake.source
    listed = ", ".join("(" + ", ".join("NULL" if v is None else f"'{v}'" for v in row) + ")" for row in rows)
    columns = "record_no, firm_name, sampled_name, publish_date, result"
    table = f"(SELECT * REPLACE (CAST(publish_date AS DATE) AS publish_date) FROM (VALUES {listed}) AS v({columns}))"  # noqa: S608

    def query(self: Workspace, sql: str, **words: object) -> pd.DataFrame:
        return ask(sql.replace("FROM failure_notices AS n", f"FROM {table} AS n"), **words)  # type: ignore[arg-type]

    monkeypatch.setattr(Workspace, "query", query)
    monkeypatch.setattr(
        Workspace, "has_table", lambda self, t, *a: t == "failure_notices" or (t != "notice_batches" and has(t, *a))
    )
    monkeypatch.setattr(
        Workspace, "source", lambda self, t, *a: source("inspections" if t == "failure_notices" else t, *a)
    )
    result = find_elsewhere(demo_lake, build_panel(demo_lake, "D1.batch"), subject="K001")
    places = result.tables["places"].set_index("where")
    assert tuple(places.loc["listed", ["n", "k", "n_firms"]]) == (0, 1, 1)
    assert result.tables["firms"].set_index("firm").loc[fid, "n_listed"] == 1
    assert "公告名单中另有 1 条" in result.say().items[0].zh
    assert "not added" in result.notes[1].en


def run_letter(name: str, home: Workspace, profile: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run the code of a letter with a stop in the place of `protect`, and return what it had made by then."""
    monkeypatch.setenv("QBASE_HOME", str(home.root))
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    names: dict[str, object] = {"display": lambda *values: None}
    for cell in (c for c in cells if c.cell_type == "code"):
        source = cell.source
        if "parameters" in cell.metadata.get("tags", []):
            source += f"\nprofile = {profile!r}"
        if source.startswith("record("):
            break
        # nothing may leave but for what the letter itself decides: the wall behind it is taken away
        exec(source, names)  # noqa: S102
        names["protect"] = lambda *values, **words: values
        names["protect_inputs"] = lambda workspace, *values, **words: values
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lists"), [("20_quality_trends", ("visits", "listed")), ("10_quarterly_brief", ("traced", "failed"))]
)
def test_a_letter_lists_firms_inside_the_office_alone(
    name: str, lists: tuple[str, ...], demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = run_letter(name, demo_lake, "internal", monkeypatch)
    assert all(len(inside[x]) == 1 for x in lists)  # type: ignore[arg-type]
    for profile in ("external", "statutory_public"):
        outside = run_letter(name, demo_lake, profile, monkeypatch)
        assert all(outside[x] == [] for x in lists)
        firms = demo_lake.query("SELECT firm_name FROM firms WHERE cluster_id = 'K001'")["firm_name"]
        shown = "".join(str(v) for k, v in outside.items() if k != "__builtins__")
        assert not any(firm in shown for firm in firms)


def test_the_visit_list_shows_the_firms_of_its_subject(demo_lake: Workspace) -> None:
    result = estimate_watchlist(read_watch_tables(demo_lake))
    table = tabulate_watchlist(result, subject="K001", most=3)
    own = demo_lake.query("SELECT firm_name FROM firms WHERE cluster_id = 'K001'")["firm_name"].tolist()
    assert len(table.rows) == 3
    assert all(row[1] in own for row in table.rows)
    assert "2026-04-01 前复核" in table.caption.zh
    assert "never penalties or grades" in table.note.en  # type: ignore[union-attr]
    assert "名单上没有" in tabulate_watchlist(result, subject="K999").rows[0][1].zh  # type: ignore[union-attr]
