"""The page: order, languages, numbers, provenance, and what stops a run before a page exists."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import pathlib
import re
import sys
from typing import Any

import nbformat
import pytest

from qbase.core import MIME, RunError, Text
from qbase.core.errors import read_codes
from qbase.release.verifying.page_reading import Element, Page, read_page
from qbase.release.verifying.shown_bundles import read_text
from qbase.release.verifying.verification import verify_html
from qbase.reports.asking.asked_words import read_asked
from qbase.reports.rendering.failed_letters import render_failure
from qbase.reports.rendering.page_parts import read_letter
from qbase.reports.rendering.page_rendering import date_of, render_report
from qbase.reports.rendering.sentence_marks import emphasise


def load_case() -> Any:
    path = pathlib.Path(__file__).parents[2] / "browser" / "render_case.py"
    spec = importlib.util.spec_from_file_location("render_case", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("render_case", importlib.util.module_from_spec(spec))
    if not hasattr(module, "make_case"):
        spec.loader.exec_module(module)
    return module


CASE = load_case()


def render(case: Any = None, **changes: Any) -> str:
    case = case or CASE.make_case()
    given = {"spec": case.spec, "run": case.run, "results": case.record, **changes}
    return render_report(case.notebook, **given)


@pytest.fixture(scope="module")
def page() -> Page:
    return read_page(render())


def by_class(page: Page, name: str) -> Element:
    found = page.body.find(lambda e: name in e.classes)
    assert found is not None, name
    return found


def headings(page: Page) -> list[str]:
    return [read_text(e)["en"] for e in page.body.tagged("h2") if "h" not in e.classes]


def test_the_policy_is_the_first_tag_and_nothing_is_asked_from_outside(page: Page) -> None:
    assert (
        '<head><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; ' in page.source
    )
    assert "<script" not in page.source.lower()
    assert not re.search(r"\son\w+=", page.source)
    assert [c.name for c in verify_html(page.source).failed] == []


def test_the_brief_stands_on_top_then_tiles_then_sections_then_limits_terms_and_origin(page: Page) -> None:
    assert headings(page) == [
        "1 Key indicators", "2 Trend", "3 Policy effect", "4 Limits", "5 Terms", "6 Provenance",
    ]  # fmt: skip
    order = [
        page.source.index(mark) for mark in ('class="bluf"', 'class="kf"', 'class="tiles"', 'id="s1"', 'id="limits"')
    ]
    assert order == sorted(order)
    toc = [read_text(a)["zh"] for a in by_class(page, "toc").tagged("a")]
    assert toc == ["一、指标总览", "二、走势", "三、政策效果", "四、局限", "五、术语", "六、溯源"]
    targets = {a.attributes["href"].removeprefix("#") for a in by_class(page, "toc").tagged("a")}
    assert targets <= {e.attributes["id"] for e in page.body.having("id")}


def test_the_first_finding_is_the_lead_and_is_shown_once_with_its_evidence(page: Page) -> None:
    lead = by_class(page, "bluf")
    assert lead.attributes["data-also"] == "finding"
    assert lead.attributes["data-grade"] == "moderate"
    assert "moderate evidence" in lead.text()
    findings = by_class(page, "kf").elements
    assert [f.attributes.get("data-grade") for f in findings] == [None, "limited"]
    links = [a.attributes["href"] for f in (lead, *findings) for a in f.tagged("a")]
    assert links == ["#s2", "#s1", "#s2"]


def test_what_failed_and_what_limits_is_said_once_on_the_first_screen_or_in_the_annex(page: Page) -> None:
    care = by_class(page, "care").text()
    assert "parallel" not in care
    assert "p = 0.031" in care
    assert page.body.text().count("p = 0.031") == 2, "once in each language"
    limits = page.root.find(lambda e: e.attributes.get("id") == "limits")
    assert limits is not None
    marked = page.body.having("data-part", "limit")
    assert [any(a is limits for a in e.ancestors()) for e in marked] == [False, False, True]
    assert len({read_text(e)["en"] for e in marked}) == 3
    for said in ("Two-way fixed effects can be biased", "Stands on 46,752 of 48,271 batches on record"):
        assert sum(said in read_text(e)["en"] for e in marked) == 1


def test_figures_and_tables_are_numbered_and_come_with_table_csv_and_words(page: Page) -> None:
    figure = page.body.tagged("figure")[0]
    assert "图 1" in figure.text()
    assert [e.attributes["data-drawing"] for e in figure.having("data-drawing")] == [
        "zh_wide", "en_wide", "zh_narrow", "en_narrow",
    ]  # fmt: skip
    assert [e.tag for e in figure.tagged("details")] == ["details"]
    links = page.body.having("download")
    assert [a.attributes["download"] for a in links] == ["trends_trend-data.csv", "trends_effects.csv"]
    assert all(a.attributes["href"].startswith("data:text/csv;charset=utf-8;base64,77u/") for a in links)
    effects = page.body.having("data-name", "effects")[0]
    assert "表 1" in effects.text()
    cells = [e for e in effects.walk() if e.tag == "td"]
    assert cells[0].attributes["data-zh"] == "估计值"
    assert "num" in cells[0].classes


def test_words_of_cells_keep_their_language_and_code_is_there_but_folded(page: Page) -> None:
    words = [e for e in page.body.walk() if "words" in e.classes]
    assert [e.attributes["lang"] for e in words] == ["zh-CN", "en"] * 3
    assert len([e for e in page.body.walk() if "code" in e.classes]) == 9
    assert ".code { display: none; }" in page.style


def test_provenance_names_run_data_versions_and_the_line_that_repeats_it(page: Page) -> None:
    origin = by_class(page, "origin").text()
    for fact in (CASE.RUN_ID, "S0003", "4f9b63e0d726", "18.6 s", "pandas 3.1.1", "5d41402abc4b",
                 "notebooks/20_quality_trends.ipynb",
                 "qbase run trends -p cluster=C-LH-01 -p year=2024"):  # fmt: skip
        assert fact in origin
    assert page.meta("qbase-run") == CASE.RUN_ID
    terms = page.root.find(lambda e: e.attributes.get("id") == "terms")
    assert terms is not None
    assert "Two-way fixed effects" in terms.text()
    assert "Industrial cluster" not in terms.text()


def test_language_only_chooses_what_shows_first() -> None:
    zh, en = render(lang="zh"), render(lang="en")
    assert re.findall(r'id="(L-..)" autocomplete="off" checked', zh) == ["L-zh"]
    assert re.findall(r'id="(L-..)" autocomplete="off" checked', en) == ["L-en"]
    assert '<html lang="en">' in en
    strip = re.compile(r"<html[^>]*>|<title>.*?</title>|<input[^>]*>")
    assert strip.sub("", zh) == strip.sub("", en)


def test_the_same_inputs_give_the_same_bytes_but_for_run_and_time() -> None:
    case = CASE.make_case()
    first = render(case)
    assert render(CASE.make_case()) == first
    other = "20261125T101500-abcdef"
    run = dataclasses.replace(case.run, run_id=other, started_at="2026-11-25T10:15:00+08:00")
    second = render(case, run=run, results={**case.record, "sentinel": other})
    assert second.replace(other, case.run.run_id).replace(run.started_at, case.run.started_at) == first


def test_the_mark_of_a_made_up_province_comes_from_a_source() -> None:
    case = CASE.make_case()
    assert "虚构省份，模拟数据" in render(case)
    real = {**case.record, "sources": [{**case.record["sources"][0], "producer": "Michigan JOBS programme"}]}
    assert "虚构省份，模拟数据" not in render(case, results=real)


@pytest.mark.parametrize(
    ("profile", "mark"), [("internal", "内部资料"), ("external", "对外发布"), ("statutory_public", "依法公开")]
)
def test_the_profile_is_marked(profile: str, mark: str) -> None:
    case = CASE.make_case()
    assert (
        mark in by_class(read_page(render(case, spec=dataclasses.replace(case.spec, profile=profile))), "kick").text()
    )


def test_a_letter_without_headings_conclusion_or_pairs_still_makes_a_page() -> None:
    case = CASE.make_case()
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nOne line."),
        CASE.code("x", CASE.level().say(), CASE.trend_figure()),
    ]
    case = dataclasses.replace(case, notebook=nbformat.v4.new_notebook(cells=cells))
    page = read_page(render(case))
    assert headings(page)[0] == "1 Results"
    assert page.body.find(lambda e: "bluf" in e.classes) is None
    assert "One line." in by_class(page, "intro").text()
    assert not verify_html(page.source).failed


def test_headings_are_numbered_anew_and_bilingual_ones_split() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            *CASE.pair("## 三、走势\n\nx", "## 3 Trend\n\nx"),
            nbformat.v4.new_markdown_cell("## 数据 / Data\n\ny"),
            *CASE.pair("## 2023 年\n\nz", "## 40 clusters\n\nz"),
        ]
    )
    letter = read_letter(notebook, run_id="r")
    titles = [s.title for s in letter.sections]
    assert titles == [Text("走势", "Trend"), Text("数据", "Data"), Text("2023 年", "40 clusters")]


def cells_of(*cells: Any) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(
        cells=[c for group in cells for c in (group if isinstance(group, list) else [group])]
    )


def test_where_the_letter_speaks_of_limits_they_stand_there() -> None:
    case = CASE.make_case()
    conclusion = CASE.code("conclude(effect)", CASE.conclude(CASE.effect()))
    notebook = cells_of(CASE.pair("## 结论与局限\n\n甲", "## Conclusion and limits\n\nb"), conclusion)
    page = read_page(render(dataclasses.replace(case, notebook=notebook)))
    assert headings(page) == ["1 Conclusion and limits", "2 Terms", "3 Provenance"]
    assert not page.body.having("id", "limits"), "two limits find room on the first page"
    assert "can be biased" in by_class(page, "care").text()
    notebook.cells[-1] = CASE.code("conclude(…)", CASE.conclude(CASE.effect(), CASE.level(), CASE.unclear()))
    (limits,) = read_page(render(dataclasses.replace(case, notebook=notebook))).body.having("id", "limits")
    assert limits.parent is not None
    assert limits.parent.attributes["id"] == "s1"


def test_a_finding_links_to_the_section_that_shows_its_result() -> None:
    case = CASE.make_case()
    result = CASE.level()
    figure = dataclasses.replace(CASE.trend_figure(), name=f"trend:{result.name}")
    notebook = cells_of(
        CASE.pair("## 甲\n\n甲", "## A\n\na"),
        CASE.pair("## 乙", "## B"),
        CASE.code("figure", figure),
        CASE.code("conclude(rate)", CASE.conclude(result)),
    )
    page = read_page(render(dataclasses.replace(case, notebook=notebook)))
    assert [a.attributes["href"] for a in by_class(page, "bluf").tagged("a")] == ["#s2"]


def test_the_representation_of_an_object_goes_with_the_code() -> None:
    case = CASE.make_case()
    shown = {"<Panel D1.batch: 12 x 40>": 0, "(<Panel x: 1>, <Policy base: 5 treated>)": 0, "42": 1, "< 0.001": 1}
    for text, visible in shown.items():
        output = nbformat.v4.new_output("execute_result", data={"text/plain": text}, execution_count=1)
        cell = nbformat.v4.new_code_cell("panel", outputs=[output])
        page = read_page(render(dataclasses.replace(case, notebook=cells_of(cell))))
        (block,) = page.body.having("data-foreign")
        assert ("code" not in block.classes) is bool(visible)
        assert text in block.text()


def test_parameters_left_empty_are_not_in_the_title_but_in_the_table() -> None:
    case = CASE.make_case(first=None, subject="K001")
    chosen = dataclasses.replace(case.spec, params={"first": None, "subject": "K001"})
    page = read_page(render(dataclasses.replace(case, spec=chosen)))
    assert "first" not in by_class(page, "meta").text()
    assert "subject：K001" in by_class(page, "meta").text()
    assert "first" in by_class(page, "origin").text()


def test_parameters_are_shown_in_words_and_as_the_command_line_takes_them() -> None:
    source = 'sampling: str = "naive"  # 抽样处理；默认不加权 | treatment of draws | naive, post_stratified'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    (asked,) = read_asked(cells_of(cell), {"sampling": "post_stratified"})
    assert (asked.label, asked.value) == (Text("抽样处理", "treatment of draws"), Text("事后分层", "post-stratified"))
    assert (asked.written, asked.is_default, asked.is_empty) == ("post_stratified", False, False)
    (free,) = read_asked(cells_of(cell), {"other": "naive"})
    assert (free.label.zh, free.value.zh) == ("other", "naive"), "words stand only for declared choices"
    page = read_page(render())
    assert "年份" not in by_class(page, "meta").text(), "defaults stand in the provenance alone"
    assert "年份" in by_class(page, "origin").text()
    assert "year = 2024" in by_class(page, "origin").text()


def test_on_paper_the_first_section_begins_a_page_unless_key_indicators_follow_the_brief() -> None:
    case = CASE.make_case()
    bare = nbformat.v4.new_notebook(cells=[c for c in case.notebook.cells if not c.source.startswith("tiles_of(")])
    for letter, begins in ((case.notebook, []), (bare, ["s1"])):
        page = read_page(render(dataclasses.replace(case, notebook=letter)))
        assert [e.attributes["id"] for e in page.body.walk() if "first" in e.classes] == begins


def test_a_long_table_scrolls_inside_its_frame(page: Page) -> None:
    frames = {
        e.parent.attributes["data-name"]: e.classes
        for e in page.body.walk()
        if "scroll" in e.classes and e.parent and "data-name" in e.parent.attributes
    }
    assert frames == {"trend-data": ["scroll", "long"], "effects": ["scroll"]}


def broken(change: Any) -> nbformat.NotebookNode:
    notebook = copy.deepcopy(CASE.make_case().notebook)
    change(notebook.cells)
    return notebook


def first_payload(cells: Any, kind: str) -> Any:
    return next(
        o.data[MIME] for c in cells for o in c.get("outputs", ()) if o.get("data", {}).get(MIME, {}).get("kind") == kind
    )


FAULTS = {
    "field missing": ("QB850", lambda c: first_payload(c, "table").pop("note")),
    "field unknown": ("QB850", lambda c: first_payload(c, "figure").update(extra=1)),
    "wrong type": ("QB850", lambda c: first_payload(c, "prose")["items"][0].update(zh=3)),
    "unknown grade": ("QB850", lambda c: first_payload(c, "prose")["items"][0].update(grade="certain")),
    "drawing missing": ("QB850", lambda c: first_payload(c, "figure")["drawings"].pop("en_narrow")),
    "ragged rows": ("QB850", lambda c: first_payload(c, "table")["rows"][0].pop()),
    "ragged values": ("QB850", lambda c: first_payload(c, "figure")["table"]["data"]["n"].pop()),
    "boolean as number": ("QB850", lambda c: first_payload(c, "tiles")["items"][0].update(value=True)),
    "unknown kind": ("QB851", lambda c: first_payload(c, "table").update(kind="chart")),
    "later schema": ("QB851", lambda c: first_payload(c, "table").update(schema=2)),
    "script in a drawing": (
        "QB761", lambda c: first_payload(c, "figure")["drawings"].update(zh_wide="<svg><script/></svg>")),
    "handler in a spark": (
        "QB761", lambda c: first_payload(c, "tiles")["items"][0].update(spark='<svg onload="x()"/>')),
    "twin missing": ("QB853", lambda c: c.pop(1)),
    "twin with other headings": ("QB853", lambda c: c[1].update(source="# a\n\n## More\n\nb")),
    "twin at the end": ("QB853", lambda c: c.append(CASE.pair("甲", "b")[0])),
    "figure shown twice": ("QB854", lambda c: c.append(CASE.code("figure", CASE.trend_figure()))),
    "two conclusions": ("QB855", lambda c: c.append(copy.deepcopy(next(x for x in c if "conclude" in x.source)))),
    "missing glyph": ("QB852", lambda c: c[0].update(source="# a\n\n表情 😀 在此")),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_sound_stops_before_there_is_a_page(fault: str) -> None:
    code, change = FAULTS[fault]
    case = dataclasses.replace(CASE.make_case(), notebook=broken(change))
    with pytest.raises(RunError) as caught:
        render(case)
    assert caught.value.code == code
    assert caught.value.found
    assert caught.value.fix
    assert "{" not in caught.value.what_zh + caught.value.what_en


def of_record(case: Any, name: str, **changes: Any) -> dict[str, Any]:
    results = [{**r, **(changes if r["name"] == name else {})} for r in case.record["results"]]
    return {**case.record, "results": results}


def test_a_result_that_hides_what_it_stands_on_makes_no_page() -> None:
    case = CASE.make_case()
    first = case.record["results"][0]
    assert first["account"]["en"].startswith("Stands on 46,752 of 48,271 batches on record")
    old = of_record(case, first["name"])
    del old["results"][0]["account"]
    for record in (of_record(case, first["name"], account=None), old):
        with pytest.raises(RunError, match="QB856") as caught:
            render(case, results=record)
        assert first["name"] in caught.value.found
    counted = [{**e, "uncertainty": "none_full_count"} for e in first["estimates"]]
    for harmless in ({"estimates": counted}, {"estimates": []}, {"estimand": "need"}):
        assert render(case, results=of_record(case, first["name"], account=None, **harmless))


def test_a_scorecard_that_hides_what_it_stands_on_makes_no_page() -> None:
    case = CASE.make_case()
    estimate = case.record["results"][0]["estimates"][0]
    card = {"name": "card", "criteria": [{"estimate": estimate}], "sentences": [], "account": None}
    with pytest.raises(RunError, match="QB856"):
        render(case, results={**case.record, "scorecards": [card]})
    account = case.record["results"][0]["account"]
    assert render(case, results={**case.record, "scorecards": [{**card, "account": account}]})


def test_a_missing_glyph_is_named_with_its_place() -> None:
    case = CASE.make_case(title=Text("质量 😀 走势", "Trends"))
    with pytest.raises(RunError, match=r"U\+1F600") as caught:
        render(case)
    assert "质量" in caught.value.found


def test_the_page_of_a_failed_run_shows_code_and_next_step_but_no_path() -> None:
    case = CASE.make_case()
    error = {"cell": 5, "code": "QB852", "text": "FileNotFoundError: /home/wang/secret.csv"}
    run = dataclasses.replace(case.run, state="failed", error=error)
    page = render_failure(spec=case.spec, run=run)
    assert "/home/wang" not in page
    assert "QB852" in page
    assert read_codes()["QB852"]["meaning_zh"] in page
    assert "qbase run trends" in page
    assert not verify_html(page).failed
    plain = dataclasses.replace(run, error={"cell": None, "code": "", "text": "kernel died"})
    assert "kernel died" in render_failure(spec=case.spec, run=plain, lang="en")
    told = {"cell": "7", "code": "QB811", "what_zh": "运行出错", "what_en": "a cell failed", "found": "KeyError: 2019"}
    told |= {"expected": "no error", "fix": "correct cell 7        (traceback: reports/runs/trends/R1/log.txt)"}
    both = render_failure(spec=case.spec, run=dataclasses.replace(run, error=told))
    assert all(line in both for line in ("运行出错", "a cell failed", "KeyError: 2019", "no error", "correct cell 7"))
    assert "reports/runs" not in both
    outside = render_failure(
        spec=dataclasses.replace(case.spec, profile="external"), run=dataclasses.replace(run, error=told)
    )
    assert "运行出错" in outside
    assert "KeyError" not in outside


def test_dates_are_written_out_and_other_words_stay() -> None:
    assert date_of("2026-11-24T09:00:00+08:00") == Text("2026 年 11 月 24 日", "24 November 2026")
    assert date_of("latest") == Text("latest", "latest")


@pytest.mark.parametrize(
    ("sentence", "values", "bold"),
    [
        ("2024Q4 甲的合格率估计为 93.3%（95% CI 92.6～93.9）。", {"93.3"}, "93.3%"),
        ("12 个集群中 11 个的合格率与平均 82.5%（n = 825 批）的差别属正常波动。", {"82.5", "6.0"}, "82.5%"),
        ("合格率估计提高 1.6 个百分点（95% CI 1.0～2.2）。", {"1.6"}, "1.6 个百分点"),
        ("如何变化尚无法判断：估计 +0.1 个百分点。", {"+0.1"}, "尚无法判断"),
        ("合格率看不出升降：估计 +0.1 个百分点。", {"+0.1"}, "看不出升降"),
        ("rose by an estimated 1,234 batches", {"1,234"}, "1,234 batches"),
        ("The scrap fell by −0.252 log points <b>", {"−0.252"}, "−0.252 log points"),
        ("把合格率的 95% 区间控制在 ±2.0 个百分点以内，需要 1,395 批。", {"1,395"}, "1,395 批"),
        ("12 个对象，没有估计值", {"11.0"}, None),
        ("no number at all & more", set(), None),
    ],
)
def test_the_estimate_is_bold_and_no_other_number_and_the_text_unchanged(
    sentence: str, values: set[str], bold: str | None
) -> None:
    html = str(emphasise(sentence, values))
    assert re.findall(r"<b>(.*?)</b>", html) == ([bold] if bold else [])
    assert read_page(f"<p>{html}</p>").root.text() == sentence


def test_every_code_of_the_room_is_in_the_catalogue_and_explained() -> None:
    codes = {f"QB85{i}" for i in range(7)} | {"QB750", "QB751", "QB752", "QB760", "QB761", "QB770", "QB771"}
    for code in codes:
        assert set(read_codes()[code]) == {"what_zh", "what_en", "meaning_zh", "meaning_en"}
