"""How complete each period is, as a table: states of batches, completeness, bounds."""

from __future__ import annotations

import dataclasses
import functools

import pandas as pd

from qbase.indicators.kept.value_bytes import learn

LEAST_SHARE = 0.95
"""Below this share of final results a period is preliminary, unless the call declares another."""
STATES = ("sampled", "tested", "objection", "final")


@learn
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Maturity:
    """How complete each period of each entity is, and what the rest could change.

    Parameters
    ----------
    table : pandas.DataFrame
        Index (entity, period). ``n_sampled``, ``n_tested``, ``n_objection``, ``n_final``: batches by state;
        ``unseen_count``: batches expected from experience that no table holds yet; ``pending_count``: all that are not
        final; ``complete_share``; ``is_under_way``; ``is_preliminary``; ``rate_pct`` of final results; ``low_pct``
        when all pending fail, ``high_pct`` when all pass, neither while the period is under way.
    by_age : pandas.DataFrame
        Completeness by age from earlier snapshots, as `read_completeness` returns it.
    as_of : str
        ISO date the states refer to.
    least_share : float
        Declared completeness.

    Examples
    --------
    >>> from qbase.indicators import read_maturity
    >>> from qbase.lake import open_workspace
    >>> maturity = read_maturity(open_workspace(), first="2025Q3", last="2025Q4", as_of="2025-12-31")
    >>> print(maturity.table.loc["K001", ["n_final", "pending_count", "complete_share", "is_preliminary"]])
            n_final  pending_count  complete_share  is_preliminary
    period
    2025Q3       19              0             1.0           False
    2025Q4        0             16             0.0            True
    """

    table: pd.DataFrame
    by_age: pd.DataFrame
    as_of: str
    least_share: float

    def of(self, entity: str | None = None) -> pd.DataFrame:
        """Return the rows of one entity by period; with None those of all together, their batches summed."""
        if entity is None:
            return self._whole
        if entity not in self._asked:
            try:
                self._asked[entity] = self.table.xs(entity, level="entity")  # type: ignore[assignment]
            except KeyError:
                self._asked[entity] = self.table.iloc[:0].droplevel("entity")
        return self._asked[entity]

    @functools.cached_property
    def _asked(self) -> dict[str, pd.DataFrame]:
        """Rows of the entities that were asked for: every estimate of a letter asks for those of its own."""
        return {}

    @functools.cached_property
    def _whole(self) -> pd.DataFrame:
        by_period = self.table.groupby(level="period")
        counts = by_period[[*(f"n_{s}" for s in STATES), "k_final", "unseen_count"]].sum()
        is_under_way = by_period["is_under_way"].any()
        return add_bounds(counts.assign(is_under_way=is_under_way), least_share=self.least_share)


def add_bounds(counts: pd.DataFrame, *, least_share: float = LEAST_SHARE) -> pd.DataFrame:
    """Add completeness, and the rate with the bounds that pending results leave open.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``n_sampled``, ``n_tested``, ``n_objection``, ``n_final``, ``k_final`` and ``unseen_count``; ``is_under_way``
        where a period may not be over.
    least_share : float
        Below it a row is preliminary.

    Returns
    -------
    pandas.DataFrame
        A copy with ``pending_count``, ``complete_share``, ``is_under_way``, ``is_preliminary``, ``rate_pct``,
        ``low_pct``, ``high_pct``; ``rate_pct`` is missing where nothing is final yet, the bounds where a period is
        under way.
    """
    final, passed = counts["n_final"], counts["k_final"]
    pending = counts["n_sampled"] + counts["n_tested"] + counts["n_objection"] + counts["unseen_count"]
    total = final + pending
    share = (final / total.where(total > 0)).fillna(1.0)
    open_end = counts["is_under_way"] if "is_under_way" in counts else pd.Series(False, index=counts.index)
    bounded = total.where((total > 0) & ~open_end)
    return counts.assign(
        pending_count=pending,
        complete_share=share,
        is_under_way=open_end,
        is_preliminary=(share < least_share) | open_end,
        rate_pct=100 * passed / final.where(final > 0),
        low_pct=100 * passed / bounded,
        high_pct=100 * (passed + pending) / bounded,
    )
