"""Names of checks for readers."""

from __future__ import annotations

from collections.abc import Mapping

from qbase.core.text import Text

CHECKS: Mapping[str, Text] = {
    "parallel_leads": Text("实施前走势", "Periods before adoption"),
    "estimable": Text("能否估计效果", "Whether an effect can be estimated"),
    "enough_clusters": Text("聚类数量", "Number of clusters of the standard error"),
    "small_n": Text("样本量", "Sample size"),
    "same_sampling": Text("抽样方式一致", "Same sampling"),
    "same_entities": Text("对象一致", "Same entities"),
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
    "placebo_rank": Text("安慰剂排名", "Rank among placebos"),
    "rmspe_ratio": Text("前后拟合误差之比", "Errors after against before"),
    "fit_before": Text("政策前的拟合", "Fit before the policy"),
    "donor_weights": Text("对照的构成", "Weights of the donors"),
    "leave_one_donor_out": Text("逐一剔除对照", "Leaving one donor out"),
    "near_optimum": Text("权重是否最优", "Weights at their optimum"),
}
