"""Designs that ship with qbase, and how a design is read from a file."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from qbase.core.errors import DataError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.text import Text
from qbase.scorecards.composite.index_design import WORDS, IndexDesign, Pillar

FOLDER = "qbase.scorecards.composite.designs"
NUMBERS = ("least_entity", "least_indicator")
KEYS = frozenset({
    "id", "declared_on", "zh", "en", "source_zh", "source_en", "root", "pillar", "ranges", "groups", "scale", *WORDS,
    *NUMBERS,
})  # fmt: skip


def list_index_designs() -> list[str]:
    """Return the ids of the designs that ship with qbase.

    Examples
    --------
    >>> from qbase.scorecards import list_index_designs
    >>> list_index_designs()
    ['cluster_quality']
    """
    return sorted(f.name.removesuffix(".toml") for f in resources.files(FOLDER).iterdir() if f.name.endswith(".toml"))


@functools.cache
def read_index_design(design_id: str) -> IndexDesign:
    """Read the design of an index.

    Raises
    ------
    UsageError
        There is none of that id (QB666).
    DataError
        Its file is incomplete or says what nothing reads (QB667).

    Examples
    --------
    >>> from qbase.scorecards import read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> design.name.en, design.declared_on, len(design.indicators), design.weighting
    ('cluster quality index', '2026-11-30', 10, 'equal')
    """
    known = list_index_designs()
    if design_id not in known:
        raise UsageError(
            "QB666", design=design_id, found=repr(design_id), expected=" | ".join(known),
            fix=suggest_names(design_id, known),
        )  # fmt: skip
    text = resources.files(FOLDER).joinpath(f"{design_id}.toml").read_text(encoding="utf-8")
    return parse_index_design(tomllib.loads(text), name=design_id)


def parse_index_design(raw: Mapping[str, Any], *, name: str) -> IndexDesign:
    """Turn the content of a design's file into a design.

    Parameters
    ----------
    raw : mapping
        ``id declared_on zh en source_zh source_en``, ``root`` (part -> weight) and ``[[pillar]]`` with ``id zh en
        parts``; what else `IndexDesign` takes under its own name.
    name : str
        For errors.

    Raises
    ------
    DataError
        A key is missing, unknown or of the wrong kind (QB667).
    UsageError
        As `IndexDesign` (QB660, QB661, QB144, QB148).

    Examples
    --------
    >>> from qbase.scorecards import parse_index_design
    >>> words = {"zh": "指数", "en": "index", "source_zh": "镇质量办", "source_en": "quality office"}
    >>> raw = {"id": "own", "declared_on": "2024-02-01", **words, "root": {"D1.batch": 2, "D2.firms": 1}}
    >>> parse_index_design(raw, name="own").indicators
    ('D1.batch', 'D2.firms')
    """
    try:
        unknown = sorted(set(raw) - KEYS)
        if unknown:
            raise ValueError(f"{unknown[0]} is not read; {suggest_names(unknown[0], KEYS)}")
        title = Text(raw["zh"], raw["en"])
        below = tuple(Pillar(id=p["id"], name=Text(p["zh"], p["en"]), parts=p["parts"]) for p in raw.get("pillar", ()))
        options: dict[str, Any] = {word: raw[word] for word in (*WORDS, "groups") if word in raw}
        options |= {number: float(raw[number]) for number in NUMBERS if number in raw}
        if "scale" in raw:
            options["scale"] = (float(raw["scale"][0]), float(raw["scale"][1]))
        return IndexDesign(
            id=raw["id"],
            name=title,
            pillars=(Pillar(id=f"{raw['id']}.index", name=title, parts=raw["root"]), *below),
            source=Text(raw["source_zh"], raw["source_en"]),
            declared_on=str(raw["declared_on"]),
            ranges={i: (float(ends[0]), float(ends[1])) for i, ends in raw.get("ranges", {}).items()},
            **options,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise DataError(
            "QB667", design=name, found=f"{type(problem).__name__}: {problem}",
            expected="id, declared_on, zh, en, source_zh, source_en, root; per pillar: id, zh, en, parts",
            fix=f"complete {name}.toml",
        ) from problem  # fmt: skip
