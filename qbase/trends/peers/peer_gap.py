"""How far one entity lies from its peers: its rate less the mean of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.stats.comparing.mean_intervals import mean_interval
from qbase.stats.rates.wilson import square_and_add
from qbase.trends.counts.count_checks import check_small_n, notes_of
from qbase.trends.counts.period_counts import find_entity
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.peers.peer_counts import DRAWN, Compared, Window, check_same_drawing, read_compared
from qbase.trends.peers.peer_words import nobody_else, say_gap

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

THESE = Text(
    "只与这些同类在该时段被抽查的情况相比；同类之间通常相差多少，见漏斗图。",
    "Compared with these peers as they were inspected; how far peers usually lie apart is seen in the funnel.",
)


def estimate_gap(
    panel: Panel,
    outcome: str,
    *,
    entity: str,
    peers: Sequence[str] | None = None,
    period: Window = None,
    level: float = 0.95,
    maturity: Maturity | None = None,
) -> Result:
    """Estimate how far the rate of one entity lies above or below the mean of its peers.

    Peers weigh by their tests, so that the mean is the pooled rate of the others. One entity, named before looking:
    the largest gap of many is no gap of one. Where nobody else was tested there is no number, and no lead.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str
        Whose gap it is.
    peers : sequence of str or None
        With whom, such as brother towns; None is everyone else.
    period, maturity
        As for `compare_peers`.
    level : float
        Confidence level.

    Returns
    -------
    Result
        Estimand ``gap`` in percentage points, term ``gap``; table ``peers``: the entity and those compared with. From
        batches as drawn moderate evidence at most. Where neither period nor peers are given and the entity was not
        tested, or the panel has no other, it has no estimate and says why.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity or peer (QB501), a period that is none (QB101), a level that is none (QB503).
    DataError
        No peers among those given (QB538), the entity itself was not tested in the period given (QB502), a weighted
        panel read at another level (QB505) or over several periods (QB537), or a preliminary period (QB506).

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. Statistics in
    Medicine 17, 873-890. Zou, G. Y., Huang, W. and Zhang, X. (2009). Computational Statistics and Data Analysis 53,
    1080-1085.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_gap
    >>> gap = estimate_gap(build_panel(open_workspace(), "D1.batch"), "D1.batch", entity="K007", period="2025")
    >>> print(gap.say().items[0].en)
    In 2025 the batch pass rate of the Hengzhu valves and cocks cluster probably lies an estimated 28.1 percentage
    points below the mean of its 11 peers (95% CI 16.5–40.2; n = 825 batches; moderate evidence).
    """
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="gap", method="peer_gap")
    if period is None and unripe is not None:
        return unripe
    own, others = _resolve(panel, entity), _peers(panel, entity, peers)
    compared = read_compared(panel, outcome, period=period, level=level, maturity=maturity)
    rows = compared.rows
    compared = dataclasses.replace(compared, rows=rows[rows["entity"].isin([own, *others])].reset_index(drop=True))
    is_own = compared.rows["entity"] == own
    if not is_own.any():
        if period is not None:
            raise _not_tested(compared, own)
        return _unanswered(compared, own, is_own)
    mine, theirs = compared.rows[is_own].iloc[0], compared.rows[~is_own]
    estimates = () if theirs.empty else (_estimate(mine, theirs, compared),)
    why, short = nobody_else(compared)
    name = compared.names[own]
    tested = {compared.last: (int(mine["n"]), int(mine["k"]))}
    draft = Result(
        estimand="gap",
        outcome=compared.indicator,
        unit=difference_unit(compared.indicator.unit),
        method="peer_gap",
        estimates=estimates,
        subject=name,
        tables={"peers": compared.rows.drop(columns="k_used").assign(is_own=is_own)},
        checks=(
            check_small_n(
                tested, level=level, is_pass=compared.indicator.better == "up", name=compared.indicator.label
            ),
            check_same_drawing(compared),
            *compared.checks,
        ),
        grade=None if panel.sampling in DRAWN else "moderate",
        notes=(THESE, *notes_of(panel, compared.indicator, own)),
        settings=compared.settings | {"entity": own, "peers": sorted(theirs["entity"])},
        sources=panel.sources,
        labels={"unanswered": short, "gap": Text("与同类平均之差", "against the mean of peers")},
        unanswered=Text("", "") if estimates else why,
        coverage=panel.coverage_of(outcome),
    )
    if not estimates:
        return draft
    words = {"said[gap]": say_gap(draft, compared, name, len(theirs))}
    return dataclasses.replace(draft, labels={**draft.labels, **words})


def _unanswered(compared: Compared, own: str, is_own: pd.Series) -> Result:
    """Return that the entity itself has nothing to compare."""
    panel, when = compared.panel, compared.when
    name = panel.label(own)
    why = Text(
        f"{when.zh}{{subject}}没有抽查数字，不与同类比较。",
        f"{{subject}} has no figure for {when.en} and is not compared with its peers.",
    )
    return Result(
        estimand="gap",
        outcome=compared.indicator,
        unit=difference_unit(compared.indicator.unit),
        method="peer_gap",
        estimates=(),
        subject=name,
        tables={"peers": compared.rows.drop(columns="k_used").assign(is_own=is_own)},
        checks=compared.checks,
        notes=notes_of(panel, compared.indicator, own),
        settings=compared.settings | {"entity": own, "peers": sorted(compared.rows["entity"])},
        sources=panel.sources,
        labels={"unanswered": Text("没有数字，不作比较", "Not compared: no figure")},
        unanswered=why,
        coverage=panel.coverage_of(compared.indicator.id),
    )


def _resolve(panel: Panel, entity: str) -> str:
    found = find_entity(panel, entity)
    if found not in panel.entities:
        raise UsageError(
            "QB501",
            entity=entity,
            found=f"entity={entity!r}",
            expected=f"one of the {len(panel.entities)} values of {panel.entity}",
            fix=suggest_names(entity, panel.entities),
        )
    return found


def _peers(panel: Panel, entity: str, peers: Sequence[str] | None) -> list[str]:
    """Return whom to compare with, each once and never the entity itself."""
    own = _resolve(panel, entity)
    given = panel.entities if peers is None else [_resolve(panel, p) for p in peers]
    others = sorted(set(given) - {own})
    if not others and peers is not None:
        raise DataError(
            "QB538", entity=own, found=f"{len(panel.entities)} entities, peers={peers!r}",
            expected="at least one other entity of the panel", fix="peers=None compares with everyone else",
        )  # fmt: skip
    return others


def _not_tested(compared: Compared, own: str) -> DataError:
    name = compared.panel.label(own)
    tested = ", ".join(compared.rows["entity"].head(6))
    return DataError(
        "QB502", subject_zh=name.zh, subject_en=name.en, period=compared.code,
        found=f"0 tested in {compared.code}", expected=f"an entity tested in it: {tested or 'none of these'}",
        fix="choose another entity, or a wider window",
    )  # fmt: skip


def _estimate(mine: pd.Series, theirs: pd.DataFrame, compared: Compared) -> Estimate:
    rest = mean_interval(theirs["rate_pct"], theirs["ci_low"], theirs["ci_high"], weight=theirs["n_used"])
    own = (float(mine["rate_pct"]), float(mine["ci_low"]), float(mine["ci_high"]))
    value, low, high = (float(x) for x in square_and_add(own, rest))
    return Estimate(
        term="gap",
        key={"entity": str(mine["entity"]), "period": compared.code, "peers": len(theirs)},
        value=value,
        ci_low=low,
        ci_high=high,
        ci_level=compared.level,
        n_obs=int(mine["n"] + theirs["n"].sum()),
    )
