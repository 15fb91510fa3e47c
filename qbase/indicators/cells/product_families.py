"""Product families: batches of one product of one entity and quarter that pass or fail together, across firms.

A bad lot of yarn or a laboratory's slip hits several firms at once. Intervals that know the firm as the only unit are
then too narrow, most of all where many batches were drawn.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import number
from qbase.core.text import Text
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.inspection_window import Rows
from qbase.indicators.kept.kept_counts import count_once
from qbase.stats.design.design_weights import Floats

LEAST_PAIRS = 400
"""With fewer pairs of batches of one family the correlation is not estimated."""

MOST_BATCHES = 500_000
"""More say nothing more about one correlation, and reading a nation's products would take as long as its rates."""

CELL = ["entity", "quarter"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Families:
    """What batches of one product family have in common, ready for effective sample sizes.

    Parameters
    ----------
    correlation : float or None
        From `family_correlation`; None where it could not be estimated.
    share : pandas.Series
        From `same_family_share`, by entity and period; a period that was not read has its entity's usual share.
    since : str
        First period that was measured, where only the latest were; periods before it take the mean share of their
        entity.
    """

    correlation: float | None
    share: pd.Series
    since: str = ""

    def widen(self, rates: pd.DataFrame) -> Floats:
        """Return the effective sample sizes of rates by entity and period, product families allowed for."""
        share = self.share.reindex(rates.index)
        if self.since and len(self.share):
            entities = rates.index.get_level_values("entity")
            usual = self.share.groupby(level="entity").mean().reindex(entities).to_numpy(dtype=float)
            share = share.fillna(pd.Series(usual, index=rates.index)).fillna(float(self.share.mean()))
        return widen(
            rates["n_eff"].to_numpy(dtype=float), share.fillna(0.0).to_numpy(dtype=float), self.correlation or 0
        )

    @property
    def text(self) -> Text:
        """What the interval takes for granted."""
        if self.correlation is None:
            return Text("区间把各企业视为相互独立", "the interval takes firms to be independent of each other")
        shown = number(self.correlation, 2)
        since = Text(f"（{self.since} 起）", f" (since {self.since})") if self.since else Text("", "")
        return Text(
            f"区间计入同季同产品批次间的相关 {shown}{since.zh}",
            f"the interval allows for a correlation of {shown} between batches of one product and quarter{since.en}",
        )


def read_families(rows: Rows, drawn: pd.Series, *, is_random: bool) -> Families:
    """Read product families of a window; see ``statements/families.sql``.

    Parameters
    ----------
    rows : Rows
        The window.
    drawn : pandas.Series
        Batches by period; of more than `MOST_BATCHES` only the latest periods are read.
    is_random : bool
        Shares of pairs are those of random draws only; the correlation is that of all first inspections.
    """
    first = first_measured(drawn)
    is_part = first > drawn.index.min()
    since = first.start_time.date().isoformat() if is_part else rows.first_day
    here = dataclasses.replace(rows, first_day=since, cluster=None)
    parts = {"{more}": "m.product_name, date_trunc('quarter', m.sample_date) AS quarter,"}
    query = here.shard_query(read_sql("families"), parts=parts)
    words = ("families", rows.entity, rows.freq)
    found = count_once(rows.workspace.lake, query, words, lambda: here.query("families", parts=parts))
    if found.empty:
        return Families(correlation=None, share=pd.Series(dtype=float))
    found = found.assign(
        entity=found["entity"].astype(str),
        period=periods.to_periods(found["period"], rows.freq),
        quarter=periods.to_periods(found["quarter"], "Q"),
    )
    used = found.assign(n=found["random_n"], nn=found["random_nn"]) if is_random else found
    share = same_family_share(used, ["entity", "period"])
    return Families(correlation=family_correlation(found), share=share, since=periods.code(first) if is_part else "")


def first_measured(drawn: pd.Series) -> pd.Period:
    """Return the first of the latest periods that together hold at most `MOST_BATCHES`; two periods at least."""
    latest = drawn.sort_index(ascending=False)
    count = max(int((latest.cumsum() <= MOST_BATCHES).sum()), min(2, len(latest)))
    first: pd.Period = latest.index[count - 1]
    return first


def family_correlation(families: pd.DataFrame) -> float | None:
    """Return the correlation between batches of different firms that one product family of a quarter adds.

    Parameters
    ----------
    families : pandas.DataFrame
        By entity, quarter (a period) and product: ``n``, ``k``, and over firms the sums ``nn`` of n², ``nk`` of n·k and
        ``kk`` of k².

    Returns
    -------
    float or None
        Between 0 and 1. Pairs of the same product of a quarter minus pairs of different products of it (what entity and
        quarter have in common), minus the same of neighbouring quarters (what the product has in common at any
        time; a window of one quarter has none, and what lasts then counts as family: the interval is the wider).
        None with too few pairs, or where no entity has two products.
    """
    totals = families.groupby("entity")[["n", "k"]].transform("sum")
    p = (totals["k"] / totals["n"]).to_numpy(dtype=float)
    n, k, nn, nk, kk = (families[c].to_numpy(dtype=float) for c in ("n", "k", "nn", "nk", "kk"))
    score = k - n * p
    own = pd.DataFrame(
        {
            "entity": families["entity"], "quarter": pd.PeriodIndex(families["quarter"]).asi8,
            "product": families["product"], "n": n, "score": score, "nn": n**2, "squares": score**2,
            "same": score**2 - (kk - 2 * p * nk + p**2 * nn), "same_pairs": n**2 - nn,
        }
    )  # fmt: skip
    variance = float((n * p * (1 - p)).sum() / n.sum())
    cells = own.groupby(CELL)[["n", "score", "nn", "squares", "same", "same_pairs"]].sum()
    cells["other"], cells["other_pairs"] = cells["score"] ** 2 - cells["squares"], cells["n"] ** 2 - cells["nn"]
    gap = _mean_gap(cells)
    if variance == 0 or gap is None or cells["same_pairs"].sum() < LEAST_PAIRS:
        return None
    return float(np.clip((gap - (_mean_gap(_neighbours(own)) or 0.0)) / variance, 0, 1))


def _neighbours(own: pd.DataFrame) -> pd.DataFrame:
    """Return products of scores, and numbers of pairs, between a quarter and the one before."""
    last = own[[*CELL, "product", "n", "score"]].rename(columns={"n": "last_n", "score": "last_score"})
    last["quarter"] += 1
    both = own.merge(last, on=[*CELL, "product"])
    same = pd.DataFrame({"same": both["score"] * both["last_score"], "same_pairs": both["n"] * both["last_n"]})
    cells = same.groupby([both["entity"], both["quarter"]]).sum()
    for name, rows, columns in (("now", own, ["n", "score"]), ("last", last, ["last_n", "last_score"])):
        cells = cells.join(rows.groupby(CELL)[columns].sum().set_axis([f"{name}_n", f"{name}_score"], axis=1))
    cells["other"] = cells["now_score"] * cells["last_score"] - cells["same"]
    cells["other_pairs"] = cells["now_n"] * cells["last_n"] - cells["same_pairs"]
    return cells


def _mean_gap(cells: pd.DataFrame) -> float | None:
    """Return the mean product of pairs of one product minus that of pairs of two, within cells that hold both."""
    both = cells[(cells["same_pairs"] > 0) & (cells["other_pairs"] > 0)]
    if both.empty:
        return None
    m, o = both["same_pairs"], both["other_pairs"]
    weight = m * o / (m + o)
    return float(((both["same"] / m - both["other"] / o) * weight).sum() / weight.sum())


def same_family_share(families: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return the share of pairs of batches of different firms that come from one family.

    Parameters
    ----------
    families : pandas.DataFrame
        As for `family_correlation`, with the columns ``by``.
    by : list of str
        What is told apart, ``["entity", "period"]``.
    """
    squares = families.assign(square=families["n"].astype(float) ** 2)
    total = squares.groupby(by)[["n", "nn", "square"]].sum().astype(float)
    pairs = total["n"] ** 2 - total["nn"]
    return ((total["square"] - total["nn"]) / pairs.where(pairs > 0)).fillna(0.0)


def widen(n_eff: Floats, share: Floats, correlation: float) -> Floats:
    """Return effective sample sizes that allow for correlation within families.

    Parameters
    ----------
    n_eff : numpy.ndarray, shape (m,)
        With the firm as the only unit.
    share : numpy.ndarray, shape (m,)
        Pairs of batches that come from one family.
    correlation : float
        Between batches of a family.

    Returns
    -------
    numpy.ndarray, shape (m,)
        1 / (1 / n_eff + correlation · share · (1 - 1 / n_eff)): Kish's design effect for pairs of different firms.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley, section 5.4.
    """
    one = 1 / np.maximum(n_eff, 1e-12)
    wide: Floats = 1 / (one + correlation * share * np.maximum(1 - one, 0))
    return wide
