"""Whether the two groups moved apart before, and whether a test that does not reject says anything at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qbase.core.numbers import count, number, p_value
from qbase.core.results.sentences import direction_of, quantity
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.doubt.few_clusters import Inference
from qbase.effects.doubt.known_variance import ENOUGH_POWER, is_undecided
from qbase.effects.doubt.lead_power import POWER, TEST_LEVEL
from qbase.effects.doubt.path_calibration import LeadTest

NAME = "parallel_leads"
POWER_NAME = "test_power"

NO_LEADS = Text(
    "政策之前没有可供检验的时期，前提无法检验。",
    "There are no event times before the start to test: whether the two groups moved alike cannot be tested.",
)

IS_LITTLE = Text(
    "未能拒绝“没有差异”；效果在界值之内另有检验，不依赖这一检验的把握。",
    "The test against 0 rejected nothing; that the effect lies inside the margin was found by a test of its own, which "
    "asks for no power of this one.",
)


def check_leads(inference: Inference, *, unit: str = "pp") -> CheckResult:
    """Say what the exchange of adoption dates tells of the periods before treatment (``parallel_leads``).

    Parameters
    ----------
    inference : Inference
        Of a path with event times before the start.
    unit : str
        Of the effects.

    Returns
    -------
    CheckResult
        False, "already moved apart", only when p < .05; else None, for a test that does not reject shows little.
        Where no assignment could have given p ≤ .05 it says that this cannot be tested.

    References
    ----------
    Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. AER: Insights 4.

    Examples
    --------
    >>> import dataclasses, numpy as np
    >>> from qbase.effects.doubt.few_clusters import Inference
    >>> from qbase.effects.doubt.path_calibration import LeadTest
    >>> from qbase.effects.judging.lead_tests import check_leads
    >>> test = LeadTest(
    ...     statistic=2.9, p_value=0.25, p_floor=1 / 12, kind="F", n_leads=4, n_draws=11, is_testable=False
    ... )
    >>> none = dict.fromkeys(f.name for f in dataclasses.fields(Inference))
    >>> print(check_leads(Inference(**none | {"lead_test": test})).text.en)
    Whether the two groups moved apart before treatment cannot be tested: of 12 ways of adopting none could have given a
    p value below 0.083.
    """
    test = inference.lead_test
    if test is None:
        return CheckResult(name=NAME, passed=None, text=NO_LEADS)
    if not test.is_testable:
        return CheckResult(name=NAME, passed=None, text=_untestable(test))
    facts = _facts(test)
    if test.p_value < TEST_LEVEL:
        text = Text(
            f"政策之前，采用者与未采用者的变化已经不同（{facts.zh}）。",
            f"Before treatment the two groups already moved apart ({facts.en}).",
        )
        return CheckResult(name=NAME, passed=False, text=text)
    power = _power(test, unit)
    text = Text(
        f"未见采用者与未采用者在政策之前的变化不同（{facts.zh}）；{power.zh}，不能据此认定前提成立。",
        f"Before treatment the two groups were not seen to move apart ({facts.en}); {power.en}, so it does not prove "
        "the assumption.",
    )
    return CheckResult(name=NAME, passed=None, text=text)


def check_test_power(inference: Inference) -> CheckResult | None:
    """Say where a test that does not reject means nothing, clusters being too few (``test_power``).

    Parameters
    ----------
    inference : Inference
        Of a path; its first term is the overall effect.

    Returns
    -------
    CheckResult or None
        False, which takes verdict and grade away, where nothing was rejected and either the test has by its degrees of
        freedom less than 80 % of the power it would have with known variance, or this very estimate would have been
        rejected with known variance by a chance above 20 %; None where a weak test rejected all the same; no check
        where nothing is known.

    Examples
    --------
    >>> import dataclasses, numpy as np
    >>> from qbase.effects.doubt.few_clusters import Inference
    >>> from qbase.effects.judging.lead_tests import check_test_power
    >>> none = dict.fromkeys(f.name for f in dataclasses.fields(Inference))
    >>> found = Inference(**none | {"power_share": 0.56, "p_value": np.array([0.4])})
    >>> print(check_test_power(found).text.en)
    Nothing was rejected, but with so few clusters the test finds at most 56% of what it would with known variance: this
    is no sign of no effect.
    >>> close = Inference(**none | {"power_share": 0.85, "known_chance": 0.43, "p_value": np.array([0.07])})
    >>> print(check_test_power(close).text.en)
    Nothing was rejected, but clusters are few and how large noise is had to be estimated; had it been known, this
    estimate would have been rejected with a chance of 43%: this is no sign of no effect.
    """
    share, chance, p = inference.power_share, inference.known_chance, inference.p_value[0]
    if share is None:
        return None
    if np.isfinite(p) and p <= TEST_LEVEL:
        return _said(None, _rejected(share)) if share < ENOUGH_POWER else _said(True, _enough(share))
    if is_undecided(share, chance):
        return _said(False, _weak(share) if share < ENOUGH_POWER else _close(chance or 0.0))
    return _said(True, _enough(share))


def settle_power(checks: Sequence[CheckResult], estimate: Estimate, margin: float | None) -> tuple[CheckResult, ...]:
    """Return checks in which ``test_power`` forbids nothing where the effect was found inside a margin.

    That is a rejection too, of every effect that matters, and asks for no power against 0.

    Parameters
    ----------
    checks : sequence of CheckResult
    estimate : Estimate
        The overall effect.
    margin : float or None
        Declared beforehand.
    """
    if direction_of(estimate, margin) != "little":
        return tuple(checks)
    return tuple(
        _said(None, IS_LITTLE) if check.name == POWER_NAME and check.passed is False else check for check in checks
    )


def _said(passed: bool | None, text: Text) -> CheckResult:
    return CheckResult(name=POWER_NAME, passed=passed, text=text)


def _share(value: float) -> str:
    return f"{100 * min(value, 1.0):.0f}%"


def _enough(share: float) -> Text:
    return Text(
        f"按自由度，检验的把握约为方差已知时的 {_share(share)}。",
        f"By its degrees of freedom the test finds about {_share(share)} of what it would with known variance.",
    )


def _rejected(share: float) -> Text:
    return Text(
        f"集群很少，检验的把握至多为方差已知时的 {_share(share)}；差异仍然显著。",
        f"With so few clusters the test finds at most {_share(share)} of what it would with known variance; it "
        "rejected all the same.",
    )


def _weak(share: float) -> Text:
    return Text(
        f"未能拒绝，但集群很少，检验的把握至多为方差已知时的 {_share(share)}：这不说明没有效果。",
        f"Nothing was rejected, but with so few clusters the test finds at most {_share(share)} of what it would with "
        "known variance: this is no sign of no effect.",
    )


def _close(chance: float) -> Text:
    return Text(
        f"未能拒绝，但集群很少，噪声大小只能估计；若噪声已知，有 {_share(chance)} 的可能会拒绝：这不说明没有效果。",
        "Nothing was rejected, but clusters are few and how large noise is had to be estimated; had it been known, "
        f"this estimate would have been rejected with a chance of {_share(chance)}: this is no sign of no effect.",
    )


def _power(test: LeadTest, unit: str) -> Text:
    """Return what the test would have found, and what it may have overlooked."""
    if test.slope is None or test.carried is None:
        return Text("这一检验发现差异的能力有限", "the test has limited power")
    digits = 1 if unit == "pp" else 3
    slope, carried = quantity(test.slope, unit, digits), quantity(abs(test.carried), unit, digits)
    share = f"{100 * POWER:g}%"
    return Text(
        f"以 {share} 的把握只能发现每期偏离 {slope.zh}以上的走势，而这样的走势自身就会使平均效果偏离 {carried.zh}",
        f"with {share} power it finds drifts from {slope.en} a period, and such a drift by itself moves the average "
        f"effect by {carried.en}",
    )


def _facts(test: LeadTest) -> Text:
    name = Text("最大 |t|", "max |t|") if test.kind == "max_t" else Text("F", "F")
    shown = p_value(test.p_value)
    sign = shown if shown[0] in "<>" else f"= {shown}"
    value = number(test.statistic, 2)
    if test.n_draws == 0 or test.p_floor is None:
        return Text(f"{name.zh} = {value}，p {sign}", f"{name.en} = {value}, p {sign}")
    ways, floor = count(test.n_draws + 1), p_value(test.p_floor)
    return Text(
        f"{name.zh} = {value}，{ways} 种采用方式的置换检验 p {sign}，最小可得 {floor}",
        f"{name.en} = {value}, permutation over {ways} ways of adopting p {sign}, smallest attainable {floor}",
    )


def _untestable(test: LeadTest) -> Text:
    ways, floor = count(test.n_draws + 1), p_value(test.p_floor or 1.0)
    return Text(
        f"政策之前的变化是否不同，无法检验：{ways} 种采用方式中，p 值最小只能到 {floor}。",
        f"Whether the two groups moved apart before treatment cannot be tested: of {ways} ways of adopting none could "
        f"have given a p value below {floor}.",
    )
