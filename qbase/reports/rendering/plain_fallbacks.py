"""What any notebook program can show, beside the type of the house: drawings as SVG and in HTML, words, tables."""

from __future__ import annotations

import base64
import copy
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

from qbase.core.errors import Lang
from qbase.core.shown.display import MIME
from qbase.core.shown.palette import LIGHT

_COLOUR = re.compile(r"var\(--(\w+)\)")
FONT = "font-family:'Noto Sans SC','Microsoft YaHei','PingFang SC',sans-serif"


def with_fallbacks(notebook: NotebookNode, lang: Lang) -> NotebookNode:
    """Return a copy of an executed letter that shows its figures and tables in any program.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; its bundles stay as they are.
    lang : {"zh", "en"}
        Which language the added forms are in.

    Returns
    -------
    NotebookNode
    """
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if isinstance(data.get(MIME), Mapping):
                for mime, text in plain_forms(data[MIME], lang).items():
                    data.setdefault(mime, text)
    return made


def plain_forms(payload: Mapping[str, Any], lang: Lang) -> dict[str, str]:
    """Return the forms of a bundle by MIME type; a payload of another shape has none, and its page is refused later."""
    try:
        if payload["kind"] == "figure":
            drawing = _drawing(payload["drawings"][f"{lang}_wide"])
            return {"image/svg+xml": drawing, "text/html": _figure(payload, drawing, lang)}
        return {"text/html": "".join(_html(payload, lang))}
    except (KeyError, TypeError, AttributeError):
        return {}


def use_light(svg: str) -> str:
    """Return a drawing with the colours of the light theme in it, where no page around it names them."""
    return _COLOUR.sub(lambda match: LIGHT.get(match[1], "#000000"), svg)


def _drawing(svg: str) -> str:
    coloured = use_light(svg)
    place = f'<svg xmlns="http://www.w3.org/2000/svg" style="{FONT};background:{LIGHT["bg"]}"'
    return coloured.replace("<svg", place, 1)


def _figure(payload: Mapping[str, Any], drawing: str, lang: Lang) -> str:
    """Return a drawing as an image inside HTML: JupyterLab shows no SVG of a notebook that somebody else has run."""
    data = base64.b64encode(drawing.encode()).decode()
    alt, words = (html.escape(text) for text in (payload["alt"][lang], payload["title"][lang]))
    under = "".join(_paragraphs([payload["subtitle"], payload["note"]], lang))
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}" style="max-width:100%">'
    return f"<p><strong>{words}</strong></p>{image}{under}"


def _html(payload: Mapping[str, Any], lang: Lang) -> Iterator[str]:
    kind = payload["kind"]
    if kind == "prose":
        yield from _paragraphs(payload["items"], lang)
    elif kind == "conclusion":
        yield from _paragraphs([payload["lead"], *payload["findings"], *payload["limits"]], lang)
    elif kind == "tiles":
        items = payload["items"]
        yield _table([[i["label"], i["value"] + i["unit"][lang], i["interval"], i["change"]] for i in items], lang)
    elif kind == "provenance":
        yield _table([[fact["label"], fact["value"]] for fact in payload["facts"]], lang)
    elif kind == "table":
        yield _table(payload["rows"], lang, [column["label"] for column in payload["columns"]], payload["caption"])


def _paragraphs(texts: Sequence[Mapping[str, str]], lang: Lang) -> Iterator[str]:
    return (f"<p>{html.escape(text[lang])}</p>" for text in texts if text[lang])


def _table(
    rows: Sequence[Sequence[Any]], lang: Lang, head: Sequence[Any] = (), caption: Mapping[str, str] | None = None
) -> str:
    def line(cells: Sequence[Any], tag: str) -> str:
        texts = (cell if isinstance(cell, str) else cell[lang] for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

    titled = f"<caption>{html.escape(caption[lang])}</caption>" if caption else ""
    begin = f"<thead>{line(head, 'th')}</thead>" if head else ""
    return f"<table>{titled}{begin}<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
