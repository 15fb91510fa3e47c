"""Dated events beside a series: policies, changed standards and breaks already found, told apart by what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.periods import Freq
from qbase.core.policy import DatedEvent, Policy, match_policy
from qbase.core.results.result import Result
from qbase.core.text import Text, join

Given = DatedEvent | Policy | Result
OLD_KINDS = ("standard", "policy", "break", "other")


def read_events(given: Given | Iterable[Given] | None, entity: str | None, index: pd.PeriodIndex) -> list[DatedEvent]:
    """Return the events that concern a subject and begin a new state within its series, in order of time.

    Parameters
    ----------
    given : DatedEvent, Policy, Result or a sequence of them, or None
        A policy is its start for the entity; the result of `estimate_breaks` is its breaks.
    entity : str or None
        None is all together.
    index : pandas.PeriodIndex
        Of the series; an event in or before its first period, or after its last, begins no state there.

    Raises
    ------
    UsageError
        Something that is no event, or a policy with several starts for a pooled series (QB555).
    """
    if given is None:
        return []
    listed = [given] if isinstance(given, DatedEvent | Policy | Result) else list(given)
    found: list[DatedEvent] = []
    for one in listed:
        if isinstance(one, Policy):
            found += _of_policy(one, entity)
        elif isinstance(one, Result) and "breaks" in one.tables:
            found += _of_breaks(one)
        elif isinstance(one, DatedEvent):
            found.append(one)
        else:
            raise UsageError(
                "QB555", given=type(one).__name__, found=repr(one)[:80].splitlines()[0],
                expected="DatedEvent, Policy, or the result of estimate_breaks",
                fix='DatedEvent(period="2021Q1", title=Text("…", "…"), kind="standard")',
            )  # fmt: skip
    freq = periods.freq_of(index)
    inside = [e for e in found if e.concerns(entity) and index[0] < e.at(freq) <= index[-1]]
    return sorted(inside, key=lambda e: (e.at(freq), OLD_KINDS.index(e.kind), e.title.en))


def _of_policy(policy: Policy, entity: str | None) -> list[DatedEvent]:
    starts = policy.first_treated
    if entity is not None:
        starts = {e: p for e, p in match_policy(policy, [entity]).first_treated.items() if e == entity}
    dates = sorted(set(starts.values()))
    if len(dates) > 1:
        shown = ", ".join(periods.code(d) for d in dates)
        raise UsageError(
            "QB555", given=policy.policy_id, found=f"{len(dates)} starts: {shown}",
            expected="one start", fix=f'entity="{sorted(starts)[0]}", or a DatedEvent',
        )  # fmt: skip
    return [DatedEvent(period=d, title=policy.title, kind="policy") for d in dates]


def _of_breaks(result: Result) -> list[DatedEvent]:
    return [
        DatedEvent(
            period=periods.parse_any(str(row["period"])),
            title=Text(str(row["title_zh"]), str(row["title_en"])),
            kind=row["kind"],
        )
        for row in result.tables["breaks"].to_dict("records")
    ]


def tell_events(events: Sequence[DatedEvent], freq: Freq) -> pd.DataFrame:
    """Return the table ``events``: period, kind, title_zh, title_en, source; one row per period and kind."""
    rows: dict[tuple[str, str], list[DatedEvent]] = {}
    for event in events:
        rows.setdefault((periods.code(event.at(freq)), event.kind), []).append(event)
    titles = {key: join([e.title for e in own], zh="；", en="; ") for key, own in rows.items()}
    return pd.DataFrame(
        [
            {
                "period": period, "kind": kind,
                "title_zh": titles[period, kind].zh, "title_en": titles[period, kind].en,
                "source": ", ".join(dict.fromkeys(e.source for e in rows[period, kind] if e.source)),
            }
            for period, kind in rows
        ],
        columns=["period", "kind", "title_zh", "title_en", "source"],
    )  # fmt: skip
