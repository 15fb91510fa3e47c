from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qbase.core.text import Text
from qbase.intake.values import row_account as account
from qbase.intake.values.cell_values import build_reader, plain_number, read_column
from qbase.intake.values.nothing_words import is_ditto, refers_elsewhere
from qbase.intake.values.plain_cells import SAMPLE
from qbase.tables import ColumnRule, list_contracts, read_contract


def column(kind: str, **fields: object) -> ColumnRule:
    return ColumnRule(name="x", text=Text("某列", "x"), type=kind, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        "2022-08-10",
        "2022/8/10",
        "2022.8.10",
        "20220810",
        "2022年8月10日",
        "２０２２年８月１０日",
        " 2022-8-10 ",
        "2022-08-10 00:00:00",
    ],
)
def test_declared_date_forms(raw: str) -> None:
    assert build_reader(column("date"))(raw)[0] == "2022-08-10"


@pytest.mark.parametrize(
    "raw", ["45322", "31/01/2024", "2024-02-30", "2022-08", "2022年8月", "22-8-10", "2022-8/10", "2022-08-10 25:23:11"]
)
def test_other_dates_stay_as_they_are_for_the_contract_to_refuse(raw: str) -> None:
    assert build_reader(column("date"))(raw) == (raw, "")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("1,234.5", "1234.5"), ("１２３", "123"), ("－5", "-5"), ("−5", "-5"), ("+3.0", "3"), ("1e3", "1000"),
        ("-0.0", "0"), ("１，２３４", "1234"), (".5", "0.5"),
    ],
)  # fmt: skip
def test_numbers_get_one_spelling(raw: str, value: str) -> None:
    assert build_reader(column("number"))(raw)[0] == value


@pytest.mark.parametrize(
    "raw", ["(1", "1.2万元", "1 234", "12%", "1,23", "12,34,567", "abc", "0x10", "1_000", "nan", "inf", "…"]
)
def test_texts_that_are_no_number_are_left_alone(raw: str) -> None:
    assert build_reader(column("number"))(raw) == (raw, "")


@pytest.mark.parametrize(
    "text",
    ["nan", "NaN", "-nan", "snan", "inf", "-inf", "1_000", "١٢", "１２", " 1", "1 ", "", "1e", "0x1", "1e400"],
)
def test_what_only_a_program_takes_for_a_number_is_none_anywhere(text: str) -> None:
    assert plain_number(text) is None
    assert account.sum_text(pa.array([text, "2"])) == 2
    assert account.sum_changes([(text, "2")]) == -2


def test_percent_signs_belong_to_percentages_only() -> None:
    reader = build_reader(column("number", unit="pct"))
    assert [reader(raw)[0] for raw in ("97.5%", "９７．５％", "97.5")] == ["97.5"] * 3


@pytest.mark.parametrize(
    ("raw", "code"), [("1e400", "!too_large"), ("1e-400", "!too_large"), ("0.12345678901234567890", "!too_many_digits")]
)
def test_numbers_that_cannot_be_kept_are_set_aside(raw: str, code: str) -> None:
    assert build_reader(column("number"))(raw)[1] == code


@pytest.mark.parametrize(
    "raw", ["007", "011000", "911100006000373", "GB/T 8960-2015", "1/2", "2022E00123", "73928e03", "2026年第3期", "0"]
)
def test_codes_stay_text(raw: str) -> None:
    assert build_reader(column("code"))(raw) == (raw, "")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("9.11E+17", "!scientific"),
        ("1E5", "!scientific"),
        ("410032.0", "!decimal_code"),
        ("a\0b", "!control_character"),
        ("a\ufffdb", "!control_character"),
    ],
)
def test_damaged_codes_are_set_aside(raw: str, code: str) -> None:
    assert build_reader(column("code"))(raw)[1] == code


def test_codes_lose_what_cannot_be_seen_and_say_so() -> None:
    reader = build_reader(column("code"))
    assert reader("\u200bS１\ufeff") == ("S1", "invisible")
    assert reader("Ｓ１") == ("S1", "fullwidth")
    assert reader("\u3000S1\u00a0") == ("S1", "")


def test_missing_marks_are_the_declared_ones() -> None:
    optional = column("text", required=False, null="unknown")
    reader = build_reader(optional)
    assert [reader(raw)[0] for raw in ("", " ", "/", "／", "—", "\u200b")] == [None] * 6
    assert [reader(raw)[0] for raw in ("NR", "0", "无锡", "Nanotec")] == ["NR", "0", "无锡", "Nanotec"]
    assert build_reader(optional, missing=frozenset({"", "NR"}))("NR")[0] is None


def test_choices_go_by_the_spellings_of_the_contract() -> None:
    inspections = read_contract("inspections")
    result = build_reader(inspections.column("result"))
    assert [result(raw)[0] for raw in ("合格", "不合格", "PASS", " fail ")] == ["pass", "fail", "pass", "fail"]
    assert result("基本合格") == ("基本合格", "")
    assert build_reader(inspections.column("is_recheck"))("是")[0] == "true"


def test_a_recipe_says_what_words_mean() -> None:
    reader = build_reader(read_contract("inspections").column("result"), values={"Pass w/ Conditions": "pass"})
    assert reader("Pass w/ Conditions") == ("pass", "")


def test_a_column_is_read_with_the_rows_of_every_code() -> None:
    raw = pa.chunked_array([["S1", "1E5", "Ｓ２"], ["1E5", ""]])
    reading = read_column(raw, build_reader(column("code")))
    assert reading.values.to_pylist() == ["S1", "1E5", "S2", "1E5", None]
    assert {code: rows.tolist() for code, rows in reading.codes.items()} == {"!scientific": [1, 3], "fullwidth": [2]}


def test_plain_number_keeps_the_value() -> None:
    assert plain_number("00012.500") == "12.5"
    assert plain_number("1e400") is None


ODD = [
    "同上",
    "以上同",
    "见上表",
    "如上左",
    "同第1行",
    "同左侧",
    "仝上",
    "上同",
    "无",
    "空白",
    "暂无数据",
    "不详",
    "NULL",
    "n/a",
    "--",
    "0",
    "000",
    "0000000",
    "1E05",
    "1E5",
    "12E03",
    "9.11E+17",
    "3-1",
    "12-Jan",
    "2022-08-10",
    "合计",
    "全县合计",
    "其中：甲厂",
    "注：本表",
    "total",
    "Err:502",
    "#N/A",
    '="0012"',
    "'S1-01",
    "S–1",
    "LX001-复",
    "甲厂¹",
    "甲乙丙¹",
    "甲乙丙（东）",
    "甲乙丙(东)",
    "ＬＸ００１",
    "C2822",
    "2822",
    "2022E00123",
    "99002110",
    "990021000",
    "91990021ma01",
    "甲乙\u200b丙",
    "甲乙丙\x07",
    "见山公司",
    "如意公司",
    "A-1-1",
]


def test_what_a_pattern_takes_for_plain_is_read_as_it_is_and_points_nowhere() -> None:
    chance = random.Random(7)
    signs = "09189AEZaers-. /()（甲乙同上以见如无空厂"
    texts = [*ODD, *("".join(chance.choices(signs, k=chance.randrange(1, 9))) for _ in range(4000))]
    taken = 0
    for table in ("inspections", "firms", "town_year", "items", "certifications"):
        for rule in read_contract(table).columns if table in list_contracts() else ():
            reader = build_reader(rule)
            if not reader.plain:
                continue
            is_plain = pc.match_substring_regex(pa.array(texts), f"^(?:{reader.plain})$").to_pylist()
            plain = [text for text, is_so in zip(texts, is_plain, strict=True) if is_so]
            taken += len(plain)
            assert [reader(text) for text in plain] == [(text, "") for text in plain], rule.name
            assert not [text for text in plain if is_ditto(text) or refers_elsewhere(text)], rule.name
    assert taken > 500  # the patterns do take texts


@pytest.mark.parametrize("name", ["sample_no", "uscc", "firm_name", "town_code"])
def test_a_long_column_is_read_like_its_cells(name: str) -> None:
    reader = build_reader(read_contract("inspections").column(name))
    many = {"firm_name": "清沅第{}化纤厂", "town_code": "9{:08d}"}.get(name, "YZ{:08d}")
    texts = [many.format(i + 1) if i % 7 else ODD[i % len(ODD)] for i in range(2 * SAMPLE)]
    read = read_column(pa.chunked_array([texts[:SAMPLE], texts[SAMPLE:]]), reader)
    alone = [reader(text) for text in texts]
    assert read.values.to_pylist() == [value for value, _ in alone]
    marks = {code for _, code in alone if code}
    assert {code: rows.tolist() for code, rows in read.codes.items()} == {
        code: [row for row, (_, own) in enumerate(alone) if own == code] for code in marks
    }
