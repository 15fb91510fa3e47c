"""Why a firm is on a list, in words a visitor can check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.shown.english_names import name_text
from qbase.core.text import Text
from qbase.stats.regression.ridge_logit import RidgeLogit
from qbase.trends.watching.firm_features import GROUPS, Features

LEAST_PART = 0.05
"""Log odds: what adds less is no reason."""

MOST_REASONS = 3

SIZES = {
    "large": Text("大型企业", "large firm"),
    "medium": Text("中型企业", "medium firm"),
    "small": Text("小型企业", "small firm"),
    "micro": Text("微型企业", "micro firm"),
}
PLAIN = Text("各项均接近平均", "close to the average in everything")


def say_reasons(features: Features, model: RidgeLogit, chosen: NDArray[np.int64]) -> list[Text]:
    """Return what raised the risk of each firm chosen, most weighty first.

    Parameters
    ----------
    features : Features
        Of all firms.
    model : RidgeLogit
        Whose parts are summed by group of features.
    chosen : numpy.ndarray of int, shape (m,)
        Rows.

    Returns
    -------
    list of Text
    """
    parts = model.parts(features.x[chosen])
    names = list(dict.fromkeys(features.groups))
    grouped = np.column_stack([parts[:, [g == name for g in features.groups]].sum(axis=1) for name in names])
    facts = features.facts.iloc[chosen]
    return [_say_one(names, row, fact) for row, (_, fact) in zip(grouped, facts.iterrows(), strict=True)]


def _say_one(names: list[str], parts: NDArray[np.float64], fact: pd.Series[Any]) -> Text:
    order = [i for i in np.argsort(-parts, kind="stable") if parts[i] > LEAST_PART]
    said = [text for text in (_say_group(names[i], fact) for i in order) if text is not None][:MOST_REASONS]
    if not said:
        return PLAIN
    return Text("；".join(t.zh for t in said), "; ".join(t.en for t in said))


def _say_group(name: str, fact: pd.Series[Any]) -> Text | None:
    n, failed = int(fact["n_past"]), int(fact["n_failed"])
    if name == "record":
        return Text(f"以往抽查 {n} 批，不合格 {failed} 批", f"{failed} of {n} earlier batches failed") if n else None
    if name == "recent":
        recent = int(fact["n_recent"])
        return Text(f"近一年不合格 {recent} 批", f"{recent} failed within a year") if recent else None
    if name == "items":
        items = int(fact["n_items"])
        return Text(f"以往不合格项目 {items} 项", f"{items} items failed before") if items else None
    if name == "quiet":
        quiet = int(fact["quiet"])
        return Text(f"距上次抽查 {quiet} 个季度", f"last drawn {quiet} quarters ago") if n else None
    if name == "unseen":
        return None if n else Text("从未抽查", "never drawn")
    if name == "young":
        young = Text("成立不满两年", "in business for less than two years")
        return young if fact["is_young"] else Text("成立已满两年", "in business for two years or more")
    if name == "size":
        return SIZES.get(str(fact["size_class"]), GROUPS["size"])
    product = name_text(str(fact["product_name"]))
    return Text(f"产品：{product.zh}", f"product {product.en}") if product.zh else None
