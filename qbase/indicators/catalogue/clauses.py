"""The sentences of the policy text, by id."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from importlib import resources

from qbase.core.errors import UsageError
from qbase.core.lazy import read_once
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

    Examples
    --------
    >>> from qbase.indicators import read_clauses
    >>> clause = read_clauses()["5.2.2"]
    >>> clause.section, clause.quotation[:30]
    ('五、工作重点', '坚持从源头抓质量,加强质量技术基础工作,提升区域产品的质量保')
    """

    id: str
    section: str
    quotation: str


@read_once
def read_clauses() -> ReadOnly[str, Clause]:
    """Read every sentence of the policy text.

    Returns
    -------
    mapping of str to Clause
        Id -> sentence, in the order of the text.

    Examples
    --------
    >>> from qbase.indicators import read_clauses
    >>> clauses = read_clauses()
    >>> len(clauses), clauses["1.1"].quotation[:36]
    (68, '优质产品生产基地是指产品质量稳定可靠、质量管理和质量控制体系健全、技术工')
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

    Examples
    --------
    >>> from qbase.indicators import find_clauses
    >>> find_clauses("5.2")
    ('5.2.1', '5.2.2', '5.2.3', '5.2.4', '5.2.5', '5.2.6', '5.2.7')
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
