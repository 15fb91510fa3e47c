"""Which design recovers the truth on the researcher's own data, and what size of effect it would find."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.given import read_text
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.effect_words import drawing_notes, given_notes
from qbase.effects.comparison.outcome_grid import Weight
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.lab import lab_words
from qbase.effects.lab.design_answers import DesignName
from qbase.effects.lab.design_scores import Play, Score, Share, detectable_effect, play_designs
from qbase.effects.lab.lab_options import DESIGNS, Asked, read_asked, read_kind, read_n_treated
from qbase.effects.lab.placebo_draws import Placebos, draw_placebos
from qbase.effects.lab.untreated_history import History, take_history
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.testing.detectable_effect import POWER

METHOD = "placebo_policies"
MOST_BIAS = 0.1
"""Share of the root mean squared error: a bias below it makes the error larger by half a percent."""

MOST_UNANSWERED = 50.0
TOLERATED = 2.0
"""Points by which a size or a coverage may miss its level before it counts, as in the studies of this room."""

WARNING: DesignName = "twfe"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A design's scores with constant and with growing effects, and what it would find."""

    constant: Score
    growing: Score
    effect: tuple[float, float, float]
    faults: tuple[str, ...]


def estimate_design_quality(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    effect: float | None = None,
    designs: Sequence[str] = DESIGNS,
    history: str | None = None,
    n_treated: int | None = None,
    spread: int | None = None,
    draws: int = 1000,
    permutations: int = 199,
    weight: Weight = "equal",
    power: float = POWER,
    level: float = 0.95,
    seed: int = SEED,
    subject: Text | None = None,
) -> Result:
    """Play placebo policies on the untreated history and score every design by what it says of them.

    As many entities as the policy treated, with dates as far apart, are drawn where nobody was treated; outcomes are
    left as they are or gain a known effect. Each design answers with the interval or p value it would be used with:
    imputation and group-time effects as `qbase.effects.doubt.few_clusters.infer`, synthetic control (one treated) by
    rank, before against after by paired changes, two-way fixed effects, a warning, by clustered errors.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        The policy imitated.
    outcome : str
        Id of an indicator of the panel.
    effect : float or None
        The known effect at which coverage and bias are told; None takes 5 points, or half a standard deviation.
    designs : sequence of str
        Of ``imputation staggered synthetic before_after twfe``.
    history : {"before", "never"} or None
        All entities before the first adoption, or those never treated; None takes the first where it is long enough.
    n_treated, spread : int or None
        Treated in a placebo policy, and periods from its first start to its last; None imitates the policy as far as
        the history has room.
    draws : int
        Placebo policies of each design; where there are no more than these, each is played once.
    permutations : int
        Exchanges of histories behind an interval, where histories change places.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect.
    power : float
        Chance with which an effect is to be found.
    level : float
        Of the designs' intervals, and of bounds on shares.
    seed : int
        Of all draws.
    subject : Text or None
        In place of the words for the design that leads.

    Returns
    -------
    Result
        Estimand ``level``, outcome ``….detectable``: term ``detectable`` with key ``design``, the smallest average
        effect found with that power, with the error of the draws; spoken of for the design that leads, which is the
        most sensitive of those that recover the truth. Tables ``designs`` (one row a design) and ``scores`` (one a
        design, shape and effect). One check ``recovers_truth`` a design.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`; a history too short (QB553); options that are none
        (QB144, QB503, QB519).

    References
    ----------
    Bertrand, M., Duflo, E. and Mullainathan, S. (2004). How much should we trust differences-in-differences estimates?
    Quarterly Journal of Economics 119. Bloom, H. S. (1995). Minimum detectable effects. Evaluation Review 19.

    Examples
    --------
    >>> from qbase.effects import estimate_design_quality
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> quality = estimate_design_quality(panel, policy, "D1.batch", designs=("imputation", "twfe"), draws=200)
    >>> quality.settings["lead"], [(c.name, c.passed) for c in quality.checks]
    ('imputation', [('recovers_truth', True), ('recovers_truth', False)])
    """
    check_level(level)
    past = take_history(panel, policy, outcome, kind=read_kind(history), weight=weight)
    asked = read_asked(past, effect, designs)
    size = read_n_treated(past, n_treated)
    gap = None if spread is None else read_count("spread", spread)
    play = Play(
        effects=asked.effects,
        shapes=("constant", "growing"),
        level=level,
        permutations=read_count("permutations", permutations, least=19),
        seed=read_count("seed", seed, example=str(SEED)),
    )
    number = read_count("draws", draws, least=20, example="200")
    plans = {n: draw_placebos(past, n_treated=n, spread=gap, draws=number, seed=play.seed) for n in {1, size}}
    known = asked.effects.index(asked.known)
    tried = _try(past, plans, asked.designs, play, known, power)
    return _result(panel, policy, past, plans[size], asked, tried, play, power, subject)


def _try(
    history: History, plans: Mapping[int, Placebos], designs: Sequence[DesignName], play: Play, known: int, power: float
) -> dict[DesignName, Tried]:
    """Play every design: synthetic control with one treated, the others with as many as the policy has."""
    alone = [name for name in designs if name == "synthetic"]
    others = [name for name in designs if name != "synthetic"]
    scores = play_designs(history, plans[1], alone, play) if alone else {}
    if others:
        scores |= play_designs(history, plans[max(plans)], others, play)
    tried = {}
    for name in designs:
        constant, growing = scores[name]
        tried[name] = Tried(
            constant=constant,
            growing=growing,
            effect=detectable_effect(constant, power=power),
            faults=find_faults(constant, growing, known, level=play.level),
        )
    return tried


def find_faults(constant: Score, growing: Score, known: int, *, level: float) -> tuple[str, ...]:
    """Return in what a design fails to recover the truth, none where it does.

    It has to judge in half of the placebo policies at least; a bias counts beyond twice its Monte Carlo error and a
    tenth of the root mean squared error; a size where its lower bound is two points above 1 − level, a coverage where
    its upper bound is two points below the level.

    Parameters
    ----------
    constant, growing : Score
        With the same effect in all treated cells, and with one that grows.
    known : int
        Position of the known effect.
    level : float
    """
    faults = []
    if not constant.unanswered[0].value <= MOST_UNANSWERED:
        faults.append("answers")
    if any(_is_biased(constant, m) for m in (0, known)):
        faults.append("bias")
    elif _is_biased(growing, known):
        faults.append("growing")
    if constant.rejected[0].low > 100 * (1 - level) + TOLERATED:
        faults.append("size")
    if any(score.covered[known].high < 100 * level - TOLERATED for score in (constant, growing)):
        faults.append("coverage")
    return tuple(faults)


def _is_biased(score: Score, m: int) -> bool:
    return bool(not abs(score.bias[m]) <= max(2 * score.bias_error[m], MOST_BIAS * score.rmse[m]))


def choose_lead(tried: Mapping[DesignName, Tried]) -> DesignName | None:
    """Return the most sensitive of the designs that recover the truth; of those that find nothing the least noisy.

    Two-way fixed effects never lead: they stand here as a warning.
    """
    sound = [name for name, t in tried.items() if not t.faults and name != WARNING]
    return min(sound, key=lambda n: (tried[n].effect[0], float(tried[n].constant.rmse[0])), default=None)


def _result(
    panel: Panel,
    policy: Policy,
    history: History,
    placebos: Placebos,
    asked: Asked,
    tried: Mapping[DesignName, Tried],
    play: Play,
    power: float,
    subject: Text | None,
) -> Result:
    unit = difference_unit(history.grid.indicator.unit)
    known = asked.effects.index(asked.known)
    lead = choose_lead(tried)
    found = {name: _estimate(t, play.level) for name, t in tried.items()}
    estimates = [(name, e) for name, e in found.items() if e is not None]
    spoken = tuple(i for i, (name, _) in enumerate(estimates) if name == lead)
    words = Text("", "") if lead is None else lab_words.NAMES[lead]
    draws = {name: t.constant.draws for name, t in tried.items()}
    n_treated = int(np.isfinite(placebos.start[0]).sum())
    played = lab_words.played_words(history, placebos, n_treated, max(draws.values()))
    unanswered = _unanswered(lead, words, spoken)
    return Result(
        estimand="level",
        outcome=lab_words.detectable_indicator(history.grid.indicator, power),
        unit=unit,
        method=METHOD,
        estimates=tuple(e for _, e in estimates) if spoken else (),
        subject=lab_words.leading_words(words) if subject is None else read_text("subject", subject),
        tables={"designs": _designs(tried, known), "scores": _scores(tried, asked)},
        checks=tuple(_check(t, unit, known) for t in tried.values()),
        notes=(*_notes(panel, played, tried, play.level, power), *given_notes(panel, policy)),
        settings={
            **_settings(panel, policy, history, asked, play, power),
            "n_treated": n_treated, "spread": placebos.spread, "draws": draws, "lead": lead,
        },
        sources=(*panel.sources, *policy.sources),
        labels={
            "played": played, **{f"fault[{f}]": text for f, text in lab_words.SHORT_FAULTS.items()},
            **{f"design[{n}]": lab_words.name_of_score(t.constant) for n, t in tried.items()},
            **({} if spoken else {"unanswered": Text("没有可用的设计", "no design to rely on")}),
        },
        spoken=spoken,
        unanswered=unanswered,
        coverage=panel.coverage_of(history.grid.indicator.id),
    )  # fmt: skip


def _unanswered(lead: DesignName | None, words: Text, spoken: tuple[int, ...]) -> Text:
    if spoken:
        return Text("", "")
    return lab_words.NOTHING_FOUND.format(design=words) if lead else lab_words.NONE_RECOVERS


def _estimate(tried: Tried, level: float) -> Estimate | None:
    value, low, high = tried.effect
    if not math.isfinite(value) or not math.isfinite(high):
        return None
    score = tried.constant
    bounds: dict[str, Any] = {"uncertainty": "none_full_count"}
    if not score.is_complete:
        bounds = {"ci_low": min(low, value), "ci_high": max(high, value), "uncertainty": "randomisation"}
    return Estimate(
        term="detectable",
        key={"design": score.design},
        value=value,
        ci_level=level,
        n_treated=score.n_treated,
        **bounds,
    )


def _designs(tried: Mapping[DesignName, Tried], known: int) -> pd.DataFrame:
    rows = []
    for name, t in tried.items():
        score, grown = t.constant, t.growing
        row: dict[str, Any] = {
            "design": name,
            "recovers": not t.faults,
            "faults": ", ".join(t.faults),
            "n_treated": score.n_treated,
            "draws": score.draws,
            "is_complete": score.is_complete,
            "bias": score.bias[0],
            "bias_error": score.bias_error[0],
            "growing_bias": grown.bias[known],
            "growing_bias_error": grown.bias_error[known],
            "rmse": score.rmse[0],
            "rmse_error": score.rmse_error[0],
        }
        shares = {
            "size": score.rejected[0],
            "coverage": score.covered[known],
            "unanswered": score.unanswered[0],
            "found": score.found[known],
        }
        for label, share in shares.items():
            row |= _columns(label, share)
        value, low, high = t.effect
        rows.append({**row, "detectable": value, "detectable_low": low, "detectable_high": high})
    return pd.DataFrame(rows)


def _columns(label: str, share: Share) -> dict[str, float]:
    return {f"{label}_pct": share.value, f"{label}_low_pct": share.low, f"{label}_high_pct": share.high}


def _scores(tried: Mapping[DesignName, Tried], asked: Asked) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name, t in tried.items():
        for shape, score in (("constant", t.constant), ("growing", t.growing)):
            for m, effect in enumerate(asked.effects):
                row: dict[str, Any] = {"design": name, "shape": shape, "effect": effect, "gain": score.gain[m]}
                row |= {"capped_pct": score.capped[m]}
                for field in ("bias", "bias_error", "rmse", "rmse_error"):
                    row[field] = getattr(score, field)[m]
                for field in ("covered", "rejected", "found", "unanswered"):
                    row |= _columns(field, getattr(score, field)[m])
                rows.append(row)
    return pd.DataFrame(rows)


def _check(tried: Tried, unit: str, known: int) -> CheckResult:
    """Say whether a design recovers the truth (``recovers_truth``)."""
    score = tried.constant
    name, said = lab_words.name_of_score(score), lab_words.say_score(score, unit, known, tried.growing, tried.effect)
    if tried.faults:
        why = join([lab_words.FAULTS[f] for f in tried.faults], zh="；", en="; ")
        head = Text(f"{name.zh}：不能还原真值，{why.zh}", f"{name.en}: does not recover the truth, {why.en}")
    else:
        head = Text(f"{name.zh}：能还原真值", f"{name.en}: recovers the truth")
    text = Text(f"{head.zh}（{said.zh}）。", f"{head.en[:1].upper()}{head.en[1:]} ({said.en}).")
    return CheckResult(name="recovers_truth", passed=not tried.faults, text=text)


def _notes(
    panel: Panel, played: Text, tried: Mapping[DesignName, Tried], level: float, power: float
) -> tuple[Text, ...]:
    warned = [lab_words.TWFE] if WARNING in tried else []
    complete = any(t.constant.is_complete for t in tried.values())
    said = Text(f"{played.zh}。", f"{played.en}.")
    bounds = lab_words.bounds_note(level, complete)
    return (
        said,
        lab_words.PLACEBO,
        lab_words.reliably(power),
        lab_words.CAPPED,
        lab_words.SAME_HISTORY,
        *warned,
        bounds,
        *drawing_notes(panel),
    )


def _settings(panel: Panel, policy: Policy, history: History, asked: Asked, play: Play, power: float) -> dict[str, Any]:
    return {
        "outcome": history.grid.indicator.id,
        "policy": policy.policy_id,
        "entity_kind": panel.entity,
        "freq": panel.freq,
        "sampling": panel.sampling,
        "weight": history.grid.weighted_by,
        "history": history.kind,
        "first": history.grid.code_of(0),
        "last": history.grid.code_of(history.grid.n_periods - 1),
        "n_entities": len(history.grid.entities),
        "effect": asked.known,
        "effects": list(asked.effects),
        "level": play.level,
        "power": power,
        "permutations": play.permutations,
        "seed": play.seed,
    }
