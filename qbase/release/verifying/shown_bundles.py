"""Bundles read back from a finished page, so that what it shows can be compared with what was recorded.

The template marks each bundle: ``data-kind`` and ``data-name`` on figures, tables and tiles, ``data-field`` on their
texts, ``data-drawing`` around a drawing; sentences carry ``data-of`` (the bundle), ``data-part`` and ``data-grade``.
"""

from __future__ import annotations

import json
from typing import Any

from qbase.core.shown.display import DRAWINGS, SCHEMA, sha256_of
from qbase.export.inert_csv import write_columns
from qbase.release.verifying.page_reading import Element, Page

FIGURE_TEXTS = ("title", "subtitle", "how_to_read", "note", "alt")
TILE_TEXTS = ("label", "unit", "interval", "change")
TILE_DRAWINGS = ("spark", "goal")


def read_text(element: Element | None) -> dict[str, str]:
    """Return both languages of a marked element; without twins its text is the same in both."""
    if element is None:
        return {"zh": "", "en": ""}
    twins = {lang: e for e in element.elements for lang in ("zh", "en") if lang in e.classes}
    if set(twins) != {"zh", "en"}:
        return {"zh": element.text(), "en": element.text()}
    return {lang: e.text() for lang, e in twins.items()}


def read_bundles(page: Page, kind: str) -> list[Element]:
    """Return the elements that show bundles of a kind, in order."""
    return page.body.having("data-kind", kind)


def read_table(root: Element) -> dict[str, Any]:
    """Return the payload of a shown table."""
    head = root.find(lambda e: e.tag == "thead")
    body = root.find(lambda e: e.tag == "tbody")
    labels = [e for e in head.walk() if e.tag == "th"] if head else []
    note = _field(root, "note")
    return {
        **_root(root),
        "caption": read_text(_field(root, "caption")),
        "columns": [{"label": read_text(th), "numeric": "num" in th.classes} for th in labels],
        "rows": [[read_text(c) for c in row.elements] for row in (body.tagged("tr") if body else [])],
        "note": read_text(note) if note else None,
        "data": json.loads(root.attributes.get("data-values") or "{}"),
        "style": root.attributes.get("data-style", ""),
    }


def read_figure(page: Page, root: Element) -> dict[str, Any]:
    """Return the payload of a shown figure, drawings byte by byte."""
    tables = root.having("data-kind", "table")
    shown = {e.attributes["data-drawing"]: page.inner(e) for e in root.having("data-drawing")}
    return {
        **_root(root),
        **{name: read_text(_field(root, name)) for name in FIGURE_TEXTS},
        "drawings": {name: shown[name] for name in DRAWINGS if name in shown},
        "table": read_table(tables[0]) if tables else {},
    }


def read_tiles(page: Page, root: Element) -> dict[str, Any]:
    """Return the payload of a row of key indicators."""
    items = []
    for tile in (e for e in root.elements if "tile" in e.classes):
        drawings = {name: tile.having("data-drawing", name) for name in TILE_DRAWINGS}
        value = _field(tile, "value")
        items.append(
            {
                **{name: read_text(_field(tile, name)) for name in TILE_TEXTS},
                "value": value.text() if value else "",
                "chips": [read_text(chip) for chip in tile.having("data-field", "chip")],
                **{name: page.inner(found[0]) if found else "" for name, found in drawings.items()},
            }
        )
    return {**_root(root), "items": items}


def read_parts(page: Page) -> dict[tuple[str, str], list[Element]]:
    """Return the marked sentences by (kind, name) of their bundle, in order."""
    parts: dict[tuple[str, str], list[Element]] = {}
    for element in page.body.having("data-of"):
        key = (element.attributes.get("data-bundle", ""), element.attributes["data-of"])
        parts.setdefault(key, []).append(element)
    return parts


def read_sentences(kind: str, name: str, parts: list[Element]) -> dict[str, Any]:
    """Return the payload of a conclusion or of prose from its marked sentences."""
    base = {"schema": SCHEMA, "kind": kind, "name": name}
    of = {role: [e for e in parts if role in _roles(e)] for role in ("lead", "failed", "limit")}
    if kind == "prose":
        role = parts[0].attributes.get("data-part", "")
        return {**base, "role": role, "items": [_graded(e) for e in parts]}
    return {
        **base,
        "lead": read_text(of["lead"][0]) if of["lead"] else {"zh": "", "en": ""},
        "findings": [_graded(e) for e in parts if "finding" in _roles(e)],
        "failed_checks": [{"name": e.attributes.get("data-check", ""), **read_text(e)} for e in of["failed"]],
        "limits": [read_text(e) for e in of["limit"]],
    }


def table_csv(payload: dict[str, Any]) -> bytes:
    """Return the CSV beside a table, inert and with the mark Excel needs for Chinese.

    It holds the raw values, or the cells where there are none.
    """
    if payload["data"]:
        return write_columns(list(payload["data"]), list(payload["data"].values()))
    rows = [[_both(cell) for cell in row] for row in payload["rows"]]
    labels = [_both(column["label"]) for column in payload["columns"]]
    return write_columns(labels, list(map(list, zip(*rows, strict=True))) or [[] for _ in labels])


def rows_sha256(payload: dict[str, Any]) -> str:
    """Return the hash of a table's shown rows, as `qbase.core.record` writes it."""
    return sha256_of(payload["rows"])


def drawings_sha256(payload: dict[str, Any]) -> dict[str, str]:
    """Return the hashes of a figure's drawings, as `qbase.core.record` writes them."""
    return {name: sha256_of(svg) for name, svg in sorted(payload["drawings"].items())}


def _both(text: dict[str, str]) -> str:
    return text["zh"] if text["zh"] == text["en"] else f"{text['zh']} / {text['en']}"


def _root(root: Element) -> dict[str, Any]:
    return {"schema": SCHEMA, "kind": root.attributes["data-kind"], "name": root.attributes.get("data-name", "")}


def _graded(element: Element) -> dict[str, Any]:
    return {**read_text(element), "grade": element.attributes.get("data-grade") or None}


def _roles(element: Element) -> set[str]:
    """Return what a sentence is; the lead may be the first finding as well."""
    return {element.attributes.get("data-part", ""), element.attributes.get("data-also", "")}


def _field(root: Element, name: str) -> Element | None:
    """Return a field of this bundle itself, not of a table inside it."""
    for element in root.having("data-field", name):
        owner = next((a for a in element.ancestors() if "data-kind" in a.attributes), None)
        if owner is root or (owner is not None and owner.attributes["data-kind"] == "tiles"):
            return element
    return None
