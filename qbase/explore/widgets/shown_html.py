"""Figures, sentences, errors and code as HTML for widgets, which know neither our font nor our colours."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from qbase.core.markup import shown_language
from qbase.core.shown import palette

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qbase.core.errors import QbaseError
    from qbase.core.shown.display import Figure
    from qbase.core.text import Text

FAMILY = "'QB Sans','Noto Sans SC','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',system-ui,sans-serif"
STYLE = (
    f"<style>.qb-art{{{palette.css_variables(palette.LIGHT)};font-family:{FAMILY};max-width:820px;line-height:1.5}}"
    f'[data-jp-theme-light="false"] .qb-art{{{palette.css_variables(palette.DARK)}}}'
    ".qb-art svg{display:block;width:100%;height:auto;overflow:visible}.qb-art p{margin:.2em 0}"
    ".qb-code{user-select:all;white-space:pre-wrap;padding:.6em;border:1px solid var(--jp-border-color2,#ccc)}"
    "</style>"
)


def figure_html(figure: Figure) -> str:
    """Return a figure with its words, in the language JupyterLab shows first.

    Parameters
    ----------
    figure : Figure
        With its drawings.
    """
    lang = shown_language()
    words = {name: html.escape(getattr(figure, name)[lang]) for name in ("title", "subtitle", "how_to_read", "note")}
    return (
        f'{STYLE}<div class="qb-art" data-figure="{html.escape(figure.name)}"><p><b>{words["title"]}</b></p>'
        f"<p>{words['subtitle']}</p>{figure.drawings[f'{lang}_wide']}"
        f"<p><small>{words['how_to_read']}</small></p><p><small>{words['note']}</small></p></div>"
    )


def sentences_html(sentences: Iterable[Text]) -> str:
    """Return sentences as paragraphs, in the language JupyterLab shows first."""
    return "".join(f"<p>{html.escape(sentence[shown_language()])}</p>" for sentence in sentences)


def code_html(code: str) -> str:
    """Return code that one click selects whole."""
    hint = {"zh": "点一下选中全部，Ctrl+C 复制", "en": "one click selects all; Ctrl+C copies"}[shown_language()]
    return f'{STYLE}<pre class="qb-code" title="{hint}">{html.escape(code)}</pre><small>{hint}</small>'


def error_html(error: QbaseError) -> str:
    """Return the four lines of an error."""
    return f'<pre class="qb-error">{html.escape(error.render(shown_language()))}</pre>'
