"""What a recipe can say, and what qbase asks where it is unsure."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.intake import list_recipes, load_files, read_recipe
from qbase.intake.recipes.recipe_toml import parse_recipe
from qbase.lake import Workspace
from tests.unit.intake.written_rows import ZH, load, recipe, row


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


# --- one row per item, repetitions, headlines


ITEMS = [*ZH, "不合格项目", "标准要求", "实测值"]


def test_one_row_per_item_becomes_one_batch_and_its_items(home: Workspace) -> None:
    bad = row(1, 检验结果="不合格")
    rows = [
        ITEMS, [*bad, "断裂强度", "≥3.5", "3.1"], [*bad, "含油率", "≤1", "1.2"], [*row(2), "/", "/", "/"],
        [*row(3, 检验结果="不合格"), "含油率", "≤1", "2"], [*row(3), "断裂强度", "≥3.5", "3"],
    ]  # fmt: skip
    report = load(home, rows, recipe="inspections_items")
    assert report.reasons == {"header": 1, "further_item": 1, "key_conflict": 2}
    assert report.accepted == 2
    items = home.query("SELECT record_no, item_no, item_name, measured_text FROM failed_items ORDER BY 1, 2")
    assert items.to_numpy().tolist() == [["S1", 1, "断裂强度", "3.1"], ["S1", 2, "含油率", "1.2"]]


def test_a_batch_under_two_notices_is_taken_once_and_a_real_conflict_is_not_hidden(home: Workspace) -> None:
    header = [*ZH, "公告号"]
    rows = [header, [*row(1), "甲1"], [*row(1), "乙2"], [*row(2), "甲1"], [*row(2, 检验结果="不合格"), "乙2"]]
    report = load(home, rows, recipe="inspections_serials")
    assert report.reasons == {"header": 1, "repeated_row": 1, "key_conflict": 2}
    assert home.query("SELECT notice_no FROM inspections")["notice_no"].tolist() == ["甲1"]


def test_the_number_in_a_title_above_the_table_is_compared(home: Workspace) -> None:
    body = 'extends = "failure_list"\n[headline]\npattern = \'(\\d+)批次\'\ndistinct = ["record_no"]'
    header = ["抽样编号", "企业名称", "产品名称"]
    rows = [["关于3批次产品不合格的通告"], header, ["S1", "甲", "丝"], ["S2", "乙", "丝"]]
    report = load(home, rows, recipe=recipe(home, body))
    assert report.warnings == ("no_denominator", "关于3批次产品不合格的通告:headline_mismatch 3/2")
    rows = [["关于2批次产品不合格的通告"], header, ["S3", "甲", "丝"], ["S4", "乙", "丝"]]
    assert load(home, rows, "b.csv", recipe=recipe(home, body)).warnings == ("no_denominator",)


def test_stated_counts_wait_for_the_rows_they_are_about(home: Workspace) -> None:
    header = ["公告号", "抽查级别", "季度", "公告日期", "抽查批次数", "不合格批次数"]
    rows = [header, ["甲1", "省", "2022Q3", "2022-10-20", "2", "0"]]
    assert load(home, rows, recipe="notices_headlines").warnings == ("batch_count:not_reconciled 1",)


# --- rates, codes, derived cells


def test_a_rate_its_counts_do_not_prove_is_set_aside(home: Workspace) -> None:
    header = ["区划代码", "年份", "抽查批次数", "合格批次数", "合格率"]
    values = ["97.5", "0.975", "97.5％", "97.5%", "79.5", "9.75", ""]
    rows = [header, *([str(i), "2022", "40", "39", value] for i, value in enumerate(values))]
    report = load(home, rows, recipe="town_rates_mixed")
    assert (report.accepted, report.quarantined) == (5, 2)
    assert report.reasons["pass_rate_pct:against_counts"] == 2
    assert home.query("SELECT DISTINCT pass_rate_pct AS x FROM town_rates WHERE x IS NOT NULL")["x"].tolist() == [97.5]
    flags = home.query("SELECT printed, stored, code, row_no FROM flagged_cells")
    assert flags.to_numpy().tolist() == [["0.975", "97.5", "other_unit", 3]]


def test_a_share_among_percentages_is_remarked_and_never_converted_without_proof(home: Workspace) -> None:
    header = [
        "平台编号",
        "季度",
        "服务企业数",
        "缺检验能力企业数",
        "服务合同数",
        "进厂委托检验批次",
        "进厂检验合格批次",
    ]
    header += ["出厂委托检验批次", "出厂检验合格批次", "咨询计量服务次数", "费用降幅"]
    rows = [header, *([f"P{i}", "2022Q1", *"12345678", value] for i, value in enumerate(("25", "30.5", "0.4")))]
    report = load(home, rows)
    assert [w for w in report.warnings if "may_be_share" in w] == ["fee_cut_pct:may_be_share 1"]


def test_an_unsound_code_is_blanked_and_kept_word_for_word(home: Workspace) -> None:
    header = [*ZH, "统一社会信用代码", "是否复查", "原抽样编号"]
    rows = [
        header, [*row(1), "91110000600037341L", "否", ""], [*row(2), "91110000600037341K", "否", "S1"],
        [*row(3), "", "否", ""],
    ]  # fmt: skip
    report = load(home, rows, recipe="inspections_office")
    assert (report.verdict, report.accepted, report.warnings) == ("WARN", 3, ("uscc:check_blanked 1",))
    flags = home.query("SELECT row_no, column_name, code, printed, stored FROM flagged_cells ORDER BY ALL")
    assert flags.to_numpy().tolist() == [
        [3, "is_recheck", "derived", "false", "true"], [3, "uscc", "check", "91110000600037341K", ""],
        [4, "uscc", "blank", "", ""],
    ]  # fmt: skip


def test_a_mark_stands_for_nothing_only_where_the_recipe_says_so(home: Workspace) -> None:
    header = [*ZH, "原抽样编号"]
    report = load(home, [header, [*row(1, 企业名称="无"), "无"]], recipe="inspections_marks")
    assert report.accepted == 1
    found = home.query("SELECT firm_name, parent_no FROM inspections").iloc[0]
    assert (found["firm_name"], found["parent_no"] is None or found["parent_no"] != found["parent_no"]) == ("无", True)


def test_values_come_from_the_name_of_the_file(home: Workspace) -> None:
    body = 'table = "towns"\n[columns]\n"码" = "town_code"\n"名" = "town_name"\n[from_file]\ncounty_name = "^(.+?县)"'
    report = load(home, [["码", "名"], ["990101001", "甲镇"]], "乙县乡镇.csv", recipe=recipe(home, body))
    assert report.accepted == 1
    assert home.query("SELECT county_name FROM towns")["county_name"].tolist() == ["乙县"]
    refused = load(home, [["码", "名"], ["990101002", "甲镇"]], "乡镇.csv", recipe=recipe(home, body))
    assert refused.error is not None
    assert refused.error["code"] == "QB363"


def test_big5_is_read_where_a_recipe_says_so(home: Workspace) -> None:
    path = home.root / "a.csv"
    path.write_bytes("碼,名\n990101001,臺北鎮\n".encode("big5"))
    body = 'table = "towns"\nencoding = "big5"\n[columns]\n"碼" = "town_code"\n"名" = "town_name"\n'
    body += '[constants]\ncounty_name = "甲县"'
    (report,) = load_files(home, [path], recipe=recipe(home, body))
    assert report.verdict == "OK"
    assert home.query("SELECT town_name FROM towns")["town_name"].tolist() == ["臺北鎮"]


def test_one_value_for_all_rows_proves_nothing_about_re_checks(home: Workspace) -> None:
    body = 'table = "inspections"\n[constants]\nis_recheck = "false"'
    header = [*ZH, "公告号", "检验机构"]
    rows = [header, [*row(1, 检验结果="不合格"), "甲1", "甲所"], [*row(2, 抽样日期="2022-09-10"), "甲1", "甲所"]]
    rows += [[*row(i, 企业名称="乙厂"), notice, "甲所"] for i, notice in ((3, "甲1"), (4, "乙2"))]
    report = load(home, rows, recipe=recipe(home, body))
    assert (report.accepted, report.warnings) == (4, ("likely_recheck 1", "other_notice 1"))


# --- questions and answers


def test_a_header_that_resembles_a_missing_column_is_asked_about_and_remembered(home: Workspace) -> None:
    header = ["抽样编码号", *ZH[1:]]
    report = load(home, [header, row(1)])
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB360")
    assert report.error is not None
    assert report.error["fix"] == 'qbase load FILE --accept "column:抽样编码号=sample_no"'
    again = load(home, [header, row(1)], accept=["column:抽样编码号=sample_no"])
    assert (again.verdict, again.accepted) == ("OK", 1)
    assert (home.root / "data/recipes/tidy.toml").is_file()
    assert load(home, [header, row(2)], "next year.csv").accepted == 1
    assert read_recipe(None, home.root).accept == {"column:抽样编码号=sample_no"}


def test_a_rejected_guess_is_not_made_and_not_asked_again(home: Workspace) -> None:
    rows = [["抽样编码号", *ZH[1:]], row(1)]
    report = load(home, rows, reject=["column:抽样编码号=sample_no"])
    assert report.error is not None
    assert report.error["code"] == "QB321"
    assert not (home.root / "data/recipes").exists()


def test_an_all_failed_list_is_asked_about_and_goes_where_no_rate_is(home: Workspace) -> None:
    rows = [ZH, *(row(i, 检验结果="不合格") for i in range(30))]
    report = load(home, rows)
    assert report.error is not None
    assert (report.error["code"], report.error["fix"]) == ("QB360", 'qbase load FILE --accept "numerator_only"')
    taken = load(home, rows, accept=["numerator_only"])
    assert (taken.table, taken.accepted, "no_denominator" in taken.warnings) == ("failure_notices", 30, True)
    assert not home.has_table("inspections")
    assert load(home, [ZH, row(99)], "b.csv").table == "inspections"
    other = load(home, [ZH, *(row(i, 检验结果="不合格") for i in range(100, 130))], "c.csv", reject=["numerator_only"])
    assert (other.table, other.accepted) == ("inspections", 30)


def test_answers_to_no_question_are_refused(home: Workspace) -> None:
    with pytest.raises(UsageError, match="QB361") as caught:
        load_files(home, [], accept=["colunm:a=b"])
    assert caught.value.fix == "--accept column…"


def test_answers_join_a_recipe_of_the_workspace_without_losing_the_rest(home: Workspace) -> None:
    folder = home.root / "data" / "recipes"
    folder.mkdir(parents=True)
    own = '# 乙县的写法\nname = "乙县"\ntable = "towns"\nreject = []\n[constants]\ncounty_name = "乙县"\n'
    (folder / "乙县.toml").write_text(own, "utf-8")
    assert "乙县" in list_recipes(home.root)
    rows = [["区划编码", "乡镇名称"], ["990101001", "甲镇"]]
    assert load(home, rows, recipe="乙县").verdict == "REJECTED"
    assert load(home, rows, recipe="乙县", accept=["column:区划编码=town_code"]).accepted == 1
    saved = (folder / "乙县.toml").read_text("utf-8")
    assert "# 乙县的写法" in saved
    assert 'accept = ["column:区划编码=town_code"]' in saved
    assert read_recipe("乙县", home.root).constants == {"county_name": "乙县"}


def test_answers_to_a_recipe_from_elsewhere_are_kept_with_a_copy_of_it(home: Workspace) -> None:
    own = recipe(home, 'table = "towns"\n[constants]\ncounty_name = "乙县"')
    rows = [["区划编码", "乡镇名称"], ["990101001", "甲镇"]]
    assert load(home, rows, recipe=own, accept=["column:区划编码=town_code"]).accepted == 1
    assert "accept" not in pathlib.Path(own).read_text("utf-8")
    for number, name in ((2, own), (3, "own")):
        rows = [["区划编码", "乡镇名称"], [f"99010100{number}", "乙镇"]]
        assert load(home, rows, f"{number}.csv", recipe=name).accepted == 1
    assert read_recipe("own", home.root).constants == {"county_name": "乙县"}
    changed = load(
        home, [["区划编码", "乡镇名称"], ["9", "丙"]], "d.csv", recipe=own, reject=["column:区划编码=town_code"]
    )
    assert (changed.error and changed.error["code"]) == "QB321"


# --- the file of a recipe


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('colums = {a = "result"}', "columns ?"),
        ('[headline]\npatern = "x"\ndistinct = ["sample_no"]', "headline.pattern ?"),
        ('[headline]\npattern = "("\ndistinct = ["sample_no"]', "headline.pattern: a regular expression"),
        ('missing = "/"', 'missing: ["…", "…"]'),
        ('dates = ["serial"]', "serial_1900"),
        ('[units]\nresult = "捆"', "万元"),
        ('[columns]\na = "sample_on"', "sample_no ?"),
        ('blank_faults = ["sample_no"]', "required = false"),
        ('extends = "nothing"', "extends"),
        ('[ratio]\ncolumn = "result"', "column, part, whole, tolerance"),
        ('[items]\ntable = "failed_items"\nkey = ["sample_no"]\n[items.columns]\nx = "nowhere"', "item_name"),
    ],
)
def test_a_recipe_is_typed_and_says_what_was_meant(body: str, expected: str) -> None:
    with pytest.raises(DataError, match="QB303") as caught:
        parse_recipe(f'name = "x"\ntable = "inspections"\n{body}'.encode(), origin="x.toml")
    assert expected in caught.value.expected


def test_a_recipe_may_extend_another_and_its_own_keys_win() -> None:
    body = 'name = "x"\nextends = "inspections_marks"\nmissing = ["*"]\n[missing_in]\nuscc = ["暂无"]'
    found = parse_recipe(body.encode(), origin="x.toml")
    assert found.missing == {"*", ""}
    assert found.missing_in["uscc"] == ("暂无",)
    assert found.missing_in["parent_no"] == ("无",)
    assert found.blank_faults == ("uscc",)


def test_every_shipped_recipe_is_sound_and_named_in_both_languages() -> None:
    for name in list_recipes():
        found = read_recipe(name)
        assert found.name == name
        assert found.title.zh != found.title.en or name == "tidy"
    assert {"uk_fsa_laems", "chicago_inspections", "cn_quality_notices"} <= set(list_recipes())
