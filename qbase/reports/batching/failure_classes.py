"""Which failures are worth another try: those of the machinery, never those of a letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qbase.core.errors import QbaseError

PASSING = frozenset({"QB818", "QB820"})
"""The runner was lost, the kernel did not start. A cell that failed, a limit, a page that does not hold: these would
fail again, and a number that comes at the second try would not be trusted."""

MOST_ATTEMPTS = 3


def is_passing(error: QbaseError | None) -> bool:
    """Whether a run that ended in an error may be tried again."""
    return error is not None and error.code in PASSING
