"""The path of an effect around adoption: leads, lags, and intervals for the whole path."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.effect_words import (
    CAUSAL_BASE,
    COMPARED,
    STAGGERED_EVENTS,
    event_text,
    moment_label,
    notes_of,
    span_text,
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
from qbase.effects.fitting.joint_bands import DRAWS, sup_t_value
from qbase.effects.fitting.two_way_fit import Fit, Floats, SmallSample
from qbase.effects.judging.design_checks import (
    check_enough_clusters,
    check_errors_allow_correlation,
    check_no_anticipation,
    check_parallel_leads,
    check_rows_used,
    check_staggered_timing,
    has_few_clusters,
)
from qbase.effects.judging.drawing_shift import check_same_sampling
from qbase.effects.judging.result_parts import ATT, assemble, estimates_of, term_of
from qbase.effects.judging.treated_behind import Behind, count_behind

BASE = -1
LEADS = {"Q": 4, "H": 4, "A": 3}
LAGS = {"Q": 6, "H": 4, "A": 3}
SEED = 20220810


def estimate_event_study(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    leads: int | None = None,
    lags: int | None = None,
    vcov: Vcov | None = None,
    weights: Weights | None = None,
    small_sample: SmallSample = "fixest",
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate effects by time since adoption, with pointwise and simultaneous intervals.

    Two-way fixed effects with one dummy per event time from ``−leads`` to ``lags``. The ends are binned: the
    first stands for all earlier times, the last for all later ones. The period before adoption (−1) is the base.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Who was treated from when; absorbing.
    outcome : str
        Id of an indicator of the panel.
    leads, lags : int or None
        Periods before (2 or more) and after (0 or more); None takes 4 and 6 quarters, 4 half-years, 3 years,
        or as many as are observed.
    vcov : {"iid"}, {"CRV1": entity} or None
        Standard errors; None clusters by entity.
    weights : {"n"} or None
        None gives every entity and period the same weight; ``"n"`` weights by batches tested.
    small_sample : {"fixest", "linearmodels"}
        Factor on clustered covariances, see `qbase.effects.fitting.two_way_fit.fit_two_way`.
    level : float
        Confidence level, pointwise and simultaneous.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little effect.
    seed : int
        Of the simulated critical value.
    subject : Text or None
        The treated in words; None names them by what the panel follows.

    Returns
    -------
    Result
        Estimand ``effect``. Terms ``event`` with key ``event_time`` (the base is left out), then ``att``, the
        plain mean of the event times from 0 on, which is what the sentence speaks of. ``vcov`` covers the event
        terms and ``att``. Checks ``parallel_leads``, ``no_anticipation``, ``enough_clusters`` and others.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.treated_and_controls.build_design`,
        `qbase.effects.fitting.two_way_fit.fit_two_way`, `qbase.effects.fitting.effect_options`;
        impossible leads or lags (QB521), event times nobody is observed at (QB520).

    References
    ----------
    Montiel Olea, J. L. and Plagborg-Møller, M. (2019). Simultaneous confidence bands. J. Applied Econometrics 34.
    Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous
    treatment effects. J. Econometrics 225.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import estimate_event_study
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> study = estimate_event_study(*build_case(home, "us_scrap_grants"), "X1.log_scrap", leads=2, lags=1)
    >>> print(study)
    <Result effect:X1.log_scrap:event_study: granted firms>
      event event_time=-2: 0.088 log points (0.153), 95% CI −0.219 to 0.396, n = 162
      event event_time=0: −0.247 log points (0.141), 95% CI −0.529 to 0.035, n = 162
      event event_time=1: −0.430 log points (0.288), 95% CI −1.008 to 0.148, n = 162
      att: −0.339 log points (0.209), 95% CI −0.759 to 0.081, n = 162
    """
    seed = read_count("seed", seed, example=str(SEED))
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
    window = _window(design, leads, lags)
    dummies = _dummies(design, window)
    fit = fit_design(design, dummies, options)
    behind = count_behind(design, fit.is_used, dummies)
    critical = _critical_value(fit, behind, level=level, seed=seed)
    events = estimates_of(fit, window.times, options, behind=behind, joint=critical * fit.std_errors)
    whole = _with_average(fit, window)
    late = {ATT: np.sum([d for t, d in zip(window.times, dummies.values(), strict=True) if t >= 0], axis=0)}
    return assemble(
        panel,
        policy,
        design,
        options,
        fit=whole,
        method="event_study",
        estimates=(*events, _average(whole, options, count_behind(design, fit.is_used, late))),
        checks=_checks(panel, design, fit, window, events, options),
        notes=_notes(panel, policy, design, window, options),
        settings={
            "leads": window.leads,
            "lags": window.lags,
            "base": BASE,
            "binned": list(window.binned),
            "seed": seed,
            "draws": DRAWS,
            "joint_critical_value": round(critical, 4),
        },
        labels=_labels(design, window),
        spoken=(len(events),),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """Event times of a study: from −leads to lags without the base; ``binned`` ends stand for all beyond."""

    leads: int
    lags: int
    binned: tuple[int, ...]

    @property
    def times(self) -> list[int]:
        """Event times with a dummy, in order."""
        return [t for t in range(-self.leads, self.lags + 1) if t != BASE]


def _window(design: Design, leads: int | None, lags: int | None) -> Window:
    event = design.rows["event_time"].dropna()
    earliest, latest = int(event.min()), int(event.max())
    deepest = max(2, -earliest)
    before = min(LEADS[design.freq], deepest) if leads is None else read_count("leads", leads, least=None)
    after = min(LAGS[design.freq], latest) if lags is None else read_count("lags", lags, least=None)
    if before < 2 or after < 0:
        raise UsageError(
            "QB521",
            found=f"leads={before}, lags={after}",
            expected="leads >= 2, lags >= 0",
            fix=f"leads={max(2, min(4, -earliest))}, lags={max(0, min(6, latest))}",
        )
    binned = tuple(t for t, beyond in ((-before, earliest < -before), (after, latest > after)) if beyond)
    window = Window(leads=before, lags=after, binned=binned)
    observed_times = {int(t) for t in event}
    observed = {min(max(t, -before), after) for t in observed_times}
    absent = [t for t in [*window.times, BASE] if t not in observed]
    if absent:
        raise DataError(
            "QB520",
            times=", ".join(map(str, sorted(absent))),
            found=f"event times {earliest} to {latest} observed",
            expected="every event time of the window, and −1, observed",
            fix=_window_advice(observed_times, before, after),
        )
    return window


def _window_advice(observed: set[int], before: int, after: int) -> str:
    """Return the widest window within the one asked for in which every time is observed, or that there is none."""
    for leads in range(min(before, -min(observed)), 1, -1):
        for lags in range(min(after, max(observed)), -1, -1):
            if {min(max(t, -leads), lags) for t in observed} >= set(range(-leads, lags + 1)):
                return f"leads={leads}, lags={lags}"
    return (
        "a panel that holds the two periods before adoption and that of adoption, or "
        "estimate_twfe(panel, policy, outcome), which needs no base period"
    )


def _dummies(design: Design, window: Window) -> dict[str, Floats]:
    event = np.clip(design.rows["event_time"].to_numpy(dtype=float), -window.leads, window.lags)
    return {term_of(t): (event == t).astype(float) for t in window.times}


def _with_average(fit: Fit, window: Window) -> Fit:
    """Return the fit with one more coefficient: the plain mean of the event times from 0 on."""
    late = np.array([float(t >= 0) for t in window.times])
    rows = np.vstack([np.eye(len(late)), late / late.sum()])
    return dataclasses.replace(fit, terms=(*fit.terms, ATT), beta=rows @ fit.beta, vcov=rows @ fit.vcov @ rows.T)


def _critical_value(fit: Fit, behind: Behind, *, level: float, seed: int) -> float:
    """Return the critical value of the terms that have an interval; that of one term where none has."""
    held = behind.is_enough if behind.is_enough.any() else np.arange(len(fit.beta)) == 0
    return sup_t_value(fit.vcov[np.ix_(held, held)], fit.df, level=level, seed=seed)


def _average(whole: Fit, options: Options, behind: Behind) -> Estimate:
    last = dataclasses.replace(whole, terms=(ATT,), beta=whole.beta[-1:], vcov=whole.vcov[-1:, -1:])
    return estimates_of(last, None, options, behind=behind)[0]


def _checks(
    panel: Panel, design: Design, fit: Fit, window: Window, events: tuple[Estimate, ...], options: Options
) -> tuple[CheckResult, ...]:
    early = np.array([t < 0 for t in window.times])
    near = next(e for e in events if e.key["event_time"] == BASE - 1)
    low, high = (near.ci_low or 0.0), (near.ci_high or 0.0)
    when = event_text(BASE - 1, design.freq, edge=BASE - 1 in window.binned)
    mix = check_same_sampling(panel, design, level=options.level)
    return (
        check_parallel_leads(fit.beta[early], fit.vcov[np.ix_(early, early)], fit.df, is_few=has_few_clusters(design)),
        check_no_anticipation(low, high, when),
        check_enough_clusters(design),
        check_errors_allow_correlation(options.errors),
        check_staggered_timing(design, None),
        check_rows_used(design, fit),
        *(() if mix is None else (mix,)),
    )


def _notes(panel: Panel, policy: Policy, design: Design, window: Window, options: Options) -> tuple[Text, ...]:
    shared = notes_of(
        panel, policy, design, weighted=options.is_weighted, errors=options.errors, staggered=STAGGERED_EVENTS
    )
    return (*shared, CAUSAL_BASE, _binned_note(window, design))


def _labels(design: Design, window: Window) -> dict[str, Text]:
    whens = {term_of(t): event_text(t, design.freq, edge=t in window.binned) for t in window.times}
    span = span_text(window.lags, design.freq, edge=window.lags in window.binned)
    return {term: moment_label(when, COMPARED) for term, when in {**whens, ATT: span}.items()}


def _binned_note(window: Window, design: Design) -> Text:
    if not window.binned:
        return Text(
            "两端没有合并，每个事件时间单独估计。", "No ends are binned; each event time is estimated by itself."
        )
    words = [event_text(t, design.freq, edge=True) for t in window.binned]
    return Text(
        f"两端合并为一项：{'、'.join(w.zh for w in words)}。",
        f"Ends are binned into one term each: {'; '.join(w.en for w in words)}.",
    )
