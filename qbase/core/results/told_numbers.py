"""The numbers of a record as they were told: each with whom and what period it is about, and its verdict.

Two records are held against each other by what a number is about. Counts and measurements of the day, which stand among
the settings and keys too, say nothing of that.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qbase.core.results.sentences import WITHHELD, direction_of
from qbase.core.text import Text, join, same
from qbase.core.values import Estimate

PERIOD_KEYS = ("period", "until")
"""Parts of a key that say which period a number is about; one without them is about all its result looked at."""
COUNTED_KEYS = frozenset({"entities", "peers", "rate_pct"})
"""Parts of a key that were counted, and tell nothing apart."""
PLAIN_TERMS = frozenset({"rate", "change", "trend", "att", "gap", "batches", "score"})
"""Terms that say no more than their result does."""
_PERIOD = re.compile(r"\d{4}(Q[1-4]|H[12])?(–\d{4}(Q[1-4]|H[12])?)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}.*")
_FIELDS = frozenset(field.name for field in dataclasses.fields(Estimate))
_PLACED = frozenset({*PERIOD_KEYS, *COUNTED_KEYS, "first", "since"})
SILENT = frozenset({"level", "need"})
"""Kinds of quantities that have no verdict of their own."""

KINDS: Mapping[str, Text] = {
    "change": Text("的变化", "change of the"),
    "trend": Text("的趋势", "trend of the"),
    "effect": Text("所受的影响", "effect on the"),
    "gap": Text("与同类的差距", "gap to peers in the"),
    "need": Text("所需批数", "batches needed for the"),
}
AGAINST: Mapping[str, Text] = {
    "year_ago": Text("同比", "on a year ago"),
    "previous": Text("环比", "on the period before"),
    "cumulative": Text("累计同比", "year to date"),
    "half_year": Text("半年同比", "half-year on a year ago"),
    "since_policy": Text("政策前后", "since the policy, against before"),
}
VERDICT_WORDS: Mapping[str, Text] = {
    "up": Text("上升", "up"),
    "down": Text("下降", "down"),
    "little": Text("变化很小", "changed little"),
    "cannot_tell": Text("看不出升降", "cannot tell"),
    "withheld": Text("不下结论", "no verdict"),
    "met": Text("达到目标", "meets the target"),
    "not_met": Text("未达目标", "misses the target"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """One number of a record.

    Parameters
    ----------
    result : str
        Name of its result or scorecard.
    kind : tuple
        What the result is about, as far as its settings choose it.
    whom, what : Text
        Subject, and indicator.
    estimand, unit : str
        Of the result.
    estimate : Estimate
        The number.
    verdict : str
        A key of `VERDICT_WORDS`; empty where there is none.
    frame : tuple
        Periods the result looked at, for numbers whose key names none.
    is_spoken : bool
        Whether a sentence was made of it.
    """

    result: str
    kind: tuple[Any, ...]
    whom: Text
    what: Text
    estimand: str
    unit: str
    estimate: Estimate
    verdict: str = ""
    frame: tuple[Any, ...] = ()
    is_spoken: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """The parts of the key that tell it from others."""
        return {name: value for name, value in self.estimate.key.items() if name not in COUNTED_KEYS}

    @property
    def period(self) -> str:
        """The period its key names, else the last one of its result, else nothing."""
        named = [str(self.estimate.key[name]) for name in PERIOD_KEYS if name in self.estimate.key]
        return named[0] if named else next((str(part) for _, part in reversed(self.frame)), "")

    @property
    def window(self) -> str:
        """The period, or the two that are compared."""
        first = self.estimate.key.get("first", self.estimate.key.get("since"))
        return self.period if first is None or not self.period else f"{first}→{self.period}"

    @property
    def about(self) -> Text:
        """What the number is: indicator, kind, what it is compared with, and the other parts of its key."""
        kind, said = KINDS.get(self.estimand), self.what
        if kind is not None:
            said = Text(f"{said.zh}{kind.zh}", f"{kind.en} {said.en}")
        against = next((AGAINST[v] for n, v in self.kind[2:] if n == "against" and v in AGAINST), None)
        parts = [] if against is None else [against]
        term = self.estimate.term
        parts += [] if term in PLAIN_TERMS else [same(term)]
        whose = self.kind[1]
        parts += [same(str(v)) for n, v in self.estimate.key.items() if n not in _PLACED and v != whose]
        more = join(parts, zh="，", en=", ")
        return said + Text(f"（{more.zh}）", f" ({more.en})") if parts else said

    @property
    def is_dated(self) -> bool:
        """Whether its own key names a period."""
        return any(name in self.estimate.key for name in PERIOD_KEYS)


def read_told(document: Mapping[str, Any]) -> list[Told]:
    """Return every number of a record (``results.json``), in its order."""
    latest = max(_periods(document), default="")
    return [told for entry in document.get("results", ()) for told in _of_result(entry, latest)] + [
        told for card in document.get("scorecards", ()) for told in _of_scorecard(card)
    ]


def as_estimate(payload: Mapping[str, Any]) -> Estimate:
    """Return an estimate from a record; fields of another version are left out."""
    return Estimate(**{name: value for name, value in payload.items() if name in _FIELDS})


def is_period(value: object) -> bool:
    """Whether a value is a period, or a window of periods, as keys and settings write it."""
    return isinstance(value, str) and _PERIOD.fullmatch(value) is not None


def _of_result(entry: Mapping[str, Any], latest: str) -> Iterator[Told]:
    estimates = [as_estimate(payload) for payload in entry["estimates"]]
    settings, subject = entry["settings"], Text(**entry["subject"])
    frame = _frame(settings, estimates) or ((("", latest),) if latest else ())
    spoken = _spoken(entry, estimates)
    for position, estimate in enumerate(estimates):
        yield Told(
            result=entry["name"],
            kind=kind_of(entry),
            whom=subject,
            what=Text(**entry["label"]) if "label" in entry else same(entry["outcome"]),
            estimand=entry["estimand"],
            unit=entry["unit"],
            estimate=estimate,
            verdict=_verdict(entry, estimate),
            frame=frame,
            is_spoken=position in spoken,
        )


def _of_scorecard(card: Mapping[str, Any]) -> Iterator[Told]:
    # scorecard:K003:own
    entity = card["name"].split(":")[1]
    for criterion in card["criteria"]:
        yield Told(
            result=card["name"],
            kind=(card["name"], entity, *_gate(criterion)),
            whom=Text(**card["subject"]) if "subject" in card else same(card["name"]),
            what=Text(**criterion["label"]) if "label" in criterion else same(criterion["indicator"]),
            estimand="target",
            unit=criterion["unit"],
            estimate=as_estimate(criterion["estimate"]),
            verdict=criterion["verdict"],
            is_spoken=True,
        )


def _gate(criterion: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what tells a criterion of a scorecard from its others."""
    return [(name, criterion[name]) for name in ("indicator", "target", "gate") if name in criterion]


def kind_of(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a recorded result is about: its name, its subject, and the settings that choose."""
    settings = entry["settings"]
    return (entry["name"], settings.get("entity") or entry["subject"]["zh"], *_choices(settings))


def _choices(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the settings that choose what is estimated: words and switches, neither periods nor days."""
    chosen = {n: v for n, v in settings.items() if v is None or isinstance(v, bool | str)}
    return sorted(((n, v) for n, v in chosen.items() if not is_period(v) and not _DAY.match(str(v))), key=str)


def _frame(settings: Mapping[str, Any], estimates: Sequence[Estimate]) -> tuple[tuple[str, str], ...]:
    named = sorted((name, value) for name, value in settings.items() if is_period(value))
    last = max((str(e.key[k]) for e in estimates for k in PERIOD_KEYS if is_period(e.key.get(k))), default="")
    return (*named, *((("last", last),) if last else ()))


def _periods(document: Mapping[str, Any]) -> Iterator[str]:
    for entry in document.get("results", ()):
        yield from (v for v in entry["settings"].values() if is_period(v))
        yield from (e["key"][k] for e in entry["estimates"] for k in PERIOD_KEYS if is_period(e["key"].get(k)))


def _spoken(entry: Mapping[str, Any], estimates: Sequence[Estimate]) -> set[int]:
    """Return the positions of the estimates spoken of; records of before say only which period."""
    if "spoken" in entry:
        return set(entry["spoken"])
    period = entry["settings"].get("period")
    return set([i for i, e in enumerate(estimates) if e.key.get("period") == period][:1] or [0])


def _verdict(entry: Mapping[str, Any], estimate: Estimate) -> str:
    if entry["estimand"] in SILENT:
        return ""
    if any(check["passed"] is False and check["name"] in WITHHELD for check in entry["checks"]):
        return "withheld"
    return direction_of(estimate, entry["settings"].get("margin"))
