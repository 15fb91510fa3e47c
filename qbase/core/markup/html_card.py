"""A card: one captioned table with the sentences and checks that belong to it, for whoever explores."""

from __future__ import annotations

import html
from collections.abc import Sequence

from qbase.core.markup.shown_place import run_folder, shown_language
from qbase.core.text import Text, same

MOST_ROWS = 12
"""More rows than this are told by their number: a card is looked at, `to_frame` and `tidy` hold them all."""
NONE = "–"
MARKS: dict[bool | None, Text] = {
    True: Text("通过", "passed"),
    False: Text("未通过", "failed"),
    None: Text("供参考", "information"),
}

Cells = Sequence[str | Text]


def say_left(n: int) -> Text:
    """Return how many rows a card leaves out."""
    return Text(f"另有 {n} 行未列出。", f"Rows not listed: {n}.")


def build_card(
    caption: Text,
    columns: Sequence[Text],
    rows: Sequence[Cells],
    *,
    left: int = 0,
    sentences: Sequence[Text] = (),
    checks: Sequence[tuple[bool | None, Text]] = (),
) -> str | None:
    """Return the HTML of a card; None inside a run, whose page shows only what a letter hands to its template.

    Parameters
    ----------
    caption : Text
        What is shown, in one line.
    columns : sequence of Text
        The first heads the names of the rows.
    rows : sequence
        As wide as ``columns``; more than `MOST_ROWS` are told by their number.
    left : int
        Rows that were not handed over.
    sentences : sequence of Text
        Below the table, one paragraph each; empty ones are left out.
    checks : sequence of (bool or None, Text)
        Verdict and what was found, as a list.

    Examples
    --------
    >>> from qbase.core import Text
    >>> card = build_card(Text("合格率", "Pass rate"), [Text("集群", "Cluster")], [["<K003>"]])
    >>> print(card[102:151])
    <tbody><tr><th scope="row">&lt;K003&gt;</th></tr>
    """
    if run_folder():
        return None
    lang = shown_language()

    def said(cell: str | Text) -> str:
        return html.escape((same(cell) if isinstance(cell, str) else cell)[lang])

    head = "".join(f'<th scope="col">{said(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{said(row[0])}</th>' + "".join(f"<td>{said(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows[:MOST_ROWS]
    )
    table = f"<table><caption>{said(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    hidden = left + max(len(rows) - MOST_ROWS, 0)
    more = [say_left(hidden)] if hidden else []
    below = "".join(f"<p>{said(text)}</p>" for text in [*more, *sentences] if text.zh)
    found = "".join(f"<li>{said(MARKS[passed])}{'：' if lang == 'zh' else ': '}{said(t)}</li>" for passed, t in checks)
    listed = f"<ul>{found}</ul>" if found else ""
    return f'<div lang="{"zh-Hans" if lang == "zh" else "en"}">{table}{below}{listed}</div>'
