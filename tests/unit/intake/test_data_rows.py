from __future__ import annotations

import pytest

from qbase.intake.finding.data_rows import find_layout
from qbase.intake.reading.raw_grid import build_grid

HEADER = ["编号", "名称", "结果"]


def reasons(*rows: list[str]) -> dict[int, str]:
    layout = find_layout(build_grid(rows))
    assert layout is not None
    return layout.listed


def test_blank_repeated_total_and_note_rows_are_listed() -> None:
    found = reasons(
        [], ["", " ", "\u3000"], HEADER, ["1", "甲", "合格"], HEADER, ["小计", "", "1"], ["2", "乙", "合格"],
        ["合 计", "", "2"], ["注：数据为初步数", "", ""], ["来源：某局"],
    )  # fmt: skip
    assert found == {
        0: "blank_row", 1: "blank_row", 2: "header", 4: "repeated_header", 5: "total_row", 7: "total_row",
        8: "note_row", 9: "note_row",
    }  # fmt: skip


def test_a_firm_called_total_is_data() -> None:
    assert reasons(["name", "code", "result"], ["Total", "7", "pass"]) == {0: "header"}


def test_a_note_inside_the_data_is_a_broken_row() -> None:
    assert reasons(HEADER, ["注：见下", "", ""], ["1", "甲", "合格"]) == {0: "header"}


def test_a_text_that_begins_like_a_note_is_data() -> None:
    assert reasons(HEADER, ["1", "注塑机厂", "合格"], ["总装1", "x", "y"]) == {0: "header"}


@pytest.mark.parametrize("rows", [[], [[]], [["", ""], []]])
def test_nothing_but_blank_rows_has_no_layout(rows: list[list[str]]) -> None:
    assert find_layout(build_grid(rows)) is None


def test_a_product_named_like_a_total_is_data_unless_only_numbers_follow() -> None:
    rows = [["电度表累计", "甲厂", ""], ["全县合计", "", "12批次"], ["1—9月累计", "12批次", ""]]
    assert reasons(HEADER, *rows) == {0: "header", 2: "total_row", 3: "total_row"}


def test_who_filled_in_the_form_is_a_note_even_in_several_cells() -> None:
    assert reasons(HEADER, ["1", "甲", "合格"], ["填表人：张三", "", "审核人：李四"]) == {0: "header", 2: "note_row"}


def test_rows_above_the_header_are_titles_and_a_unit_line() -> None:
    header = ["区划代码", "乡镇名称", "县名称"]
    assert reasons(["云泽省乡镇表"], ["", "", "单位：万元"], header, ["1", "甲", "乙"]) == {
        0: "title_row", 1: "unit_row", 2: "header",
    }  # fmt: skip
