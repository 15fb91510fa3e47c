"""Effects against what untreated cells impute: every period before the start is the base, on points or log-odds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd

from qbase.core.errors import PolicyError
from qbase.core.given import check_margin, check_word, read_text
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import drawing_notes
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.group_time_cells import check_cells_imputed, read_window
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.imputation import ImputationEstimator, impute_outcomes
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.fitting.logit_paths import LogitEstimator, impute_rates, refuse_no_rate
from qbase.effects.fitting.path_fit import PathFit
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

Scale = Literal["probability", "logit"]

METHODS: Mapping[Scale, str] = {"probability": "imputation", "logit": "imputation_logit"}
BASE = Text(
    "基期是政策开始前各期的平均，不是其中某一期。",
    "The base is the average of all periods before the start, not one of them.",
)
PARALLEL_ON: Mapping[Scale, Text] = {
    "probability": Text(
        "前提：若没有这项政策，采用者与未采用者的结果本应增减同样多；数据不能证明这一点。",
        "Assumes that without the policy outcomes of treated and comparison entities would have moved by the same "
        "amount; data cannot prove it.",
    ),
    "logit": Text(
        "前提：若没有这项政策，采用者与未采用者合格率的对数几率本应增减同样多；数据不能证明这一点。",
        "Assumes that without the policy the log-odds of passing of treated and comparison entities would have moved "
        "by the same amount; data cannot prove it.",
    ),
}
FIRTH = Text(
    "对数几率用带 Firth 惩罚的分组极大似然拟合，并校正使拟合合格批次等于实际合格批次；效果以百分点计。",
    "Log-odds are fitted by grouped maximum likelihood with Firth's penalty, corrected so that passes fitted are those "
    "seen; effects are in percentage points.",
)


def estimate_imputation(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    leads: int | None = None,
    lags: int | None = None,
    anticipation: int = 0,
    donut: int = 0,
    scale: Scale = "probability",
    weight: Weight = "equal",
    clusters: Mapping[str, str] | None = None,
    vcov: str | None = None,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate effects as outcomes less what they would have been, imputed from untreated cells.

    Effects of entities and periods are fitted where nobody is treated (Borusyak, Jaravel and Spiess 2024). The base of
    the path is the average of all periods before the start, so no single noisy period carries it; a straight drift of
    the treated shows as one straight line through leads and lags.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing. Those who start after the data end are not treated within them.
    outcome : str
        Id of an indicator of the panel.
    leads, lags : int or None
        Event times shown; None takes 4 and 6 quarters, 4 half-years, 3 years, or as many as are observed.
        Whatever is shown, all periods before the start are base, and the overall effect has all from the start on.
    anticipation : int
        Periods before the start in which the treated may react already: neither base nor effect.
    donut : int
        Periods before those in which the treated were selected: neither base nor effect.
    scale : {"probability", "logit"}
        On what trends are parallel: on the outcome itself, or on the log-odds of passing, for outcomes that are plain
        rates of passes. Effects are in points of percent on both.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect, such as `qbase.indicators.read_baseline_weights`. Untreated cells
        count the same whatever it is (on the log-odds by their batches).
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
        Estimand ``effect``: terms ``att`` (all treated cells, what the sentence speaks of), ``event`` with key
        ``event_time``, ``cohort`` with key ``adopted``, ``period`` with key ``period``; each with ``n_treated``,
        ``n_cells``, ``n_effective``. Below three treated entities a term has no interval. Tables ``paths`` and
        ``imputed`` (entity, period, event_time, observed, imputed; the treated only). Checks ``cells_used`` and
        ``parallel_leads``.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; no treated cell that can be imputed (QB544); on the
        log-odds an outcome without counts (QB543) or a fit that does not settle (QB542); options that are none (QB144,
        QB503, QB507, QB519, QB550).

    References
    ----------
    Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs: robust and efficient estimation.
    Review of Economic Studies 91. Wooldridge, J. M. (2023). Simple approaches to nonlinear
    difference-in-differences with panel data. Econometrics Journal 26.

    Examples
    --------
    >>> from qbase.effects import estimate_imputation
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> panel, policy = build_panel(workspace, "D1.batch"), build_policy(workspace, "base")
    >>> effect = estimate_imputation(panel, policy, "D1.batch", leads=2, lags=1)
    >>> [(e.term, e.key.get("event_time"), e.n_treated) for e in effect.estimates[:4]]
    [('att', None, 5), ('event', -2, 5), ('event', -1, 5), ('event', 0, 5)]
    """
    check_level(level)
    check_word("scale", scale, get_args(Scale))
    grid = build_grid(panel, policy, outcome, weight=weight, clusters=clusters)
    before, after = read_window(grid, leads, lags)
    window = Window(
        leads=before,
        lags=after,
        donut=read_count("donut", donut, example="0"),
        anticipation=read_count("anticipation", anticipation, example="0"),
    )
    if scale == "logit":
        refuse_no_rate(grid)
    build = LogitEstimator if scale == "logit" else ImputationEstimator
    estimator = build(window=window, terms=list_path_terms(grid, window))
    fit = estimator(grid)
    _refuse_none(grid, policy, fit, window)
    inference = infer(grid, estimator, fit, vcov=vcov, level=level, seed=read_count("seed", seed, example=str(SEED)))
    imputed = impute_rates(grid, window) if scale == "logit" else impute_outcomes(grid, window)
    return assemble_path(
        panel,
        policy,
        grid,
        fit,
        inference,
        method=METHODS[scale],
        level=level,
        settings={
            "scale": scale, "anticipation": window.anticipation, "donut": window.donut, "base": "average before",
            "leads": before, "lags": after, "seed": seed,
        },
        checks=(*path_checks(panel, grid, inference, level=level), check_cells_imputed(grid, fit)),
        notes=_notes(panel, scale, window),
        tables={"imputed": _table(grid, imputed)},
        margin=check_margin(margin),
        subject=None if subject is None else read_text("subject", subject),
    )  # fmt: skip


def _refuse_none(grid: OutcomeGrid, policy: Policy, fit: PathFit, window: Window) -> None:
    if np.isfinite(fit.beta[0]):
        return
    raise PolicyError(
        "QB544",
        policy=policy.policy_id,
        found=f"{int(grid.is_treated.sum())} treated, none with an untreated period before its last {window.gap} "
        "that somebody untreated shares with a treated one",
        expected="periods before the start, and entities untreated in the periods after it",
        fix="anticipation=0, donut=0" if window.gap else "a longer panel, or untreated entities in it",
    )


def _table(grid: OutcomeGrid, imputed: Floats) -> pd.DataFrame:
    row, column = np.nonzero(np.isfinite(grid.y) & np.isfinite(imputed) & grid.is_treated[:, None])
    return pd.DataFrame(
        {
            "entity": [grid.entities[i] for i in row],
            "period": [grid.code_of(int(t)) for t in column],
            "event_time": grid.event_time[row, column].astype(int),
            "observed": grid.y[row, column],
            "imputed": imputed[row, column],
        }
    )


def _notes(panel: Panel, scale: Scale, window: Window) -> tuple[Text, ...]:
    notes = [PARALLEL_ON[scale], BASE, *([FIRTH] if scale == "logit" else [])]
    if window.gap:
        n = window.gap
        notes.append(
            Text(
                f"政策开始前最近 {n} 期既不作基期，也不计入效果。",
                f"Neither base nor effect: the last {n} period{'s' if n > 1 else ''} before the start.",
            )
        )
    return (*notes, *drawing_notes(panel))
