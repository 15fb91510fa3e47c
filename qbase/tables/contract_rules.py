"""Contracts as DuckDB SQL: which rows keep them, why not, and the typed rows.

Input is a relation with canonical column names, every cell as text; dates are ISO text by then. An absent optional
column reads as empty. An empty cell is null: bad in a required column, good everywhere else, because the contract
says what it means.
"""

from __future__ import annotations

from collections.abc import Sequence

from qbase.tables.contracts import Bound, ColumnRule, Contract
from qbase.tables.credit_code import uscc_sql

RAW, TEXT = "raw__", "text__"
SQL_TYPES = {"int": "BIGINT", "number": "DOUBLE", "date": "DATE", "bool": "BOOLEAN"}

_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"


def sql_type(column: ColumnRule) -> str:
    """Return the DuckDB type a column is stored in.

    Examples
    --------
    >>> from qbase.tables import read_contract, sql_type
    >>> inspections = read_contract("inspections")
    >>> {name: sql_type(inspections.column(name)) for name in ("sample_no", "sample_date", "result")}
    {'sample_no': 'VARCHAR', 'sample_date': 'DATE', 'result': 'VARCHAR'}
    """
    return SQL_TYPES.get(column.type, "VARCHAR")


def typed_sql(column: ColumnRule, text: str) -> str:
    """Return SQL that turns a text into the type of its column; null where it cannot.

    Parameters
    ----------
    column : ColumnRule
        The column.
    text : str
        SQL expression of the text, null when the cell is empty.

    Returns
    -------
    str
    """
    if column.type == "int":
        return _when(rf"regexp_full_match({text}, '[+-]?\d+')", f"TRY_CAST({text} AS BIGINT)")
    if column.type == "number":
        value = f"TRY_CAST({text} AS DOUBLE)"
        return _when(f"regexp_full_match({text}, '{_NUMBER}') AND isfinite({value})", value)
    if column.type == "date":
        return _when(rf"regexp_full_match({text}, '\d{{4}}-\d{{2}}-\d{{2}}')", f"TRY_CAST({text} AS DATE)")
    if column.type == "quarter":
        return _when(rf"regexp_full_match({text}, '\d{{4}}Q[1-4]')", text)
    if column.type in ("enum", "bool"):
        cases = " ".join(
            f"WHEN lower({text}) IN ({_list({value.lower(), *(s.lower() for s in spellings)})}) "
            f"THEN {value if column.type == 'bool' else _quote(value)}"
            for value, spellings in column.values.items()
        )
        return f"CASE {cases} END"
    return text


def contract_sql(contract: Contract) -> dict[str, str]:
    """Return what can be wrong with a row: reason code -> SQL, true when it is wrong, never null.

    The SQL sees each column twice: ``name`` typed, and ``text__name`` as trimmed text (null when empty).

    Parameters
    ----------
    contract : Contract
        The table.

    Returns
    -------
    dict of str to str
        ``result:missing``, ``result:enum``, ``sample_date:date``, ``uscc:check``, ``rule:recheck_has_parent`` …

    Examples
    --------
    >>> from qbase.tables import contract_sql, read_contract
    >>> wrong = contract_sql(read_contract("inspections"))
    >>> [code for code in wrong if code.startswith("sample_date")]
    ['sample_date:missing', 'sample_date:date', 'sample_date:range']
    >>> print(wrong["sample_date:range"])
    coalesce("sample_date" < DATE '1986-01-01', false)
    """
    checks: dict[str, str] = {}
    for column in contract.columns:
        checks.update(_column_checks(column))
    for rule in contract.rules:
        checks[f"rule:{rule.code}"] = f"NOT coalesce({rule.sql}, true)"
    return checks


def check_rows_sql(contract: Contract, relation: str) -> str:
    """Return a query that says for every row what is wrong with it, in one pass.

    Parameters
    ----------
    contract : Contract
        The table.
    relation : str
        SQL name of a relation (quoted where needed) or a subquery in brackets.

    Returns
    -------
    str
        All columns of the relation as they came (absent columns of the contract as null), and
        ``reasons`` (VARCHAR[]); empty when the row keeps the contract.

    Examples
    --------
    >>> import duckdb
    >>> from qbase.tables import check_rows_sql, read_contract
    >>> given = "(SELECT 'K003' AS cluster_id, '望埭镇涤纶产业集群' AS cluster_name)"
    >>> duckdb.sql(check_rows_sql(read_contract("clusters"), given)).df().loc[0, "reasons"].tolist()
    ['town_code:missing', 'industry_code:missing']
    """
    return (
        f"WITH {_typed(contract, relation)} "  # noqa: S608  (built from the contract, not from input)
        f"SELECT COLUMNS('^{RAW}(.*)$') AS '\\1', {_reasons(contract)} AS reasons FROM typed"
    )


def judge_rows_sql(contract: Contract, relation: str, *, keep: Sequence[str] = ()) -> str:
    """Return a query for all rows, typed as the contract says, with what is wrong with each.

    Parameters
    ----------
    contract : Contract
        The table.
    relation : str
        SQL name of a relation (quoted where needed) or a subquery in brackets.
    keep : sequence of str
        Further columns of the relation to carry along as they are, after those of the contract.

    Returns
    -------
    str
        Columns of the contract in their order and type (null where a cell is not of its type), the kept ones, and
        ``reasons`` (VARCHAR[]) as in `check_rows_sql`.

    Examples
    --------
    >>> import duckdb
    >>> from qbase.tables import judge_rows_sql, read_contract
    >>> given = "(SELECT 'K003' AS cluster_id, '2022-08-10' AS adopt_date, '2822' AS industry_code, 7 AS row_no)"
    >>> sql = judge_rows_sql(read_contract("clusters"), given, keep=["row_no"])
    >>> duckdb.sql(f"SELECT cluster_id, adopt_date, row_no, reasons[1] AS reason FROM ({sql})").df()
      cluster_id adopt_date  row_no             reason
    0       K003 2022-08-10       7  town_code:missing
    """
    names = ", ".join([*map(_name, contract.column_names), *(f"{_name(RAW + k)} AS {_name(k)}" for k in keep)])
    return f"WITH {_typed(contract, relation)} SELECT {names}, {_reasons(contract)} AS reasons FROM typed"  # noqa: S608


def _reasons(contract: Contract) -> str:
    cases = ", ".join(f"CASE WHEN {sql} THEN {_quote(code)} END" for code, sql in contract_sql(contract).items())
    return f"list_filter([{cases}]::VARCHAR[], lambda reason: reason IS NOT NULL)"


def typed_select_sql(contract: Contract, relation: str, *, keep: Sequence[str] = (), is_checked: bool = False) -> str:
    """Return a query for the accepted rows, typed as the contract says.

    Parameters
    ----------
    contract : Contract
        The table.
    relation : str
        SQL name of a relation (quoted where needed) or a subquery in brackets.
    keep : sequence of str
        Further columns of the relation to carry along as they are, after those of the contract.
    is_checked : bool
        The relation is the stored output of `check_rows_sql`; its ``reasons`` are used and nothing is checked twice.

    Returns
    -------
    str
        Columns of the contract in their order and type, for rows without a reason.

    Examples
    --------
    >>> import duckdb
    >>> from qbase.tables import read_contract, typed_select_sql
    >>> given = "VALUES ('990023101', '望埭镇', '桐屿县', '2011-01-01'), ('990023102', '', '桐屿县', '2011-01-01')"
    >>> towns = f"(SELECT * FROM ({given}) AS t(town_code, town_name, county_name, valid_from_date))"
    >>> duckdb.sql(typed_select_sql(read_contract("towns"), towns)).fetchall()
    [('990023101', '望埭镇', '桐屿县', datetime.date(2011, 1, 1), None, None)]
    """
    names = ", ".join([*map(_name, contract.column_names), *(f"{_name(RAW + k)} AS {_name(k)}" for k in keep)])
    if is_checked:
        return f"WITH {_typed(contract, relation)} SELECT {names} FROM typed WHERE len({RAW}reasons) = 0"  # noqa: S608
    wrong = " OR ".join(f"({sql})" for sql in contract_sql(contract).values()) or "false"
    return f"WITH {_typed(contract, relation)} SELECT {names} FROM typed WHERE NOT ({wrong})"  # noqa: S608


def _typed(contract: Contract, relation: str) -> str:
    """Every column as it came (``raw__name``), then as trimmed text (``text__name``), then typed (``name``)."""
    empty = ", ".join(f"NULL::VARCHAR AS {_name(c.name)}" for c in contract.columns)
    texts = ", ".join(f"NULLIF(trim({_name(RAW + c.name)}), '') AS {_name(TEXT + c.name)}" for c in contract.columns)
    typed = ", ".join(f"{typed_sql(c, _name(TEXT + c.name))} AS {_name(c.name)}" for c in contract.columns)
    return (
        f"given AS (SELECT {empty} WHERE false UNION ALL BY NAME SELECT * FROM {relation}), "  # noqa: S608
        f"named AS (SELECT COLUMNS('(.*)') AS '{RAW}\\1' FROM given), "
        f"texts AS (SELECT *, {texts} FROM named), "
        f"typed AS (SELECT *, {typed} FROM texts)"
    )


def _column_checks(column: ColumnRule) -> dict[str, str]:
    name, text = _name(column.name), _name(TEXT + column.name)
    checks: dict[str, str] = {}
    if column.required:
        checks[f"{column.name}:missing"] = f"{text} IS NULL"
    if column.type not in ("text", "code"):
        checks[f"{column.name}:{column.type}"] = f"{text} IS NOT NULL AND {name} IS NULL"
    bounds = [f"{name} {op} {_bound(column, b)}" for op, b in (("<", column.min), (">", column.max)) if b is not None]
    if bounds:
        checks[f"{column.name}:range"] = f"coalesce({' OR '.join(bounds)}, false)"
    if column.pattern:
        checks[f"{column.name}:pattern"] = f"NOT coalesce(regexp_full_match({text}, {_quote(column.pattern)}), true)"
    if column.check == "uscc":
        checks[f"{column.name}:check"] = f"NOT coalesce({uscc_sql(text)}, true)"
    return checks


def _bound(column: ColumnRule, bound: Bound) -> str:
    if isinstance(bound, str):
        return f"DATE {_quote(bound)}" if column.type == "date" else _quote(bound)
    return repr(bound)


def _when(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _list(texts: set[str]) -> str:
    return ", ".join(_quote(t) for t in sorted(texts))
