"""Panel and policy brought together: who is compared with whom, and whether that can carry an effect at all."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError, PolicyError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.core.policy import Policy, match_policy
from qbase.core.values import Indicator

Weights = Literal["n"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """Rows that enter an estimate of a policy's effect.

    Parameters
    ----------
    indicator : Indicator
        The outcome.
    rows : pandas.DataFrame
        Columns entity, period (ordinal), y, event_time (NaN when never treated), is_treated, w; sorted.
    freq : {"Q", "H", "A"}
        Frequency of the periods.
    treated : tuple of str
        Entities observed before and after their adoption.
    comparison : tuple of str
        Entities never treated in what is observed of them.
    always_treated : tuple of str
        Treated whenever observed; left out, for they show no "before".
    first : dict
        First treated period by entity, as the panel writes its id; those always treated too.
    n_missing : int
        Rows of the panel without an outcome; left out.
    """

    indicator: Indicator
    rows: pd.DataFrame
    freq: Freq
    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    always_treated: tuple[str, ...]
    first: dict[str, pd.Period]
    n_missing: int

    @property
    def starts(self) -> tuple[pd.Period, ...]:
        """Distinct adoption periods of the treated, in order."""
        return tuple(sorted({self.first[e] for e in self.treated}))

    @property
    def is_staggered(self) -> bool:
        """Whether adoption came at several times."""
        return len(self.starts) > 1

    def name_of(self, place: int) -> str:
        """Return the code of a period of the rows."""
        return periods.code(periods.from_ordinal(place, self.freq))


def build_design(panel: Panel, policy: Policy, outcome: str, *, weights: Weights | None = None) -> Design:
    """Bring panel and policy together, or say why they carry no effect.

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator.
    PolicyError
        Closed spells (QB132), other frequency (QB511), treated entity not in the panel (QB510), nobody observed
        before and after (QB514), all treated at once (QB513), nobody left to compare with (QB512).
    DataError
        Too few or infinite data (QB516), constant outcome (QB515).
    UsageError
        The indicator has no such weights (QB524), or there are none of that name (QB519).
    """
    panel.refuse_shrunk(outcome)
    policy.require_absorbing()
    first = match_entities(panel, policy)
    rows, n_missing = _rows(panel, outcome, first, weights)
    sides = rows.groupby("entity")["event_time"].agg(["min", "max"])
    after, before = sides["max"] >= 0, sides["min"] < 0
    always = tuple(sides.index[after & ~before])
    rows = rows[~rows["entity"].isin(always)].reset_index(drop=True)
    design = Design(
        indicator=panel.indicator(outcome),
        rows=rows,
        freq=panel.freq,
        treated=tuple(sides.index[after & before]),
        comparison=tuple(sides.index[~after]),
        always_treated=always,
        first=first,
        n_missing=n_missing,
    )
    _check_carries(design, policy)
    return design


def match_entities(panel: Panel, policy: Policy) -> dict[str, pd.Period]:
    """Return the first treated period by entity, all of which the panel holds, by its frequency.

    Raises
    ------
    PolicyError
        Other frequency (QB511), treated entity not in the panel (QB510).
    """
    first = match_policy(policy, panel.entities).first_treated
    other = [p for p in first.values() if periods.freq_of(p) != panel.freq]
    if other:
        theirs, example = periods.freq_of(other[0]), periods.code(panel.periods[0])
        raise PolicyError(
            "QB511",
            policy=policy.policy_id,
            found=f"spells by {theirs}, first {periods.code(other[0])}; panel by {panel.freq}",
            expected=f"spells by {panel.freq}, such as {example}",
            fix=f'build_panel(…, freq="{theirs}"), or build_policy(…, freq="{panel.freq}")',
        )
    known = set(panel.entities)
    lost = [e for e in first if e not in known]
    if lost:
        raise PolicyError(
            "QB510",
            policy=policy.policy_id,
            entity=lost[0],
            found=f"{len(lost)} of {len(first)} treated entities not among the {len(known)} of the panel: "
            + ", ".join(lost[:3]),
            expected=f"values of {panel.entity}, such as {panel.entities[0]}",
            fix=f"{suggest_names(lost[0], panel.entities, shown=3)}   or drop these spells on purpose",
        )
    return first


def _rows(panel: Panel, outcome: str, first: dict[str, pd.Period], weights: Weights | None) -> tuple[pd.DataFrame, int]:
    values = panel.data[outcome].astype(float)
    index = pd.PeriodIndex(values.index.get_level_values("period"))
    entities = values.index.get_level_values("entity").astype(str)
    start = np.array([periods.ordinal(first[e]) if e in first else np.nan for e in entities], dtype=float)
    ordinals = periods.ordinals(index)
    rows = pd.DataFrame(
        {
            "entity": np.asarray(entities, dtype=object),
            "period": ordinals,
            "y": values.to_numpy(),
            "event_time": ordinals - start,
            "w": _weights(panel, outcome, weights),
        }
    )
    rows["is_treated"] = rows["event_time"] >= 0
    kept = rows[rows["y"].notna() & (rows["w"] > 0)].reset_index(drop=True)
    wild = int((~np.isfinite(kept["y"])).sum())
    if wild or kept["entity"].nunique() < 2 or kept["period"].nunique() < 2:
        raise DataError(
            "QB516",
            found=f"{wild} infinite values"
            if wild
            else f"{kept['entity'].nunique()} entities in {kept['period'].nunique()} periods with an outcome",
            expected="at least 2 entities in 2 periods, all values finite",
            fix="widen the window (first, last) or choose another outcome",
        )
    if np.ptp(kept["y"]) <= 1e-12 * max(1.0, float(kept["y"].abs().max())):
        raise DataError(
            "QB515",
            outcome=outcome,
            found=f"every value = {kept['y'].iloc[0]:g}",
            expected="values that vary within entities over time",
            fix="check the measure and the window",
        )
    return kept, len(rows) - len(kept)


def _weights(panel: Panel, outcome: str, weights: Weights | None) -> np.ndarray:
    if weights is None:
        return np.ones(len(panel.data))
    if weights != "n":
        raise UsageError(
            "QB519", option="weights", value=weights, found=f"weights={weights!r}", expected='None | "n"', fix="None"
        )
    column = f"{outcome}__{weights}"
    if column not in panel.data.columns:
        raise UsageError(
            "QB524",
            outcome=outcome,
            weights=weights,
            found=", ".join(panel.data.columns),
            expected=column,
            fix="weights=None gives every entity and period the same weight",
        )
    return panel.data[column].fillna(0).to_numpy(dtype=float)


def _check_carries(design: Design, policy: Policy) -> None:
    if not design.treated:
        starts = sorted(policy.first_treated.values())
        observed = design.rows["period"]
        span = (
            "nothing else"
            if observed.empty
            else f"{design.name_of(observed.min())} to {design.name_of(observed.max())}"
        )
        raise PolicyError(
            "QB514",
            policy=policy.policy_id,
            found=f"adoption {periods.code(starts[0])} to {periods.code(starts[-1])}; data {span}; "
            f"{len(design.always_treated)} treated throughout",
            expected="at least one treated entity with an outcome before and after adoption",
            fix="widen the window (first, last) of the panel",
        )
    if not design.comparison and not design.is_staggered:
        raise PolicyError(
            "QB513",
            period=periods.code(design.starts[0]),
            found=f"{len(design.treated)} entities, all treated from {periods.code(design.starts[0])}",
            expected="entities never treated, or treated later",
            fix="add untreated entities to the panel; before against after alone is no effect",
        )
    untreated = design.rows.groupby("period")["is_treated"].min()
    alone = [int(p) for p in untreated.index[untreated.astype(bool)]]
    if alone:
        last = design.name_of(alone[0] - 1)
        raise PolicyError(
            "QB512",
            period=design.name_of(alone[0]),
            found=f"{len(alone)} periods in which every entity observed is treated",
            expected="in every period at least one entity not yet treated",
            fix=f'build_panel(…, last="{last}"): those treated last are then the comparison',
        )
