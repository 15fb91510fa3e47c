"""What fails: test items by product and severity, as shares of the batches in which they were tested."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, cast

import pandas as pd

from qbase.core.numbers import count, interval, level_text, percent
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR, code, parse_period
from qbase.core.results.result import Result
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator, Key
from qbase.indicators.cells.group_factors import ENTITY_NAMES
from qbase.indicators.cells.inspection_window import open_rows
from qbase.stats.rates.wilson import wilson_interval

if TYPE_CHECKING:
    from qbase.indicators.cells.window_sql import Entity
    from qbase.lake import Workspace

FAILED_ITEMS = Indicator(
    id="D1.items",
    name=Text("单项不合格率", "share of tested batches in which an item failed"),
    unit="pct",
    better="down",
    formula="batches in which the item failed / batches of the product in which it was tested, first inspections",
)
PICKED = Text(
    "这些项目因不合格最多而列出：挑出来的最高值，下一期往往回落。",
    "These items are listed because they failed most: a figure picked for being high tends to be lower next time.",
)
ALIKE = Text(
    "各批视为相互独立；同一企业多批时区间偏窄。",
    "Batches are taken as independent: the intervals are too narrow where one firm has several.",
)
NO_ITEMS = Text("没有检验项目明细", "no items are on record")
NO_FAILURE = Text("没有不合格项目", "no item failed")
COLUMNS = ["product", "item", "is_label", "n", "k", "n_firms"]


def read_failed_items(
    workspace: Workspace,
    panel: Panel,
    *,
    subject: str | None = None,
    members: Collection[str] | None = None,
    period: str | pd.Period | None = None,
    most: int = 6,
    level: float = 0.95,
) -> Result:
    """Read which test items failed most in the four quarters (or the year) up to a period.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and items.
    panel : Panel
        Of `build_panel`: the entities, the snapshot and the periods.
    subject : str or None
        An entity of the panel; None takes all together.
    members : collection of str or None
        Ids whose batches are added up under the subject, such as the towns of a county; None is the subject itself.
    period : str, pandas.Period or None
        The last quarter (or year) counted; None is the last one of the panel.
    most : int
        Rows with an estimate of their own.
    level : float
        Confidence level of Wilson's intervals.

    Returns
    -------
    Result
        Estimand ``level`` in percent, term ``rate`` with keys ``period``, ``product`` and ``item``. Items that failed
        beyond the label come first, then those of labels and instructions; within each the ones that failed in most
        batches. Table ``items``: product, item, is_label, n (batches tested), k (batches failed), n_firms (firms with
        such a failure), rate_pct, ci_low, ci_high of every item that failed; no firm is named. Without an answer where
        items were not loaded, none was tested or none failed.

    Raises
    ------
    UsageError
        A period that is none (QB101).
    DataError
        A table is missing (QB403).

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_failed_items
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> found = read_failed_items(workspace, build_panel(workspace, "D1.batch"), subject="K001", most=1)
    >>> found.tables["items"][["is_label", "n", "k", "n_firms"]].head(1).to_dict("records")
    [{'is_label': False, 'n': 36, 'k': 8, 'n_firms': 6}]
    """
    freq, entity = panel.freq, cast("Entity", panel.entity)
    last = panel.periods[-1] if period is None else parse_period(period, freq)
    first = max(last - (PER_YEAR[freq] - 1), panel.periods[0])
    when = code(last) if first == last else f"{code(first)}–{code(last)}"
    at = workspace.snapshot(panel.snapshot or None)
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=panel.snapshot or None, first=first, last=last)
    kind = ENTITY_NAMES[panel.entity]
    who = Text(f"全部{kind.zh}", f"all {kind.en}s") if subject is None else panel.label(subject)
    if not workspace.has_table("items", at):
        return _silent(panel, who, when, NO_ITEMS, pd.DataFrame(columns=COLUMNS))
    found = rows.query("failed_items", parts={"{more}": "m.sample_no, m.product_name,"})
    own = [subject] if members is None else list(members)
    found = found if subject is None else found[found["entity"].astype(str).isin(own)]
    counted = found.groupby(["product", "item", "is_label"], as_index=False)[["n", "k", "n_firms"]].sum()
    failed = rank_items(counted, level=level)
    if failed.empty:
        return _silent(panel, who, when, NO_ITEMS if counted.empty else NO_FAILURE, failed)
    return Result(
        estimand="level",
        outcome=FAILED_ITEMS,
        unit="pct",
        method="wilson",
        estimates=tuple(_estimate(row, when, subject, level) for row in failed.head(most).itertuples(index=False)),
        subject=who,
        tables={"items": failed},
        notes=(PICKED, ALIKE),
        settings={"entity_kind": panel.entity, "entity": subject, "period": when, "level": level, "most": most},
        sources=(*panel.sources, workspace.source("items", at)),
        labels={"said[rate]": _say_first(failed, who, when, level)},
        coverage=panel.coverage,
    )


def rank_items(counted: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return the items that failed with share and Wilson's interval: beyond the label first, then by failed batches.

    Parameters
    ----------
    counted : pandas.DataFrame
        Columns product, item, is_label, n, k, n_firms.
    level : float
        Confidence level.
    """
    failed = counted[counted["k"] > 0]
    if failed.empty:
        return failed.assign(rate_pct=[], ci_low=[], ci_high=[])
    low, high = wilson_interval(failed["k"], failed["n"], level=level)
    rated = failed.assign(rate_pct=100 * failed["k"] / failed["n"], ci_low=100 * low, ci_high=100 * high)
    order = ["is_label", "k", "rate_pct", "product", "item"]
    return rated.sort_values(order, ascending=[True, False, False, True, True], ignore_index=True)


def _say_first(failed: pd.DataFrame, who: Text, when: str, level: float) -> Text:
    """Return the sentence of the first item: that it is one of so many, and how often it failed."""
    row, shown = failed.iloc[0], level_text(level)
    product, item = name_text(str(row["product"])), name_text(str(row["item"]))
    n, k, share = count(int(row["n"])), count(int(row["k"])), percent(float(row["rate_pct"]))
    ends = interval(float(row["ci_low"]), float(row["ci_high"]))
    return Text(
        f"{when} {who.zh}共有 {count(len(failed))} 个项目不合格，列在首位的是{product.zh}的{item.zh}："
        f"{n} 批中 {k} 批不合格，占 {share}（{shown} CI {ends.zh}）。",
        f"In {when} {count(len(failed))} items failed in {who.en}; first comes {item.en} of {product.en}, in "
        f"{k} of {n} batches: {share} ({shown} CI {ends.en}).",
    )


def _estimate(row: object, when: str, subject: str | None, level: float) -> Estimate:
    key: dict[str, Key] = {"period": when, "product": str(row.product), "item": str(row.item)}  # type: ignore[attr-defined]
    return Estimate(
        term="rate",
        key=key if subject is None else key | {"entity": subject},
        value=float(row.rate_pct),  # type: ignore[attr-defined]
        ci_low=float(row.ci_low),  # type: ignore[attr-defined]
        ci_high=float(row.ci_high),  # type: ignore[attr-defined]
        ci_level=level,
        n_obs=int(row.n),  # type: ignore[attr-defined]
    )


def _silent(panel: Panel, who: Text, when: str, why: Text, items: pd.DataFrame) -> Result:
    return Result(
        estimand="level",
        outcome=FAILED_ITEMS,
        unit="pct",
        method="wilson",
        estimates=(),
        subject=who,
        tables={"items": items},
        settings={"entity_kind": panel.entity, "period": when},
        sources=panel.sources,
        labels={"unanswered": why},
        unanswered=Text(f"{when} {{subject}}：{why.zh}。", f"{{subject}}, {when}: {why.en}."),
        coverage=panel.coverage,
    )
