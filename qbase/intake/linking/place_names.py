"""Names of towns as people print them, and the codes they have: in a cell of their own, or somewhere in an address."""

from __future__ import annotations

import collections
import dataclasses
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from qbase.intake.linking.link_diary import BY_RULE
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.code_dress import CHINESE_DIVISION
from qbase.lake.entity_names import OWN_PREFIX, TOWN_LINKS, read_replaced

if TYPE_CHECKING:
    from qbase.intake.linking.town_codes import TownCodes
    from qbase.lake import Snapshot, Workspace

NO_COUNTY = "未注明"

_ENDING = re.compile(r"(?:街道办事处|街道办|办事处|街道|民族乡|镇|乡|苏木)$")
_ABOVE = re.compile(r"^(?:.{1,8}?(?:省|自治区))?(?:.{1,8}?(?:市|自治州|盟|地区))?(?:.{1,8}?(?:县|市|区|旗))?")
_COUNTY = re.compile(r"(?:[\u4e00-\u9fff]{2,8}?(?:省|自治区))?([\u4e00-\u9fff]{1,7}?(?:县|市|旗|区))")
_DIGITS = re.compile(r"[\dA-Za-z〇〔〕()（）\[\]【】—\-－~～_.·\s]+(?:年度|年)?")
_IN_ADDRESS = re.compile(
    r"(?P<county>[\u4e00-\u9fff]{1,6}?(?:县|市|区|旗))(?P<town>[\u4e00-\u9fff]{1,6}?(?:街道|民族乡|镇|乡|苏木))"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A town that is known.

    Parameters
    ----------
    code, name, county : str
        Division code, name, and the county it lies in; ``未注明`` where nobody said so.
    is_town : bool
        Whether the table of towns has it, or only the divisions that were imported.
    official : str
        The official code that replaced this one, which was made by rule; empty where none did.
    is_apart : bool
        Whether a person said that it is another town than an official one of its name.

    Examples
    --------
    >>> from qbase.intake import Place
    >>> Place(code="990023101", name="望埭镇", county="桐屿县").name
    '望埭镇'
    """

    code: str
    name: str
    county: str = NO_COUNTY
    is_town: bool = True
    official: str = ""
    is_apart: bool = False

    @property
    def is_made(self) -> bool:
        """Whether its code was made by rule."""
        return self.code.startswith(OWN_PREFIX)

    @property
    def today(self) -> str:
        """The code it goes by."""
        return self.official or self.code


class Places:
    """The towns that are known, today's and those of old, to be looked up by name.

    Parameters
    ----------
    places : iterable of Place
        Where one name has several official codes, the last one given is that of today; codes made by rule give way.

    Examples
    --------
    >>> from qbase.intake import Place, Places
    >>> places = Places([Place(code="990023101", name="望埭镇"), Place(code="990023102", name="枫浦街道")])
    >>> places.find("桐屿县枫浦街道"), places.find("望埭"), places.find_in("桐屿县望埭镇兴业路 8 号")
    ('990023102', '990023101', '990023101')
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self.all = tuple(places)
        self.counties = sorted({p.county for p in self.all} - {NO_COUNTY})
        self._by_name: dict[str, list[Place]] = collections.defaultdict(list)
        self._by_stem: dict[str, list[Place]] = collections.defaultdict(list)
        for place in self.all:
            self._by_name[squeeze(place.name)].append(place)
            self._by_stem[_ENDING.sub("", squeeze(place.name))].append(place)
        self._longest = sorted(self._by_name, key=lambda name: (-len(name), name))

    def find(self, printed: str, county: str = "") -> str:
        """Return the code of a town as printed; empty where no town, or more than one, is meant.

        Parameters
        ----------
        printed : str
            Name, with or without the places above it, or the code itself.
        county : str
            The county the file speaks of, which decides between towns of one name; empty when unknown.

        Returns
        -------
        str
        """
        text = squeeze(printed)
        if CHINESE_DIVISION.fullmatch(text):
            return text
        bare = _ABOVE.sub("", text)
        if found := self._called(text, bare, county):
            return _single(found)
        return _single(self._shortened(text, bare, county)) or (self.find_in(text, county) if bare != text else "")

    def match(self, printed: str, county: str = "") -> list[Place]:
        """Return all towns that a name as printed may mean, by whole name or else by one without its ending."""
        text = squeeze(printed)
        bare = _ABOVE.sub("", text)
        return self._called(text, bare, county) or self._shortened(text, bare, county)

    def _called(self, text: str, bare: str, county: str) -> list[Place]:
        for name in (text, bare):
            if found := _agreeing(self._by_name.get(name, ()), county):
                return found
        return []

    def _shortened(self, text: str, bare: str, county: str) -> list[Place]:
        stems = [_ENDING.sub("", name) for name in (text, bare)]
        found = [p for stem in stems if stem and stem in (text, bare) for p in self._by_stem.get(stem, ())]
        return _agreeing(found, county)

    def find_in(self, address: str, county: str = "") -> str:
        """Return the code of the town whose name stands in an address; the longest name goes first."""
        text = squeeze(address)
        for name in self._longest:
            if name in text:
                inside = [p for p in self._by_name[name] if p.county in text]
                return _single(inside or _agreeing(self._by_name[name], county))
        return ""


def squeeze(name: str) -> str:
    """Return a name without blanks and in narrow letters."""
    return "".join(narrow(name).split())


def _agreeing(places: Collection[Place], county: str) -> list[Place]:
    """Return the places that may lie in a county; a place whose county nobody knows may lie anywhere."""
    return [p for p in places if not county or p.county in (county, NO_COUNTY)]


def _single(places: Collection[Place]) -> str:
    """Return the code of the one place meant; of one town renumbered within its county, the code of today.

    A code made by rule gives way to the official one that replaced it. Where nobody stated its county it gives way to
    any official one as well, as if that had been known first, unless a person keeps both apart.
    """
    codes, official = {p.code for p in places}, [p for p in places if not p.is_made]
    left = [p for p in places if p.official not in codes and not (official and p.is_made and _is_vague(p))]
    if len({(p.county, p.name) for p in left}) != 1 and len({p.today for p in left}) != 1:
        return ""
    return ([p for p in left if not p.is_made] or left)[-1].today


def _is_vague(place: Place) -> bool:
    return place.county == NO_COUNTY and not place.official and not place.is_apart


def read_places(workspace: Workspace, snapshot: Snapshot | None = None) -> Places:
    """Read the towns of a lake, and the divisions that were imported; codes that are valid still come last.

    Examples
    --------
    >>> from qbase.intake import read_places
    >>> from qbase.lake import open_workspace
    >>> places = read_places(open_workspace())
    >>> places.find("望埭镇"), places.find_in("桐屿县望埭镇工业园区 8 号"), places.find("无此镇")
    ('990023101', '990023101', '')
    """
    at = workspace.snapshot(snapshot)
    found: list[Place] = []
    if workspace.has_table("divisions", at):
        sql = """
        SELECT d.division_code AS code, d.division_name AS name, coalesce(p.division_name, ?) AS county
        FROM divisions d
        LEFT JOIN divisions p ON p.division_code = coalesce(d.parent_code, substr(d.division_code, 1, 6))
                              AND p.division_code <> d.division_code
        WHERE d.level = 'town'
           OR (d.level = 'unknown' AND length(rtrim(d.division_code, '0')) > 6 AND length(d.division_code) >= 9
               AND regexp_matches(d.division_name, '(镇|乡|街道|苏木)$'))
        ORDER BY d.valid_to_date NULLS LAST, d.division_code
        """
        rows = workspace.arrow(sql, params=(NO_COUNTY,), snapshot=at).to_pylist()
        found += [Place(**row, is_town=False) for row in rows]
    if workspace.has_table("towns", at):
        sql = """
        SELECT town_code AS code, town_name AS name, coalesce(county_name, ?) AS county FROM towns
        WHERE town_name IS NOT NULL
        ORDER BY valid_to_date NULLS LAST, town_code
        """
        rows = workspace.arrow(sql, params=(NO_COUNTY,), snapshot=at).to_pylist()
        replaced, apart = read_replaced(workspace, at), _read_apart(workspace, at)
        found += [Place(**row, official=replaced.get(row["code"], ""), is_apart=row["code"] in apart) for row in rows]
    return Places(found)


def _read_apart(workspace: Workspace, at: Snapshot) -> set[str]:
    """Return the codes made by rule of which a person said that some official code is another town."""
    if not workspace.has_table(TOWN_LINKS, at):
        return set()
    sql = f"SELECT DISTINCT made_code FROM {TOWN_LINKS} WHERE decision = 'undone' AND decided_by <> ?"  # noqa: S608
    return set(workspace.arrow(sql, params=(BY_RULE,), snapshot=at)["made_code"].to_pylist())


def is_same_town(one: Place, other: Place) -> bool:
    """Whether both bear one whole name in one county that is stated."""
    return squeeze(one.name) == squeeze(other.name) and one.county == other.county != NO_COUNTY


def match_official(made: Place, official: Places, towns: TownCodes) -> dict[str, Place]:
    """Return the towns of official codes that one with a made code may be: code -> place, one for each town of today.

    Parameters
    ----------
    made : Place
        Its code was made by rule.
    official : Places
        Towns that have official codes.
    towns : TownCodes
        Which of them are one town today.

    Returns
    -------
    dict of str to Place
    """
    found: dict[str, list[Place]] = collections.defaultdict(list)
    for place in official.match(made.name, "" if made.county == NO_COUNTY else made.county):
        found[towns.resolve(place.code) or place.code].append(place)
    # one code may be described twice; what states the county says more, and the code of today outlives the others
    best = []
    for today, places in found.items():
        ranked = [(is_same_town(made, place), place.code == today, place.is_town, place.code) for place in places]
        best.append(places[ranked.index(max(ranked))])
    return {place.code: place for place in sorted(best, key=lambda place: place.code)}


def find_county(texts: Iterable[str], known: Collection[str] = ()) -> str:
    """Return the county that titles speak of: one that is known, else what is written like one; empty when none is."""
    given = [squeeze(text) for text in texts]
    for name in sorted(known, key=len, reverse=True):
        if any(name in text for text in given):
            return name
    for text in given:
        for piece in _DIGITS.split(text):
            match = _COUNTY.match(piece)
            if match and match[1] not in ("县", "市", "区", "全县", "全市", "全区", "各县", "各市"):
                return match[1]
    return ""


def split_address(address: str) -> tuple[str, str]:
    """Return county and town written in an address; empty where it names none."""
    match = _IN_ADDRESS.search(squeeze(address))
    return (match["county"], match["town"]) if match else ("", "")


def name_towns(names: Iterable[str], county: str, places: Places) -> list[Place]:
    """Return new towns with codes made by rule: of the name alone, so that it does not matter which file comes first.

    Parameters
    ----------
    names : iterable of str
        Of towns nobody knows a code of.
    county : str
        Where they lie; empty when unknown.
    places : Places
        Codes that are taken; a town of the same name and county that has a code made by rule keeps it.

    Returns
    -------
    list of Place
    """
    taken: Mapping[str, str] = {place.code: place.name for place in places.all}
    known = {(squeeze(p.name), p.county): p for p in places.all if p.is_made}
    made: dict[str, Place] = {}
    for name in sorted(set(names)):
        if before := known.get((squeeze(name), county or NO_COUNTY)):
            made[before.code] = before
            continue
        number = zlib.crc32(name.encode()) % 10**6
        while (code := f"{OWN_PREFIX}{number:06d}") in taken or code in made:
            number = (number + 1) % 10**6
        made[code] = Place(code=code, name=name, county=county or NO_COUNTY)
    return list(made.values())
