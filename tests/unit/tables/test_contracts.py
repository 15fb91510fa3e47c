"""Contracts: the shipped ones are sound, and a wrong one is refused with the reason."""

from __future__ import annotations

import duckdb
import pytest

from qbase.core import DataError, Text, UsageError
from qbase.tables import (
    check_rows_sql,
    contract_sql,
    list_contracts,
    parse_contract,
    read_contract,
    read_industries,
    typed_select_sql,
)
from qbase.tables.contracts import table_title

SOUND = """
name = "toys"
version = 1
zh = "玩具"
en = "Toys"
key = ["toy_id"]
[[column]]
name = "toy_id"
zh = "编号"
en = "Id"
type = "code"
[[column]]
name = "grade"
zh = "等级"
en = "Grade"
type = "enum"
required = false
null = "not graded"
[column.values]
good = ["优"]
bad = ["劣"]
[[column]]
name = "mass"
zh = "质量"
en = "Mass"
type = "number"
unit = "kg"
min = 0
max = 10
required = false
null = "not weighed"
"""


@pytest.mark.parametrize("name", list_contracts())
def test_every_shipped_contract_runs_as_sql(name):
    contract = read_contract(name)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE given AS SELECT '' AS extra WHERE false")
        checked = con.sql(check_rows_sql(contract, "given"))
        assert checked.columns[-1] == "reasons"
        assert set(contract.column_names) < set(checked.columns)
        assert con.sql(typed_select_sql(contract, "given")).columns == list(contract.column_names)


@pytest.mark.parametrize("name", list_contracts())
def test_every_shipped_contract_speaks_both_languages(name):
    contract = read_contract(name)
    texts = [contract.name_text, *(c.text for c in contract.columns), *(r.text for r in contract.rules)]
    assert all(any("\u4e00" <= ch <= "\u9fff" for ch in t.zh) and t.en.isascii() for t in texts)
    assert contract.key


def test_the_tables_of_the_first_slice_are_there():
    assert {"towns", "clusters", "firms", "inspections", "policies", "spells"} <= set(list_contracts())
    inspections = read_contract("inspections")
    assert inspections.key == ("sample_no",)
    assert inspections.column("result").values["fail"][0] == "不合格"
    assert inspections.period_column == "sample_date"


def test_unknown_names_say_what_there_is():
    with pytest.raises(UsageError, match="QB150") as caught:
        read_contract("inspection")
    assert "inspections" in caught.value.expected
    with pytest.raises(UsageError, match="QB152"):
        read_contract("towns").column("nope")


def test_a_sound_contract_is_frozen():
    contract = parse_contract(SOUND)
    assert contract.column("mass").unit == "kg"
    assert contract.column("toy_id").required
    with pytest.raises(AttributeError):
        contract.name = "other"
    with pytest.raises(TypeError):
        contract.columns[1].values["good"] = ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('unit = "kg"', 'units = "kg"', "units"),
        ('type = "number"', 'type = "float"', "float"),
        ('null = "not weighed"', "", "null"),
        ('null = "not weighed"', 'null = " "', "null"),
        ('en = "Id"', 'en = "Id"\nnull = "x"', "null"),
        ('en = "Id"', "", "no en"),
        ('[column.values]\ngood = ["优"]\nbad = ["劣"]', "", "without values"),
        ('bad = ["劣"]', 'bad = ["优"]', "优"),
        ('bad = ["劣"]', 'bad = ["GOOD"]', "good"),
        ('bad = ["劣"]', 'bad = "劣"', "list"),
        ("max = 10", 'max = "today"', "max = 'today'"),
        ('unit = "kg"', 'unit = "kg"\ncounts = ["mass"]', "two columns"),
        ('unit = "kg"', 'unit = "kg"\ncounts = ["mass", "nope"]', "nope"),
        ("version = 1", 'version = 1\nrepeats = ["nope"]', "repeats nope"),
        ("version = 1", 'version = 1\nrepeats = ["toy_id"]', "repeats toy_id"),
        ("min = 0", 'min = "0"', "min"),
        ("min = 0", "min = 11", "min 11"),
        ('zh = "编号"', 'zh = "编号"\nmax = 3', "max"),
        ('name = "mass"', 'name = "grade"', "grade"),
        ('name = "mass"', 'name = "Mass"', "Mass"),
        ('zh = "质量"', 'zh = "等 级"', "等级"),
        ('key = ["toy_id"]', 'key = ["grade"]', "key grade"),
        ('key = ["toy_id"]', 'key = ["toy_id"]\nperiod_column = "mass"', "period_column"),
        ('zh = "编号"', 'zh = "编号"\npattern = "("', "pattern"),
        ('zh = "编号"', 'zh = "编号"\ncheck = "luhn"', "luhn"),
        ('zh = "编号"', 'zh = "编号"\nrequired = "no"', "required"),
        ("version = 1", "version = 0", "version"),
        ("version = 1", "version = 1\nowner = 3", "owner"),
        ("version = 1", "version = ", "TOML"),
        ('unit = "kg"', 'unit = "kg"\n[[rule]]\ncode = "r"\nzh = "规"\nen = "r"', "sql"),
    ],
)
def test_a_wrong_contract_is_refused_with_the_reason(old, new, says):
    assert old in SOUND
    with pytest.raises(DataError) as caught:
        parse_contract(SOUND.replace(old, new), origin="toys.toml")
    assert caught.value.code == "QB151"
    assert "toys.toml" in caught.value.what_en
    assert says in caught.value.found + caught.value.expected


def test_reason_codes_name_column_and_check():
    codes = set(contract_sql(read_contract("inspections")))
    assert {"result:missing", "result:enum", "sample_date:date", "sample_date:range", "uscc:check"} <= codes
    assert "rule:recheck_has_parent" in codes
    assert "parent_no:missing" not in codes


def test_industries_of_division_28():
    industries = read_industries()
    assert set(industries) == {"2811", "2812", *(f"282{i}" for i in "1234569"), "2831", "2832"}
    assert industries["2822"].zh == "涤纶纤维制造"


def test_what_a_reader_meets_as_a_source_has_a_name_for_readers():
    assert table_title("identity_links") == Text("企业对应关系", "Links of printed names to firms")
    assert table_title("inspections") is not None
    assert table_title("no_such_table") is None
