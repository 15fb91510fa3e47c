"""The effect on one treated cluster, against a comparison built from those not treated."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_margin, check_word
from qbase.core.numbers import difference_unit, digits_for
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.effect_words import (
    drawing_notes,
    event_text,
    given_notes,
    moment_label,
    span_text,
    subject_text,
)
from qbase.effects.comparison.outcome_grid import Weight
from qbase.effects.comparison.treated_and_controls import build_design
from qbase.effects.credibility.synthetic_checks import (
    ASSUMES,
    BY_RANK,
    GAPS_BEFORE,
    Rank,
    check_cells_used,
    check_donor_weights,
    check_each_donor,
    check_fit_before,
    check_optimum,
    check_placebo_rank,
    check_rmspe_ratio,
    rank_of,
)
from qbase.effects.donors.donor_placebos import Placebos, fit_placebos, refuse_no_gaps
from qbase.effects.donors.donor_pool import DonorPool, Predictor, build_pool
from qbase.effects.donors.donor_weights import Method, Solver, WeightSpec, fit_donors
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.judging.drawing_shift import check_same_sampling
from qbase.stats.rates.difference_intervals import check_level

SEED = 20220810
LEAST_TREATED = 3
"""Below so many treated a term has no interval and no verdict."""
AGAINST = Text("与合成对照相比，", "compared with its synthetic comparison, ")
CELLS = {
    "cluster_id": Text("集群", "cluster"),
    "town_code": Text("乡镇", "town"),
    "firm_id": Text("企业", "firm"),
}
STEPS = {"Q": Text("季度", "quarters"), "H": Text("半年", "half-years"), "A": Text("年", "years")}


def estimate_synthetic(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    method: Method = "sdid",
    outcomes: Sequence[str] = (),
    predictors: Sequence[Predictor] = (),
    donors: Sequence[str] | None = None,
    weight: Weight = "equal",
    solver: Solver = "exact",
    ridge: float | None = None,
    starts: int = 4,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Estimate the effect on one treated entity against a weighted average of those not treated.

    Several treated entities that began in one and the same period are averaged first. Inference is by placebos in
    space: every donor, or every set of as many donors, takes the place of the treated and the estimate is repeated
    with the others. Up to 999 sets are enumerated, so nothing is drawn and the p value is that of the rank.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``, ``outcomes`` and the indicators of ``predictors``.
    policy : Policy
        Whom it treated; absorbing, one date.
    outcome : str
        Id of an indicator of the panel.
    method : {"sdid", "sc", "augmented"}
        Synthetic difference-in-differences, synthetic control, or synthetic control augmented by a ridge regression.
    outcomes : sequence of str
        Further indicators whose paths before the start are matched by the same donor weights, each in units of its
        spread. The set counts, not its order: called with another of them as ``outcome``, the weights are the same.
    predictors : sequence of str or tuple
        With ``method="sc"``: indicators whose means before the start are matched instead of the path, each by its id
        or as ``(id, first, last)``. How much each counts is searched so that the path before the start fits best.
    donors : sequence of str or None
        Entities to compare with; None takes all that are not treated and have an outcome in every period.
    weight : {"equal", "n"} or mapping
        Share of each of several treated entities in their average.
    solver : {"exact", "published"}
        Of sdid: the optimum itself, or the steps of the published code, which end before it where donors are few or
        periods many (then the check ``near_optimum`` fails) and take a hundred times as long.
    ridge : float or None
        Of the augmentation; None chooses it by leaving out one period at a time.
    starts : int
        Of the search with predictors.
    level : float
        Of what the rank does not exclude.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little effect.
    seed : int
        Of drawn sets of placebos, where there are more than 999, and of drawn starts.
    subject : Text or None
        The treated in words; None names the one there is.

    Returns
    -------
    Result
        Estimand ``effect``, unit points of percent where the outcome is in percent. Terms ``att`` (mean gap from the
        start on) and ``event`` with key ``event_time`` from 0 on; ``p_value`` by rank, ``p_floor`` its smallest;
        ``std_error`` of ``att`` is the spread of the placebos. An interval (placebos inverted) only with three or
        more treated and where the floor allows it. Tables ``synthetic`` (period, treated, synthetic, gap),
        ``placebos`` (entity, period, gap, rmspe_ratio), ``donors`` (entity, weight, att_without), ``ranks``, with
        sdid ``time_weights``, with predictors ``predictors`` and ``search``.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.donors.donor_pool.build_pool`; an unknown method or solver (QB144), predictors with another
        method than sc (QB519), a level that is none (QB503) or a margin that is none (QB507).

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods for comparative case studies.
    J. American Statistical Association 105.
    Arkhangelsky, D., Athey, S., Hirshberg, D. A., Imbens, G. W. and Wager, S. (2021). Synthetic
    difference-in-differences. American Economic Review 111.
    Ben-Michael, E., Feller, A. and Rothstein, J. (2021). The augmented synthetic control method. J. American
    Statistical Association 116.
    Sun, L., Ben-Michael, E. and Feller, A. (2025). Using multiple outcomes to improve the synthetic control method.
    Review of Economics and Statistics.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import estimate_synthetic
    >>> cells = [(k, t) for k in range(1, 6) for t in range(9)]
    >>> rows = [(f"K{k}", 2010 + t, 80 + k + t + k * t % 3 / 100 + (6 if k == 2 and t > 5 else 0)) for k, t in cells]
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="index", better="up")
    >>> frame = pd.DataFrame(rows, columns=["cluster_id", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="cluster_id", period="year", freq="A", indicators={"rate": rate})
    >>> spell = Spell(entity="K2", start=pd.Period("2016", "Y"))
    >>> policy = Policy(policy_id="one", title=Text("一地试点", "One pilot"), spells=(spell,))
    >>> effect = estimate_synthetic(panel, policy, "rate", method="sc")
    >>> round(effect["att"].value, 1), effect["att"].p_value, effect["att"].p_floor
    (6.0, 0.2, 0.2)
    >>> print(effect.checks[0].text.en)
    Among the treated and 4 placebos the effect ranks 1 of 5 by size: p = 0.20; the smallest p there can be is
    0.20. This cannot be tested at the 95% level.
    """
    spec = _read_spec(method, solver, ridge, starts, seed, predictors)
    check_level(level)
    margin = check_margin(margin)
    pool = build_pool(
        panel, policy, outcome, outcomes=outcomes, predictors=predictors, donors=donors, weight=weight
    )  # fmt: skip
    placebos = fit_placebos(pool, spec)
    refuse_no_gaps(pool, placebos)
    ranks = _ranks(pool, placebos, level)
    unit = difference_unit(pool.grid.indicator.unit)
    digits = digits_for(unit, placebos.spread or None, value=float(placebos.fits.effects[0]))
    checks = _checks(pool, placebos, spec, ranks["att"], level=level, digits=digits)
    mix = check_same_sampling(panel, build_design(panel, policy, outcome), level=level)
    return Result(
        estimand="effect",
        outcome=pool.grid.indicator,
        unit=unit,
        method=f"synthetic_{method}" if method != "sdid" else "sdid",
        estimates=_estimates(pool, placebos, ranks, level),
        subject=subject_text(panel, policy, pool.treated, subject),
        tables=_tables(pool, placebos, ranks, predictors),
        checks=(*checks, *(() if mix is None else (mix,))),
        grade="limited",
        notes=(
            *(ASSUMES, BY_RANK, GAPS_BEFORE),
            *drawing_notes(panel),
            *given_notes(panel, policy),
        ),
        settings={
            **_settings(panel, policy, pool, placebos, spec),
            "level": level,
            **({} if margin is None else {"margin": margin}),
        },
        sources=(*panel.sources, *policy.sources),
        coverage=panel.coverage_of(outcome),
        labels=_labels(panel, policy, pool),
    )


def _read_spec(
    method: Method, solver: Solver, ridge: float | None, starts: int, seed: int, predictors: Sequence[Predictor]
) -> WeightSpec:
    check_word("method", method, get_args(Method))
    check_word("solver", solver, get_args(Solver))
    if predictors and method != "sc":
        raise UsageError(
            "QB519",
            option="predictors",
            value=", ".join(map(str, predictors)),
            found=f"predictors with method={method!r}",
            expected='method="sc", whose weights are those of the predictors',
            fix='method="sc", or predictors=()',
        )
    if ridge is not None and not (np.isfinite(ridge) and ridge > 0):
        raise UsageError(
            "QB519",
            option="ridge",
            value=ridge,
            found=f"ridge={ridge!r}",
            expected="a number above 0",
            fix="ridge=None",
        )
    return WeightSpec(
        method=method,
        solver=solver,
        ridge=ridge,
        starts=read_count("starts", starts, least=1),
        seed=read_count("seed", seed, example=str(SEED)),
    )


def _ranks(pool: DonorPool, placebos: Placebos, level: float) -> dict[Any, Rank]:
    fits = placebos.fits
    ranks: dict[Any, Rank] = {"att": rank_of(placebos, float(fits.effects[0]), fits.effects[1:], level)}
    for i in range(pool.n_before, len(pool.columns)):
        when = pool.columns[i] - pool.start
        ranks[when] = rank_of(placebos, float(fits.gaps[0, i]), fits.gaps[1:, i], level)
    return ranks


def _estimates(pool: DonorPool, placebos: Placebos, ranks: dict[Any, Rank], level: float) -> tuple[Estimate, ...]:
    n_treated, n_after = len(pool.treated), len(pool.columns) - pool.n_before
    spread = placebos.spread

    def one(term: str, when: int | None, value: float, found: Rank) -> Estimate:
        has_interval = n_treated >= LEAST_TREATED and found.low is not None
        return Estimate(
            term=term,
            key={} if when is None else {"event_time": when},
            value=value,
            std_error=spread if when is None and spread > 0 else None,
            ci_low=found.low if has_interval else None,
            ci_high=found.high if has_interval else None,
            ci_level=level,
            p_value=found.p,
            p_floor=placebos.floor,
            n_obs=(len(pool.donors) + n_treated) * len(pool.columns),
            n_clusters=len(pool.donors) + n_treated,
            n_treated=n_treated,
            n_cells=n_treated * (n_after if when is None else 1),
            n_effective=float(1.0 / (pool.shares**2).sum()),
            uncertainty="randomisation" if has_interval else "none_too_few",
        )

    gaps = placebos.fits.gaps[0]
    events = [
        one("event", column - pool.start, float(gaps[i]), ranks[column - pool.start])
        for i, column in enumerate(pool.columns)
        if i >= pool.n_before
    ]
    return (one("att", None, float(placebos.fits.effects[0]), ranks["att"]), *events)


def _checks(
    pool: DonorPool, placebos: Placebos, spec: WeightSpec, found: Rank, *, level: float, digits: int
) -> tuple[CheckResult, ...]:
    checks = [
        check_placebo_rank(placebos, found, level=level, digits=digits),
        check_rmspe_ratio(placebos),
        check_fit_before(placebos, digits),
        check_donor_weights(pool, placebos),
        check_each_donor(pool, placebos, digits),
        check_cells_used(pool),
    ]
    if spec.method == "sdid" and spec.solver == "published":
        only = np.zeros((1, len(pool.donors) + 1))
        only[0, -1] = 1.0
        optimum = fit_donors(pool, only, pool.without([])[None], dataclasses.replace(spec, solver="exact"))
        checks.append(check_optimum(placebos, float(optimum.effects[0]), digits))
    return tuple(check for check in checks if check is not None)


def _tables(
    pool: DonorPool, placebos: Placebos, ranks: dict[Any, Rank], predictors: Sequence[Predictor]
) -> dict[str, pd.DataFrame]:
    fits, codes = placebos.fits, pool.periods
    without = dict(zip(placebos.left_out, placebos.effects_without, strict=True))
    named = ["+".join(pool.donors[j] for j in members) for members in placebos.sets]
    tables = {
        "synthetic": pd.DataFrame(
            {
                "period": codes,
                "treated": pool.paths[-1],
                "synthetic": pool.paths[-1] - fits.gaps[0],
                "gap": fits.gaps[0],
            }
        ),
        "placebos": pd.DataFrame(
            {
                "entity": np.repeat(named, len(codes)),
                "period": codes * len(named),
                "gap": fits.gaps[1:].ravel(),
                "rmspe_ratio": np.repeat(fits.ratios[1:], len(codes)),
            }
        ),
        "donors": pd.DataFrame(
            {
                "entity": pool.donors,
                "weight": fits.weights[0],
                "att_without": [without.get(j, np.nan) for j in range(len(pool.donors))],
            }
        ),
        "ranks": pd.DataFrame(
            [
                {"term": "att" if when == "att" else f"event[{when}]", **dataclasses.asdict(found)}
                for when, found in ranks.items()
            ]
        ),
    }
    if fits.time_weights is not None:
        tables["time_weights"] = pd.DataFrame({"period": codes[: pool.n_before], "weight": fits.time_weights[0]})
    if fits.search is not None:
        means = pool.predictors
        tables["predictors"] = pd.DataFrame(
            {
                "predictor": pool.predictor_names,
                "importance": fits.search.importance,
                "treated": means[-1],
                "synthetic": fits.weights[0] @ means[:-1],
                "donors": means[:-1].mean(axis=0),
            }
        )
        tables["search"] = pd.DataFrame({"start": range(len(fits.search.losses)), "loss": fits.search.losses})
    return tables


def _settings(panel: Panel, policy: Policy, pool: DonorPool, placebos: Placebos, spec: WeightSpec) -> dict[str, Any]:
    fits = placebos.fits
    return {
        "outcome": pool.grid.indicator.id,
        "policy": policy.policy_id,
        "entity_kind": panel.entity,
        "freq": panel.freq,
        "sampling": panel.sampling,
        "method": spec.method,
        "solver": spec.solver if spec.method == "sdid" else "exact",
        "outcomes": list(pool.outcomes),
        "predictors": list(pool.predictor_names),
        "donors": list(pool.donors),
        "weight": pool.grid.weighted_by,
        "seed": spec.seed,
        "inference": "placebos in space",
        "placebos": len(placebos.sets),
        "enumerated": placebos.is_enumerated,
        "placebo_sd": placebos.spread,
        **({} if fits.ridges is None else {"ridge": float(fits.ridges[0])}),
        **({} if fits.search is None else {"starts": spec.starts, "loss": float(fits.search.losses.min())}),
    }


def _labels(panel: Panel, policy: Policy, pool: DonorPool) -> dict[str, Text]:
    last = pool.columns[-1] - pool.start
    whole, step = CELLS.get(panel.entity, Text("主体", "entity")), STEPS[panel.freq]
    labels = {
        "att": moment_label(span_text(last, panel.freq, edge=False), AGAINST),
        "n": Text(f"{whole.zh}·{step.zh}", f"{whole.en}-{step.en}"),
    }
    for column in pool.columns[pool.n_before :]:
        when = column - pool.start
        words = policy.moments.get(when) or event_text(when, panel.freq)
        labels[f"event[{when}]"] = moment_label(words, AGAINST)
    return labels
