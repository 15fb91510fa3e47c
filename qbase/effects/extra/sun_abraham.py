"""Sun and Abraham's event study: a saturated two-way regression, its cohorts averaged by their shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbase.core.given import check_margin, read_text
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import PARALLEL, drawing_notes
from qbase.effects.comparison.outcome_grid import OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.group_time_cells import (
    check_cells_used,
    read_window,
    refuse_no_effect,
    tabulate_cells,
)
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.interaction_weighted import InteractionPath
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

SATURATED = Text(
    "回归中每个采用批次、每个时期各有一项，再按批次的份额平均；基期为政策开始前一期。",
    "The regression has one term per cohort and period, averaged by the shares of the cohorts; the base is the period "
    "before the start.",
)
NEVER = Text("对照为始终未采用者。", "Compared with those never treated.")
LAST = Text(
    "没有始终未采用者：对照为最后采用者，其采用之后的各期不用。",
    "Nobody is never treated: compared with those treated last, without the periods from their start on.",
)


def estimate_sun_abraham(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    leads: int | None = None,
    lags: int | None = None,
    weight: Weight = "equal",
    clusters: Mapping[str, str] | None = None,
    vcov: str | None = None,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate the interaction-weighted event study of Sun and Abraham (2021); one of the extras.

    ``y = entity effect + period effect + Σ cohort × event time + error``, every event time but −1 with a term of its
    own. On a complete panel it is `estimate_staggered` with ``control="never"``; with gaps the regression also uses
    entities not observed at the base, on the strength of additive effects. Shares of cohorts are estimated too, and
    their part of the error is in the intervals.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing.
    outcome : str
        Id of an indicator of the panel.
    leads, lags : int or None
        Event times shown; None takes 4 and 6 quarters, 4 half-years, 3 years, or as many as are observed.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect; rows of the regression weigh alike.
    clusters : mapping or None
        Entity -> what it belongs to, where entities of one may move together; None takes the entity.
    vcov : {"permutation", "conley_taber", "CRV3", "wild", "analytic"} or None
        See `qbase.effects.doubt.few_clusters.infer`; None chooses by the number of treated clusters.
    level : float
        Confidence level.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little effect.
    seed : int
        Of whatever is drawn.
    subject : Text or None
        The treated in words; None names them by what the panel follows.

    Returns
    -------
    Result
        Estimand ``effect``: terms ``att``, ``event``, ``cohort`` and ``period`` as of `estimate_staggered`; below three
        treated entities a term has no interval. Tables ``paths`` and ``group_time``.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; no cohort with a base period, or nobody to compare with
        (QB531); options that are none (QB144, QB503, QB507, QB519, QB550).

    References
    ----------
    Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous treatment
    effects. J. Econometrics 225.

    Examples
    --------
    >>> from qbase.effects import estimate_sun_abraham
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> effect = estimate_sun_abraham(panel, policy, "D1.batch", leads=2, lags=1)
    >>> [(e.term, e.key.get("event_time"), e.n_treated) for e in effect.estimates[:4]]
    [('att', None, 5), ('event', -2, 5), ('event', 0, 5), ('event', 1, 4)]
    """
    check_level(level)
    grid = build_grid(panel, policy, outcome, weight=weight, clusters=clusters)
    before, after = read_window(grid, leads, lags)
    estimator = InteractionPath(leads=before, lags=after)
    found = estimator.fit(grid)
    refuse_no_effect(policy, grid, found, fix="a longer panel, or untreated entities in it")
    fit = estimator.average(grid, found)
    inference = infer(grid, estimator, fit, vcov=vcov, level=level, seed=read_count("seed", seed, example=str(SEED)))
    is_never = bool((~grid.is_treated).any())
    notes = [PARALLEL, NEVER if is_never else LAST, SATURATED, *drawing_notes(panel)]
    compared = np.broadcast_to(_compared(grid)[None, :, None], (len(found.cohorts), *grid.y.shape))
    return assemble_path(
        panel,
        policy,
        grid,
        fit,
        inference,
        method="sun_abraham",
        level=level,
        settings={"control": "never" if is_never else "last", "base": -1, "leads": before, "lags": after, "seed": seed},
        checks=(*path_checks(panel, grid, inference, level=level), check_cells_used(grid, found)),
        notes=notes,
        tables={"group_time": tabulate_cells(grid, found, compared)},
        margin=check_margin(margin),
        subject=None if subject is None else read_text("subject", subject),
    )


def _compared(grid: OutcomeGrid) -> np.ndarray:
    """Return who is compared, shape (N,): those never treated, else those treated last."""
    never = ~grid.is_treated
    return never if never.any() else np.asarray(grid.start == max(grid.cohorts))
