"""The comparison as arrays: one row an entity, one column a period, and when each entity was first treated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.core.policy import Policy
from qbase.core.text import Text, same
from qbase.core.values import Indicator
from qbase.effects.comparison.treated_and_controls import Design, build_design

Floats = NDArray[np.float64]
Weight = str | Mapping[str, float]

OWN_WEIGHTS = ("equal", "n")
"""``equal``: every entity the same. ``n``: by batches tested before treatment, which the policy may have moved."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeGrid:
    """Outcomes of N entities in T consecutive periods, and the policy's start in each.

    Parameters
    ----------
    indicator : Indicator
        The outcome.
    freq : {"Q", "H", "A"}
        Kind of period.
    entities : tuple of str, length N
        In order of their ids.
    first : int
        Ordinal of the first period.
    y : numpy.ndarray, shape (N, T)
        The outcome in its own unit; NaN where there is none.
    n, k : numpy.ndarray, shape (N, T), or None
        Batches tested and passed behind each outcome (0 where none); None where the outcome counts nothing.
    start : numpy.ndarray, shape (N,)
        Column of the first treated period; NaN when never treated, T or more when treated after the data end.
    weight : numpy.ndarray, shape (N,)
        Share of each entity in averages over the treated; positive. It sets the estimand, ``n`` only the variance.
    cluster : numpy.ndarray of int, shape (N,)
        Which entities may move together: the level of inference; numbered from 0 without gaps.
    weighted_by : str
        ``equal``, ``n`` or the name of the weights given.
    n_missing : int
        Rows of the panel without an outcome.
    always_treated : tuple of str
        Treated whenever observed; left out, for they show no "before".
    labels : mapping
        Entity -> name, where it has one and is no firm.
    """

    indicator: Indicator
    freq: Freq
    entities: tuple[str, ...]
    first: int
    y: Floats
    n: Floats | None
    k: Floats | None
    start: Floats
    weight: Floats
    cluster: NDArray[np.int64]
    weighted_by: str = "equal"
    n_missing: int = 0
    always_treated: tuple[str, ...] = ()
    labels: Mapping[str, Text] = dataclasses.field(default_factory=dict)

    @property
    def n_periods(self) -> int:
        """Number of columns, T."""
        return int(self.y.shape[1])

    @property
    def is_treated(self) -> NDArray[np.bool_]:
        """Entities treated within the data, shape (N,)."""
        return np.asarray(self.start < self.n_periods)

    @property
    def event_time(self) -> Floats:
        """Periods since the start, shape (N, T); NaN for those never treated."""
        return np.asarray(np.arange(self.n_periods) - self.start[:, None], dtype=float)

    @property
    def cohorts(self) -> list[int]:
        """Columns in which somebody was first treated, in order."""
        return [int(s) for s in np.unique(self.start[self.is_treated])]

    def code_of(self, column: int) -> str:
        """Return the code of a period by its column: ``2022Q3``."""
        return periods.code(periods.from_ordinal(self.first + int(column), self.freq))

    def label(self, entity: str) -> Text:
        """Return the name of an entity, or its id where it has none."""
        return self.labels.get(entity, same(entity))

    def with_start(self, start: Floats) -> OutcomeGrid:
        """Return the same outcomes under other dates of adoption."""
        return dataclasses.replace(self, start=np.asarray(start, dtype=float))

    def keep(self, rows: NDArray[np.bool_]) -> OutcomeGrid:
        """Return the grid of some entities only; their clusters are numbered without gaps."""
        return dataclasses.replace(
            self,
            entities=tuple(e for e, kept in zip(self.entities, rows, strict=True) if kept),
            y=self.y[rows],
            n=None if self.n is None else self.n[rows],
            k=None if self.k is None else self.k[rows],
            start=self.start[rows],
            weight=self.weight[rows],
            cluster=_numbered(self.cluster[rows]),
        )

    def between(self, first: int, last: int) -> OutcomeGrid:
        """Return the grid of the periods from one ordinal up to, and without, another."""
        a, b = first - self.first, last - self.first
        return dataclasses.replace(
            self,
            first=first,
            y=self.y[:, a:b],
            n=None if self.n is None else self.n[:, a:b],
            k=None if self.k is None else self.k[:, a:b],
            start=self.start - a,
        )


def build_grid(
    panel: Panel, policy: Policy, outcome: str, *, weight: Weight = "equal", clusters: Mapping[str, str] | None = None
) -> OutcomeGrid:
    """Bring panel and policy into arrays, or say why they carry no effect.

    Parameters
    ----------
    panel, policy, outcome
        See `qbase.effects.estimate_staggered`.
    weight : {"equal", "n"} or mapping
        Entity -> share, such as the firms of its baseline frame; entities not listed are refused.
    clusters : mapping or None
        Entity -> what it belongs to, where inference is at a higher level than the entity; None takes the entity.

    Raises
    ------
    PanelError, PolicyError, DataError
        See `qbase.effects.comparison.treated_and_controls.build_design`.
    UsageError
        Weights that are none, or not for every entity (QB519); no counts to weigh by (QB524).
    """
    weight = read_weight(weight)
    design = build_design(panel, policy, outcome, weights="n" if weight == "n" else None)
    entities = tuple(sorted(design.rows["entity"].unique()))
    columns = design.rows["period"]
    first, last = int(columns.min()), int(columns.max())
    shape = (len(entities), last - first + 1)
    at = (pd.Index(entities).get_indexer(design.rows["entity"]), columns.to_numpy() - first)
    starts = {e: periods.ordinal(p) - first for e, p in design.first.items()}
    counts = _counts(panel, outcome, entities, first, shape)
    start = np.array([starts.get(e, np.nan) for e in entities], dtype=float)
    share, named = _shares(weight, entities, counts, start)
    owners = {e: e for e in entities} if clusters is None else _read_owners(clusters, entities)
    return OutcomeGrid(
        indicator=design.indicator,
        freq=panel.freq,
        entities=entities,
        first=first,
        y=_placed(design, at, shape),
        n=None if counts is None else counts[0],
        k=None if counts is None else counts[1],
        start=start,
        weight=share,
        cluster=_numbered([owners[e] for e in entities]),
        weighted_by=named,
        n_missing=design.n_missing,
        always_treated=design.always_treated,
        labels={} if panel.entity == "firm_id" else panel.labels,  # names of firms do not leave the house
    )


def _numbered(labels: Sequence[str] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels as numbers from 0 on without gaps: who counts clusters counts up to the highest."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _placed(design: Design, at: tuple[NDArray[np.int64], NDArray[np.int64]], shape: tuple[int, int]) -> Floats:
    y = np.full(shape, np.nan)
    y[at] = design.rows["y"].to_numpy(dtype=float)
    return y


def _counts(
    panel: Panel, outcome: str, entities: tuple[str, ...], first: int, shape: tuple[int, int]
) -> tuple[Floats, Floats] | None:
    names = [f"{outcome}__n", f"{outcome}__k"]
    if any(name not in panel.data.columns for name in names):
        return None
    row = pd.Index(entities).get_indexer(panel.data.index.get_level_values("entity").astype(str))
    column = periods.ordinals(pd.PeriodIndex(panel.data.index.get_level_values("period"))) - first
    inside = (row >= 0) & (column >= 0) & (column < shape[1])
    placed = []
    for name in names:
        grid = np.zeros(shape)
        grid[row[inside], column[inside]] = panel.data[name].fillna(0).to_numpy(dtype=float)[inside]
        placed.append(grid)
    return placed[0], placed[1]


def read_weight(weight: Weight | pd.Series) -> Weight:
    """Return weights by entity as a mapping, also where a Series holds them."""
    if not isinstance(weight, pd.Series):
        return weight
    held = {str(e): float(w) for e, w in weight.items()}
    return NamedWeights(held, name=str(weight.name or "given"))


class NamedWeights(dict[str, float]):
    """Weights with what they are called."""

    def __init__(self, held: Mapping[str, float], *, name: str) -> None:
        super().__init__(held)
        self.name = name


def _shares(
    weight: Weight, entities: tuple[str, ...], counts: tuple[Floats, Floats] | None, start: Floats
) -> tuple[Floats, str]:
    if isinstance(weight, str):
        if weight not in OWN_WEIGHTS:
            raise _no_weight(repr(weight), "another name")
        if weight == "equal" or counts is None:
            return np.ones(len(entities)), "equal"
        column = np.arange(counts[0].shape[1])
        before = ~(column >= start[:, None])
        return np.asarray(np.where(before, counts[0], 0).sum(axis=1), dtype=float), "n"
    lost = [e for e in entities if not float(weight.get(e, 0)) > 0]
    if lost:
        raise _no_weight(f"weights of {len(weight)} entities", f"no weight above 0 for {', '.join(lost[:3])}")
    return np.array([float(weight[e]) for e in entities]), str(getattr(weight, "name", "given"))


def _read_owners(clusters: Mapping[str, str], entities: tuple[str, ...]) -> dict[str, str]:
    lost = [e for e in entities if e not in clusters]
    if not lost:
        return {e: str(clusters[e]) for e in entities}
    raise UsageError(
        "QB519", option="clusters", value=f"{len(clusters)} entities", found=f"nothing for {', '.join(lost[:3])}",
        expected="what every entity of the panel belongs to, under its id there", fix="clusters=None",
    )  # fmt: skip


def _no_weight(given: str, found: str) -> UsageError:
    return UsageError(
        "QB519", option="weight", value=given, found=found,
        expected='"equal", "n", or a share above 0 for every entity', fix='weight="equal"',
    )  # fmt: skip
