"""Whether the data could have found the largest gain there is: minimum detectable effect against headroom."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd

from qbase.core.given import check_margin
from qbase.core.numbers import declared_digits
from qbase.core.results.result import Result
from qbase.core.results.sentences import quantity
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator, Margin
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.judging.lead_tests import settle_power
from qbase.stats.testing.detectable_effect import POWER, minimum_detectable_effect
from qbase.stats.testing.equivalence import equivalence_interval

ATT = "att"
PERCENT = (0.0, 100.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Headroom:
    """What could be gained, what could be found, and what would matter.

    Parameters
    ----------
    unit : str
        Of all three: ``pp`` for percentages.
    detectable : float
        Minimum detectable effect; infinite where no interval can be given.
    largest : float or None
        Largest possible gain: 100 less the counterfactual of the treated where more is better, the counterfactual
        itself where less is. None where the outcome has no bound.
    counterfactual : float or None
        Level of the treated without the policy, in the unit of the outcome.
    smallest : float or None
        Smallest gain that matters, as it was declared.
    power, level : float
        Of the test the first is for.

    Examples
    --------
    >>> from qbase.effects import Headroom
    >>> room = Headroom(unit="pp", detectable=9.2, largest=7.0, counterfactual=93.0, smallest=2.0)
    >>> room.is_enough
    False
    >>> room
    至少 9.2 个百分点的效果才能发现；最多可提高 7.0 个百分点（无政策时的水平约为 93.0%）；要紧的提高为 2.0 个百分点
    Effects from 9.2 percentage points can be found; at most 7.0 percentage points can be gained (about 93.0% without
    the policy); a gain of 2.0 percentage points matters
    """

    unit: str
    detectable: float
    largest: float | None
    counterfactual: float | None
    smallest: float | None = None
    power: float = POWER
    level: float = 0.95

    @property
    def is_enough(self) -> bool | None:
        """Whether the largest possible gain would be found; None where there is no largest one."""
        if math.isinf(self.detectable):
            return False
        return None if self.largest is None else self.detectable <= self.largest

    def say(self) -> Text:
        """Return the three numbers in words."""
        parts = [
            Text("不给区间，任何大小的效果都无法发现", "No interval can be given: no effect of any size can be found")
            if math.isinf(self.detectable)
            else Text("至少 {x}的效果才能发现", "Effects from {x} can be found").format(x=self._shown(self.detectable))
        ]
        if self.largest is not None and self.counterfactual is not None:
            level = quantity(self.counterfactual, "pct" if self.unit == "pp" else self.unit, 1)
            parts.append(
                Text(
                    "最多可提高 {x}（无政策时的水平约为 {y}）",
                    "at most {x} can be gained (about {y} without the policy)",
                ).format(x=self._shown(self.largest), y=level)
            )
        if self.smallest is not None:
            digits = declared_digits(self.smallest, self.unit)
            shown = quantity(self.smallest, self.unit, digits)
            parts.append(Text(f"要紧的提高为 {shown.zh}", f"a gain of {shown.en} matters"))
        return Text("；".join(p.zh for p in parts), "; ".join(p.en for p in parts))

    def payload(self) -> dict[str, float | str | None]:
        """Return plain values for JSON; an infinite number is None."""
        plain = dataclasses.asdict(self)
        return {k: None if isinstance(v, float) and math.isinf(v) else v for k, v in plain.items()}

    def _shown(self, value: float) -> Text:
        return quantity(value, self.unit, 1 if self.unit == "pp" else 3)

    def __repr__(self) -> str:
        said = self.say()
        return f"{said.zh}\n{said.en}"


def estimate_headroom(
    result: Result,
    *,
    smallest_that_matters: Margin | float | None = None,
    counterfactual: float | None = None,
    power: float = POWER,
) -> Headroom:
    """Return what an effect could have been, and what could have been found.

    Parameters
    ----------
    result : Result
        With a term ``att``; its standard error, or the width of its interval where it has none, gives the minimum
        detectable effect, with the degrees of freedom the result states (``settings["df"]``), or clusters less one.
    smallest_that_matters : Margin, float or None
        In the unit of the result, declared beforehand.
    counterfactual : float or None
        Level of the treated without the policy, in the outcome's unit, such as `treated_counterfactual` gives; None
        takes the mean path of the treated since the first adoption less the effect, or their mean over all periods
        where the result does not tell when they adopted.
    power : float
        With which an effect is to be found.

    Returns
    -------
    Headroom

    Raises
    ------
    DataError
        The result has no average effect (QB141).
    UsageError
        The smallest gain that matters is no finite number above 0 (QB507).

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects. Evaluation Review 19, 547-556.

    Examples
    --------
    >>> from qbase.effects import estimate_headroom, estimate_twfe
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> room = estimate_headroom(estimate_twfe(panel, policy, "D1.batch"), smallest_that_matters=2)
    >>> room.is_enough
    True
    """
    att = result.find(ATT)
    given = smallest_that_matters
    level = _level_of(result) if counterfactual is None else float(counterfactual)
    error, df = _error_of(att), degrees_of(result, att)
    found = math.inf if error is None else minimum_detectable_effect(error, df=df, level=att.ci_level, power=power)
    return Headroom(
        unit=result.unit,
        detectable=found,
        largest=largest_gain(result.outcome, level),
        counterfactual=level,
        smallest=given.value if isinstance(given, Margin) else check_margin(given),
        power=power,
        level=att.ci_level,
    )


def check_headroom(
    result: Result,
    *,
    smallest_that_matters: Margin | float | None = None,
    counterfactual: float | None = None,
    power: float = POWER,
) -> CheckResult:
    """Check whether the data could decide at all: minimum detectable effect against the largest possible gain.

    Parameters
    ----------
    result, smallest_that_matters, counterfactual, power
        As in `estimate_headroom`.

    Returns
    -------
    CheckResult
        ``headroom``; False where the largest possible gain would not be found, which takes verdict and evidence grade
        away from a result that carries the check (`qbase.core.add_checks`). None where it would, but a gain that
        matters need not be, or where the outcome has no bound. Its table holds the numbers.

    Raises
    ------
    DataError, UsageError
        As in `estimate_headroom`.

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Result, Text, add_checks
    >>> from qbase.effects import check_headroom
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> rise = Estimate(term="att", value=6.1, std_error=3.1, ci_low=-0.3, ci_high=12.5, n_clusters=24)
    >>> treated = Text("采用政策的集群", "treated clusters")
    >>> result = Result(
    ...     estimand="effect", outcome=rate, unit="pp", method="staggered", estimates=(rise,), subject=treated
    ... )
    >>> check = check_headroom(result, counterfactual=93.0)
    >>> check.passed
    False
    >>> print(add_checks(result, check).say().items[0].en)
    The pass rate of treated clusters: the data cannot decide. The estimate is +6.1 percentage points (95% CI −0.3 to
        12.5).
    """
    room = estimate_headroom(
        result, smallest_that_matters=smallest_that_matters, counterfactual=counterfactual, power=power
    )
    passed = room.is_enough
    if passed and room.smallest is not None and room.detectable > room.smallest:
        passed = None
    return CheckResult(name="headroom", passed=passed, text=_words(room), table=pd.DataFrame([room.payload()]))


def add_margin(result: Result, margin: Margin) -> Result:
    """Return an effect with a dated margin: “no effect that matters” by two one-sided tests, and by nothing else.

    Parameters
    ----------
    result : Result
        Left unchanged.
    margin : Margin
        Largest effect that does not matter, in the unit of the result.

    Returns
    -------
    Result
        Every estimate with a standard error carries the 90 % interval of the two tests; one without keeps to its own,
        wider, interval.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach. Journal of
    Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Margin, Result, Text
    >>> from qbase.effects import add_margin
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> small = Estimate(term="att", value=0.4, std_error=0.9, ci_low=-1.5, ci_high=2.3, n_clusters=24)
    >>> treated = Text("采用政策的集群", "treated clusters")
    >>> result = Result(
    ...     estimand="effect", outcome=rate, unit="pp", method="staggered", estimates=(small,), subject=treated
    ... )
    >>> margin = Margin(value=2.0, source=Text("评价方案", "evaluation plan"), declared_on="2022-05-01")
    >>> print(add_margin(result, margin).say().items[0].en)
    The pass rate of treated clusters: no effect that matters. The estimate is +0.4 percentage points (95% CI −1.5 to
        2.3); the 90% interval of the equivalence test, −1.1 to 1.9, lies inside ±2.0 percentage points (margin declared
        on 2022-05-01; source: evaluation plan).
    """
    estimates = tuple(_with_tests(result, e) for e in result.estimates)
    checks = settle_power(result.checks, estimates[0], margin.value) if estimates else result.checks
    settings = {**result.settings, **margin.settings()}
    return dataclasses.replace(result, estimates=estimates, checks=checks, settings=settings)


def treated_counterfactual(grid: OutcomeGrid, effect: float) -> float:
    """Return the level of the treated cells without the policy: their mean less the average effect on them.

    Parameters
    ----------
    grid : OutcomeGrid
        Entities weigh as it says; cells without an outcome are left out.
    effect : float
        Average effect on the treated, in the outcome's unit.
    """
    cells = (grid.event_time >= 0) & np.isfinite(grid.y)
    weight = np.where(cells, grid.weight[:, None], 0.0)
    return float((weight * np.where(cells, grid.y, 0.0)).sum() / weight.sum()) - effect


def largest_gain(outcome: Indicator, level: float | None) -> float | None:
    """Return how far an outcome at a level can still improve; None where it has no bound, or no better direction."""
    low, high = outcome.bounds or (PERCENT if outcome.unit == "pct" else (-math.inf, math.inf))
    end = {"up": high, "down": low}.get(outcome.better, math.inf)
    return None if level is None or math.isinf(end) else max(0.0, abs(end - level))


def degrees_of(result: Result, estimate: Estimate) -> float | None:
    """Return the degrees of freedom of an estimate's interval: as the result states, else clusters less one."""
    stated = result.settings.get("df")
    if stated is not None:
        return float(stated)
    return None if estimate.n_clusters is None else float(max(1, estimate.n_clusters - 1))


def _error_of(estimate: Estimate) -> float | None:
    if estimate.std_error is not None or estimate.ci_low is None or estimate.ci_high is None:
        return estimate.std_error
    # with power one half the second quantile is 0, and what is left is that of the interval
    unit = minimum_detectable_effect(1.0, level=estimate.ci_level, power=0.5)
    return (estimate.ci_high - estimate.ci_low) / 2 / unit


def _level_of(result: Result) -> float | None:
    paths = result.tables.get("paths")
    if paths is None or "treated_mean" not in paths:
        return None
    adopted = [str(e.key["adopted"]) for e in result.estimates if "adopted" in e.key]
    after = paths[paths["period"].astype(str) >= min(adopted)] if adopted else paths
    seen = after["treated_mean"].dropna()
    if seen.empty:
        return None
    return float(seen.mean()) - (result.find(ATT).value if adopted else 0.0)


def _with_tests(result: Result, estimate: Estimate) -> Estimate:
    if estimate.std_error is None:
        return estimate
    df = degrees_of(result, estimate)
    low, high = equivalence_interval(estimate.value, estimate.std_error, df=df)
    return dataclasses.replace(estimate, tost_low=low, tost_high=high)


def _words(room: Headroom) -> Text:
    said = room.say()
    if room.is_enough is False:
        return Text(f"现有数据不足以判断：{said.zh}。", f"The data cannot decide: {said.en[:1].lower()}{said.en[1:]}.")
    if room.smallest is not None and room.detectable > room.smallest:
        return Text(f"{said.zh}；要紧的提高未必能发现。", f"{said.en}, and need not be found.")
    return Text(f"{said.zh}。", f"{said.en}.")
