"""How many batches a precise enough pass rate takes, with a chance that it will be so."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_number, read_whole
from qbase.core.numbers import count, declared_digits, level_text, number, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.indicators import find_indicator
from qbase.planning.precision.assured_draws import (
    MOST_FIRMS,
    Arm,
    Rates,
    arm_chance,
    fewest_firms,
    known_rate,
    nearest_target,
    uncertain_rate,
)
from qbase.stats.rates.difference_intervals import check_level

DEFAULT_OUTCOME = "D1.batch"
WIDEST_PP = 25.0
NARROWEST_PP = 0.1
CURVE_PP = (1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)
ASSURANCE = 0.8
MOST_PER_FIRM = 4
"""Batches of one firm and quarter beyond which an inspection is no longer one."""

ARITHMETIC = Text(
    "这是按给定合格率做的推算，不是估计；企业须随机抽取。",
    "Reckoned at the given rate, not estimated; firms must be drawn at random.",
)
ARMS: dict[Arm, Text] = {
    "both": Text("控制在 ±{w} 个百分点以内", "within ±{w} percentage points"),
    "lower": Text("的下限控制在估计值以下 {w} 个百分点以内", "with a lower limit at most {w} points below it"),
    "upper": Text("的上限控制在估计值以上 {w} 个百分点以内", "with an upper limit at most {w} points above it"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
    """What is drawn and how: the options of `plan_batches`, checked."""

    target_pp: float
    arm: Arm
    assurance: float
    level: float
    likeness: float
    firms: int | None
    per_firm: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Need:
    """Firms and batches of each."""

    firms: int
    per_firm: int

    @property
    def batches(self) -> int:
        """Batches in all."""
        return self.firms * self.per_firm


def plan_batches(
    rate_pct: float | Result,
    *,
    half_width_pp: float,
    arm: Arm = "both",
    assurance: float = ASSURANCE,
    level: float = 0.95,
    likeness: float | None = None,
    batches_per_firm: int | None = None,
    firms: int | None = None,
    outcome: str = DEFAULT_OUTCOME,
    in_percent: bool = False,
) -> Result:
    """Return how many batches bring the arms of a pass rate's interval within a target, with an assured chance.

    Half the width is not "within": at 98 % the lower arm is twice the upper one, and a number of batches that does on
    average fails in every second year. So the chance is planned, over what next year's draw may bring and over what is
    not known of the rate.

    Parameters
    ----------
    rate_pct : float or Result
        The rate to expect, in percent; or the result of `qbase.trends.estimate_level`, whose spoken rate is taken with
        what its interval leaves open, and the likeness of its firms' batches.
    half_width_pp : float
        Longest arm, in percentage points, 0.1 to 25.
    arm : {"both", "lower", "upper"}
        Which arms must be no longer.
    assurance : float
        Chance that they are, 0.5 to 0.99.
    level : float
        Confidence level of the interval planned.
    likeness : float or None
        Correlation of batches of one firm, 0 to 1; None takes that of the result, else 0.
    batches_per_firm : int or None
        Of each firm drawn; None takes one, and more (to four) where there are too few firms.
    firms : int or None
        Firms there are to draw from; None sets no bound.
    outcome : str
        Indicator planned for, when a bare rate is given.
    in_percent : bool
        Says that a bare rate of 1 or below is percent as well, and not a share such as 0.93.

    Returns
    -------
    Result
        Estimand ``need`` in batches, term ``batches`` with key ``firms`` and ``batches_per_firm``; no estimate where
        the firms there are do not suffice, and then what they can reach (setting ``nearest_pp``). Table ``curve``:
        firms, batches and the chance for other targets.

    Raises
    ------
    UsageError
        Rate, target, level or another option out of range (QB540, QB503, QB144), unknown indicator (QB401), a result
        that is no level of a percentage (QB541).

    References
    ----------
    O'Hagan, A., Stevens, J. W. and Campbell, M. J. (2005). Assurance in clinical trial design. Pharmaceutical
    Statistics 4, 187-201.

    Examples
    --------
    >>> from qbase.planning import plan_batches
    >>> need = plan_batches(92.0, half_width_pp=2.0)
    >>> print(need.say().items[0].en)
    To know the batch pass rate within ±2.0 percentage points (95% interval, with a chance of 80%), 924 batches are
    needed (at a rate of 92.0%, one batch of each firm).
    >>> print(plan_batches(92.0, half_width_pp=2.0, firms=46, likeness=0.2).say().items[0].en)
    The 46 firms do not suffice to know the batch pass rate within ±2.0 percentage points (95% interval, with a chance
    of 80%): 4 batches of every one of them bring it within ±7.0.
    """
    given = rate_pct if isinstance(rate_pct, Result) else None
    rates, rate, indicator = _expected(rate_pct, outcome, in_percent, level)
    asked = _asked(half_width_pp, arm, assurance, level, _likeness(likeness, given), batches_per_firm, firms)
    need = _least(rates, asked, asked.target_pp)
    subject = _subject(indicator, given, asked)
    nearest = None if need is not None else _nearest(rates, asked)
    settings = {
        "rate_pct": rate, "is_given_rate": given is None, "half_width_pp": half_width_pp, "arm": arm,
        "assurance": assurance, "level": level, "likeness": round(asked.likeness, 4), "firms": firms,
        "outcome": indicator.id, "nearest_pp": nearest,
    }  # fmt: skip
    return Result(
        estimand="need",
        outcome=indicator,
        unit="batch",
        method="assured_arms",
        estimates=() if need is None else (_estimate(need, rates, asked, rate),),
        subject=subject,
        tables={"curve": _curve(rates, asked)},
        notes=(ARITHMETIC,),
        settings=settings,
        sources=() if given is None else given.sources,
        coverage=None if given is None else given.coverage,
        labels={"batches": _label(rate, given, need)} if need else {"unanswered": Text("企业数不足", "too few firms")},
        unanswered=Text("", "") if nearest is None else _too_few(indicator, given, asked, nearest),
        spoken=(0,) if need else (),
    )


def _asked(
    target: float, arm: Arm, assurance: float, level: float, likeness: float, per_firm: int | None, firms: int | None
) -> Draws:
    if read_number(target) is None or not NARROWEST_PP <= target <= WIDEST_PP:
        raise _out_of_range("half_width_pp", target, f"{NARROWEST_PP:g} to {WIDEST_PP:g}", "half_width_pp=3")
    check_word("arm", arm, ARMS)
    check_level(level)
    if read_number(assurance) is None or not 0.5 <= assurance <= 0.99:
        raise _out_of_range("assurance", assurance, "0.5 to 0.99", f"assurance={ASSURANCE}")
    if read_number(likeness) is None or not 0 <= likeness <= 1:
        raise _out_of_range("likeness", likeness, "0 to 1", "likeness=0.2")
    for option, value in (("batches_per_firm", per_firm), ("firms", firms)):
        if value is not None and ((whole := read_whole(value)) is None or not 1 <= whole <= MOST_FIRMS):
            raise _out_of_range(option, value, f"1 to {MOST_FIRMS:,}", f"{option}=2")
    several = range(1, MOST_PER_FIRM + 1) if firms is not None else range(1, 2)
    return Draws(
        target_pp=float(target), arm=arm, assurance=float(assurance), level=level, likeness=float(likeness),
        firms=firms, per_firm=tuple(several) if per_firm is None else (per_firm,),
    )  # fmt: skip


def _likeness(likeness: float | None, given: Result | None) -> float:
    if likeness is not None:
        return likeness
    learnt = None if given is None else given.settings.get("firm_likeness")
    return float(learnt) if isinstance(learnt, (int, float)) else 0.0


def _least(rates: Rates, asked: Draws, target_pp: float) -> Need | None:
    """Return the least that keeps a target: one batch of each firm, more of each only where there are too few."""
    for per_firm in asked.per_firm:
        found = fewest_firms(
            rates, per_firm, target=target_pp / 100, assurance=asked.assurance, likeness=asked.likeness, arm=asked.arm,
            level=asked.level, most=asked.firms or MOST_FIRMS,
        )  # fmt: skip
        if found is not None:
            return Need(firms=found, per_firm=per_firm)
    return None


def _nearest(rates: Rates, asked: Draws) -> float:
    most = asked.per_firm[-1]
    share = nearest_target(
        rates, asked.firms or MOST_FIRMS, most, assurance=asked.assurance, likeness=asked.likeness, arm=asked.arm,
        level=asked.level,
    )  # fmt: skip
    return round(100 * share, 1)


def _estimate(need: Need, rates: Rates, asked: Draws, rate: float) -> Estimate:
    chance = arm_chance(
        rates, need.firms, need.per_firm, target=asked.target_pp / 100, likeness=asked.likeness, arm=asked.arm,
        level=asked.level,
    )  # fmt: skip
    key = {
        "half_width_pp": asked.target_pp, "rate_pct": rate, "firms": need.firms, "batches_per_firm": need.per_firm,
        "chance": round(chance, 3),
    }  # fmt: skip
    return Estimate(
        term="batches", key=key, value=float(need.batches), ci_level=asked.level, uncertainty="none_full_count"
    )


def _expected(given: float | Result, outcome: str, in_percent: bool, level: float) -> tuple[Rates, float, Indicator]:
    if not isinstance(given, Result):
        if read_number(given) is None or not 0 <= given <= 100:
            raise _out_of_range("rate_pct", given, "0 to 100", "rate_pct=93")
        if 0 < given <= 1 and not in_percent:
            meant = f"rate_pct={100 * given:g}, or in_percent=True where {given:g} % is meant"
            raise _out_of_range("rate_pct", given, "percent; 1 or below reads like a share", meant)
        return known_rate(given / 100), float(given), find_indicator(outcome).indicator
    if given.estimand != "level" or given.unit != "pct" or not given.estimates:
        raise UsageError(
            "QB541",
            estimand=given.estimand,
            found=f"{given.name} in {given.unit}",
            expected="a level in pct",
            fix="plan_batches(estimate_level(panel, outcome), half_width_pp=3)",
        )
    spoken = given.estimates[given.spoken[0]]
    if spoken.ci_low is None or spoken.ci_high is None:
        return known_rate(spoken.value / 100), spoken.value, given.outcome
    ends = (spoken.value / 100, spoken.ci_low / 100, spoken.ci_high / 100)
    return uncertain_rate(*ends, level=spoken.ci_level), spoken.value, given.outcome


def _curve(rates: Rates, asked: Draws) -> pd.DataFrame:
    widths = sorted({*CURVE_PP, asked.target_pp})
    found = [_least(rates, asked, w) for w in widths]
    columns = {
        "half_width_pp": widths,
        "n_firms": pd.array([None if f is None else f.firms for f in found], dtype="Int64"),
        "batches_per_firm": pd.array([None if f is None else f.per_firm for f in found], dtype="Int64"),
        "n_count": pd.array([None if f is None else f.batches for f in found], dtype="Int64"),
    }
    return pd.DataFrame(columns)


def _within(asked: Draws, target_pp: float) -> Text:
    shown = number(target_pp, declared_digits(target_pp, "pp"))
    return Text(*(text.replace("{w}", shown) for text in (ARMS[asked.arm].zh, ARMS[asked.arm].en)))


def _chance(asked: Draws) -> Text:
    shown, chance = level_text(asked.level), percent(100 * asked.assurance, 0)
    return Text(f"{shown} 区间，把握 {chance}", f"{shown} interval, with a chance of {chance}")


def _whose(indicator: Indicator, given: Result | None) -> Text:
    owner = Text("", "") if given is None else Text(given.subject.zh + "的", f" of {given.subject.en}")
    return Text(f"{owner.zh}{indicator.label.zh}", f"the {indicator.label.en}{owner.en}")


def _subject(indicator: Indicator, given: Result | None, asked: Draws) -> Text:
    whose, within, chance = _whose(indicator, given), _within(asked, asked.target_pp), _chance(asked)
    return Text(f"要把{whose.zh}{within.zh}（{chance.zh}）", f"To know {whose.en} {within.en} ({chance.en})")


def _too_few(indicator: Indicator, given: Result | None, asked: Draws, nearest: float) -> Text:
    whose, within, chance = _whose(indicator, given), _within(asked, asked.target_pp), _chance(asked)
    firms, most = count(asked.firms or 0), asked.per_firm[-1]
    return Text(
        f"现有 {firms} 家企业不足以把{whose.zh}{within.zh}（{chance.zh}）：每家都抽 {most} 批，也只能到 "
        f"±{number(nearest, 1)} 个百分点。",
        f"The {firms} firms do not suffice to know {whose.en} {within.en} ({chance.en}): {most} batches of every one "
        f"of them bring it within ±{number(nearest, 1)}.",
    )


def _label(rate: float, given: Result | None, need: Need) -> Text:
    # a rate that was declared keeps its decimals; one that was estimated has an interval of its own
    shown = percent(rate, 1 if given is not None else declared_digits(rate, "pct"))
    doubt = Text("", "") if given is None else Text("上下，计入其不确定性", " or near it, its own doubt included")
    firms = count(need.firms)
    each = Text("每家企业抽 1 批", "one batch of each firm")
    if need.per_firm > 1:
        each = Text(f"抽 {firms} 家企业，每家 {need.per_firm} 批", f"{need.per_firm} batches of each of {firms} firms")
    return Text(f"按合格率 {shown}{doubt.zh}计，{each.zh}", f"at a rate of {shown}{doubt.en}, {each.en}")


def _out_of_range(option: str, value: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB540", option=option, value=value, found=f"{option}={value!r}", expected=expected, fix=fix)
