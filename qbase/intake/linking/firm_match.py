"""Which registered firm a printed name and code mean; conservative, because a wrong link is worse than none."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel

from qbase.core.values import EMPTY
from qbase.intake.linking.firm_names import name_form, plain_name, split_name
from qbase.tables.credit_code import is_uscc

FUZZY_SCORE = 90.0
"""Below it names are not even proposed for review as spellings of one another."""
FUZZY_LEAD = 5.0
"""The best name must lead the next one by as much, or the spelling could mean either."""
COUNTY_DIGITS = 6
"""A division code starts with the six digits of its county (GB/T 2260)."""
EVER = "9999-12-31"

# the number of a business licence until October 2015; it says nothing about the code that took its place
_LICENCE_NUMBER = re.compile(r"[0-9]{13}|[0-9]{15}")
_ORGANISATION = slice(8, 17)  # places 9 to 17 of a code are the organisation code (GB 32100)

Decision = Literal["accept", "doubt", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownName:
    """A name a registered firm bore from one day to another.

    Parameters
    ----------
    firm_id, name : str
        The firm and its name as registered.
    first, last : str
        ISO dates, both inside.
    """

    firm_id: str
    name: str
    first: str = ""
    last: str = EVER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Printed:
    """A firm as a delivery prints it.

    Parameters
    ----------
    uscc, name, day, town : str
        Code, name, ISO date, present town code; empty where nothing is printed.
    industries : frozenset of str
        Groups of GB/T 4754 (three digits) whose firms make the product, as sound codes show; empty when unknown.
    """

    uscc: str
    name: str
    day: str
    town: str = ""
    industries: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
    """Which firm is meant, how it was found, and how sure that is.

    Parameters
    ----------
    decision : {"accept", "doubt", "none"}
        ``doubt`` is for a person to decide; ``none`` names no firm.
    firm_id, known : str
        The firm, and its registered name that was compared.
    method : str
        ``uscc`` (nothing to repair), ``name_exact``, ``name_form``, ``name_fuzzy``; for a doubt the reason:
        ``several``, ``other_code``, ``name_of_another``, ``not_then``, ``elsewhere``, ``other_industry``, ``place``,
        ``related``, ``near``.
    score : float
        Similarity of both spellings, 0 to 100.
    """

    decision: Decision
    firm_id: str = ""
    known: str = ""
    method: str = ""
    score: float = 0.0


NOTHING = Match(decision="none")


class Register:
    """The registered firms with their names over time, their towns, industries, codes and successors.

    Parameters
    ----------
    names : iterable of KnownName
        All names.
    codes : mapping
        Firm -> USCC.
    towns : mapping
        Firm -> present codes of the towns it was in; a single code where it never moved.
    successors : mapping
        Firm -> (day of the merger, firm it became part of).
    industries : mapping
        Firm -> class of GB/T 4754.
    """

    def __init__(
        self,
        names: Iterable[KnownName],
        codes: Mapping[str, str],
        towns: Mapping[str, str | Collection[str]],
        successors: Mapping[str, tuple[str, str]],
        industries: Mapping[str, str] = EMPTY,
    ) -> None:
        self._names = tuple(names)
        self._codes, self._successors, self._industries = codes, successors, industries
        self._towns = {f: {own} if isinstance(own, str) else set(own) for f, own in towns.items()}
        self._by_code: dict[str, list[str]] = collections.defaultdict(list)
        for firm, code in codes.items():
            self._by_code[code].append(firm)
        self._plain = _index(self._names, plain_name)
        self._form = _index(self._names, name_form)
        self._bare = _index(self._names, lambda name: split_name(name).bare)
        self._core = _index(self._names, lambda name: split_name(name).core)
        self._by_county: dict[str, list[KnownName]] = collections.defaultdict(list)
        for known in self._names:
            for county in sorted({town[:COUNTY_DIGITS] for town in self._towns.get(known.firm_id, ())}):
                self._by_county[county].append(known)

    def find(self, printed: Printed) -> Match:
        """Find the firm.

        Parameters
        ----------
        printed : Printed
            As the delivery has it.

        Returns
        -------
        Match
            ``accept`` for a code that is missing or has one wrong character together with a name that only one firm
            bore on that day, where neither place nor industry speaks against it.
        """
        if _LICENCE_NUMBER.fullmatch(printed.uscc):
            printed = dataclasses.replace(printed, uscc="")
        own = self._by_code.get(printed.uscc, [])
        if len(own) == 1 and is_uscc(printed.uscc):
            return self._by_sound_code(printed, own[0])
        parts = split_name(printed.name)
        for method, index, key in (
            ("name_exact", self._plain, plain_name(printed.name)),
            ("name_form", self._form, parts.text),
            ("name_form", self._bare, parts.bare),
        ):
            found = self._narrow(index.get(key, ()), printed)
            if found:
                return self._by_name(printed, found, method)
        return self._by_spelling(printed)

    def _by_sound_code(self, printed: Printed, firm: str) -> Match:
        others = {k.firm_id for k in self._narrow(self._plain.get(plain_name(printed.name), ()), printed)}
        if others and firm not in others and len(others) == 1:
            other = next(iter(others))
            return Match(decision="doubt", firm_id=other, known=printed.name, method="name_of_another", score=100.0)
        return Match(decision="none", firm_id=firm, known=printed.name, method="uscc", score=100.0)

    def _narrow(self, found: Sequence[KnownName], printed: Printed) -> list[KnownName]:
        """Keep names valid on the day; where several firms remain, those of the town, else of the county."""
        near = [k for k in found if k.first <= printed.day <= k.last] or list(found)
        for is_here in (self._is_in_town, self._is_in_county):
            if len({k.firm_id for k in near}) > 1:
                near = [k for k in near if is_here(k.firm_id, printed)] or near
        return near

    def _is_in_town(self, firm: str, printed: Printed) -> bool:
        return bool(printed.town) and printed.town in self._towns.get(firm, ())

    def _is_in_county(self, firm: str, printed: Printed) -> bool:
        county = printed.town[:COUNTY_DIGITS]
        return bool(county) and county in {town[:COUNTY_DIGITS] for town in self._towns.get(firm, ())}

    def _by_name(self, printed: Printed, found: Sequence[KnownName], method: str) -> Match:
        best = found[0]
        score = round(fuzz.ratio(plain_name(printed.name), plain_name(best.name)), 1)
        match = Match(decision="accept", firm_id=best.firm_id, known=best.name, method=method, score=score)
        reason = self._find_doubt(printed, found, method)
        if reason:
            return dataclasses.replace(match, decision="doubt", method=reason)
        return dataclasses.replace(match, firm_id=self._heir(best.firm_id, printed.day))

    def _find_doubt(self, printed: Printed, found: Sequence[KnownName], method: str) -> str:
        """Say what speaks against the first name found; empty when nothing does."""
        best = found[0]
        if len({k.firm_id for k in found}) > 1:
            return "several"
        if not best.first <= printed.day <= best.last:
            return "not_then"
        if printed.uscc and not self._is_code_near(printed, best.firm_id):
            return "other_code"
        return "" if printed.uscc else self._find_contradiction(printed, best, method)

    def _find_contradiction(self, printed: Printed, best: KnownName, method: str) -> str:
        """Hold the name against place and industry, where no code vouches for it."""
        towns, industry = self._towns.get(best.firm_id, ()), self._industries.get(best.firm_id, "")
        is_near = self._is_in_county(best.firm_id, printed)
        if printed.town and any(towns) and not is_near:
            return "elsewhere"
        if printed.industries and industry and industry[:3] not in printed.industries:
            return "other_industry"
        mine, known = split_name(printed.name), split_name(best.name)
        twins = [k for k in self._bare.get(known.bare, ()) if k.first <= printed.day <= k.last]
        if len({k.firm_id for k in self._narrow(twins, printed)} | {best.firm_id}) > 1:
            return "several"  # 绍兴市恒达 and 绍兴恒达 both exist, and nothing says which one was meant
        if mine.province and known.province and mine.province != known.province:
            return "place"
        # a place written by one and left out by the other means something only where the firm is known to be there
        is_whole = plain_name(printed.name) == plain_name(best.name) or (
            mine.province == known.province and mine.text == known.text
        )
        return "" if method == "name_exact" or is_whole or is_near else "place"

    def _is_code_near(self, printed: Printed, firm: str) -> bool:
        return is_near(printed.uscc, self._codes.get(firm, ""))

    def _by_spelling(self, printed: Printed) -> Match:
        """Compare with the names of the county, or of everywhere where none is printed or none has a firm."""
        parts = split_name(printed.name)
        pool = self._by_county.get(printed.town[:COUNTY_DIGITS], self._names) if printed.town else self._names
        pool = [k for k in pool if k.first <= printed.day <= k.last]
        wanted, forms = parts.text, [name_form(k.name) for k in pool]
        ranked = process.extract(wanted, forms, scorer=fuzz.ratio, limit=8, score_cutoff=FUZZY_SCORE - FUZZY_LEAD)
        if not ranked or ranked[0][1] < FUZZY_SCORE:
            return self._by_core(printed)
        _, score, place = ranked[0]
        best = pool[place]
        rival = max((s for _, s, i in ranked if pool[i].firm_id != best.firm_id), default=0.0)
        match = Match(
            decision="doubt", firm_id=best.firm_id, known=best.name, method="near", score=round(float(score), 1)
        )
        if split_name(best.name).core == parts.core or split_name(best.name).branch != parts.branch:
            return dataclasses.replace(match, method="related")
        # another character may be another firm; a slip in the legal form is none, and a code all but right settles it
        is_settled = self._is_code_near(printed, best.firm_id) if printed.uscc else _is_slip(wanted, best.name)
        if not is_settled or score - rival < FUZZY_LEAD:
            return match
        reason = "" if printed.uscc else self._find_contradiction(printed, best, "name_exact")
        if reason:
            return dataclasses.replace(match, method=reason)
        return dataclasses.replace(
            match, decision="accept", firm_id=self._heir(best.firm_id, printed.day), method="name_fuzzy"
        )

    def _by_core(self, printed: Printed) -> Match:
        """Propose the firm that shares all but legal form and branch: a parent, a subsidiary, or itself before."""
        core = split_name(printed.name).core
        found = self._narrow(self._core.get(core, ()), printed)
        if len({k.firm_id for k in found}) != 1 or (printed.town and not self._is_in_county(found[0].firm_id, printed)):
            return NOTHING
        score = round(fuzz.ratio(plain_name(printed.name), plain_name(found[0].name)), 1)
        return Match(decision="doubt", firm_id=found[0].firm_id, known=found[0].name, method="related", score=score)

    def _heir(self, firm: str, day: str) -> str:
        """Follow mergers that had happened by a day."""
        seen = {firm}
        while firm in self._successors:
            when, heir = self._successors[firm]
            if when > day or heir in seen:
                break
            firm = heir
            seen.add(firm)
        return firm


def _index(names: Iterable[KnownName], key: Callable[[str], str]) -> dict[str, list[KnownName]]:
    index: dict[str, list[KnownName]] = collections.defaultdict(list)
    for known in names:
        index[key(known.name)].append(known)
    return index


def _is_slip(wanted: str, known: str) -> bool:
    """Return whether one character of the legal form was left out or written twice, and nothing else."""
    parts = split_name(known)
    if not wanted.startswith(parts.core) or not parts.form or parts.branch:
        return False
    rest = wanted[len(parts.core) :]
    return len(rest) > 1 and Indel.distance(rest, parts.form) == 1


def is_near(printed: str, code: str) -> bool:
    """Return whether a printed code is the code with at most one character wrong, lacking, added, or two swapped.

    The organisation code of before October 2015 is part of the code, and stands for it.
    """
    if not code:
        return False
    if printed.replace("-", "") == code[_ORGANISATION]:
        return True
    if len(printed) == len(code):
        wrong = [i for i, (a, b) in enumerate(zip(printed, code, strict=True)) if a != b]
        if len(wrong) == 2:
            i, j = wrong
            return j == i + 1 and printed[i] == code[j] and printed[j] == code[i]
        return len(wrong) <= 1
    return abs(len(printed) - len(code)) == 1 and (_is_within(printed, code) or _is_within(code, printed))


def _is_within(short: str, long: str) -> bool:
    """Return whether all characters of one text occur in the other in the same order."""
    rest = iter(long)
    return len(short) <= len(long) and all(character in rest for character in short)
