"""The finished page in a real browser without JavaScript: switches, phone, paper, access, and nothing that acts."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from typing import Any

import pytest

from qbase.reports.rendering.gallery import build_gallery, report_meta
from qbase.reports.rendering.page_rendering import render_report
from tests.browser.render_case import make_case

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    case = make_case()
    path = tmp_path_factory.mktemp("site") / "trends.html"
    path.write_text(render_report(case.notebook, spec=case.spec, run=case.run, results=case.record), encoding="utf-8")
    return path


@pytest.fixture
def visit(browser: Any, request: pytest.FixtureRequest) -> Any:
    """Open a file in a fresh context; every request but the file itself is noted."""
    opened = []

    def go(path: pathlib.Path, *, script: bool = False, **options: Any) -> Any:
        context = browser.new_context(java_script_enabled=script, **{"viewport": DESKTOP, **options})
        opened.append(context)
        page = context.new_page()
        page.asked = []
        page.said = []
        page.blocked = []
        page.on("request", lambda r: page.asked.append(r.url) if not r.url.startswith("data:") else None)
        page.on("requestfailed", lambda r: page.blocked.append((r.url, r.failure)))
        page.on("dialog", lambda d: (page.said.append(d.message), d.dismiss()))
        page.goto(path.as_uri())
        return page

    yield go
    for context in opened:
        context.close()


def shown(page: Any, selector: str) -> list[bool]:
    return [e.is_visible() for e in page.locator(selector).all()]


def test_language_theme_and_code_switch_without_script(visit: Any, report: pathlib.Path) -> None:
    page = visit(report, color_scheme="light")
    assert shown(page, "h1 .zh") == [True]
    assert shown(page, "h1 .en") == [False]
    page.click("label[for=L-en]")
    assert shown(page, "h1 .zh") == [False]
    assert shown(page, "h1 .en") == [True]
    surface = page.locator(".page")
    assert surface.bounding_box() is not None
    assert not any(shown(page, ".code"))
    page.click("label[for=C-code]")
    page.click("details[data-annex] > summary")
    assert all(shown(page, ".code pre"))
    page.click("label[for=C-code]")
    assert not any(shown(page, ".code"))
    light = page.screenshot(clip={"x": 5, "y": 300, "width": 2, "height": 2})
    page.click("label[for=T-dark]")
    dark = page.screenshot(clip={"x": 5, "y": 300, "width": 2, "height": 2})
    page.click("label[for=T-light]")
    assert dark != light
    assert page.screenshot(clip={"x": 5, "y": 300, "width": 2, "height": 2}) == light
    assert page.asked == [report.as_uri()]


def test_the_switches_work_from_the_keyboard_and_the_first_stop_is_the_skip_link(
    visit: Any, report: pathlib.Path
) -> None:
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert shown(page, "h1 .en") == [True]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_phone_shows_narrow_figures_and_cards_and_never_scrolls_sideways(
    visit: Any, report: pathlib.Path, language: str
) -> None:
    page = visit(report, viewport=PHONE, script=True)
    page.click(f"label[for=L-{language}]")
    page.click("label[for=C-code]")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert shown(page, f".art .{language}.narrow") == [True]
    assert shown(page, f".art .{language}.wide") == [False]
    row = page.locator(".effects tbody tr").first
    assert row.evaluate("e => getComputedStyle(e).display") == "grid"
    assert page.asked == [report.as_uri()]


VARIANTS = {
    "light": (DESKTOP, []),
    "dark with code": (DESKTOP, ["T-dark", "C-code"]),
    "English": (DESKTOP, ["L-en"]),
    "phone": (PHONE, []),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_axe_finds_nothing(visit: Any, report: pathlib.Path, variant: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    viewport, switches = VARIANTS[variant]
    page = visit(report, script=True, viewport=viewport, bypass_csp=True)
    for switch in switches:
        page.click(f"label[for={switch}]")
    page.locator("details").last.evaluate("e => e.open = true")
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    outcome = Axe().run(page, options={"runOnly": {"type": "tag", "values": levels}})
    found = {v["id"] for v in outcome.response["violations"]}
    assert len(outcome.response["passes"]) > 20
    # the switches come before every landmark, so that style rules can reach the whole page
    assert found <= {"region"}, outcome.generate_report()


def test_axe_finds_nothing_in_the_gallery(visit: Any, report: pathlib.Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    case = make_case()
    meta = report_meta(case.spec, case.run, case.record)
    report.with_suffix(".json").write_text(json.dumps(meta), encoding="utf-8")
    about = {**meta, "params": {"entity": "cluster_id", "subject": "K1"}, "subject": {"zh": "集群", "en": "cluster"}}
    shutil.copy(report, report.with_name("other.html"))
    report.with_name("other.json").write_text(json.dumps(about), encoding="utf-8")
    index = build_gallery(report.parent)
    for shown in (index, index.parent / "by" / "cluster-1.html", index.parent / "by" / "year-1.html"):
        page = visit(shown, script=True, bypass_csp=True)
        found = {v["id"] for v in Axe().run(page).response["violations"]}
        assert found <= {"region"}


def test_the_first_printed_page_is_the_brief_with_key_indicators(
    browser: Any, visit: Any, report: pathlib.Path
) -> None:
    page = visit(report, script=True)
    page.emulate_media(media="print")
    # A4 less the margins of the style sheet, in CSS pixels
    page.set_viewport_size({"width": 680, "height": 1000})
    bottom = "e => e.getBoundingClientRect().bottom + scrollY"
    for part in ("h1", ".bluf", ".kf", ".care", ".tiles"):
        assert page.locator(part).first.evaluate(bottom) < 1000
    assert page.locator("#overview").evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    assert shown(page, ".bar") == [False]
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3


def test_the_policy_alone_stops_a_script_and_a_picture(
    visit: Any, report: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "tampered.html"
    added = "<script>alert(1)</script><img alt='' src='https://x.example/a.png' onerror='alert(2)'></main>"
    path.write_text(report.read_text(encoding="utf-8").replace("</main>", added), encoding="utf-8")
    page = visit(path, script=True)
    assert page.said == []
    assert page.blocked == [("https://x.example/a.png", "csp")]
