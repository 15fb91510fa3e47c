"""The change inside the entities, beside the pooled one: who was tested more often cannot move it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, number
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.stats.rates.difference_intervals import newcombe_interval
from qbase.trends.counts.firm_intervals import Firms
from qbase.trends.counts.matched_entities import DRAWN, MOVED_PP


@dataclasses.dataclass(frozen=True, kw_only=True)
class Within:
    """The mean of the changes of single entities.

    Parameters
    ----------
    estimate : Estimate
        Term ``within_change``, entities weighted as Mantel and Haenszel do: n₀n₁/(n₀ + n₁).
    check : CheckResult
        ``within_entities``; False where the pooled change has the other sign.
    """

    estimate: Estimate
    check: CheckResult

    @property
    def subject(self) -> Text:
        """Whom it is about."""
        n = count(int(self.estimate.key["entities"]))
        return Text(f"{n} 个对象各自（平均）", f"the {n} entities, each by itself, on average")


def compare_within(
    panel: Panel, outcome: str, pooled: Estimate, first: pd.Period, last: pd.Period, firms: Firms | None = None
) -> Within | None:
    """Return the mean change inside the entities tested in both periods; None below two of them.

    A pooled rate also moves when batches move from entities with a high rate to such with a low one (Simpson). The
    mean of the single changes cannot: each has its own rate in both periods. Its interval is made of theirs (MOVER).

    Parameters
    ----------
    panel : Panel
        Unweighted, of several entities.
    outcome : str
        Id of a rate.
    pooled : Estimate
        The change of the sums.
    first, last : pandas.Period
        The two periods.
    firms : Firms or None
        For intervals that know them.

    References
    ----------
    Greenland, S. and Robins, J. M. (1985). Estimation of a common effect parameter from sparse follow-up data.
    Biometrics 41, 55-68 (risk difference). Zou, G. Y., Huang, W. and Zhang, X. (2009). A note on confidence interval
    estimation for a linear function of binomial proportions. Computational Statistics & Data Analysis 53, 1080-1085.
    """
    if panel.entity == DRAWN:
        return None
    counts = panel.counts(outcome)
    two = [counts.xs(p, level="period") for p in (first, last) if p in counts.index.get_level_values("period")]
    if len(two) < 2:
        return None
    early, late = (found[found["n"] > 0].add_suffix(f"_{i}") for i, found in enumerate(two))
    both = early.join(late, how="inner")
    if len(both) < 2:
        return None
    n0, n1, k0, k1 = (both[c].to_numpy(dtype=float) for c in ("n_0", "n_1", "k_0", "k_1"))
    weight = n0 * n1 / (n0 + n1)
    weight = weight / weight.sum()
    value = 100 * (k1 / n1 - k0 / n0)
    limits = np.array(
        [_limits(row, str(e), first, last, pooled.ci_level, firms) for e, row in both.astype("int64").iterrows()]
    )
    mean = float(weight @ value)
    down, up = (float(np.sqrt(((weight * gap) ** 2).sum())) for gap in (value - limits[:, 0], limits[:, 1] - value))
    estimate = Estimate(
        term="within_change",
        key={"first": periods.code(first), "period": periods.code(last), "entities": len(both)},
        value=mean,
        ci_low=mean - down,
        ci_high=mean + up,
        ci_level=pooled.ci_level,
        n_obs=int((n0 + n1).sum()),
    )
    return Within(estimate=estimate, check=_check(pooled, estimate, len(both)))


def _limits(
    row: pd.Series, entity: str, first: pd.Period, last: pd.Period, level: float, firms: Firms | None
) -> tuple[float, float]:
    if firms is not None:
        return firms.compare(first, last, level=level, entity=entity)[1:]
    low, high = newcombe_interval((row["k_1"], row["k_0"]), (row["n_1"], row["n_0"]), level=level)
    return 100 * low, 100 * high


def _check(pooled: Estimate, within: Estimate, entities: int) -> CheckResult:
    gap = abs(pooled.value - within.value)
    is_against = pooled.value * within.value < 0 and (gap >= MOVED_PP or not pooled.covers_zero)
    passed = False if is_against else (None if gap >= MOVED_PP else True)
    end = Text("抽查在对象间的分布没有影响结论。", "who was tested how often changes little.")
    if passed is None:
        end = Text("差别来自抽查在对象间的分布改变。", "the rest comes from who was tested more often.")
    if is_against:
        end = Text(
            "合并数字的升降来自抽查在对象间的分布改变，而不是质量。",
            "the direction of the pooled figure comes from who was tested more often, not from quality.",
        )
    value, whole = number(within.value, 1, sign=True), number(pooled.value, 1, sign=True)
    text = Text(
        f"{count(entities)} 个对象各自的变化平均为 {value} 个百分点，合并为 {whole} 个百分点：{end.zh}",
        f"Inside the {count(entities)} entities the mean change is {value} points, pooled {whole}: {end.en}",
    )
    return CheckResult(name="within_entities", passed=passed, text=text)
