"""What is shown of a run that came to no good end: a plain page for readers, and how far it came for operators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from qbase.core.errors import LABELS, QbaseError, read_codes
from qbase.core.results.run_values import ReportSpec, RunRecord
from qbase.core.text import Text, same
from qbase.release import scan_private
from qbase.reports.rendering.page_rendering import (
    PROFILES,
    Lang,
    build_context,
    command_of,
    date_of,
    fill,
    with_font,
)

OPERATORS = Text("只供操作员", "For operators only")
RUN = Text("运行", "Run")
ENDED = Text("停在", "Stopped at")
_WHERE = re.compile(r"\s{2,}\((?:traceback|log): .*\)$")


def render_failure(*, spec: ReportSpec, run: RunRecord, lang: Lang = "zh") -> str:
    """Render the page of a run that failed, for its readers: what, which run, how to go on.

    Paths and tracebacks stay in the log. Outside the house the page says what kind of error it was and no more: what a
    cell complains of may name a firm.

    Parameters
    ----------
    spec : ReportSpec
        Title and profile.
    run : RunRecord
        With ``error``.
    lang : {"zh", "en"}
        Which language shows first.
    """
    error = dict(run.error or {})
    entry = read_codes().get(str(error.get("code", "")), {})
    told = _four_lines(error)
    context = {
        "lang": lang,
        "title": spec.title,
        "kick": PROFILES[spec.profile],
        "run": run,
        "when": date_of(run.slot or run.started_at),
        "error": error,
        "lines": [line for line in (told if spec.profile == "internal" else told[:1]) if not _is_private(line[1])],
        "meaning": Text(entry.get("meaning_zh", ""), entry.get("meaning_en", "")) if entry else None,
        "command": command_of(run),
    }
    return with_font(fill("failure.html.j2", context), spec.title)


def render_partial(
    notebook: NotebookNode,
    *,
    spec: ReportSpec,
    run: RunRecord,
    lang: Lang = "zh",
    names: Mapping[str, Text] | None = None,
) -> str:
    """Render how far a failed run came, for operators: its cells up to the error, and the error in four lines.

    Parameters
    ----------
    notebook : NotebookNode
        As the run left it.
    spec : ReportSpec
        Title and profile.
    run : RunRecord
        With ``error``.
    lang : {"zh", "en"}
        Which language shows first.
    names : mapping, optional
        As `render_report` takes them.

    Returns
    -------
    str
        A page that is never published; where what the cells showed makes no page, the four lines alone.
    """
    error = dict(run.error or {})
    cells, source = _until_error(notebook)
    partial = NotebookNode({**notebook, "cells": cells})  # type: ignore[no-untyped-call]
    stopped = [(ENDED, same(str(error["cell"])))] if error.get("cell") else []
    shown = {
        "kick": Text(*(f"{OPERATORS[one]} · {PROFILES[spec.profile][one]}" for one in ("zh", "en"))),
        "broken": [*_four_lines(error, whole=True), *stopped, (RUN, same(run.run_id))],
        "broken_source": source,
    }
    try:
        context = build_context(partial, spec, run, {}, lang=lang, names=names)
        return with_font(fill("report.html.j2", {**context, **shown}), spec.title)
    except QbaseError:
        return render_failure(spec=spec, run=run, lang=lang)


def _four_lines(error: Mapping[str, Any], *, whole: bool = False) -> list[tuple[Text, Text]]:
    """Return the lines of an error with their labels; where its log is only where the whole of it is asked for."""
    labels = [Text(zh, en) for zh, en in zip(LABELS["zh"], LABELS["en"], strict=True)]
    if "what_zh" not in error:
        return [(labels[0], same(str(error["text"])))] if error.get("text") else []
    named = same(f"[{error['code']}]") if whole and error.get("code") else same("")
    lines = [(labels[0] + named, Text(str(error["what_zh"]), str(error["what_en"])))]
    for label, name in zip(labels[1:], ("found", "expected", "fix"), strict=True):
        value = str(error.get(name, ""))
        lines.append((label, same(value if whole else _WHERE.sub("", value))))
    return [(label, text) for label, text in lines if text.zh]


def _is_private(text: Text) -> bool:
    return bool(scan_private(f"{text.zh} {text.en}"))


def _until_error(notebook: NotebookNode) -> tuple[list[NotebookNode], str]:
    """Return the cells up to the one that failed, and its source; all of them where none did."""
    for i, cell in enumerate(notebook.cells):
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return notebook.cells[: i + 1], str(cell.source)
    begun = [i for i, cell in enumerate(notebook.cells) if _is_begun(cell)]
    last = begun[-1] if begun else -1
    rest = (i for i, cell in enumerate(notebook.cells) if i > last and cell.cell_type == "code" and cell.source.strip())
    # it was at work on the next one when it ended; no cell is left where the letter itself ran to its end
    running = next(rest, None)
    if running is None:
        return list(notebook.cells), ""
    return notebook.cells[: running + 1], str(notebook.cells[running].source)


def _is_begun(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and (cell.get("execution_count") is not None or bool(cell.get("outputs")))
