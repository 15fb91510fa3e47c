"""A page says a thing once: findings, failed checks, the decision's box, the annex."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import pathlib
import re
import sys
from typing import Any

import pytest

from qbase.core import MIME, CheckResult, Decision, Estimate, Indicator, Result, Text
from qbase.core.results.result import distinct_checks
from qbase.release.verifying.page_reading import Element, Page, read_page
from qbase.release.verifying.shown_bundles import read_text
from qbase.release.verifying.verification import verify_html
from qbase.reports.rendering.page_rendering import failed_beside, render_report


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


def of_record(case: Any, name: str, **changes: Any) -> dict[str, Any]:
    results = [{**r, **(changes if r["name"] == name else {})} for r in case.record["results"]]
    return {**case.record, "results": results}


def test_what_failed_beside_the_conclusion_joins_the_reminders_sentence_by_sentence() -> None:
    case = CASE.make_case()
    first = case.record["results"][0]
    failed = next(c for r in case.record["results"] for c in r["checks"] if c["passed"] is False)["text"]
    more = {"zh": failed["zh"].rstrip("。") + "。另有一点。", "en": failed["en"].rstrip(".") + ". One thing more."}
    check = {"name": "more", "passed": False, "text": more}
    record = of_record(case, first["name"], checks=[*first["checks"], check])
    text = render(case, results=record)
    page = read_page(text)
    assert "One thing more." in by_class(page, "care").text()
    assert page.body.text().count("One thing more.") == 1
    assert "numbers" not in [c.name for c in verify_html(text, record=record).failed]
    kept = text.replace("One thing more.", "Nothing more.")
    assert "numbers" in [c.name for c in verify_html(kept, record=record).failed]


def test_a_check_said_with_its_sample_is_not_said_again_without() -> None:
    said = [
        Text("以全部批次计：占比变化 3 个百分点。", "On all batches: the share moved by 3 points."),
        Text("占比变化 3 个百分点。", "The share moved by 3 points."),
    ]
    checks = [CheckResult(name="same_sampling", passed=False, text=text) for text in said]
    results = {"results": [{"checks": [c.payload()]} for c in checks]}
    assert failed_beside(results, []) == said[:1]
    rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    value = Estimate(term="rate", value=90.0, ci_low=85.0, ci_high=95.0)
    result = Result(
        estimand="level", outcome=rate, unit="pct", method="wilson", estimates=(value,), subject=Text("甲", "A")
    )
    twice = [dataclasses.replace(result, checks=(check,)) for check in checks]
    assert [c.text for c in distinct_checks(*twice) if c.name == "same_sampling"] == said[:1]


def test_a_sentence_of_the_first_page_is_not_said_again_below(page: Page) -> None:
    top = {read_text(e)["zh"] for e in page.body.having("data-bundle", "conclusion")}
    assert top
    assert not page.body.having("data-bundle", "prose"), "each result of this letter stands among its findings"
    whole = page.body.text()
    assert all(whole.count(said) == 1 for said in top)


def test_cells_for_the_annex_stand_in_it_with_limits_terms_and_origin() -> None:
    case = CASE.make_case()
    notebook = copy.deepcopy(case.notebook)
    for cell in notebook.cells:
        if cell.source.startswith(("table = ", "figure = ")):
            cell.metadata["tags"] = ["annex"]
    text = render(dataclasses.replace(case, notebook=notebook))
    page = read_page(text)
    assert not verify_html(text, record=case.record).failed
    (annex,) = page.body.having("data-annex")
    inside = [e.attributes["id"] for e in annex.tagged("section")]
    assert inside == ["s1-annex", "s2-annex", "limits", "terms", "origin"]
    assert [read_text(e)["en"] for e in annex.tagged("h2")][:2] == ["4 Trend: in full", "5 Policy effect: in full"]
    shown = {e.attributes["data-name"] for e in annex.having("data-kind")}
    assert {"trend", "effects"} <= shown
    assert annex.tag == "details"
    assert "open" not in annex.attributes
    assert "::details-content" in page.style


def test_a_figure_for_the_brief_stands_beside_the_findings_and_figures_in_a_row_side_by_side() -> None:
    case = CASE.make_case()
    notebook = copy.deepcopy(case.notebook)
    cell = next(c for c in notebook.cells if c.source.startswith("figure = "))
    cell.metadata["tags"] = ["brief"]
    page = read_page(render(dataclasses.replace(case, notebook=notebook)))
    (figure,) = page.body.tagged("figure")
    assert "shown" in figure.parent.classes
    assert "图 1" in figure.text()
    other = copy.deepcopy(cell.outputs[0])
    payload = other.data[MIME]
    payload["name"], payload["table"]["name"] = "other", "other-data"
    payload["drawings"] = {k: re.sub(r'(id="|#)', r"\1other-", svg) for k, svg in payload["drawings"].items()}
    cell.metadata["tags"] = []
    cell.outputs.append(other)
    page = read_page(render(dataclasses.replace(case, notebook=notebook)))
    (side,) = [e for e in page.body.walk() if "side" in e.classes]
    assert [e.attributes["data-name"] for e in side.tagged("figure")] == ["trend", "other"]


def test_a_decision_is_one_box_on_the_first_page_with_its_heads_in_bold() -> None:
    case = CASE.make_case()
    decision = Decision(
        name="decision", verdict="cannot_tell", subject=Text("合格率", "pass rate"),
        can_say=((Text("提高超过 9 个百分点可以排除。", "A rise above 9 points is ruled out."), "limited"),),
    )  # fmt: skip
    notebook = copy.deepcopy(case.notebook)
    notebook.cells.insert(-1, CASE.code("decide", decision))
    record = {**case.record, "shown": {**case.record["shown"], "decision": decision.sha256()}}
    text = render(dataclasses.replace(case, notebook=notebook), results=record)
    page = read_page(text)
    box = by_class(page, "decision")
    assert any("title" in e.classes for e in box.ancestors())
    assert [e.text() for e in box.tagged("b")] == ["可以说：", "What can be said:"]
    assert not verify_html(text, record=record).failed
