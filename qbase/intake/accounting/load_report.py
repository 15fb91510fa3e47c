"""What happened to one file, in numbers and reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.errors import DataError
from qbase.core.values import freeze
from qbase.intake.accounting.reasons import read_reasons

if TYPE_CHECKING:
    from qbase.lake import Delivery

Verdict = Literal["OK", "WARN", "QUARANTINED", "REJECTED"]
REPEATS = ("duplicate_row", "repeated_row")
"""Rows that the lake holds already, from another file."""
WORST = 3
SHA_SHOWN = 8


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
        Where the rows went, of several tables the one with most rows accepted (items that stood in columns of a
        list of batches are counted after it); empty when rejected.
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
    tables : mapping
        Table -> ``rows_seen listed accepted quarantined reasons sheets`` of a file with several tables, else empty;
        warnings then begin with the table they speak of. Rows of sheets without a table count in the sum alone.

    Examples
    --------
    >>> from qbase.intake import LoadReport
    >>> report = LoadReport(
    ...     file="监督抽查2024.csv", verdict="QUARANTINED", table="inspections",
    ...     rows_seen=1096, listed=1, accepted=1094, quarantined=1, reasons={"header": 1, "sample_date:date": 1},
    ... )
    >>> report.rows_seen - report.listed, report.accepted + report.quarantined
    (1095, 1095)
    >>> report.payload()["reasons"]
    {'header': 1, 'sample_date:date': 1}
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
    tables: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", freeze(self.reasons))
        object.__setattr__(self, "tables", freeze(self.tables))
        if self.error is not None:
            object.__setattr__(self, "error", freeze(self.error))

    @property
    def table_names(self) -> tuple[str, ...]:
        """Tables the rows went to; none when rejected."""
        return tuple(self.tables) or ((self.table,) if self.table else ())

    @property
    def problem(self) -> Mapping[str, str] | None:
        """Payload of the error when rejected, or when no row was accepted (QB227); None when rows are in the lake.

        A file whose rows the lake holds already brings nothing new, and is no problem.
        """
        is_known = not self.quarantined and any(self.reasons.get(reason) for reason in REPEATS)
        if self.error is not None or self.accepted or is_known:
            return self.error
        listed = read_reasons()["listed"]
        aside = [(code, number) for code, number in self.reasons.items() if code not in listed]
        worst = sorted(aside, key=lambda one: -one[1])[:WORST]
        told = ", ".join(f"{code} {number:,}" for code, number in worst)
        return DataError(
            "QB227",
            file=self.file,
            found=f"{self.rows_seen:,} rows seen, {self.quarantined:,} set aside" + (f": {told}" if told else ""),
            expected="at least one row that keeps the contract of its table",
            fix=f"qbase quarantine list {self.sha256[:SHA_SHOWN]}" if self.quarantined else "ask for the file again",
        ).payload()

    def with_warnings(self, found: Sequence[str]) -> LoadReport:
        """Return the report with further warnings; the same report when there are none."""
        if not found:
            return self
        verdict = "WARN" if self.verdict == "OK" else self.verdict
        return dataclasses.replace(self, verdict=verdict, warnings=(*self.warnings, *found))

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON; ``error`` is `problem`, ``tables`` only of a file with several."""
        fields = [field.name for field in dataclasses.fields(self) if field.name != "tables" or self.tables]
        plain = {name: getattr(self, name) for name in fields}
        error = None if self.problem is None else dict(self.problem)
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
        tables=delivery.by_table,
    )
