"""A later official code replaces one made by rule: a diary of pairs, by rule where only one town can be meant.

``town_links`` only grows. Of each pair of a made and an official code the latest row holds: ``accept`` makes them one
town from then on, ``undone`` two. A rule accepts where exactly one official code has the same name in the same stated
county, and takes that back when it is no longer the only one; whatever a person said of a made code, no rule touches.
Stored rows keep their codes; who reads them follows the diary (`read_towns`).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.intake.linking.firm_links import link_firms
from qbase.intake.linking.link_decisions import Decided, Decision
from qbase.intake.linking.link_diary import BY_RULE, UNDONE, hold_diary, write_derived
from qbase.intake.linking.place_names import NO_COUNTY, Place, Places, is_same_town, match_official, read_places
from qbase.intake.linking.town_codes import TownCodes, read_towns
from qbase.intake.recipes.question_ids import Question, question_id
from qbase.lake.entity_names import TOWN_LINKS

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

ACCEPT, OPEN = "accept", "open"
DESCRIBED = frozenset({"towns", "divisions"})
"""Tables that say which towns there are."""
SHOWN = 5

_SCHEMA = pa.schema(
    {
        "decision_no": pa.int64(),
        "decided_at": pa.string(),
        "decision": pa.string(),
        "decided_by": pa.string(),
        "made_code": pa.string(),
        "official_code": pa.string(),
        "town_name": pa.string(),
        "county_name": pa.string(),
    }
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TownLink:
    """A code made by rule and an official one that may be the same town.

    Parameters
    ----------
    made_code, official_code : str
        The two codes.
    town_name, county_name : str
        Of the official one; ``未注明`` where nobody said in which county it lies.
    decision : {"accept", "undone", "open"}
        One town, two towns, or a question nobody answered yet.
    decided_by, decided_at : str
        ``qbase`` for a rule; ISO time. Empty for a question.
    made_name, made_county : str
        Name and county of the town whose code was made by rule.

    Examples
    --------
    >>> from qbase.intake import TownLink
    >>> link = TownLink(made_code="970000474355", official_code="330498101", town_name="棹湾镇", county_name="澜溪县")
    >>> link.id, link.decision
    ('town_links:970000474355:330498101', 'open')
    """

    made_code: str
    official_code: str
    town_name: str
    county_name: str
    decision: str = OPEN
    decided_by: str = ""
    decided_at: str = ""
    made_name: str = ""
    made_county: str = NO_COUNTY

    @property
    def question(self) -> Question:
        """What a person is asked about the pair."""
        made, official = f"{self.made_code} {self.made_name}", f"{self.official_code} {self.town_name}"
        where, made_where = (
            "county not stated" if name == NO_COUNTY else name for name in (self.county_name, self.made_county)
        )
        text = Text(
            f"{made}（{self.made_county}）就是 {official}（{self.county_name}）",
            f"{made} ({made_where}) is {official} ({where})",
        )
        return Question(key=f"{TOWN_LINKS}:{self.made_code}={self.official_code}", text=text)

    @property
    def id(self) -> str:
        """What ``--accept`` and ``--reject`` take; the same in every run."""
        return self.question.id

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"id": self.id, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Diary:
    """What the diary says, and which official codes each made one may stand for."""

    last: Mapping[tuple[str, str], Mapping[str, Any]]
    """Pair -> its latest row."""
    asked_people: frozenset[str]
    """Made codes a person said something about."""
    made: Sequence[Place]
    candidates: Mapping[str, Mapping[str, Place]]
    """Made code -> official code -> its place."""
    towns: TownCodes
    last_no: int

    def standing(self, made_code: str) -> str:
        """Return the official code that stands for a made one; empty when none does."""
        rows = [row for (made, _), row in self.last.items() if made == made_code and row["decision"] == ACCEPT]
        return str(max(rows, key=lambda row: row["decision_no"])["official_code"]) if rows else ""

    def due(self) -> list[dict[str, Any]]:
        """Return the rows a rule has to add."""
        rows = []
        for place in self.made:
            if place.code in self.asked_people:
                continue
            found, have = self.candidates[place.code], self.standing(place.code)
            only = next(iter(found.values())) if len(found) == 1 else None
            want = only.code if only is not None and is_same_town(place, only) else ""
            if have and want and self.today(have) == self.today(want):
                continue
            if have:
                rows.append({**self.last[place.code, have], "decision": UNDONE})
            if want and only is not None:
                rows.append(_row(place.code, only, ACCEPT))
        return [{**row, "decided_by": BY_RULE} for row in rows]

    def pairs(self) -> list[TownLink]:
        """Return the pairs that may be one town, as if nobody had decided."""
        return [
            _link(place, _row(place.code, official, OPEN))
            for place in self.made
            for official in self.candidates[place.code].values()
        ]

    def open(self) -> list[TownLink]:
        """Return the questions: pairs that nobody decided, of codes that are not replaced."""
        is_left = [place.code for place in self.made if not self.standing(place.code)]
        by_people = {pair for pair, row in self.last.items() if row["decided_by"] != BY_RULE}
        left = [link for link in self.pairs() if link.made_code in is_left]
        return [link for link in left if (link.made_code, link.official_code) not in by_people]

    def decided(self) -> list[TownLink]:
        """Return the pairs that were decided; what a rule took back is a question again, or nothing."""
        by_code = {place.code: place for place in self.made}
        rows = [row for row in self.last.values() if row["decision"] == ACCEPT or row["decided_by"] != BY_RULE]
        return [_link(by_code.get(row["made_code"]), row) for row in rows]

    def today(self, code: str) -> str:
        """Return the present code of an official one."""
        return self.towns.resolve(code) or code


def _row(made_code: str, official: Place, decision: str) -> dict[str, Any]:
    return {
        "decision": decision,
        "made_code": made_code,
        "official_code": official.code,
        "town_name": official.name,
        "county_name": official.county,
    }


def _link(made: Place | None, row: Mapping[str, Any]) -> TownLink:
    facts = {field.name: row[field.name] for field in dataclasses.fields(TownLink) if field.name in row}
    return TownLink(**facts, **({"made_name": made.name, "made_county": made.county} if made else {}))


def _read(workspace: Workspace, at: Snapshot) -> _Diary:
    rows = []
    if TOWN_LINKS in at.versions:
        rows = workspace.arrow(f"SELECT * FROM {TOWN_LINKS} ORDER BY decision_no", snapshot=at).to_pylist()  # noqa: S608
    places = read_places(workspace, at).all if not DESCRIBED.isdisjoint(at.versions) else ()
    made = sorted((place for place in places if place.is_made), key=lambda place: place.code)
    towns = read_towns(workspace, at)
    official = Places(place for place in places if not place.is_made) if made else Places([])
    return _Diary(
        last={(row["made_code"], row["official_code"]): row for row in rows},
        asked_people=frozenset(row["made_code"] for row in rows if row["decided_by"] != BY_RULE),
        made=made,
        candidates={place.code: match_official(place, official, towns) for place in made},
        towns=towns,
        last_no=rows[-1]["decision_no"] if rows else 0,
    )


def link_towns(workspace: Workspace) -> list[TownLink]:
    """Let official codes replace those made by rule where only one town can be meant, and return what is left to ask.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows towns and divisions.

    Returns
    -------
    list of TownLink
        Questions, in order of the codes.

    Raises
    ------
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> from qbase.intake import link_towns
    >>> from qbase.lake import open_workspace
    >>> link_towns(open_workspace())
    []
    """
    found = _read(workspace, workspace.snapshot())
    if not found.due():
        return found.open()
    with hold_diary(workspace) as at:
        found = _read(workspace, at)
        at = _write(workspace, found.due(), found.last_no)
    return _read(workspace, at).open()


def _write(workspace: Workspace, rows: Sequence[Mapping[str, Any]], last_no: int) -> Snapshot:
    """Append rows to the diary, numbered; the caller holds it."""
    if not rows:
        return workspace.snapshot()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    numbered = [{**row, "decision_no": last_no + i, "decided_at": now} for i, row in enumerate(rows, start=1)]
    return write_derived(workspace, TOWN_LINKS, {TOWN_LINKS: pa.Table.from_pylist(numbered, schema=_SCHEMA)})


def list_town_links(workspace: Workspace, *, snapshot: str | None = None) -> list[TownLink]:
    """List which codes made by rule were replaced by official ones, which were kept apart, and what is to be decided.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies; it is only read.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    list of TownLink
        In order of the codes.

    Raises
    ------
    UsageError
        No such snapshot (QB209).

    Examples
    --------
    >>> from qbase.intake import list_town_links
    >>> from qbase.lake import open_workspace
    >>> list_town_links(open_workspace())
    []
    """
    found = _read(workspace, workspace.snapshot(snapshot))
    return sorted([*found.decided(), *found.open()], key=lambda link: (link.made_code, link.official_code))


def decide_town_links(
    workspace: Workspace, words: Iterable[str], decision: Decision, *, decided_by: str = "user"
) -> Decided:
    """Record what a person decides on pairs of codes; it holds from the next snapshot on.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    words : iterable of str
        Ids of `list_town_links`, or the answers they stand for.
    decision : {"accept", "reject"}
        One town or two.
    decided_by : str
        Who decides.

    Returns
    -------
    Decided
        ``samples`` counts the pairs; those of which the diary says so already are left out.

    Raises
    ------
    UsageError
        There is no such pair (QB395); another official code stands for the made one (QB396).
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> from qbase.intake import decide_town_links
    >>> from qbase.lake import open_workspace
    >>> decide_town_links(open_workspace(), ["town_links:970000474355:330498101"], "accept")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB395] no question about towns has the id "town_links:970000474355:330498101"
      found     town_links:970000474355:330498101
      expected  -
      to fix    qbase places
    """
    given = [question_id(word) if "=" in word else word for word in words]
    if not given:
        return Decided(samples=0, snapshot=workspace.snapshot().id)
    with hold_diary(workspace) as at:
        found = _read(workspace, at)
        known = {link.id: link for link in (*found.pairs(), *found.decided())}
        rows: dict[str, dict[str, Any]] = {}
        for word in given:
            if word not in known:
                near = " | ".join(list(known)[:SHOWN]) or "-"
                raise UsageError("QB395", answer=word, found=word, expected=near, fix="qbase places")
            row = _decide(found, known[word], decision, {r["made_code"]: r["official_code"] for r in rows.values()})
            if row is not None:
                rows[word] = {**row, "decided_by": decided_by}
        at = _write(workspace, list(rows.values()), found.last_no)
    return _settle(workspace, len(rows), at)


def _decide(diary: _Diary, link: TownLink, decision: Decision, now: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the row a decision adds; None where a person said so already."""
    said = ACCEPT if decision == "accept" else UNDONE
    other = now.get(link.made_code) or diary.standing(link.made_code)
    if said == ACCEPT and other not in ("", link.official_code):
        made, wanted = link.made_code, f"{link.made_code} = {link.official_code}"
        fix = f"qbase places --undo {made}"
        raise UsageError("QB396", made=made, found=f"{made} = {other}", expected=wanted, fix=fix)
    if link.decision == said and link.decided_by != BY_RULE:
        return None
    return {**dataclasses.asdict(link), "decision": said}


def undo_town_links(workspace: Workspace, code: str, *, decided_by: str = "user") -> Decided:
    """Take the links of a code back, as new rows of the diary: made and official code are two towns again.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    code : str
        The code made by rule, or the official one for all that it replaced.
    decided_by : str
        Who takes it back.

    Returns
    -------
    Decided
        ``samples`` counts the pairs.

    Raises
    ------
    UsageError
        No link of this code stands (QB397).
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> from qbase.intake import undo_town_links
    >>> from qbase.lake import open_workspace
    >>> undo_town_links(open_workspace(), "970000474355")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB397] no link of the town code 970000474355 stands
      found     970000474355
      expected  -
      to fix    qbase places
    """
    with hold_diary(workspace) as at:
        found = _read(workspace, at)
        standing = [link for link in found.decided() if found.standing(link.made_code) == link.official_code]
        taken = [link for link in standing if code in (link.made_code, link.official_code)]
        if not taken:
            named = " | ".join(f"{link.made_code} = {link.official_code}" for link in standing[:SHOWN])
            raise UsageError("QB397", town=code, found=code, expected=named or "-", fix="qbase places")
        rows = [{**dataclasses.asdict(link), "decision": UNDONE, "decided_by": decided_by} for link in taken]
        at = _write(workspace, rows, found.last_no)
    return _settle(workspace, len(rows), at)


def _settle(workspace: Workspace, count: int, at: Snapshot) -> Decided:
    """Look again at the firms whose towns changed, and return what was decided."""
    return Decided(samples=count, snapshot=link_firms(workspace).snapshot if count else at.id)
