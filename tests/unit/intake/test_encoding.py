from __future__ import annotations

import pytest

from qbase.core.errors import DataError
from qbase.intake.reading.encoding import decode_text

TEXT = "抽样编号,检验结果\nS1,合格\nS2,不合格\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("gbk"), "gb18030"),
        (("𠮷" + TEXT).encode("gb18030"), "gb18030"),
        (TEXT.encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16-be"),
        (b"a,b\n1,2\n", "utf-8"),
    ],
)
def test_encoding_is_found_and_the_text_is_kept(data: bytes, encoding: str) -> None:
    text, found = decode_text(data)
    assert found == encoding
    assert text.decode().removeprefix("𠮷") == (TEXT if not data.startswith(b"a") else "a,b\n1,2\n")


def test_valid_utf8_wins_even_where_gb18030_could_read_it() -> None:
    data = "浼佷笟".encode()
    assert decode_text(data) == (data, "utf-8")


@pytest.mark.parametrize("word", ["一", "联通", "一丁", "我是中国人"])
def test_a_short_gbk_word_that_happens_to_be_utf8_is_not_taken_for_a_mixture(word: str) -> None:
    text = f"名称\n不合格产品\n{word}\n"
    assert decode_text(text.encode("gbk")) == (text.encode(), "gb18030")


def test_bytes_of_neither_encoding_name_both_lines() -> None:
    data = "名称\n合格\n".encode() + b"\xff\xff,1\n"
    with pytest.raises(DataError, match="QB312") as caught:
        decode_text(data)
    assert "line 3: not UTF-8" in caught.value.found


def test_utf8_lines_inside_a_gbk_file_are_refused_with_the_line() -> None:
    data = "企业,结果\n甲厂,合格\n".encode("gbk") + "化纤企业,合格\n".encode()
    with pytest.raises(DataError, match=r"QB31[23]") as caught:
        decode_text(data)
    assert "line 3" in caught.value.found


def test_gbk_line_inside_a_utf8_file_is_refused() -> None:
    data = ("企业名称,结果\n" * 3).encode() + "甲厂,不合格\n".encode("gbk")
    with pytest.raises(DataError, match="QB313") as caught:
        decode_text(data)
    assert caught.value.found == "line 1: UTF-8; line 4: GB18030"


@pytest.mark.parametrize("char", ["\ue000", "\uf8ff", "\U000f0000", "\u0378", "\ufdd0"])
def test_private_and_unassigned_characters_are_refused_with_the_line(char: str) -> None:
    with pytest.raises(DataError, match="QB314") as caught:
        decode_text(f"名称\n甲\n乙{char}\n".encode())
    assert caught.value.found.startswith("line 3: U+")


def test_truncated_utf16_is_refused() -> None:
    with pytest.raises(DataError, match="QB312"):
        decode_text("名称".encode("utf-16") + b"\x00")


@pytest.mark.parametrize(
    ("word", "encoding"),
    [
        ("Müller Köln", "cp1252"),
        ("MÜLLER", "cp1252"),
        ("São João Ltda", "cp1252"),
        ("naïve", "cp1252"),
        ("Müller", "cp437"),
        ("Müller Köln", "mac_roman"),
        ("株式会社東京", "shift_jis"),
        ("株式会社東京", "euc_jp"),
        ("한국섬유", "euc_kr"),
    ],
)
def test_other_legacy_encodings_that_are_valid_gb18030_are_refused(word: str, encoding: str) -> None:
    data = f"sample no,firm\nS1,plain\nS2,{word}\n".encode(encoding)
    with pytest.raises(DataError, match="QB337") as caught:
        decode_text(data)
    assert caught.value.found.startswith("line 3: ")
    assert decode_text(data, "gb18030")[1] == "gb18030"  # who says so in a recipe is believed


@pytest.mark.parametrize("firm", ["鑫淼喆纺织厂", "3M中国有限公司", "A堃公司", "邨里𠮷厂", "TCL镕创电器"])
def test_rare_signs_of_names_stay_where_the_text_is_chinese(firm: str) -> None:
    text = f"企业名称,产品\n{firm},涤纶长丝 5mm×3mm\n"
    assert decode_text(text.encode("gb18030")) == (text.encode(), "gb18030")
