"""Outputs of a cell: the house's bundles, and foreign ones made inert, cut to size, or replaced by a visible note."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import mistune
from markupsafe import Markup, escape

from qbase.core.shown.display import MIME
from qbase.core.text import Text
from qbase.release import clean_html
from qbase.reports.rendering.bundle_payloads import check_payload

# characters of inert HTML that one cell may add to the page, and of raw HTML that is cleaned at all
CELL_LIMIT = 400_000
RAW_LIMIT = 4_000_000
STREAM_LIMIT = 20_000
_TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
_HEADING = re.compile(r"<(/?)h([1-6])>")
_CELL = re.compile(r"<t([hd])((?:\s[^>]*)?)>(.*?)</t[hd]>", re.DOTALL)
_ROW = re.compile(r"<tr>(\s*)<td((?:\s[^>]*)?)>(.*?)</td>", re.DOTALL)
_CHINESE = re.compile("[\u2014-\u201d\u3000-\u9fff\uff00-\uffef]")
_OBJECT = re.compile(r"[(\[]?<[A-Za-z_.]+[ :]")
_ALT = re.compile(r'<img alt=""')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """One output: a bundle, inert HTML, or a note that says what is not shown and why.

    ``quiet`` HTML is the representation of an object, such as ``<Panel …>``: it goes with the code.
    """

    payload: Mapping[str, Any] | None = None
    html: Markup | None = None
    note: Text | None = None
    quiet: bool = False


def read_outputs(outputs: Sequence[Mapping[str, Any]], *, cell: int, run_id: str) -> Iterator[Shown]:
    """Yield what a report shows of the outputs of one code cell.

    Parameters
    ----------
    outputs : sequence of mapping
        As nbformat writes them.
    cell : int
        Number of the code cell, from 1.
    run_id : str
        Named where a reader would want to ask further.

    Yields
    ------
    Shown

    Raises
    ------
    RunError
        A bundle has the wrong shape (QB850, QB851) or an unclean drawing (QB760, QB761).
    """
    room = CELL_LIMIT
    for output in outputs:
        for shown in _read(output, cell, run_id):
            size = len(shown.html) if shown.html is not None else 0
            if size > room:
                yield Shown(note=_too_long(cell, size))
            else:
                room -= size
                yield shown


def _read(output: Mapping[str, Any], cell: int, run_id: str) -> Iterator[Shown]:
    kind = output.get("output_type")
    if kind == "stream":
        yield from _stream(output, cell)
    elif kind == "error":
        # what failed is for the operator's log; a traceback shows paths, rows and passwords
        yield Shown(
            note=_about(
                cell, f"运行出错；详情见运行 {run_id} 的日志", f"ended in an error; see the log of run {run_id}"
            )
        )
    elif kind in {"display_data", "execute_result"}:
        yield from _display(output, cell)


def _stream(output: Mapping[str, Any], cell: int) -> Iterator[Shown]:
    text = _joined(output.get("text", ""))
    if output.get("name") == "stderr":
        # warnings name files of this machine
        lines = len(text.splitlines())
        yield Shown(note=_about(cell, f"有 {lines} 行运行提示，见日志", f"{lines} lines of warnings are in the log"))
    elif text.strip():
        yield Shown(html=_pre(text[:STREAM_LIMIT]))
        if len(text) > STREAM_LIMIT:
            yield Shown(
                note=_about(
                    cell,
                    f"文字输出只显示前 {STREAM_LIMIT:,} 字",
                    f"only the first {STREAM_LIMIT:,} characters are shown",
                )
            )


def _display(output: Mapping[str, Any], cell: int) -> Iterator[Shown]:
    data: Mapping[str, Any] = output.get("data", {})
    if MIME in data:
        yield Shown(payload=check_payload(data[MIME], cell=cell))
    elif "text/html" in data:
        raw = _joined(data["text/html"])
        if "<script" in raw.lower() or "<iframe" in raw.lower():
            yield Shown(note=_about(cell, "输出中的脚本已去除", "scripts of an output are left out"))
        if len(raw) > RAW_LIMIT:
            yield Shown(note=_too_long(cell, len(raw)))
        elif cleaned := clean_html(raw).strip():
            yield Shown(html=as_inert(lower_headings(label_tables(cleaned, _caption(cell)))))
    elif "text/markdown" in data:
        yield Shown(
            html=as_inert(lower_headings(label_tables(render_markdown(_joined(data["text/markdown"])), _caption(cell))))
        )
    elif any(name in data for name in ("image/svg+xml", "image/png", "image/jpeg")):
        yield from _image(data, output.get("metadata", {}), cell)
    elif set(data) == {"text/plain"}:
        text = _joined(data["text/plain"])
        if text.strip():
            yield Shown(html=_pre(text[:STREAM_LIMIT]), quiet=bool(_OBJECT.match(text)))
    elif data:
        name = sorted(set(data) - {"text/plain"})[0]
        yield Shown(note=_about(cell, f"输出类型 {name} 在报告里不显示", f"an output of type {name} is not shown"))


def _image(data: Mapping[str, Any], metadata: Mapping[str, Any], cell: int) -> Iterator[Shown]:
    alt = str(
        metadata.get("alt")
        or f"第 {cell} 个代码单元输出的图，作者没有给出文字说明 / picture of code cell {cell}, no description given"
    )
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            source = clean_html(f'<img src="data:{kind};base64,{_joined(data[kind]).strip()}">')
            yield Shown(html=as_inert(_ALT.sub(f'<img alt="{escape(alt)}"', source)))
            return
    yield Shown(
        note=_about(
            cell, "外来 SVG 图不显示，请用 plot_ 函数或 PNG", "a foreign SVG is not shown; use a plot_ function or PNG"
        )
    )


def as_inert(html: str) -> Markup:
    """Mark HTML as safe for the template; only what `clean_html` returned, or was built on it, may come here."""
    return Markup(html)  # noqa: S704


def render_markdown(text: str) -> str:
    """Return Markdown as inert HTML: raw HTML inside it stays visible text."""
    tokens, state = read_markdown(text)
    return render_tokens(tokens, state)


def read_markdown(text: str) -> tuple[list[dict[str, Any]], Any]:
    """Return the tokens of a Markdown text."""
    parsed, state = _parser().parse(text)
    tokens = cast("list[dict[str, Any]]", parsed)
    _join_lines(tokens)
    return tokens, state


def _join_lines(tokens: list[dict[str, Any]]) -> None:
    """Drop line breaks between Chinese characters: a browser would show each as a space."""
    for token in tokens:
        _join_lines(token.get("children", []))
    for i in range(len(tokens) - 2, 0, -1):
        before, after = str(tokens[i - 1].get("raw", "")), str(tokens[i + 1].get("raw", ""))
        if tokens[i]["type"] == "softbreak" and _CHINESE.match(before[-1:]) and _CHINESE.match(after[:1]):
            del tokens[i]


def render_tokens(tokens: list[dict[str, Any]], state: Any) -> str:
    """Return tokens as inert HTML."""
    return clean_html(_renderer()(tokens, state))


@functools.cache
def _parser() -> mistune.Markdown:
    return mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"])


@functools.cache
def _renderer() -> Any:
    return mistune.create_markdown(escape=True, plugins=["table", "strikethrough"]).renderer


def label_tables(html: str, caption: str) -> str:
    """Give each table of cleaned HTML a caption, its header cells a scope, and a frame that scrolls.

    Parameters
    ----------
    html : str
        Output of `qbase.release.clean_html`.
    caption : str
        Inert HTML for tables that have none.
    """

    def frame(match: re.Match[str]) -> str:
        inner = match[1]
        if "<th" not in inner.replace("<thead", ""):
            inner = _ROW.sub(r"<tr>\1<th\2>\3</th>", inner)
        head, mark, body = inner.rpartition("</thead>")
        inner = _scope(head, "col") + mark + _scope(body, "row")
        if "<caption>" not in inner:
            inner = f"<caption>{caption}</caption>{inner}"
        region = '<div class="scroll" tabindex="0" role="region" aria-label="表格 table">'
        return f"{region}<table>{inner}</table></div>"

    return _TABLE.sub(frame, html)


def _scope(html: str, scope: str) -> str:
    def cell(match: re.Match[str]) -> str:
        kind, attributes, inside = match[1], match[2], match[3]
        if kind == "d" or not inside.strip():
            return f"<td{attributes.replace(' scope=', ' data-scope=')}>{inside}</td>"
        kept = "" if " scope=" in attributes else f' scope="{scope}"'
        return f"<th{attributes}{kept}>{inside}</th>"

    return _CELL.sub(cell, html)


def lower_headings(html: str, top: int = 3) -> str:
    """Move the headings of a fragment below the headings of the page, without skipping a level."""
    levels = sorted({int(level) for _, level in _HEADING.findall(html)})
    place = {level: min(top + i, 6) for i, level in enumerate(levels)}
    return _HEADING.sub(lambda m: f"<{m[1]}h{place[int(m[2])]}>", html)


def _caption(cell: int) -> str:
    text = Text(f"第 {cell} 个代码单元的输出", f"Output of code cell {cell}")
    return f'<span class="zh" lang="zh-CN">{text.zh}</span><span class="en" lang="en">{text.en}</span>'


def _pre(text: str) -> Markup:
    return Markup('<pre tabindex="0">{}</pre>').format(text)


def _too_long(cell: int, size: int) -> Text:
    return _about(cell, f"输出过长（{size:,} 字符），未显示", f"an output of {size:,} characters is left out")


def _about(cell: int, zh: str, en: str) -> Text:
    return Text(f"第 {cell} 个代码单元：{zh}。", f"Code cell {cell}: {en}.")


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)
