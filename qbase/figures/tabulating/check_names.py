"""Names of checks for readers."""

from __future__ import annotations

from collections.abc import Mapping

from qbase.core.results.result import Result, distinct_checks
from qbase.core.text import Text, join, same

CHECKS: Mapping[str, Text] = {
    "parallel_leads": Text("实施前走势", "Periods before adoption"),
    "test_power": Text("检验的把握", "Power of the test"),
    "estimable": Text("能否估计效果", "Whether an effect can be estimated"),
    "enough_clusters": Text("聚类数量", "Number of clusters of the standard error"),
    "small_n": Text("样本量", "Sample size"),
    "same_sampling": Text("抽样方式一致", "Same sampling"),
    "same_entities": Text("对象一致", "Same entities"),
    "within_entities": Text("各对象内部", "Inside the entities"),
    "min_n": Text("样本过少", "Enough for a verdict"),
    "steady_power": Text("判持平的把握", "Power to find it steady"),
    "trend_firms": Text("企业数", "Number of firms"),
    "trend_gaps": Text("缺期", "Gaps in the series"),
    "trend_spread": Text("各期离散", "Spread around the trend"),
    "trend_shape": Text("是否近似直线", "Shape of the trend"),
    "all_entities": Text("对象齐全", "Entities tested"),
    "rows_used": Text("使用的行", "Rows used"),
    "errors_allow_correlation": Text("标准误允许前后相关", "Errors may be alike over time"),
    "staggered_timing": Text("分批实施", "Staggered adoption"),
    "published": Text("与已发表结果对照", "Against the published result"),
    "coverage": Text("数据覆盖", "Coverage of the data"),
    "history": Text("以往年份的合计数", "Totals of earlier years"),
    "up_to_date": Text("最近一期", "Latest period"),
    "maturity": Text("结果是否齐全", "Completeness of the results"),
    "no_anticipation": Text("提前反应", "Anticipation"),
    "accounting": Text("行数核对", "Accounting of rows"),
    "contract": Text("表的契约", "Contract of the table"),
    "freshness": Text("新旧程度", "Age of the data"),
    "identity": Text("企业身份", "Identity of firms"),
    "row_count": Text("行数变化", "Number of rows"),
    "shift": Text("与上期相比", "Against the last period"),
    "headroom": Text("能否判断", "Whether the data can decide"),
    "as_planned": Text("与评价方案一致", "As planned"),
    "decision_date": Text("判断日期", "Dates of decision"),
    "cells_used": Text("使用的数据格", "Cells used"),
    "placebo_in_time": Text("提前假设的政策", "Policy said to come early"),
    "placebo_outcome": Text("政策不应影响的结果", "Outcomes the policy cannot move"),
    "anticipation": Text("提前反应", "Anticipation"),
    "regression_to_mean": Text("选中前的低谷", "Dip at selection"),
    "leave_one_out": Text("逐一剔除", "Leaving one out at a time"),
    "attrition": Text("缺失是否随政策改变", "Missing outcomes and the policy"),
    "same_entities_effect": Text("始终有结果的主体", "Entities seen throughout"),
    "serial_correlation": Text("前后各期相关", "Correlation over time"),
    "rush": Text("验收前突击", "Rush before acceptance"),
    "spillover": Text("对邻近者的影响", "Spillover to neighbours"),
    "same_yardstick": Text("尺度一致", "One yardstick"),
    "functional_form": Text("百分点与对数几率", "Points or log-odds"),
    "trend_departures": Text("偏离平行趋势", "Departures from parallel trends"),
    "not_checked": Text("未能做的检查", "Checks that could not be made"),
    "placebo_rank": Text("安慰剂排名", "Rank among placebos"),
    "rmspe_ratio": Text("前后拟合误差之比", "Errors after against before"),
    "fit_before": Text("政策前的拟合", "Fit before the policy"),
    "donor_weights": Text("对照的构成", "Weights of the donors"),
    "leave_one_donor_out": Text("逐一剔除对照", "Leaving one donor out"),
    "recovers_truth": Text("能否还原真值", "Whether the truth is recovered"),
    "common_groups": Text("两期都有的类别", "Groups seen in both periods"),
    "group_sizes": Text("各类批次数", "Batches per group"),
    "known_groups": Text("类别有记录", "Groups on record"),
    "laboratories_alike": Text("检验机构是否一致", "Laboratories alike"),
    "shared_strata": Text("机构之间可比的批次", "Batches other laboratories are compared on"),
    "all_linked": Text("机构全部可比", "All laboratories compared"),
    "named": Text("机构有记录", "Laboratories on record"),
    "all_alike": Text("数值是否有变化", "Whether values vary"),
    "date_inside": Text("断点日期在数据之内", "Date of the break inside the series"),
    "dispersion": Text("离散程度", "Dispersion"),
    "enough_peers": Text("同类数量", "Number of peers"),
    "independence": Text("各期互不相关", "Periods independent"),
    "order_seen": Text("能否排位次", "Whether an order can be seen"),
    "phase_length": Text("阶段长度", "Length of the phases"),
    "same_drawing": Text("各对象抽样方式一致", "Entities drawn alike"),
    "small_n_limits": Text("界限是否可用", "Whether limits can be used"),
    "constant_rate": Text("合格率是否始终如一", "One rate all along"),
    "level_gap": Text("各级抽查的不合格率", "Failures by level of the inspection"),
    "repeated_clean": Text("双随机与一贯合格的企业", "Random draws and firms without failures"),
    "dropped_items": Text("不合格后少检的项目", "Items dropped after failures"),
    "switched_laboratory": Text("不合格后更换检验机构", "Laboratories changed after failures"),
    "laboratory_mix": Text("各年检验机构的份额", "Shares of laboratories by year"),
    "bunching": Text("合格率恰在目标之上", "Rates just above the target"),
    "missing_numbers": Text("抽样编号缺号", "Missing numbers of samples"),
    "same_scheme": Text("评价办法一致", "One grading scheme"),
    "one_grade": Text("一年一个等级", "One grade a year"),
    "looks": Text("逐期查看", "Repeated looks"),
    "power": Text("发现变化的把握", "Chance of finding a change"),
    "gain": Text("名单是否更准", "Whether the list finds more"),
    "plan": Text("现行风险等级有记录", "Risk classes on record"),
    "calibration": Text("各类企业是否估得准", "Calibration by group"),
    "planned_size": Text("将来的推断会不会误报", "Size of the inference to come"),
    "planned_answers": Text("到时能否作出判断", "Whether plans will answer"),
    "planned_clusters": Text("集群够不够", "Clusters there are for the plan"),
    "frontier_strata": Text("各层是否都抽得到", "A draw in each stratum"),
    "weights": Text("抽样权数", "Weights of the draws"),
    "features": Text("用了哪些特征", "Features used"),
    "no_comparison": Text("有没有比较对象", "Comparison group"),
    "near_optimum": Text("权重是否最优", "Weights at their optimum"),
    "doubt_carried": Text("数值是否带误差", "Values that carry a doubt"),
    "screened": Text("因缺数剔除", "Left out for want of data"),
    "gaps": Text("缺失值", "Missing values"),
    "entropy_weights": Text("熵权", "Entropy weights"),
    "no_effect": Text("并列而非效果", "Side by side, no effect"),
    "plan_recorded": Text("计划台账", "Plans on record"),
}


def check_name(name: str) -> Text:
    """Return what a check is called."""
    return CHECKS.get(name, same(name.replace("_", " ")))


def failed_note(*results: Result) -> list[Text]:
    """Name the checks that did not pass in one sentence; what each found is said once, in the conclusion."""
    names = {c.name: check_name(c.name) for c in distinct_checks(*results) if c.passed is False}
    if not names:
        return []
    return [
        Text("未通过的检查：{names}。", "Checks that did not pass: {names}.").format(
            names=join([Text(n.zh, n.en[:1].lower() + n.en[1:]) for n in names.values()], zh="、", en=", ")
        )
    ]
