"""Whom a report is about: a code or a name, looked up in the tables of the workspace before anything starts."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError, UsageError
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, same
from qbase.lake.entity_names import NAMED, OWN_PREFIX, names_sql, read_names, read_replaced

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace
    from qbase.reports.asking.letter_parameters import Parameter

SUBJECT = "subject"
ENTITY = "entity"
TOWN = "town_code"
FIRM = "firm_id"
SHOWN = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """One entity with its names.

    Parameters
    ----------
    code : str
        As the tables know it; the record of a run keeps it.
    name : Text
        The code itself where no table names it.
    former : tuple of str
        Codes made by rule that the code, an official one, replaced.
    """

    code: str
    name: Text
    former: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Its code, and those it had."""
        return (self.code, *self.former)

    @property
    def said(self) -> Text:
        """Name and code: 棹湾镇化纤产业集群 (K003); a code made by rule tells a reader nothing."""
        if self.name == same(self.code) or OWN_PREFIX in self.code:
            return self.name
        return Text(f"{self.name.zh} ({self.code})", f"{self.name.en} ({self.code})")

    @property
    def short(self) -> str:
        """Code and name as a list of choices shows them: K003 棹湾镇化纤产业集群."""
        return self.code if self.name == same(self.code) else f"{self.code} {self.name.zh}"


def list_subjects(workspace: Workspace, entity: str, *, code: str | None = None) -> list[Subject]:
    """Return the entities that the tables name, sorted by code; only those of a code when one is given."""
    named = NAMED.get(entity)
    at = workspace.snapshot()
    if named is None or not workspace.has_table(named.table, at):
        return []
    if entity == FIRM or code is not None:
        # of firms there are a hundred thousand, and a batch is about other things; for one code nobody else is named
        return _ask_names(workspace, entity, at, code)
    known = _known(workspace, entity, (at.id, at.created_at, at.delivery))
    return [subject for official, own in known.items() for subject in own if subject.code == official]


@functools.lru_cache(maxsize=8)
def _known(workspace: Workspace, entity: str, made: tuple[str, str, str]) -> dict[str, list[Subject]]:
    """Return all entities under their codes of today and before; asked once per snapshot, however large a batch is."""
    known: dict[str, list[Subject]] = {}
    for subject in _ask_names(workspace, entity, workspace.snapshot(made[0]), None):
        for code in subject.codes:
            known.setdefault(code, []).append(subject)
    return known


def find_cluster_towns(workspace: Workspace) -> dict[str, tuple[str, Text]]:
    """Return code and name of the town of every industrial cluster, as the newest tables know them.

    Parameters
    ----------
    workspace : Workspace
        Where they lie; none without a table of clusters, or where it cannot be read: a gallery has to come out when a
        run failed for that very reason.
    """
    try:
        at = workspace.snapshot()
        return _towns(workspace, (at.id, at.created_at, at.delivery)) if workspace.has_table("clusters", at) else {}
    except QbaseError:
        return {}


@functools.lru_cache(maxsize=8)
def _towns(workspace: Workspace, made: tuple[str, str, str]) -> dict[str, tuple[str, Text]]:
    at = workspace.snapshot(made[0])
    # one that is said to lie in two towns is found under neither
    sql = "SELECT cluster_id, min(town_code) AS town FROM clusters GROUP BY ALL HAVING count(DISTINCT town_code) = 1"
    names, now = read_names(workspace, TOWN, at), read_replaced(workspace, at)
    codes = {str(r["cluster_id"]): now.get(r["town"], r["town"]) for r in workspace.arrow(sql, snapshot=at).to_pylist()}
    return {cluster: (town, names.get(town, same(town))) for cluster, town in codes.items()}


def _ask_names(workspace: Workspace, entity: str, at: Snapshot, code: str | None) -> list[Subject]:
    replaced = read_replaced(workspace, at) if entity == TOWN else {}
    where, params = ("", ()) if code is None else ("WHERE code = ?", (replaced.get(code, code),))
    sql = f"SELECT code, zh, en FROM {names_sql(workspace, entity, at)} {where} ORDER BY ALL"  # noqa: S608
    found = workspace.arrow(sql, params=params, snapshot=at).to_pylist()
    former: dict[str, tuple[str, ...]] = {}
    for made, official in replaced.items():
        former[official] = (*former.get(official, ()), made)
    rows = [(str(row["code"]), row["zh"] or str(row["code"]), row["en"]) for row in found if row["code"] is not None]
    return [Subject(code=c, name=name_text(str(zh), en), former=former.get(c, ())) for c, zh, en in rows]


def entity_of(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> str | None:
    """Return what kind of entity the subject of a letter is; None when it asks for no subject.

    Parameters
    ----------
    parameters : sequence of Parameter
        Of the letter.
    values : mapping
        What is given, by name.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    subject = declared.get(SUBJECT)
    if subject is None or subject.base != "str" or subject.many:
        return None
    entity = declared.get(ENTITY)
    chosen = values.get(ENTITY, "cluster_id" if entity is None else entity.default)
    return chosen if chosen in NAMED else None


def find_subject(workspace: Workspace, entity: str, word: str, *, report_id: str) -> Subject:
    """Find the one entity that a word means: its code, its name in either language, or a part that no other has.

    Parameters
    ----------
    workspace : Workspace
        Whose tables know the names.
    entity : str
        Kind of entity, a key of ``NAMED``.
    word : str
        Code, name or part of a name.
    report_id : str
        For the messages.

    Returns
    -------
    Subject
        The word itself where no table names such entities.

    Raises
    ------
    UsageError
        Nothing has this code or name (QB830), or several have (QB831).
    """
    return KnownSubjects(workspace).find(entity, word, report_id=report_id)


class KnownSubjects:
    """The subjects of a workspace, each kind read when first asked for.

    The first one is looked up by its code alone, which spares a run of one report reading and naming them all.

    Parameters
    ----------
    workspace : Workspace
        Whose tables know the names.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._all: dict[str, list[Subject]] = {}
        self._coded: dict[str, dict[str, list[Subject]]] = {}
        self._asked: dict[tuple[str, str], list[Subject]] = {}

    def match(self, entity: str, word: str) -> list[Subject]:
        """Return the entities that a word means, as `match_subjects` does."""
        if (entity, word) not in self._asked:
            found = self._with_code(entity, word) or self._everyone(entity)
            self._asked[entity, word] = match_subjects(found, word)
        return self._asked[entity, word]

    def find(self, entity: str, word: str, *, report_id: str) -> Subject:
        """Find the one entity that a word means, as `find_subject` does.

        Raises
        ------
        UsageError
            Nothing has this code or name (QB830), or several have (QB831).
        """
        named = self.match(entity, word)
        if len(named) == 1:
            return named[0]
        known = self._everyone(entity)
        if not known or (not named and _is_held(self.workspace, entity, word)):
            return Subject(code=word, name=same(word))
        raise _no_subject(named, known, word, report_id)

    def _with_code(self, entity: str, word: str) -> list[Subject]:
        if not self._asked and entity not in self._all:
            return list_subjects(self.workspace, entity, code=word)
        self._everyone(entity)
        return self._coded[entity].get(word, [])

    def _everyone(self, entity: str) -> list[Subject]:
        if entity not in self._all:
            self._all[entity] = list_subjects(self.workspace, entity)
            coded: dict[str, list[Subject]] = {}
            for subject in self._all[entity]:
                for code in subject.codes:
                    coded.setdefault(code, []).append(subject)
            self._coded[entity] = coded
        return self._all[entity]


def _no_subject(named: Sequence[Subject], known: Sequence[Subject], word: str, report_id: str) -> UsageError:
    near = named or _nearest(known, word)
    more = f" · … ({len(near)})" if len(near) > SHOWN else ""
    return UsageError(
        "QB831" if named else "QB830",
        report=report_id,
        word=word,
        found=f"{SUBJECT} = {word}",
        expected=" · ".join(subject.short for subject in near[:SHOWN]) + more,
        fix=f"qbase run {report_id} -p {SUBJECT}={near[0].code}        (all choices: qbase inspect {report_id})",
    )


def find_codes(workspace: Workspace, parameters: Sequence[Parameter], word: str) -> list[str]:
    """Return the codes of whatever a word may mean to a letter, of every kind of entity that it follows.

    Parameters
    ----------
    workspace : Workspace
        Whose tables know the names.
    parameters : sequence of Parameter
        Of the letter.
    word : str
        Code, name or part of a name; it stands for itself where nothing is named so.
    """
    entity = next((p for p in parameters if p.name == ENTITY), None)
    kinds = (entity.choices or (entity.default,)) if entity is not None else ("cluster_id",)
    found = [s for kind in kinds for s in match_subjects(list_subjects(workspace, kind), word)]
    return list(dict.fromkeys(code for s in found for code in s.codes)) or [word]


def match_subjects(known: Sequence[Subject], word: str) -> list[Subject]:
    """Return the entities that a word fits: by code, else by whole name, else by a part; one entry for a code."""
    wanted = _plain(word)
    if not wanted:
        return []
    ways: Sequence[Callable[[Subject], bool]] = (
        lambda s: word in s.codes,
        lambda s: wanted in map(_plain, s.codes),
        lambda s: wanted in (_plain(s.name.zh), _plain(s.name.en)) or wanted == _plain(s.said.zh),
        lambda s: any(wanted in _plain(text) for text in (s.name.zh, s.name.en)),
    )
    for fits in ways:
        found = {subject.code: subject for subject in known if fits(subject)}
        if found:
            return list(found.values())
    return []


def _is_held(workspace: Workspace, entity: str, code: str) -> bool:
    """Whether firms belong to such an entity although no table names it."""
    if entity == FIRM or not workspace.has_table("firms"):
        return False
    sql = f"SELECT 1 FROM firms WHERE {NAMED[entity].key} = ? LIMIT 1"  # noqa: S608
    return bool(workspace.arrow(sql, params=(code,)).num_rows)


def _nearest(known: Sequence[Subject], word: str) -> list[Subject]:
    """Return the entities, those whose code or name looks most like a word first."""
    wanted = _plain(word)

    def likeness(subject: Subject) -> float:
        texts = map(_plain, (subject.code, subject.name.zh, subject.name.en))
        return max(difflib.SequenceMatcher(None, wanted, text).ratio() for text in texts)

    return sorted({s.code: s for s in known}.values(), key=likeness, reverse=True)


def _plain(text: str) -> str:
    """Return a text without width, case, blanks and invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf")
