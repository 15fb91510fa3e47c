"""English names of what has none on record: terms, places by their official reading, pinyin."""

from __future__ import annotations

import re

import pytest

from qbase.core.shown.english_names import name_in_english, name_text
from qbase.core.text import Text

# readings of the divisions in English publications of the National Bureau of Statistics and of the counties themselves
OFFICIAL = {
    "漯河市": "Luohe City", "长葛市": "Changge City", "繁峙县": "Fanshi County", "宁都县": "Ningdu County",
    "大城县": "Daicheng County", "六安市": "Lu'an City", "乐清市": "Yueqing City", "尉犁县": "Yuli County",
    "枞阳县": "Zongyang County", "浚县": "Xun County", "乐陵市": "Laoling City", "洪洞县": "Hongtong County",
    "六合区": "Luhe District", "涡阳县": "Guoyang County", "宕昌县": "Tanchang County", "长垣市": "Changyuan City",
    "朝阳市": "Chaoyang City", "都匀市": "Duyun City", "丰都县": "Fengdu County", "重庆市": "Chongqing City",
    "东阿县": "Dong'e County", "吕梁市": "Lüliang City", "盛泽镇": "Shengze Town", "衙前镇": "Yaqian Town",
}  # fmt: skip


@pytest.mark.parametrize("zh", OFFICIAL)
def test_a_place_is_read_as_its_office_reads_it(zh):
    assert name_in_english(zh) == OFFICIAL[zh]


def test_a_name_on_record_stays_and_a_label_in_both_languages_is_parted():
    assert name_text("望埭镇", "Wangdai") == Text("望埭镇", "Wangdai")
    assert name_text("云泽省（虚构，模拟数据）/ Yunze (fictional, simulated)") == Text(
        "云泽省（虚构，模拟数据）", "Yunze (fictional, simulated)"
    )
    assert name_text("S0014") == Text("S0014", "S0014")


def test_a_reading_inside_a_longer_name_is_corrected():
    assert name_in_english("漯河市化纤检验所") == "Luo he shi hua xian jian yan suo"


@pytest.mark.parametrize("zh", ["质检甲所（省）、二部", "某某“长丝”公司：一厂", "涤纶", "〇七厂A线"])
def test_no_chinese_character_or_mark_is_left(zh):
    assert not re.search(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef“”]", name_in_english(zh))
