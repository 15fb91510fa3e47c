"""A town or a county, found by code or name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_entity_id
from qbase.core.nearest_name import suggest_names
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, same
from qbase.indicators.cells.inspection_window import require_table
from qbase.intake import read_towns
from qbase.lake.entity_names import read_names

if TYPE_CHECKING:
    from qbase.lake import Workspace

Kind = Literal["town_code", "county"]
KINDS: dict[str, Text] = {"town_code": Text("乡镇", "town"), "county": Text("县", "county")}
COUNTY_DIGITS = 6
"""Of a division code: province, prefecture, county."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A town, or a county with its towns.

    Parameters
    ----------
    code : str
        Division code of the town, or its first six digits for a county.
    kind : {"town_code", "county"}
        What it is.
    name : Text
        Its name.
    towns : tuple of str
        Codes of its towns as of today.
    beside : tuple of str
        Codes of all towns of its county.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import find_place
    >>> place = find_place(open_workspace(), "清沅", kind="county")
    >>> place.code, place.name.en, len(place.towns)
    ('990021', 'Qingyuan County', 5)
    """

    code: str
    kind: Kind
    name: Text
    towns: tuple[str, ...]
    beside: tuple[str, ...]


def find_place(workspace: Workspace, word: str, *, kind: Kind = "town_code", snapshot: str | None = None) -> Place:
    """Find the one town or county that a word means: its code, its name in either language, or a part of one name only.

    Parameters
    ----------
    workspace : Workspace
        Its table ``towns``.
    word : str
        Code, name or part of a name.
    kind : {"town_code", "county"}
        What is looked for.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    Place

    Raises
    ------
    UsageError
        Another kind (QB144); no place, or several, that the word can mean (QB857).
    DataError
        There is no list of towns (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import find_place
    >>> find_place(open_workspace(), "青棹镇").code, find_place(open_workspace(), "Qingzhao").code
    ('990021101', '990021101')
    """
    check_word("kind", kind, KINDS)
    at = workspace.snapshot(snapshot)
    require_table(workspace, "towns", at)
    now, named = read_towns(workspace, at).renumbered(), read_names(workspace, "town_code", at)
    rows = workspace.query("SELECT town_code, county_name FROM towns ORDER BY 1", snapshot=at)
    counties: dict[str, Text] = {}
    towns: dict[str, Text] = {}
    # a merged town lies where its successor lies
    for code, county in zip(rows["town_code"].astype(str), rows["county_name"].astype(object), strict=True):
        today = now.get(code, code)
        towns[today] = named.get(today, same(today))
        if isinstance(county, str) and county and today == code:
            counties.setdefault(code[:COUNTY_DIGITS], name_text(county))
    known = towns if kind == "town_code" else counties
    code = _match(str(word), known, kind, former=now)
    inside = tuple(sorted(t for t in towns if t[:COUNTY_DIGITS] == code[:COUNTY_DIGITS]))
    return Place(
        code=code, kind=kind, name=known[code], towns=(code,) if kind == "town_code" else inside, beside=inside
    )


def _match(word: str, known: dict[str, Text], kind: str, *, former: dict[str, str]) -> str:
    given = read_entity_id(word) or word.strip()
    given = former.get(given, given)
    if given in known:
        return given
    folded = given.casefold()
    whole = [c for c, name in known.items() if folded in {name.zh.casefold(), name.en.casefold()}]
    parts = [
        c for c, name in known.items() if folded and (folded in name.zh.casefold() or folded in name.en.casefold())
    ]
    found = whole or parts
    if len(found) == 1:
        return found[0]
    label = KINDS[kind]
    names = [f"{code} {name.zh}" for code, name in known.items()]
    several = " | ".join(f"{c} {known[c].zh}" for c in found[:8])
    raise UsageError(
        "QB857", kind_zh=label.zh, kind_en=label.en, word=word, found=several or repr(word),
        expected="a code, a name, or a part that one name alone has", fix=several or suggest_names(word, names),
    )  # fmt: skip
