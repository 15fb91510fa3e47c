"""Who among peers lies outside a funnel: worth asking why, and no league table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from qbase.core.given import check_word
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Grade
from qbase.stats.comparing.funnel_limits import LEVELS, TRIM, Dispersion, Funnel, funnel_curve, funnel_limits
from qbase.stats.comparing.mean_intervals import mean_interval
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.peers.peer_counts import DRAWN, Compared, Window, check_present, check_same_drawing, read_compared
from qbase.trends.peers.peer_words import FEW_PEERS, NO_LEAGUE, nobody_else, say_chance, say_funnel, say_spread

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

ENDS = ("95", "998")
"""Levels of `LEVELS` as they stand in the names of columns."""
LEAST = 5
"""Among fewer, nobody knows how far entities alike lie apart."""
GRID = 64


def compare_peers(
    panel: Panel,
    outcome: str,
    *,
    period: Window = None,
    dispersion: Dispersion = "additive",
    level: float = 0.95,
    maturity: Maturity | None = None,
) -> Result:
    """Compare the rates of all entities with what entities alike would show, given how many were tested.

    Limits hold 95 and 99.8 % of entities that differ no more than entities here usually do: where rates differ by more
    than chance, limits are widened. How many would lie outside for nothing is said beside who does. A result of batches
    as drawn is moderate evidence at most, and no result of this kind is a ranking: rows stand by id.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    period : str, pandas.Period, tuple of two, or None
        One period, a year of a quarterly panel, or first and last, counts added up. None is the last year with tests;
        of a weighted panel the last period.
    dispersion : {"additive", "multiplicative", "none"}
        How limits are widened, see `qbase.stats.funnel_limits`.
    level : float
        Confidence level of the single rates.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`: preliminary periods are left out.

    Returns
    -------
    Result
        Estimand ``level`` in percent: term ``mean`` of all together, and ``rate`` with key ``entity`` of each. Table
        ``peers``: one row per entity with n, k, rate, interval, score z, limits and where it lies (``outside``: empty,
        ``low_95``, ``high_998`` …). Table ``limits``: the limits by number of tests. Settings hold phi, tau², target
        and the expected number outside. Without an answer where nobody else was tested.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        A period that is none (QB101), a level that is none (QB503), or a dispersion that is none (QB144).
    DataError
        Nothing was tested (QB502), a weighted panel read at another level (QB505) or over several periods (QB537), or
        a preliminary period (QB506).

    References
    ----------
    Spiegelhalter, D. J. (2005). Funnel plots for comparing institutional performance. Statistics in Medicine 24,
    1185-1202. Verburg, I. W. M. et al. (2018). Guidelines on constructing funnel plots for quality indicators.
    Statistical Methods in Medical Research 27, 3350-3366.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import compare_peers
    >>> found = compare_peers(build_panel(open_workspace(), "D1.batch"), "D1.batch", period="2025")
    >>> found.tables["peers"].set_index("entity")["outside"].loc[["K006", "K007"]].to_dict()
    {'K006': '', 'K007': 'low_95'}
    """
    check_word("dispersion", dispersion, get_args(Dispersion))
    unripe = leave_preliminary(panel, outcome, None, maturity, estimand="level", method="funnel")
    if period is None and unripe is not None:
        return unripe
    compared = read_compared(panel, outcome, period=period, level=level, maturity=maturity)
    rows = compared.rows
    if len(rows) < 2:
        return _unanswered(compared)
    is_enough = len(rows) >= LEAST
    used: Dispersion = dispersion if is_enough else "none"
    funnel = funnel_limits(rows["k_used"], rows["n_used"], dispersion=used)
    placed = _place(rows, funnel)
    peers = CheckResult(
        name="enough_peers",
        passed=is_enough,
        text=FEW_PEERS.format(n=len(rows), least=LEAST, kind=compared.kind)
        if not is_enough
        else Text(f"共 {len(rows)} {compared.kind.zh}。", f"{len(rows)} {compared.kind.en} are compared."),
    )
    checks = (peers, check_same_drawing(compared), check_present(compared), *compared.checks)
    draft = Result(
        estimand="level",
        outcome=compared.indicator,
        unit=compared.indicator.unit,
        method="funnel",
        estimates=_estimates(compared),
        subject=compared.subject,
        tables={"peers": placed, "limits": _curve(funnel, int(rows["n_used"].max()))},
        checks=checks,
        grade=_cap(compared, checks),
        notes=(NO_LEAGUE, say_spread(funnel, len(rows)), *notes_of(panel, compared.indicator, None)),
        settings=compared.settings | _settings(funnel),
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        spoken=(0,),
    )
    words = {
        "said[mean]": say_funnel(draft, compared), "chance": say_chance(draft.settings, len(rows)),
        "window": compared.when, "kind": compared.kind,
    }  # fmt: skip
    named = {f"entity[{e}]": name for e, name in compared.names.items()}
    named |= {f"entity[{e}]": panel.label(e) for e in compared.withheld}
    return dataclasses.replace(draft, labels=words | named)


def _place(rows: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Put limits beside rates, and say beyond which of them a rate lies."""
    outside = np.full(len(rows), "", dtype=object)
    for i, end in enumerate(ENDS):
        outside[funnel.is_low[i]], outside[funnel.is_high[i]] = f"low_{end}", f"high_{end}"
    limits = {
        f"{side}_{end}_pct": 100 * ends[i]
        for i, end in enumerate(ENDS)
        for side, ends in (("low", funnel.low), ("high", funnel.high))
    }
    return rows.drop(columns="k_used").assign(z=funnel.z, **limits, outside=outside)


def _curve(funnel: Funnel, most: int) -> pd.DataFrame:
    """Return limits at numbers of tests from 1 on, closer together where they bend."""
    n = np.unique(np.round(np.linspace(1, np.sqrt(max(most, 2) * 1.04), GRID) ** 2).astype(np.int64))
    low, high = funnel_curve(funnel, n)
    ends = {f"{s}_{e}_pct": 100 * x[i] for i, e in enumerate(ENDS) for s, x in (("low", low), ("high", high))}
    return pd.DataFrame({"n": n, **ends})


def _estimates(compared: Compared) -> tuple[Estimate, ...]:
    rows, key = compared.rows, compared.code
    mean, low, high = mean_interval(rows["rate_pct"], rows["ci_low"], rows["ci_high"], weight=rows["n_used"])
    total = Estimate(
        term="mean", key={"period": key}, value=mean, ci_low=low, ci_high=high, ci_level=compared.level,
        n_obs=int(rows["n"].sum()),
    )  # fmt: skip
    return (
        total,
        *(
            Estimate(
                term="rate",
                key={"period": key, "entity": str(row["entity"])},
                value=float(row["rate_pct"]),
                ci_low=float(row["ci_low"]),
                ci_high=float(row["ci_high"]),
                ci_level=compared.level,
                n_obs=int(row["n"]),
            )
            for row in rows.to_dict("records")
        ),
    )


def _settings(funnel: Funnel) -> dict[str, object]:
    return {
        "levels": list(LEVELS),
        "dispersion": funnel.dispersion,
        "winsorise": TRIM,
        "phi": funnel.phi,
        "tau2": funnel.tau2,
        "target_pct": 100 * funnel.target,
        **{f"expected_{end}": float(x) for end, x in zip(ENDS, funnel.false_alarms, strict=True)},
    }


def _cap(compared: Compared, checks: tuple[CheckResult, ...]) -> Grade:
    failed = any(check.passed is False for check in checks)
    return "limited" if failed else "strong" if compared.panel.sampling in DRAWN else "moderate"


def _unanswered(compared: Compared) -> Result:
    why, short = nobody_else(compared)
    return Result(
        estimand="level",
        outcome=compared.indicator,
        unit=compared.indicator.unit,
        method="funnel",
        estimates=(),
        subject=compared.subject,
        tables={"peers": compared.rows.drop(columns="k_used")},
        checks=(check_present(compared), *compared.checks),
        notes=notes_of(compared.panel, compared.indicator, None),
        settings=compared.settings,
        sources=compared.panel.sources,
        labels={"unanswered": short},
        unanswered=why,
        coverage=compared.panel.coverage_of(compared.indicator.id),
    )
