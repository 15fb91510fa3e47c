"""Whether an effect depends on where trends are taken to be parallel: on points or on the log-odds."""

from __future__ import annotations

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.numbers import number
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult

NAME = "functional_form"


def check_functional_form(prob_result: Result, logit_result: Result) -> CheckResult:
    """Set the effect on points beside that on the log-odds (``functional_form``), for information.

    Trends can be parallel on one scale at most once levels differ and times change; which it is, data before the policy
    hardly tell. The gap says how much of the answer hangs on that choice.

    Parameters
    ----------
    prob_result, logit_result : Result
        Of `qbase.effects.estimate_imputation` with ``scale="probability"`` and ``scale="logit"``, otherwise alike.

    Returns
    -------
    CheckResult
        ``passed`` is None: it judges nothing. Table with one row a scale: scale, value, ci_low, ci_high.

    Raises
    ------
    UsageError
        The two are not one effect on two scales (QB545).

    References
    ----------
    Roth, J. and Sant'Anna, P. H. C. (2023). When is parallel trends sensitive to functional form? Econometrica 91.

    Examples
    --------
    >>> from qbase.core import Estimate, Indicator, Result, Text
    >>> from qbase.effects import check_functional_form
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> points, odds = (
    ...     Result(
    ...         estimand="effect", outcome=rate, unit="pp", method="imputation", subject=Text("集群", "clusters"),
    ...         estimates=(Estimate(term="att", value=value, ci_low=value - 2, ci_high=value + 2),),
    ...         settings={"scale": scale},
    ...     )
    ...     for scale, value in (("probability", 2.9), ("logit", 2.3))
    ... )
    >>> print(check_functional_form(points, odds).text.en)
    With trends parallel in points the effect is 2.9 points, parallel on the log-odds 2.3: the choice moves it by 0.6.
    """
    found = [str(result.settings.get("scale")) for result in (prob_result, logit_result)]
    shared = ("outcome", "policy", "weight", "anticipation", "donut")
    other = [s for s in shared if prob_result.settings.get(s) != logit_result.settings.get(s)]
    if found != ["probability", "logit"] or prob_result.outcome.id != logit_result.outcome.id or other:
        raise UsageError(
            "QB545",
            found=f"scales {found[0]} and {found[1]}" + (f"; other {', '.join(other)}" if other else ""),
            expected="one effect, first on the probability and then on the logit scale",
            fix='check_functional_form(estimate_imputation(…), estimate_imputation(…, scale="logit"))',
        )
    points, odds = prob_result["att"], logit_result["att"]
    shown = [number(e.value, 1) for e in (points, odds)]
    gap = number(abs(points.value - odds.value), 1)
    table = pd.DataFrame(
        [(scale, e.value, e.ci_low, e.ci_high) for scale, e in zip(found, (points, odds), strict=True)],
        columns=["scale", "value", "ci_low", "ci_high"],
    )
    text = Text(
        f"若按百分点平行，效果为 {shown[0]} 个百分点；若按对数几率平行，为 {shown[1]}：这一选择使结果相差 {gap}。",
        f"With trends parallel in points the effect is {shown[0]} points, parallel on the log-odds {shown[1]}: the "
        f"choice moves it by {gap}.",
    )
    return CheckResult(name=NAME, passed=None, text=text, table=table)
