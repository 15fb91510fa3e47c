"""Whether treated and untreated moved apart before the policy, said no stronger than the data can carry."""

from __future__ import annotations

from qbase.core.numbers import count, number, p_value
from qbase.core.results.sentences import quantity
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.doubt.few_clusters import Inference
from qbase.effects.doubt.lead_power import POWER
from qbase.effects.doubt.path_calibration import TEST_LEVEL, LeadTest

NAME = "parallel_leads"

NO_LEADS = Text(
    "政策之前没有可供检验的时期，前提无法检验。",
    "There are no event times before the start to test: whether the two groups moved alike cannot be tested.",
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
    >>> from qbase.effects.doubt.lead_power import POWER
    from qbase.effects.doubt.path_calibration import LeadTest
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
