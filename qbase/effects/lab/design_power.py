"""What more treated, more batches or more years would bring: power of a design along each of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.given import read_text
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Key
from qbase.effects.comparison.effect_words import given_notes
from qbase.effects.comparison.outcome_grid import Weight
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.lab import lab_words
from qbase.effects.lab.design_answers import DesignName
from qbase.effects.lab.design_scores import Play, Score, chance_of, detectable_effect, play_designs
from qbase.effects.lab.lab_options import Asked, read_asked, read_axis, read_kind, read_n_treated
from qbase.effects.lab.placebo_draws import draw_placebos
from qbase.effects.lab.resampled_batches import Made, resample_batches
from qbase.effects.lab.untreated_history import AFTER, BEFORE, History, take_history
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.testing.detectable_effect import POWER

Axis = Literal["treated", "batches", "years"]

METHOD = "placebo_power"
TREATED = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Times the batches there are."""

YEARS = (2, 3, 4, 6, 8, 10, 15, 20, 30)
MOST_FACTOR = 20.0
DESIGNS: tuple[DesignName, ...] = ("imputation", "staggered")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """One point of an axis: what is played there."""

    axis: Axis
    value: float
    history: History
    n_treated: int
    factor: float = 1.0

    @property
    def made(self) -> Made:
        """Where its batches come from."""
        return "observed" if self.factor == 1 else "subsample" if self.factor < 1 else "model"


def estimate_design_power(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    effect: float | None = None,
    designs: Sequence[str] = DESIGNS,
    treated: Iterable[float] | None = None,
    batches: Iterable[float] | None = None,
    years: Iterable[float] | None = None,
    history: str | None = None,
    spread: int | None = None,
    draws: int = 200,
    permutations: int = 199,
    weight: Weight = "equal",
    power: float = POWER,
    level: float = 0.95,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Play placebo policies with more or fewer treated, batches and years, and tell how often an effect is found.

    Parameters
    ----------
    panel, policy, outcome, history, spread, permutations, weight, power, level, seed
        See `qbase.effects.estimate_design_quality`.
    effect : float or None
        True average effect whose power is told; None takes 5 points, or half a standard deviation.
    designs : sequence of str
        Of ``imputation staggered synthetic before_after twfe``.
    treated : iterable of int or None
        Numbers of treated; None takes steps up to two less than there are entities.
    batches : iterable of float or None
        Batches a cell as multiples of those there are: below 1 by subsamples, above 1 by the model of
        `qbase.effects.lab.resampled_batches.resample_batches`; None takes a quarter to four times, where the outcome is
        a rate of passes. Empty leaves the axis out, as for the others.
    years : iterable of int or None
        Latest years of the history; None takes steps within it, on those never treated where their history is longer.
    draws : int
        Placebo policies at each point.
    subject : Text or None
        In place of the words for the policy.

    Returns
    -------
    Result
        Estimand ``level``, outcome ``….detectable``: term ``detectable`` with keys ``axis``, ``at`` and ``design``
        wherever an effect is found with that power; nothing is spoken. Table ``power``: one row a point and design with
        the share of draws that find the effect, exact bounds, the smallest detectable effect, and what it stands on.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        As `qbase.effects.estimate_design_quality`; batches asked of an outcome that has none (QB554).

    Examples
    --------
    >>> from qbase.effects import estimate_design_power
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> found = estimate_design_power(
    ...     panel, policy, "D1.batch", designs=["imputation"], treated=[4, 6], batches=[1, 4], years=(), draws=60
    ... )
    >>> found.tables["power"][["axis", "at", "n_treated", "batches"]].values.tolist()
    [['treated', 4.0, 4, 18.0], ['treated', 6.0, 6, 18.0], ['batches', 18.0, 5, 18.0], ['batches', 72.0, 5, 72.0]]
    """
    check_level(level)
    past = take_history(panel, policy, outcome, kind=read_kind(history), weight=weight)
    asked = read_asked(past, effect, designs)
    gap = None if spread is None else read_count("spread", spread)
    play = Play(
        effects=asked.effects,
        shapes=("constant",),
        level=level,
        permutations=read_count("permutations", permutations, least=19),
        seed=read_count("seed", seed, example=str(SEED)),
    )
    number = read_count("draws", draws, least=20, example="200")
    settings = [
        *_by_treated(past, treated),
        *_by_batches(past, batches),
        *_by_years(past, _long_history(panel, policy, outcome, past, weight, history), years),
    ]
    rows = [row for point in settings for row in _play(point, asked, play, gap, number, power)]
    return _result(panel, policy, past, pd.DataFrame(rows), asked, play, number, power, subject)


def _by_treated(history: History, treated: Iterable[float] | None) -> Iterator[Setting]:
    most = len(history.grid.entities) - 2
    own = read_n_treated(history, None)
    for value in read_axis("treated", treated, (*TREATED, own), most):
        size = read_count("treated", value, least=1, example="[3, 5]")
        yield Setting(axis="treated", value=float(size), history=history, n_treated=size)


def _by_batches(history: History, batches: Iterable[float] | None) -> Iterator[Setting]:
    if batches is None and not _is_counted(history):
        return
    for factor in read_axis("batches", batches, FACTORS, MOST_FACTOR):
        yield Setting(
            axis="batches",
            value=_usual_batches(history) * factor,
            history=history,
            n_treated=read_n_treated(history, None),
            factor=factor,
        )


def _by_years(history: History, longest: History, years: Iterable[float] | None) -> Iterator[Setting]:
    season = PER_YEAR[history.grid.freq]
    least = math.ceil((BEFORE + AFTER[history.grid.freq]) / season)
    most = longest.grid.n_periods // season
    usual = [y for y in (*YEARS, most) if y >= least]
    for value in read_axis("years", years, usual, most):
        span = read_count("years", value, least=least, example=f"[{least}]")
        past = longest.last(span * season)
        yield Setting(axis="years", value=float(span), history=past, n_treated=read_n_treated(past, None))


def _long_history(
    panel: Panel, policy: Policy, outcome: str, past: History, weight: Weight, history: str | None
) -> History:
    """Return the longer of the histories: that of those never treated, unless one was asked for."""
    if history is not None or past.kind == "never":
        return past
    try:
        return take_history(panel, policy, outcome, kind="never", weight=weight)
    except DataError:  # nobody, or hardly anybody, is never treated
        return past


def _is_counted(history: History) -> bool:
    try:
        resample_batches(history, 1.0, draws=1, seed=0)
    except DataError:  # the outcome is no rate of passes
        return False
    return True


def _usual_batches(history: History) -> float:
    n = history.grid.n
    return math.nan if n is None else float(np.median(n[np.isfinite(history.grid.y)]))


def _play(
    point: Setting, asked: Asked, play: Play, spread: int | None, draws: int, power: float
) -> Iterator[dict[str, Any]]:
    history, grid = point.history, point.history.grid
    alone = [name for name in asked.designs if name == "synthetic"]
    others = [name for name in asked.designs if name != "synthetic"]
    for designs, size in ((others, point.n_treated), (alone, 1)):
        if not designs:
            continue
        placebos = draw_placebos(history, n_treated=size, spread=spread, draws=draws, seed=play.seed)
        drawn = None
        if point.factor != 1:
            n = len(placebos.start)
            drawn = resample_batches(history, point.factor, draws=n, seed=play.seed)
            placebos = dataclasses.replace(placebos, is_complete=False)
        for design, (score,) in play_designs(history, placebos, designs, play, resampled=drawn).items():
            yield {
                "axis": point.axis,
                "at": point.value,
                "design": design,
                "n_treated": size,
                "n_entities": len(grid.entities),
                "n_periods": grid.n_periods,
                "history": history.kind,
                "batches": point.factor * _usual_batches(history),
                "made": point.made,
                "spread": placebos.spread,
                "effect": asked.known,
                **_found(score, asked.known, power),
            }


def _found(score: Score, effect: float, power: float) -> dict[str, Any]:
    chance, size = chance_of(score, effect), score.rejected[0]
    value, low, high = detectable_effect(score, power=power)
    return {
        "draws": score.draws,
        "is_complete": score.is_complete,
        "found_pct": chance.value,
        "found_low_pct": chance.low,
        "found_high_pct": chance.high,
        "size_pct": size.value,
        "size_low_pct": size.low,
        "size_high_pct": size.high,
        "unanswered_pct": score.unanswered[0].value,
        "largest": float(score.gain[-1]),
        "detectable": value,
        "detectable_low": low,
        "detectable_high": high,
    }


def _result(
    panel: Panel,
    policy: Policy,
    history: History,
    table: pd.DataFrame,
    asked: Asked,
    play: Play,
    draws: int,
    power: float,
    subject: Text | None,
) -> Result:
    indicator = history.grid.indicator
    estimates = tuple(e for e in (_estimate(row, play.level) for row in table.to_dict("records")) if e is not None)
    return Result(
        estimand="level",
        outcome=lab_words.detectable_indicator(indicator, power),
        unit=difference_unit(indicator.unit),
        method=METHOD,
        estimates=estimates,
        subject=policy.title if subject is None else read_text("subject", subject),
        tables={"power": table},
        notes=(
            *(lab_words.PLACEBO, lab_words.reliably(power), lab_words.CAPPED, lab_words.MORE_BATCHES),
            *given_notes(panel, policy),
        ),
        settings={
            "outcome": indicator.id, "policy": policy.policy_id, "entity_kind": panel.entity, "freq": panel.freq,
            "sampling": panel.sampling, "weight": history.grid.weighted_by, "history": history.kind,
            "effect": asked.known, "designs": list(asked.designs), "draws": draws, "level": play.level, "power": power,
            "permutations": play.permutations, "seed": play.seed,
        },
        sources=(*panel.sources, *policy.sources),
        labels={
            "outcome": indicator.label, "unanswered": Text("没有足以发现的效果", "no effect large enough to be found"),
            **{f"design[{name}]": lab_words.NAMES[name] for name in asked.designs},
        },
        spoken=(),
        unanswered=Text("", "") if estimates else lab_words.NOTHING_ANYWHERE,
        coverage=panel.coverage_of(indicator.id),
    )  # fmt: skip


def _estimate(row: dict[Any, Any], level: float) -> Estimate | None:
    value, low, high = (float(row[name]) for name in ("detectable", "detectable_low", "detectable_high"))
    if not math.isfinite(value) or not math.isfinite(high):
        return None
    doubt: dict[str, Any] = {"ci_low": min(low, value), "ci_high": max(high, value), "uncertainty": "randomisation"}
    if row["is_complete"]:
        doubt = {"uncertainty": "none_full_count"}
    key: dict[str, Key] = {"axis": str(row["axis"]), "at": float(row["at"]), "design": str(row["design"])}
    return Estimate(term="detectable", key=key, value=value, ci_level=level, n_treated=int(row["n_treated"]), **doubt)
