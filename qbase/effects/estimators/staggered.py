"""Effects of a policy adopted at several times: each cohort against those not treated, then averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.given import check_margin, check_word, read_text
from qbase.core.panel import Panel
from qbase.core.periods import ordinals
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import PARALLEL, drawing_notes
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.group_time_cells import (
    check_cells_used,
    read_window,
    refuse_no_effect,
    tabulate_cells,
)
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.fitting.aggregation import GroupTimePath, Rows
from qbase.effects.fitting.batch_cells import weigh_by_batches
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.group_time import Adjust, Base, Bools, Control, GroupTime, list_sides
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

SAME_RATE = 1e-6
"""Points by which a stored rate may differ from passes over batches."""


def estimate_staggered(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    control: Control = "not_yet",
    anticipation: int = 0,
    donut: int = 0,
    partial: int = 0,
    rows: Rows = "entities",
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
    partial : int
        Periods from the start on in which the policy acted in part only, such as the quarter of adoption: shown as
        event times, in no other average.
    rows : {"entities", "batches"}
        What an observation is. ``batches``: every batch tested is a row of a repeated cross-section, computed from
        counts; entities then weigh by how much of them was tested, and need not be observed twice.
    base : {"universal", "varying"}
        Leads measured from the same period as effects, or each from the period before it, as R's ``did`` does.
    covariates : sequence of str
        Indicators of the panel whose mean before the first adoption makes entities comparable.
    adjust : {"dr", "reg", "ipw"}
        Doubly robust, outcome regression, or inverse propensity weights.
    leads, lags : int or None
        Event times shown; None takes 4 and 6 quarters, 4 half-years, 3 years, or as many as are observed.
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
        treated entities a term has no interval. Tables ``paths`` and ``group_time`` (adopted, period, value,
        std_error, n_treated, n_control, sample: the same number where the same entities are compared with the same).

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; nobody never treated with ``control="never"``, or no
        cohort with a base period (QB531); covariates that are none or do not overlap (QB530); batches as rows where the
        outcome counts none (QB596); options that are none (QB144, QB503, QB507, QB519, QB550).

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
    _check_words(control=control, base=base, adjust=adjust, rows=rows)
    skip = read_count("anticipation", anticipation, example="0") + read_count("donut", donut, example="0")
    grid = _read_rows(build_grid(panel, policy, outcome, weight=weight, clusters=clusters), rows, covariates)
    window = read_window(grid, leads, lags)
    estimator = GroupTimePath(
        leads=window[0], lags=window[1], control=control, base=base, skip=skip, balanced=balanced, adjust=adjust,
        covariates=_covariates(panel, grid, covariates), partial=read_count("partial", partial, example="1"), rows=rows,
    )  # fmt: skip
    found = estimator.fit(grid)
    refuse_no_effect(policy, grid, found, fix=_fix(grid, control), partial=partial)
    fit = estimator.average(grid, found)
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
            "control": control, "anticipation": anticipation, "donut": donut, "partial": partial, "rows": rows,
            "base": -1 - skip, "base_kind": base, "balanced": balanced, "covariates": list(covariates),
            "adjust": adjust if covariates else None, "leads": window[0], "lags": window[1], "seed": seed,
        },
        checks=(*path_checks(panel, grid, inference, level=level), check_cells_used(grid, found)),
        notes=_notes(panel, control, skip, partial),
        tables={"group_time": tabulate_cells(grid, found, _compared(grid, found, control, base, skip))},
        margin=check_margin(margin),
        subject=None if subject is None else read_text("subject", subject),
    )  # fmt: skip


def _check_words(**given: str) -> None:
    words = {"control": Control, "base": Base, "adjust": Adjust, "rows": Rows}
    for option, word in given.items():
        check_word(option, word, get_args(words[option]))


def _covariates(panel: Panel, grid: OutcomeGrid, names: Sequence[str]) -> Floats | None:
    if isinstance(names, str) or any(name not in panel.data.columns for name in names):
        raise UsageError(
            "QB519", option="covariates", value=names, found=f"covariates={names!r}",
            expected="ids of indicators of the panel: " + ", ".join(panel.indicators), fix="covariates=()",
        )  # fmt: skip
    if not names:
        return None
    first = grid.first + min(grid.cohorts)
    before = panel.data[ordinals(pd.PeriodIndex(panel.data.index.get_level_values("period"))) < first]
    means = before[list(names)].astype(float).groupby(level="entity").mean().reindex(list(grid.entities))
    if means.isna().to_numpy().any():
        raise DataError(
            "QB530", found=f"{int(means.isna().any(axis=1).sum())} entities without {', '.join(names)} before",
            expected="every covariate for every entity before the first adoption", fix="other covariates",
        )  # fmt: skip
    return means.to_numpy(dtype=float)


def _fix(grid: OutcomeGrid, control: Control) -> str:
    if control == "never" and grid.is_treated.all():
        return 'control="not_yet"'
    return "a longer panel, or untreated entities in it"


def _compared(grid: OutcomeGrid, found: GroupTime, control: Control, base: Base, skip: int) -> Bools:
    """Return who is compared with each cohort in each period and at its base, shape (G, N, T)."""
    seen = np.isfinite(grid.y)
    who = []
    for g in found.cohorts:
        side = list_sides(grid, g, control, base, skip)
        who.append(side.is_control[np.searchsorted(side.types, grid.start)] & seen[:, side.base])
    return np.array(who, dtype=bool).reshape(-1, *grid.y.shape)


def _read_rows(grid: OutcomeGrid, rows: Rows, covariates: Sequence[str]) -> OutcomeGrid:
    """Return the grid weighted by batches where each of them is a row.

    Raises
    ------
    DataError
        The outcome is not the share of passes among batches, or there are covariates (QB596).
    """
    if rows == "entities":
        return grid
    found = None
    if grid.n is None or grid.k is None:
        found = "no batches behind the outcome"
    elif covariates:
        found = f"covariates={list(covariates)}"
    else:
        seen = np.isfinite(grid.y) & (grid.n > 0)
        if not np.allclose(grid.y[seen], 100.0 * grid.k[seen] / grid.n[seen], atol=SAME_RATE):
            found = "rates that are not passes over batches: weighted by how batches were drawn"
    if found is not None:
        raise DataError(
            "QB596",
            outcome=grid.indicator.id,
            found=found,
            expected="passes over batches, without covariates",
            fix='rows="entities"',
        )
    return weigh_by_batches(grid)


def _notes(panel: Panel, control: Control, skip: int, partial: int) -> tuple[Text, ...]:
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
    if partial:
        notes.append(
            Text(
                f"政策开始后的前 {partial} 期只部分实施，不计入平均效果。",
                f"The first {partial} period{'s' if partial > 1 else ''} of the policy, in which it acted in part, "
                "count in no average.",
            )
        )
    return (*notes, *drawing_notes(panel))
