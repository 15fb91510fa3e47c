"""The catalogue of indicators: one definition for SQL, labels, axes and tables."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from qbase.core.errors import UsageError
from qbase.core.lazy import read_once
from qbase.core.nearest_name import suggest_names
from qbase.core.text import Text
from qbase.core.values import EMPTY, Indicator, ReadOnly, freeze

Kind = Literal["rate", "weighted", "ratio", "count", "level", "index", "difference", "none"]
Basis = Literal["sample", "full_count", "survey", "model"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "rate": ("n", "k"),
    "weighted": ("share", "n", "k", "n_firms", "n_eff"),
    "ratio": ("num", "den"),
    "count": ("value",),
    "level": ("value",),
    "index": ("value",),
}
"""What the SQL of a kind must return beside entity and period."""

ENTITIES = {"C": "cluster_id", "T": "town_code", "F": "firm_id"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """An indicator and the measure that computes it.

    Parameters
    ----------
    indicator : Indicator
        What it is.
    measure : str
        Stem of a file in ``measures/`` that counts ``counted``; empty for a measure defined in the catalogue.
    row : str
        Line of the catalogue it belongs to: ``D1`` for ``D1.batch``.
    kind : {"rate", "weighted", "ratio", "count", "level", "index", "difference", "none"}
        What comes out: a rate has n, k and Wilson's interval; a weighted rate the same on its effective number; a
        ratio has numerator and denominator; a difference an interval of its own; ``none`` has no data yet.
    over : str
        Rows that are aggregated, ``@years``.
    columns : mapping
        Column -> SQL aggregate over these rows.
    sql : str
        A whole SELECT where one aggregate does not do.
    function : str
        Name in `qbase.indicators.measures.derived_measures` that turns rows into values; empty when SQL does it all.
    scale : float
        A ratio is multiplied by it.
    needs : tuple of str
        Columns of the lake, ``followup.outcome``.
    freqs, entities : tuple of str
        What it can be asked for; the first frequency is its own.
    basis : {"sample", "full_count", "survey", "model"}
        Why it has or has no interval: a full count of what was delivered has none.
    lookback : int
        Quarters before the window that its first value looks back on.
    missing : Text or None
        Why no data of the contracts can give it.
    """

    indicator: Indicator
    measure: str = ""
    row: str = ""
    kind: Kind = "rate"
    over: str = ""
    columns: Mapping[str, str] = dataclasses.field(default_factory=lambda: EMPTY)
    sql: str = ""
    function: str = ""
    scale: float = 1.0
    needs: tuple[str, ...] = ()
    freqs: tuple[str, ...] = ("Q", "H", "A")
    entities: tuple[str, ...] = ("cluster_id", "town_code", "firm_id")
    basis: Basis = "full_count"
    lookback: int = 0
    missing: Text | None = None

    @property
    def is_inspected(self) -> bool:
        """Whether it counts first inspections by a file of ``measures/``."""
        return bool(self.measure)

    @property
    def column_names(self) -> tuple[str, ...]:
        """What its SELECT returns beside entity and period."""
        return (*COLUMNS[self.kind], *(c for c in self.columns if c not in COLUMNS[self.kind]))

    def text(self) -> str:
        """Return its SELECT over parts; empty where a file of ``measures/`` does it."""
        if self.sql or not self.over:
            return self.sql
        columns = ",\n    ".join(f"{sql} AS {name}" for name, sql in self.columns.items())
        # every word comes from the catalogue of the package
        return f"SELECT entity, period,\n    {columns}\nFROM {self.over}\nGROUP BY entity, period"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatalogueRow:
    """One line of the catalogue: what the policy text asks for and how it is followed.

    Parameters
    ----------
    id : str
        ``D1``.
    name : Text
        Name of the line.
    clauses : tuple of str
        Sentences of the policy text, keys of `read_clauses`.
    words : str
        The words of the text that the line measures, as the research design abridges them.
    frequency : str
        As collected: ``Q``, ``A``, ``H`` (half a year), ``M``, ``event``, ``once``, parts joined by ``/``.
    data : Text
        Records it is computed from.
    target : str
        The target in the text, in its own words; empty where it sets none.
    target_value : float or None
        The number, where the text sets one (均 is 100 %); most targets of the text have none.
    outside : Text or None
        A reference from outside the text: never a target by itself.
    measures : tuple of str
        Ids of its indicators.

    Examples
    --------
    >>> from qbase.indicators import read_rows
    >>> row = read_rows()["D1"]
    >>> row.name.en, row.clauses, row.outside.en
    ('Spot-check batch pass rate (design-weighted)', ('1.1', '5.2.2', '5.2.1'), 'national goal for manufacturing in
    2025: 94%')
    """

    id: str
    name: Text
    clauses: tuple[str, ...]
    words: str
    frequency: str
    data: Text
    target: str
    target_value: float | None
    outside: Text | None
    measures: tuple[str, ...]


@functools.cache
def _raw() -> list[dict[str, Any]]:
    """Read ``catalogue.toml`` and the files beside it (``catalogue_*.toml``) that add measures to its lines."""
    folder = resources.files("qbase.indicators.catalogue")
    names = sorted(f.name for f in folder.iterdir() if f.name.startswith("catalogue") and f.name.endswith(".toml"))
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        for row in tomllib.loads(folder.joinpath(name).read_text(encoding="utf-8"))["row"]:
            known = rows.setdefault(row["id"], row)
            if known is not row:
                known["measure"] += row["measure"]
    return list(rows.values())


@functools.cache
def read_rows() -> ReadOnly[str, CatalogueRow]:
    """Read the lines of the catalogue.

    Returns
    -------
    mapping of str to CatalogueRow
        Id -> line, in the order of the file.

    Examples
    --------
    >>> from qbase.indicators import read_rows
    >>> rows = read_rows()
    >>> len(rows), rows["D1"].name.en, rows["D1"].measures[:3]
    (86, 'Spot-check batch pass rate (design-weighted)', ('D1.batch', 'D1.firm', 'D1.output'))
    """
    return freeze({raw["id"]: _row(raw) for raw in _raw()})


def _row(raw: Mapping[str, Any]) -> CatalogueRow:
    return CatalogueRow(
        id=raw["id"],
        name=Text(raw["zh"], raw["en"]),
        clauses=tuple(raw["clauses"]),
        words=raw["words"],
        frequency=raw["frequency"],
        data=Text(raw["data_zh"], raw["data_en"]),
        target=raw.get("target", ""),
        target_value=float(raw["target_value"]) if "target_value" in raw else None,
        outside=Text(raw["outside_zh"], raw["outside_en"]) if "outside_zh" in raw else None,
        measures=tuple(m["id"] for m in raw["measure"]),
    )


@read_once
def read_catalogue() -> ReadOnly[str, Measured]:
    """Read the catalogue.

    Returns
    -------
    mapping of str to Measured
        Id -> definition and measure, in the order of the file.

    Examples
    --------
    >>> from qbase.indicators import read_catalogue
    >>> catalogue = read_catalogue()
    >>> len(catalogue), catalogue["D1.batch"].indicator.name.en, catalogue["D1.batch"].needs
    (186, 'batch pass rate', ('inspections.result', 'inspections.sample_type', 'inspections.sample_date'))
    """
    return freeze({entry["id"]: _measured(raw, entry) for raw in _raw() for entry in raw["measure"]})


def _measured(raw: Mapping[str, Any], entry: Mapping[str, Any]) -> Measured:
    indicator = Indicator(
        id=entry["id"],
        clause=", ".join(raw["clauses"]),
        name=Text(entry["zh"], entry["en"]),
        unit=entry["unit"],
        better=entry["better"],
        role=raw["role"],
        formula=entry["formula"],
        counted=entry.get("counted", "batch"),
        bounds=tuple(entry["bounds"]) if "bounds" in entry else None,
    )
    kind: Kind = entry["kind"]
    missing = Text(entry["missing_zh"], entry["missing_en"]) if "missing_zh" in entry else None
    return Measured(
        indicator=indicator,
        measure=entry.get("file", ""),
        row=raw["id"],
        kind=kind,
        over=entry.get("over", ""),
        columns=freeze(entry.get("columns", {})),
        sql=entry.get("sql", ""),
        function=entry.get("function", ""),
        scale=float(entry.get("scale", 100 if kind == "ratio" and entry["unit"] == "pct" else 1)),
        needs=tuple(entry.get("needs", ())),
        freqs=tuple(entry.get("freqs", ())),
        entities=tuple(ENTITIES[e] for e in entry.get("entities", "")),
        basis=entry.get("basis", "full_count"),
        lookback=int(entry.get("lookback", 0)),
        missing=missing,
    )


def find_indicator(indicator_id: str) -> Measured:
    """Return an indicator by its id.

    Parameters
    ----------
    indicator_id : str
        ``D1.batch``.

    Raises
    ------
    UsageError
        The catalogue has none of that id (QB401).

    Examples
    --------
    >>> from qbase.indicators import find_indicator
    >>> indicator = find_indicator("D1.finding").indicator
    >>> indicator.name.en, indicator.unit, indicator.better, indicator.counted
    ('problem-finding rate', 'pct', 'none', 'firm')
    """
    catalogue = read_catalogue()
    if indicator_id not in catalogue:
        row = read_rows().get(indicator_id)
        raise UsageError(
            "QB401",
            indicator=indicator_id,
            found=repr(indicator_id),
            expected=" | ".join(row.measures if row else [*list(catalogue)[:4], f"… ({len(catalogue)})"]),
            fix=" | ".join(row.measures) if row else f"{_suggest(indicator_id)}        (list: qbase indicators)",
        )
    return catalogue[indicator_id]


def _suggest(word: str) -> str:
    row = read_rows().get(word.partition(".")[0])
    return suggest_names(word, row.measures if row else read_catalogue())


@functools.cache
def read_sql(stem: str) -> str:
    """Return a SQL file of ``measures/``."""
    return resources.files("qbase.indicators.statements").joinpath(f"{stem}.sql").read_text(encoding="utf-8")
