"""Which column a header means."""

from __future__ import annotations

import pytest

from qbase.core import DataError
from qbase.tables import (
    find_contract,
    header_match,
    match_headers,
    normalise_header,
    parse_contract,
    read_contract,
    split_unit,
)

CHINESE = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("合格率（%）", ("合格率", "%")),
        ("合格率（％）", ("合格率", "%")),
        ("产值(万元)", ("产值", "万元")),
        ("主营收入 （单位：亿元）", ("主营收入", "亿元")),
        ("Output (unit: CNY)", ("Output", "CNY")),
        ("合格率", ("合格率", "")),
        ("（%）", ("（%）", "")),
        ("a(b)(c)", ("a(b)", "c")),
    ],
)
def test_units_in_brackets(header, unit):
    assert split_unit(header) == unit


def test_headers_in_chinese_english_and_mixed_spellings():
    contract = read_contract("inspections")
    for given in (
        CHINESE,
        [c.text.en for c in contract.columns if c.required],
        [c.name for c in contract.columns if c.required],
        [" 抽样　编号", "抽查\n级别", "ＳＡＭＰＬＥ＿ＤＡＴＥ", "Domain", "sample type", "受检单位", "PRODUCT", "结论"],
    ):
        match = match_headers(given, contract)
        assert match.is_complete, given
        assert match.unknown == ()
        assert match.score == 1.0
        assert sorted(match.mapping.values()) == sorted(c.name for c in contract.columns if c.required)


def test_unknown_missing_and_doubled_are_told_apart():
    match = match_headers([*CHINESE[:-1], "备注", "", "  ", "标称生产企业"], read_contract("inspections"))
    assert match.unknown == ("备注",)
    assert match.missing == ("result",)
    assert match.doubled == ("firm_name",)
    assert not match.is_complete
    assert match.score == pytest.approx(8 / 9)


def test_a_whole_header_beats_the_one_without_its_bracket():
    text = """
name = "rates"
version = 1
zh = "率"
en = "Rates"
[[column]]
name = "rate"
zh = "合格率"
en = "Rate"
type = "number"
[[column]]
name = "rate_share"
zh = "合格率(小数)"
en = "Share"
type = "number"
"""
    match = match_headers(["合格率（小数）", "合格率（%）"], parse_contract(text))
    assert dict(match.mapping) == {"合格率（小数）": "rate_share", "合格率（%）": "rate"}
    assert dict(match.units) == {"合格率（%）": "%"}


def test_find_contract():
    assert find_contract([*CHINESE, "备注"]) == "inspections"
    assert find_contract(["集群编号", "区划代码", "行业代码", "集群名称"]) == "clusters"
    assert find_contract(["姓名", "电话"]) is None
    assert find_contract([]) is None


def test_find_contract_refuses_to_guess(monkeypatch):
    twin = read_contract("towns")
    monkeypatch.setattr(header_match, "list_contracts", lambda: ["towns", "villages"])
    monkeypatch.setattr(header_match, "read_contract", lambda name: twin if name == "towns" else _named(twin, name))
    with pytest.raises(DataError) as caught:
        find_contract(["区划代码", "乡镇名称", "县"])
    assert caught.value.code == "QB153"
    assert "towns, villages" in caught.value.what_en


def _named(contract, name):
    import dataclasses

    return dataclasses.replace(contract, name=name)


def test_normalise_header_removes_what_nobody_sees():
    assert normalise_header("\ufeff抽样\u200b编 号\n") == "抽样编号"
