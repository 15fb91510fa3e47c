"""What an evaluation planner says: what will be found when, and whether the plan can be trusted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import count, interval, level_text, number, percent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.lab.design_scores import share_of
from qbase.planning.evaluating.evaluation_designs import NAMES

TOLERATED = 2.0
"""Points by which the size may miss its level before it counts, as in the design lab."""

MOST_SILENT = 50.0

HOW = Text(
    "未来各季按历史排演：各集群的水平、单季波动和持续波动取自没有政策的时期，过去的批次照原样，将来的批次按计划；"
    "效果改变的是真实合格率的水平，不超过 100%，波动仍围绕它。",
    "Quarters to come are played out as the past was: levels, shocks of one quarter and shocks that last are those of "
    "untreated periods; batches are those there were, then those planned; effects move the levels of true rates, up to "
    "100%.",
)
JUDGED = Text(
    "每次排演都用将来报告真正要用的估计和置换推断来判断，不套公式；所列为真正实现的平均效果。",
    "Each is judged by the estimator and the exchange of histories the letters will use, not by a formula; effects are "
    "averages that were really there.",
)
NOTHING_FOUND = Text(
    "在所列方案中，100% 以内的任何效果都不能稳定发现：要更多集群、更多批次或更多年。",
    "With none of these plans any effect below 100% is found reliably: it takes more clusters, batches or years.",
)


def error_note(draws: int, level: float) -> Text:
    """Return what the brackets are."""
    shown = level_text(level)
    return Text(
        f"括号为 {count(draws)} 次排演的蒙特卡罗误差（{shown}）；各方案共用同一批排演。",
        f"Brackets: Monte-Carlo error of {count(draws)} draws ({shown}); all plans share their draws.",
    )


def choose_lead(table: pd.DataFrame) -> dict[str, Any] | None:
    """Return the plan spoken of: in the last year, with the middle number of batches, the most sensitive design."""
    last = table[table["years"] == table["years"].max()]
    each = sorted(last["batches"].unique())
    some = last[last["batches"] == each[len(each) // 2]]
    some = some[np.isfinite(some["detectable_high"])]
    if some.empty:
        some = last[np.isfinite(last["detectable_high"])]
    if some.empty:
        return None
    return {str(k): v for k, v in some.sort_values("detectable", kind="stable").iloc[0].items()}


def say_plan(table: pd.DataFrame, lead: dict[str, Any], power: float) -> Text:
    """Return what will be found year by year, and what more batches bring."""
    same = (table["design"] == lead["design"]) & (table["treated"] == lead["treated"])
    own = table[same & (table["comparison"] == lead["comparison"])]
    rows = own[own["batches"] == lead["batches"]].sort_values("years").to_dict("records")
    told = [_year(row) for row in rows]
    years = join(told, zh="，", en=", ")
    more = own[(own["years"] == lead["years"]) & (own["batches"] > lead["batches"])]
    more = more[np.isfinite(more["detectable"])].sort_values("batches")
    further = Text("", "")
    if not more.empty:
        best = more.iloc[-1]
        shown, each = number(best["detectable"], 1), count(int(best["batches"]))
        further = Text(f"；增加到 {each} 批，第 {lead['years']} 年为 {shown} 个百分点",
                       f"; with {each} batches {shown} points after {_years(int(lead['years']))}")  # fmt: skip
    name, chance = NAMES[lead["design"]], percent(100 * power, 0)
    sizes = (count(int(lead[c])) for c in ("treated", "comparison", "batches"))
    treated, compared, each = sizes
    return Text(
        f"{treated} 个集群采用、{compared} 个对照，每季每群 {each} 批，{name.zh}：以 {chance} 的把握能发现的最小效果，"
        f"{years.zh}{further.zh}。",
        f"With {treated} clusters treated, {compared} compared and {each} batches in each and quarter, {name.en}: the "
        f"smallest effect found with a chance of {chance} is {years.en}{further.en}.",
    )


def _year(row: dict[Any, Any]) -> Text:
    years, value = int(row["years"]), float(row["detectable"])
    if not math.isfinite(value):
        return Text(f"第 {years} 年还没有", f"none yet after {_years(years)}")
    ends = interval(row["detectable_low"], row["detectable_high"], 1)
    if not math.isfinite(row["detectable_high"]):
        ends = Text(f"至少 {number(row['detectable_low'], 1)}", f"{number(row['detectable_low'], 1)} or more")
    shown = number(value, 1)
    return Text(f"第 {years} 年 {shown} 个百分点（{ends.zh}）", f"{shown} points ({ends.en}) after {_years(years)}")


def _years(years: int) -> str:
    return f"{years} year" if years == 1 else f"{years} years"


def check_size(table: pd.DataFrame, level: float, draws: int) -> CheckResult:
    """Say whether the inference keeps its size in every plan (``planned_size``).

    The worst of many plans is worse by chance; its bounds are those that hold for all of them at once (Bonferroni).
    """
    worst = table.iloc[int(np.argmax(table["size_pct"]))]
    allowed = 100 * (1 - level)
    share = share_of(round(worst["size_pct"] * draws / 100), draws, level=1 - (1 - level) / len(table))
    kept = bool(share.low <= allowed + TOLERATED)
    shown = percent(share.value, 1)
    ends = interval(share.low, share.high, 1)
    name, limit = NAMES[worst["design"]], percent(allowed, 0)
    return CheckResult(
        name="planned_size",
        passed=kept,
        text=Text(
            f"没有效果时误报最多的方案（{name.zh}）为 {shown}（{ends.zh}），名义水平 {limit}。",
            f"Where there is no effect a change is found at most in {shown} ({ends.en}; {name.en}); the nominal size "
            f"is {limit}.",
        ),
    )


def check_answers(table: pd.DataFrame) -> CheckResult:
    """Say in which plans the inference would mostly be silent (``planned_answers``)."""
    silent = table[table["unanswered_pct"] > MOST_SILENT]
    if silent.empty:
        text = Text("每一种方案到时都能作出判断。", "Every plan will be able to answer.")
        return CheckResult(name="planned_answers", passed=True, text=text)
    n = f"{count(len(silent))} / {count(len(table))}"
    return CheckResult(
        name="planned_answers",
        passed=False,
        text=Text(
            f"{n} 种方案到时多半无法判断：已开始采用的集群太少。",
            f"{n} plans will mostly be silent: too few clusters have started by then.",
        ),
    )


def check_clusters(table: pd.DataFrame, untreated: int) -> CheckResult:
    """Say whether there are as many untreated clusters as the plans ask for (``planned_clusters``)."""
    most = int((table["treated"] + table["comparison"]).max())
    have, need = count(untreated), count(most)
    if most <= untreated:
        text = Text(f"尚未采用的集群有 {have} 个，够用。", f"{have} clusters are untreated, which is enough.")
        return CheckResult(name="planned_clusters", passed=True, text=text)
    return CheckResult(
        name="planned_clusters",
        passed=None,
        text=Text(
            f"方案最多用 {need} 个集群，尚未采用的有 {have} 个；其余按与现有相像的集群排演。",
            f"Plans use up to {need} clusters, {have} are untreated; the others are played out as alike to those there "
            "are.",
        ),
    )
