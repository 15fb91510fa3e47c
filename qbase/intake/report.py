"""What happened to one file, in numbers and reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.values import freeze

if TYPE_CHECKING:
    from qbase.lake import Delivery

Verdict = Literal["OK", "WARN", "QUARANTINED", "REJECTED"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadReport:
    """The accounting of one file; ``rows_seen = listed + accepted + quarantined``, always.

    Parameters
    ----------
    file : str
        Name as received, without folders.
    sha256 : str
        Of the bytes received; empty when the file could not be read at all.
    verdict : {"OK", "WARN", "QUARANTINED", "REJECTED"}
        WARN: something a reader of the data should know. QUARANTINED: some rows were set aside.
        REJECTED: nothing was taken.
    table : str
        Where the rows went; empty when rejected.
    recipe : str
        Recipe that read it; ``tidy`` where the headers alone decided.
    rows_seen, listed, accepted, quarantined : int
        All rows of the file; rows that are no data or repeat others; rows taken; rows set aside.
    reasons : mapping
        Reason code -> number of listed or quarantined rows that have it.
    warnings : tuple of str
        Codes with counts; `explain_reason` says them in words.
    error : mapping or None
        Payload of the error when rejected.
    snapshot : str
        Snapshot of the lake that holds the rows.
    already : bool
        The same bytes were loaded before; the report is that of the first load.
    """

    file: str
    verdict: Verdict
    sha256: str = ""
    table: str = ""
    recipe: str = ""
    rows_seen: int = 0
    listed: int = 0
    accepted: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None
    snapshot: str = ""
    already: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", freeze(self.reasons))
        if self.error is not None:
            object.__setattr__(self, "error", freeze(self.error))

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        error = None if self.error is None else dict(self.error)
        return {**plain, "reasons": dict(self.reasons), "warnings": list(self.warnings), "error": error}


def report_of(delivery: Delivery, *, snapshot: str, already: bool = False) -> LoadReport:
    """Return the report of a delivery of the ledger."""
    return LoadReport(
        file=delivery.file_name,
        sha256=delivery.sha256,
        verdict=delivery.verdict,
        table=delivery.table,
        recipe=delivery.recipe,
        rows_seen=delivery.rows_seen,
        listed=delivery.listed,
        accepted=delivery.accepted,
        quarantined=delivery.quarantined,
        reasons=delivery.reasons,
        warnings=delivery.warnings,
        snapshot=snapshot,
        already=already,
    )
