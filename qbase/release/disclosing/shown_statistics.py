"""Which class of statistic a value is, and what its class asks for that is not so: values no pattern vouches for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from qbase.core.panel import Panel
from qbase.core.results.result import Result, Scorecard
from qbase.core.shown.display import Figure, Table
from qbase.core.values import Indicator, freeze
from qbase.release.disclosing.disclosure_presets import DisclosurePreset
from qbase.release.disclosing.primary_rules import CLASSES, FACTS, RULES, judge_cells

NEEDS: Mapping[str, tuple[str, ...]] = freeze(
    {
        "firms": ("n_firms",),
        "counted": ("n", "k"),
        "dominance": ("n", "top1", "top2"),
        "p_percent": ("n", "top1", "top2"),
        "whole": ("n", "k", "n_firms"),
        "freedom": ("freedom",),
        "tail": ("tail_firms",),
        "single": (),
    }
)
"""Rule -> facts it needs."""
CONCENTRATIONS = ("D4.cr4", "D4.hhi")
EXTREMES = ("rank",)
RATIOS = ("index", "ratio")
OF_A_MODEL = ("trend", "effect")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Statistic:
    """Shown values of one class.

    Parameters
    ----------
    name : str
        Table and column they stand in.
    kind : str
        Key of `qbase.release.disclosing.primary_rules.CLASSES`.
    facts : pandas.DataFrame
        One row per value, with those of `FACTS` that are known.
    """

    name: str
    kind: str
    facts: pd.DataFrame

    def missing(self) -> list[str]:
        """Return the facts that a rule of its class needs and nobody knows."""
        needed = {fact for check in CLASSES[self.kind].checks for fact in NEEDS[check]}
        return [f for f in FACTS if f in needed and (f not in self.facts or self.facts[f].isna().any())]

    def broken(self, rules: DisclosurePreset) -> dict[str, int]:
        """Return rule -> how many values break it first."""
        found = judge_cells(self.facts, rules, checks=CLASSES[self.kind].checks).value_counts()
        return {rule: int(found[rule]) for rule in RULES if rule in found}


def find_class(indicator: Indicator, estimand: str = "level") -> str:
    """Return the class of statistic of an indicator, or of what a model says of it.

    Parameters
    ----------
    indicator : Indicator
        What was measured.
    estimand : str
        Of the result.
    """
    if estimand in OF_A_MODEL:
        return "coefficient"
    if indicator.id in CONCENTRATIONS:
        return "concentration"
    if indicator.unit in EXTREMES:
        return "extreme"
    if indicator.unit == "pct":
        return "rate"
    if indicator.unit == "count":
        return "count"
    return "ratio" if indicator.unit in RATIOS or "per" in indicator.unit else "mean"


def list_statistics(value: Any) -> Iterator[Statistic]:
    """Yield what a value shows, by class; nothing where it holds no counts at all.

    A table tells its class in a column ``statistic`` (one word), else one with passes is of rates, and any other of
    means.
    """
    if isinstance(value, Panel):
        for outcome, indicator in value.indicators.items():
            shown = value.data[value.data[outcome].notna()]
            named = {f"{outcome}__{fact}": fact for fact in FACTS}
            yield Statistic(name=outcome, kind=find_class(indicator), facts=_facts(shown.rename(columns=named)))
    elif isinstance(value, Result):
        for name, frame in value.tables.items():
            yield Statistic(name=name, kind=find_class(value.outcome, value.estimand), facts=_facts(frame))
    elif isinstance(value, Table | Figure):
        table = value.table if isinstance(value, Figure) else value
        frame = pd.DataFrame(dict(table.data))
        yield Statistic(name=table.name, kind=_told(frame), facts=_facts(frame))


def _told(frame: pd.DataFrame) -> str:
    words = set(frame["statistic"]) if "statistic" in frame else set()
    if len(words) == 1 and (word := words.pop()) in CLASSES:
        return str(word)
    return "rate" if "k" in frame else "mean"


def _facts(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame[[fact for fact in FACTS if fact in frame]]
    return kept.apply(pd.to_numeric, errors="coerce") if len(kept.columns) else kept


def find_unprotected(value: Result | Scorecard, editions: Sequence[str]) -> str | None:
    """Return what in a result of a protected panel was counted outside of it, in words; None for nothing.

    Parameters
    ----------
    value : Result or Scorecard
        It names a pattern among its sources.
    editions : sequence of str
        Of the patterns it names.
    """
    if len(set(editions)) > 1:
        return f"two presets, {' and '.join(sorted(set(editions)))}"
    if isinstance(value, Scorecard):
        return None
    if value.settings.get("firms"):
        return "intervals from counts of single firms"
    if "history" in value.tables:
        return "yearly totals from before"
    pending = [name for name, frame in value.tables.items() if "pending_count" in frame]
    return f"pending results in {pending[0]}" if pending else None
