"""Two-way fixed effects: the classical comparison, with its caveat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.effect_words import (
    COMPARED,
    OTHERWISE,
    REFERENCE,
    STAGGERED,
    event_text,
    moment_label,
    notes_of,
)
from qbase.effects.comparison.treated_and_controls import Design, Weights, build_design
from qbase.effects.fitting.effect_options import (
    Options,
    Vcov,
    fit_design,
    read_count,
    read_options,
    refuse_single_treated,
)
from qbase.effects.fitting.two_way_fit import Fit, Floats, SmallSample
from qbase.effects.judging.design_checks import (
    check_enough_clusters,
    check_errors_allow_correlation,
    check_rows_used,
    check_staggered_timing,
    treated_weights,
)
from qbase.effects.judging.drawing_shift import check_same_sampling
from qbase.effects.judging.result_parts import ATT, assemble, estimates_of, term_of
from qbase.effects.judging.treated_behind import count_behind


def estimate_twfe(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    event_times: Sequence[int] | None = None,
    vcov: Vcov | None = None,
    weights: Weights | None = None,
    small_sample: SmallSample = "fixest",
    level: float = 0.95,
    margin: float | None = None,
    subject: Text | None = None,
) -> Result:
    """Estimate the effect of a policy by two-way fixed effects (pyfixest).

    ``y = entity effect + period effect + effect × treated + error``; with ``event_times`` one dummy for each
    listed time since adoption instead of one for all of them, all other periods being the reference.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing.
    outcome : str
        Id of an indicator of the panel.
    event_times : sequence of int or None
        ``[0, 1]``: dummies for the period of adoption and the next, as in published work.
    vcov : {"iid"}, {"CRV1": entity} or None
        Standard errors; None clusters by entity.
    weights : {"n"} or None
        None gives every entity and period the same weight; ``"n"`` weights by batches tested.
    small_sample : {"fixest", "linearmodels"}
        Factor on clustered covariances, see `qbase.effects.fitting.two_way_fit.fit_two_way`.
    level : float
        Confidence level.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little effect.
    subject : Text or None
        The treated in words; None names them by what the panel follows.

    Returns
    -------
    Result
        Estimand ``effect``; term ``att``, or terms ``event`` with key ``event_time``. Tables ``paths`` (means of
        treated and comparison by period) and, without event times, ``weights`` (weight of each treated cell).

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.treated_and_controls.build_design`,
        `qbase.effects.fitting.two_way_fit.fit_two_way`, `qbase.effects.fitting.effect_options`;
        an event time that nobody is observed at (QB520).

    References
    ----------
    Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. J. Econometrics 225.
    de Chaisemartin, C. and D'Haultfœuille, X. (2020). Two-way fixed effects estimators with heterogeneous
    treatment effects. American Economic Review 110.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import estimate_twfe
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> effect = estimate_twfe(*build_case(home, "us_scrap_grants"), "X1.log_scrap", event_times=[0, 1], vcov="iid")
    >>> print(effect)  # Wooldridge, example 14.1: -0.252 (0.151) and -0.422 (0.210)
    <Result effect:X1.log_scrap:twfe: granted firms>
      event event_time=0: −0.252 log points (0.151), 95% CI −0.551 to 0.046, n = 162
      event event_time=1: −0.422 log points (0.210), 95% CI −0.838 to −0.005, n = 162
    """
    options = read_options(
        panel,
        outcome,
        vcov=vcov,
        weights=weights,
        small_sample=small_sample,
        level=level,
        margin=margin,
        subject=subject or policy.treated,
    )
    design = build_design(panel, policy, outcome, weights=weights)
    refuse_single_treated(design, options.errors)
    times = None if event_times is None else _times(design, event_times)
    labels = _labels(design, times, policy.moments)
    dummies = _dummies(design, times)
    fit = fit_design(design, dummies, options)
    cells = treated_weights(design, fit) if times is None else None
    notes = notes_of(panel, policy, design, weighted=options.is_weighted, errors=options.errors, staggered=STAGGERED)
    return assemble(
        panel,
        policy,
        design,
        options,
        fit=fit,
        method="twfe",
        estimates=estimates_of(fit, times, options, behind=count_behind(design, fit.is_used, dummies)),
        tables={} if cells is None else {"weights": cells},
        checks=_checks(panel, design, fit, options, cells),
        notes=notes if times is None else (*notes, REFERENCE),
        settings={"event_times": times},
        labels=labels,
        spoken=tuple(range(len(fit.terms))),
    )


def _times(design: Design, event_times: object) -> list[int]:
    if isinstance(event_times, str) or not isinstance(event_times, Iterable):
        raise UsageError(
            "QB519", option="event_times", value=event_times, found=f"event_times={event_times!r}",
            expected="a list of whole numbers", fix="event_times=[0, 1]",
        )  # fmt: skip
    given = [read_count("event_times", t, least=None, example="[0, 1]") for t in event_times]
    times = list(dict.fromkeys(given))
    observed = sorted(int(t) for t in design.rows["event_time"].dropna().unique())
    absent = [t for t in times if t not in observed]
    if not times:
        raise UsageError(
            "QB519", option="event_times", value="[]", found="event_times=[]", expected="[0, 1]", fix="event_times=None"
        )
    if absent:
        raise DataError(
            "QB520",
            times=", ".join(map(str, absent)),
            found=f"event times {observed[0]} to {observed[-1]} observed",
            expected="event times within this range",
            fix=f"event_times={[t for t in times if t not in absent] or [0]}",
        )
    return times


def _dummies(design: Design, times: list[int] | None) -> dict[str, Floats]:
    if times is None:
        return {ATT: design.rows["is_treated"].to_numpy(dtype=float)}
    event = design.rows["event_time"].to_numpy(dtype=float)
    return {term_of(t): (event == t).astype(float) for t in times}


def _labels(design: Design, times: list[int] | None, moments: Mapping[int, Text]) -> dict[str, Text]:
    if times is None:
        return {ATT: COMPARED}
    return {term_of(t): moment_label(moments.get(t, event_text(t, design.freq)), OTHERWISE) for t in times}


def _checks(
    panel: Panel, design: Design, fit: Fit, options: Options, cells: pd.DataFrame | None
) -> tuple[CheckResult, ...]:
    mix = check_same_sampling(panel, design, level=options.level)
    return (
        check_enough_clusters(design),
        check_errors_allow_correlation(options.errors),
        check_staggered_timing(design, cells),
        check_rows_used(design, fit),
        *(() if mix is None else (mix,)),
    )
