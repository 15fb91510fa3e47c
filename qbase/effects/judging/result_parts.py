"""Pieces every effect is put together from: estimates, covariance frame, plain means, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import EMPTY, Estimate
from qbase.effects.comparison.effect_words import unit_of_rows
from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.fitting.effect_options import Options
from qbase.effects.fitting.two_way_fit import Fit, Floats
from qbase.effects.judging.design_checks import cap_of
from qbase.effects.judging.treated_behind import Behind

ATT = "att"
EVENT = "event"


def term_of(event_time: int) -> str:
    """Return the name of an event time in covariance frames and labels: ``event[-2]``."""
    return f"{EVENT}[{event_time}]"


def estimates_of(
    fit: Fit, times: Sequence[int] | None, options: Options, *, behind: Behind, joint: Floats | None = None
) -> tuple[Estimate, ...]:
    """Return one estimate per coefficient; one behind which too few treated stand has no interval.

    Parameters
    ----------
    fit : Fit
        The regression.
    times : sequence of int or None
        Event time of each coefficient; None when the only one is ``att``.
    options : Options
        Level and kind of standard errors.
    behind : Behind
        Treated entities behind each coefficient.
    joint : numpy.ndarray or None, shape (K,)
        Half widths of the simultaneous intervals.
    """
    shared: dict[str, Any] = {"ci_level": options.level, "n_obs": fit.n_obs}
    if options.errors == "CRV1":
        shared["n_clusters"] = fit.n_entities
    found = []
    for i in range(len(fit.terms)):
        doubt: dict[str, Any] = {"uncertainty": "none_too_few"}
        if behind.is_enough[i]:
            doubt = _doubt_of(fit, i, options.level, joint)
        found.append(
            Estimate(
                term=ATT if times is None else EVENT,
                key={} if times is None else {"event_time": times[i]},
                value=float(fit.beta[i]),
                n_treated=int(behind.n_treated[i]),
                n_cells=int(behind.n_cells[i]),
                n_effective=float(behind.n_effective[i]),
                **shared,
                **doubt,
            )
        )
    return tuple(found)


def _doubt_of(fit: Fit, i: int, level: float, joint: Floats | None) -> dict[str, Any]:
    value, half = float(fit.beta[i]), float(fit.half_width(level)[i])
    doubt = {
        "std_error": float(fit.std_errors[i]),
        "ci_low": value - half,
        "ci_high": value + half,
        "p_value": float(fit.p_values()[i]),
    }
    if joint is None:
        return doubt
    return {**doubt, "joint_low": value - float(joint[i]), "joint_high": value + float(joint[i])}


def build_paths(design: Design) -> pd.DataFrame:
    """Return the plain means behind an effect.

    Returns
    -------
    pandas.DataFrame
        Columns period (code), treated_mean, comparison_mean, n_treated, n_comparison; entities weigh as in the
        design. The treated are entities treated at any time, before their adoption too.
    """
    rows = design.rows.assign(ever=np.where(design.rows["entity"].isin(design.treated), "treated", "comparison"))
    rows["wy"] = rows["w"] * rows["y"]
    by = rows.groupby(["period", "ever"]).agg(wy=("wy", "sum"), w=("w", "sum"), n=("entity", "nunique"))
    mean = (by["wy"] / by["w"]).unstack("ever").reindex(columns=["treated", "comparison"])
    number = by["n"].unstack("ever").reindex(columns=["treated", "comparison"]).fillna(0).astype(int)
    return pd.DataFrame(
        {
            "period": [design.name_of(p) for p in mean.index],
            "treated_mean": mean["treated"].to_numpy(),
            "comparison_mean": mean["comparison"].to_numpy(),
            "n_treated": number["treated"].to_numpy(),
            "n_comparison": number["comparison"].to_numpy(),
        }
    )


def assemble(
    panel: Panel,
    policy: Policy,
    design: Design,
    options: Options,
    *,
    fit: Fit,
    method: str,
    settings: Mapping[str, Any],
    labels: Mapping[str, Text],
    tables: Mapping[str, pd.DataFrame] = EMPTY,
    **parts: Any,
) -> Result:
    """Put a result together from what every effect shares and its own parts.

    Parameters
    ----------
    panel, policy, design, options
        What was estimated.
    fit : Fit
        Its covariance becomes that of the result.
    method : str
        Name of the method.
    settings, labels, tables : mapping
        In addition to what every effect states.
    **parts
        Estimates, checks, notes and spoken of the result.
    """
    return Result(
        estimand="effect",
        outcome=design.indicator,
        unit=difference_unit(design.indicator.unit),
        method=method,
        subject=options.subject,
        vcov=pd.DataFrame(fit.vcov, index=list(fit.terms), columns=list(fit.terms)),
        tables={"paths": build_paths(design), **tables},
        labels={"n": unit_of_rows(panel.entity, panel.freq), **labels},
        grade=cap_of(design, parts.get("checks", ())),
        settings={**_settings(panel, policy, options), **settings},
        sources=(*panel.sources, *policy.sources),
        coverage=panel.coverage_of(options.outcome),
        **parts,
    )


def _settings(panel: Panel, policy: Policy, options: Options) -> dict[str, Any]:
    """Return what is needed to repeat an effect."""
    settings: dict[str, Any] = {
        "outcome": options.outcome,
        "policy": policy.policy_id,
        "entity_kind": panel.entity,
        "freq": panel.freq,
        "sampling": panel.sampling,
        "vcov": "iid" if options.errors == "iid" else {"CRV1": panel.entity},
        "small_sample": options.small_sample,
        "weights": options.weights,
        "level": options.level,
    }
    return settings if options.margin is None else {**settings, "margin": options.margin}
