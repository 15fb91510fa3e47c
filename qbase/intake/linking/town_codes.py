"""Division codes over time: towns are merged and renumbered, and old files keep the old code."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.core.values import freeze
from qbase.lake.entity_names import read_replaced
from qbase.tables import list_contracts, read_contract

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

TODAY = "9999-12-31"

_SQL = """
SELECT town_code, coalesce(valid_from_date::VARCHAR, '') AS first, coalesce(valid_to_date::VARCHAR, ?) AS last,
       coalesce(successor_code, '') AS successor
FROM towns ORDER BY town_code
"""


# a code nobody described cannot be followed over mergers, and its rows stand alone
_UNKNOWN = """
SELECT t.delivery_sha256 AS sha, count(*) AS n FROM {table} t
WHERE t.{column} IS NOT NULL AND t.{column}::VARCHAR NOT IN (SELECT town_code::VARCHAR FROM towns)
GROUP BY 1 ORDER BY 1
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TownCodes:
    """Which code a place had when.

    Parameters
    ----------
    spans : mapping
        Code -> (first day, last day, successor); ISO dates, an empty successor when there is none.
    replaced : mapping
        Code made by rule -> the official code of the same town, which stands for it on every day.

    Examples
    --------
    >>> from qbase.intake import TownCodes
    >>> merged, today = ("2011-01-01", "2019-12-31", "990022104"), ("2011-01-01", "9999-12-31", "")
    >>> towns = TownCodes(spans={"990022105": merged, "990022104": today})
    >>> towns.resolve("990022105", "2018-06-01"), towns.resolve("990022105"), towns.renumbered()
    ('990022105', '990022104', {'990022105': '990022104'})
    """

    spans: Mapping[str, tuple[str, str, str]]
    replaced: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", freeze(self.spans))
        object.__setattr__(self, "replaced", freeze(self.replaced))

    def resolve(self, code: str, on: str = TODAY) -> str:
        """Return the code that the place of ``code`` had on a day.

        Successors are followed forward only: before a merger one code stood for one part of what is one town now,
        and a later code does not say which.

        Parameters
        ----------
        code : str
            As printed.
        on : str
            ISO date; by default the code of today.

        Returns
        -------
        str
            Empty when no town ever had this code.
        """
        code = self.replaced.get(code, code)
        seen: set[str] = set()
        while code in self.spans and code not in seen:
            seen.add(code)
            _, last, successor = self.spans[code]
            if on <= last or not successor:
                return code
            code = successor
        return "" if code not in self.spans else code

    def renumbered(self) -> dict[str, str]:
        """Return the present code of every code that has another one now."""
        now = {code: self.resolve(code) for code in dict.fromkeys(itertools.chain(self.spans, self.replaced))}
        return {code: new for code, new in now.items() if new and new != code}


def read_towns(workspace: Workspace, snapshot: Snapshot | None = None) -> TownCodes:
    """Read the codes of a lake; none while no towns were loaded.

    Examples
    --------
    >>> from qbase.intake import read_towns
    >>> from qbase.lake import open_workspace
    >>> read_towns(open_workspace()).renumbered()
    {'990022105': '990022104'}
    """
    at = workspace.snapshot(snapshot)
    if not workspace.has_table("towns", at):
        return TownCodes(spans={})
    rows = workspace.arrow(_SQL, params=(TODAY,), snapshot=at).to_pylist()
    replaced = read_replaced(workspace, at)
    # an official code of the divisions may be in no row of the towns
    spans = dict.fromkeys(replaced.values(), ("", TODAY, ""))
    spans |= {row["town_code"]: (row["first"], row["last"], row["successor"]) for row in rows}
    return TownCodes(spans=spans, replaced=replaced)


def resolve_town(workspace: Workspace, code: str, on: str | datetime.date | None = None) -> str:
    """Return the code that the place of a division code had on a day.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the towns.
    code : str
        As printed.
    on : str, datetime.date or None
        ISO date; None is today.

    Returns
    -------
    str
        Empty when no town ever had this code.

    Raises
    ------
    UsageError
        The day is none (QB342).

    Examples
    --------
    >>> from qbase.intake import resolve_town
    >>> from qbase.lake import open_workspace
    >>> resolve_town(open_workspace(), "990022105", "2018-06-01"), resolve_town(open_workspace(), "990022105")
    ('990022105', '990022104')
    """
    day = TODAY if on is None else str(on)
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        raise UsageError("QB342", day=day, found=repr(on), expected="2019-12-31", fix='on="2019-12-31"') from None
    return read_towns(workspace).resolve(code, day)


def find_unknown_towns(workspace: Workspace, tables: Collection[str]) -> dict[str, list[str]]:
    """Count the rows whose division code is in no row of the towns; nothing while no towns were loaded.

    Parameters
    ----------
    workspace : Workspace
        Where the rows lie.
    tables : collection of str
        Tables to look at.

    Returns
    -------
    dict of str to list of str
        sha256 of a delivery -> ``town_code:unknown_town N``, or ``successor_code:…`` for the towns themselves.
    """
    at = workspace.snapshot()
    found: dict[str, list[str]] = {}
    if "towns" not in at.versions:
        return found
    for table in sorted(set(tables) & set(at.versions) & set(list_contracts())):
        column = "successor_code" if table == "towns" else "town_code"
        if column not in read_contract(table).column_names:
            continue
        sql = _UNKNOWN.format(table=table, column=column)
        for row in workspace.arrow(sql, snapshot=at).to_pylist():
            found.setdefault(row["sha"], []).append(f"{column}:unknown_town {row['n']}")
    return found
