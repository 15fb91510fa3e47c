"""Recorded inclusion probabilities: checked, and named with the share of draws that carry one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import number
from qbase.core.text import Text
from qbase.indicators.cells.stratum_weights import Fractions

FRACTIONS: dict[Fractions, Text] = {
    "recorded": Text("双随机批次，按登记的入样概率加权", "random draws, weighted by their recorded probability"),
    "frame": Text(
        "双随机批次，按所属风险等级的抽取比例加权", "random draws, weighted by the fraction drawn of their risk class"
    ),
    "unrecorded": Text("双随机批次，抽取比例未记录，未加权", "random draws, unweighted: fractions are not on record"),
}


def check_probabilities(strata: pd.DataFrame) -> None:
    """Refuse probabilities that are none.

    Parameters
    ----------
    strata : pandas.DataFrame
        Columns ``inclusion_probability`` (nan where not on record) and ``n``.

    Raises
    ------
    DataError
        One is not above 0 and at most 1 (QB438).
    """
    p = strata["inclusion_probability"].to_numpy(dtype=float)
    is_wrong = ~np.isnan(p) & ~((p > 0) & (p <= 1))
    if is_wrong.any():
        values = sorted(set(p[is_wrong]))
        raise DataError(
            "QB438",
            value=f"{values[0]:g}",
            found=f"{', '.join(f'{v:g}' for v in values[:3])}{', …' if len(values) > 3 else ''} "
            f"in {int(strata['n'].to_numpy()[is_wrong].sum()):,} batches",
            expected="inclusion_probability above 0 and at most 1, empty where it is not on record",
            fix="correct the delivery and load it again",
        )


def recorded_share(drawn: pd.DataFrame) -> float:
    """Return the share of draws whose inclusion probability is on record."""
    n = drawn["n"].to_numpy(dtype=float)
    return float(n[drawn["inclusion_probability"].notna().to_numpy()].sum() / n.sum())


def describe_fractions(fractions: Fractions, share: float, *, has_frame: bool) -> Text:
    """Return how random draws were weighted.

    Parameters
    ----------
    fractions : {"recorded", "frame", "unrecorded"}
        From `qbase.indicators.cells.stratum_weights.add_weights`.
    share : float
        From `recorded_share`.
    has_frame : bool
        Whether draws without a probability take the fraction of their class; else the mean weight of their period.
    """
    if not 0 < share < 1:
        return FRACTIONS[fractions]
    # 100.0 would say that all are on record
    shown = number(min(max(100 * share, 0.1), 99.9), 1)
    rest = Text("同期平均权数", "the mean weight of their period")
    if has_frame:
        rest = Text("所属风险等级的抽取比例", "the fraction drawn of their risk class")
    return Text(
        f"双随机批次，{shown} % 按登记的入样概率加权，其余按{rest.zh}",
        f"random draws, {shown} % weighted by their recorded probability, the others by {rest.en}",
    )
