"""Foreign outputs: inert, labelled, cut to size, or replaced by a note that everybody sees."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from qbase.reports.rendering.cell_outputs import (
    CELL_LIMIT,
    RAW_LIMIT,
    STREAM_LIMIT,
    label_tables,
    lower_headings,
    read_outputs,
    render_markdown,
)


def shown(*outputs: dict[str, Any]) -> list[Any]:
    return list(read_outputs(outputs, cell=3, run_id="R1"))


def display(**data: Any) -> dict[str, Any]:
    names = {
        "html": "text/html", "plain": "text/plain", "md": "text/markdown", "png": "image/png", "svg": "image/svg+xml",
        "js": "application/javascript", "widget": "application/vnd.jupyter.widget-view+json",
    }  # fmt: skip
    return {"output_type": "display_data", "data": {names[k]: v for k, v in data.items()}, "metadata": {}}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def test_a_frame_becomes_a_table_with_caption_scope_and_scroll_region() -> None:
    frame = pd.DataFrame({"name": ["<script>alert(1)</script>", "=cmd"], "n": [1, 2]})
    (one,) = shown(display(html=frame.to_html(), plain="x"))
    html = str(one.html)
    assert '<caption><span class="zh" lang="zh-CN">第 3 个代码单元的输出</span>' in html
    assert html.count('scope="col"') == 2
    assert html.count('scope="row"') == 2
    assert '<div class="scroll" tabindex="0" role="region"' in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_table_without_header_cells_gets_row_headers() -> None:
    html = label_tables("<table><tbody><tr><td>a</td><td>1</td></tr></tbody></table>", "c")
    assert '<tr><th scope="row">a</th><td>1</td></tr>' in html
    assert "<caption>c</caption>" in html


def test_a_caption_and_a_scope_of_its_own_stay() -> None:
    html = label_tables('<table><caption>own</caption><tbody><tr><th scope="col">a</th></tr></tbody></table>', "c")
    assert "<caption>own</caption>" in html
    assert html.count("scope=") == 1


def test_foreign_headings_move_below_those_of_the_page_without_a_gap() -> None:
    assert lower_headings("<h1>a</h1><h4>b</h4><h1>c</h1>") == "<h3>a</h3><h4>b</h4><h3>c</h3>"


def test_raw_html_in_markdown_stays_visible_text() -> None:
    html = render_markdown(
        "**b** <img src=x onerror=alert(1)>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))"
    )
    assert "<strong>b</strong>" in html
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "javascript" not in html


def test_lines_of_chinese_join_without_a_space_and_others_keep_it() -> None:
    assert "合格率。一个季度" in render_markdown("合格率。\n一个季度")
    assert "rate\nof 一\nrate" in render_markdown("rate\nof 一\nrate")
    assert "一\n二" in render_markdown("```\n一\n二\n```")


def test_markdown_outputs_are_read_as_markdown() -> None:
    (one,) = shown(display(md="| a | b |\n|---|---|\n| 1 | 2 |", plain="x"))
    assert str(one.html).count('scope="col"') == 2


def test_a_picture_keeps_its_words_or_says_that_there_are_none() -> None:
    output = {**display(png="iVBORw0KGgo=\n", plain="<Figure>"), "metadata": {"alt": 'Trend "up" <b>'}}
    (one,) = shown(output)
    assert 'alt="Trend &#34;up&#34; &lt;b&gt;"' in str(one.html)
    (bare,) = shown(display(png="iVBORw0KGgo=", svg="<svg/>"))
    assert "no description given" in str(bare.html)
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in str(bare.html)


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (display(js="alert(1)"), "application/javascript"),
        (display(widget={"model_id": "x"}, plain="IntSlider(value=0)"), "widget-view"),
        (display(svg="<svg onload='x()'/>"), "SVG"),
        (stream("/root/x.py:3: UserWarning: old\n  warn()\n", "stderr"), "2 lines of warnings"),
        (display(html="x" * (RAW_LIMIT + 1)), "left out"),
        (display(html="<p>" + "x" * (CELL_LIMIT + 1) + "</p>"), "left out"),
    ],
)
def test_what_is_not_shown_leaves_a_note(output: dict[str, Any], word: str) -> None:
    (one,) = shown(output)
    assert one.html is None
    assert word in one.note.en
    assert one.note.zh.startswith("第 3 个代码单元：")


def test_scripts_of_a_chart_go_and_are_told_of() -> None:
    note, rest = shown(display(html="<div>kept</div><script>alert(1)</script>"))
    assert "scripts" in note.note.en
    assert str(rest.html) == "<div>kept</div>"


def test_an_error_shows_the_run_and_neither_name_nor_traceback() -> None:
    error = {"output_type": "error", "ename": "KeyError", "evalue": "/root/秘密.csv", "traceback": ["Traceback …"]}
    (one,) = shown(error)
    assert "R1" in one.note.en
    for secret in ("KeyError", "秘密", "Traceback"):
        assert secret not in one.note.en + one.note.zh


def test_a_long_stream_is_cut_with_a_note_and_escaped() -> None:
    text, note = shown(stream("<b>" + "x" * STREAM_LIMIT))
    assert str(text.html).startswith('<pre tabindex="0">&lt;b&gt;')
    assert "only the first 20,000 characters" in note.note.en


def test_a_cell_has_one_allowance_for_all_its_outputs() -> None:
    big = display(html="<p>" + "x" * (CELL_LIMIT // 2 + 1) + "</p>")
    kinds = [one.html is not None for one in shown(big, big, stream("small"))]
    assert kinds == [True, False, True]


def test_nothing_comes_of_empty_outputs() -> None:
    assert (
        shown(stream(" \n"), display(plain="  "), display(html="<script></script>"), {"output_type": "update"})[1:]
        == []
    )
