"""Rare cases that the province does not hold: nobody came again, closed firms, two industries in a town, no divisor."""

from __future__ import annotations

import hashlib
import pathlib

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from qbase.core.errors import UsageError
from qbase.core.periods import parse_period
from qbase.indicators import build_panel
from qbase.lake import Delivery, Workspace
from qbase.tables import check_rows_sql, read_contract, typed_select_sql

Rows = list[dict[str, object]]

FIRMS = [
    ("F1", "K1", "2822", "2015Q1", None), ("F2", "K2", "1721", "2015Q1", None), ("F3", "K1", "2822", "2015Q1", None),
    ("F4", "K1", "2822", "2015Q1", "2022Q3"), ("F9", None, "3311", "2015Q1", None),
]  # fmt: skip


def put(workspace: Workspace, table: str, rows: Rows) -> None:
    contract = read_contract(table)
    given = pa.table({c: pa.array([None if r.get(c) is None else str(r[c]) for r in rows], pa.string())
                      for c in contract.column_names})  # fmt: skip
    with duckdb.connect() as db:
        db.register("given", given)
        wrong = db.sql(f"SELECT reasons FROM ({check_rows_sql(contract, 'given')}) WHERE len(reasons) > 0").fetchall()  # noqa: S608
        assert wrong == [], table
        typed = db.sql(typed_select_sql(contract, "given")).to_arrow_table()
    delivery = Delivery(
        sha256=hashlib.sha256(table.encode()).hexdigest(), file_name=f"{table}.csv", table=table, recipe="tidy",
        producer="测试", verdict="OK", rows_seen=len(rows), accepted=len(rows),
    )  # fmt: skip
    workspace.commit(delivery, {table: typed})


def draw(firm: str, day: str, result: str = "pass") -> dict[str, object]:
    return {"firm_code": firm, "firm_name": f"{firm}厂", "sample_date": day, "result": result}


def whole(table: str, **given: object) -> dict[str, object]:
    """A row with 0 in every number that the table needs and the test does not state."""
    needed = {c.name: 0 for c in read_contract(table).columns if c.required and c.type in ("int", "number")}
    needed |= {c.name: False for c in read_contract(table).columns if c.required and c.type == "bool"}
    return needed | given


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    made = Workspace.create(tmp_path)
    firms = [
        {"firm_id": f, "firm_name": f"{f}厂", "cluster_id": k, "industry_code": i, "town_code": "330000000001",
         "entry_quarter": a, "exit_quarter": b}
        for f, k, i, a, b in FIRMS
    ]  # fmt: skip
    put(made, "firms", firms)
    clusters = [("K1", "2822"), ("K2", "1721")]
    put(made, "clusters", [{"cluster_id": k, "cluster_name": k, "industry_code": i, "town_code": "330000000001"}
                           for k, i in clusters])  # fmt: skip
    return made


def inspect(workspace: Workspace, *draws: dict[str, object]) -> None:
    fixed = {
        "sample_type": "random",
        "is_recheck": "false",
        "level": "city",
        "domain": "production",
        "product_name": "涤纶丝",
    }
    put(workspace, "inspections", [{"sample_no": f"S{n}", **fixed, **d} for n, d in enumerate(draws)])


def test_a_firm_that_nobody_drew_again_cannot_repeat_a_failure(workspace: Workspace) -> None:
    inspect(
        workspace,
        draw("F1", "2022-01-01", "fail"), draw("F1", "2022-01-01", "fail"),  # twice on one day, then never again
        draw("F3", "2022-02-01", "fail"), draw("F3", "2022-05-01"),
        draw("F4", "2022-02-01", "fail"), draw("F4", "2022-06-01", "fail"),
        draw("F2", "2022-03-01", "fail"), draw("F2", "2023-12-01"),
    )  # fmt: skip
    panel = build_panel(workspace, "D1c.repeat", last="2023Q4").data
    fibre = panel.loc[("K1", parse_period("2023Q4"))]
    assert (fibre["D1c.repeat__n"], fibre["D1c.repeat__k"]) == (2, 1)
    assert panel.loc[("K2", parse_period("2023Q4")), "D1c.repeat"] == 0


def test_the_brand_of_a_closed_firm_is_nobodys(workspace: Workspace) -> None:
    inspect(workspace, draw("F1", "2022-04-01"), draw("F1", "2022-09-30"))
    put(workspace, "brands", [
        {"brand_id": f"B{n}", "firm_id": f, "tier": "province_famous", "valid_from_date": "2020-01-01",
         "valid_to_date": "2030-01-01"} for n, f in enumerate(("F1", "F4"))
    ])  # fmt: skip
    count = build_panel(workspace, "W4.count").data["W4.count"].loc["K1"]
    assert count.tolist() == [2, 1], "F4 is gone from 2022Q3 on"


def test_a_town_leads_within_its_industries_and_not_by_their_mix(workspace: Workspace) -> None:
    fibre = [draw("F1", f"2022-05-{d:02d}", "fail" if d == 1 else "pass") for d in range(1, 21)]
    cloth = [draw("F2", f"2022-06-{d:02d}", "fail" if d == 1 else "pass") for d in range(1, 6)]
    inspect(workspace, *fibre, *cloth, *[draw("F9", f"2022-07-{d:02d}", "fail") for d in range(1, 9)])
    put(workspace, "market", [
        whole("market", area="province", industry_code=i, year=2022, batch_count=1000, failed_count=bad)
        for i, bad in (("2822", 10), ("1721", 300), ("3311", 900))
    ])  # fmt: skip
    found = build_panel(workspace, "L2.lead", entity="town_code", freq="A").data.iloc[0]
    assert found["L2.lead__n"] == 25, "the draws of a firm in no cluster have no industry of the town"
    assert found["L2.lead"] == pytest.approx(100 * (23 / 25 - (20 * 0.99 + 5 * 0.70) / 25))
    assert found["L2.lead__lo"] < found["L2.lead"] < found["L2.lead__hi"]


def test_the_year_of_adoption_is_treated_by_event_time_and_by_flag(workspace: Workspace) -> None:
    inspect(workspace, draw("F1", "2021-01-01"), draw("F1", "2023-12-01"))
    put(workspace, "spells", [{"policy_id": "base", "entity_id": "K1", "start_quarter": "2022Q3"}])
    put(workspace, "targets", [{"target_id": "M1", "policy_id": "base", "horizon": "near", "indicator_id": "N3",
                                "population": "企业", "words": "均", "value": 100, "unit_code": "pct"}])  # fmt: skip
    years = build_panel(workspace, ["T0", "N0"], freq="A").data.loc["K1"]
    assert years["T0"].tolist() == [-3, 1, 5]
    assert years["N0"].tolist() == [0, 1, 1]
    assert ((years["T0"] >= 0) == (years["N0"] == 1)).all()


def test_over_nothing_there_is_no_value(workspace: Workspace) -> None:
    inspect(workspace, draw("F1", "2021-01-01"), draw("F1", "2022-12-01"))
    put(workspace, "firm_year", [
        whole("firm_year", firm_id="F1", year=2021, equipment_wan_cny=0, advanced_equipment_wan_cny=0),
        whole("firm_year", firm_id="F1", year=2022, equipment_wan_cny=50, advanced_equipment_wan_cny=20),
    ])  # fmt: skip
    share = build_panel(workspace, "D3", freq="A").data["D3"]
    assert share.to_dict() == {("K1", pd.Period("2022", freq="Y-DEC")): 40.0}


def test_the_mix_of_industries_is_asked_of_towns(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="QB420") as caught:
        build_panel(workspace, "P4.krugman", freq="A")
    assert 'entity="town_code"' in str(caught.value)
