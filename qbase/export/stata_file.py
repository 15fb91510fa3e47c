"""Files of Stata 14 and later, whose labels are readable in Chinese."""

from __future__ import annotations

import datetime
import io
import numbers
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

MOST_NAME, MOST_LABEL = 32, 80
"""Characters of the name and of the label of a variable."""
MOST_TEXT = 2045
"""Bytes of a text; a longer one becomes a long string."""
FIXED = datetime.datetime(1980, 1, 1)
RESERVED = frozenset(
    {"_all", "_b", "_coef", "_cons", "_n", "_pi", "_pred", "_rc", "_skip", "byte", "double", "float", "if", "in"}
    | {"int", "long", "strL", "using", "with"}
)
DATES = {"Q": "tq", "H": "th", "A": "ty"}


def write_stata(
    frame: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    named: Mapping[str, Mapping[str, str]] | None = None,
    freq: str = "",
    title: str = "",
) -> bytes:
    """Return a frame as a Stata file.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is not written. A column ``period`` is followed by ``time``, a date of Stata, where ``freq`` is given.
    labels : mapping
        Column -> words for it; what has none keeps its own name as label where that had to be changed.
    named : mapping
        Column -> its texts -> words for them: written as numbers with value labels.
    freq : {"Q", "H", "A", ""}
        Of the column ``period``.
    title : str
        Label of the data, 80 characters at most.

    Returns
    -------
    bytes
        The same frame gives the same bytes.

    Examples
    --------
    >>> import io
    >>> import pandas as pd
    >>> from qbase.export import write_stata
    >>> rates = pd.DataFrame({"D1.batch": [93.5], "name": ["K003"]})
    >>> data = write_stata(rates, labels={"D1.batch": "批次合格率"}, named={"name": {"K003": "望埭镇涤纶产业集群"}})
    >>> pd.read_stata(io.BytesIO(data)).values.tolist()
    [[93.5, '望埭镇涤纶产业集群']]
    >>> with pd.io.stata.StataReader(io.BytesIO(data)) as file:
    ...     print(file.variable_labels())
    {'D1_batch': '批次合格率', 'name': 'name'}
    """
    names = legal_names([str(c) for c in frame.columns])
    columns: dict[str, pd.Series] = {}
    dates: dict[Hashable, Any] = {}
    for position, name in enumerate(names):
        column, own = frame.iloc[:, position], str(frame.columns[position])
        columns[name] = _labelled(column, (named or {})[own]) if own in (named or {}) else _plain(column)
        if own == "period" and freq:
            columns["time"] = pd.Series(pd.PeriodIndex(_periods(column, freq)).to_timestamp(), index=frame.index)
            dates["time"] = DATES[freq]
    table = pd.DataFrame(columns, index=frame.index)
    told = {n: (labels or {}).get(str(c), str(c)) for n, c in zip(names, frame.columns, strict=True)}
    if dates:
        told["time"] = "period"
    long = [
        n for n in table if table[n].dtype == object and table[n].map(lambda t: len(t.encode())).gt(MOST_TEXT).any()
    ]
    buffer = io.BytesIO()
    table.to_stata(
        buffer, version=118, write_index=False, convert_dates=dates, convert_strl=long, time_stamp=FIXED,
        variable_labels={n: t[:MOST_LABEL] for n, t in told.items()}, data_label=title[:MOST_LABEL] or None,
    )  # fmt: skip
    return buffer.getvalue()


def legal_names(names: list[str]) -> list[str]:
    """Return names Stata takes: letters, digits and ``_``, 32 characters, each once however capitals are written.

    >>> legal_names(["D1.batch__n", "if", "名称", "2025", "D1_batch__n"])
    ['D1_batch__n', 'if_', '__', '_2025', 'D1_batch__n_2']
    """
    seen: Counter[str] = Counter()
    legal = []
    for name in names:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", name) or "_"
        plain = f"_{plain}" if plain[0].isdigit() else f"{plain}_" if plain in RESERVED else plain
        plain = plain[:MOST_NAME]
        while seen[plain.lower()]:
            tail = f"_{seen[plain.lower()] + 1}"
            seen[plain.lower()] += 1
            plain = plain[: MOST_NAME - len(tail)] + tail
        seen[plain.lower()] += 1
        legal.append(plain)
    return legal


def _periods(column: pd.Series, freq: str) -> list[pd.Period]:
    from qbase.core.periods import parse_period

    return [parse_period(value, freq) for value in column]  # type: ignore[arg-type]


def _labelled(column: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Return a category whose labels are told apart: two entities of one name keep their codes behind it."""
    texts = column.astype(str)
    keys = list(dict.fromkeys(texts))
    times = Counter(words.get(k, k) for k in keys)
    shown = {k: words.get(k, k) if times[words.get(k, k)] == 1 else f"{words.get(k, k)} ({k})" for k in keys}
    return pd.Series(pd.Categorical([shown[t] for t in texts], categories=[shown[k] for k in keys]), index=column.index)


def _plain(column: pd.Series) -> pd.Series:
    """Return a column of a type Stata has: numbers as doubles, yes and no as 1 and 0, dates, else text."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("int8")
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    present = column.dropna()
    if len(present) and present.map(lambda v: isinstance(v, numbers.Real)).all():
        return column.astype("float64")
    # a NUL ends a text of Stata
    return column.astype(object).map(lambda v: "" if pd.isna(v) else str(v).replace("\0", "\ufffd")).astype(object)
