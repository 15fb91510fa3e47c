"""A run's notebook opened elsewhere shows its figures and tables."""

from __future__ import annotations

import base64
import pathlib
import re
from xml.etree import ElementTree

from nbformat.v4 import new_code_cell, new_notebook, new_output

from qbase.core import Column, Figure, Prose, Provenance, Table, Text, Tile, Tiles
from qbase.core.shown.display import MIME, Bundle
from qbase.reports.rendering.plain_fallbacks import with_fallbacks

RATE = Text("合格率 <80%>", "pass rate <80%>")
TABLE = Table(name="t", caption=RATE, columns=(Column(label=RATE),), rows=(("K003",), (Text("甲", "one"),)))
SVG = '<svg viewBox="0 0 9 9"><path style="stroke:var(--blue)" d="M 0 0" /><text>合格率</text></svg>'
TEXTS = dict.fromkeys(("title", "subtitle", "how_to_read", "note", "alt"), RATE)
DRAWN = dict.fromkeys(("zh_wide", "zh_narrow", "en_wide", "en_narrow"), SVG)
TILE = Tile(label=RATE, value="80.0", unit=Text("%", "%"), interval=Text("58 至 91", "58 to 91"), change=RATE)


def shown(bundle: Bundle, lang: str = "zh") -> dict[str, object]:
    data = {"text/plain": bundle.plain(), MIME: bundle.payload()}
    cell = new_code_cell("x", outputs=[new_output("execute_result", data=data, execution_count=1)])
    notebook = new_notebook(cells=[cell])
    made = with_fallbacks(notebook, lang)  # type: ignore[arg-type]
    assert set(notebook.cells[0].outputs[0]["data"]) == {"text/plain", MIME}
    found = dict(made.cells[0].outputs[0]["data"])
    assert found[MIME] == bundle.payload()
    return found


def test_a_figure_is_a_drawing_that_needs_no_page_around_it() -> None:
    svg = str(shown(Figure(name="f", drawings=DRAWN, table=TABLE, **TEXTS))["image/svg+xml"])
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314
    assert re.search(r"stroke:#[0-9a-fA-F]{6}", svg)
    assert "var(" not in svg


def test_a_figure_is_an_image_too_where_no_drawing_of_others_is_shown() -> None:
    """JupyterLab trusts HTML, cleaned, of a notebook that somebody else has run; SVG it does not."""
    found = shown(Figure(name="f", drawings=DRAWN, table=TABLE, **TEXTS))
    (data,) = re.findall(
        r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="合格率 &lt;80%&gt;"', str(found["text/html"])
    )
    assert base64.b64decode(data).decode() == found["image/svg+xml"]
    assert "<strong>合格率 &lt;80%&gt;</strong>" in str(found["text/html"])


def test_plain_nbconvert_shows_figures_and_tables(chromium: str, tmp_path: pathlib.Path) -> None:
    """In a browser, from the page that nbconvert makes of the notebook with a template of its own."""
    from nbconvert import HTMLExporter
    from playwright.sync_api import sync_playwright

    bundles = (Figure(name="f", drawings=DRAWN, table=TABLE, **TEXTS), TABLE)
    outputs = [
        new_output("display_data", data={"text/plain": bundle.plain(), MIME: bundle.payload()}) for bundle in bundles
    ]
    notebook = with_fallbacks(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), "zh")
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    (tmp_path / "run.html").write_text(f"<meta charset='utf-8'>{page}", encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto((tmp_path / "run.html").as_uri())
        assert opened.evaluate("[...document.images].map(image => image.naturalWidth > 0)") == [True]
        assert opened.locator("td", has_text="K003").count() == 1
        browser.close()


def test_tables_words_and_key_indicators_are_html_of_one_language() -> None:
    table = str(shown(TABLE)["text/html"])
    assert "<td>K003</td>" in table
    assert "<td>甲</td>" in table
    assert "one" not in table
    assert "合格率 &lt;80%&gt;" in table
    assert "<td>one</td>" in str(shown(TABLE, "en")["text/html"])
    assert shown(Prose(name="p", items=(RATE,)))["text/html"] == "<p>合格率 &lt;80%&gt;</p>"
    assert "<td>80.0%</td><td>58 至 91</td>" in str(shown(Tiles(name="k", items=(TILE,)))["text/html"])
    facts = Provenance(name="s", facts=((Text("数据版本", "Data snapshot"), "S0003"),))
    assert "<td>数据版本</td><td>S0003</td>" in str(shown(facts)["text/html"])


def test_a_bundle_of_another_shape_is_left_for_the_page_to_refuse() -> None:
    data = {MIME: {"kind": "figure"}}
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data)])
    assert dict(with_fallbacks(new_notebook(cells=[cell]), "zh").cells[0].outputs[0]["data"]) == data
