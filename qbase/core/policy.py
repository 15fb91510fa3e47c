"""A policy: who was treated when, by which document, with which doses, and how it will be judged."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping
from typing import Literal, get_args

import pandas as pd

from qbase.core.errors import PolicyError, UsageError
from qbase.core.given import check_word, is_wider, match_spellings, read_entity_id, read_text
from qbase.core.markup import build_policy_card
from qbase.core.periods import Freq, code, convert, read_period
from qbase.core.text import Text
from qbase.core.values import Source, freeze

DateName = Literal["drafted", "announced", "effective", "funded", "accepted"]
Kind = Literal["binary", "dose", "bundle"]
Confidence = Literal["document", "report", "assumed", "fictional"]
EventKind = Literal["standard", "policy", "break", "other"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyDate:
    """One dated step of a policy, with where the date comes from and how sure it is.

    Examples
    --------
    >>> from qbase.core import PolicyDate
    >>> PolicyDate(on="2022-08-10", source="关于开展窑炉改造补助的通知", confidence="document")
    PolicyDate(on='2022-08-10', source='关于开展窑炉改造补助的通知', confidence='document')
    """

    on: str
    source: str
    confidence: Confidence

    def __post_init__(self) -> None:
        check_word("confidence", self.confidence, get_args(Confidence))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatedEvent:
    """One dated event beside a series.

    Parameters
    ----------
    period : pandas.Period
        The first period under the new state; what is clearly a quarter or a year is read: ``"2021Q1"``, ``2021``.
    title : Text
        Its name.
    kind : {"standard", "policy", "break", "other"}
        A standard that changed moves the yardstick, never quality; ``break`` was found in a series.
    entities : tuple of str
        Whom it concerns; empty is everybody.
    source : str
        Table or document it was read from.

    Raises
    ------
    UsageError
        A period that is none (QB101), a kind that is none or a title that is no text (QB144).

    Examples
    --------
    >>> from qbase.core import DatedEvent, Text
    >>> change = DatedEvent(period="2021Q1", title=Text("标准修订", "Revised standard"), kind="standard")
    >>> change.period, change.concerns("K003")
    (Period('2021Q1', 'Q-DEC'), True)
    """

    period: pd.Period
    title: Text
    kind: EventKind = "other"
    entities: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        check_word("kind", self.kind, get_args(EventKind))
        object.__setattr__(self, "title", read_text("title", self.title))
        period = read_period(self.period)
        if period is None:
            raise UsageError(
                "QB101", text=self.period, found=repr(self.period),
                expected="a quarter, half-year or year, such as 2021Q1", fix='period="2021Q1"',
            )  # fmt: skip
        object.__setattr__(self, "period", period)

    def concerns(self, entity: str | None) -> bool:
        """Return whether an entity, or with None the sum of all, is touched by it."""
        return entity is None or not self.entities or entity in self.entities

    def at(self, freq: Freq) -> pd.Period:
        """Return its first period on an axis of another frequency."""
        return convert(self.period, freq)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spell:
    """Treatment of one entity from a period on; open while ``end`` is None.

    Parameters
    ----------
    entity : str
        Its id; a whole number is written as text.
    start, end : pandas.Period
        A quarter, half-year or year, or what is clearly one: ``"2022Q3"``, ``"2022H2"``, ``2022``.
    written : str
        How the id was written where that was in full width; filled in.

    Raises
    ------
    PolicyError
        An entity, or a period, that is none; start and end of different length (QB146).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Spell
    >>> Spell(entity="K003", start=pd.Period("2022Q3"))
    Spell(entity='K003', start=Period('2022Q3', 'Q-DEC'), end=None)
    >>> Spell(entity="K003", start="2022Q3", end="2023年第一季度").end
    Period('2023Q1', 'Q-DEC')
    """

    entity: str
    start: pd.Period
    end: pd.Period | None = None
    written: str = dataclasses.field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        entity = read_entity_id(self.entity)
        if not entity:
            raise _no_spell("entity", self.entity, "the id of an entity, as text", 'entity="K003"')
        if is_wider(self.entity, entity):
            object.__setattr__(self, "written", self.entity)
        object.__setattr__(self, "entity", entity)
        for side in ("start", "end"):
            given = getattr(self, side)
            if side == "end" and given is None:
                continue
            period = read_period(given)
            if period is None:
                raise _no_spell(side, given, "a quarter, half or whole year, not a day", _how_to_say(side, given))
            object.__setattr__(self, side, period)
        if self.end is not None and self.end.freqstr != self.start.freqstr:
            raise _no_spell(
                "end", self.end, f"a period as long as start, {code(self.start)}", f'start="{code(self.end)}"'
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How the policy is to be judged, locked before looking; ``post_hoc`` when it was set afterwards (事后设定).

    On ``decision_dates`` (ISO days, in order) the data are judged; between them they are monitored, without conclusion.
    Without any, every look is a decision. ``secondary`` outcomes are judged together, after the primary one;
    ``placebo`` outcomes are those the policy cannot move. ``instruments`` are those of W1 to W7, at most two, whose own
    effects are asked for beside that of the whole policy.

    Examples
    --------
    >>> from qbase.core import Plan
    >>> plan = Plan(
    ...     outcome="D1.batch", population="K001 to K012", weight="batches", window="8 quarters before and after",
    ...     comparator="never treated", inference="CRV1 by cluster",
    ... )
    >>> "set afterwards" if plan.post_hoc else "locked before looking"
    'set afterwards'
    """

    outcome: str
    population: str
    weight: str
    window: str
    comparator: str
    inference: str
    locked_on: str = ""
    sha256: str = ""
    post_hoc: bool = True
    decision_dates: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    placebo: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Policy:
    """A policy and whom it treated.

    Parameters
    ----------
    policy_id : str
        Stem of its file.
    title : Text
        Name of the policy.
    spells : tuple of Spell
        One or more per treated entity, not overlapping.
    dates : mapping
        ``drafted``, ``announced``, ``effective``, ``funded``, ``accepted`` -> PolicyDate.
    doses : pandas.DataFrame or None
        Columns entity, period, instrument, value, unit.
    group : mapping
        Entity -> group of a third difference; empty when there is none.
    kind : {"binary", "dose", "bundle"}
        What adoption means.
    plan : Plan or None
        None is treated as post hoc.
    sources : tuple of Source
        What the spells and dates rest on.
    treated : Text or None
        The treated in words (获得补助的企业, granted firms); None words them by what the panel follows.
    moments : mapping
        Event time -> words for it (获补助当年, in the year of the grant), where the default words do not serve.
    notes : tuple of Text
        What was settled when it was brought together with a panel; estimates say it.

    Raises
    ------
    PolicyError
        No spell at all (QB130), a spell that ends before it starts or overlaps (QB131), or spells by quarters and by
        years together (QB146).
    UsageError
        A kind or a name of a date that is none (QB144).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Policy, Spell, Text
    >>> spells = tuple(Spell(entity=k, start=pd.Period("2022Q3")) for k in ("K003", "K007"))
    >>> policy = Policy(policy_id="kiln_grants", title=Text("窑炉改造补助", "Kiln grants"), spells=spells)
    >>> policy
    <Policy kiln_grants: 2 treated, binary>
    >>> policy.first_treated
    {'K003': Period('2022Q3', 'Q-DEC'), 'K007': Period('2022Q3', 'Q-DEC')}
    """

    policy_id: str
    title: Text
    spells: tuple[Spell, ...]
    dates: Mapping[str, PolicyDate] = dataclasses.field(default_factory=dict)
    doses: pd.DataFrame | None = None
    group: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kind: Kind = "binary"
    plan: Plan | None = None
    sources: tuple[Source, ...] = ()
    treated: Text | None = None
    moments: Mapping[int, Text] = dataclasses.field(default_factory=dict)
    notes: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        check_word("kind", self.kind, get_args(Kind))
        for name in self.dates:
            check_word("dates", name, get_args(DateName))
        object.__setattr__(self, "title", read_text("title", self.title))
        if self.treated is not None:
            object.__setattr__(self, "treated", read_text("treated", self.treated))
        object.__setattr__(self, "dates", freeze(self.dates))
        object.__setattr__(self, "group", freeze({read_entity_id(e) or str(e): g for e, g in self.group.items()}))
        object.__setattr__(self, "moments", freeze(self.moments))
        if not self.spells:
            raise PolicyError(
                "QB130", policy=self.policy_id, found="no treated entity", expected="at least one spell",
                fix="add [[spell]]",
            )  # fmt: skip
        other = next((s for s in self.spells if s.start.freqstr != self.spells[0].start.freqstr), None)
        if other is not None:
            first = code(self.spells[0].start)
            raise _no_spell("start", other.start, f"a period as long as that of the first spell, {first}", f'"{first}"')
        _check_spells(self)

    @property
    def first_treated(self) -> dict[str, pd.Period]:
        """First treated period by entity; entities not listed are never treated."""
        first: dict[str, pd.Period] = {}
        for spell in self.spells:
            if spell.entity not in first or spell.start < first[spell.entity]:
                first[spell.entity] = spell.start
        return first

    def require_absorbing(self) -> None:
        """Raise when a spell is closed: absorbing estimators cannot use it.

        Raises
        ------
        PolicyError
            A spell has an end (QB132).
        """
        closed = [s.entity for s in self.spells if s.end is not None]
        if closed:
            raise PolicyError(
                "QB132",
                policy=self.policy_id,
                found=f"treatment of {closed[0]} ends",
                expected="treatment that, once begun, goes on",
                fix="use an estimator for reversible policies, or drop the closed spells",
            )

    def _repr_html_(self) -> str | None:
        return build_policy_card(self)

    def __repr__(self) -> str:
        return f"<Policy {self.policy_id}: {len(self.first_treated)} treated, {self.kind}>"


def match_policy(policy: Policy, entities: Collection[str]) -> Policy:
    """Write the ids of a policy as a panel writes them, and say where that was otherwise.

    Ids that differ by width, case, blanks or dashes are one entity, as they are within a panel.

    Parameters
    ----------
    policy : Policy
        Who was treated.
    entities : collection of str
        Ids of the panel.

    Returns
    -------
    Policy
        The same object where nothing is written otherwise. Ids that the panel does not hold stay as they are.

    Raises
    ------
    PolicyError
        Two spellings of one entity have spells that overlap (QB131).
    UsageError
        An id is like several of the panel, or like one but for its leading zeros (QB155).

    Examples
    --------
    >>> from qbase.core import Policy, Spell, Text, match_policy
    >>> spells = (Spell(entity="k003", start="2022Q3"), Spell(entity="K007", start="2022Q3"))
    >>> policy = Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=spells)
    >>> matched = match_policy(policy, ["K001", "K003", "K007"])
    >>> list(matched.first_treated), matched.notes[0].en
    (['K003', 'K007'], 'The policy writes "k003" for the entity "K003"; they are taken as one.')
    """
    named = [s.entity for s in policy.spells]
    doses = policy.doses
    dosed = [] if doses is None or "entity" not in doses else [str(e) for e in doses["entity"].unique()]
    held = set(entities)
    spelling = match_spellings([*named, *policy.group, *dosed], held)
    wider = {s.written: s.entity for s in policy.spells if s.written and s.entity in held}
    if not spelling and not wider:
        return policy
    if doses is not None and dosed:
        doses = doses.assign(entity=[spelling.get(str(e), e) for e in doses["entity"]])
    told = tuple(
        Text(
            f"政策把主体“{known}”写作“{given}”，按同一主体处理。",
            f'The policy writes "{given}" for the entity "{known}"; they are taken as one.',
        )
        for given, known in sorted((wider | {e: k for e, k in spelling.items() if e in named}).items())
    )
    spells = (dataclasses.replace(s, entity=spelling.get(s.entity, s.entity), written="") for s in policy.spells)
    return dataclasses.replace(
        policy,
        spells=tuple(spells),
        doses=doses,
        group={spelling.get(e, e): g for e, g in policy.group.items()},
        notes=(*policy.notes, *told),
    )


def _no_spell(option: str, given: object, expected: str, fix: str) -> PolicyError:
    return PolicyError("QB146", option=option, found=f"{option}={given!r}", expected=expected, fix=fix)


def _how_to_say(side: str, given: object) -> str:
    """Return how the day, month or text that was given is said as a quarter or as a year."""
    quarter, year = "2022Q3", "2022"
    if isinstance(given, pd.Period | datetime.date):
        quarter, year = f"{given.year}Q{(given.month + 2) // 3}", str(given.year)
    return f'{side}="{quarter}" in a panel of quarters, {side}="{year}" in one of years'


def _check_spells(policy: Policy) -> None:
    by_entity: dict[str, list[Spell]] = {}
    for spell in policy.spells:
        by_entity.setdefault(spell.entity, []).append(spell)
    for entity, spells in by_entity.items():
        ordered = sorted(spells, key=lambda s: s.start)
        for i, spell in enumerate(ordered):
            later = ordered[i + 1].start if i + 1 < len(ordered) else None
            wrong = (spell.end is not None and spell.end < spell.start) or (
                later is not None and (spell.end is None or spell.end >= later)
            )
            if wrong:
                raise PolicyError(
                    "QB131",
                    policy=policy.policy_id,
                    entity=entity,
                    found=f"{code(spell.start)} to {'open' if spell.end is None else code(spell.end)}"
                    + (f", then {code(later)}" if later is not None else ""),
                    expected="spells that end after they start and do not overlap",
                    fix="correct start and end of the spells of this entity",
                )
