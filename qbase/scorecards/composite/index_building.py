"""Builds an index step by step, and keeps what every step did."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.coverage import Coverage
from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.values import Source
from qbase.scorecards.composite.data_steps import (
    Treatment,
    competition_ranks,
    find_treatment,
    impute,
    normalise,
    treat,
)
from qbase.scorecards.composite.index_design import IndexDesign, Weighting
from qbase.scorecards.composite.index_steps import IndexStep, say_screened, step_of, tell_steps
from qbase.scorecards.composite.index_values import (
    Bools,
    Floats,
    IndexValues,
    order_by_content,
    read_index_values,
)
from qbase.scorecards.composite.index_weights import Node, entropy_weights, list_nodes, weigh
from qbase.scorecards.composite.pillar_means import aggregate, effective_weights, split_score

if TYPE_CHECKING:
    from qbase.core.periods import Freq

LEAST_ENTITIES = 2
UNTREATED = Treatment(low=-np.inf, high=np.inf)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CompositeIndex:
    """An index of n entities with the record of its steps.

    Parameters
    ----------
    design : IndexDesign
        As declared.
    kept : IndexValues
        Values after screening, before anything was imputed; entities in an order that their names do not decide.
    dropped_entities, dropped_indicators : mapping
        What was screened out, with the share of its values that it had.
    treatments : tuple of Treatment
        Found for every indicator, and applied where the design says so.
    nodes : tuple of Node
        Pillars, the index last.
    scores : pandas.DataFrame
        ``entity name_zh name_en rank index`` and a column per pillar, from the first rank on.
    normalised : pandas.DataFrame
        Scores of indicators by entity.
    contributions : pandas.DataFrame
        ``entity indicator weight score contribution``: rows of an entity add up to its index, less ``base``.
    base : float
        0 for an arithmetic mean, the worst score for a geometric one.
    steps : tuple of IndexStep
        In order.
    entity_kind : str
        What the entities are, as in the panel.
    freq : {"Q", "A"}
        Of the panel.
    sources : tuple of Source
        What it rests on.
    coverage : Coverage or None
        The poorest of its indicators.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design, period="2025")
    >>> index.weights().head(2).round(3)
       indicator  equal  expert  entropy
    0   D1.batch  0.125   0.250    0.033
    1  L11.grade  0.125   0.125    0.004
    """

    design: IndexDesign
    kept: IndexValues
    dropped_entities: dict[str, float]
    dropped_indicators: dict[str, float]
    treatments: tuple[Treatment, ...]
    nodes: tuple[Node, ...]
    scores: pd.DataFrame
    normalised: pd.DataFrame
    contributions: pd.DataFrame
    base: float
    steps: tuple[IndexStep, ...]
    entity_kind: str
    freq: Freq
    sources: tuple[Source, ...] = ()
    coverage: Coverage | None = None

    @functools.cached_property
    def entropy(self) -> Floats:
        """Entropy weights of the indicators, shape (m,), whatever the design weighs by."""
        filled = impute(self.kept.values.T[None], self.design.imputation, _groups(self.kept, self.design))[0].T
        return entropy_weights(filled, self.kept.ups)

    def weigh(self, scheme: Weighting) -> list[Floats]:
        """Return the weights of the parts of every pillar under a scheme."""
        # only entropy needs what takes a second to import
        return weigh(self.nodes, scheme, self.entropy if scheme == "entropy" else np.empty(0))

    def weights(self) -> pd.DataFrame:
        """Return what each indicator weighs in the whole index under every scheme: columns indicator and schemes."""
        whole = np.zeros((1, len(self.kept.indicators)))
        table: dict[str, object] = {"indicator": [i.id for i in self.kept.indicators]}
        for scheme in get_args(Weighting):
            table[scheme] = effective_weights(whole, self.nodes, self.weigh(scheme))[0]
        return pd.DataFrame(table)

    def __repr__(self) -> str:
        n, m = len(self.kept.entities), len(self.kept.indicators)
        lines = [f"<CompositeIndex {self.design.id}: {n} entities x {m} indicators, {periods.code(self.kept.period)}>"]
        return "\n".join(lines + [f"  {step.text.en}" for step in self.steps])


def build_index(panel: Panel, design: IndexDesign, *, period: str | pd.Period | None = None) -> CompositeIndex:
    """Build a composite index of one period: screening, imputation, outliers, normalisation, weights, aggregation.

    A score alone has no doubt and makes no order: `estimate_rank_robustness` says how far its ranks can be trusted.

    Parameters
    ----------
    panel : Panel
        Holds the indicators of the design; its values are raw, not shrunk.
    design : IndexDesign
        Declared before looking.
    period : str, pandas.Period or None
        The last period of the panel when None.

    Returns
    -------
    CompositeIndex
        Scores, contributions that add up to them, and what each step did, counted.

    Raises
    ------
    PanelError
        The panel has no such indicator (QB123), or shrunk values of it (QB125).
    UsageError
        A period that is none (QB101), or an indicator without a better direction (QB662).
    DataError
        No value in the period (QB663), or too little is left after screening (QB664).

    References
    ----------
    OECD/JRC (2008). Handbook on constructing composite indicators: methodology and user guide. Becker, W. et al.
    (2022). COINr: an R package for developing composite indicators. JOSS 7(78), 4567.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design, period="2025")
    >>> index
    <CompositeIndex cluster_quality: 12 entities x 10 indicators, 2025>
      Screening: 12 entities and 10 indicators stay, none is left out for want of data.
      0 values (0.0%) are missing, 0 imputed (weights go to the others instead).
      Outliers: drawn in beyond a skew of 2 and a kurtosis of 3.5; 0 values drawn in, 0 indicators in logarithms.
      Normalisation: between the lowest and the highest value, 1 to 100 points; 0 indicators do not differ and do not
        count; 0 values beyond a declared range count as its end.
      Weights: equal within every pillar.
      Aggregation: arithmetic mean.
    >>> index.scores.loc[:1, ["entity", "rank", "index", "quality"]].round(1)
      entity  rank  index  quality
    0   K006     1   80.9     92.9
    1   K001     2   77.9     71.9
    """
    read = read_index_values(panel, design, period)
    kept, no_entity, no_indicator = _screen(read, design)
    nodes = list_nodes(design, tuple(i.id for i in kept.indicators))
    filled = impute(kept.values.T[None], design.imputation, _groups(kept, design))[0].T
    winsorise = design.outliers == "winsorise"
    treatments = tuple(find_treatment(filled[:, j]) for j in range(filled.shape[1]))
    applied = treatments if winsorise else tuple(UNTREATED for _ in treatments)
    treated = np.column_stack([treat(filled[:, j], t) for j, t in enumerate(applied)])
    ranges = declared_ranges(kept, design, applied)
    normalised = normalise(treated.T[None], design.normalisation, kept.ups, design.scale, ranges)[0].T
    entropy = entropy_weights(filled, kept.ups) if design.weighting == "entropy" else np.empty(0)
    own = weigh(nodes, design.weighting, entropy)
    found = [f[0] for f in aggregate(normalised.T[None], nodes, [w[None] for w in own], design.aggregation)]
    _check_scored(kept, found[-1])
    shares = effective_weights(normalised, nodes, own)
    base = design.scale[0] if design.aggregation == "geometric" else 0.0
    parts = split_score(normalised, found[-1], shares, design.aggregation, base)
    steps = (
        step_of(
            "screening", "coverage", len(no_entity) + len(no_indicator), say_screened(kept, no_entity, no_indicator)
        ),
        *tell_steps(kept, design, filled, applied, treated, normalised, ranges),
    )
    return CompositeIndex(
        design=design, kept=kept, dropped_entities=no_entity, dropped_indicators=no_indicator, treatments=treatments,
        nodes=nodes, scores=_scores(kept, nodes, found),
        normalised=pd.DataFrame(normalised, index=pd.Index(kept.entities, name="entity"),
                                columns=[i.id for i in kept.indicators]).sort_index(),
        contributions=_contributions(kept, shares, normalised, parts), base=base, steps=steps,
        entity_kind=panel.entity, freq=panel.freq, sources=panel.sources, coverage=_poorest(panel, design),
    )  # fmt: skip


def declared_ranges(kept: IndexValues, design: IndexDesign, treatments: tuple[Treatment, ...]) -> Floats | None:
    """Return the declared ends of every indicator, shape (2, m), NaN where none is; on the scale of its treatment."""
    if not design.ranges:
        return None
    ends = np.array([design.ranges.get(i.id, (np.nan, np.nan)) for i in kept.indicators], dtype=float).T
    for j, treatment in enumerate(treatments):
        if treatment.is_logged:
            ends[:, j] = treat(ends[:, j], treatment)
    return ends


def _screen(read: IndexValues, design: IndexDesign) -> tuple[IndexValues, dict[str, float], dict[str, float]]:
    present = np.isfinite(read.values)
    by_indicator = present.mean(axis=0)
    columns: Bools = (by_indicator >= design.least_indicator) & (by_indicator > 0)
    by_entity = present[:, columns].mean(axis=1) if columns.any() else np.zeros(len(read.entities))
    rows: Bools = (by_entity >= design.least_entity) & (by_entity > 0)
    no_indicator = {
        i.id: float(s) for i, s, kept in zip(read.indicators, by_indicator, columns, strict=True) if not kept
    }
    no_entity = {e: float(s) for e, s, kept in zip(read.entities, by_entity, rows, strict=True) if not kept}
    if rows.sum() < LEAST_ENTITIES or not columns.any():
        raise DataError(
            "QB664", index=design.id, found=f"{int(rows.sum())} entities, {int(columns.sum())} indicators left",
            expected=f"at least {LEAST_ENTITIES} entities with one indicator",
            fix="ask for a period with data, or declare other least_entity and least_indicator",
        )  # fmt: skip
    kept = read.keep(rows, columns)
    order = order_by_content(kept)
    return (
        dataclasses.replace(
            kept,
            entities=tuple(kept.entities[at] for at in order),
            values=kept.values[order],
            n_eff=kept.n_eff[order],
            low=kept.low[order],
            high=kept.high[order],
        ),
        no_entity,
        no_indicator,
    )


def _check_scored(kept: IndexValues, index: Floats) -> None:
    if not np.isfinite(index).all():
        raise DataError(
            "QB665", found=", ".join(e for e, x in zip(kept.entities, index, strict=True) if not np.isfinite(x)),
            expected="indicators that differ between entities, or a declared range",
            fix='ranges={"D1.batch": (0, 100)}',
        )  # fmt: skip


def _groups(kept: IndexValues, design: IndexDesign) -> list[str]:
    return [design.groups.get(e, "") for e in kept.entities]


def _scores(kept: IndexValues, nodes: tuple[Node, ...], found: list[Floats]) -> pd.DataFrame:
    names = [kept.names[e] for e in kept.entities]
    table = pd.DataFrame({
        "entity": kept.entities, "name_zh": [t.zh for t in names], "name_en": [t.en for t in names],
        "rank": competition_ranks(found[-1][None])[0], "index": found[-1],
    })  # fmt: skip
    for node, score in zip(nodes[:-1], found[:-1], strict=True):
        table[node.id] = score
    return table.sort_values(["rank", "entity"], ignore_index=True)


def _contributions(kept: IndexValues, shares: Floats, scores: Floats, parts: Floats) -> pd.DataFrame:
    n, m = scores.shape
    table = pd.DataFrame({
        "entity": np.repeat(kept.entities, m), "indicator": np.tile([i.id for i in kept.indicators], n),
        "weight": shares.ravel(), "score": scores.ravel(), "contribution": parts.ravel(),
    })  # fmt: skip
    return table.sort_values(["entity", "indicator"], ignore_index=True)


def _poorest(panel: Panel, design: IndexDesign) -> Coverage | None:
    held = [c for i in design.indicators if (c := panel.coverage_of(i)) is not None]
    return max(held, key=lambda c: c.lost, default=None)
