"""In which ranks entities can be: intervals that hold for all of them at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.stats.comparing.rank_intervals import Ranks, rank_intervals
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.peers.peer_counts import Compared, Window, check_present, check_same_drawing, read_compared
from qbase.trends.peers.peer_words import nobody_else, say_ranks

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

TOGETHER = Text(
    "位次区间由两两 Fisher 精确检验得出（Holm–Shaffer 逐步法），对全部对象同时成立，样本再小也成立。",
    "Rank intervals come from Fisher's exact test of every pair (steps of Holm and Shaffer); they hold for all "
    "entities at once, however few were tested.",
)
OVERLAP = Text("位次区间重叠的对象，这里不分先后。", "Where rank intervals overlap no order is given here.")


def rank_entities(
    panel: Panel, outcome: str, *, period: Window = None, level: float = 0.95, maturity: Maturity | None = None
) -> Result:
    """Rank entities by a rate, each rank with the interval of ranks that are not refuted.

    Only a panel that says how batches were drawn is ranked: among batches as drawn, who is inspected at risk comes
    last whatever its quality. All intervals hold at once with the level asked for.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts; ``sampling`` is not ``naive``.
    outcome : str
        Id of a rate, ``D1.batch``. Where lower is better rank 1 is the lowest.
    period : str, pandas.Period or None
        The last period when None. For whole years build the panel with ``freq="A"``.
    level : float
        For all intervals together. It may differ from 0.95, which is that of the single rates of the panel.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`: preliminary periods are left out.

    Returns
    -------
    Result
        Estimand ``level`` in ranks, term ``rank`` with key ``entity``, outcome ``<id>.rank``. Table ``ranks``: entity,
        names, n, rate, interval, rank and its limits, from the first rank on. Without an answer for a naive panel, and
        where nobody else was tested.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        A period that is none (QB101), or a level that is none (QB503).
    DataError
        Nothing was tested (QB502), several periods (QB537), or a preliminary one (QB506).

    References
    ----------
    Mogstad, M., Romano, J. P., Shaikh, A. M. and Wilhelm, D. (2024). Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries. Review of Economic Studies 91, 476-518. Holm, S.
    (1979). Scandinavian Journal of Statistics 6, 65-70. Shaffer, J. P. (1986). JASA 81, 826-831.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import rank_entities
    >>> panel = build_panel(open_workspace(), "D1.batch", freq="A", sampling="random_draw")
    >>> ranks = rank_entities(panel, "D1.batch", period="2025")
    >>> print(ranks.say().items[0].en)
    By batch pass rate (weighted random draws) in 2025, 2 of 66 pairs of 12 clusters can be put in order (95%, all at
    once): 11 may be first and 10 may be last.
    """
    compared = read_compared(panel, outcome, period=period, maturity=maturity)
    if len(compared.rows) < 2:
        return _unanswered(compared, *nobody_else(compared))
    if panel.sampling == "naive":
        return _unanswered(compared, *_directed(compared))
    is_up = compared.indicator.better != "down"
    rows = compared.rows
    passed = rows["k_used"] if is_up else rows["n_used"] - rows["k_used"]
    ranks = rank_intervals(passed, rows["n_used"], level=level)
    table = _table(rows, ranks)
    told = int(ranks.is_above.sum())
    draft = Result(
        estimand="level",
        outcome=_rank_of(compared.indicator),
        unit="rank",
        method="rank_intervals",
        estimates=tuple(_estimate(row, compared, level) for row in table.to_dict("records")),
        subject=compared.subject,
        tables={"ranks": table},
        checks=(_check_order(table), check_same_drawing(compared), check_present(compared), *compared.checks),
        notes=(TOGETHER, OVERLAP, *notes_of(panel, compared.indicator, None)),
        settings=compared.settings | {"level": level, "ordered_pairs": told, "is_highest_first": is_up},
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        spoken=tuple(range(len(table))),
    )
    named = {f"entity[{e}]": name for e, name in compared.names.items()}
    words = {"said[rank]": say_ranks(table, compared, told, level), "window": compared.when, "kind": compared.kind,
             "measured": compared.indicator.label}  # fmt: skip
    return dataclasses.replace(draft, labels=named | words)


def _table(rows: pd.DataFrame, ranks: Ranks) -> pd.DataFrame:
    table = rows.drop(columns="k_used").assign(rank=ranks.rank, rank_low=ranks.low, rank_high=ranks.high)
    return table.sort_values(["rank", "rank_low", "rank_high", "entity"], ignore_index=True)


def _rank_of(indicator: Indicator) -> Indicator:
    return Indicator(
        id=f"{indicator.id}.rank",
        name=Text(f"按{indicator.name.zh}排的位次", f"rank by {indicator.name.en}"),
        short=Text(f"按{indicator.label.zh}排的位次", f"rank by {indicator.label.en}"),
        unit="rank",
        better="down",
        role=indicator.role,
    )


def _estimate(row: dict[Any, Any], compared: Compared, level: float) -> Estimate:
    return Estimate(
        term="rank",
        key={"entity": str(row["entity"]), "period": compared.code},
        value=float(row["rank"]),
        ci_low=float(row["rank_low"]),
        ci_high=float(row["rank_high"]),
        ci_level=level,
        n_obs=int(row["n"]),
    )


def _check_order(table: pd.DataFrame) -> CheckResult:
    """Say whether anybody at all is put in order."""
    m = len(table)
    open_ranks = int(((table["rank_low"] == 1) & (table["rank_high"] == m)).sum())
    text = Text(
        f"{count(m)} 个中 {count(open_ranks)} 个可居任何位次。", f"{count(open_ranks)} of {count(m)} can hold any rank."
    )
    return CheckResult(name="order_seen", passed=False if open_ranks == m else None, text=text)


def _directed(compared: Compared) -> tuple[Text, Text]:
    why = Text(
        "按现有抽查不排位次：{n} {kind}的抽查未按抽样方式加权，风险定向的对象排在后面，与质量无关。"
        '请用双随机批次（sampling="random_draw"）建立面板。',
        "No ranks from batches as they were drawn: the {outcome} of {n} {kind} is not weighted, and whoever is "
        'inspected at risk would come last whatever its quality. Build the panel with sampling="random_draw".',
    ).format(n=count(len(compared.rows)), kind=compared.kind, outcome=compared.indicator.label)
    return why, Text("未加权的抽查不排位次", "No ranks: draws are not weighted")


def _unanswered(compared: Compared, why: Text, short: Text) -> Result:
    return Result(
        estimand="level",
        outcome=_rank_of(compared.indicator),
        unit="rank",
        method="rank_intervals",
        estimates=(),
        subject=compared.subject,
        tables={"rates": compared.rows.drop(columns="k_used")},
        checks=(check_same_drawing(compared), check_present(compared), *compared.checks),
        notes=notes_of(compared.panel, compared.indicator, None),
        settings=compared.settings,
        sources=compared.panel.sources,
        labels={"unanswered": short},
        unanswered=why,
        coverage=compared.panel.coverage_of(compared.indicator.id),
    )
