"""The evaluation before the policy: effects that will be found after some years, by clusters, draws and design."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_text, read_whole
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Key
from qbase.effects.comparison.outcome_grid import OutcomeGrid, build_grid
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.lab.design_answers import PathInference
from qbase.effects.lab.lab_words import detectable_indicator
from qbase.effects.lab.untreated_history import History
from qbase.planning.evaluating import evaluation_words as words
from qbase.planning.evaluating.detectable_search import Found, Point, find_detectable
from qbase.planning.evaluating.evaluation_designs import DESIGNS, NAMES, DesignName, plan_starts
from qbase.planning.evaluating.future_rates import PastRates, draw_futures, read_past_rates
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.testing.detectable_effect import POWER

METHOD = "simulated_evaluation"
YEARS = (1, 2, 3)
BATCHES = (8, 16, 32)
BEFORE = 20
"""Quarters of the past an evaluation has: more steady the levels, and make the draws slow."""

MOST = {"clusters": 200, "batches": 500, "years": 10}
Pair = tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """Options of `plan_evaluation`, checked."""

    pairs: tuple[Pair, ...]
    batches: tuple[int, ...]
    years: tuple[int, ...]
    designs: tuple[DesignName, ...]
    draws: int
    before: int
    power: float
    inference: PathInference


def plan_evaluation(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    clusters: Iterable[Pair] | None = None,
    batches: Iterable[int] = BATCHES,
    years: Iterable[int] = YEARS,
    designs: Sequence[str] = DESIGNS,
    before: int = BEFORE,
    draws: int = 200,
    permutations: int = 199,
    power: float = POWER,
    level: float = 0.95,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Plan an evaluation: the effect that will be found after some years, by clusters, draws and design.

    Years to come are drawn as the past was: levels of clusters, shocks of one quarter, shocks that last, and as many
    batches as are planned, after a past with the batches there were. Effects act on the true rates of the treated. Each
    draw is judged by the estimator and the exchange of histories that the letters will use
    (`qbase.effects.doubt.few_clusters.infer`), never by a formula. All plans share their draws, so that what differs
    between them is not chance.

    Parameters
    ----------
    panel : Panel
        Its past rates; ``outcome`` must count batches and passes.
    policy : Policy
        Whose treated cells tell nothing of rates without one.
    outcome : str
        Id of an indicator of the panel.
    clusters : iterable of (int, int) or None
        How many are treated and compared; None takes a third, and the rest, of those never treated.
    batches : iterable of int
        In each cluster and quarter to come.
    years : iterable of int
        After the first start at which the effect is judged.
    designs : sequence of str
        ``did`` (one start for all; imputation), ``staggered`` (starts within a year; group-time effects), ``phase_in``
        (starts within two years in an order by lot; imputation).
    before : int
        Quarters of the past that are used, at most those there are.
    draws : int
        Histories drawn.
    permutations : int
        Exchanges of histories behind an interval; the letters use 999, which finds some tenths of a point more.
    power : float
        Chance with which an effect is to be found.
    level : float
        Of intervals; the size of the test is what it leaves.
    seed : int
        Of all draws.
    subject : Text or None
        In place of the words for the policy.

    Returns
    -------
    Result
        Estimand ``level``, outcome ``….detectable``: term ``detectable`` with keys ``design``, ``treated``,
        ``comparison``, ``batches`` and ``years``, the bounds being the Monte-Carlo error. Table ``evaluation``: one row
        a plan with detectable effect and bounds (infinite where none is found), size, draws without an answer, and how
        many have started. Table ``power``: share found at each effect played.

    Raises
    ------
    PanelError, PolicyError, DataError
        See `qbase.effects.comparison.outcome_grid.build_grid`; an outcome without batches (QB633), too little untreated
        (QB634).
    UsageError
        Options that are none (QB144, QB503, QB519, QB635).

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects. Evaluation Review 19, 547-556. Burlig, F., Preonas, L. and Woerman,
    M. (2020). Panel data and experimental design. J. Development Economics 144.

    Examples
    --------
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_evaluation
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> found = plan_evaluation(
    ...     panel, policy, "D1.batch", clusters=[(4, 8)], batches=[20], years=[3], designs=["did"], draws=40
    ... )
    >>> found.tables["evaluation"][["design", "treated", "comparison", "batches", "years"]].values.tolist()
    [['did', 4, 8, 20, 3]]
    """
    check_level(level)
    grid = build_grid(panel, policy, outcome)
    untreated = int((~grid.is_treated).sum())
    asked = _asked(
        untreated, grid.n_periods, clusters, batches, years, designs, before, draws, power,
        PathInference(
            level=level, permutations=read_count("permutations", permutations, least=19),
            seed=read_count("seed", seed, example=str(SEED)),
        ),
    )  # fmt: skip
    past = read_past_rates(grid, asked.before)
    found = [item for pair in asked.pairs for item in _play(grid, past, asked, pair)]
    return _result(panel, policy, grid, asked, found, untreated, subject)


def _play(grid: OutcomeGrid, past: PastRates, asked: Asked, pair: Pair) -> Iterator[tuple[Pair, Point, int, Found]]:
    """Yield what each plan with so many clusters finds; all of them share the histories."""
    each_year, n_entities = PER_YEAR[grid.freq], sum(pair)
    futures = draw_futures(
        past, n_entities=n_entities, quarters=each_year * max(asked.years), draws=asked.draws, seed=asked.inference.seed
    )
    before = past.n.shape[1]
    for design in asked.designs:
        for each in asked.batches:
            for years in asked.years:
                n_periods = before + each_year * years
                start = plan_starts(
                    design, treated=pair[0], entities=n_entities, before=before, n_periods=n_periods,
                    per_year=each_year,
                )  # fmt: skip
                point = Point(design=design, each=each, n_periods=n_periods, start=start)
                history = bare_history(grid, n_entities, n_periods)
                yield pair, point, years, find_detectable(history, futures, point, asked.inference, power=asked.power)


def bare_history(grid: OutcomeGrid, n_entities: int, n_periods: int) -> History:
    """Return a history of entities without outcomes, in the indicator and kind of period of a grid."""
    empty = np.zeros((n_entities, n_periods))
    bare = dataclasses.replace(
        grid, entities=tuple(f"{i:03d}" for i in range(n_entities)), y=empty, n=empty, k=empty,
        start=np.full(n_entities, np.nan), weight=np.ones(n_entities), cluster=np.arange(n_entities), labels={},
    )  # fmt: skip
    return History(grid=bare, kind="never", entity="cluster_id", offsets=(0,))


def _asked(
    untreated: int, n_periods: int, clusters: Iterable[Pair] | None, batches: Iterable[int], years: Iterable[int],
    designs: Sequence[str], before: int, draws: int, power: float, inference: PathInference,
) -> Asked:  # fmt: skip
    for name in designs:
        check_word("designs", name, DESIGNS)
    if not designs:
        raise _refused("designs", "()", " | ".join(DESIGNS), 'designs=["phase_in"]')
    if not (isinstance(power, float) and 0.5 <= power <= 0.99):
        raise _refused("power", power, "0.5 to 0.99", "power=0.8")
    usual = max(untreated // 3, 3)
    pairs = [(usual, max(untreated - usual, 3))] if clusters is None else [_pair(c) for c in clusters]
    if not pairs:
        raise _refused("clusters", "()", "pairs such as (4, 8)", "clusters=[(4, 8)]")
    return Asked(
        pairs=tuple(dict.fromkeys(pairs)),
        batches=_axis("batches", batches),
        years=_axis("years", years),
        designs=tuple(cast(DesignName, d) for d in dict.fromkeys(designs)),
        draws=read_count("draws", draws, least=20, example="200"),
        before=min(read_count("before", before, least=4, example="20"), n_periods),
        power=power,
        inference=inference,
    )


def _pair(given: object) -> Pair:
    sizes = [read_whole(v) for v in given] if isinstance(given, tuple | list) else []
    whole = [v for v in sizes if v is not None]
    is_pair = len(sizes) == len(whole) == 2 and whole[0] >= 1 and whole[1] >= 2
    if not is_pair or sum(whole) > MOST["clusters"]:
        expected = f"(treated, comparison), at least (1, 2), at most {MOST['clusters']} in all"
        raise _refused("clusters", given, expected, "clusters=[(4, 8)]")
    return whole[0], whole[1]


def _axis(option: str, given: Iterable[int]) -> tuple[int, ...]:
    values = list(given) if isinstance(given, Iterable) else [given]
    whole = [read_whole(v) for v in values]
    kept = [v for v in whole if v is not None and 1 <= v <= MOST[option]]
    if not kept or len(kept) < len(values):
        raise _refused(option, values, f"whole numbers, 1 to {MOST[option]}", f"{option}=[2]")
    return tuple(sorted(set(kept)))


def _result(
    panel: Panel, policy: Policy, grid: OutcomeGrid, asked: Asked, found: list[tuple[Pair, Point, int, Found]],
    untreated: int, subject: Text | None,
) -> Result:  # fmt: skip
    indicator, inference = grid.indicator, asked.inference
    table = pd.DataFrame([_row(*item) for item in found])
    estimates = tuple(e for e in (_estimate(r, inference.level) for r in table.to_dict("records")) if e is not None)
    lead = words.choose_lead(table)
    return Result(
        estimand="level",
        outcome=detectable_indicator(indicator, asked.power),
        unit=difference_unit(indicator.unit),
        method=METHOD,
        estimates=estimates,
        subject=policy.title if subject is None else read_text("subject", subject),
        tables={"evaluation": table, "power": pd.DataFrame([row for item in found for row in _curve(*item)])},
        checks=(
            words.check_size(table, inference.level, asked.draws), words.check_answers(table),
            words.check_clusters(table, untreated),
        ),
        notes=(words.HOW, words.JUDGED, words.error_note(asked.draws, inference.level)),
        settings={
            "outcome": indicator.id, "policy": policy.policy_id, "freq": panel.freq, "sampling": panel.sampling,
            "clusters": [list(p) for p in asked.pairs], "batches": list(asked.batches), "years": list(asked.years),
            "designs": list(asked.designs), "before": asked.before, "draws": asked.draws, "power": asked.power,
            "level": inference.level, "permutations": inference.permutations, "seed": inference.seed,
        },
        sources=(*panel.sources, *policy.sources),
        labels={
            "outcome": indicator.label, **{f"design[{d}]": NAMES[d] for d in asked.designs},
            **({"said[detectable]": words.say_plan(table, lead, asked.power)} if lead and estimates else {}),
        },
        unanswered=Text("", "") if estimates else words.NOTHING_FOUND,
        coverage=panel.coverage_of(indicator.id),
    )  # fmt: skip


def _row(pair: Pair, point: Point, years: int, found: Found) -> dict[str, Any]:
    value, low, high = found.detectable
    return {
        "design": point.design, "treated": pair[0], "comparison": pair[1], "batches": point.each, "years": years,
        "n_started": int(np.isfinite(point.start).sum()),
        "detectable": value, "detectable_low": low, "detectable_high": high, "largest": float(found.gain[-1]),
        "size_pct": found.size.value, "size_low_pct": found.size.low, "size_high_pct": found.size.high,
        "unanswered_pct": found.unanswered.value,
    }  # fmt: skip


def _curve(pair: Pair, point: Point, years: int, found: Found) -> Iterator[dict[str, Any]]:
    for gain, share in zip(found.gain, found.found, strict=True):
        yield {
            "design": point.design, "treated": pair[0], "comparison": pair[1], "batches": point.each, "years": years,
            "effect": float(gain), "found_pct": share.value, "found_low_pct": share.low, "found_high_pct": share.high,
        }  # fmt: skip


def _estimate(row: dict[Any, Any], level: float) -> Estimate | None:
    value, low, high = (float(row[name]) for name in ("detectable", "detectable_low", "detectable_high"))
    if not math.isfinite(value) or not math.isfinite(high):
        return None
    key: dict[str, Key] = {"design": str(row["design"])}
    key |= {name: int(row[name]) for name in ("treated", "comparison", "batches", "years")}
    return Estimate(
        term="detectable", key=key, value=value, ci_low=min(low, value), ci_high=max(high, value), ci_level=level,
        n_treated=int(row["n_started"]), uncertainty="randomisation",
    )  # fmt: skip


def _refused(option: str, value: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB635", option=option, value=value, found=f"{option}={value!r}", expected=expected, fix=fix)
