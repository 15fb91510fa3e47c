"""Other forms of a page: of one that verifies alone, one language, the numbers of the record, the same bytes twice."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import pathlib
import re
import sys
import zipfile
from typing import Any

import docx
import openpyxl
import pytest

from qbase.cli.main import run
from qbase.core.errors import RunError, SetupError
from qbase.lake import Workspace
from qbase.release.verifying.content_checks import numbers_of
from qbase.reports.forms import pdf_form
from qbase.reports.forms.finished_forms import FORMS, FormName, render_form
from qbase.reports.forms.form_parts import Drawing, Form, Grid, Paragraph, Run
from qbase.reports.forms.form_reading import read_form
from qbase.reports.forms.markdown_form import write_markdown
from qbase.reports.forms.word_form import write_word
from qbase.reports.forms.workbook_form import write_workbook
from qbase.reports.rendering.page_rendering import render_report

NUMBER = re.compile(r"[−+±]?\d[\d,]*(?:\.\d+)?")
CHINESE = re.compile("[\u4e00-\u9fff]")
PAYLOADS = ("=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "#set page(width: 1pt)", "*a* _b_ $x$ `c`", "]#panic()[")


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


@pytest.fixture(scope="module")
def source() -> tuple[str, Any]:
    case = CASE.make_case()
    page = render_report(case.notebook, spec=case.spec, run=case.run, results=case.record)
    return page, json.loads(json.dumps(case.record))


@pytest.fixture
def home(tmp_path: pathlib.Path, source: tuple[str, Any]) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    folder = workspace.runs / "trends" / CASE.RUN_ID
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(source[1]), encoding="utf-8")
    meta = {"schema": 1, "report_id": "trends", "run_id": CASE.RUN_ID, "slot": "2026-11-24", "params": {}}
    (workspace.site / "trends.json").write_text(json.dumps(meta), encoding="utf-8")
    for path in (folder / "report.html", workspace.site / "trends.html"):
        path.write_text(source[0], encoding="utf-8")
    return workspace


@pytest.fixture(params=["zh", "en"])
def form(request: pytest.FixtureRequest, source: tuple[str, Any]) -> Form:
    return read_form(source[0], request.param, day="2026-11-24")


def grid(rows: tuple[tuple[str, ...], ...], numeric: bool = True) -> Grid:
    labels = ("对象", "比率")
    return Grid(name="t", number="表 1", caption="比率", labels=labels, numeric=(False, numeric), rows=rows)


def small(*blocks: Any, title: str = "走势") -> Form:
    known = {"report_id": "trends", "run_id": CASE.RUN_ID, "day": "2026-11-24"}
    return Form(lang="zh", title=title, mark="内部资料", facts=(), brief=(), body=blocks, annex=(), **known)


def test_a_form_says_what_the_page_says_in_one_language(form: Form, source: tuple[str, Any]) -> None:
    said = [s[form.lang] for r in source[1]["results"] for s in r["sentences"]]
    text = "\n".join(form.texts())
    assert said
    assert all(sentence in text for sentence in said)
    other = "en" if form.lang == "zh" else "zh"
    unlike = [s[other] for r in source[1]["results"] for s in r["sentences"] if s["zh"] != s["en"]]
    assert not [sentence for sentence in unlike if sentence in text]
    if form.lang == "en":
        assert not CHINESE.search(write_markdown(dataclasses.replace(form, annex=())))
    assert form.mark.startswith({"zh": "内部资料 · ", "en": "Internal · "}[form.lang])
    drawing = next(b for b in form.blocks if isinstance(b, Drawing))
    assert drawing.alt
    assert drawing.svg.startswith("<svg")


def test_every_number_of_words_and_tables_is_in_the_record_or_on_the_page(form: Form, source: tuple[str, Any]) -> None:
    """Sentences are held to the record, cells to the page, which verification has held to the record."""
    known = numbers_of(source[1])
    shown = set(NUMBER.findall(re.sub(r"<[^>]*>", " ", source[0])))
    told = "\n".join("".join(run.text for run in b.runs) for b in form.blocks if isinstance(b, Paragraph))
    of_results = [s[form.lang] for r in source[1]["results"] for s in r["sentences"]]
    assert {n for s in of_results if s in told for n in NUMBER.findall(s)} <= known
    cells = {n for g in form.grids() for row in g.rows for cell in row for n in NUMBER.findall(cell)}
    assert cells
    assert cells <= shown
    body = "\n".join(write_markdown(form).splitlines()[1:])
    assert set(NUMBER.findall(re.sub(r"\\|^\d+\.|\*\*(表|图|Table|Figure).*", "", body, flags=re.M))) <= shown | known


def test_a_pdf_is_tagged_and_holds_as_pdf_ua_with_words_as_text(form: Form) -> None:
    made = pdf_form.write_pdf(form)
    assert made.startswith(b"%PDF-")
    assert all(mark in made for mark in (b"/StructTreeRoot", b"/MarkInfo", b"/Lang", b"pdfuaid"))
    assert b"NotoSansSC" in made
    assert b"/ToUnicode" in made
    assert made == pdf_form.write_pdf(dataclasses.replace(form))


def test_a_long_table_goes_on_over_pages_with_its_header() -> None:
    rows = tuple((f"企业 {i}", f"{i}.5%") for i in range(150))
    long = pdf_form.write_pdf(small(grid(rows)))
    short = pdf_form.write_pdf(small(grid(rows[:5])))
    pages = [len(re.findall(rb"/Type\s*/Page\b", made)) for made in (short, long)]
    assert pages[0] == 2
    assert pages[1] == 4


def test_the_first_page_is_one_page_though_much_is_said_on_it() -> None:
    sentence = "抽查的批次少，一个样本之差就使合格率变动几个百分点，所以只看区间，不看单个数字的高低。"
    said = tuple(Paragraph(runs=(Run(text=f"{i}. {sentence}"),)) for i in range(40))
    first = dataclasses.replace(small(), brief=said)
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf_form.write_pdf(first)))
    much = dataclasses.replace(small(), brief=said * 2)
    assert (pages, len(re.findall(rb"/Type\s*/Page\b", pdf_form.write_pdf(much)))) == (1, 2)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_words_stay_words_in_every_form(payload: str) -> None:
    form = small(Paragraph(runs=(Run(text=payload),)), grid(((payload, payload),)), title=payload)
    assert pdf_form.write_pdf(form).startswith(b"%PDF-")
    book = openpyxl.load_workbook(io.BytesIO(write_workbook(form)))
    cells = [cell for sheet in book for row in sheet for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert [c.value for c in cells].count(payload) >= 2
    document = docx.Document(io.BytesIO(write_word(form)))
    assert document.tables[0].rows[1].cells[0].text == payload
    assert len(write_markdown(form).splitlines()[-2].replace("\\|", "").split("|")) == 4


def test_a_character_the_font_lacks_is_named_before_a_pdf_is_made() -> None:
    with pytest.raises(RunError) as caught:
        pdf_form.write_pdf(small(Paragraph(runs=(Run(text="合格率 😀"),))))
    assert caught.value.code == "QB881"
    assert "U+1F600" in caught.value.found
    drawn = Drawing(
        number="图 1", title="图", subtitle="", how="", note="", alt="图",
        svg='<svg viewBox="0 0 9 9"><text style="fill:var(--ink)">😀</text></svg>', grid=grid(()),
    )  # fmt: skip
    with pytest.raises(RunError, match=r"U\+1F600"):
        pdf_form.write_pdf(small(drawn))


def test_a_drawing_by_itself_has_colours_and_size() -> None:
    svg = '<svg viewBox="0 0 820 400"><text style="fill:var(--blue)">x</text></svg>'
    made = pdf_form.lighten_drawing(svg)
    assert "var(" not in made
    assert 'width="820" height="400"' in made
    assert "fill:#1f5fa8" in made


def test_a_workbook_holds_numbers_as_the_page_shows_them() -> None:
    rows = (("K003", "81.80"), ("K007", "1,204"), ("K009", "−1.8"), ("K010", "…"), ("K011", "81.8%"))
    book = openpyxl.load_workbook(io.BytesIO(write_workbook(small(grid(rows)))))
    sheet = book["表 1"]
    cells = [row[1] for row in sheet.iter_rows(min_row=4)]
    assert [c.value for c in cells] == [81.8, 1204, -1.8, "…", "81.8%"]
    assert [c.number_format for c in cells[:3]] == ["#,##0.00", "#,##0", "#,##0.0"]
    assert book.sheetnames[:3] == ["封面", "目录", "说明"]
    assert book["封面"]["A1"].value == "内部资料"
    assert sheet.freeze_panes == "A4"


def test_a_document_has_headings_header_rows_alternatives_and_no_name(form: Form) -> None:
    made = write_word(form)
    document = docx.Document(io.BytesIO(made))
    assert document.paragraphs[0].text == form.mark
    assert document.sections[0].header.paragraphs[0].text == form.mark
    assert [p for p in document.paragraphs if p.style.name == "Heading 1"]
    grids = [t for t in document.tables if t._tbl.xpath(".//w:tblHeader")]
    assert grids
    pictures = document.inline_shapes
    assert len(pictures) == sum(isinstance(b, Drawing) for b in form.blocks)
    assert all(shape._inline.docPr.get("descr") for shape in pictures)
    told = document.core_properties
    assert (told.author, told.last_modified_by, told.created.year) == ("qbase", "qbase", 2026)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


@pytest.mark.parametrize("to", FORMS)
def test_a_published_page_gives_the_same_bytes_twice(to: FormName, home: Workspace) -> None:
    page = home.site / "trends.html"
    made = render_form(home, page, to, lang="zh")
    assert made == render_form(home, page, to, lang="zh")
    assert made != render_form(home, page, to, lang="en")


def test_a_page_that_was_changed_has_no_other_form(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    page = home.site / "trends.html"
    page.write_text(page.read_text(encoding="utf-8").replace("1.0～2.2", "1.0～2.9"), encoding="utf-8")
    target = home.root / "made.md"
    assert run(["render", "trends", "--to", "md", "--out", str(target), "--home", str(home.root)]) == 1
    told = capsys.readouterr().err
    assert "QB880" in told
    assert "numbers" in told
    assert len(told.splitlines()) == 4
    assert not target.exists()


def test_the_verb_writes_one_file_a_page(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home.root / "out"
    words = ["render", "trends", "--home", str(home.root), "--to", "md", "--lang", "en", "--json"]
    assert run([*words, "--out", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)["forms"]
    written = {"page": "trends", "file": str(folder / "trends.en.md"), "to": "md", "lang": "en"}
    assert told == [{**written, "waits_for_approval": False}]
    meta = json.loads((home.site / "trends.json").read_text(encoding="utf-8")) | {"profile": "external"}
    (home.site / "trends.json").write_text(json.dumps(meta), encoding="utf-8")
    assert run([*words[:-1], "--out", str(folder)]) == 0
    assert "Not approved for outside yet: trends" in capsys.readouterr().err
    assert (folder / "trends.en.md").read_text(encoding="utf-8").startswith("*Internal")
    assert run([*words[:4], "--to", "odt"]) == 2
    capsys.readouterr()
    assert run([*words, "--out", str(folder / "trends.en.md" / "below.md")]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "QB883"


def test_several_pages_do_not_go_into_one_file_and_a_pointer_has_no_form(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.site / "old.html").write_text('<meta name="qbase-moved" content="trends">', encoding="utf-8")
    (home.site / "trends~K1.html").write_text("", encoding="utf-8")
    (home.site / "trends~K1.json").write_text('{"report_id": "trends", "params": {"subject": "K1"}}', encoding="utf-8")
    words = ["--home", str(home.root), "--to", "md", "--json"]
    assert run(["render", "trends", *words, "--out", str(home.root / "one.md")]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "QB964"
    assert run(["render", str(home.site / "old.html"), *words]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["fix"]) == ("QB965", "qbase render trends --to md")


def test_without_the_extra_a_pdf_says_how_to_install_it_and_word_keeps_the_numbers(
    monkeypatch: pytest.MonkeyPatch, source: tuple[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    pdf_form._compiler.cache_clear()
    form = read_form(source[0], "en", day="2026-11-24")
    try:
        with pytest.raises(SetupError) as caught:
            pdf_form.write_pdf(form)
        assert (caught.value.code, caught.value.fix) == ("QB882", "pip install 'qbase[pdf]'")
        document = docx.Document(io.BytesIO(write_word(form)))
        assert not document.inline_shapes
        assert "The drawings are in the page" in "\n".join(p.text for p in document.paragraphs)
    finally:
        pdf_form._compiler.cache_clear()
