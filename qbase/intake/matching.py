"""Which registered firm a printed name and code mean; conservative, because a wrong link is worse than none."""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rapidfuzz import fuzz, process

from qbase.tables.uscc import is_uscc

FUZZY_SCORE = 90.0
"""Below it names are not even proposed for review as spellings of one another."""
FUZZY_LEAD = 5.0
"""The best name must lead the next one by as much, or the spelling could mean either."""
EVER = "9999-12-31"

Decision = Literal["accept", "doubt", "none"]

_DROPPED = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff()（）〔〕\[\]【】·.,，。、\"'“”‘’-]+")
_PLACE = re.compile(r"^[\u4e00-\u9fff]{2,3}(?:省|自治区|市)(?=[\u4e00-\u9fff]{4})")
_FORMS = (("有限责任公司", "有限公司"), ("股份公司", "股份有限公司"))


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
    """

    uscc: str
    name: str
    day: str
    town: str = ""


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
        ``several``, ``other_code``, ``name_of_another``, ``not_then``, ``near``.
    score : float
        Similarity of both spellings, 0 to 100.
    """

    decision: Decision
    firm_id: str = ""
    known: str = ""
    method: str = ""
    score: float = 0.0


NOTHING = Match(decision="none")


@functools.lru_cache(maxsize=100_000)
def plain_name(name: str) -> str:
    """Return a name without differences that mean nothing: width, case, spaces, brackets, punctuation."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", name).casefold())


@functools.lru_cache(maxsize=100_000)
def name_form(name: str) -> str:
    """Return a name without the province or city in front, and with the short legal form."""
    plain = _PLACE.sub("", plain_name(name))
    for long, short in _FORMS:
        if plain.endswith(long):
            return plain.removesuffix(long) + short
    return plain


class Register:
    """The registered firms with their names over time, their towns, codes and successors.

    Parameters
    ----------
    names : iterable of KnownName
        All names.
    codes : mapping
        Firm -> USCC.
    towns : mapping
        Firm -> present code of its town.
    successors : mapping
        Firm -> (day of the merger, firm it became part of).
    """

    def __init__(
        self,
        names: Iterable[KnownName],
        codes: Mapping[str, str],
        towns: Mapping[str, str],
        successors: Mapping[str, tuple[str, str]],
    ) -> None:
        self._names = tuple(names)
        self._codes, self._towns, self._successors = codes, towns, successors
        self._by_code: dict[str, list[str]] = collections.defaultdict(list)
        for firm, code in codes.items():
            self._by_code[code].append(firm)
        self._plain = _index(self._names, plain_name)
        self._form = _index(self._names, name_form)
        self._by_town: dict[str, list[KnownName]] = collections.defaultdict(list)
        for known in self._names:
            self._by_town[towns.get(known.firm_id, "")].append(known)

    def find(self, printed: Printed) -> Match:
        """Find the firm.

        Parameters
        ----------
        printed : Printed
            As the delivery has it.

        Returns
        -------
        Match
            ``accept`` for a sound code of one firm; for a code that is missing or has one wrong character together with
            a name only one firm bore on that day; for a name that only lacks or adds characters, far ahead of the next.
        """
        own = self._by_code.get(printed.uscc, [])
        if len(own) == 1 and is_uscc(printed.uscc):
            return self._by_sound_code(printed, own[0])
        for method, index, key in (
            ("name_exact", self._plain, plain_name(printed.name)),
            ("name_form", self._form, name_form(printed.name)),
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
        """Keep names valid on the day; where several firms remain, those of the town."""
        valid = [k for k in found if k.first <= printed.day <= k.last] or list(found)
        if len({k.firm_id for k in valid}) > 1 and printed.town:
            return [k for k in valid if self._towns.get(k.firm_id) == printed.town] or valid
        return valid

    def _by_name(self, printed: Printed, found: Sequence[KnownName], method: str) -> Match:
        firms = {k.firm_id for k in found}
        best = found[0]
        score = round(fuzz.ratio(printed.name, best.name), 1)
        match = Match(decision="accept", firm_id=best.firm_id, known=best.name, method=method, score=score)
        if len(firms) > 1:
            return dataclasses.replace(match, decision="doubt", method="several")
        if not best.first <= printed.day <= best.last:
            return dataclasses.replace(match, decision="doubt", method="not_then")
        if printed.uscc and not is_near(printed.uscc, self._codes.get(best.firm_id, "")):
            return dataclasses.replace(match, decision="doubt", method="other_code")
        return dataclasses.replace(match, firm_id=self._heir(best.firm_id, printed.day))

    def _by_spelling(self, printed: Printed) -> Match:
        """Compare with the names of the town, or of everywhere when no town is printed."""
        pool = self._by_town.get(printed.town, []) if printed.town else self._names
        pool = [k for k in pool if k.first <= printed.day <= k.last]
        forms = [name_form(k.name) for k in pool]
        wanted = name_form(printed.name)
        ranked = process.extract(wanted, forms, scorer=fuzz.ratio, limit=8, score_cutoff=FUZZY_SCORE - FUZZY_LEAD)
        if not ranked or ranked[0][1] < FUZZY_SCORE:
            return NOTHING
        form, score, place = ranked[0]
        best = pool[place]
        rival = max((s for _, s, i in ranked if pool[i].firm_id != best.firm_id), default=0.0)
        match = Match(
            decision="doubt", firm_id=best.firm_id, known=best.name, method="near", score=round(float(score), 1)
        )
        # another character may be another firm; one left out or added is a slip of the pen
        is_slip = _is_within(wanted, form) or _is_within(form, wanted)
        is_code_fine = not printed.uscc or is_near(printed.uscc, self._codes.get(best.firm_id, ""))
        if is_slip and is_code_fine and score - rival >= FUZZY_LEAD:
            heir = self._heir(best.firm_id, printed.day)
            return dataclasses.replace(match, decision="accept", firm_id=heir, method="name_fuzzy")
        return match

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


def _index(names: Iterable[KnownName], key: functools._lru_cache_wrapper[str]) -> dict[str, list[KnownName]]:
    index: dict[str, list[KnownName]] = collections.defaultdict(list)
    for known in names:
        index[key(known.name)].append(known)
    return index


def is_near(printed: str, code: str) -> bool:
    """Return whether a printed code is the code with at most one character wrong, lacking, added, or two swapped."""
    if not code:
        return False
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
