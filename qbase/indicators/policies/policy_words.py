"""What a policy file says, word by word: which words there are, which are missing, which days they mean."""

from __future__ import annotations

import datetime
import pathlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.whole_files import open_ordinary
from qbase.indicators.policies.policy_rules import misfit
from qbase.indicators.policies.policy_spells import DATES
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.written_dates import read_day, read_quarter_text
from qbase.tables import read_contract

LOCKED_ALONE = ""
"""Column of a word that no table has: it counts once the plan is locked."""

ONCE: dict[str, dict[str, str]] = {
    "policy": {
        "id": "policy_id", "name": "policy_name", "name_en": "policy_name_en", "kind": "kind", "issuer": "issuer_name",
        "document_no": "document_no",
    },
    "dates": {**{d: f"{d}_date" for d in DATES}, "source": "date_source", "confidence": "date_confidence"},
    "plan": {
        "outcome": "plan_outcome", "population": "plan_population", "weight": "plan_weight", "window": "plan_window",
        "comparator": "plan_comparator", "inference": "plan_inference", "locked": "plan_locked_date",
        "decision_dates": LOCKED_ALONE, "secondary": LOCKED_ALONE, "placebo": LOCKED_ALONE,
        "instruments": LOCKED_ALONE,
    },
}  # fmt: skip
MANY: dict[str, tuple[str, dict[str, str]]] = {
    "spell": (
        "spells",
        {
            "town": "entity_id", "cluster": "entity_id", "firm": "entity_id", "start": "start_quarter",
            "end": "end_quarter", "group": "group_name",
        },
    ),
    "target": (
        "targets",
        {
            "id": "target_id", "horizon": "horizon", "indicator": "indicator_id", "population": "population",
            "words": "words", "value": "value", "unit": "unit_code",
        },
    ),
    "dose": (
        "instruments",
        {
            "cluster": "cluster_id", "quarter": "quarter", **{f"w{i}": f"dose_w{i}" for i in range(1, 8)},
            **{f"s{i}": f"has_s{i}" for i in range(1, 6)},
        },
    ),
}  # fmt: skip
WHO = ("town", "cluster", "firm")
NEEDED = (("policy", "id"), ("policy", "name"), ("dates", "effective"), ("dates", "source"), ("dates", "confidence"))
WORDS = {("policy", "kind"): "kind", ("dates", "confidence"): "date_confidence", ("target", "horizon"): "horizon"}
QUARTERS = (("spell", "start"), ("spell", "end"), ("dose", "quarter"))
_MONTH = frozenset({"month"})
_YEAR_ALONE = re.compile(r"\d{4}(?:\s*年)?")


def read_policy_words(path: pathlib.Path) -> dict[str, Any]:
    """Return what the file says; a word with nothing behind it is a blank of the template and says nothing.

    Raises
    ------
    UsageError
        No readable TOML file (QB445).
    """
    try:
        with open_ordinary(path) as file:
            raw = tomllib.loads(file.read().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found = f"{type(error).__name__}: {error}" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(
            "QB445", file=path.name, found=" ".join(found.split()),
            expected='TOML such as: [policy]  id = "zhili"  name = "…"',
            fix=f"correct {path.name}, then: qbase policy check {path.name}",
        ) from error  # fmt: skip
    return {section: _without_blanks(value) for section, value in raw.items()}


def _without_blanks(value: Any) -> Any:
    if isinstance(value, dict):
        return {word: v for word, v in value.items() if not (isinstance(v, str) and not v.strip())}
    return [entry for entry in map(_without_blanks, value) if entry != {}] if isinstance(value, list) else value


def entries_of(raw: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    """Return the entries of a section, one for a section that stands once."""
    value = raw.get(section, [])
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def place_of(section: str, word: str = "") -> str:
    """Return a place as the file writes it: ``[[spell]] start``."""
    head = f"[{section}]" if section in ONCE else f"[[{section}]]"
    return f"{head} {word}".rstrip()


def find_faults(raw: Mapping[str, Any]) -> Iterator[QbaseError]:
    """Yield what is wrong with the words of a file (QB446, QB447, QB448), all of it."""
    for section, value in raw.items():
        if section not in ONCE and section not in MANY:
            yield _unknown(section, section, [*ONCE, *MANY])
            continue
        is_list = isinstance(value, list) and all(isinstance(v, dict) for v in value)
        if not (isinstance(value, dict) if section in ONCE else is_list):
            shape = place_of(section)
            yield misfit(shape, type(value).__name__, shape, f"write {shape} on a line of its own, its words below")
            continue
        known = list(ONCE[section] if section in ONCE else MANY[section][1])
        unknown = [word for entry in entries_of(raw, section) for word in entry if word not in known]
        yield from (_unknown(word, place_of(section, word), known) for word in dict.fromkeys(unknown))
    missing = _missing(raw)
    if missing:
        yield DataError(
            "QB447", place=missing[0], found=f"no {', '.join(missing)}",
            expected="; ".join(place_of(s, w) for s, w in NEEDED),
            fix="; ".join(f"add {place.split()[-1]} = … below {place.split()[0]}" for place in missing),
        )  # fmt: skip


def _unknown(word: str, found: str, known: Sequence[str]) -> UsageError:
    return UsageError(
        "QB446", word=word, found=found, expected=" · ".join(known), fix=suggest_names(word, known, shown=len(known))
    )


def _missing(raw: Mapping[str, Any]) -> list[str]:
    given = {section: (entries_of(raw, section) or [{}])[0] for section in ONCE}
    missing = [place_of(s, w) for s, w in NEEDED if not str(given[s].get(w, "")).strip()]
    if "spell" in raw and not entries_of(raw, "spell"):
        missing += [place_of("spell", WHO[0]), place_of("spell", "start")]
    for entry in entries_of(raw, "spell"):
        missing += [] if any(w in entry for w in WHO) else [place_of("spell", WHO[0])]
        missing += [] if "start" in entry else [place_of("spell", "start")]
    for section, words in (
        ("dose", ("cluster", "quarter")),
        ("target", ("horizon", "indicator", "population", "words")),
    ):
        missing += [place_of(section, w) for e in entries_of(raw, section) for w in words if w not in e]
    return list(dict.fromkeys(missing))


def settle_days(raw: Mapping[str, Any], faults: list[QbaseError]) -> dict[str, Any]:
    """Return the file with quarters as 2022Q3 and days as 2022-08-10, however they are written.

    A day stands for its quarter, where a quarter is asked for; a quarter or a month for its first day, where a day is.
    What cannot be read joins the faults.
    """
    settled: dict[str, Any] = {
        section: [dict(e) for e in entries_of(raw, section)]
        if section in MANY
        else dict((entries_of(raw, section) or [{}])[0])
        for section in raw
        if section in ONCE or section in MANY
    }
    for section, word in QUARTERS:
        for entry in settled.get(section, []):
            _settle(entry, section, word, as_quarter, faults)
    for (section, word), column in WORDS.items():
        for entry in settled[section] if section == "target" and section in settled else [settled.get(section, {})]:
            if word in entry:
                entry[word] = _canonical(section, column, str(entry[word]))
    for word in (*DATES, "locked"):
        section = "plan" if word == "locked" else "dates"
        _settle(settled.get(section, {}), section, word, as_day, faults)
    return settled


def _canonical(section: str, column: str, said: str) -> str:
    """Return 文件 as ``document``, and what no table knows as it is."""
    values = read_contract("targets" if section == "target" else "policies").column(column).values
    return next((value for value, spellings in values.items() if said.strip() in (value, *spellings)), said)


def _settle(
    entry: dict[str, Any], section: str, word: str, read: Callable[[Any], str], faults: list[QbaseError]
) -> None:
    if word not in entry:
        return
    found = read(entry[word])
    if found:
        entry[word] = found
        return
    example = "2022Q3" if read is as_quarter else "2022-08-10"
    wanted = "a quarter such as 2022Q3, or a day in it" if read is as_quarter else "a date such as 2022-08-10"
    faults.append(misfit(place_of(section, word), repr(entry[word]), wanted, f'{word} = "{example}"'))


def as_quarter(value: Any) -> str:
    """Return the quarter a person means: 2023Q2, 2023年二季度, 2023-04-01, 2023年4月; empty where it is none."""
    text = _plain(value)
    quarter, _ = read_quarter_text(text)
    if quarter:
        return quarter
    day = "" if _YEAR_ALONE.fullmatch(text) else read_day(text, _MONTH)[0]
    return f"{day[:4]}Q{(int(day[5:7]) + 2) // 3}" if day else ""


def as_day(value: Any) -> str:
    """Return the day a person means; of a quarter or a month the first; empty where it is none."""
    text = _plain(value)
    day, _ = read_day(text, _MONTH)
    if day:
        return day
    quarter, _ = read_quarter_text(text)
    return f"{quarter[:4]}-{3 * int(quarter[-1]) - 2:02d}-01" if quarter else ""


def find_rounded(raw: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return place, text and day of the dates that were written as a quarter or a month."""
    given = {section: (entries_of(raw, section) or [{}])[0] for section in ("dates", "plan")}
    words = [("dates", d) for d in DATES] + [("plan", "locked")]
    stated = [(place_of(s, w), _plain(given[s][w])) for s, w in words if w in given[s]]
    return [(place, text, as_day(text)) for place, text in stated if as_day(text) and not read_day(text)[0]]


def _plain(value: Any) -> str:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()[:10]
    return "" if isinstance(value, bool | float | list | dict) else narrow(" ".join(str(value).split()))


def raise_all(faults: Sequence[QbaseError]) -> None:
    """Raise the faults of a file as one error, numbered, under the code of the first.

    Raises
    ------
    QbaseError
        Where there is any.
    """
    if not faults:
        return
    first, more = faults[0], len(faults) - 1
    if more:
        first.what_zh += f"（另有 {more} 处）"
        first.what_en += f" (and {more} more)"
        for name in ("found", "expected", "fix"):
            parts = [f"{i}) {getattr(fault, name)}" for i, fault in enumerate(faults, 1)]
            setattr(first, name, "; ".join(parts))
    raise first
