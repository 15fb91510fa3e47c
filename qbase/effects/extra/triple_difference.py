"""The triple difference: of places that adopted and others, the gap between the group acted on and the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from qbase.core.errors import PolicyError
from qbase.core.given import check_margin, read_text
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import SPANS, drawing_notes
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.group_time_cells import left_out, read_window, told_check
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

PARALLEL_GAPS = Text(
    "前提：若没有这项政策，政策所及组别与同地其他组别之差，在采用地与未采用地的变化本应相同；数据不能证明这一点。",
    "Assumes that without the policy the gap between the group it acts on and the others of the same place would have "
    "moved alike in places with and without it; data cannot prove it.",
)
UNTOUCHED = Text(
    "同地其他组别须不受政策影响：若也受影响，效果会被低估或抵消。",
    "The others of the same place must be untouched by the policy: what reaches them too is taken off the effect.",
)
MEANS = Text(
    "每地每期为当期有结果的主体的平均；基准为政策前各期平均。",
    "Each place and period is the mean of the entities observed in it; the base is the average before.",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Gaps:
    """Gaps by place, and what is not in them.

    Parameters
    ----------
    grid : OutcomeGrid
        One row a place: the mean of the group acted on less that of the others.
    acted : str
        The group the policy acts on.
    n_alone : int
        Places that hold one of the two only.
    n_thin : int
        Cells whose mean lacks an entity of the place.
    """

    grid: OutcomeGrid
    acted: str
    n_alone: int
    n_thin: int


def estimate_triple_difference(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    clusters: Mapping[str, str],
    leads: int | None = None,
    lags: int | None = None,
    weight: Weight = "equal",
    vcov: str | None = None,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate a triple difference, for a policy that acts on one group within places; one of the extras.

    In each place and period the mean of the others is taken off the mean of the group acted on (``policy.group``); what
    hits a place as a whole is gone. The gaps of places that adopted are then held against those of the others, each
    with its average before as base (`estimate_imputation` on gaps). On a complete panel with one date of adoption it is
    the coefficient of least squares with effects of entities, of place × period and of group × period; with several
    dates no place already treated is a comparison. Inference is by place.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing. ``group`` holds the group of every entity; the treated are of one group,
        all of it in a place that adopted.
    outcome : str
        Id of an indicator of the panel.
    clusters : mapping
        Entity -> the place it belongs to.
    leads, lags : int or None
        Event times shown; None takes 4 and 6 quarters, 4 half-years, 3 years, or as many as are observed.
    weight : {"equal", "n"} or mapping
        Share of each entity in its mean, and in the average of the treated.
    vcov : {"permutation", "conley_taber", "CRV3", "wild", "analytic"} or None
        See `qbase.effects.doubt.few_clusters.infer`; None chooses by the number of treated places.
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
        Estimand ``effect``: terms ``att``, ``event``, ``cohort`` and ``period``, whose ``n_treated`` counts places and
        ``n_cells`` places × periods; below three treated places a term has no interval. Table ``paths`` holds the mean
        gaps.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; groups or places that do not fit (QB565); no gap to
        compare (QB566); options that are none (QB144, QB503, QB507, QB519, QB550).

    References
    ----------
    Gruber, J. (1994). The incidence of mandated maternity benefits. American Economic Review 84. Olden, A. and Møen, J.
    (2022). The triple difference estimator. Econometrics Journal 25.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import estimate_triple_difference
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> firms = [(town, kind) for town in "ABCDEFGH" for kind in ("kiln", "other")]
    >>> bump = {(t, k): 5.0 * (t < "E" and k == "kiln") for t, k in firms}
    >>> rows = [
    ...     (t + k, y, 80 + 3 * (t < "E" and y > 2020) + bump[t, k] * (y > 2020) + (ord(t) * y * (k == "kiln")) % 3)
    ...     for t, k in firms for y in range(2017, 2024)
    ... ]
    >>> frame = pd.DataFrame(rows, columns=["firm", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="firm", period="year", freq="A", indicators={"rate": rate})
    >>> spells = tuple(Spell(entity=t + "kiln", start="2021") for t in "ABCD")
    >>> group = {t + k: k for t, k in firms}
    >>> policy = Policy(policy_id="kilns", title=Text("窑炉补助", "kiln grants"), spells=spells, group=group)
    >>> att = estimate_triple_difference(panel, policy, "rate", clusters={t + k: t for t, k in firms})["att"]
    >>> round(att.value, 2), att.n_treated, att.n_cells
    (4.94, 4, 12)
    """
    check_level(level)
    grid = build_grid(panel, policy, outcome, weight=weight)
    gaps = build_gaps(grid, match_policy(policy, panel.entities), clusters)
    before, after = read_window(gaps.grid, leads, lags)
    window = Window(leads=before, lags=after)
    estimator = ImputationEstimator(window=window, terms=list_path_terms(gaps.grid, window))
    fit = estimator(gaps.grid)
    if not np.isfinite(fit.beta[0]):
        raise _no_gap(policy, f"{int(gaps.grid.is_treated.sum())} treated places, none that can be compared")
    seed = read_count("seed", seed, example=str(SEED))
    inference = infer(gaps.grid, estimator, fit, vcov=vcov, level=level, seed=seed)
    notes = [PARALLEL_GAPS, UNTOUCHED, MEANS, *drawing_notes(panel)]
    used = told_check(
        [
            *left_out(gaps.grid),
            (gaps.n_alone, Text("缺少对照组别或政策组别的地方 {n} 个", "{n} places with one of the two groups only")),
            (gaps.n_thin, Text("平均中缺主体的地方·时期 {n} 个", "{n} place-periods whose mean lacks an entity")),
        ]
    )
    return assemble_path(
        panel,
        policy,
        gaps.grid,
        fit,
        inference,
        method="triple_difference",
        level=level,
        settings={"group": gaps.acted, "base": "average before", "leads": before, "lags": after, "seed": seed},
        checks=(*path_checks(panel, gaps.grid, inference, level=level), used),
        notes=notes,
        labels={"n": Text(f"地方·{SPANS[panel.freq].zh}", f"place-{SPANS[panel.freq].en}")},
        margin=check_margin(margin),
        subject=None if subject is None else read_text("subject", subject),
    )


def build_gaps(grid: OutcomeGrid, policy: Policy, clusters: Mapping[str, str]) -> Gaps:
    """Return the gap between the group acted on and the others, by place and period.

    Raises
    ------
    PolicyError
        An entity without a group or a place; treated of several groups; nobody else; a place in which the group adopted
        in part or at several dates (QB565). No place with both (QB566).
    """
    group, place = _read_groups(grid, policy, clusters)
    acted = group == group[grid.is_treated][0]
    names = sorted(set(place))
    y, start, mass = [], [], []
    n_alone = n_thin = 0
    kept = []
    for name in names:
        own, other = (place == name) & acted, (place == name) & ~acted
        gap = _mean(grid, own) - _mean(grid, other)
        if not np.isfinite(gap).any():
            n_alone += 1
            continue
        seen = np.isfinite(grid.y[own | other])
        n_thin += int((np.isfinite(gap) & ~seen.all(axis=0)).sum())
        kept.append(name)
        y.append(gap)
        start.append(_start(grid, policy, own, name))
        mass.append(float(grid.weight[own].sum()))
    if not kept:
        raise _no_gap(policy, f"{len(names)} places, none with both groups")
    found = dataclasses.replace(
        grid, entities=tuple(kept), y=np.array(y), n=None, k=None, start=np.array(start), weight=np.array(mass),
        cluster=np.arange(len(kept), dtype=np.int64),
    )  # fmt: skip
    if not found.is_treated.any() or (found.is_treated.all() and len(found.cohorts) == 1):
        raise _no_gap(policy, f"{int(found.is_treated.sum())} of {len(kept)} places with both groups are treated")
    return Gaps(grid=found, acted=str(group[grid.is_treated][0]), n_alone=n_alone, n_thin=n_thin)


def _read_groups(grid: OutcomeGrid, policy: Policy, clusters: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return group and place of each entity, shape (N,)."""
    lost = [e for e in grid.entities if e not in policy.group or e not in clusters]
    found = f"{len(lost)} of {len(grid.entities)} entities without a group or a place: {', '.join(lost[:3])}"
    group = np.array([policy.group.get(e, "") for e in grid.entities], dtype=object)
    place = np.array([str(clusters.get(e, "")) for e in grid.entities], dtype=object)
    if not lost:
        treated, others = set(group[grid.is_treated]), set(group)
        if len(treated) == 1 and len(others) > 1:
            return group, place
        found = f"treated of {len(treated)} groups ({', '.join(sorted(treated)[:3])}), {len(others)} groups in all"
    raise _no_group(policy, found, "policy.group and clusters for every entity; treated of one group, and others")


def _start(grid: OutcomeGrid, policy: Policy, own: np.ndarray, name: str) -> float:
    starts = grid.start[own]
    if not (np.isnan(starts).all() or (starts == starts[0]).all()):
        treated = int(np.isfinite(starts).sum())
        found = f"{name}: {treated} of {len(starts)} of the group treated, {len(set(starts[~np.isnan(starts)]))} dates"
        raise _no_group(policy, found, "in each place all of the group acted on, from one date, or none")
    return float(starts[0])


def _mean(grid: OutcomeGrid, rows: np.ndarray) -> Floats:
    weight = np.where(np.isfinite(grid.y[rows]), grid.weight[rows, None], 0.0)
    total = weight.sum(axis=0)
    summed = (weight * np.nan_to_num(grid.y[rows])).sum(axis=0)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)


def _no_group(policy: Policy, found: str, expected: str) -> PolicyError:
    return PolicyError(
        "QB565",
        policy=policy.policy_id,
        found=found,
        expected=expected,
        fix="Policy(…, group={entity: group}), clusters={entity: place}; or estimate_staggered without groups",
    )


def _no_gap(policy: Policy, found: str) -> PolicyError:
    return PolicyError(
        "QB566",
        policy=policy.policy_id,
        found=found,
        expected="places with both groups before and after adoption, and such places without the policy",
        fix="a longer panel, or estimate_staggered(panel, policy, outcome) within the group",
    )
