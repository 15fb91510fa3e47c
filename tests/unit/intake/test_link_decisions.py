"""Doubtful firms before a person: listed, accepted, refused, taken back, sent out and read back as a spreadsheet."""

from __future__ import annotations

import json
import multiprocessing
import pathlib
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import openpyxl
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError, SetupError, UsageError
from qbase.indicators import build_panel, read_coverage
from qbase.intake import (
    LoadReport,
    check_delivery,
    decide_file,
    decide_link,
    export_links,
    link_firms,
    list_links,
    load_files,
    undo_link,
)
from qbase.intake.linking.firm_match import Match, Printed
from qbase.intake.linking.link_decisions import REASONS, link_id
from qbase.intake.linking.link_diary import link_row, read_last_no, write_links
from qbase.lake import Workspace
from qbase.tables.credit_code import build_uscc

A, B, C = (build_uscc("91990021", f"MA00000{i}") for i in (1, 2, 3))
FIRM_HEAD = "企业编号,统一社会信用代码,企业名称,集群编号,区划代码,行业代码,进入季度,所有制,是否规上,企业规模,是否龙头"
HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果,统一社会信用代码,区划代码"
NEAR = "清沅恒选化纤有限公司"


def firm(firm_id: str, code: str, name: str, town: str = "990021101", industry: str = "2822") -> str:
    return f"{firm_id},{code},{name},K1,{town},{industry},2016Q1,民营,否,小型,否"


def sample(
    number: object, name: str, code: str = "", town: str = "", *, day: str = "2022-08-10", product: str = "涤纶"
) -> str:
    return f"S{number},省级,{day},生产,双随机,{name},{product},合格,{code},{town}"


def send(home: Workspace, name: str, head: str, *rows: str, **options: Any) -> LoadReport:
    path = home.root / name
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    (report,) = load_files(home, [path], **options)
    assert report.verdict in ("OK", "WARN"), report.payload()
    return report


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path / "home")
    send(home, "firms.csv", FIRM_HEAD, firm("F1", A, "清沅瑞丰化纤有限公司"), firm("F2", B, "清沅恒达化纤有限公司"))
    rows = [sample(i, NEAR, town="990021101") for i in (1, 2, 3)]
    send(home, "a.csv", HEAD, *rows, sample(4, "清沅瑞丰化纤有限公司"), sample(5, "别处某厂"))
    return home


def counted(home: Workspace) -> dict[str, int]:
    panel = build_panel(home, "D1.batch", entity="firm_id")
    return {str(e): int(n) for (e, _), n in panel.data["D1.batch__n"].items()}


def diary(home: Workspace) -> list[list[object]]:
    sql = "SELECT decision_no, decision, decided_by, undoes_no FROM identity_links WHERE sample_no = 'S1' ORDER BY 1"
    return [list(row.values()) for row in home.arrow(sql).to_pylist()]


def test_one_decision_settles_every_batch_of_a_printed_firm_and_is_taken_back(home: Workspace) -> None:
    (doubt,) = list_links(home)
    assert (doubt.samples, doubt.name_known, doubt.method) == (("S1", "S2", "S3"), "清沅恒达化纤有限公司", "near")
    assert doubt.id == link_id("", NEAR, "F2")
    assert doubt.score == 90.0
    assert counted(home) == {"F1": 1}
    old = home.snapshot()
    done = decide_link(home, doubt.id, None, "accept", decided_by="王")
    assert (done.samples, done.snapshot, home.snapshot().number) == (3, home.snapshot().id, old.number + 1)
    assert counted(home) == {"F1": 1, "F2": 3}
    assert list_links(home) == []
    assert [g.id for g in list_links(home, snapshot=old.id)] == [doubt.id]
    assert decide_link(home, doubt.id, None, "accept", decided_by="王").samples == 0
    assert decide_link(home, "S1", None, "reject").samples == 1
    assert counted(home)["F2"] == 2
    assert undo_link(home, "S1", decided_by="李").samples == 1
    assert counted(home)["F2"] == 3
    assert undo_link(home, "S1").samples == 1
    assert [g.samples for g in list_links(home)] == [("S1",)]
    with pytest.raises(DataError, match="QB358"):
        undo_link(home, "S1")
    assert diary(home) == [
        [1, "doubt", "qbase", None],
        [5, "accept", "王", None],
        [8, "reject", "user", None],
        [9, "accept", "李", 8],
        [10, "doubt", "user", 5],
    ]


def test_the_same_files_give_the_same_links_elsewhere(home: Workspace, tmp_path: pathlib.Path) -> None:
    other = Workspace.create(tmp_path / "other")
    for name in ("firms.csv", "a.csv"):
        load_files(other, [home.root / name])
    assert other.source("identity_links") == home.source("identity_links")
    assert home.source("identity_links").producer == "qbase"


def test_a_link_that_a_rule_made_can_be_taken_back_and_stays_back(home: Workspace) -> None:
    assert undo_link(home, "S4").samples == 1
    with pytest.raises(DataError, match="QB404"):
        counted(home)
    assert link_firms(home).linked == 0
    (undone,) = [g for g in list_links(home) if g.samples == ("S4",)]
    assert (undone.firm_id, undone.method) == ("F1", "undone")
    decide_link(home, "S4", None, "accept")
    assert counted(home) == {"F1": 1}
    undo_link(home, "S4")
    with pytest.raises(DataError, match="QB404"):
        counted(home)


def test_a_firm_nobody_proposed_is_named_and_forgotten_again(home: Workspace) -> None:
    with pytest.raises(UsageError, match="QB356"):
        decide_link(home, "S5", None, "accept")
    decide_link(home, "S5", "F2", "accept")
    assert counted(home) == {"F1": 1, "F2": 1}
    undo_link(home, "S5")
    assert counted(home) == {"F1": 1}
    assert "S5" not in {s for g in (*list_links(home), *list_links(home, "decided")) for s in g.samples}


def test_a_doubtful_name_is_not_counted_by_its_name_meanwhile(home: Workspace) -> None:
    send(home, "b.csv", HEAD, sample(6, "清沅瑞丰化纤有限公司", C), sample(7, "清沅恒达化纤有限公司", "", "990031101"))
    told = {g.samples[0]: (g.method, g.firm_id) for g in list_links(home) if g.samples[0] in ("S6", "S7")}
    assert told == {"S6": ("other_code", "F1"), "S7": ("elsewhere", "F2")}
    assert counted(home) == {"F1": 1}


def test_a_code_that_names_the_firm_cannot_be_refused(home: Workspace) -> None:
    send(home, "b.csv", HEAD, sample(6, "清沅瑞丰化纤有限公司", A))
    with pytest.raises(DataError, match="QB357"):
        decide_link(home, "S6", "F1", "reject")
    decide_link(home, "S6", "F2", "accept")
    assert counted(home) == {"F1": 1, "F2": 1}


def test_a_corrected_code_makes_an_old_decision_void(home: Workspace) -> None:
    old = send(home, "b.csv", HEAD, sample(6, NEAR))
    decide_link(home, "S6", "F2", "accept")
    assert counted(home)["F2"] == 1
    send(home, "b2.csv", HEAD, sample(6, NEAR, A), supersedes=old.sha256)
    assert counted(home) == {"F1": 2}
    assert all("S6" not in g.samples for g in list_links(home, "decided"))


def test_a_register_that_says_more_makes_rules_decide_anew_but_no_person(home: Workspace) -> None:
    decide_link(home, "S2", None, "reject")
    send(home, "c.csv", FIRM_HEAD, firm("F3", C, NEAR), firm("F4", "", "清沅瑞丰化纤有限公司"))
    now = {
        s: (g.decision, g.firm_id, g.method)
        for k in ("queued", "decided")
        for g in list_links(home, k)
        for s in g.samples
    }
    assert now["S1"] == now["S3"] == ("accept", "F3", "name_exact")
    assert now["S2"] == ("reject", "F2", "manual")
    assert now["S4"] == ("doubt", "F1", "several")
    assert counted(home) == {"F3": 2}
    before = home.snapshot()
    assert link_firms(home).snapshot == before.id


def test_a_product_that_no_firm_of_the_industry_makes_speaks_against_a_name(home: Workspace) -> None:
    codes = [build_uscc("91990021", f"MA10000{i}") for i in range(1, 7)]
    firms = [firm(f"G{i}", code, f"清沅织造{i}厂", industry="1751") for i, code in enumerate(codes)]
    send(home, "weavers.csv", FIRM_HEAD, *firms)
    rows = [sample(f"W{i}", f"清沅织造{i}厂", code, product="面料") for i, code in enumerate(codes)]
    send(home, "w.csv", HEAD, *rows)
    send(home, "x.csv", HEAD, sample("X", "清沅恒达化纤有限公司", town="990021101", product="面料"))
    (doubt,) = [g for g in list_links(home) if g.samples == ("SX",)]
    assert (doubt.method, doubt.firm_id) == ("other_industry", "F2")


def test_what_waits_is_told_by_check_and_coverage_and_the_links_are_a_source(home: Workspace) -> None:
    def told(snapshot: str | None = None) -> tuple[bool | None, str]:
        (check,) = [c for c in check_delivery(home, snapshot=snapshot).checks if c.name == "identity"]
        return check.passed, check.text.zh

    old = home.snapshot().id
    passed, text = told()
    assert passed is False
    assert "3 批（60.0%）" in text
    panel = build_panel(home, "D1.batch", entity="firm_id")
    assert [s.path for s in panel.sources] == ["inspections", "firms", "identity_links"]
    coverage = read_coverage(home, entity="firm_id")
    assert (coverage.counted, coverage.lost, coverage.doubtful, coverage.by_name) == (1, 4, 3, 1)
    assert panel.coverage.losses == {"waiting": 3, "no_firm": 1}
    assert "全部记录中 3 条的企业身份待人工确认" in coverage.say().zh
    decide_link(home, list_links(home)[0].id, None, "accept")
    assert told() == (True, "监督抽查：没有待人工确认的企业。")
    assert told(old)[0] is False
    assert read_coverage(home, entity="firm_id").doubtful == 0


def sheet_of(path: pathlib.Path) -> tuple[Any, dict[str, int]]:
    book = openpyxl.load_workbook(path)
    return book, {str(cell.value): cell.column for cell in book.active[1]}


def test_decisions_come_back_from_a_spreadsheet(home: Workspace) -> None:
    send(
        home,
        "b.csv",
        HEAD,
        sample(6, "=清沅恒达化纤有限厂"),
        sample(7, "清沅恒达化纤厂"),
        sample(8, "清沅恒远化纤有限公司"),
    )
    path = home.root / "out.xlsx"
    assert export_links(home, path) == len(list_links(home)) >= 3
    book, at = sheet_of(path)
    assert {cell.data_type for line in book.active.iter_rows() for cell in line} <= {"s", "n", "inlineStr"}
    lines = {line[at["抽样编号"] - 1].value.split()[0]: line for line in book.active.iter_rows(min_row=2)}
    lines["S1"][at["决定"] - 1].value = " 接受 "
    lines["S1"][at["候选企业编号"] - 1].value = "F1"
    lines["S7"][at["决定"] - 1].value = "拒绝"
    book.save(path)
    done = decide_file(home, path, decided_by="科室")
    assert (done.accepted, done.rejected, done.samples) == (1, 1, 4)
    assert done.blank == len(lines) - 2
    assert counted(home) == {"F1": 4}
    states = {g.samples[0]: (g.decision, g.firm_id, g.decided_by) for g in list_links(home, "decided")}
    assert states["S1"] == ("accept", "F1", "科室")
    assert states["S7"] == ("reject", "F2", "科室")


@pytest.mark.parametrize(
    ("decision", "changes", "found"),
    [("也许", {}, "也许"), ("accept", {"候选企业编号": "F99"}, "F99"), ("reject", {"编号": "L0"}, "L0")],
)
def test_a_row_that_cannot_be_taken_is_named_and_nothing_is_recorded(
    home: Workspace, decision: str, changes: dict[str, str], found: str
) -> None:
    send(home, "b.csv", HEAD, sample(7, "清沅恒达化纤厂"))
    path = home.root / "out.xlsx"
    export_links(home, path)
    book, at = sheet_of(path)
    sheet = book.active
    sheet.cell(2, at["决定"]).value = "接受"
    for name, value in ({"决定": decision} | changes).items():
        sheet.cell(3, at[name]).value = value
    book.save(path)
    before = home.snapshot()
    with pytest.raises(DataError, match="QB354") as caught:
        decide_file(home, path)
    assert "row 3" in caught.value.what_en
    assert found in caught.value.found
    assert home.snapshot() == before


def test_what_was_decided_otherwise_meanwhile_is_not_overruled_by_an_old_sheet(home: Workspace) -> None:
    path = home.root / "d.csv"
    (doubt,) = list_links(home)
    path.write_text(f"Id,Decision\n{doubt.id},accept\n", "utf-8")
    decide_link(home, doubt.id, None, "reject")
    with pytest.raises(DataError, match="QB354"):
        decide_file(home, path)
    decide_link(home, doubt.id, None, "accept")
    assert decide_file(home, path).samples == 0


def test_one_question_is_one_line_and_an_answer_leaves_what_a_rule_settled(home: Workspace) -> None:
    name = "清沅达源纺织有限公司"
    send(home, "c.csv", FIRM_HEAD, firm("F3", C, name))
    rows = [sample(6, name, town="990021101"), sample(7, name, town="990031101"), sample(8, name, "", "990041101")]
    send(home, "b.csv", HEAD, *rows)
    (doubt,) = [g for g in list_links(home) if g.firm_id == "F3"]
    assert (doubt.samples, doubt.method) == (("S7", "S8"), "elsewhere")
    path = home.root / "d.csv"
    path.write_bytes(f"编号,决定\n{doubt.id},拒绝\n".encode("gb18030"))
    assert decide_file(home, path).samples == 2
    assert counted(home) == {"F1": 1, "F3": 1}
    assert decide_file(home, path).samples == 0
    path.write_text(f"编号,决定\n{doubt.id},拒绝\n{doubt.id},拒绝\n", "utf-8")
    with pytest.raises(DataError, match="QB354") as caught:
        decide_file(home, path)
    assert f"{doubt.id} = 2" in caught.value.found


def test_files_that_hold_no_decisions_are_refused(home: Workspace) -> None:
    path = home.root / "d.csv"
    path.write_text("甲,乙\n1,2\n", "utf-8")
    with pytest.raises(DataError, match="QB353"):
        decide_file(home, path)
    with pytest.raises(UsageError, match="QB208"):
        decide_file(home, home.root / "none.csv")
    with pytest.raises(SetupError, match="QB346"):
        export_links(home, path / "x.xlsx")
    decide_link(home, "S1", None, "reject")
    decide_link(home, link_id("", NEAR, "F2"), None, "reject")
    with pytest.raises(DataError, match="QB359"):
        export_links(home, path)


def test_every_reason_is_told_in_both_languages() -> None:
    assert all(text.zh and text.en for text in REASONS.values())


def decide_often(root: str, sample_no: str, times: int) -> list[str]:
    home = Workspace(pathlib.Path(root))
    said = []
    for i in range(times):
        word = "accept" if i % 2 == 0 else "reject"
        decide_link(home, sample_no, "F1" if sample_no == "S5" else "F2", word, decided_by=sample_no)
        said.append(word)
    return said


def test_several_who_decide_at_once_get_numbers_of_their_own(home: Workspace) -> None:
    first = int(home.query("SELECT max(decision_no) AS n FROM identity_links")["n"][0])
    samples, times = ["S1", "S2", "S5"], 2
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qbase.intake.linking.link_decisions", "qbase.lake.workspace"])
    with ProcessPoolExecutor(len(samples), mp_context=context) as pool:
        said = list(pool.map(decide_often, [str(home.root)] * 3, samples, [times] * 3))
    rows = home.query("SELECT * FROM identity_links WHERE decision_no > ? ORDER BY decision_no", params=(first,))
    assert rows["decision_no"].tolist() == list(range(first + 1, first + 1 + len(samples) * times))
    for name, words in zip(samples, said, strict=True):
        assert rows[rows["sample_no"] == name]["decision"].tolist() == words


def test_a_rule_does_not_overrule_what_was_decided_while_it_looked(home: Workspace) -> None:
    seen = read_last_no(home, home.snapshot())
    printed = Printed(uscc="", name=NEAR, day="2022-08-10")
    rows = [link_row(s, printed, Match(decision="accept", firm_id="F2", method="name_exact")) for s in ("S1", "S2")]
    decide_link(home, "S1", "F1", "accept", decided_by="王")
    write_links(home, rows, seen_no=seen)
    assert counted(home) == {"F1": 2, "F2": 1}


def call(home: Workspace, *words: str, lang: str = "zh") -> int:
    return run(["links", *words, "--home", str(home.root), "--lang", lang])


def test_the_command(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert call(home, "list") == 0
    out = capsys.readouterr().out
    assert NEAR in out
    assert "名称相近" in out
    assert "90.0" in out
    assert call(home, "list", "--json") == 0
    (doubt,) = json.loads(capsys.readouterr().out)["links"]
    assert doubt["samples"] == ["S1", "S2", "S3"]
    assert call(home, "accept", doubt["id"], "--by", "王") == 0
    assert "3 个批次" in capsys.readouterr().out
    assert call(home, "accept", doubt["id"], "--by", "王") == 0
    assert "没有改动" in capsys.readouterr().out
    assert call(home, "list", "--decided", "--limit", "1", lang="en") == 0
    assert "accepted (王)" in capsys.readouterr().out
    assert call(home, "undo", doubt["id"], lang="en") == 0
    assert "3 batches" in capsys.readouterr().out
    out_file = home.root / "out.xlsx"
    assert call(home, "export", str(out_file)) == 0
    assert call(home, "decide", str(out_file), lang="en") == 0
    assert "1 left blank" in capsys.readouterr().out
    assert call(home, "reject", "S1", "--firm", "F1") == 0
    assert call(home, "accept") == 2
    assert call(home, "undo", "S99") == 3
    assert "QB355" in capsys.readouterr().err


def test_the_series_of_a_town_goes_through_its_merger(home: Workspace) -> None:
    head = "区划代码,乡镇名称,县名称,启用日期,停用日期,变更后代码"
    towns = [
        "990021101,甲镇,清沅县,,,",
        "990021102,乙镇,清沅县,,2019-12-31,990021103",
        "990021103,丙镇,清沅县,,2020-12-31,990021101",
    ]
    send(home, "towns.csv", head, *towns)
    send(home, "b.csv", HEAD, sample(6, "清沅瑞丰化纤有限公司", A, "990021102", day="2018-05-01"))
    panel = build_panel(home, "D1.batch", entity="town_code", last="2019Q4")
    assert {(str(e), str(p)): int(n) for (e, p), n in panel.data["D1.batch__n"].items()} == {("990021101", "2018Q2"): 1}
    assert panel.labels["990021101"].zh == "甲镇"


def waiting(home: Workspace) -> tuple[int, bool | None]:
    (check,) = [c for c in check_delivery(home).checks if c.name == "identity"]
    return sum(len(group.samples) for group in list_links(home)), check.passed


def test_a_doubt_ends_with_its_cause(tmp_path: pathlib.Path) -> None:
    name = "清沅瑞丰化纤有限公司"
    home = Workspace.create(tmp_path / "home")
    wrong = send(home, "firms.csv", FIRM_HEAD, firm("F1", A, name))
    send(home, "a.csv", HEAD, *[sample(i, name, C) for i in range(5)])
    assert waiting(home) == (5, False), "the code printed is another one"
    send(home, "firms2.csv", FIRM_HEAD, firm("F1", C, name), supersedes=wrong.sha256)
    assert counted(home) == {"F1": 5}
    assert waiting(home) == (0, True)


def test_batches_of_a_replaced_file_wait_no_more(tmp_path: pathlib.Path) -> None:
    name = "清沅瑞丰化纤有限公司"
    home = Workspace.create(tmp_path / "home")
    send(home, "firms.csv", FIRM_HEAD, firm("F1", A, name))
    old = send(home, "a.csv", HEAD, *[sample(i, name, C) for i in range(5)])
    assert waiting(home) == (5, False)
    send(
        home,
        "b.csv",
        HEAD + ",企业自编代码",
        sample(0, name, C) + ",F1",
        sample(9, name, A) + ",",
        supersedes=old.sha256,
    )
    assert counted(home) == {"F1": 2}
    assert waiting(home) == (0, True)


def test_a_link_to_a_firm_that_left_the_register_is_made_anew(tmp_path: pathlib.Path) -> None:
    name = "清沅瑞丰化纤有限公司"
    home = Workspace.create(tmp_path / "home")
    old = send(home, "firms.csv", FIRM_HEAD, firm("F1", A, name))
    send(home, "a.csv", HEAD, *[sample(i, name) for i in range(5)])
    assert counted(home) == {"F1": 5}
    send(home, "firms2.csv", FIRM_HEAD, firm(A, A, name), supersedes=old.sha256)
    assert counted(home) == {A: 5}
