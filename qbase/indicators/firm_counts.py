"""Batches of single firms behind the cells of a panel: what the doubt of a rate is learnt from."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.panel import Sampling
from qbase.core.periods import Freq, to_periods
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.cells.inspection_window import Rows, open_rows
from qbase.indicators.cells.sorted_runs import WAYS
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.kept.value_bytes import learn

if TYPE_CHECKING:
    from qbase.lake import Workspace

COLUMNS = ("entity", "period", "firm", "n", "k")
RANDOM_ONLY = frozenset({"random_draw", "prediction_powered"})
"""Treatments whose counts are those of random draws alone."""


@learn
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirmCounts:
    """Batches and passes of every firm in every period; summed over firms they are the counts of a panel.

    Parameters
    ----------
    data : pandas.DataFrame
        Columns entity, period (`pandas.Period`), firm, n, k; one row per firm drawn, sorted.
    outcome : str
        Id of the rate they are the counts of.
    sampling : {"naive", "random_draw", "post_stratified", "prediction_powered"}
        As of the panel: whether all draws are counted, or random ones only.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.indicators import FirmCounts
    >>> quarter = pd.period_range("2024Q1", periods=2, freq="Q-DEC")
    >>> rows = {"entity": "K1", "period": quarter.repeat(2), "firm": ["甲", "乙"] * 2, "n": 5, "k": [5, 4, 5, 1]}
    >>> own = FirmCounts(data=pd.DataFrame(rows), outcome="D1.batch")
    >>> own
    <FirmCounts D1.batch: 1 entities, 2 firms, 20 batches, naive>
    >>> own.cells().to_dict("list")
    {'k': [9, 6], 'n': [10, 10]}
    """

    data: pd.DataFrame
    outcome: str
    sampling: Sampling = "naive"

    def of(self, entity: str | None) -> pd.DataFrame:
        """Return the rows of one entity, of all with None."""
        return self.data if entity is None else self.data[self.data["entity"] == entity]

    def cells(self) -> pd.DataFrame:
        """Return k and n summed over firms, index (entity, period), as `Panel.counts` has them."""
        return self.data.groupby(["entity", "period"], observed=True)[["k", "n"]].sum()

    def __repr__(self) -> str:
        firms, entities = self.data["firm"].nunique(), self.data["entity"].nunique()
        batches = int(self.data["n"].sum())
        return (
            f"<FirmCounts {self.outcome}: {entities} entities, {firms:,} firms, {batches:,} batches, {self.sampling}>"
        )


def read_firm_counts(
    workspace: Workspace,
    outcome: str = "D1.batch",
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    sampling: Sampling = "naive",
) -> FirmCounts | None:
    """Read batches and passes of every firm by entity and period, as `build_panel` counts them.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and the register of firms.
    outcome : str
        ``D1.batch`` or ``D1.firm``, where a firm counts once and passes when all its batches do.
    entity, freq, snapshot, first, last, sampling
        As for `build_panel`.

    Returns
    -------
    FirmCounts or None
        None where the indicator is not made of batches of firms, or where the entities are the firms themselves;
        `qbase.trends.estimate_level` and its like then take batches as independent, and say so.

    Raises
    ------
    UsageError
        Unknown indicator (QB401), kind of entity, frequency or sampling (QB402), period (QB101, QB408).
    DataError
        A table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_firm_counts
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> firms = read_firm_counts(workspace, first="2025Q1", last="2025Q4")
    >>> firms
    <FirmCounts D1.batch: 12 entities, 459 firms, 825 batches, naive>
    >>> panel = build_panel(workspace, "D1.batch", first="2025Q1", last="2025Q4")
    >>> bool((firms.cells() == panel.counts("D1.batch")).all(axis=None))
    True
    """
    asked = (outcome, entity, freq, *map(str, (first, last)), sampling)
    at = workspace.snapshot(snapshot)
    build = functools.partial(_read, workspace, outcome, entity, freq, snapshot, first, last, sampling)
    return keep_value(workspace, "firm_counts", asked, at, build)


def _read(
    workspace: Workspace,
    outcome: str,
    entity: Entity,
    freq: Freq,
    snapshot: str | None,
    first: str | pd.Period | None,
    last: str | pd.Period | None,
    sampling: Sampling,
) -> FirmCounts | None:
    measured = find_indicator(outcome)
    if sampling not in get_args(Sampling):
        raise UsageError(
            "QB402",
            option="sampling",
            value=sampling,
            found=f"sampling={sampling!r}",
            expected=" | ".join(get_args(Sampling)),
            fix='sampling="naive"',
        )
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=snapshot, first=first, last=last)
    if measured.measure not in ("batch", "firm") or entity == "firm_id":
        return None
    counted = _count(rows, is_random=sampling in RANDOM_ONLY)
    if measured.measure == "firm":
        counted = counted.assign(n=1, k=(counted["k"] == counted["n"]).astype("int64"))
    return FirmCounts(data=counted, outcome=outcome, sampling=sampling)


def _count(rows: Rows, *, is_random: bool) -> pd.DataFrame:
    found = rows.query("firm_cells")
    ways = WAYS[:1] if is_random else WAYS
    n, k = (sum((found[f"{way}_{c}"] for way in ways), start=pd.Series(0, index=found.index)) for c in ("n", "k"))
    counted = pd.DataFrame(
        {
            "entity": found["entity"].astype(str),
            "period": to_periods(found["period"], rows.freq),
            # a maker without code and name is one unknown contributor of its cell
            "firm": found["firm"].fillna("").astype(str),
            "n": np.asarray(n, dtype=np.int64),
            "k": np.asarray(k, dtype=np.int64),
        }
    )
    kept = counted[counted["n"] > 0]
    return kept.sort_values(["entity", "period", "firm"], kind="stable", ignore_index=True)
