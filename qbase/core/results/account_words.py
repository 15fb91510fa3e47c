"""How many of the records on record results stand on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.coverage import UNKNOWN_COVERAGE, Coverage
from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.core.values import Estimate, Source

RECORDS = frozenset({"inspections"})
"""Tables of single records: what is made from them says how many of them count."""


def say_account(
    name: str, coverage: Coverage | None, sources: Sequence[Source], estimates: Sequence[Estimate]
) -> Text | None:
    """Return the account of a value in words; None where everything was counted.

    Raises
    ------
    DataError
        It was made from records of the lake and does not say how many of them (QB147).
    """
    if coverage is not None:
        return coverage.say()
    if estimates and all(e.uncertainty == "none_full_count" for e in estimates):
        return None
    if any(s.path in RECORDS and s.snapshot for s in sources):
        raise DataError(
            "QB147",
            name=name,
            found=f"{name} from {', '.join(s.path for s in sources)}, without coverage",
            expected="Result(…, coverage=panel.coverage_of(outcome))",
            fix="estimate from the panel of build_panel; Panel.from_frame(…, coverage=panel.coverage) keeps it",
        )
    return UNKNOWN_COVERAGE if estimates else None
