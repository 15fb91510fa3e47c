"""Whether a design can carry what is asked of it, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from qbase.core.numbers import count, number, p_value
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Grade
from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.fitting.two_way_fit import Fit, Floats

ENOUGH = 10
"""Below ten treated or ten comparison entities, CRV1 rejects too often (12 towns, 4 treated: 16 % at nominal 5 %)."""

FEW_TREATED = 5
"""Below five treated entities the evidence is limited whatever else holds."""

LEAD_LEVEL = 0.05
"""Level at which the joint test of the leads is remarked upon."""


def cap_of(design: Design, checks: Sequence[CheckResult] = ()) -> Grade | None:
    """Return the highest evidence grade a design allows; samples drawn in another way allow little."""
    is_mixed = any(check.name == "same_sampling" and check.passed is False for check in checks)
    if len(design.treated) < FEW_TREATED or is_mixed:
        return "limited"
    return "moderate" if design.is_staggered else None


def has_few_clusters(design: Design) -> bool:
    """Return whether fewer than ten entities stand on either side of a comparison."""
    return min(len(design.treated), len(design.comparison)) < ENOUGH


def check_enough_clusters(design: Design) -> CheckResult:
    """Check for at least ten treated and ten comparison entities (``enough_clusters``)."""
    treated, comparison = len(design.treated), len(design.comparison)
    passed = not has_few_clusters(design)
    facts = Text(
        f"采用政策的主体 {count(treated)} 个，未采用的 {count(comparison)} 个",
        f"{count(treated)} treated and {count(comparison)} comparison entities",
    )
    ends = Text(
        f"均不少于 {ENOUGH} 个，可以按主体聚类。"
        if passed
        else f"有一类少于 {ENOUGH} 个，聚类标准误偏小，区间可能过窄。",
        ": enough to cluster by entity."
        if passed
        else f"; with fewer than {ENOUGH} of either, clustered standard errors are too small and the interval may be "
        "too narrow.",
    )
    return CheckResult(name="enough_clusters", passed=passed, text=Text(f"{facts.zh}，{ends.zh}", facts.en + ends.en))


def check_rows_used(design: Design, fit: Fit) -> CheckResult:
    """Report what did not enter (``rows_used``): no outcome, alone in its entity or period, treated throughout."""
    left_out = [
        (design.n_missing, Text("无结果值 {n} 行", "{n} rows without an outcome")),
        (fit.n_singletons, Text("所在主体或时期只有一行的 {n} 行", "{n} rows alone in their entity or period")),
        (
            len(design.always_treated),
            Text("数据开始时已采用政策的主体 {n} 个", "{n} entities already treated when the data begin"),
        ),
    ]
    parts = [text.format(n=count(n)) for n, text in left_out if n]
    base = Text(
        f"使用 {count(fit.n_obs)} 行，{count(fit.n_entities)} 个主体，{count(fit.n_periods)} 期",
        f"{count(fit.n_obs)} rows of {count(fit.n_entities)} entities over {count(fit.n_periods)} periods used",
    )
    if not parts:
        return CheckResult(
            name="rows_used", passed=True, text=Text(f"{base.zh}，没有舍去。", f"{base.en}; none left out.")
        )
    listed = join(parts, zh="；", en="; ")
    text = Text(f"{base.zh}；舍去{listed.zh}。", f"{base.en}; left out: {listed.en}.")
    return CheckResult(name="rows_used", passed=None, text=text)


def check_errors_allow_correlation(errors: str) -> CheckResult:
    """Check that standard errors allow errors of one entity to be alike over time."""
    if errors == "CRV1":
        text = Text("标准误按主体聚类，允许同一主体前后相关。", "Standard errors are clustered by entity (CRV1).")
        return CheckResult(name="errors_allow_correlation", passed=True, text=text)
    text = Text(
        "标准误假定各期误差互不相关；同一主体前后相近时，区间过窄。",
        "Standard errors assume errors independent over time; where an entity resembles itself they are too small.",
    )
    return CheckResult(name="errors_allow_correlation", passed=False, text=text)


def treated_weights(design: Design, fit: Fit) -> pd.DataFrame:
    """Return the weight each treated cell carries in the estimate, by adoption and period.

    The estimate is a weighted sum of the effects of all treated cells; the weights sum to 1 and some can be
    negative (de Chaisemartin and D'Haultfœuille 2020, theorem 1). A cell's weight is the treatment dummy net of
    the fixed effects over its sum in treated cells.

    Returns
    -------
    pandas.DataFrame
        Columns adopted, period (codes), n_entities, weight, is_negative.
    """
    rows = design.rows[fit.is_used].assign(d=fit.residual_x[:, 0])
    # residual_x carries the square root of the weight once; a weighted sum needs the weight itself
    rows["weight"] = rows["d"] * np.sqrt(rows["w"])
    cells = rows[rows["is_treated"]].copy()
    cells["weight"] /= cells["weight"].sum()
    cells["adopted"] = (cells["period"] - cells["event_time"]).astype(int)
    by = cells.groupby(["adopted", "period"], as_index=False).agg(
        n_entities=("entity", "nunique"), weight=("weight", "sum")
    )
    for column in ("adopted", "period"):
        by[column] = [design.name_of(p) for p in by[column]]
    return by.assign(is_negative=by["weight"] < 0)


def check_staggered_timing(design: Design, weights: pd.DataFrame | None) -> CheckResult:
    """Check whether adoption at several times makes the estimate a mixture with negative weights.

    Returns
    -------
    CheckResult
        ``staggered_timing``; True with one adoption date, False with negative weights, else None.
    """
    dates = len(design.starts)
    if dates == 1:
        text = Text(
            "各主体同时采用，不存在先后采用者互为比较的问题。",
            "All were treated at one time; none is compared with one treated before.",
        )
        return CheckResult(name="staggered_timing", passed=True, text=text)
    base = Text(f"政策分 {dates} 个时点采用", f"Adoption came at {dates} dates")
    negative = 0.0 if weights is None else float(-weights.loc[weights["is_negative"], "weight"].sum())
    if negative > 0:
        share = number(negative, 2)
        text = Text(
            f"{base.zh}，部分已采用的时期以负权重进入估计（合计 −{share}）；效果随时间变化时，估计会偏离平均效果。",
            f"{base.en} and some treated periods enter with negative weight (−{share} in all): "
            "where effects change with time the estimate misses the average effect.",
        )
        return CheckResult(name="staggered_timing", passed=False, text=text, table=weights)
    text = Text(
        f"{base.zh}；先后采用者效果不同时，估计是它们的混合。",
        f"{base.en}; where their effects differ, the estimate is a mixture of them.",
    )
    return CheckResult(name="staggered_timing", passed=None, text=text, table=weights)


def wald_test(beta: Floats, vcov: Floats, df: float) -> tuple[float, float] | None:
    """Return F and p of the joint test that coefficients are 0, or None when their covariance is singular.

    Parameters
    ----------
    beta : numpy.ndarray, shape (q,)
    vcov : numpy.ndarray, shape (q, q)
    df : float
        Denominator degrees of freedom; fewer than q of them cannot carry the test.
    """
    q = len(beta)
    scale = np.sqrt(np.diag(vcov))
    if q == 0 or df < q or np.linalg.matrix_rank(vcov / np.outer(scale, scale), tol=1e-8, hermitian=True) < q:
        return None
    f = float(beta @ np.linalg.solve(vcov, beta)) / q
    return f, float(stats.f.sf(f, q, df))


def check_parallel_leads(beta: Floats, vcov: Floats, df: float, *, is_few: bool) -> CheckResult:
    """Report the usual joint F test of the periods before adoption (``parallel_leads``); it decides nothing.

    Under parallel paths it rejects at nominal 5 % in 53 % of draws with 5 treated of 12 entities, in 11 % with 10 of
    20 and in 17 % with 15 of 36, so a rejection is no finding, and the evidence grade does not depend on it.

    Parameters
    ----------
    beta : numpy.ndarray, shape (q,)
        Coefficients of the leads.
    vcov : numpy.ndarray, shape (q, q)
        Their clustered covariance.
    df : float
        Denominator degrees of freedom.
    is_few : bool
        Whether fewer than ten treated or ten comparison entities stand behind it.

    Returns
    -------
    CheckResult
        ``passed`` is None whatever the test says.
    """
    tested = wald_test(beta, vcov, df)
    if tested is None:
        text = Text(
            "聚类太少，无法联合检验政策之前的变化。", "Too few clusters to test the periods before treatment jointly."
        )
        return CheckResult(name="parallel_leads", passed=None, text=text)
    f, p = tested
    shown = p_value(p)
    sign = f"p {shown}" if shown[0] in "<>" else f"p = {shown}"
    facts = f"F({len(beta)}, {df:g}) = {number(f, 2)}, {sign}"
    if is_few:
        text = Text(
            f"政策之前各期的常用 F 检验（{sign}）在聚类这么少时过于频繁地拒绝，不能据此判断政策之前的走势。",
            f"The usual F test of the periods before treatment ({sign}) rejects far too often with this few clusters; "
            "it decides nothing about them.",
        )
    elif p < LEAD_LEVEL:
        text = Text(
            f"政策之前各期的常用 F 检验提示可能已有差异（{facts}）；聚类较多时它也拒绝过多，单凭它不能认定走势不同。",
            f"The usual F test hints at a difference before treatment ({facts}); it rejects too often even with more "
            "clusters, and alone does not show that the two groups differed.",
        )
    else:
        text = Text(
            f"未见政策之前已有差异的迹象（{facts}），但这一检验发现差异的能力有限，不能据此认定前提成立。",
            f"No sign of a difference before treatment ({facts}); the test has limited power and does not prove the "
            "assumption.",
        )
    return CheckResult(name="parallel_leads", passed=None, text=text)


def check_no_anticipation(low: float, high: float, when: Text) -> CheckResult:
    """Check that the last period before the base shows no early reaction (``no_anticipation``).

    Parameters
    ----------
    low, high : float
        Pointwise interval of event time −2.
    when : Text
        That event time in words.

    Returns
    -------
    CheckResult
        False when the interval excludes 0; else None, for the base period itself cannot be looked at.
    """
    base = Text("基期（前一期）本身无法检验。", "The base period itself cannot be checked.")
    if low > 0 or high < 0:
        text = Text(
            f"{when.zh}已与基期不同，可能有提前反应或选择。{base.zh}",
            f"{when.en[:1].upper() + when.en[1:]} the groups already differ: early reaction or selection. {base.en}",
        )
        return CheckResult(name="no_anticipation", passed=False, text=text)
    text = Text(f"{when.zh}未见提前反应。{base.zh}", f"No early reaction seen {when.en}. {base.en}")
    return CheckResult(name="no_anticipation", passed=None, text=text)
