"""Which results a table or a tile tells to the last word, so that their sentences need not be said again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qbase.core.results.sayable import SayableResult
from qbase.core.text import Text


def told_by_row(results: Iterable[SayableResult]) -> tuple[str, ...]:
    """Return the names of results that one row a spoken estimate tells: those with no words beyond their numbers.

    A result whose sentences add something of their own (labels ``later…`` and ``said[…]``) is to be spoken.
    """
    return tuple(dict.fromkeys(r.name for r in results if not any(_adds(label, r.labels) for label in r.labels)))


def _adds(label: str, labels: Mapping[str, Text]) -> bool:
    """Whether a label is a sentence of its own; the one with the verdict on a term stands in the row as that word."""
    is_verdict = label.startswith("later[") and label.replace("later", "verdict") in labels
    return label.startswith(("later", "said[")) and not is_verdict
