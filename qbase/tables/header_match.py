"""Which column a header means, and which table a row of headers is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from qbase.core.errors import DataError
from qbase.core.values import freeze
from qbase.tables.contracts import Contract, list_contracts, read_contract
from qbase.tables.header_normal import normalise_header, split_unit

__all__ = ["HeaderMatch", "find_contract", "find_contracts", "match_headers", "normalise_header", "split_unit"]


_OF_BATCH = frozenset(map(normalise_header, ("检验结论", "抽查结论", "抽检结论")))
_OF_ITEM = frozenset(map(normalise_header, ("检验结果", "结果")))


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeaderMatch:
    """How the headers of a file meet a contract.

    Parameters
    ----------
    table : str
        Name of the contract.
    mapping : mapping
        Header as it stands -> canonical column.
    units : mapping
        Header as it stands -> unit written in brackets after it; only where there is one.
    unknown : tuple of str
        Headers that mean no column.
    missing : tuple of str
        Required columns without a header.
    doubled : tuple of str
        Columns that several headers mean.
    score : float
        Share of the non-empty headers that were understood, 0 to 1.
    coverage : float
        Share of the columns of the contract that are there, 0 to 1.

    Examples
    --------
    >>> from qbase.tables import match_headers, read_contract
    >>> match = match_headers(["企业编号", "企业名称", "备注"], read_contract("firms"))
    >>> match.unknown, match.missing, round(match.score, 2)
    (('备注',), ('town_code', 'industry_code'), 0.67)
    """

    table: str
    mapping: Mapping[str, str]
    units: Mapping[str, str]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    score: float
    coverage: float

    @property
    def is_complete(self) -> bool:
        """Whether every required column has exactly one header."""
        return not self.missing and not self.doubled


def match_headers(headers: Sequence[str], contract: Contract) -> HeaderMatch:
    """Match the headers of a file with the columns of a contract.

    Parameters
    ----------
    headers : sequence of str
        As they stand in the file; empty ones are ignored.
    contract : Contract
        The table to try.

    Returns
    -------
    HeaderMatch

    Examples
    --------
    >>> from qbase.tables import match_headers, read_contract
    >>> match = match_headers(["年份", "企业编号", "营业收入（万元）"], read_contract("firm_year"))
    >>> dict(match.mapping)
    {'年份': 'year', '企业编号': 'firm_id', '营业收入（万元）': 'revenue_wan_cny'}
    >>> dict(match.units)
    {'营业收入（万元）': '万元'}
    """
    meaning = {normalise_header(h): c.name for c in contract.columns for h in c.headers}
    mapping: dict[str, str] = {}
    units: dict[str, str] = {}
    unknown: list[str] = []
    given = [h for h in headers if normalise_header(h)]
    found: list[str] = []
    for header in given:
        name, unit = split_unit(header)
        column = meaning.get(normalise_header(header))
        if column is None:
            column = meaning.get(normalise_header(name)) if unit else None
            # the same name in another language is no unit: 年份（Year）
            if column is not None and meaning.get(normalise_header(unit)) != column:
                units[header] = unit
        if column is None:
            unknown.append(header)
        else:
            found.append(column)
            mapping[header] = column
    for header in _yielding(given, mapping):
        found.remove(mapping.pop(header))
        units.pop(header, None)
        unknown.append(header)
    return HeaderMatch(
        table=contract.name,
        mapping=freeze(mapping),
        units=freeze(units),
        unknown=tuple(unknown),
        missing=contract.missing_from(found),
        doubled=tuple(n for n in contract.column_names if found.count(n) > 1),
        score=len(found) / len(given) if given else 0.0,
        coverage=len(set(found)) / len(contract.columns),
    )


def _yielding(headers: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """Return the headers that yield to a clearer one: 检验结果 of an item beside 检验结论 of a batch."""
    names = {header: normalise_header(header) for header in headers if mapping.get(header) == "result"}
    clear = [header for header, name in names.items() if name in _OF_BATCH]
    return [header for header, name in names.items() if name in _OF_ITEM] if len(clear) == 1 else []


def find_contracts(headers: Sequence[str]) -> tuple[str, ...]:
    """Find the tables a row of headers may belong to.

    Only contracts whose required columns are all there are candidates. The one that understands most headers
    wins; among equals the one that is filled most.

    Parameters
    ----------
    headers : sequence of str
        As they stand in the file.

    Returns
    -------
    tuple of str
        Names of the contracts that fit best; several when they fit equally well, none when none fits.

    Examples
    --------
    >>> from qbase.tables import find_contracts
    >>> find_contracts(["集群编号", "区划代码", "行业代码", "集群名称", "备注"]), find_contracts(["姓名", "电话"])
    (('clusters',), ())
    """
    # a list of failures looks like inspections without results; it is taken for one only when a recipe says so
    contracts = [read_contract(name) for name in list_contracts()]
    matches = [match_headers(headers, contract) for contract in contracts if contract.is_findable]
    fitting = [match for match in matches if not match.missing]
    best = max(((m.score, m.coverage) for m in fitting), default=None)
    return tuple(m.table for m in fitting if (m.score, m.coverage) == best)


def find_contract(headers: Sequence[str]) -> str | None:
    """Find the table a row of headers belongs to, by the rule of `find_contracts`.

    Parameters
    ----------
    headers : sequence of str
        As they stand in the file.

    Returns
    -------
    str or None
        Name of the contract; None when none fits.

    Raises
    ------
    DataError
        Two contracts fit equally well (QB153).

    Examples
    --------
    >>> from qbase.tables import find_contract, read_contract
    >>> find_contract([column.text.zh for column in read_contract("inspections").columns])
    'inspections'
    """
    best = find_contracts(headers)
    if len(best) > 1:
        raise DataError(
            "QB153",
            tables=", ".join(best),
            found=f"headers {', '.join(headers)}",
            expected="headers that fit one table",
            fix="name the table through a recipe: qbase load FILE --recipe " + best[0],
        )
    return best[0] if best else None
