"""What is said of periods whose results are still coming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.numbers import count, percent
from qbase.core.periods import code, label
from qbase.core.text import Text, join

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

_WAITING = {
    "n_sampled": Text("在检", "not tested yet"),
    "n_tested": Text("已检未公布", "tested, not published yet"),
    "n_objection": Text("异议处理中", "in objection"),
    "unseen_count": Text("预计尚未报送", "expected, not delivered yet"),
}
ALL_BATCHES = Text(
    "以下界限按全部批次计，不分抽样方式、不加权，图中不列示，不能与上述合格率直接比较——",
    "these bounds count all batches, however drawn and without weights, are not drawn, and do not compare with the "
    "rate above: ",
)


def say_preliminary(
    maturity: Maturity, entity: str | None = None, *, has_bounds: bool = True, is_weighted: bool = False
) -> Text:
    """Say why the last preliminary period gets no verdict: what is pending, and the bounds it leaves open.

    Parameters
    ----------
    maturity : Maturity
        From `read_maturity`.
    entity : str or None
        One entity; None sums over all.
    has_bounds : bool
        Whether the outcome is the batch pass rate, whose bounds belong into the sentence; another gets a short one.
    is_weighted : bool
        Whether the rate beside the sentence follows the sampling design: pending batches have no weight yet, so the
        bounds count all batches, stand in no figure, and say both.

    Returns
    -------
    Text
        Empty when no period is preliminary.

    Examples
    --------
    >>> from qbase.indicators import read_maturity, say_preliminary
    >>> from qbase.lake import open_workspace
    >>> maturity = read_maturity(open_workspace(), first="2025Q3", last="2025Q4", as_of="2026-01-10")
    >>> print(say_preliminary(maturity, "K001").en)
    2025 Q4 is preliminary and gets no verdict: 16 results are pending as of 2026-01-10 (16 tested, not published
    yet); 0.0% if all of these fail, 100.0% if all pass.
    """
    rows = maturity.of(entity)
    young = rows[rows["is_preliminary"]]
    if not len(young):
        return Text("", "")
    last, row = young.index[-1], young.iloc[-1]
    when, pending = label(last), count(int(row["pending_count"]))
    if row["is_under_way"]:
        return Text(
            f"{when.zh}尚未结束（截至 {maturity.as_of}），已有结果标为初步，不作判断。",
            f"{when.en} is not over (as of {maturity.as_of}): what is known is preliminary and gets no verdict.",
        )
    if not has_bounds:
        return Text(f"{when.zh}为初步，不作判断。", f"{when.en} is preliminary and gets no verdict.")
    parts = [
        Text(f"{words.zh} {count(int(row[name]))} 批", f"{count(int(row[name]))} {words.en}")
        for name, words in _WAITING.items()
        if row[name]
    ]
    waiting = join(parts, zh="，", en=", ")
    results = "result is" if pending == "1" else "results are"
    low, high = percent(float(row["low_pct"])), percent(float(row["high_pct"]))
    counted = ALL_BATCHES if is_weighted else Text("", "")
    more = len(young) - 1
    others = Text(
        f"另有 {more} 期同样是初步。", f" {more} more {'period is' if more == 1 else 'periods are'} preliminary."
    )
    return Text(
        f"{when.zh}尚有 {pending} 批结果待定（{waiting.zh}；截至 {maturity.as_of}），标为初步，不作判断："
        f"{counted.zh}待定批次全部不合格为 {low}，全部合格为 {high}。",
        f"{when.en} is preliminary and gets no verdict: {pending} {results} pending as of {maturity.as_of} "
        f"({waiting.en}); {counted.en}{low} if all of these fail, {high} if all pass.",
    ) + (others if more else Text("", ""))


def say_withheld(maturity: Maturity) -> Text:
    """Say how many values of how many entities are preliminary, and in which periods."""
    young = maturity.table[maturity.table["is_preliminary"]]
    periods = pd.PeriodIndex(young.index.get_level_values("period").unique()).sort_values()
    pending, least = count(int(young["pending_count"].sum())), percent(100 * maturity.least_share, 0)
    over = Text("或该期尚未结束", " or the period is not over") if young["is_under_way"].any() else Text("", "")
    span = Text(code(periods[0]), code(periods[0]))
    if len(periods) > 1:
        span = Text(f"{code(periods[0])}～{code(periods[-1])}", f"{code(periods[0])}–{code(periods[-1])}")
    return Text(
        f"{span.zh} 有 {count(len(young))} 个数值为初步数：最终结果不足 {least}{over.zh}，尚有 {pending} 批待定"
        f"（截至 {maturity.as_of}），不作判断。",
        f"{count(len(young))} {'value' if len(young) == 1 else 'values'} of {span.en} preliminary: fewer than {least} "
        f"of the results are final{over.en}, "
        f"{pending} batches are pending (as of {maturity.as_of}); no verdict rests on them.",
    )
