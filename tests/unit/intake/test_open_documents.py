"""An .ods means the same however its XML is indented; Gnumeric indents between the cells of a row."""

from __future__ import annotations

import pathlib
import tracemalloc
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbase.intake import load_files
from qbase.intake.reading.child_worker import read_book
from qbase.intake.reading.open_document import tighten_document
from qbase.lake import Workspace

NAMES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)
GAPS = st.sampled_from(["", "\n", "\n   ", "\r\n\t", " <!-- a > b --> ", "\n<?x y?>\n"])


def cell(text: str, said: str = 'office:value-type="string"') -> str:
    return f"<table:table-cell {said}><text:p>{text}</text:p></table:table-cell>"


CELLS = st.one_of(
    st.sampled_from(
        [
            cell("98.5%", 'office:value-type="float" office:value="0.985"'),
            cell("98.5%", 'office:value-type="percentage" office:value="0.985"'),
            cell("x", 'office:value-type="date" office:date-value="2022-08-10"'),
            cell("x", 'office:value-type="boolean" office:boolean-value="true"'),
            cell("二", 'table:number-columns-repeated="2" office:value-type="string"'),
            cell("a <text:span>b</text:span> <text:span>c</text:span></text:p><text:p> d"),
            '<table:table-cell table:number-columns-repeated="3"/>',
            "<table:covered-table-cell/>",
        ]
    ),
    st.text("ab 甲&#\n", min_size=1, max_size=5).map(
        lambda text: cell(text.replace("&", "&amp;").replace("#", "&#32;"))
    ),
)
ROWS = st.lists(st.tuples(st.integers(1, 3), st.lists(CELLS, min_size=1, max_size=4)), min_size=1, max_size=5)


def document(path: pathlib.Path, sheet: str, head: str = "") -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml", '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        )
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?>{head}<office:document-content{NAMES}><office:body>'
            f'<office:spreadsheet><table:table table:name="s">{sheet}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    return path


def rows_of(rows: list[tuple[int, list[str]]], gaps: list[str]) -> str:
    turn = iter(gaps * (1 + sum(len(cells) + 3 for _, cells in rows)))
    return "".join(
        f'<table:table-row table:number-rows-repeated="{times}">'
        + "".join(next(turn) + each for each in cells)
        + f"{next(turn)}</table:table-row>{next(turn)}"
        for times, cells in rows
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, gaps=st.lists(GAPS, min_size=1, max_size=7))
def test_an_indented_sheet_says_what_it_says_without_indents(
    rows: list[tuple[int, list[str]]], gaps: list[str], tmp_path: pathlib.Path
) -> None:
    tight = read_book(str(document(tmp_path / "tight.ods", rows_of(rows, [""]))), "ods")
    loose = read_book(str(document(tmp_path / "loose.ods", rows_of(rows, gaps))), "ods")
    assert "sheets" in tight
    assert loose == tight


def test_an_indented_document_is_loaded_with_its_values(tmp_path: pathlib.Path) -> None:
    head = ["乡镇代码", "年份", "抽查批次数", "合格批次数", "合格率"]
    said = 'office:value-type="float" office:value="{}"'.format
    body = [cell("339901101"), *(cell("x", said(value)) for value in ("2023", "20", "19", "0.949999999999999999989"))]
    lines = (*map(cell, head),), (*body, '<table:table-cell table:number-columns-repeated="16379"/>')
    rows = "".join("\n <table:table-row>\n  " + "\n  ".join(line) + "\n </table:table-row>" for line in lines)
    home = Workspace.create(tmp_path / "home")
    (report,) = load_files(home, document(tmp_path / "乡镇合格率.ods", rows))
    assert (report.error, report.table, report.accepted, report.quarantined) == (None, "town_rates", 1, 0)
    found = home.query("SELECT batch_count, passed_count, pass_rate_pct FROM town_rates")
    assert found.to_numpy().tolist() == [[20, 19, 95.0]]


def test_only_what_stands_outside_paragraphs_is_left_out(tmp_path: pathlib.Path) -> None:
    kept, loose = cell(" a <text:s/> b<!-- c -->\n"), "<table:table-cell> x </table:table-cell></table:table-row>"
    path = document(tmp_path / "a.ods", f"\n<table:table-row>\n {kept} <!-- d -->\n {loose}")
    with zipfile.ZipFile(tighten_document(str(path))) as archive:
        content = archive.read("content.xml").decode()
    assert f'"s"><table:table-row>{kept}{loose}</table:table>' in content


def test_text_between_cells_is_refused(tmp_path: pathlib.Path) -> None:
    for word in ("loose words", "<![CDATA[ ]]>"):
        answer = read_book(
            str(document(tmp_path / "a.ods", f"<table:table-row> {cell('a')} {word} </table:table-row>")), "ods"
        )
        assert answer["refused"]["why"] == "broken"


def test_a_document_type_behind_indents_is_refused(tmp_path: pathlib.Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    path = document(tmp_path / "a.ods", f"<table:table-row>\n {cell('&c;')}\n </table:table-row>", bomb)
    assert read_book(str(path), "ods")["refused"]["why"] == "doctype"


def test_a_document_without_content_is_refused(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert read_book(str(tmp_path / "a.ods"), "ods")["refused"]["why"] == "broken"


@pytest.mark.parametrize("repeat", ['table:number-columns-repeated="999999999"', 'table:number-columns-repeated="-1"'])
def test_hostile_repeats_are_refused_with_indents_as_without(tmp_path: pathlib.Path, repeat: str) -> None:
    filled = cell("a").replace("<table:table-cell", f"<table:table-cell {repeat}")
    found = []
    for gap in ("", "\n  "):
        home = Workspace.create(tmp_path / f"home{len(gap)}")
        path = document(tmp_path / "a.ods", f"<table:table-row>{gap}{filled}{gap}</table:table-row>")
        (report,) = load_files(home, path)
        found.append(report.error and report.error["code"])
    assert found[0] == found[1] is not None


def test_an_indented_document_takes_no_more_than_a_few_times_its_content(tmp_path: pathlib.Path) -> None:
    row = f"<table:table-row>\n    {cell('绍兴')}\n    {cell('1')}\n   </table:table-row>\n"
    path = document(tmp_path / "a.ods", row * 20_000)
    size = zipfile.ZipFile(path).getinfo("content.xml").file_size
    tracemalloc.start()
    try:
        copy = tighten_document(str(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size
    assert zipfile.ZipFile(copy).getinfo("content.xml").file_size < size
