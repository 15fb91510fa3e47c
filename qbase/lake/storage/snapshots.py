"""What was delivered, and what the lake looked like afterwards."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

from qbase.core.errors import DataError
from qbase.core.values import freeze

Verdict = Literal["OK", "WARN", "QUARANTINED", "REJECTED"]
VERDICTS = ("OK", "WARN", "QUARANTINED", "REJECTED")
EMPTY_SNAPSHOT = "S0000"
DERIVED = "derived"  # recipe of rows that were worked out from others here; no file brought them

_SHA256 = re.compile(r"[0-9a-f]{64}")


def snapshot_id(number: int) -> str:
    """Return the id of a snapshot: ``S0003``."""
    return f"S{number:04d}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The version of every table after one commit of the ledger.

    Parameters
    ----------
    id : str
        ``S0003``; ``S0000`` is the empty lake.
    created_at : str
        ISO with offset; empty for the empty lake.
    versions : mapping
        Table -> version of its Delta log.
    delivery : str
        sha256 of the delivery that made it, the last one where several were committed together; or empty.
    is_new : bool
        The commit that returned it made it; False when the delivery was there before. Does not count in comparisons.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> latest = open_workspace().snapshot()
    >>> latest.versions["clusters"], len(latest.versions)
    (0, 37)
    >>> open_workspace().snapshot("S0000")
    Snapshot(id='S0000', created_at='', versions={}, delivery='')
    """

    id: str = EMPTY_SNAPSHOT
    created_at: str = ""
    versions: Mapping[str, int] = dataclasses.field(default_factory=dict)
    delivery: str = ""
    is_new: bool = dataclasses.field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", freeze(self.versions))

    @property
    def number(self) -> int:
        """Number of the snapshot, 0 for the empty lake."""
        return int(self.id[1:])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivery:
    """One file as received, and the accounting of its rows.

    Parameters
    ----------
    sha256 : str
        Identity of the delivery: of the bytes received, and of what its name decides where the same bytes were loaded
        under a name that decides otherwise.
    file_name : str
        As received, without folders.
    table : str
        Main table it went to; empty when it was rejected.
    recipe : str
        Recipe that read it, or empty.
    producer, licence : str
        Who made it, and under which terms.
    retrieved_on : str
        ISO date, or empty when unknown.
    verdict : {"OK", "WARN", "QUARANTINED", "REJECTED"}
        Outcome of the intake.
    rows_seen, listed, accepted, quarantined : int
        ``rows_seen = listed + accepted + quarantined``, always.
    reasons : mapping
        Reason code -> number of rows.
    warnings : tuple of str
        What a reader of the data should know.
    attempt : int
        1, or more when the same bytes were read again after a recipe or a contract was corrected.
    replaces : tuple of str
        sha256 of the deliveries whose rows leave the tables when these come.
    by_table : mapping
        Table -> ``rows_seen listed accepted quarantined reasons sheets`` of a file with several tables, else empty.
        Rows of sheets without a table count in the sum alone.

    Raises
    ------
    DataError
        The counts do not add up (QB225), or sha256 or verdict is none (QB226).

    Examples
    --------
    >>> from qbase.lake import Delivery
    >>> sent = {"sha256": "5c" * 32, "file_name": "监督抽查2024.csv", "table": "inspections", "rows_seen": 1096}
    >>> delivery = Delivery(**sent, verdict="WARN", listed=1, accepted=1094, quarantined=1)
    >>> delivery.accepted, delivery.quarantined
    (1094, 1)
    >>> Delivery(**sent, verdict="OK", listed=1, accepted=1094)
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB225] the rows of 监督抽查2024.csv do not add up
      found     1096 seen, 1 listed + 1094 accepted + 0 quarantined
      expected  seen = listed + accepted + quarantined
      to fix    report the file and the recipe: a row was lost or counted twice
    """

    sha256: str
    file_name: str
    table: str
    verdict: Verdict
    recipe: str = ""
    producer: str = ""
    licence: str = ""
    retrieved_on: str = ""
    rows_seen: int = 0
    listed: int = 0
    accepted: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    attempt: int = 1
    replaces: tuple[str, ...] = ()
    by_table: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", freeze(self.reasons))
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "replaces", tuple(self.replaces))
        object.__setattr__(self, "by_table", freeze(self.by_table))
        counts = (self.rows_seen, self.listed, self.accepted, self.quarantined)
        if min(counts) < 0 or self.rows_seen != self.listed + self.accepted + self.quarantined:
            raise DataError(
                "QB225",
                file=self.file_name,
                found="{} seen, {} listed + {} accepted + {} quarantined".format(*counts),
                expected="seen = listed + accepted + quarantined",
                fix="report the file and the recipe: a row was lost or counted twice",
            )
        if not _SHA256.fullmatch(self.sha256) or self.verdict not in VERDICTS:
            raise DataError(
                "QB226",
                file=self.file_name,
                found=f"sha256 {self.sha256!r}, verdict {self.verdict!r}",
                expected="64 hexadecimal digits; " + " | ".join(VERDICTS),
                fix="store the file with Workspace.store_raw and take its sha256",
            )
