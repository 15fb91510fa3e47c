"""What every run would do for the first time once more is done once, before the fork: a page, a plot, a table.

Compiled templates, schemas, patterns and parsed fonts stay; nothing else may: no query, no thread, no figure of pyplot.
"""

from __future__ import annotations

import io
from typing import Any

from qbase.core.results.run_values import ReportSpec, RunRecord
from qbase.core.shown.fonts import few_woff2
from qbase.core.text import same
from qbase.reports.running import fingerprint


def warm_up() -> None:
    """Render a small page, draw a small figure, cut a small font, and take the hashes of the code that is loaded."""
    _draw()
    _render()
    few_woff2("题")
    # the server is started anew when a file of the package changes
    for take in (fingerprint.code_hash, fingerprint.template_hash, fingerprint.versions):
        take()


def _draw() -> None:
    import pandas as pd
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([1, 2], label="x")
    figure.legend()
    figure.set_canvas(FigureCanvasAgg(figure))
    figure.savefig(io.BytesIO(), format="png")
    figure.savefig(io.BytesIO(), format="svg")
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]})
    frame._repr_html_()  # type: ignore[operator]
    frame.groupby("b").a.mean().describe()


def _render() -> None:
    from qbase.reports.executing.papermill_engine import as_notebook, check_injection
    from qbase.reports.rendering.page_rendering import render_report

    check_injection({"x": 1})
    shown: dict[str, Any] = {"output_type": "stream", "name": "stdout", "text": "x"}
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {"tags": [lang]}, "source": "# 题 *x*"} for lang in ("zh", "en")
    ]
    cells.append(
        {"cell_type": "code", "metadata": {}, "source": "x = f'{1}'", "execution_count": 1, "outputs": [shown]}
    )
    for minor in (4, 5):
        notebook = as_notebook({"nbformat": 4, "nbformat_minor": minor, "metadata": {}, "cells": cells})
    spec = ReportSpec(report_id="x", notebook="notebooks/x.ipynb", title=same("题"))
    known: dict[str, Any] = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    run = RunRecord(
        run_id="x", report_id="x", params={}, versions={}, state="ok", started_at="2026-01-31T02:00:00Z", **known
    )
    results: dict[str, Any] = {"schema": 1, "sentinel": "x", "snapshot": ""}
    results |= {name: [] for name in ("sources", "results", "scorecards")}
    results |= {name: {} for name in ("tables", "figures", "shown")}
    render_report(notebook, spec=spec, run=run, results=results, lang="zh", names={})
