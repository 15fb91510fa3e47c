"""Headers and credit codes under arbitrary text."""

from __future__ import annotations

import unicodedata

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.tables import build_uscc, find_uscc_fault, is_uscc, normalise_header, split_unit, uscc_sql
from qbase.tables.credit_code import ALPHABET

prefixes = st.tuples(st.text(ALPHABET, min_size=2, max_size=2), st.text("0123456789", min_size=6, max_size=6))
orgs = st.text(ALPHABET, min_size=8, max_size=8)
headers = st.text(max_size=30)
spaces = st.text(" \t\n\u3000\u00a0\u200b_", max_size=3)


@given(prefixes, orgs, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_a_built_code_is_sound_and_every_change_of_one_character_is_noticed(prefix, org, place, character):
    code = build_uscc("".join(prefix), org)
    assert is_uscc(code)
    changed = code[:place] + character + code[place + 1 :]
    assert is_uscc(changed) == (changed == code)


@pytest.fixture(scope="module")
def ask():
    with duckdb.connect() as con:
        query = f"SELECT {uscc_sql('t')} FROM (SELECT ?::VARCHAR AS t)"  # noqa: S608
        yield lambda code: con.execute(query, [code]).fetchone()[0]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=20).filter(lambda t: "\x00" not in t),
        st.text(ALPHABET + "IOSVZa", min_size=17, max_size=19),
        st.builds(lambda p, o: build_uscc("".join(p), o), prefixes, orgs),
        st.builds(
            lambda p, o, c: build_uscc("".join(p), o)[:16] + c,
            prefixes,
            orgs,
            st.text(ALPHABET, min_size=2, max_size=2),
        ),
    )
)
def test_the_sql_of_the_code_agrees_with_python(ask, code):
    assert ask(code) == (find_uscc_fault(code) == "")


def test_the_sql_of_no_code_is_null(ask):
    assert ask(None) is None


@given(headers)
def test_one_spelling_is_final(header):
    assert normalise_header(normalise_header(header)) == normalise_header(header)


@given(st.lists(st.sampled_from("抽样编号合格率AbZz09%"), min_size=1), st.lists(spaces, min_size=12, max_size=12))
def test_width_case_and_space_do_not_matter(characters, gaps):
    wide = {c: chr(ord(c) + 0xFEE0) for c in "AbZz09%"}
    plain = "".join(characters)
    odd = "".join(gaps[i % 12] + wide.get(c, c).upper() for i, c in enumerate(characters))
    assert normalise_header(odd) == normalise_header(plain)


@given(st.text("产值合格率 ab", min_size=1).filter(str.strip), st.sampled_from(["%", "万元", "t/a", "kg CO2"]))
def test_a_unit_comes_off_and_the_name_stays(name, unit):
    for left, right in (("(", ")"), ("（", "）")):
        assert split_unit(f"{name}{left}{unit}{right}") == (name.strip(), unit)


@given(headers)
def test_splitting_loses_nothing_but_the_bracket(header):
    name, unit = split_unit(header)
    joined = unicodedata.normalize("NFKC", name + unit)
    assert set(joined) <= set(unicodedata.normalize("NFKC", header))
