"""The bundles of a letter as they arrive in the notebook: checked against their shape before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from qbase.core.errors import RunError
from qbase.core.shown.display import DRAWINGS, SCHEMA
from qbase.release import check_svg


class OneOf(tuple[Any, ...]):
    """The values a field may take."""


class Maybe:
    """A field that may be null."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


GRADE = OneOf(("strong", "moderate", "limited", None))
ROLE = OneOf(("lead", "finding", "text", "limit", "decision"))
TEXT = {"zh": str, "en": str}
GRADED = {**TEXT, "grade": GRADE}
TABLE = {
    "caption": TEXT,
    "columns": [{"label": TEXT, "numeric": bool}],
    "rows": [[TEXT]],
    "note": Maybe(TEXT),
    "data": dict,
    "style": OneOf(("data", "effects")),
}
ROOT = {"schema": int, "kind": str, "name": str}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "prose": {"role": ROLE, "items": [GRADED]},
    "table": TABLE,
    "figure": {
        **dict.fromkeys(("title", "subtitle", "how_to_read", "note", "alt"), TEXT),
        "drawings": dict.fromkeys(DRAWINGS, str),
        "table": {**ROOT, **TABLE},
    },
    "tiles": {
        "items": [
            {
                **dict.fromkeys(("label", "unit", "interval", "change"), TEXT),
                "value": str,
                "chips": [TEXT],
                "spark": str,
                "goal": str,
            }
        ]
    },
    "provenance": {"facts": [{"label": TEXT, "value": str}]},
    "conclusion": {
        "lead": TEXT,
        "findings": [GRADED],
        "failed_checks": [{"name": str, **TEXT}],
        "limits": [TEXT],
    },
}


def check_payload(payload: Any, *, cell: int) -> dict[str, Any]:
    """Check a bundle and return it.

    Parameters
    ----------
    payload : object
        Value of the house's MIME type in an output.
    cell : int
        Number of the code cell, for the message.

    Returns
    -------
    dict
        The same value.

    Raises
    ------
    RunError
        Its kind or its schema is unknown (QB851), or a field is missing, unknown or of another type (QB850);
        a drawing is not clean (QB760, QB761).
    """
    if not isinstance(payload, dict) or payload.get("kind") not in SHAPES or payload.get("schema") != SCHEMA:
        kind = payload.get("kind") if isinstance(payload, dict) else type(payload).__name__
        schema = payload.get("schema") if isinstance(payload, dict) else None
        raise RunError(
            "QB851",
            cell=cell,
            found=f"kind {kind}, schema {schema}",
            expected=f"kind {' | '.join(SHAPES)}, schema {SCHEMA}",
            fix="run the letter again with the qbase that renders it",
        )
    _check(payload, {**ROOT, **SHAPES[payload["kind"]]}, payload["kind"], cell)
    _check_tables(payload, cell)
    for svg in _drawings(payload):
        check_svg(svg)
    return payload


def _check(value: Any, shape: Any, path: str, cell: int) -> None:
    if isinstance(shape, Maybe):
        if value is not None:
            _check(value, shape.shape, path, cell)
    elif isinstance(shape, OneOf):
        if value not in shape:
            _wrong(path, repr(value)[:60], " | ".join(map(str, shape)), cell)
    elif isinstance(shape, Mapping):
        if not isinstance(value, dict) or set(value) != set(shape):
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            _wrong(path, str(found)[:120], "fields " + ", ".join(shape), cell)
        for name, inner in shape.items():
            _check(value[name], inner, f"{path}.{name}", cell)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            _wrong(path, type(value).__name__, "a list", cell)
        for i, item in enumerate(value):
            _check(item, shape[0], f"{path}[{i}]", cell)
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        _wrong(path, type(value).__name__, shape.__name__, cell)


def _check_tables(payload: Mapping[str, Any], cell: int) -> None:
    table = payload.get("table") if payload["kind"] == "figure" else payload
    if not isinstance(table, Mapping) or "rows" not in table:
        return
    width = len(table["columns"])
    if any(len(row) != width for row in table["rows"]):
        _wrong(f"{table['name']}.rows", "rows of other widths", f"{width} cells in every row", cell)
    columns = list(table["data"].values())
    if any(not isinstance(c, list) for c in columns) or len({len(c) for c in columns}) > 1:
        _wrong(f"{table['name']}.data", "columns of several lengths", "lists of one length", cell)


def _drawings(payload: Mapping[str, Any]) -> list[str]:
    if payload["kind"] == "figure":
        return list(payload["drawings"].values())
    items = payload["items"] if payload["kind"] == "tiles" else []
    return [drawing for i in items for drawing in (i["spark"], i["goal"]) if drawing]


def _wrong(path: str, found: str, expected: str, cell: int) -> NoReturn:
    raise RunError(
        "QB850",
        cell=cell,
        path=path,
        found=found,
        expected=expected,
        fix="show what the plot_ and tabulate_ functions return, unchanged",
    )


def check_accounts(entries: Iterable[Mapping[str, Any]]) -> None:
    """Refuse results and scorecards of a record that do not say how many of the records on record they stand on.

    A full count stands on all there is, and how much is needed of what is not there yet stands on none.

    Raises
    ------
    RunError
        One of them has estimates and no account (QB856).
    """
    for entry in entries:
        estimates = entry["estimates"] if "estimates" in entry else [c["estimate"] for c in entry["criteria"]]
        is_counted = all(e["uncertainty"] == "none_full_count" for e in estimates)
        if entry.get("estimand") == "need" or is_counted or entry.get("account"):
            continue
        raise RunError(
            "QB856",
            name=entry["name"],
            found=f"{entry['name']}, {len(estimates)} estimates, no account",
            expected="the account that record(…) writes for every Result and Scorecard",
            fix="run the letter again; a Result of your own: Result(…, coverage=panel.coverage_of(outcome))",
        )
