"""The day of loading, and what claims to have happened after it."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.errors import UsageError
from qbase.tables import Contract

BEIJING = datetime.timezone(datetime.timedelta(hours=8))


def day_of_loading(as_of: str | None = None) -> datetime.date:
    """Return the day of loading where the offices are; ``as_of`` takes its place.

    Raises
    ------
    UsageError
        The day is none (QB342).
    """
    if as_of is None:
        return datetime.datetime.now(BEIJING).date()
    try:
        return datetime.date.fromisoformat(as_of)
    except ValueError:
        raise UsageError("QB342", day=as_of, found=repr(as_of), expected="2026-01-31", fix="as_of") from None


def count_ahead(rows: pa.Table, contract: Contract, today: datetime.date) -> list[str]:
    """Count the observed dates, and quarters not yet begun, after the day of loading.

    Parameters
    ----------
    rows : pyarrow.Table
        Accepted rows, typed.
    contract : Contract
        Says which dates are observed; others, such as the last day of a licence, may lie ahead.
    today : datetime.date
        Day of loading.

    Returns
    -------
    list of str
        ``COLUMN:future_date N``.
    """
    quarter = f"{today.year}Q{(today.month + 2) // 3}"
    told = []
    for column in contract.columns:
        if not column.is_observed:
            continue
        last = today if column.type == "date" else quarter
        count = pc.sum(pc.greater(rows.column(column.name), pa.scalar(last))).as_py()
        if count:
            told.append(f"{column.name}:future_date {count}")
    return told
