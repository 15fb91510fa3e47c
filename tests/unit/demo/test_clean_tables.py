"""The clean tables keep their contracts, and the codes in them are valid without being anybody's."""

import functools
import re

import duckdb
import pandas as pd
import pytest

from qbase.demo import Province, build_province
from qbase.demo.sending.tidy_files import spell
from qbase.tables import list_contracts, read_contract
from qbase.tables.contract_rules import check_rows_sql
from qbase.tables.credit_code import is_uscc
from qbase.tables.header_match import find_contract

TABLES = sorted(build_province("small", seed=7).tables)


@functools.cache
def small() -> Province:
    return build_province("small", seed=7)


def written(table: str) -> pd.DataFrame:
    header, *rows = spell(table, small().tables[table])
    names = list(small().tables[table].columns)
    assert header == [read_contract(table).column(n).text.zh for n in names]
    return pd.DataFrame([["" if c is None else str(c) for c in row] for row in rows], columns=names)


def test_every_contract_has_its_table_and_the_other_way_round():
    assert set(list_contracts()) >= set(TABLES)
    ours = {name for name in list_contracts() if name in TABLES}
    assert len(ours) >= 30


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_every_table_keeps_its_contract(table):
    raw = written(table)
    with duckdb.connect() as connection:
        connection.register("raw_rows", raw)
        checked = connection.execute(check_rows_sql(read_contract(table), "raw_rows")).df()
    assert {reason for reasons in checked["reasons"] for reason in reasons} == set()
    assert len(raw) > 0


@pytest.mark.parametrize("table", TABLES)
def test_keys_are_unique_and_all_columns_belong_to_the_contract(table):
    frame, contract = small().tables[table], read_contract(table)
    assert set(frame.columns) <= set(contract.column_names)
    assert not frame.duplicated(list(contract.key)).any()


@pytest.mark.parametrize("table", TABLES)
def test_a_delivery_is_recognised_by_its_chinese_headers(table):
    assert find_contract([str(h) for h in spell(table, small().tables[table].head(1))[0]]) == table


def test_codes_are_valid_and_lie_in_a_block_nobody_holds():
    firms = small().tables["firms"]
    assert firms["uscc"].is_unique
    assert all(is_uscc(code) and code.startswith("9199") for code in firms["uscc"])
    assert all(re.fullmatch(r"99\d{7}", code) for code in small().tables["towns"]["town_code"])


def test_firm_names_are_distinct_and_chinese():
    names = small().tables["firm_names"]["firm_name"]
    assert names.is_unique
    assert all(re.fullmatch(r"[\u4e00-\u9fff]{6,}", name) for name in names)


def test_the_story_of_the_policy_text_is_in_it():
    tables = small().tables
    first = tables["clusters"].iloc[0]
    assert (first["industry_code"], first["cohort_code"], first["adopt_date"]) == ("2822", "2022Q3", "2022-08-10")
    spell_of_it = tables["spells"].query("entity_id == 'K001' and policy_id == 'base'")
    assert spell_of_it["start_quarter"].tolist() == ["2022Q3"]
    assert "虚构" in tables["policies"]["date_source"].iloc[0]
    brothers = tables["clusters"].query("industry_code == '2822'").iloc[1:]
    assert len(brothers) == 2
    assert (brothers["cohort_code"] == "").all()
    assert {"dose_w1", "dose_w7", "has_s1", "has_s5"} <= set(tables["instruments"].columns)
    assert set(tables["targets"]["horizon"]) == {"near", "long"}


def test_a_target_without_a_number_in_the_text_has_none():
    targets = small().tables["targets"].set_index("indicator_id")["value"]
    assert pd.isna(targets["N5"])
    assert targets["N3"] == 100


def test_foreign_keys_hold():
    tables = small().tables
    firms, clusters = set(tables["firms"]["firm_id"]), set(tables["clusters"]["cluster_id"])
    for name, frame in tables.items():
        if "firm_id" in frame:
            assert set(frame["firm_id"]) <= firms, name
        if "cluster_id" in frame:
            assert set(frame["cluster_id"]) <= clusters, name
    assert set(tables["inspections"]["uscc"]) <= set(tables["firms"]["uscc"])
    assert set(tables["items"]["sample_no"]) == set(tables["inspections"]["sample_no"])
    assert set(tables["inspections"]["notice_no"]) == set(tables["notices"]["notice_no"])
