"""Rates that take the sampling design seriously: random draws weighted, or all draws post-stratified to the frame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import get_args

import numpy as np
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.panel import Sampling
from qbase.core.periods import PER_YEAR
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.indicators.cells.inspection_window import Rows
from qbase.indicators.cells.product_families import Families, read_families
from qbase.indicators.cells.sampling_design import Design, refuse_output
from qbase.indicators.cells.strata import SUMS, UNKNOWN, build_cells, read_firms, read_frame, read_strata
from qbase.indicators.cells.stratum_weights import Fractions, add_weights, count_firms_once, weighted_rates
from qbase.indicators.sampling.inclusion_chances import check_probabilities, describe_fractions, recorded_share
from qbase.indicators.sampling.output_rates import Outputs, output_rates, read_outputs
from qbase.indicators.sampling.predicted_rates import predicted_rates
from qbase.stats.design.design_intervals import design_interval
from qbase.stats.design.design_tests import UNTESTABLE, compare_draws

NUMERATORS = ("batch", "firm")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """Weighted rates of a window.

    Parameters
    ----------
    data : pandas.DataFrame
        Index (entity, period); for each indicator its rate and companions.
    cells : pandas.DataFrame
        Entity, period, stratum, sampling, n, k, n_firms, top1, top2, and weight (firms one draw stands for).
    indicators : mapping
        Id -> Indicator; its name says how draws were treated.
    tables : tuple of str
        Tables used beside the inspections.
    """

    data: pd.DataFrame
    cells: pd.DataFrame
    indicators: Mapping[str, Indicator]
    tables: tuple[str, ...]


def check_treatment(rows: Rows, measures: Mapping[str, str], sampling: Sampling, design: Design) -> None:
    """Refuse a treatment that does not exist or does not fit the indicators, before anything is counted.

    Raises
    ------
    UsageError
        No such treatment (QB402), or it does not fit the indicator or the entity (QB433); output weights for draws
        as they are, or for single firms (QB436).
    """
    known = get_args(Sampling)
    if sampling not in known:
        raise UsageError(
            "QB402",
            option="sampling",
            value=sampling,
            found=f"sampling={sampling!r}",
            expected=" | ".join(known),
            fix='sampling="random_draw"',
        )
    is_by_output = design.weight == "output"
    if is_by_output and sampling == "naive":
        raise refuse_output('sampling="naive"', 'build_panel(…, "D1.output"), or sampling="random_draw"')
    if is_by_output and rows.entity == "firm_id":
        raise refuse_output('entity="firm_id"', 'entity="cluster_id"')
    if sampling == "naive":
        return
    is_predicted = sampling == "prediction_powered"
    wrong = [i for i, m in measures.items() if m not in NUMERATORS or (is_predicted and m != "batch")]
    if is_predicted and (wrong or rows.entity != "cluster_id" or is_by_output):
        raise UsageError(
            "QB433", indicator=wrong[0] if wrong else next(iter(measures)), sampling=sampling,
            found=", ".join(wrong) if wrong else f'entity="{rows.entity}", weight="{design.weight}"',
            expected='D1.batch, by cluster, weight="firms"', fix='sampling="random_draw"',
        )  # fmt: skip
    if wrong or (sampling == "post_stratified" and rows.entity == "firm_id"):
        raise UsageError(
            "QB433",
            indicator=wrong[0] if wrong else next(iter(measures)),
            sampling=sampling,
            found=", ".join(wrong) if wrong else 'entity="firm_id"',
            expected="D1.batch | D1.firm, by cluster or town",
            fix='D1.batch with Design(weight="output")'
            if "D1.output" in wrong
            else 'sampling="naive"        (or --sampling naive), or name these apart',
        )


def weigh_rows(
    rows: Rows, indicators: Mapping[str, Indicator], measures: Mapping[str, str], *, sampling: Sampling, design: Design
) -> Weighted | None:
    """Weigh the draws of a window and build rates with effective sample sizes and intervals.

    Random draws: one over ``inclusion_probability`` where the inspection states it (Hájek's ratio), else one over the
    fraction drawn of their risk class, which the frame and the draws of the year give; the name of the indicator says
    which, and that draws are unweighted where neither is on record. Post-stratified: all first inspections, to the
    firms of the frame by risk class and size; see `qbase.stats.design.design_weights` for how strata are merged and
    pooled. Where directed draws of a stratum pass less (or more) often than random ones, the name of the indicator
    says 依赖不可检验假设.

    Parameters
    ----------
    rows : Rows
        The window.
    indicators, measures : mapping
        Id -> Indicator, id -> ``batch`` or ``firm``.
    sampling : {"random_draw", "post_stratified", "prediction_powered"}
        Treatment.
    design : Design
        What the rates describe.

    Returns
    -------
    Weighted or None
        None when nothing counts.

    Raises
    ------
    DataError
        No frame (QB403), firms missing in it (QB431), no class on any inspection (QB432), no output to weigh by
        (QB437), or an inclusion probability that is none (QB438).
    """
    found = read_strata(rows, design)
    if found.empty:
        return None
    check_probabilities(found)
    frame = read_frame(rows, design, found, is_needed=sampling != "random_draw")
    is_random = sampling != "post_stratified"
    whole = found.assign(all_n=found["n"], all_k=found["k"])
    strata = whole.assign(**{c: found[f"random_{c}"] for c in SUMS}) if is_random else whole
    strata, fractions = add_weights(strata, frame, sampling, PER_YEAR["Q"] // PER_YEAR[rows.freq], design.adjust)
    drawn = strata[strata["n"] > 0] if is_random else strata
    if drawn.empty:
        return None
    listed = None
    if design.is_finite_list and frame is not None:
        listed = frame.groupby(["cluster_id", "period"])["firms"].sum()
    families = read_families(rows, found.groupby("period")["n"].sum(), is_random=is_random)
    outputs = read_outputs(rows, design, is_random=is_random) if design.weight == "output" else None
    firms = read_firms(rows, drawn, is_random=is_random)
    labelled = (strata, frame) if sampling == "prediction_powered" else None
    data = pd.concat(
        [_columns(i, drawn, measures[i], listed, families, outputs, firms, labelled) for i in indicators], axis=1
    )
    cells = build_cells(strata)
    is_untestable = sampling == "post_stratified" and _draws_differ(cells)
    how = _treatment(sampling, design, outputs, is_untestable=is_untestable)
    brief = _brief(sampling, design, fractions, is_untestable=is_untestable)
    if is_random:
        how = describe_fractions(fractions, recorded_share(drawn), has_frame=frame is not None) + how
    is_unweighted = is_random and fractions == "unrecorded" and outputs is None
    weight = Text("抽样", "draws") if is_unweighted else _WEIGHT[design.weight]
    return Weighted(
        data=data.sort_index(),
        cells=cells,
        indicators={
            i: describe(x if labelled is None else _unbounded(x), measures[i], weight, how, brief, families)
            for i, x in indicators.items()
        },
        tables=(*(("frame",) if frame is not None else ()), *(("firm_year",) if outputs else ())),
    )


def _columns(
    indicator: str,
    strata: pd.DataFrame,
    numerator: str,
    listed: pd.Series | None,
    families: Families,
    outputs: Outputs | None,
    firms: pd.DataFrame | None,
    labelled: tuple[pd.DataFrame, pd.DataFrame | None] | None,
) -> pd.DataFrame:
    if outputs is None:
        rates = weighted_rates(strata, ["entity", "period"], numerator=numerator)
    else:
        rates = output_rates(strata, outputs, numerator=numerator)
    if firms is not None:
        rates = count_firms_once(rates, firms, numerator=numerator)
    rates = rates.assign(n_eff=families.widen(rates))
    if labelled is not None and labelled[1] is not None:
        rates = predicted_rates(rates, labelled[0], labelled[1])
    n_eff = rates["n_eff"]
    if listed is not None:
        clusters = strata[["entity", "period", "cluster_id"]].drop_duplicates()
        on_list = clusters.merge(listed.reset_index(), on=["cluster_id", "period"], how="left")
        size = on_list.groupby(["entity", "period"])["firms"].sum().reindex(rates.index).to_numpy(dtype=float)
        left = np.maximum(1 - rates["n_firms"].to_numpy() / np.maximum(size, 1), 1 / np.maximum(size, 1))
        n_eff = n_eff / left
    low, high = design_interval(rates["rate"].clip(0, 1).to_numpy(), n_eff)
    # a predicted rate may pass 1 by a little; its interval then ends there
    low, high = np.minimum(low, rates["rate"].to_numpy()), np.maximum(high, rates["rate"].to_numpy())
    values = {
        "": 100 * rates["rate"].to_numpy(),
        "__n": rates["n"].to_numpy(dtype=np.int64),
        "__k": rates["k"].to_numpy(dtype=np.int64),
        "__n_firms": rates["n_firms"].to_numpy(dtype=np.int64),
        "__n_eff": n_eff,
        "__lo": 100 * low,
        "__hi": 100 * high,
    }
    return pd.DataFrame({indicator + name: v for name, v in values.items()}, index=rates.index)


_WEIGHT = {"firms": Text("企业数", "firms"), "output": Text("产值", "output")}
AXES = "; numerator × weight: "
_NUMERATOR = {"batch": Text("批次", "batches"), "firm": Text("企业", "firms")}


def _unbounded(indicator: Indicator) -> Indicator:
    """Return an indicator whose value may pass 100 % by a little: cutting it there would bias every mean of cells."""
    return dataclasses.replace(indicator, bounds=(-math.inf, math.inf))


def _draws_differ(cells: pd.DataFrame) -> bool:
    found = compare_draws(cells[cells["stratum"] != UNKNOWN])
    return found is not None and found.differs


def _treatment(sampling: Sampling, design: Design, outputs: Outputs | None, *, is_untestable: bool) -> Text:
    """Return how draws were treated; of random draws what comes after their weights."""
    how = Text("", "")
    if sampling == "prediction_powered":
        how = Text("，按定向批次的预测校正到全部企业", ", corrected by what directed draws predict for all firms")
    if sampling == "post_stratified":
        how = Text("按风险等级和规模事后分层", "post-stratified by risk class and size")
        if design.adjust == "rake":
            how = Text("按风险等级和规模两个边际加权", "raked to the margins of risk class and size")
    if design.is_fixed:
        how = how + Text(
            f"，分类和抽样框固定在 {design.base_year} 年末", f", classes and frame as at the end of {design.base_year}"
        )
    if outputs is not None:
        how = how + Text("；", "; ") + outputs.text
    if is_untestable:
        how = how + Text(f"，{UNTESTABLE.zh}", f"; {UNTESTABLE.en}")
    return how


def _brief(sampling: Sampling, design: Design, fractions: Fractions, *, is_untestable: bool) -> Text:
    """Return the treatment in a word or two, for headlines and axes."""
    how = Text("事后分层", "post-stratified") if design.adjust == "post_stratify" else Text("边际加权", "raked")
    if sampling == "prediction_powered":
        how = Text("双随机加权，定向预测", "weighted random draws, predictions from directed ones")
    if sampling == "random_draw":
        how = Text("双随机加权", "weighted random draws")
        if fractions == "unrecorded":
            how = Text("双随机，未加权", "random draws, unweighted")
    if design.weight == "output":
        how = how + Text("，按产值", ", by output")
    return how + Text(f"，{UNTESTABLE.zh}", f"; {UNTESTABLE.en}") if is_untestable else how


def describe(
    indicator: Indicator, numerator: str, weight: Text, how: Text, brief: Text, families: Families
) -> Indicator:
    """Return the indicator with its treatment in the name and both axes (numerator × weight) in the formula."""
    axes = Text(f"{_NUMERATOR[numerator].zh} × {weight.zh}", f"{_NUMERATOR[numerator].en} × {weight.en}")
    formula = indicator.formula.partition(AXES)[0]
    return dataclasses.replace(
        indicator,
        name=Text(f"{indicator.name.zh}（{how.zh}）", f"{indicator.name.en} ({how.en})"),
        short=Text(f"{indicator.name.zh}（{brief.zh}）", f"{indicator.name.en} ({brief.en})"),
        formula=f"{formula}{AXES}{axes.zh} / {axes.en}; {how.en}; {families.text.en}",
    )
