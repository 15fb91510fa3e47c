"""Rates weighted by the output of firms: what share of the goods made, not of the firms, comes from passing draws."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import number
from qbase.core.text import Text
from qbase.indicators.catalogue.sql_parts import distinct_rows
from qbase.indicators.cells.inspection_window import Rows, require_table
from qbase.indicators.cells.strata import KEYS, by_firm_parts
from qbase.stats.design.design_weights import firm_correlation

if TYPE_CHECKING:
    from qbase.indicators.cells.sampling_design import Design

SUMS = (
    "left_out_n", "n", "k", "n_firms", "n_clean", "sum_nn", "sum_kk", "output_n", "output_k", "output_firms",
    "output_clean", "square_n", "square_nn", "square_firms",
)  # fmt: skip
ON = ["entity", *KEYS, "inclusion_probability"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """Draws of a window with the output of their firms.

    Parameters
    ----------
    sums : pandas.DataFrame
        By entity, period and stratum, see ``statements/output.sql``: draws of firms whose output is on record.
    left_out_share : float
        Share of draws whose firm has neither output nor revenue on record; they do not count.
    """

    sums: pd.DataFrame
    left_out_share: float

    @property
    def text(self) -> Text:
        """How draws were weighed, and how many could not be."""
        how = Text("按企业产值加权", "weighted by output")
        if self.left_out_share == 0:
            return how
        shown = number(max(100 * self.left_out_share, 0.1), 1)
        return how + Text(
            f"，{shown} % 的批次所属企业没有产值记录，未计入", f", {shown} % of draws left out: no output on record"
        )


def read_outputs(rows: Rows, design: Design, *, is_random: bool) -> Outputs:
    """Read the draws of a window with the output of their firms.

    The output of a firm is that of the last full year before the period (of the base year where the design is fixed),
    its revenue where no output is reported; a firm with neither is left out and counted.

    Parameters
    ----------
    rows : Rows
        The window.
    design : Design
        Classes, and the year of the output.
    is_random : bool
        Random draws only.

    Raises
    ------
    DataError
        No table of outputs (QB403), or no firm drawn has one (QB437).
    """
    require_table(rows.workspace, "firm_year", rows.at)
    held = rows.workspace.query("SELECT * FROM firm_year LIMIT 0", snapshot=rows.at).columns
    amounts = [c for c in ("output_wan_cny", "revenue_wan_cny") if c in held]
    parts = by_firm_parts(rows, design)
    parts |= {
        "{output}": f"coalesce({', '.join(amounts)})",
        "{years}": distinct_rows("firm_year"),
        "{n}": "b.n_random" if is_random else "b.n",
        "{k}": "b.k_random" if is_random else "b.k",
        "{year}": str(design.base_year) if design.is_fixed else "year(b.period) - 1",
    }
    found = rows.query("by_firm", "output", parts=parts)
    found = found[found["risk_class"].notna()] if design.is_fixed else found
    found = found.assign(**found[list(SUMS)].fillna(0))
    left_out, n = float(found["left_out_n"].sum()), float(found["n"].sum())
    if n == 0 and left_out > 0:
        raise DataError(
            "QB437",
            found=f"{int(left_out):,} draws, none with output_wan_cny or revenue_wan_cny of its firm and year",
            expected="table firm_year: the last full year before each period",
            fix='qbase load FIRM_YEAR…        (or Design(weight="firms"))',
        )
    sums = found.assign(entity=found["entity"].astype(str), period=periods.to_periods(found["period"], rows.freq))
    return Outputs(sums=sums[sums["n"] > 0], left_out_share=left_out / max(left_out + n, 1))


def output_rates(strata: pd.DataFrame, outputs: Outputs, *, numerator: str = "batch") -> pd.DataFrame:
    """Return rates weighted by output on top of the design weights.

    Parameters
    ----------
    strata : pandas.DataFrame
        With the columns of `ON`, ``weight`` and ``firm_weight``.
    outputs : Outputs
        The same draws with their outputs.
    numerator : {"batch", "firm"}
        Batches that passed, or firms of which every batch passed.

    Returns
    -------
    pandas.DataFrame
        Index (entity, period): n, k (draws with an output, unweighted), n_firms, n_eff, rate (share). Kish's n_eff
        falls to 1 where one firm makes nearly everything.
    """
    both = outputs.sums.merge(strata[[*ON, "weight", "firm_weight"]], on=ON, how="inner")
    values = {c: both[c].to_numpy(dtype=float) for c in (*SUMS, "weight", "firm_weight")}
    if numerator == "firm":
        n, k, weight = values["n_firms"], values["n_clean"], values["firm_weight"]
        whole, good, part = values["output_firms"], values["output_clean"], values["square_firms"]
    else:
        n, k, weight = values["n"], values["k"], values["weight"]
        correlation = firm_correlation(n, values["n_firms"], values["sum_nn"], values["sum_kk"], k)
        whole, good = values["output_n"], values["output_k"]
        part = values["square_n"] + correlation * (values["square_nn"] - values["square_n"])
    parts = pd.DataFrame(
        {
            "n": n, "k": k, "n_firms": values["n_firms"], "whole": weight * whole, "good": weight * good,
            "part": weight**2 * part,
        },
        index=pd.MultiIndex.from_frame(both[["entity", "period"]]),
    )  # fmt: skip
    total = parts.groupby(level=["entity", "period"]).sum()
    n_eff = np.minimum(total["whole"] ** 2 / total["part"], total["n"])
    rate = (total["good"] / total["whole"]).clip(0, 1)
    return total[["n", "k", "n_firms"]].assign(n_eff=n_eff, rate=rate)
