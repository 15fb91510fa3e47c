"""Accepted, listed or quarantined: every data row gets exactly one verdict, in DuckDB, from the contract."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.tables import ColumnRule, Contract, check_rows_sql, judge_rows_sql, typed_select_sql

ROW = "row__"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "1500MB",
}

TABLES, VIEWS = ("judged", "duplicates", "twice", "keyed", "shared"), ("data", "codes", "stored")
_shared = threading.local()
SMALL_ROWS = 5000  # below it planning a query costs more than running it
WORDS = frozenset({"text", "code", "enum"})

Codes = Mapping[str, npt.NDArray[np.int64]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The verdict on D data rows.

    Parameters
    ----------
    accepted : pyarrow.Table
        Typed as the contract says, in file order, without `ROW`; words of a large file may be dictionaries.
    accepted_rows : ndarray of int
        Their positions among the data rows.
    quarantined : mapping
        Position -> reason codes.
    duplicates : ndarray of int
        Positions of rows that repeat an accepted or stored row word for word.
    repeated : ndarray of int
        Positions of rows that say the same as such a row under another notice.
    """

    accepted: pa.Table
    accepted_rows: npt.NDArray[np.int64]
    quarantined: Mapping[int, tuple[str, ...]]
    duplicates: npt.NDArray[np.int64]
    repeated: npt.NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))


def split_rows(data: pa.Table, contract: Contract, codes: Codes, stored: pa.Table | None) -> Split:
    """Judge data rows by the contract, the reader's own findings and the rows already stored.

    A key that occurs twice with the same content is stored once, the others are duplicates; so are rows that differ
    in the columns alone which the contract lets a second notice change. A key with different contents sets all its
    rows aside: which of them is right is not for a program to say.

    Parameters
    ----------
    data : pyarrow.Table
        D rows of text with canonical columns, null where missing, and `ROW` = 0 … D-1.
    contract : Contract
        Of the table.
    codes : mapping
        Reason code -> positions the readers set aside.
    stored : pyarrow.Table or None
        Rows of the lake whose keys may collide, typed as the contract says.

    Returns
    -------
    Split
    """
    if not contract.key or (stored is None and _are_distinct(data, contract.key)):
        return _split_apart(data, contract, codes)
    with _database(len(data)) as db:
        db.register("data", data)
        db.register("codes", _code_table(codes))
        db.execute(f"CREATE TABLE judged AS {check_rows_sql(contract, 'data')}")
        db.execute(
            f"UPDATE judged SET reasons = list_concat(reasons, x.codes) "  # noqa: S608
            f"FROM (SELECT {ROW}, list(code ORDER BY code) AS codes FROM codes GROUP BY {ROW}) x "
            f"WHERE judged.{ROW} = x.{ROW}"
        )
        db.execute(f"CREATE TABLE duplicates ({ROW} BIGINT, is_same BOOLEAN)")
        _judge_keys(db, contract, stored)
        accepted: pa.Table = db.sql(
            f"SELECT * FROM ({typed_select_sql(contract, 'judged', keep=[ROW], is_checked=True)}) "  # noqa: S608
            f"WHERE {ROW} NOT IN (SELECT {ROW} FROM duplicates)"
        ).to_arrow_table()
        duplicates = db.execute(f"SELECT {ROW}, is_same FROM duplicates ORDER BY 1").fetchall()  # noqa: S608
        wrong = db.execute(f"SELECT {ROW}, reasons FROM judged WHERE len(reasons) > 0 ORDER BY 1").fetchall()  # noqa: S608
    rows, accepted = _in_file_order(accepted)
    return Split(
        accepted=accepted.drop_columns([ROW]),
        accepted_rows=rows,
        quarantined={row: tuple(dict.fromkeys(reasons)) for row, reasons in wrong},
        duplicates=np.array([row for row, is_same in duplicates if is_same], np.int64),
        repeated=np.array([row for row, is_same in duplicates if not is_same], np.int64),
    )


def _split_apart(data: pa.Table, contract: Contract, codes: Codes) -> Split:
    """Judge rows that share no key with any other: one pass, and no second copy of the raw text."""
    found: dict[int, tuple[str, ...]] = {}
    if len(data) < SMALL_ROWS:
        rows, judged = _in_file_order(_judge_small(data, contract))
        _add_reasons(found, judged, np.flatnonzero(pc.list_value_length(judged["reasons"]).to_numpy() > 0))
    else:
        rows, (judged, wrong) = data[ROW].to_numpy(), _judge_columns(data, contract)
        if len(wrong):
            again = _judge(data.take(pa.array(wrong)), contract)
            _add_reasons(found, again, np.arange(len(again)))
    for code in sorted(codes):
        for row in codes[code].tolist():
            found[row] = (*found.get(row, ()), code)
    keep = np.ones(len(rows), np.bool_)
    keep[np.searchsorted(rows, np.array(sorted(found), np.int64))] = False
    columns = {name: judged[name] for name in contract.column_names}
    del judged
    if not keep.all():
        mask = pa.array(keep)
        for name in columns:  # one column at a time, so that the rows are never in memory twice
            columns[name] = columns[name].filter(mask)
    return Split(
        accepted=pa.table(columns),
        accepted_rows=rows[keep],
        quarantined={row: tuple(dict.fromkeys(found[row])) for row in sorted(found)},
        duplicates=np.empty(0, np.int64),
    )


def _add_reasons(found: dict[int, tuple[str, ...]], judged: pa.Table, wrong: npt.NDArray[np.int64]) -> None:
    some = judged.select([ROW, "reasons"]).take(pa.array(wrong))
    found |= {row: tuple(why) for row, why in zip(*(some[name].to_pylist() for name in some.column_names), strict=True)}


def _judge_columns(data: pa.Table, contract: Contract) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Judge columns by their different texts; return all rows, typed, and the positions of those that are wrong.

    What is wrong with them is for the query to say that judges whole rows.
    """
    pa.default_memory_pool().release_unused()
    is_wrong = np.zeros(len(data), np.bool_)
    columns = {}
    with _database(len(data)) as db:
        for column in contract.columns:
            columns[column.name], is_bad = _judge_column(db, data, contract, column)
            is_wrong |= is_bad
        judged = pa.table(columns)
        if contract.rules:
            db.register("judged", judged.append_column(ROW, pa.array(np.arange(len(data)))))
            broken = " OR ".join(f"NOT coalesce({rule.sql}, true)" for rule in contract.rules)
            is_wrong[db.sql(f"SELECT {ROW} FROM judged WHERE {broken}").fetchnumpy()[ROW]] = True  # noqa: S608
    return judged, np.flatnonzero(is_wrong)


def _judge_column(
    db: duckdb.DuckDBPyConnection, data: pa.Table, contract: Contract, column: ColumnRule
) -> tuple[pa.Array | pa.ChunkedArray, npt.NDArray[np.bool_] | bool]:
    """Return a column as its contract types it, and which cells break a rule of the column; False where none does."""
    texts, places = _find_texts(data, column.name, is_key=contract.key == (column.name,))
    own = dataclasses.replace(contract, columns=(column,), rules=(), key=())
    db.register("given", pa.table({**texts, ROW: pa.array(np.arange(len(texts.get(column.name, [0]))))}))
    _, judged = _in_file_order(db.sql(judge_rows_sql(own, "given", keep=[ROW])).to_arrow_table())
    values, is_bad = judged[column.name], pc.list_value_length(judged["reasons"]).to_numpy() > 0
    if places is None:
        return values, is_bad if is_bad.any() else False
    if pa.types.is_string(values.type) and column.type in WORDS:
        encoded = values.combine_chunks().dictionary_encode()
        taken = encoded.indices.take(pa.array(places))
        values = pa.DictionaryArray.from_arrays(taken, encoded.dictionary)
    else:
        values = values.take(pa.array(places))
    return values, is_bad[places] if is_bad.any() else False


def _find_texts(
    data: pa.Table, name: str, *, is_key: bool
) -> tuple[dict[str, pa.Array | pa.ChunkedArray], npt.NDArray[np.int64] | None]:
    """Return the different texts of a column, and which of them each row holds; of a key the texts as they stand."""
    if name not in data.column_names:
        return {}, np.zeros(len(data), np.int64)
    cells = data[name]
    if is_key:
        return {name: cells}, None
    encoded = pa.chunked_array([cells]) if isinstance(cells, pa.Array) else cells
    encoded = encoded.dictionary_encode().unify_dictionaries().combine_chunks()
    texts = pa.concat_arrays([encoded.dictionary, pa.nulls(1, pa.string())])
    return {name: texts}, pc.fill_null(encoded.indices, len(texts) - 1).to_numpy(zero_copy_only=False)


def _judge(data: pa.Table, contract: Contract) -> pa.Table:
    with _database(len(data)) as db:
        db.register("data", data)
        return db.sql(judge_rows_sql(contract, "data", keep=[ROW])).to_arrow_table()


def _judge_small(data: pa.Table, contract: Contract) -> pa.Table:
    """Judge few rows through a query that is planned once per contract and thread, not once per file."""
    given, query = (_name(f"{prefix} {contract.name}") for prefix in ("given", "judge"))
    names = [name for name in contract.column_names if name in data.column_names]
    with _database(len(data)) as db:
        if _shared.planned.get(contract.name) is not contract:
            _shared.planned[contract.name] = contract
            columns = ", ".join(f"{_name(name)} VARCHAR" for name in contract.column_names)
            db.execute(f"CREATE OR REPLACE TABLE {given} ({columns}, {ROW} BIGINT)")
            db.execute(f"PREPARE {query} AS {judge_rows_sql(contract, given, keep=[ROW])}")
        db.register("data", data.select([*names, ROW]))
        db.execute(f"TRUNCATE {given}")
        db.execute(f"INSERT INTO {given} BY NAME SELECT * FROM data")  # noqa: S608
        with warnings.catch_warnings():  # fetching it as a relation would bind it again, which the plan is to spare
            warnings.filterwarnings("ignore", message="Arrow output on a DB-API result makes an extra copy")
            return db.execute(f"EXECUTE {query}").to_arrow_table()


def _in_file_order(table: pa.Table) -> tuple[npt.NDArray[np.int64], pa.Table]:
    """Return positions and rows in file order; sorting wide rows in SQL would cost a third of the time."""
    rows = table.column(ROW).to_numpy().astype(np.int64)
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows)
        return rows[order], table.take(pa.array(order))
    return rows, table


@contextlib.contextmanager
def _database(rows: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give an empty database; small files share one per thread, since opening it costs more than their rows."""
    if rows >= SMALL_ROWS:
        with duckdb.connect(config=CONFIG) as db:
            yield db
        return
    small: duckdb.DuckDBPyConnection | None = getattr(_shared, "db", None)
    if small is None:
        small = duckdb.connect(config={**CONFIG, "threads": 1})
        small.execute("PRAGMA disable_optimizer")
        _shared.planned = {}
    _shared.db = None  # what fails in between is not used again
    yield small
    for table in TABLES:
        small.execute(f"DROP TABLE IF EXISTS {table}")
    for view in VIEWS:
        small.unregister(view)
    _shared.db = small


def _are_distinct(data: pa.Table, key: Sequence[str]) -> bool:
    """Return whether every row has a key of its own."""
    if len(key) == 1 and key[0] in data.column_names:
        return bool(pc.count_distinct(data[key[0]], mode="all").as_py() == len(data))
    return len(data.group_by([name for name in key if name in data.column_names]).aggregate([])) == len(data)


def _judge_keys(db: duckdb.DuckDBPyConnection, contract: Contract, stored: pa.Table | None) -> None:
    """Mark conflicting keys in ``judged`` and put exact repetitions into ``duplicates``."""
    key = ", ".join(map(_name, contract.key))
    filled = " AND ".join(f"{_name(column)} IS NOT NULL" for column in contract.key)
    content = ", ".join(_content_sql(column) for column in contract.columns if column.name not in contract.repeats)
    others = ", ".join(map(_name, contract.repeats)) or "NULL"
    old = _stored_text(db, contract, stored)
    db.execute(
        f"CREATE TABLE twice AS SELECT {key} FROM "  # noqa: S608
        f"(SELECT {key} FROM judged WHERE {filled} UNION ALL SELECT {key} FROM {old}) GROUP BY {key} "
        f"HAVING count(*) > 1"
    )
    db.execute(
        f"CREATE TABLE keyed AS SELECT {key}, row({content}) AS content, row({others}) AS notice, {ROW}, "  # noqa: S608
        f"len(reasons) = 0 AS is_clean FROM judged SEMI JOIN twice USING ({key}) UNION ALL "
        f"SELECT {key}, row({content}) AS content, row({others}) AS notice, -1 AS {ROW}, true AS is_clean "
        f"FROM {old} SEMI JOIN twice USING ({key})"
    )
    db.execute(
        f"CREATE TABLE shared AS SELECT {key}, count(DISTINCT content) AS contents, "  # noqa: S608
        f"min({ROW}) FILTER (is_clean) AS first, arg_min(notice, {ROW}) FILTER (is_clean) AS notice "
        f"FROM keyed GROUP BY {key}"
    )
    db.execute(
        f"INSERT INTO duplicates SELECT k.{ROW}, k.notice IS NOT DISTINCT FROM shared.notice "  # noqa: S608
        f"FROM keyed k JOIN shared USING ({key}) "
        f"WHERE contents = 1 AND is_clean AND k.{ROW} > first"
    )
    db.execute(
        f"UPDATE judged SET reasons = list_append(reasons, 'key_conflict') WHERE {ROW} IN "  # noqa: S608
        f"(SELECT k.{ROW} FROM keyed k JOIN shared USING ({key}) WHERE contents > 1)"
    )


def _content_sql(column: ColumnRule) -> str:
    """Return what two rows must share to say the same: 1 and 1.0 are one number."""
    name = _name(column.name)
    return f"coalesce(TRY_CAST({name} AS DOUBLE)::VARCHAR, {name})" if column.type == "number" else name


def _stored_text(db: duckdb.DuckDBPyConnection, contract: Contract, stored: pa.Table | None) -> str:
    """Return a relation of the stored rows as text; the columns an older version lacks are null."""
    if stored is None:
        return f"(SELECT {', '.join(f'NULL::VARCHAR AS {_name(c)}' for c in contract.column_names)} WHERE false) old"
    db.register("stored", stored)
    columns = ", ".join(
        f"{_name(c) if c in stored.column_names else 'NULL'}::VARCHAR AS {_name(c)}" for c in contract.column_names
    )
    return f"(SELECT {columns} FROM stored) old"  # noqa: S608


def _code_table(codes: Codes) -> pa.Table:
    rows = np.concatenate([np.empty(0, np.int64), *codes.values()])
    names = [code for code, positions in codes.items() for _ in range(len(positions))]
    return pa.table({ROW: pa.array(rows, pa.int64()), "code": pa.array(names, pa.string())})


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
