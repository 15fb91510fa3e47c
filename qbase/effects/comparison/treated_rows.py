"""The treated alone: their outcomes before and after the start, where nobody is left to compare with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR, ordinal, ordinals
from qbase.core.policy import Policy
from qbase.core.values import Indicator
from qbase.effects.comparison.outcome_grid import OWN_WEIGHTS, Weight, read_weight
from qbase.effects.comparison.treated_and_controls import match_entities


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TreatedRows:
    """Outcomes of the treated.

    Parameters
    ----------
    indicator : Indicator
        The outcome.
    rows : pandas.DataFrame
        Columns entity, event_time (0 in the period of the start), season (place in the year; 0 by year), y.
    shares : mapping
        Entity -> weight above 0.
    weighted_by : str
        ``equal``, ``n`` or the name of the weights given.
    n_missing : int
        Rows of the treated without an outcome.
    """

    indicator: Indicator
    rows: pd.DataFrame
    shares: dict[str, float]
    weighted_by: str
    n_missing: int


def read_treated(panel: Panel, policy: Policy, outcome: str, *, weight: Weight = "equal") -> TreatedRows:
    """Return the outcomes of the treated around their own start.

    Parameters
    ----------
    panel, policy, outcome, weight
        See `qbase.effects.estimate_before_after`.

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator, no counts to weigh by (QB124).
    PolicyError
        Closed spells (QB132), other frequency (QB511), treated entity not in the panel (QB510).
    DataError
        A value is not finite (QB516).
    UsageError
        Weights that are none, or not for every treated entity (QB519).
    """
    weight = read_weight(weight)
    panel.refuse_shrunk(outcome)
    policy.require_absorbing()
    first = match_entities(panel, policy)
    index = panel.data.index
    entities = index.get_level_values("entity").astype(str)
    when = pd.PeriodIndex(index.get_level_values("period"))
    start = np.array([ordinal(first[e]) if e in first else np.nan for e in entities])
    rows = pd.DataFrame(
        {
            "entity": np.asarray(entities, dtype=object),
            "event_time": ordinals(when) - start,
            "season": ordinals(when) % PER_YEAR[panel.freq],
            "y": panel.data[outcome].to_numpy(dtype=float),
        }
    )
    treated = rows["event_time"].notna().to_numpy()
    known = rows[treated & rows["y"].notna().to_numpy()]
    if not np.isfinite(known["y"]).all():
        raise DataError(
            "QB516",
            found=f"{int((~np.isfinite(known['y'])).sum())} infinite values",
            expected="at least 2 entities in 2 periods, all values finite",
            fix="widen the window (first, last) or choose another outcome",
        )
    early = treated & (rows["event_time"] < 0).to_numpy()
    shares, named = _shares(panel, outcome, weight, rows, early, list(first))
    return TreatedRows(
        indicator=panel.indicator(outcome),
        rows=known.reset_index(drop=True),
        shares=shares,
        weighted_by=named,
        n_missing=int(treated.sum()) - len(known),
    )


def _shares(
    panel: Panel, outcome: str, weight: Weight, rows: pd.DataFrame, early: np.ndarray, treated: list[str]
) -> tuple[dict[str, float], str]:
    if isinstance(weight, str) and weight not in OWN_WEIGHTS:
        raise _no_weight(repr(weight), "another name")
    if weight == "equal":
        return dict.fromkeys(treated, 1.0), "equal"
    if isinstance(weight, str):
        n = panel.counts(outcome)["n"].fillna(0).to_numpy(dtype=float)
        summed = pd.Series(n[early]).groupby(rows["entity"].to_numpy()[early]).sum()
        return {str(e): float(v) for e, v in summed.items()}, "n"
    lost = [e for e in treated if not float(weight.get(e, 0)) > 0]
    if lost:
        raise _no_weight(f"weights of {len(weight)} entities", f"no weight above 0 for {', '.join(lost[:3])}")
    return {e: float(weight[e]) for e in treated}, str(getattr(weight, "name", "given"))


def _no_weight(given: str, found: str) -> UsageError:
    return UsageError(
        "QB519", option="weight", value=given, found=found,
        expected='"equal", "n", or a share above 0 for every treated entity', fix='weight="equal"',
    )  # fmt: skip
