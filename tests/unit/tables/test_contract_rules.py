"""Contracts as SQL: the row check and the typed rows."""

from __future__ import annotations

import datetime

import duckdb
import pytest

from qbase.tables import check_rows_sql, parse_contract, read_contract, typed_select_sql
from qbase.tables.credit_code import uscc_check_char

GOOD = {
    "sample_no": "S1",
    "level": "省",
    "sample_date": "2022-08-10",
    "domain": "生产",
    "sample_type": "双随机",
    "uscc": "91110000600037341L",
    "firm_name": "甲厂",
    "product_name": "涤纶",
    "result": "合格",
}

# The inner digit (GB 11714) is wrong, the outer one (GB 32100) fits it.
WRONG_INSIDE = "91110000600037342" + uscc_check_char("91110000600037342")


def _reasons(contract, **cells):
    with duckdb.connect() as con:
        names = ", ".join(f"${n} AS {n}" for n in cells)
        return con.execute(check_rows_sql(contract, f"(SELECT {names})"), cells).df()["reasons"][0].tolist()


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, []),
        ({"result": "FAIL"}, []),
        ({"result": " 不合格 "}, []),
        ({"result": "未检"}, ["result:enum"]),
        ({"result": ""}, ["result:missing"]),
        ({"result": None}, ["result:missing"]),
        ({"sample_date": "2022-02-30"}, ["sample_date:date"]),
        ({"sample_date": "2022-8-1"}, ["sample_date:date"]),
        ({"sample_date": "1985-01-01"}, ["sample_date:range"]),
        ({"uscc": ""}, []),
        ({"uscc": "91110000600037341M"}, ["uscc:check"]),
        ({"uscc": WRONG_INSIDE}, ["uscc:check"]),
        ({"is_recheck": "是"}, ["rule:recheck_has_parent"]),
        ({"is_recheck": "是", "parent_no": "S0"}, []),
        ({"is_recheck": "", "parent_no": ""}, []),
        ({"parent_no": "S1"}, ["rule:parent_is_another"]),
        ({"result": "?", "level": "镇"}, ["level:enum", "result:enum"]),
    ],
)
def test_reasons_of_an_inspection(change, reasons):
    assert _reasons(read_contract("inspections"), **{**GOOD, **change}) == reasons


NUMBERS = """
name = "numbers"
version = 1
zh = "数"
en = "Numbers"
[[column]]
name = "i"
zh = "整"
en = "Whole"
type = "int"
required = false
null = "none"
min = -5
max = 5
[[column]]
name = "x"
zh = "数"
en = "Number"
type = "number"
required = false
null = "none"
[[column]]
name = "q"
zh = "季"
en = "Quarter"
type = "quarter"
required = false
null = "none"
min = "2016Q1"
[[column]]
name = "b"
zh = "是否"
en = "Yes"
type = "bool"
required = false
null = "none"
[[column]]
name = "c"
zh = "码"
en = "Code"
type = "code"
pattern = '\\d{3}'
required = false
null = "none"
"""


@pytest.mark.parametrize(
    ("column", "text", "value", "reasons"),
    [
        ("i", "5", 5, []),
        ("i", "+3", 3, []),
        ("i", "1.5", None, ["i:int"]),
        ("i", "1e3", None, ["i:int"]),
        ("i", "99999999999999999999", None, ["i:int"]),
        ("i", "6", 6, ["i:range"]),
        ("x", "-.5e1", -5.0, []),
        ("x", "1e400", None, ["x:number"]),
        ("x", "nan", None, ["x:number"]),
        ("x", "inf", None, ["x:number"]),
        ("x", "1,000", None, ["x:number"]),
        ("q", "2022Q3", "2022Q3", []),
        ("q", "2022Q5", None, ["q:quarter"]),
        ("q", "2015Q4", "2015Q4", ["q:range"]),
        ("b", "是", True, []),
        ("b", "0", False, []),
        ("b", "无", None, ["b:bool"]),
        ("c", "007", "007", []),
        ("c", "7", "7", ["c:pattern"]),
        ("c", "", None, []),
    ],
)
def test_types(column, text, value, reasons):
    contract = parse_contract(NUMBERS)
    assert _reasons(contract, **{column: text}) == reasons
    if not reasons:
        with duckdb.connect() as con:
            row = con.execute(typed_select_sql(contract, f"(SELECT $t AS {column})"), {"t": text}).fetchone()
        assert row[contract.column_names.index(column)] == value


def test_rows_keep_their_order_columns_and_cells():
    contract = read_contract("towns")
    with duckdb.connect() as con:
        con.execute(
            "CREATE TABLE given AS SELECT i AS row_no, '99010' || (i % 10) AS town_code, ' 镇 ' AS town_name, "
            "CASE WHEN i % 3 = 0 THEN NULL ELSE '县' END AS county_name FROM range(5000) t(i)"
        )
        con.execute("CREATE TABLE checked AS " + check_rows_sql(contract, "given"))
        rows = con.sql("SELECT row_no, town_name, reasons FROM checked").fetchall()
        assert [r[0] for r in rows] == list(range(5000))
        assert rows[0][1:] == (" 镇 ", ["county_name:missing"])
        assert rows[1][1:] == (" 镇 ", [])
        once = con.sql(typed_select_sql(contract, "given", keep=["row_no"])).fetchall()
        stored = con.sql(typed_select_sql(contract, "checked", keep=["row_no"], is_checked=True)).fetchall()
        assert once == stored
        assert len(once) == sum(1 for i in range(5000) if i % 3)
        assert once[0] == ("990101", "镇", "县", None, None, None, 1)


def test_typed_rows_have_the_types_of_the_contract():
    with duckdb.connect() as con:
        con.execute("CREATE TABLE given AS SELECT " + ", ".join(f"'{v}' AS {k}" for k, v in GOOD.items()))
        row = con.sql(typed_select_sql(read_contract("inspections"), "given"))
        typed = dict(zip(row.columns, row.fetchall()[0], strict=True))
    assert typed["sample_date"] == datetime.date(2022, 8, 10)
    assert (typed["level"], typed["result"], typed["is_recheck"]) == ("province", "pass", None)
