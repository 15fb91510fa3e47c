"""One file that was received and waits for its verdict."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib

from qbase.intake.accounting.loading_day import day_of_loading
from qbase.intake.reading.raw_grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Received:
    """One file to judge.

    Parameters
    ----------
    name, sha256 : str
        As received, and the hash of its bytes.
    stored : Path
        Where the bytes lie.
    grids : list of Grid or None
        What is in it, when it was read already.
    replaces : tuple of str
        Deliveries whose rows it takes the place of.
    attempt : int
        1, or more when it is read again.
    today : datetime.date
        Day of loading.
    """

    name: str
    sha256: str
    stored: pathlib.Path
    grids: list[Grid] | None = None
    replaces: tuple[str, ...] = ()
    attempt: int = 1
    today: datetime.date = dataclasses.field(default_factory=day_of_loading)
