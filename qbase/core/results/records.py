"""The record of a run: every estimate, table, figure, check and source that a letter showed.

`record` writes ``$QBASE_RUN_DIR/results.json`` (schema 1). Verification of the finished report and the
comparison of two runs read it; the run id inside is the sentinel that proves the letter ran to its end.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import pandas as pd

from qbase.core.coverage import PATTERN
from qbase.core.errors import DataError
from qbase.core.markup import run_folder
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result, Scorecard
from qbase.core.results.retold import Retold
from qbase.core.shown.display import Bundle, Figure, Provenance, Table, sha256_of
from qbase.core.text import Text
from qbase.core.values import Source
from qbase.core.whole_files import write_atomic

SCHEMA = 1
RESULTS = "results.json"

Recordable = Result | Scorecard | Panel | Policy | Bundle


def record(*values: Recordable) -> Provenance:
    """Record what a letter rests on and showed; the last call of every letter.

    Parameters
    ----------
    *values : Result, Scorecard, Panel, Policy, Figure, Table, Prose …
        Everything shown, and the panels and policies behind it.

    Returns
    -------
    Provenance
        To be shown as the last cell. Outside a run nothing is written and it says so.

    Raises
    ------
    DataError
        Two different things shown bear one name (QB143): the record could hold only one of them; or a result from
        records of the lake does not say how many of them count (QB147).

    Examples
    --------
    >>> from qbase.core import record
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> provenance = record(panel, estimate_level(panel, "D1.batch", entity="K003"))
    >>> provenance.facts[2][0].en, provenance.facts[2][1], provenance.facts[-1][1]
    ('Estimates', '40', '预览，未写入 / preview, nothing written')
    """
    document = build_record(values)
    folder = run_folder()
    if folder:
        write_atomic(pathlib.Path(folder) / RESULTS, json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True))
    return Provenance(name="provenance", facts=tuple(_facts(document)))


def build_record(values: Iterable[Recordable]) -> dict[str, Any]:
    """Return the record as a JSON document, without writing it."""
    values = list(values)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "sentinel": os.environ.get("QBASE_RUN_ID", ""),
        "snapshot": next((s for s in map(_snapshot, values) if s), ""),
        "results": [],
        "scorecards": [],
        "tables": {},
        "figures": {},
        "shown": {},
        "told": {},
        "sources": [],
    }
    for value in values:
        _add(document, value)
    document["sources"] = _distinct(document["sources"])
    return document


def _add(document: dict[str, Any], value: Recordable) -> None:
    if isinstance(value, Result):
        document["results"].append(_result(value))
    elif isinstance(value, Scorecard):
        document["scorecards"].append(_scorecard(value))
    elif isinstance(value, Figure):
        document["figures"][value.name] = {k: sha256_of(svg) for k, svg in sorted(value.drawings.items())}
        document["tables"][value.table.name] = sha256_of(value.table.body()["rows"])
    elif isinstance(value, Table):
        document["tables"][value.name] = sha256_of(value.body()["rows"])
    if isinstance(value, Bundle):
        _add_shown(document, value)
    document["sources"].extend(dataclasses.asdict(s) for s in _sources(value))


def _add_shown(document: dict[str, Any], value: Bundle) -> None:
    digest = value.sha256()
    if document["shown"].setdefault(value.name, digest) != digest:
        raise DataError(
            "QB143",
            name=value.name,
            found=f"two different {value.kind} of one name",
            expected="one name for one thing shown",
            fix="show the two results together, or only one of them",
        )
    if value.tells:
        document["told"][value.name] = list(value.tells)


def _result(result: Result) -> dict[str, Any]:
    prose = result.say()
    return {
        "name": result.name,
        "estimand": result.estimand,
        "outcome": result.outcome.id,
        "label": result.outcome.label.payload(),
        "unit": result.unit,
        "method": result.method,
        "subject": result.subject.payload(),
        "estimates": [e.payload() for e in result.estimates],
        "spoken": list(result.spoken),
        "checks": [c.payload() for c in result.checks],
        "sentences": [t.payload() for t in prose.items],
        "grades": list(prose.grades),
        "notes": [n.payload() for n in result.notes],
        "account": None if result.account is None else result.account.payload(),
        "coverage": None if result.coverage is None else result.coverage.payload(),
        **_control(result),
        "settings": dict(result.settings),
        "tables": {
            name: sha256_of(json.loads(frame.to_json(orient="split", date_format="iso")))
            for name, frame in result.tables.items()
        },
    }


def _control(result: Result) -> dict[str, str]:
    """Name the rules under which the counts behind a result were withheld; nothing where none were."""
    found = [s.path.removeprefix(PATTERN) for s in result.sources if s.path.startswith(PATTERN)]
    return {"control": " ".join(sorted(set(found)))} if found else {}


def _frame_sha256(frame: pd.DataFrame) -> str:
    return sha256_of(json.loads(frame.to_json(orient="split", date_format="iso")))


def _scorecard(card: Scorecard) -> dict[str, Any]:
    return {
        "name": card.name,
        "subject": card.subject.payload(),
        "preset": card.preset,
        "criteria": [
            {
                "indicator": c.indicator.id,
                "label": c.indicator.label.payload(),
                "unit": c.indicator.unit,
                "estimate": c.estimate.payload(),
                "target": c.target,
                "verdict": c.verdict,
                **({"gate": c.gate} if c.gate else {}),
            }
            for c in card.criteria
        ],
        **({"missing": [{"gate": m.gate, "why": m.why.payload()} for m in card.missing]} if card.missing else {}),
        "account": None if card.account is None else card.account.payload(),
        "sentences": [t.payload() for t in card.say().items],
    }


def _sources(value: Recordable) -> tuple[Source, ...]:
    return value.sources if isinstance(value, Result | Scorecard | Panel | Policy | Retold) else ()


def _snapshot(value: Recordable) -> str:
    return next((s.snapshot for s in _sources(value) if s.snapshot), "")


def _distinct(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(r, sort_keys=True): r for r in rows}.values())


def _facts(document: dict[str, Any]) -> Iterable[tuple[Text, str]]:
    run = document["sentinel"] or "–"
    yield Text("运行", "Run"), run
    yield Text("数据版本", "Data snapshot"), document["snapshot"] or "–"
    yield Text("估计值", "Estimates"), str(sum(len(r["estimates"]) for r in document["results"]))
    for source in document["sources"]:
        facts = [source["path"], source["producer"], source["licence"], source["sha256"][:12]]
        yield Text("来源", "Source"), " · ".join(f for f in facts if f)
    if not document["sentinel"]:
        yield Text("状态", "State"), "预览，未写入 / preview, nothing written"
