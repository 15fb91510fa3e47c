"""Effects of a policy adopted at several times: each cohort against those not treated, then averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from qbase.core.errors import DataError, PolicyError, UsageError
from qbase.core.given import check_margin, check_word, read_text
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.comparison.effect_words import NAIVE, PARALLEL
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.fitting.aggregation import GroupTimePath, aggregate_effects
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.group_time import Adjust, Base, Control, GroupTime
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

LEADS = {"Q": 4, "A": 3}
LAGS = {"Q": 6, "A": 3}


def estimate_staggered(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    control: Control = "not_yet",
    anticipation: int = 0,
    donut: int = 0,
    base: Base = "universal",
    covariates: Sequence[str] = (),
    adjust: Adjust = "dr",
    leads: int | None = None,
    lags: int | None = None,
    balanced: bool = False,
    weight: Weight = "equal",
    clusters: Mapping[str, str] | None = None,
    vcov: str | None = None,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate group-time effects (Callaway and Sant'Anna 2021) and their averages.

    The effect on a cohort in a period is its change since the period before its start, less the change of entities not
    treated. Averages weigh cohorts by the weights of their entities.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing. Those who start after the data end are not treated within them.
    outcome : str
        Id of an indicator of the panel.
    control : {"not_yet", "never"}
        Compared with entities that start later, or with those never treated within the data.
    anticipation : int
        Periods before the start in which the treated may react already: the base moves back, and nobody about to start
        is compared.
    donut : int
        Periods before the start in which the treated were selected: the base moves back by as many.
    base : {"universal", "varying"}
        Leads measured from the same period as effects, or each from the period before it, as R's ``did`` does.
    covariates : sequence of str
        Indicators of the panel whose mean before the first adoption makes entities comparable.
    adjust : {"dr", "reg", "ipw"}
        Doubly robust, outcome regression, or inverse propensity weights.
    leads, lags : int or None
        Event times shown; None takes 4 and 6 quarters, or 3 and 3 years, or as many as are observed.
    balanced : bool
        Event times from 0 on of cohorts only that are observed in all of them.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect, such as `qbase.indicators.read_baseline_weights`.
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
        Estimand ``effect``: terms ``att`` (all treated cells), ``event`` with key ``event_time``, ``cohort`` with key
        ``adopted``, ``period`` with key ``period``; each with ``n_treated``, ``n_cells``, ``n_effective``. Below three
        treated entities a term has no interval. Tables ``paths`` and ``group_time`` (adopted, period, value, n_treated,
        n_control).

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; nobody never treated with ``control="never"``, or no
        cohort with a base period (QB531); covariates that are none or do not overlap (QB530); options that are none
        (QB144, QB503, QB507, QB519, QB550).

    References
    ----------
    Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time periods. J.
    Econometrics 225.

    Examples
    --------
    >>> from qbase.effects import estimate_staggered
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> panel, policy = build_panel(workspace, "D1.batch"), build_policy(workspace, "base")
    >>> effect = estimate_staggered(panel, policy, "D1.batch", leads=2, lags=1)
    >>> [(e.term, e.key.get("event_time"), e.n_treated) for e in effect.estimates[:4]]
    [('att', None, 5), ('event', -2, 5), ('event', 0, 5), ('event', 1, 4)]
    """
    check_level(level)
    for option, given, words in (("control", control, Control), ("base", base, Base), ("adjust", adjust, Adjust)):
        check_word(option, given, get_args(words))
    skip = read_count("anticipation", anticipation, example="0") + read_count("donut", donut, example="0")
    grid = build_grid(panel, policy, outcome, weight=weight, clusters=clusters)
    window = read_window(grid, leads, lags)
    estimator = GroupTimePath(
        leads=window[0], lags=window[1], control=control, base=base, skip=skip, balanced=balanced, adjust=adjust,
        covariates=_covariates(panel, grid, covariates),
    )  # fmt: skip
    found = estimator.fit(grid)
    _refuse_empty(grid, policy, found, control)
    fit = aggregate_effects(grid, found, leads=window[0], lags=window[1], balanced=balanced)
    inference = infer(grid, estimator, fit, vcov=vcov, level=level, seed=read_count("seed", seed, example=str(SEED)))
    return assemble_path(
        panel,
        policy,
        grid,
        fit,
        inference,
        method="group_time",
        level=level,
        settings={
            "control": control, "anticipation": anticipation, "donut": donut, "base": -1 - skip, "base_kind": base,
            "balanced": balanced,
            "covariates": list(covariates), "adjust": adjust if covariates else None, "leads": window[0],
            "lags": window[1], "seed": seed,
        },
        checks=(*path_checks(panel, grid, inference, level=level), check_cells_used(grid, found)),
        notes=_notes(panel, control, skip),
        tables={"group_time": _table(grid, found)},
        margin=check_margin(margin),
        subject=None if subject is None else read_text("subject", subject),
    )  # fmt: skip


def read_window(grid: OutcomeGrid, leads: int | None, lags: int | None) -> tuple[int, int]:
    """Return event times before and after the start that are shown.

    Raises
    ------
    UsageError
        No whole numbers, or none (QB519).
    """
    event = grid.event_time[grid.is_treated][np.isfinite(grid.y[grid.is_treated])]
    earliest, latest = int(-event.min(initial=0)), int(event.max(initial=0))
    before = min(LEADS[grid.freq], earliest) if leads is None else read_count("leads", leads, least=1)
    after = min(LAGS[grid.freq], latest) if lags is None else read_count("lags", lags)
    return before, after


def check_cells_used(grid: OutcomeGrid, found: GroupTime) -> CheckResult:
    """Report what no effect could be read from (``cells_used``): gaps, entities and cohorts left out."""
    after = np.arange(grid.n_periods)[None, :] >= np.array(found.cohorts)[:, None]
    n_lost = int((after & ~np.isfinite(found.att)).sum())
    lost = [g for g in grid.cohorts if g not in found.cohorts]
    parts = [
        (grid.n_missing, Text("无结果值 {n} 行", "{n} rows without an outcome")),
        (len(grid.always_treated), Text("数据开始时已采用的 {n} 个", "{n} already treated when the data begin")),
        (len(lost), Text("没有基期的采用批次 {n} 个", "{n} cohorts without a base period")),
        (n_lost, Text("无人可比的采用批次·时期 {n} 个", "{n} cohort-periods with nobody to compare")),
    ]
    told = [text.format(n=str(n)) for n, text in parts if n]
    if not told:
        return CheckResult(name="cells_used", passed=True, text=Text("没有舍去。", "Nothing was left out."))
    listed = join(told, zh="；", en="; ")
    return CheckResult(name="cells_used", passed=None, text=Text(f"舍去：{listed.zh}。", f"Left out: {listed.en}."))


def _covariates(panel: Panel, grid: OutcomeGrid, names: Sequence[str]) -> Floats | None:
    if isinstance(names, str) or any(name not in panel.data.columns for name in names):
        raise UsageError(
            "QB519", option="covariates", value=names, found=f"covariates={names!r}",
            expected="ids of indicators of the panel: " + ", ".join(panel.indicators), fix="covariates=()",
        )  # fmt: skip
    if not names:
        return None
    first = grid.first + min(grid.cohorts)
    before = panel.data[[p.ordinal < first for p in panel.data.index.get_level_values("period")]]
    means = before[list(names)].astype(float).groupby(level="entity").mean().reindex(list(grid.entities))
    if means.isna().to_numpy().any():
        raise DataError(
            "QB530", found=f"{int(means.isna().any(axis=1).sum())} entities without {', '.join(names)} before",
            expected="every covariate for every entity before the first adoption", fix="other covariates",
        )  # fmt: skip
    return means.to_numpy(dtype=float)


def _refuse_empty(grid: OutcomeGrid, policy: Policy, found: GroupTime, control: Control) -> None:
    event = np.arange(grid.n_periods)[None, :] - np.array(found.cohorts, dtype=int).reshape(-1, 1)
    if (np.isfinite(found.att) & (event >= 0)).any():
        return
    never = int((~grid.is_treated).sum())
    raise PolicyError(
        "QB531", policy=policy.policy_id,
        found=f"{never} never treated, {len(found.cohorts)} cohorts with a base period",
        expected="a base period, and entities not treated to compare with",
        fix='control="not_yet"' if control == "never" and not never else "a longer panel, or untreated entities in it",
    )  # fmt: skip


def _table(grid: OutcomeGrid, found: GroupTime) -> pd.DataFrame:
    rows = [
        (grid.code_of(g), grid.code_of(t), found.att[i, t], int(found.n_treated[i, t]), int(found.n_control[i, t]))
        for i, g in enumerate(found.cohorts)
        for t in range(grid.n_periods)
        if np.isfinite(found.att[i, t])
    ]
    return pd.DataFrame(rows, columns=["adopted", "period", "value", "n_treated", "n_control"])


def _notes(panel: Panel, control: Control, skip: int) -> tuple[Text, ...]:
    whom = {
        "not_yet": Text("对照为当时尚未采用者。", "Compared with those not treated yet."),
        "never": Text("对照为始终未采用者。", "Compared with those never treated."),
    }[control]
    since = Text("基期为政策开始前一期。", "The base is the period before the start.")
    if skip:
        since = Text(
            f"基期为政策开始前第 {skip + 1} 期，其间各期不计入效果。",
            f"The base is {skip + 1} periods before the start; the periods between count for no effect.",
        )
    notes = [PARALLEL, whom, since]
    return (*notes, NAIVE) if panel.cells is not None and panel.sampling == "naive" else tuple(notes)
