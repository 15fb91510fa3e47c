"""The catalogue of indicators: one definition for SQL, labels, axes and tables."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.core.values import Indicator, ReadOnly, freeze
from qbase.indicators.suggest import suggest_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """An indicator and the measure that computes it.

    Parameters
    ----------
    indicator : Indicator
        What it is.
    measure : str
        Stem of a file in ``measures/``.
    """

    indicator: Indicator
    measure: str


@functools.cache
def read_catalogue() -> ReadOnly[str, Measured]:
    """Read the catalogue.

    Returns
    -------
    mapping of str to Measured
        Id -> definition and measure, in the order of the file.
    """
    raw = tomllib.loads(resources.files("qbase.indicators").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return freeze({entry["id"]: _measured(entry) for entry in raw["indicator"]})


def _measured(entry: Mapping[str, Any]) -> Measured:
    return Measured(
        measure=entry["measure"],
        indicator=Indicator(
            id=entry["id"],
            clause=entry["clause"],
            name=Text(entry["zh"], entry["en"]),
            unit=entry["unit"],
            better=entry["better"],
            role=entry["role"],
            formula=entry["formula"],
        ),
    )


def find_indicator(indicator_id: str) -> Measured:
    """Return an indicator by its id.

    Parameters
    ----------
    indicator_id : str
        ``D1.batch``.

    Raises
    ------
    UsageError
        The catalogue has none of that id (QB401).
    """
    catalogue = read_catalogue()
    if indicator_id not in catalogue:
        raise UsageError(
            "QB401",
            indicator=indicator_id,
            found=repr(indicator_id),
            expected=" | ".join(catalogue),
            fix=suggest_names(indicator_id, catalogue),
        )
    return catalogue[indicator_id]


@functools.cache
def read_sql(stem: str) -> str:
    """Return a SQL file of ``measures/``."""
    return resources.files("qbase.indicators.measures").joinpath(f"{stem}.sql").read_text(encoding="utf-8")
