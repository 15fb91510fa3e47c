"""Series that get no further deliveries: their age is judged on the day they were closed, not today.

``data/closed_series.toml`` names their producers. A finished study, an archive and the demo are such series; without
the file a check of them would fail for ever, and whoever reads it would stop reading it.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import tomllib
from collections.abc import Iterable

from qbase.core.errors import DataError
from qbase.core.whole_files import write_atomic
from qbase.lake import Workspace

FILE = pathlib.PurePath("data", "closed_series.toml")
HEAD = """\
# 不再有新送达的数据系列：qbase check 按这里的日期判断新旧，不按今天。混有其他来源的表按今天判断。
# Series that get no further deliveries: qbase check judges their age on this day, not today. A table that also holds
# deliveries of other producers is judged today.
"""


def close_series(workspace: Workspace, producer: str, as_of: str) -> pathlib.Path:
    """Write down that a producer sends no more, so that the age of its tables is judged on one day.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    producer : str
        As its deliveries name it.
    as_of : str
        ISO date; a day written before is replaced.

    Returns
    -------
    Path
        The file, which may be edited by hand.

    Raises
    ------
    DataError
        The file is there and cannot be understood (QB229).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.intake import close_series
    >>> from qbase.lake import Workspace
    >>> path = close_series(Workspace.create(tempfile.mkdtemp()), "某课题组 / a study", "2024-12-31")
    >>> path.read_text(encoding="utf-8").splitlines()[-3:]
    ['[[series]]', 'producer = "某课题组 / a study"', 'as_of = 2024-12-31']
    """
    days = read_closed(workspace) | {producer: datetime.date.fromisoformat(as_of)}
    entries = [
        f"\n[[series]]\nproducer = {json.dumps(name, ensure_ascii=False)}\nas_of = {day.isoformat()}\n"
        for name, day in days.items()
    ]
    path = workspace.root / FILE
    write_atomic(path, HEAD + "".join(entries))
    return path


def read_closed(workspace: Workspace) -> dict[str, datetime.date]:
    """Return producer -> day on which its series was closed.

    Raises
    ------
    DataError
        The file cannot be understood (QB229).
    """
    path = workspace.root / FILE
    if not path.is_file():
        return {}
    try:
        days = {
            str(one["producer"]): datetime.date.fromisoformat(str(one["as_of"]))
            for one in tomllib.loads(path.read_text(encoding="utf-8"))["series"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "QB229",
            found=f"{FILE.as_posix()}: {type(error).__name__} {error}",
            expected='[[series]] with producer = "…" and as_of = 2024-12-31',
            fix=f"correct or remove {FILE.as_posix()}",
        ) from error
    return days


def find_closing_day(workspace: Workspace, producers: Iterable[str]) -> datetime.date | None:
    """Return the latest day on which the producers of a table were closed; None when one of them still sends.

    Parameters
    ----------
    workspace : Workspace
        Holds the file.
    producers : iterable of str
        Of all deliveries to the table.
    """
    closed, named = read_closed(workspace), set(producers)
    return max(closed[name] for name in named) if named and named <= set(closed) else None
