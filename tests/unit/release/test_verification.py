"""A sound report passes all ten checks; one flipped byte fails the right one."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import random
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import html5lib
import nbformat
import pytest

from qbase.core import RunError, UsageError
from qbase.release import verify_report
from qbase.release.verifying.page_reading import Element, _Reader, read_page
from qbase.release.verifying.verification import verify_html

NAMES = [
    "one_file", "no_request", "no_script", "alt_text", "captions", "both_languages", "intervals", "numbers", "glyphs",
    "contrast_and_private",
]  # fmt: skip


def load_case() -> Any:
    path = pathlib.Path(__file__).parents[2] / "browser" / "render_case.py"
    spec = importlib.util.spec_from_file_location("render_case", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("render_case", importlib.util.module_from_spec(spec))
    if not hasattr(module, "make_case"):
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report() -> tuple[str, dict[str, Any]]:
    from qbase.reports.rendering.page_rendering import render_report

    case = load_case().make_case()
    page = render_report(case.notebook, spec=case.spec, run=case.run, results=case.record)
    return page, json.loads(json.dumps(case.record))


def failing(page: str, record: dict[str, Any] | None) -> set[str]:
    return {check.name for check in verify_html(page, record=record).failed}


def test_a_sound_report_passes_ten_checks(report: tuple[str, dict[str, Any]], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trends.html"
    path.write_text(report[0], encoding="utf-8")
    outcome = verify_report(path, record=report[1])
    assert [c.name for c in outcome.checks] == NAMES
    assert [c.passed for c in outcome.checks] == [True] * 10
    assert outcome.passed
    assert outcome.require() is outcome
    assert all(c.text.zh and c.text.en and c.text.zh != c.text.en for c in outcome.checks)
    assert json.loads(json.dumps(outcome.payload()))["passed"] is True


def test_rows_of_estimates_carry_their_interval_drawn_and_a_moved_one_is_found(
    report: tuple[str, dict[str, Any]],
) -> None:
    page, record = report
    drawn = re.findall(r"<span data-interval>(.*?)</span>", page)
    assert len(drawn) == 2
    assert all('class="nil"' in svg for svg in drawn), "differences are held against zero"
    moved = page.replace(drawn[0], drawn[0].replace('cx="', 'cx="9'), 1)
    found = verify_html(moved, record=record).failed
    assert [check.name for check in found] == ["numbers"]
    assert "drawn intervals of table effects" in found[0].text.en


def test_without_a_record_two_checks_say_that_they_compared_nothing(report: tuple[str, dict[str, Any]]) -> None:
    outcome = verify_html(report[0])
    assert [c.name for c in outcome.unproven] == ["intervals", "numbers"]
    assert not outcome.failed


def test_without_a_record_a_page_does_not_pass(report: tuple[str, dict[str, Any]], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trends.html"
    path.write_text(report[0], encoding="utf-8")
    outcome = verify_report(path)
    assert outcome.passed is False
    assert outcome.payload()["passed"] is False
    with pytest.raises(RunError, match="intervals, numbers") as caught:
        outcome.require()
    assert (caught.value.code, caught.value.exit_code) == ("QB771", 1)


def test_a_page_is_held_byte_by_byte_against_what_its_run_wrote(
    report: tuple[str, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "trends.html"
    path.write_text(report[0], encoding="utf-8")
    assert verify_report(path, record=report[1], written=report[0].encode()).passed
    # a heading is compared with nothing but the page itself
    path.write_text(report[0].replace("<h2", "<h2 data-x", 1), encoding="utf-8")
    assert verify_report(path, record=report[1]).passed
    changed = verify_report(path, record=report[1], written=report[0].encode())
    assert [check.name for check in changed.failed] == ["as_written"]


def test_a_missing_file_is_a_users_mistake(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.html").write_bytes(b"\xff\xfe\x00")
    for name in ("none.html", "a.html"):
        with pytest.raises(UsageError) as caught:
            verify_report(tmp_path / name)
        assert caught.value.code == "QB770"
        assert str(tmp_path) not in str(caught.value)


def test_require_raises_with_the_names_of_the_checks(report: tuple[str, dict[str, Any]]) -> None:
    page = report[0].replace("</main>", "<script>1</script></main>")
    with pytest.raises(RunError, match="no_script") as caught:
        verify_html(page, record=report[1]).require()
    assert caught.value.code == "QB771"


def swap(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def change(page: str) -> str:
        assert old in page, old
        return page.replace(old, new, count)

    return change


def swap_after(mark: str, pattern: str, new: str) -> Callable[[str], str]:
    """Change the first place after a mark that fits a pattern."""

    def change(page: str) -> str:
        place = page.index(mark)
        changed, n = re.subn(pattern, new, page[place:], count=1, flags=re.DOTALL)
        assert n == 1, pattern
        return page[:place] + changed

    return change


FLIPS = {
    "digit in a table cell": swap_after('data-name="effects"', r">\+1\.6<", ">+1.7<"),
    "digit in a figure's table": swap_after('data-name="trend-data"', "1,948", "1,949"),
    "header of a table": swap_after('data-name="effects"', "Estimate", "Estimates"),
    "word in a caption": swap_after('data-name="effects"', "Average", "Total"),
    "note of a table": swap_after('data-name="effects"', "n = 960", "n = 961"),
    "raw value for the CSV": swap_after('data-name="trend-data"', r"1948,1948", "1948,1947"),
    "bytes of the CSV": swap_after('data-name="effects"', r"base64,77u/", "base64,77u+"),
    "digit in the lead": swap_after('class="bluf"', r"1\.0～2\.2", "1.0～2.3"),
    "digit in a finding": swap_after('class="kf"', r"94\.6", "94.5"),
    "grade of a finding": swap_after('class="kf"', 'data-grade="limited"', 'data-grade="strong"'),
    "failed check": swap_after('class="care"', r"0\.031", "0.310"),
    "limit": swap_after('id="limits"', "lies below", "lies above"),
    "digit in a path": swap_after('data-drawing="zh_wide"', r'points="30\.0', 'points="30.1'),
    "digit in a label": swap_after('data-drawing="en_narrow"', "Latest ", "Latest 1"),
    "title of a figure": swap_after('data-name="trend"', "2022 年底", "2023 年底"),
    "how to read": swap_after('data-field="how_to_read"', "灰带", "灰点"),
    "text alternative": swap_after('data-field="alt"', "rises", "falls"),
    "value of a tile": swap_after('class="tiles"', "46,726", "46,727"),
    "line of a tile": swap_after('data-drawing="spark"', r'points="0,', 'points="1,'),
    "chip of a tile": swap_after('class="tiles"', "Misses", "Meets"),
    "name of a table": swap('data-name="effects"', 'data-name="effect"'),
}  # fmt: skip


@pytest.mark.parametrize("flip", FLIPS)
def test_one_changed_byte_fails_the_numbers(report: tuple[str, dict[str, Any]], flip: str) -> None:
    changed = FLIPS[flip](report[0])
    assert changed != report[0]
    assert failing(changed, report[1]) == {"numbers"}


def without_conclusion() -> Any:
    """Return the case whose letter concludes nothing, so that its sentences stand in their sections."""
    case = load_case().make_case()
    kept = [c for c in case.notebook.cells if not c.source.startswith("conclude(")]
    return dataclasses.replace(case, notebook=nbformat.v4.new_notebook(cells=kept))


def page_of(case: Any, record: dict[str, Any]) -> str:
    from qbase.reports.rendering.page_rendering import render_report

    return render_report(case.notebook, spec=case.spec, run=case.run, results=record)


def test_one_changed_digit_in_a_sentence_of_a_section_fails_the_numbers() -> None:
    case = without_conclusion()
    page = page_of(case, case.record)
    assert failing(page, case.record) == set()
    assert failing(swap_after('data-bundle="prose"', r"1\.6", "1.7")(page), case.record) == {"numbers"}


def test_what_a_shown_table_tells_needs_no_sentence_and_without_the_table_it_does() -> None:
    case = without_conclusion()
    silent = [c for c in case.notebook.cells if ".say()" not in c.source]
    case = dataclasses.replace(case, notebook=nbformat.v4.new_notebook(cells=silent))
    names = [r["name"] for r in case.record["results"]]
    assert failing(page_of(case, case.record), case.record) == {"numbers"}
    told = {**case.record, "told": {"effects": names}}
    page = page_of(case, told)
    assert failing(page, told) == set()
    assert failing(page, {**case.record, "told": {"another": names}}) == {"numbers"}


def drop(pattern: str) -> Callable[[str], str]:
    return swap_after("<body>", pattern, "")


FORM = {
    "missing caption": (drop(r'<caption id="caption-parameters">.*?</caption>'), {"captions"}),
    "header cell without scope": (swap('<th scope="col">', "<th>"), {"captions"}),
    "outside picture": (swap("</main>", '<img alt="x" src="https://x.example/a.png"></main>'), {"no_request"}),
    "picture set": (swap("</main>", '<img alt="x" srcset="a.png 2x"></main>'), {"no_request"}),
    "style from outside": (swap("</style>", "@import 'https://x.example/a.css';</style>"), {"no_request"}),
    "background from outside": (swap("</style>", "p{background:url(https://x.example/a)}</style>"), {"no_request"}),
    "style attribute": (swap("<h1>", '<h1 style="background:url(a.png)">'), {"no_request"}),
    "stylesheet": (swap("<style>", '<link rel="stylesheet" href="a.css"><style>'), {"no_request"}),
    "refresh": (swap("<style>", '<meta http-equiv="refresh" content="0;url=//x"><style>'), {"no_request"}),
    "link is no request": (swap("</main>", '<a href="https://www.example.org/">x</a></main>'), set()),
    "script": (swap("</main>", "<script>1</script></main>"), {"no_script"}),
    "handler": (swap("<h1>", '<h1 onclick="x()">'), {"no_script"}),
    "address that acts": (swap("</main>", '<a href=" java\nscript:x()">x</a></main>'), {"no_script"}),
    "policy gone": (lambda p: re.sub(r"<meta http-equiv[^>]*>", "", p, count=1), {"no_script"}),
    "policy second": (swap("<head>", '<head><meta name="x" content="y">'), {"no_script"}),
    "policy weakened": (swap("default-src 'none'", "default-src *"), {"no_script"}),
    "English twin gone": (swap_after("<h1>", r'<span class="en".*?</span>', ""), {"both_languages"}),
    "wrong language named": (swap_after("<h1>", 'lang="en"', 'lang="zh-CN"'), {"both_languages"}),
    "Chinese twin empty": (swap_after("<h1>", r'(<span class="zh"[^>]*>).*?</span>', r"\1</span>"), {"both_languages"}),
    "alt gone": (swap("</main>", '<img src="data:image/png;base64,AA=="></main>'), {"alt_text"}),
    "drawing neither described nor hidden": (
        swap('<svg viewBox="0 0 22 22" aria-hidden="true">', '<svg viewBox="0 0 22 22">'), {"alt_text"}),
    "another run": (swap('name="qbase-run" content="', 'name="qbase-run" content="x'), {"intervals"}),
    "character without glyph": (swap("</main>", "<p>😀</p></main>"), {"glyphs"}),
    "font gone": (lambda p: re.sub(r"@font-face\{.*?\}", "", p, count=1), {"glyphs"}),
    "font torn": (lambda p: re.sub(r"(woff2;base64,.{400})[^)]*", r"\1", p, count=1), {"glyphs"}),
    "pale text": (swap("--mut:#4d5b68", "--mut:#b0b8c0", count=9), {"contrast_and_private"}),
    "path of this machine": (swap("</main>", "<p>/home/wang/x.csv</p></main>"), {"contrast_and_private"}),
    "path in a comment": (swap("</main>", "<!-- /home/wang/x.csv --></main>"), {"contrast_and_private"}),
    "path in an attribute": (swap("<h1>", '<h1 title="/root/x/y">'), {"contrast_and_private"}),
    "too big": (swap("</main>", "<!--" + "x" * 1_500_000 + "--></main>"), {"one_file"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FORM)
def test_each_fault_of_form_fails_its_own_check(report: tuple[str, dict[str, Any]], fault: str) -> None:
    change, expected = FORM[fault]
    assert failing(change(report[0]), report[1]) == expected


def test_a_figure_without_description_fails_alt_text_and_numbers(report: tuple[str, dict[str, Any]]) -> None:
    page = swap_after('data-drawing="zh_wide"', "<desc.*?</desc>", "")(report[0])
    assert failing(page, report[1]) == {"alt_text", "numbers"}


def test_a_removed_table_and_an_added_one_are_noticed(report: tuple[str, dict[str, Any]]) -> None:
    page, record = report
    gone = re.sub(r'<div class="tab" data-kind="table" data-name="effects".*?</a></p></div>', "", page, flags=re.DOTALL)
    assert gone != page
    assert "numbers" in failing(gone, record)
    for name in ("tables", "figures"):
        less = {**record, name: {}}
        assert failing(page, less) == {"numbers"}
    # a figure that the run recorded and the page does not show
    assert failing(page, {**record, "figures": {**record["figures"], "lost": "0"}}) == {"numbers"}


def test_an_unsaid_sentence_is_noticed(report: tuple[str, dict[str, Any]]) -> None:
    page, record = report
    more = json.loads(json.dumps(record))
    more["results"][0]["sentences"].append({"zh": "另有一句。", "en": "One more sentence."})
    assert failing(page, more) == {"numbers"}


@pytest.mark.parametrize(("low", "kind", "fails"), [(None, "model", True), (None, "none_full_count", False)])
def test_an_estimate_without_interval_is_noticed(
    report: tuple[str, dict[str, Any]], low: None, kind: str, fails: bool
) -> None:
    page, record = report
    changed = json.loads(json.dumps(record))
    changed["results"][1]["estimates"][0] |= {"ci_low": low, "uncertainty": kind}
    assert ("intervals" in failing(page, changed)) is fails


def test_our_reader_and_an_html5_parser_see_the_same_elements(report: tuple[str, dict[str, Any]]) -> None:
    page = report[0]

    def count(names: list[str]) -> dict[str, int]:
        return {name: names.count(name) for name in sorted(set(names))}

    tree = html5lib.parse(page, namespaceHTMLElements=False)
    theirs = [str(e.tag).rpartition("}")[2].lower() for e in tree.iter() if isinstance(e.tag, str)]
    assert count([e.tag for e in read_page(page).root.walk()]) == count(theirs)


def test_tags_read_at_once_are_those_of_the_standard_library(report: tuple[str, dict[str, Any]]) -> None:
    """Places, attributes and nesting, on a page and on pieces put together at random, well formed or not."""

    class Plain(_Reader):
        parse_starttag = HTMLParser.parse_starttag

    def seen(reader: _Reader, source: str) -> list[Any]:
        reader.feed(source)
        reader.close()
        return [(e.tag, list(e.attributes.items()), e.begin, e.end, e.first, e.last) for e in reader.order.elements]

    pieces = (
        '<p class="a b">', "</p>", "<br/>", '<path d="M0" D="x"/>', '<a href="#x" href="y">', "<style>", "</style>",
        "<title>", "</title>", "<script>", "</script>", "x < y", "<!-- <p> -->", "<p a=1>", "<p a='b'>", '<p a="<b>">',
        '<p a="&quot;">', "\n", '<p\n a="b"\n>', '<p a="b"c="d">', "<", "</", '<p a="', "一", '<p a="b"/ >',
        '<p\x0ba="1">', '<p a:b.c-d="1">', "<textarea>", "</textarea>",
    )  # fmt: skip
    draws = random.Random(0)
    sources = ["".join(draws.choices(pieces, k=draws.randint(1, 12))) for _ in range(2000)]
    for source in (report[0], *sources):
        assert seen(_Reader(source), source) == seen(Plain(source), source), source[:200]


def test_source_inside_an_element_comes_back_byte_by_byte() -> None:
    page = read_page('<p>一</p>\n<div a="&amp;>"><svg viewBox="0 0 1 1"><path d="M0"/></svg> &lt;\n</div><br>x')
    div = page.root.find(lambda e: e.tag == "div") or Element("", {})
    assert div.attributes == {"a": "&>"}
    assert page.inner(div) == '<svg viewBox="0 0 1 1"><path d="M0"/></svg> &lt;\n'
    assert page.root.text() == "一\n <\nx"
