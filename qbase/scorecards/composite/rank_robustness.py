"""How far the ranks of an index can be trusted: data as they might have come out, method as it might have been."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.given import read_whole
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.scorecards.composite.choice_sensitivity import estimate_sensitivity
from qbase.scorecards.composite.index_alternatives import Alternatives
from qbase.scorecards.composite.index_building import CompositeIndex
from qbase.scorecards.composite.index_worlds import Ints, Setup, choose, rank_worlds, set_up
from qbase.scorecards.composite.robustness_words import (
    EVERYBODY,
    FACTOR_NAMES,
    KINDS,
    NOTES,
    OTHERS,
    check_doubt,
    check_entropy,
    check_gaps,
    check_order,
    check_screening,
    say_robustness,
)

SEED = 20080101
"""Year of the handbook."""
LEAST_WORLDS, MOST_WORLDS = 100, 100_000


def estimate_rank_robustness(
    index: CompositeIndex,
    alternatives: Alternatives | None = None,
    *,
    worlds: int = 4000,
    level: float = 0.90,
    seed: int = SEED,
) -> Result:
    """Estimate in which ranks entities come out when data and method might have been others.

    In each world every value is drawn anew from its doubt (rates from their posterior under Jeffreys' prior) and every
    step of the method is one that might have been chosen: normalisation, weights, mean, imputation, outliers, an
    indicator left out. The interval of a rank spans the middle ``level`` of the worlds. It tells how firm the index is,
    and is no confidence interval of a true rank: there is no true index. For a single rate use
    `qbase.trends.rank_entities`.

    Parameters
    ----------
    index : CompositeIndex
        From `build_index`.
    alternatives : Alternatives or None
        What else might have been chosen; None takes the usual alternatives.
    worlds : int
        How many, 100 to 100,000.
    level : float
        Share of the worlds that an interval spans.
    seed : int
        Above 0. The same seed gives the same worlds, whatever the order or the names of the entities.

    Returns
    -------
    Result
        Estimand ``level`` in ranks, one estimate ``rank`` per entity: the middle rank over all worlds with its
        interval. Tables ``ranks`` (``entity name_zh name_en rank median low high share_first index is_doubted``; rank
        and index as designed), ``choices`` (Sobol indices of the mean shift of ranks), ``weights``, ``contributions``,
        ``steps``. Checks ``doubt_carried``, ``screened``, ``gaps``, ``order_seen``, ``entropy_weights``.

    Raises
    ------
    UsageError
        A number of worlds, a level or a seed that cannot be (QB668).

    References
    ----------
    OECD/JRC (2008), step 7. Saisana, M., Saltelli, A. and Tarantola, S. (2005). Uncertainty and sensitivity analysis
    techniques as tools for the quality assessment of composite indicators. JRSS A 168, 307-323.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, estimate_rank_robustness, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design, period="2025")
    >>> robust = estimate_rank_robustness(index, worlds=500)
    >>> table = robust.tables["ranks"].set_index("entity")
    >>> table.loc[["K006", "K001"], ["rank", "low", "high"]]
            rank  low  high
    entity
    K006       1    1     3
    K001       2    1     6
    """
    _check_call(worlds, level, seed)
    setup = set_up(index, alternatives or Alternatives())
    as_designed = np.array(index.scores.set_index("entity")["rank"].reindex(list(index.kept.entities)), dtype=np.int64)
    uniform = np.random.default_rng([seed, 0]).random((worlds, len(setup.factors)))
    ranks = rank_worlds(setup, choose(setup, uniform), seed=seed)
    table = _table(index, as_designed, ranks, level)
    choices = estimate_sensitivity(setup, as_designed, seed=seed)
    choices = choices.assign(
        name_zh=[FACTOR_NAMES[f].zh for f in choices["factor"]], name_en=[FACTOR_NAMES[f].en for f in choices["factor"]]
    )
    weights = index.weights()
    draft = Result(
        estimand="level",
        outcome=_rank_of(index),
        unit="rank",
        method="index_worlds",
        estimates=tuple(_estimate(row, index, level) for row in table.to_dict("records")),
        subject=EVERYBODY.get(index.entity_kind, Text("全部对象", "all entities")),
        tables={
            "ranks": table, "choices": choices, "weights": weights, "contributions": index.contributions,
            "steps": _steps(index),
        },
        checks=(
            check_order(table), check_doubt(index), check_screening(index), check_gaps(index),
            check_entropy(index, weights),
        ),
        notes=NOTES,
        settings=_settings(index, setup, worlds, level, seed, table, as_designed, ranks),
        sources=index.sources,
        coverage=index.coverage,
        spoken=tuple(range(len(table))),
    )  # fmt: skip
    words = {f"entity[{e}]": index.kept.names[e] for e in index.kept.entities}
    words |= {f"indicator[{i.id}]": i.label for i in index.kept.indicators}
    words |= {
        "said[rank]": say_robustness(index, table, choices, draft.settings), "window": periods.label(index.kept.period),
        "kind": KINDS.get(index.entity_kind, OTHERS), "measured": index.design.name,
    }  # fmt: skip
    return dataclasses.replace(draft, labels=words)


def _check_call(worlds: object, level: object, seed: object) -> None:
    n, start = read_whole(worlds), read_whole(seed)
    if n is None or not LEAST_WORLDS <= n <= MOST_WORLDS:
        raise _impossible("worlds", worlds, f"{LEAST_WORLDS} to {MOST_WORLDS}", "worlds=4000")
    if not (isinstance(level, float) and 0.5 <= level < 1):
        raise _impossible("level", level, "0.5 to below 1", "level=0.9")
    if start is None or start < 1:
        raise _impossible("seed", seed, "a whole number above 0", f"seed={SEED}")


def _impossible(what: str, found: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB668", what=what, found=f"{found!r}", expected=expected, fix=fix)


def _table(index: CompositeIndex, as_designed: Ints, ranks: Ints, level: float) -> pd.DataFrame:
    tail = (1 - level) / 2
    # ranks of the sorted worlds themselves: between two ranks there is none
    low, median, high = np.quantile(ranks, [tail, 0.5, 1 - tail], axis=0, method="inverted_cdf").astype(np.int64)
    first = ranks == 1
    names = [index.kept.names[e] for e in index.kept.entities]
    table = pd.DataFrame({
        "entity": index.kept.entities, "name_zh": [t.zh for t in names], "name_en": [t.en for t in names],
        "rank": as_designed, "median": median, "low": low, "high": high,
        "share_first": 100 * (first / first.sum(axis=1, keepdims=True)).mean(axis=0),
        "is_doubted": index.kept.doubted.any(axis=1),
    })  # fmt: skip
    table = table.merge(index.scores[["entity", "index"]], on="entity", validate="one_to_one")
    return table.sort_values(["rank", "median", "low", "high", "entity"], ignore_index=True)


def _estimate(row: dict[Any, Any], index: CompositeIndex, level: float) -> Estimate:
    return Estimate(
        term="rank",
        key={"entity": str(row["entity"]), "period": periods.code(index.kept.period)},
        value=float(row["median"]),
        ci_low=float(row["low"]),
        ci_high=float(row["high"]),
        ci_level=level,
    )


def _rank_of(index: CompositeIndex) -> Indicator:
    name = index.design.name
    return Indicator(
        id=f"{index.design.id}.rank",
        name=Text(f"按{name.zh}排的位次", f"rank by the {name.en}"),
        unit="rank",
        better="down",
    )


def _steps(index: CompositeIndex) -> pd.DataFrame:
    rows = [(s.step, s.method, s.changed, s.text.zh, s.text.en) for s in index.steps]
    return pd.DataFrame(rows, columns=["step", "method", "changed", "text_zh", "text_en"])


def _settings(
    index: CompositeIndex, setup: Setup, worlds: int, level: float, seed: int, table: pd.DataFrame, as_designed: Ints,
    ranks: Ints,
) -> dict[str, Any]:  # fmt: skip
    design, m = index.design, len(index.kept.indicators)
    return {
        "outcome": design.id,
        "entity_kind": index.entity_kind,
        "period": periods.code(index.kept.period),
        "freq": index.freq,
        "level": level,
        "worlds": worlds,
        "seed": seed,
        "indicators": [i.id for i in index.kept.indicators],
        "n_entities": len(table),
        "n_indicators": m,
        "declared_on": design.declared_on,
        "weights_source": design.source.payload(),
        "factors": list(setup.factors),
        "options": {name: list(words) for name, words in setup.options.items()},
        "weight_spread": setup.alternatives.weight_spread,
        "mean_shift": float(np.abs(ranks - as_designed).mean()),
    }
