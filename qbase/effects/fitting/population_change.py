"""Two populations of one place: all firms there now, and those there at the baseline wherever they are now."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats

COLUMNS = ("is_here_before", "is_here_after", "rate_before", "rate_after", "weight_before", "weight_after")


def decompose_populations(frame: pd.DataFrame) -> pd.DataFrame:
    """Decompose how far the change of all firms is from that of the baseline's firms followed.

    The rate of a place changes because its firms change, and because its firms are others. *All firms* compares those
    there before with those there after, by the weights of each time. *Followed* takes the firms there before, by their
    weights then, and their own rates before and after, also where they have moved away meanwhile. The difference of the
    two is the sum of four parts:

    - ``within``: own change of those who stayed, less that of all who were followed;
    - ``reallocation``: weight moving among those who stayed, times their rates after;
    - ``entry``: rate of newcomers less that of those who stayed, times the share of newcomers after;
    - ``exit``: rate before of those who stayed less that of those who left, times the share of leavers before.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a firm: ``is_here_before`` and ``is_here_after`` (bool), ``rate_before`` and ``rate_after`` (any unit;
        NaN where the firm was not seen), ``weight_before`` and ``weight_after``. Who left and is seen elsewhere is
        followed; who left and is seen no more only leaves.

    Returns
    -------
    pandas.DataFrame
        Columns part, value (in the unit of the rates) and n_firms, rows ``all_firms``, ``followed``, ``difference``,
        ``within``, ``reallocation``, ``entry`` and ``exit``.

    Raises
    ------
    DataError
        Columns are missing, a firm that is there has no rate or no weight above 0, or no firm stayed (QB546).

    References
    ----------
    Melitz, M. J. and Polanec, S. (2015). Dynamic Olley-Pakes productivity decomposition with entry and exit. RAND
    Journal of Economics 46. Foster, L., Haltiwanger, J. and Krizan, C. J. (2001). Aggregate productivity growth.

    Examples
    --------
    A weak firm moves out of a treated town and a good one moves in: the town gains 15 points, its firms 3.

    >>> import pandas as pd
    >>> from qbase.effects.fitting.population_change import decompose_populations
    >>> firms = pd.DataFrame(
    ...     {
    ...         "is_here_before": [True, True, True, False], "is_here_after": [True, True, False, True],
    ...         "rate_before": [90.0, 94, 60, None], "rate_after": [94.0, 96, 63, 99],
    ...         "weight_before": [1.0, 1, 1, 0], "weight_after": [1.0, 1, 1, 1],
    ...     }
    ... )
    >>> print(decompose_populations(firms).round(2).to_string(index=False))
            part  value  n_firms
       all_firms  15.00        4
        followed   3.00        3
      difference  12.00        4
          within   0.00        2
    reallocation   0.00        2
           entry   1.33        1
            exit  10.67        1
    """
    before, after, rate, weight = _read_firms(frame)
    stays, leaves, enters = before & after, before & ~after, ~before & after
    followed = before & np.isfinite(rate[1])
    own = rate[1] - rate[0]
    total = _mean(rate[1], weight[1], after) - _mean(rate[0], weight[0], before)
    panel = _mean(own, weight[0], followed)
    within = _mean(own, weight[0], stays)
    stayed = [_mean(rate[0], weight[0], stays), _mean(rate[1], weight[1], stays)]
    parts = {
        "within": (within - panel, stays),
        "reallocation": (stayed[1] - _mean(rate[1], weight[0], stays), stays),
        "entry": (_share(weight[1], enters, after) * (_mean(rate[1], weight[1], enters) - stayed[1]), enters),
        "exit": (_share(weight[0], leaves, before) * (stayed[0] - _mean(rate[0], weight[0], leaves)), leaves),
    }
    rows = {
        "all_firms": (total, before | after),
        "followed": (panel, followed),
        "difference": (total - panel, before | after),
        **parts,
    }
    return pd.DataFrame([(part, float(value), int(who.sum())) for part, (value, who) in rows.items()],
                        columns=["part", "value", "n_firms"])  # fmt: skip


def _read_firms(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, tuple[Floats, Floats], tuple[Floats, Floats]]:
    lost = [name for name in COLUMNS if name not in frame.columns]
    if lost:
        raise _no_firms(f"without {', '.join(lost)}")
    is_here = [frame[name].to_numpy(dtype=bool) for name in COLUMNS[:2]]
    rate = [frame[name].to_numpy(dtype=float) for name in COLUMNS[2:4]]
    weight = [frame[name].to_numpy(dtype=float) for name in COLUMNS[4:]]
    for when, here, r, w in zip(("before", "after"), is_here, rate, weight, strict=True):
        bad = int((here & ~(np.isfinite(r) & np.isfinite(w) & (w > 0))).sum())
        if bad:
            raise _no_firms(f"{bad} firms there {when} without a rate or a weight above 0")
    if not (is_here[0] & is_here[1]).any():
        raise _no_firms(f"{int(is_here[0].sum())} firms there before, none of them after")
    return is_here[0], is_here[1], (rate[0], rate[1]), (weight[0], weight[1])


def _no_firms(found: str) -> DataError:
    return DataError(
        "QB546",
        found=found,
        expected="for each firm there before or after its rate and weight then, and at least one there at both times",
        fix="leave out firms without inspections at the time, or take longer periods before and after",
    )


def _mean(values: Floats, weight: Floats, chosen: np.ndarray) -> float:
    """Return a weighted mean, 0 where nobody is chosen: the share beside it is then 0 too."""
    return float(values[chosen] @ weight[chosen] / weight[chosen].sum()) if chosen.any() else 0.0


def _share(weight: Floats, part: np.ndarray, whole: np.ndarray) -> float:
    return float(weight[part].sum() / weight[whole].sum())
