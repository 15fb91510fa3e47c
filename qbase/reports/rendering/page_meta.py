"""What the gallery shows of a page, written beside it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from qbase.core.results.run_values import ReportSpec, RunRecord
from qbase.core.text import Text
from qbase.reports.asking.asked_words import read_asked
from qbase.reports.rendering.page_parts import find_spark
from qbase.reports.rendering.page_rendering import given_of, is_fictional

META_SCHEMA = 1


def report_meta(
    spec: ReportSpec,
    run: RunRecord,
    results: Mapping[str, Any],
    *,
    notebook: NotebookNode | None = None,
    names: Mapping[str, Text] | None = None,
) -> dict[str, Any]:
    """Return what the gallery shows of a published report; it is written beside the page as ``<report>.json``.

    Parameters
    ----------
    spec : ReportSpec
        Title and profile.
    run : RunRecord
        The run whose page is published, and so has passed verification.
    results : mapping
        ``results.json`` of the run: its first sentence leads.
    notebook : NotebookNode or None
        Executed: what was asked goes on the card in words, with the small line of its first tile.
    names : mapping, optional
        As `render_report` takes them.

    Returns
    -------
    dict
        JSON values.

    Examples
    --------
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_spec, report_meta
    >>> known = dict.fromkeys(("run_id", "notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    >>> run = RunRecord(report_id="trends", params={}, versions={}, state="ok", started_at="2026-01-31T02:00Z", **known)
    >>> meta = report_meta(read_spec(open_workspace(), "trends"), run, {})
    >>> meta["title"]["en"], meta["finished_at"], meta["profile"]
    ('How the batch pass rate is changing', '2026-01-31T02:00:00+00:00', 'internal')
    """
    sentences = [
        (text, grade)
        for entry in (*results.get("results", ()), *results.get("scorecards", ()))
        for text, grade in zip(entry["sentences"], entry.get("grades") or [None] * len(entry["sentences"]), strict=True)
    ]
    lead, grade = sentences[0] if sentences else ({"zh": "", "en": ""}, None)
    checks = [check for entry in results.get("results", ()) for check in entry["checks"]]
    failed = {check["text"]["en"] for check in checks if check["passed"] is False}
    asked = () if notebook is None else read_asked(notebook, run.params, names)
    return {
        "schema": META_SCHEMA,
        "report_id": spec.report_id,
        "title": spec.title.payload(),
        "lead": {"zh": lead["zh"].partition("。")[0] + "。", "en": lead["en"].partition(". ")[0].rstrip(".") + "."}
        if lead["zh"]
        else lead,
        "grade": grade,
        "estimates": sum(len(entry["estimates"]) for entry in results.get("results", ())),
        "failed_checks": sum(not any(one in other and one != other for other in failed) for one in failed),
        "profile": spec.profile,
        "fictional": is_fictional(results),
        "verified": True,
        "run_id": run.run_id,
        "slot": run.slot,
        "finished_at": _finished(run),
        "snapshot": run.snapshot,
        "params": dict(run.params),
        "asked": [a.said.payload() for a in given_of(spec, asked)],
        "spark": "" if notebook is None else find_spark(notebook),
    }


def _finished(run: RunRecord) -> str:
    try:
        begun = datetime.datetime.fromisoformat(run.started_at)
    except ValueError:
        return run.started_at
    return (begun + datetime.timedelta(seconds=run.seconds)).isoformat(timespec="seconds")
