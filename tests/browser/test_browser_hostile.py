"""Forty hostile texts wherever a stranger can write on a page: nothing runs, nothing is asked, no table is lost."""

from __future__ import annotations

import dataclasses
import html
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest

from qbase.core import Column, Table, Text
from qbase.reports.rendering.gallery import build_gallery, report_meta
from qbase.reports.rendering.page_rendering import render_report
from tests.browser.hostile_texts import HOSTILE
from tests.browser.render_case import code, make_case, pair

pytestmark = pytest.mark.browser

LIVE_AT_LEAST = 36
"""Of the forty, those a browser acts upon where nothing is cleaned (all forty in Chromium 156)."""


@pytest.fixture(scope="module")
def counter() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server on this machine and the paths it was asked for."""
    asked: list[str] = []

    class Counter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture(scope="module")
def marks(counter: tuple[str, list[str]]) -> list[str]:
    return [text.format(n=n, at=counter[0]) for n, text in enumerate(HOSTILE)]


def open_page(browser: Any, path: pathlib.Path, *, bypass: bool) -> tuple[Any, set[int]]:
    """Open a file with scripts allowed; return the page and the numbers that called ``hit``."""
    context, ran = browser.new_context(bypass_csp=bypass), set()
    context.expose_binding("hit", lambda _, n: ran.add(n))
    page = context.new_page()
    page.asked = []
    page.on("request", lambda r: page.asked.append(r.url) if not r.url.startswith("data:") else None)
    page.goto(path.as_uri())
    page.wait_for_timeout(150)
    return page, ran


def test_the_texts_are_alive_where_nothing_cleans_them(
    browser: Any, counter: tuple[str, list[str]], marks: list[str], tmp_path: pathlib.Path
) -> None:
    asked = counter[1]
    assert len({*HOSTILE}) == len(HOSTILE) == 40
    frames = [f"<!doctype html><body><table><tr><td>{mark}</td></tr></table>" for mark in marks]
    path = tmp_path / "raw.html"
    path.write_text("".join(f'<iframe srcdoc="{html.escape(frame)}"></iframe>' for frame in frames), encoding="utf-8")
    page, ran = open_page(browser, path, bypass=False)
    page.wait_for_timeout(500)
    called = {int(p.strip("/").partition(".")[0]) for p in asked if p.strip("/")[:1].isdigit()}
    page.context.close()
    asked.clear()
    assert len(ran | called) >= LIVE_AT_LEAST


def hostile_report(folder: pathlib.Path, marks: list[str]) -> pathlib.Path:
    """Return a page with each text in foreign and own tables, Markdown, a stream, a drawing and the source."""
    case = make_case(title=Text(marks[26], marks[27]))
    table = Table(
        name="own", caption=Text(marks[0], marks[8]), note=Text(marks[11], marks[29]),
        columns=(Column(label=Text(marks[25], marks[28])), Column(label=Text("b", "c"))),
        rows=tuple((f"own-{n}", Text(mark, mark + "e")) for n, mark in enumerate(marks)),
        data={"mark": marks}, style="effects",
    )  # fmt: skip
    shown = nbformat.v4.new_output
    outputs = []
    for n, mark in enumerate(marks):
        rows = f"<tr><td>kept-{n}</td><td>{mark}</td></tr>"
        frame = f"<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>{rows}</tbody></table>{mark}"
        outputs += [
            shown("display_data", data={"text/html": frame}),
            shown("display_data", data={"text/markdown": f"**m-{n}** {mark}\n\n[x](javascript:hit({n}))"}),
            shown("display_data", data={"image/svg+xml": f"<svg onload='hit({n})'>{mark}</svg>"}),
        ]
    outputs.append(shown("stream", text="\n".join(marks)))
    cells = [
        *pair("# a\n\n" + "\n\n".join(marks), "# a\n\n" + "\n\n".join(marks)),
        code("\n".join(marks), table),
        nbformat.v4.new_code_cell("x", outputs=outputs),
    ]
    sources = [{"path": m, "producer": m, "licence": "", "retrieved_on": "", "sha256": ""} for m in marks]
    run = dataclasses.replace(case.run, params={f"{n}{mark}": mark for n, mark in enumerate(marks)})
    record = {**case.record, "sources": sources}
    page = render_report(nbformat.v4.new_notebook(cells=cells), spec=case.spec, run=run, results=record)
    path = folder / "hostile.html"
    path.write_text(page, encoding="utf-8")
    spec = dataclasses.replace(case.spec, report_id="hostile")
    path.with_suffix(".json").write_text(json.dumps(report_meta(spec, run, case.record)), encoding="utf-8")
    return path


ACTING = "script, iframe, object, embed, link, base, form, video, audio, image, foreignObject, meta[http-equiv=refresh]"
HANDLERS = """() => [...document.querySelectorAll('*')].flatMap(e => [...e.attributes].filter(
    a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value)).map(a => e.tagName + ' ' + a.name))"""


def test_forty_hostile_texts_run_nothing_and_ask_nothing_even_without_the_policy(
    browser: Any, counter: tuple[str, list[str]], marks: list[str], tmp_path: pathlib.Path
) -> None:
    path = hostile_report(tmp_path, marks)
    build_gallery(tmp_path)
    for file in (path, tmp_path / "index.html"):
        for bypass in (False, True):
            page, ran = open_page(browser, file, bypass=bypass)
            page.click("label[for=L-en]")
            assert (ran, page.asked, counter[1]) == (set(), [file.as_uri()], [])
            assert page.locator(ACTING).count() == 0
            assert page.evaluate(HANDLERS) == []
            if file == path:
                kept = page.evaluate("[...document.querySelectorAll('td, th')].map(e => e.textContent)")
                assert {f"{kind}-{n}" for kind in ("kept", "own") for n in range(40)} <= {*map(str.strip, kept)}
                foreign = page.locator("table", has_text="kept-")
                assert foreign.count() == 40
                assert foreign.locator("thead th").count() == 80
            page.context.close()
