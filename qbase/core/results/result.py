"""The result of an estimator, and the verdicts built from results: number and sentence from one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from qbase.core.coverage import Coverage
from qbase.core.errors import DataError
from qbase.core.results.account_words import say_account
from qbase.core.results.sentences import plain_estimate, say_result, say_scorecard
from qbase.core.results.shown_cards import (
    ModelTable,
    build_result_card,
    build_scorecard_card,
    build_tidy,
    say_summary,
)
from qbase.core.shown.display import Prose
from qbase.core.text import Text, join
from qbase.core.values import EMPTY, CheckResult, Estimate, Grade, Indicator, Key, Source, freeze

NO_WORDS = Text("", "")

SAME_QUESTION = ("policy", "weight", "level", "freq", "entity_kind")
"""Settings that are no assumption: estimates that differ in one of them do not answer one question."""

Estimand = Literal["level", "change", "trend", "effect", "need", "gap"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Result(ModelTable):
    """What an estimator found.

    Parameters
    ----------
    estimand : {"level", "change", "trend", "effect", "need", "gap"}
        What kind of quantity it is; chooses the sentence.
    outcome : Indicator
        What was measured.
    unit : str
        Unit of the estimates: ``pp`` for a difference of percentages.
    method : str
        Name of the method, ``wilson``, ``twfe`` …
    estimates : tuple of Estimate
        At least one, unless ``unanswered`` says why there is none.
    vcov : pandas.DataFrame or None
        Terms x terms.
    tables : mapping
        Name -> frame: series, limits, weights, paths.
    checks : tuple of CheckResult
        Nothing fails in silence.
    grade : {"strong", "moderate", "limited"} or None
        Cap on the evidence set by the method; `qbase.core.results.sentences.grade_of` can only lower it.
    notes : tuple of Text
        Limits and assumptions, one sentence each.
    settings : mapping
        JSON values: everything needed to repeat it.
    sources : tuple of Source
        What it rests on.
    subject : Text
        Whom it is about: the entity, or the treated group.
    labels : mapping
        Term -> words for it in a sentence; ``subject[term]`` -> whom that term is about, where it is not ``subject``;
        ``said[term]`` -> the whole sentence, said once for all estimates of the term; ``entity[id]`` -> a name.
    spoken : tuple of int
        Which estimates `say` speaks of, by position; none where there is no estimate.
    unanswered : Text
        Why the data cannot answer, as a sentence that may name ``{subject}`` and ``{outcome}``; empty where there are
        estimates. A few words for it are in ``labels["unanswered"]``.
    coverage : Coverage or None
        How many of the records on record it stands on, from `Panel.coverage_of`; above the declared limit of losses
        the evidence is limited.

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Result, Text
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> rise = Estimate(term="change", value=4.1, std_error=1.2, ci_low=1.7, ci_high=6.5)
    >>> cluster = Text("望埭镇涤纶产业集群", "Wangdai polyester fibre cluster")
    >>> result = Result(
    ...     estimand="change", outcome=rate, unit="pp", method="newcombe", estimates=(rise,), subject=cluster
    ... )
    >>> result
    <Result change:D1.batch:newcombe: Wangdai polyester fibre cluster>
      change: 4.1 pp (1.2), 95% CI 1.7–6.5
    >>> print(result.say().items[0].en)
    The pass rate of the Wangdai polyester fibre cluster rose by an estimated 4.1 percentage points (95% CI
        1.7–6.5; strong evidence).
    >>> result.tidy()[["term", "estimate", "conf_low", "conf_high", "level", "unit"]].values.tolist()
    [['change', 4.1, 1.7, 6.5, 0.95, 'pp']]
    """

    estimand: Estimand
    outcome: Indicator
    unit: str
    method: str
    estimates: tuple[Estimate, ...]
    subject: Text
    vcov: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()
    grade: Grade | None = None
    notes: tuple[Text, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    labels: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    spoken: tuple[int, ...] = (0,)
    unanswered: Text = NO_WORDS
    coverage: Coverage | None = None

    def __post_init__(self) -> None:
        for name in ("tables", "settings", "labels"):
            object.__setattr__(self, name, freeze(getattr(self, name)))
        if not self.estimates and self.unanswered.zh:
            object.__setattr__(self, "spoken", ())
        elif not self.estimates:
            raise DataError(
                "QB140",
                method=self.method,
                found="0 estimates",
                expected="at least one",
                fix="check the panel before estimating",
            )

    @property
    def name(self) -> str:
        """Name in the record: estimand, outcome and method."""
        return f"{self.estimand}:{self.outcome.id}:{self.method}"

    @property
    def account(self) -> Text | None:
        """How many of the records on record it stands on, in words; None where everything was counted.

        Raises
        ------
        DataError
            It was made from records of the lake and does not say how many of them (QB147).
        """
        if self.estimand == "need" and self.coverage is None:
            return None
        return say_account(self.name, self.coverage, self.sources, self.estimates)

    def __getitem__(self, term: str) -> Estimate:
        return self.find(term)

    def find(self, term: str, **key: Key) -> Estimate:
        """Return the one estimate of a term, narrowed by parts of its key.

        Raises
        ------
        DataError
            No estimate fits, or several do (QB141).
        """
        fits = [e for e in self.estimates if e.term == term and all(e.key.get(k) == v for k, v in key.items())]
        if len(fits) != 1:
            terms = sorted({e.term for e in self.estimates})
            raise DataError(
                "QB141",
                term=term,
                found=f"{len(fits)} estimates of {term} {key or ''}".strip(),
                expected="one of " + ", ".join(terms),
                fix="narrow by key: result.find(term, event_time=1)",
            )
        return fits[0]

    def tidy(self) -> pd.DataFrame:
        """Return one row per estimate: term, parts of the key, estimate, conf_low, conf_high, level, n, unit."""
        return build_tidy(self)

    def summary(self, lang: str | None = None) -> str:
        """Return a table of text with sentences and checks: ``print(result.summary())``; ``lang`` is zh or en."""
        return say_summary(self, lang)

    def say(self) -> Prose:
        """Return the result in words, Chinese and English, one sentence per spoken estimate."""
        return say_result(self)

    def __len__(self) -> int:
        return len(self.estimates)

    def __bool__(self) -> bool:
        return True

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys(e.term for e in self.estimates))

    def _repr_html_(self) -> str | None:
        return build_result_card(self)

    def __repr__(self) -> str:
        lines = [f"<Result {self.name}: {self.subject.en}>"]
        lines += [] if self.estimates else ["  no estimate: " + self.say().items[0].en]
        lines += ["  " + plain_estimate(self, e) for e in self.estimates[:12]]
        if len(self.estimates) > 12:
            lines.append(f"  … {len(self.estimates) - 12} more")
        return "\n".join(lines)


def add_checks(result: Result, *checks: CheckResult) -> Result:
    """Return the result with further checks, such as how many rows the panel could place.

    Parameters
    ----------
    result : Result
        Left unchanged.
    *checks : CheckResult
        Appended in order.

    Returns
    -------
    Result

    Examples
    --------
    >>> from qbase.core import CheckResult, Text, add_checks
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> result = estimate_level(build_panel(open_workspace(), "D1.batch"), "D1.batch", entity="K003")
    >>> placed = CheckResult(name="placed", passed=True, text=Text("每批均已归入集群", "every batch has a cluster"))
    >>> [check.name for check in add_checks(result, placed).checks]
    ['small_n', 'placed']
    """
    return dataclasses.replace(result, checks=(*result.checks, *checks))


def distinct_checks(*results: Result) -> list[CheckResult]:
    """Return the checks of some results, each once; one that another of its name says word for word is left out.

    How many records a result stands on is the first of its checks.
    """
    accounted = [r.checks if r.coverage is None else (r.coverage.check(), *r.checks) for r in results]
    checks = {(c.name, c.passed, c.text.en): c for found in accounted for c in found}
    return [
        c
        for c in checks.values()
        if not any(
            # what follows on a few words begins with a small letter there
            o.name == c.name
            and o.passed == c.passed
            and len(c.text.en) < len(o.text.en)
            and c.text.en.casefold() in o.text.en.casefold()
            for o in checks.values()
        )
    ]


Verdict = Literal["met", "not_met", "cannot_tell"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Criterion:
    """One criterion of a scorecard: a value against a target under a preset.

    Parameters
    ----------
    indicator : Indicator
        What is judged.
    estimate : Estimate
        Value with interval.
    target : float
        In the indicator's unit.
    source : Text
        Where the target comes from.
    verdict : {"met", "not_met", "cannot_tell"}
        ``met`` only when the whole interval is on the good side.
    probability_met : float or None
        When a distribution is known, and there are draws enough for a verdict.
    gate : str
        Line of the catalogue the criterion decides, ``N5``; empty outside of gates.
    judged : Text
        What was judged: treatment of draws, window, number of draws; or the count on a list.
    why : Text
        Why there is no verdict, and what is left open, or what decided where the value alone does not show it; empty
        where nothing is.
    n_possible : int or None
        Smallest number of draws at which ``met`` becomes possible, all of them passing.

    Examples
    --------
    >>> from qbase.core import Criterion, Estimate, Indicator, Text
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> value = Estimate(term="rate", value=93.3, ci_low=88.2, ci_high=96.3)
    >>> source = Text("三年行动方案", "three-year plan")
    >>> goal = Criterion(indicator=rate, estimate=value, target=90.0, source=source, verdict="cannot_tell")
    >>> goal.estimate.ci_low, goal.target, goal.verdict
    (88.2, 90.0, 'cannot_tell')
    """

    indicator: Indicator
    estimate: Estimate
    target: float
    source: Text
    verdict: Verdict
    probability_met: float | None = None
    gate: str = ""
    judged: Text = NO_WORDS
    why: Text = NO_WORDS
    n_possible: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenGate:
    """A gate of a preset that cannot be judged: no threshold, or no data.

    Parameters
    ----------
    gate : str
        Line of the catalogue, ``L5``.
    name : Text
        What it asks for.
    why : Text
        What is missing.

    Examples
    --------
    >>> from qbase.core import OpenGate, Text
    >>> gate = OpenGate(gate="L5", name=Text("规划布局", "layout"), why=Text("缺表 firms", "table firms is missing"))
    >>> gate.gate, gate.why.en
    ('L5', 'table firms is missing')
    """

    gate: str
    name: Text
    why: Text


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scorecard:
    """Verdicts on one entity under one preset; a verdict always names its preset.

    Its ``coverage`` is that of the result judged which lost most of the records it should count; ``missing`` are the
    gates of the preset that have no criterion; ``titles`` are a few words for each gate.

    Examples
    --------
    >>> from qbase.core import Criterion, Estimate, Indicator, Scorecard, Text
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> value = Estimate(term="rate", value=93.3, ci_low=88.2, ci_high=96.3)
    >>> source, title = Text("三年行动方案", "three-year plan"), Text("本省目标", "Our targets")
    >>> goal = Criterion(indicator=rate, estimate=value, target=90.0, source=source, verdict="cannot_tell")
    >>> wangdai = Text("望埭镇涤纶产业集群", "Wangdai polyester fibre cluster")
    >>> card = Scorecard(entity="K003", subject=wangdai, preset="own", preset_title=title, criteria=(goal,))
    >>> card
    <Scorecard K003 under own: D1.batch cannot_tell>
    >>> print(card.say().items[0].en)
    The pass rate of the Wangdai polyester fibre cluster (93.3%, 95% CI 88.2–96.3) cannot yet be said to meet or
        miss the target of 90.0% (preset: Our targets; source: three-year plan).
    """

    entity: str
    subject: Text
    preset: str
    preset_title: Text
    criteria: tuple[Criterion, ...]
    sources: tuple[Source, ...] = ()
    coverage: Coverage | None = None
    missing: tuple[OpenGate, ...] = ()
    titles: Mapping[str, Text] = dataclasses.field(default_factory=lambda: EMPTY)

    @property
    def name(self) -> str:
        """Name in the record."""
        return f"scorecard:{self.entity}:{self.preset}"

    @property
    def account(self) -> Text | None:
        """How many of the records on record it stands on, in words, as `Result.account`."""
        return say_account(self.name, self.coverage, self.sources, [c.estimate for c in self.criteria])

    def gate_name(self, gate: str) -> Text:
        """Return what a gate asks for; where it has no title, what it is judged on."""
        own = [*(c.indicator.label for c in self.criteria if c.gate == gate)]
        own += [m.name for m in self.missing if m.gate == gate]
        return self.titles.get(gate) or join(list(dict.fromkeys(own)), zh="、", en=", ")

    def say(self) -> Prose:
        """Return one sentence per criterion, each naming the preset."""
        return say_scorecard(self)

    def __len__(self) -> int:
        return len(self.criteria)

    def __bool__(self) -> bool:
        return True

    def _repr_html_(self) -> str | None:
        return build_scorecard_card(self, [(gate.name, gate.why) for gate in self.missing])

    def __repr__(self) -> str:
        rows = ", ".join(f"{c.indicator.id} {c.verdict}" for c in self.criteria)
        return f"<Scorecard {self.entity} under {self.preset}: {rows}>"
