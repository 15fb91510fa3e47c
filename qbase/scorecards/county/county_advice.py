"""What a county report proposes (对策建议): stated rules on what was found, the same for every place."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import pandas as pd

from qbase.core.lazy import read_once
from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, same
from qbase.core.values import Estimate, Indicator, ReadOnly, freeze
from qbase.scorecards.county.place_records import RATE, PlaceRecords

PROPOSED = Indicator(
    id="county.proposals", name=Text("对策建议条数", "proposals"), unit="item", better="none", role="context"
)
RULES = Text(
    "对策只由写明的规则从上文所列的发现得出，规则对各地相同（qbase 声明，2026-11-30）；取舍由会议决定。",
    "Proposals follow from what is listed above by stated rules, the same for every place (declared by qbase, "
    "2026-11-30); which of them to take is for the meeting to decide.",
)
LEAST_FIRMS = 2
"""An item is a matter of the place, not of one firm, from so many firms on."""
NOTHING = Text("没有规则适用于所列的发现", "no rule applies to what was found")


def advise_county(
    records: PlaceRecords, *, standings: Sequence[Result], items: Result | None = None, followup: Sequence[Result] = ()
) -> Result:
    """Advise what to do about what was found, each proposal with the finding it rests on.

    Parameters
    ----------
    records : PlaceRecords
        From `read_place`.
    standings : sequence of Result
        From `judge_standing`, one for each cluster of the place.
    items : Result or None
        From `qbase.indicators.read_failed_items`.
    followup : sequence of Result
        From `qbase.trends.estimate_followup`.

    Returns
    -------
    Result
        A full count of proposals. Table ``proposals``: rule, zh, en, on_zh, on_en. Without an answer where no rule
        applies.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import advise_county, read_place
    >>> from qbase.indicators import read_followup
    >>> from qbase.trends import estimate_followup
    >>> workspace = open_workspace()
    >>> records = read_place(workspace, "青棹镇", last="2025Q4")
    >>> done = estimate_followup(read_followup(workspace, entity="town_code"), entity=records.entity)
    >>> advise_county(records, standings=(), followup=done).tables["proposals"][["rule", "on_en"]].values.tolist()[0]
    ['overdue', '3 of 17 orders are past their day without a re-check']
    """
    rows = [*_of_gates(standings), *_of_items(items), *_of_followup(followup), *_of_open(standings)]
    table = pd.DataFrame(rows, columns=["rule", "zh", "en", "on_zh", "on_en"]).drop_duplicates(ignore_index=True)
    n, name = len(table), records.place.name
    about: dict[str, Any] = {
        "estimand": "level", "outcome": PROPOSED, "unit": "item", "method": "stated_rules", "subject": name,
        "tables": {"proposals": table}, "notes": (RULES,), "sources": records.sources,
        "coverage": records.panel.coverage_of(RATE),
        "settings": {"entity": records.entity, "entity_kind": records.place.kind, "period": records.year_code},
    }  # fmt: skip
    if not n:
        why = Text("{subject}：没有规则适用于所列的发现。", "{subject}: no rule applies to what was found.")
        return Result(**about, estimates=(), labels={"unanswered": NOTHING}, unanswered=why)
    key = {"entity": records.entity, "period": records.year_code}
    first = Text(str(table["zh"].iloc[0]), str(table["en"].iloc[0]))
    said = Text(
        f"按写明的规则，对{name.zh}有 {count(n)} 条对策建议，首先是：{first.zh}。",
        f"By stated rules {count(n)} proposals follow for {name.en}; first: {first.en}.",
    )
    made = Estimate(term="proposals", key=key, value=float(n), n_obs=n, uncertainty="none_full_count")
    return Result(**about, estimates=(made,), labels={"said[proposals]": said})


def _row(rule: str, **words: Text) -> tuple[str, str, str, str, str]:
    texts = rules()[rule]
    said, on = (t.format(**words) for t in texts)
    return rule, said.zh, said.en, on.zh, on.en


def _of_gates(standings: Sequence[Result]) -> Iterator[tuple[str, str, str, str, str]]:
    for standing in standings:
        frame = standing.tables["standing"]
        for row in frame[frame["is_binding"] & (frame["verdict"] == "not_met")].to_dict("records"):
            gate = Text(f"{row['gate']} {row['name_zh']}", f"{row['gate']} ({row['name_en']})")
            step = Text(str(row["step_zh"]), str(row["step_en"]))
            title = standing.labels.get("preset", same(str(standing.settings["preset"])))
            yield _row("gate", step=step, who=standing.subject, gate=gate, preset=title)


def _of_items(items: Result | None) -> Iterator[tuple[str, str, str, str, str]]:
    if items is None or not items.estimates:
        return
    found = items.tables["items"]
    for row in found[~found["is_label"].astype(bool) & (found["n_firms"] >= LEAST_FIRMS)].head(1).to_dict("records"):
        counts = {c: same(count(int(row[c]))) for c in ("n", "k")}
        names = {c: name_text(str(row[c])) for c in ("product", "item")}
        yield _row("item", **names, **counts, firms=same(count(int(row["n_firms"]))))


def _of_followup(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str, str]]:
    for outcome, rule in (("D1c.overdue", "overdue"), ("D1c.repeat", "repeat")):
        for result in results:
            if result.outcome.id == outcome and result.estimates:
                counts = result.tables["counts"]
                n, k = int(counts["n"].sum()), int(counts["k"].sum())
                if k:
                    yield _row(rule, n=same(count(n)), k=same(count(k)))


def _of_open(standings: Sequence[Result]) -> Iterator[tuple[str, str, str, str, str]]:
    n = sum(int(s.tables["standing"]["open_by"].isin(["draws", "list"]).sum()) for s in standings)
    if n:
        yield _row("open", n=same(count(n)))


@read_once
def rules() -> ReadOnly[str, tuple[Text, Text]]:
    """Return what every rule proposes, and the finding it rests on.

    Examples
    --------
    >>> from qbase.scorecards.county.county_advice import rules
    >>> list(rules())
    ['gate', 'item', 'overdue', 'repeat', 'open']
    """
    file = resources.files("qbase.scorecards.county").joinpath("county_rules.toml")
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return freeze({name: (Text(w["zh"], w["en"]), Text(w["on_zh"], w["on_en"])) for name, w in raw.items()})
