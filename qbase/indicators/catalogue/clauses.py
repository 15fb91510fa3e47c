"""The sentences of the policy text, by id."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import tomllib
from importlib import resources

from qbase.core.errors import UsageError
from qbase.core.values import ReadOnly, freeze


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clause:
    """One sentence of the policy text.

    Parameters
    ----------
    id : str
        Section, part and sentence: ``3.near.2``.
    section : str
        Heading of its section.
    quotation : str
        The sentence, verbatim.
    """

    id: str
    section: str
    quotation: str


@functools.cache
def read_clauses() -> ReadOnly[str, Clause]:
    """Read every sentence of the policy text.

    Returns
    -------
    mapping of str to Clause
        Id -> sentence, in the order of the text.
    """
    raw = tomllib.loads(
        resources.files("qbase.indicators.catalogue").joinpath("clauses.toml").read_text(encoding="utf-8")
    )
    return freeze({entry["id"]: Clause(**entry) for entry in raw["clause"]})


def find_clauses(clause: str) -> tuple[str, ...]:
    """Return the ids a clause stands for: itself, or every sentence below ``5.2`` or ``3``.

    Raises
    ------
    UsageError
        The text has no such clause (QB423).
    """
    clauses = read_clauses()
    found = tuple(c for c in clauses if c == clause or c.startswith(f"{clause}."))
    if not found:
        parts = list(dict.fromkeys(c.rpartition(".")[0] for c in clauses))
        raise UsageError(
            "QB423",
            clause=clause,
            found=repr(clause),
            expected=" | ".join(parts),
            fix=f"qbase indicators --clause {_nearest(clause, [*parts, *clauses])}",
        )
    return found


def _nearest(word: str, known: list[str]) -> str:
    return (difflib.get_close_matches(word, known, n=1) or known)[0]
