"""Puts the SQL of a measure together from named row sets.

A measure says ``FROM @years``; the text of that part stands in ``statements/parts.sql`` and may name others in turn.
``@firm_year``, a table of the lake, becomes the table with doubled deliveries taken once and keys that are described
in two ways left out. ``@stock(standards.publish_date)`` is every entity and period with the rows of a cluster's table
dated up to its end; ``@flow(projects.file_date)`` with the rows dated inside it; periods without rows stand with NULLs.

DuckDB adds on several threads, and a sum of fractions depends on the order of adding in its last digits. So every sum
and mean adds in the order of size, and rows come sorted: the same lake gives the same bytes, however its rows lie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources

from qbase.core.lazy import read_once
from qbase.core.periods import PER_YEAR, Freq
from qbase.core.values import EMPTY
from qbase.tables import list_contracts, read_contract

ENTITY = {
    "sample": {"cluster_id": "f.cluster_id", "town_code": "coalesce(m.town_code, f.town_code)", "firm_id": "f.firm_id"},
    "firm": {"cluster_id": "f.cluster_id", "town_code": "f.town_code", "firm_id": "f.firm_id"},
    "cluster": {"cluster_id": "c.cluster_id", "town_code": "c.town_code"},
    "place": {"cluster_id": "c.cluster_id", "town_code": "t.town_code"},
}
BEGIN = {"Q": "date_trunc('quarter', {})", "H": "time_bucket(INTERVAL 6 MONTH, {})", "A": "date_trunc('year', {})"}
"""First day of the period a date lies in; buckets of months are counted from a first of January."""
INSPECTED = re.compile(r"\b(counted|placed|matched|registered)\b")
PROVENANCE = "('delivery_sha256', 'sheet', 'row_no')"
DATED = {
    "stock": "x.{column} <= g.last_day",
    "flow": "x.{column} BETWEEN g.period AND g.last_day",
}

Moved = tuple[Mapping[str, str], Mapping[str, str]]
"""Codes of today by older ones, and official codes by those made by rule."""

_TOKEN = re.compile(r"@(\w+)(?:\((\w+)\.(\w+)\))?")
_DAY = re.compile(r"\{day:([\w.]+)\}")
_ADDING = re.compile(r"\b(?:sum|avg)\(")
_ENTITY = re.compile(r"\{entity of (\w+)\}")
_BEGIN = re.compile(r"\{begin of ([^{}]+)\}")


@read_once
def read_parts() -> Mapping[str, str]:
    """Return the named row sets of ``statements/parts.sql``."""
    text = resources.files("qbase.indicators.statements").joinpath("parts.sql").read_text(encoding="utf-8")
    sections = re.split(r"^-- part (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(sections[::2], (s.strip() for s in sections[1::2]), strict=True))


def assemble_sql(
    text: str,
    *,
    entity: str,
    freq: Freq,
    base: str,
    towns: Mapping[str, str] = EMPTY,
    replaced: Mapping[str, str] = EMPTY,
) -> str:
    """Return one statement: the parts a measure needs, each once and before its users, and the measure.

    Parameters
    ----------
    text : str
        A SELECT with ``@parts``.
    entity, freq : str
        Of the panel.
    base : str
        Common table expressions of the inspections, from ``WITH`` on; used where a part reads inspections.
    towns : mapping
        Division code -> the one its place has today, for those that changed: every table goes by the codes of today.
    replaced : mapping
        Code made by rule -> the official one. Where both have a row of one key, the official one holds.

    Returns
    -------
    str
        SQL with parameters ``$first_day``, ``$last_day``, ``$span_first``, ``$span_last``; its rows are sorted.
    """
    parts: dict[str, str] = {}
    main = _resolve(_fill(text, entity, freq, towns), entity, freq, (towns, replaced), parts)
    main = add_in_order(f"SELECT * FROM (\n{main}\n) ORDER BY ALL")  # noqa: S608  (a measure of the catalogue)
    ctes = [f"{name} AS (\n{sql}\n)" for name, sql in parts.items()]
    if any(INSPECTED.search(sql) for sql in (main, *parts.values())):
        return ",\n".join([base.rstrip(), *ctes]) + "\n" + main
    return ("WITH " + ",\n".join(ctes) + "\n" if ctes else "") + main


def add_in_order(sql: str) -> str:
    """Return SQL whose sums and means take their values in the order of size.

    ``sum(a * b)`` becomes ``sum(a * b ORDER BY a * b)``: its value no longer depends on how threads share the rows.
    """
    found, at = [], 0
    for match in _ADDING.finditer(sql):
        end, depth = match.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        value = sql[match.end() : end - 1]
        if _ADDING.search(value) is None:
            found += [sql[at : end - 1], f" ORDER BY {value}"]
            at = end - 1
    return "".join([*found, sql[at:]])


def tables_of(text: str) -> frozenset[str]:
    """Return the tables of the lake a measure reads, through all its parts."""
    found: set[str] = set()
    seen: set[str] = set()
    queue = [text]
    while queue:
        sql = queue.pop()
        if INSPECTED.search(sql):
            found.add("inspections")
        for name, table, _ in _TOKEN.findall(sql):
            if name in DATED:
                found |= {table, "clusters"}
                queue.append("@cluster_grid")
            elif name in read_parts() and name not in seen:
                seen.add(name)
                queue.append(read_parts()[name])
            elif name in list_contracts():
                found.add(name)
    return frozenset(found)


def _fill(text: str, entity: str, freq: Freq, towns: Mapping[str, str]) -> str:
    # inspections come from the common expressions, with the code that is printed on them
    own = {"sample": _present(ENTITY["sample"][entity], towns)} if entity == "town_code" else {}
    text = text.replace("{months}", str(12 // PER_YEAR[freq]))
    text = _ENTITY.sub(lambda m: own.get(m[1], ENTITY[m[1]][entity]), text)
    text = _DAY.sub(
        lambda m: f"make_date(CAST(left({m[1]}, 4) AS INT), 3 * CAST(right({m[1]}, 1) AS INT) - 2, 1)", text
    )
    return fill_begin(text, freq)


def fill_begin(sql: str, freq: Freq) -> str:
    """Return SQL in which ``{begin of d}`` is the first day of the period that day d lies in."""
    return _BEGIN.sub(lambda m: BEGIN[freq].format(m[1]), sql)


def _resolve(text: str, entity: str, freq: Freq, moved: Moved, parts: dict[str, str]) -> str:
    def use(match: re.Match[str]) -> str:
        token, table, column = match[1], match[2], match[3]
        name = f"{token}_{table}" if table else (f"part_{token}" if token in read_parts() else f"clean_{token}")
        if name not in parts:
            body = _fill(_body(token, table, column, moved), entity, freq, moved[0])
            parts[name] = add_in_order(_resolve(body, entity, freq, moved, parts))
        return name

    return _TOKEN.sub(use, text)


def _body(token: str, table: str | None, column: str | None, moved: Moved) -> str:
    if table is not None:
        # names come from the catalogue of the package, never from a user
        return (
            "SELECT g.entity, g.period, g.last_day, x.* EXCLUDE (owner)\nFROM @cluster_grid AS g\n"  # noqa: S608
            f"LEFT JOIN (SELECT c.entity AS owner, t.* FROM @{table} AS t "
            "JOIN @cluster AS c ON c.cluster_id = t.cluster_id) AS x\n"
            f"    ON x.owner = g.entity AND {DATED[token].format(column=column)}"
        )
    if token in read_parts():
        return read_parts()[token]
    rows, (towns, replaced), contract = distinct_rows(token), moved, read_contract(token)
    if not towns or "town_code" not in contract.column_names:
        return rows
    if replaced and "town_code" in contract.key:
        rows = _of_one_town(rows, contract.key, replaced)
    return f"SELECT * REPLACE ({_present('town_code', towns)} AS town_code) FROM (\n{rows}\n)"  # noqa: S608


def _of_one_town(rows: str, key: Sequence[str], replaced: Mapping[str, str]) -> str:
    """Return SQL of rows without those of a made code whose key the official code, or an earlier made one, has too."""
    by = ", ".join(_present(name, replaced) if name == "town_code" else name for name in key)
    made = ", ".join(f"'{code}'" for code in replaced if code.isalnum())
    order = f"town_code IN ({made}), town_code"
    return f"SELECT * FROM (\n{rows}\n) QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY {order}) = 1"  # noqa: S608


def _present(code: str, towns: Mapping[str, str]) -> str:
    """Return SQL of the division code of today."""
    cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in towns.items() if (old + new).isalnum())
    return f"(CASE {code} {cases} ELSE {code} END)" if cases else code


def distinct_rows(table: str) -> str:
    """Return a SELECT of a table of the lake: doubled deliveries once, keys described in two ways left out."""
    key = ", ".join(read_contract(table).key)
    return (
        f"SELECT * FROM (SELECT DISTINCT COLUMNS(lambda c: c NOT IN {PROVENANCE}) FROM {table})\n"  # noqa: S608
        f"QUALIFY count(*) OVER (PARTITION BY {key}) = 1"
    )
