"""What the policy text says beside the lines of the catalogue."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from typing import Any

from qbase.core.lazy import read_once
from qbase.core.text import Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class BesideLine:
    """One thing the text says that no line of the catalogue stands for.

    Parameters
    ----------
    id : str
        ``Z1``.
    name : Text
        What it is about.
    clauses : tuple of str
        Sentences of the policy text.
    words : str
        Words of these sentences, verbatim.
    measures : tuple of str
        Indicators that give a part of it.
    lacking : Text
        Records that no table holds; empty for what can have no number.
    said : Text
        What is stated of it instead of a number; empty for what wants one.
    """

    id: str
    name: Text
    clauses: tuple[str, ...]
    words: str
    measures: tuple[str, ...]
    lacking: Text
    said: Text


@read_once
def read_beside() -> tuple[BesideLine, ...]:
    """Return what the text says beside the catalogue, in the order of the file.

    Examples
    --------
    >>> from qbase.scorecards.bases.beside_lines import read_beside
    >>> [(line.id, line.name.en) for line in read_beside()][:2]
    [('Z1', 'Firms as beneficiaries: costs saved'), ('Z2', 'Firms as beneficiaries: satisfaction')]
    """
    file = resources.files("qbase.scorecards.bases").joinpath("clauses_beside.toml")
    return tuple(map(_line, tomllib.loads(file.read_text(encoding="utf-8"))["row"]))


def _line(raw: dict[str, Any]) -> BesideLine:
    return BesideLine(
        id=raw["id"],
        name=Text(raw["zh"], raw["en"]),
        clauses=tuple(raw["clauses"]),
        words=raw["words"],
        measures=tuple(raw.get("measures", ())),
        lacking=Text(raw.get("lacking_zh", ""), raw.get("lacking_en", "")),
        said=Text(raw.get("said_zh", ""), raw.get("said_en", "")),
    )
