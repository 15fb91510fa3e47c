"""What a letter shows: prose, tables, figures, tiles, provenance as typed bundles.

Inside a run a bundle travels as one MIME type of the house and the report's template draws it;
outside, JupyterLab gets plain HTML or SVG. The plain text is the same in both, so nbval can compare it.

Examples
--------
>>> from qbase.core import MIME
>>> MIME
'application/vnd.qbase.figure+json'
"""

from __future__ import annotations

import abc
import base64
import dataclasses
import hashlib
import html
import json
from collections.abc import Mapping
from typing import Any, Literal

from qbase.core.markup import run_folder, shown_language
from qbase.core.text import Text
from qbase.core.values import Grade, freeze

MIME = "application/vnd.qbase.figure+json"
SCHEMA = 1
DRAWINGS = ("zh_wide", "zh_narrow", "en_wide", "en_narrow")

Cell = str | Text
ProseRole = Literal["lead", "finding", "text", "limit", "decision"]


def sha256_of(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle(abc.ABC):
    """Root of what is shown; ``kind`` names it in the payload.

    Parameters
    ----------
    name : str
        Of this one thing; a letter has it once.
    tells : tuple of str
        Names of results whose estimates, intervals and verdicts stand in it to the last word, as in the row of a table:
        a page that shows it need not say their sentences again.
    """

    name: str
    tells: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Name of the bundle's kind, such as ``prose``."""
        return type(self).__name__.lower()

    @abc.abstractmethod
    def body(self) -> dict[str, Any]:
        """Return the fields of this kind as plain values."""

    @abc.abstractmethod
    def plain(self) -> str:
        """Return the text form, constant for equal input."""

    def lab(self) -> dict[str, str]:
        """Return what JupyterLab can show."""
        return {}

    def payload(self) -> dict[str, Any]:
        """Return the JSON value that travels to the template."""
        return {"schema": SCHEMA, "kind": self.kind, "name": self.name, **self.body()}

    def sha256(self) -> str:
        """Return the hash of the payload."""
        return sha256_of(self.payload())

    def __repr__(self) -> str:
        return self.plain()

    def alternatives(self) -> dict[str, Any]:
        """Return what is said beside what JupyterLab shows, by MIME type: the text alternative of a picture."""
        return {}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        shown: dict[str, Any] = {"text/plain": self.plain()}
        return ({**shown, MIME: self.payload()}, {}) if run_folder() else ({**shown, **self.lab()}, self.alternatives())


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Prose(Bundle):
    """Sentences made from results.

    Parameters
    ----------
    items : tuple of Text
        One paragraph (or finding) each.
    role : {"lead", "finding", "text", "limit", "decision"}
        Where the page puts them: the lead and the findings go to the top.
    grades : tuple
        Evidence grade per item, or None.

    Examples
    --------
    >>> from qbase.core import Prose, Text
    >>> rate = Text("批次合格率为 80.0%。", "The batch pass rate is 80.0%.")
    >>> Prose(name="rate", items=(rate,), role="lead")
    批次合格率为 80.0%。
    The batch pass rate is 80.0%.
    """

    items: tuple[Text, ...]
    role: ProseRole = "text"
    grades: tuple[Grade | None, ...] = ()

    def body(self) -> dict[str, Any]:
        grades = self.grades or (None,) * len(self.items)
        return {
            "role": self.role,
            "items": [{**t.payload(), "grade": g} for t, g in zip(self.items, grades, strict=True)],
        }

    def plain(self) -> str:
        return "\n".join([t.zh for t in self.items] + [t.en for t in self.items])

    def lab(self) -> dict[str, str]:
        lang = shown_language()
        return {"text/html": "".join(f"<p>{html.escape(t[lang])}</p>" for t in self.items)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a shown table: its label and whether it holds numbers (right-aligned).

    Examples
    --------
    >>> from qbase.core import Column, Text
    >>> Column(label=Text("合格率", "pass rate"), numeric=True)
    Column(label=Text(zh='合格率', en='pass rate'), numeric=True)
    """

    label: Text
    numeric: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Table(Bundle):
    """A table as it is shown: every cell already written.

    Parameters
    ----------
    caption : Text
        Number excluded (the template counts): what, where, when.
    columns : tuple of Column
        At most 8 read well; the first holds the row header.
    rows : tuple of tuple of (str or Text)
        As wide as ``columns``.
    note : Text or None
        Model, standard errors, n.
    data : mapping
        Column name -> list of raw values for the CSV; empty when the cells serve.
    style : str
        ``data`` (plain), ``effects`` (cards on a phone).

    Examples
    --------
    >>> from qbase.core import Column, Table, Text
    >>> columns = (Column(label=Text("集群", "cluster")), Column(label=Text("合格率", "pass rate"), numeric=True))
    >>> rows = (("K003", "80.0%"), ("K007", "91.2%"))
    >>> Table(name="rates", caption=Text("各集群合格率", "Pass rates by cluster"), columns=columns, rows=rows)
    Pass rates by cluster
    cluster | pass rate
    K003 | 80.0%
    K007 | 91.2%
    """

    caption: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Text | None = None
    data: Mapping[str, list[Any]] = dataclasses.field(default_factory=dict)
    style: Literal["data", "effects"] = "data"

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", freeze(self.data))

    def body(self) -> dict[str, Any]:
        return {
            "caption": self.caption.payload(),
            "columns": [{"label": c.label.payload(), "numeric": c.numeric} for c in self.columns],
            "rows": [[_cell(c) for c in row] for row in self.rows],
            "note": self.note.payload() if self.note else None,
            "data": dict(self.data),
            "style": self.style,
        }

    def plain(self) -> str:
        lines = [self.caption.en, " | ".join(c.label.en for c in self.columns)]
        lines += [" | ".join(_cell(c)["en"] for c in row) for row in self.rows]
        return "\n".join(lines)

    def lab(self) -> dict[str, str]:
        lang = shown_language()
        head = "".join(f'<th scope="col">{html.escape(c.label[lang])}</th>' for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(c)[lang])}</td>" for c in row) + "</tr>" for row in self.rows
        )
        caption = html.escape(self.caption[lang])
        parts = f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return {"text/html": f"<table>{parts}</table>"}


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Figure(Bundle):
    """A drawing in two languages and two widths, with everything a reader needs beside it.

    Parameters
    ----------
    title, subtitle : Text
        Finding; measure, unit, population and n.
    how_to_read, note, alt : Text
        One line; source and method; the text alternative made from the numbers.
    drawings : mapping
        ``zh_wide``, ``zh_narrow``, ``en_wide``, ``en_narrow`` -> SVG.
    table : Table
        The numbers drawn.
    preview : bytes
        PNG for JupyterLab, which knows neither our font nor our colour variables; empty inside a run.

    Examples
    --------
    >>> from qbase.core import Figure, Table, Text
    >>> words = Text("合格率", "pass rate")
    >>> numbers = Table(name="rates", caption=words, columns=(), rows=())
    >>> texts = dict.fromkeys(["title", "subtitle", "how_to_read", "note", "alt"], words)
    >>> figure = Figure(name="trend", drawings={"en_wide": "<svg/>"}, table=numbers, **texts)
    >>> figure
    <Figure trend>
    >>> figure.payload()["kind"], figure.payload()["drawings"]
    ('figure', {'en_wide': '<svg/>'})
    """

    title: Text
    subtitle: Text
    how_to_read: Text
    note: Text
    alt: Text
    drawings: Mapping[str, str]
    table: Table
    preview: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "drawings", freeze(self.drawings))

    def body(self) -> dict[str, Any]:
        texts = {n: getattr(self, n).payload() for n in ("title", "subtitle", "how_to_read", "note", "alt")}
        return {**texts, "drawings": dict(self.drawings), "table": self.table.payload()}

    def plain(self) -> str:
        return f"<Figure {self.name}>"

    def lab(self) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.preview).decode()} if self.preview else {}

    def alternatives(self) -> dict[str, Any]:
        return {"image/png": {"alt": self.alt[shown_language()]}} if self.preview else {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tile:
    """One key indicator: label, value with unit, interval, change, chips of words, and two small drawings.

    Examples
    --------
    >>> from qbase.core import Text, Tile
    >>> tile = Tile(
    ...     label=Text("合格率", "pass rate"), value="80.0", unit=Text("%", "%"),
    ...     interval=Text("58.4 至 91.9", "58.4 to 91.9"), change=Text("尚无法判断", "cannot tell"),
    ... )
    >>> tile.value, tile.interval.zh
    ('80.0', '58.4 至 91.9')
    """

    label: Text
    value: str
    unit: Text
    interval: Text
    change: Text
    chips: tuple[Text, ...] = ()
    spark: str = ""
    goal: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Tiles(Bundle):
    """A row of key indicators.

    Examples
    --------
    >>> from qbase.core import Text, Tile, Tiles
    >>> tile = Tile(
    ...     label=Text("合格率", "pass rate"), value="80.0", unit=Text("%", "%"),
    ...     interval=Text("58.4 至 91.9", "58.4 to 91.9"), change=Text("变化尚无法判断", "change: cannot tell"),
    ... )
    >>> Tiles(name="key", items=(tile,))
    pass rate: 80.0% (58.4 to 91.9); change: cannot tell
    """

    items: tuple[Tile, ...]

    def body(self) -> dict[str, Any]:
        return {"items": [_tile(tile) for tile in self.items]}

    def plain(self) -> str:
        return "\n".join(f"{t.label.en}: {t.value}{t.unit.en} ({t.interval.en}); {t.change.en}" for t in self.items)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Provenance(Bundle):
    """Where everything comes from: facts by label, in order.

    Examples
    --------
    >>> from qbase.core import Provenance, Text
    >>> facts = ((Text("数据版本", "Data snapshot"), "S0003"), (Text("估计值", "Estimates"), "40"))
    >>> Provenance(name="provenance", facts=facts)
    Data snapshot: S0003
    Estimates: 40
    """

    facts: tuple[tuple[Text, str], ...]

    def body(self) -> dict[str, Any]:
        return {"facts": [{"label": label.payload(), "value": value} for label, value in self.facts]}

    def plain(self) -> str:
        return "\n".join(f"{label.en}: {value}" for label, value in self.facts)


def _cell(cell: Cell) -> dict[str, str]:
    return cell.payload() if isinstance(cell, Text) else {"zh": cell, "en": cell}


def _tile(tile: Tile) -> dict[str, Any]:
    texts = {n: getattr(tile, n).payload() for n in ("label", "unit", "interval", "change")}
    return {
        **texts,
        "value": tile.value,
        "chips": [c.payload() for c in tile.chips],
        "spark": tile.spark,
        "goal": tile.goal,
    }
