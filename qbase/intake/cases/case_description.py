"""Real cases that ship with a package: what they are, what was published about them."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from importlib import resources
from typing import Any

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.core.values import Indicator


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """A number as it was printed.

    Parameters
    ----------
    term : str
        Name of the regressor in the publication.
    value : float
        As printed.
    digits : int
        Decimals printed.
    source : str
        Author, work, table or example.
    event_time : int or None
        Years since the start of the treatment; None for an average effect.
    std_error : float or None
        As printed; None where none was, or where it rests on random draws.
    method : str
        The estimator, as `Result.settings` or `Result.method` names it; empty where there is one only.
    share : float or None
        Its weight, of a part of a decomposition.

    Examples
    --------
    >>> from qbase.intake import read_case
    >>> number = read_case("us_scrap_grants").published[0]
    >>> number.term, number.value, number.std_error, number.source
    ('grant', -0.252, 0.151, 'Wooldridge, Introductory Econometrics, Example 14.1')
    """

    term: str
    value: float
    digits: int
    source: str
    event_time: int | None = None
    std_error: float | None = None
    method: str = ""
    share: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A real data set with a known answer.

    Parameters
    ----------
    name : str
        Handle: ``us_scrap_grants``.
    title, description : Text
        For readers.
    table : str
        Table of the lake the loader writes.
    entity, period : str
        Columns of the table.
    freq : {"A", "Q"}
        Frequency of the period.
    outcome : Indicator
        What is measured.
    outcome_column : str
        Column of the table that holds it; empty cells are missing values.
    adoption_column : str
        Column with the first treated period; empty for the never treated.
    event_times : tuple of int
        Periods since adoption of the published specification.
    labels : tuple of Text
        One label per event time, in the same order.
    treated : Text
        The treated in words.
    published : tuple of PublishedNumber
        The published answer.
    n_obs : int
        Observations behind the published answer.
    producer, licence : str
        Who made the data, and the terms.

    Examples
    --------
    >>> from qbase.intake import read_case
    >>> case = read_case("us_scrap_grants")
    >>> case.outcome.name.zh, case.entity, case.period, case.n_obs
    ('废品率对数', 'firm_id', 'year', 162)
    """

    name: str
    title: Text
    description: Text
    table: str
    entity: str
    period: str
    freq: str
    outcome: Indicator
    outcome_column: str
    adoption_column: str
    event_times: tuple[int, ...]
    labels: tuple[Text, ...]
    treated: Text
    published: tuple[PublishedNumber, ...]
    n_obs: int
    producer: str
    licence: str


def list_cases() -> list[str]:
    """Return the names of the cases that ship with qbase.

    Examples
    --------
    >>> from qbase.intake import list_cases
    >>> list_cases()
    ['us_castle_doctrine', 'us_prop99', 'us_scrap_grants']
    """
    folder = resources.files("qbase.intake.cases")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def read_case(name: str) -> Case:
    """Read the description of a case; no data are touched.

    Parameters
    ----------
    name : str
        One of `list_cases`.

    Returns
    -------
    Case
        Frozen description.

    Raises
    ------
    UsageError
        There is no such case (QB301).

    Examples
    --------
    >>> from qbase.intake import read_case
    >>> print(read_case("us_scrap_grants").title.en)
    Job-training grants and scrap rates of Michigan firms
    """
    raw = read_case_file(name)
    outcome = raw["outcome"]
    return Case(
        name=raw["name"],
        title=_text(raw["title"]),
        description=_text(raw["description"]),
        table=raw["table"],
        entity=raw["entity"],
        period=raw["period"],
        freq=raw["freq"],
        outcome=Indicator(
            id=outcome["id"],
            name=_text(outcome),
            unit=outcome["unit"],
            better=outcome["better"],
            formula=outcome["formula"],
        ),
        outcome_column=outcome["column"],
        adoption_column=raw["adoption"]["column"],
        event_times=tuple(raw["event_times"]),
        labels=tuple(_text(label) for label in raw["label"]),
        treated=_text(raw["treated"]),
        published=tuple(PublishedNumber(**number) for number in raw["published"]),
        n_obs=raw["n_obs"],
        producer=raw["producer"],
        licence=raw["licence"],
    )


@functools.cache
def read_case_file(name: str) -> dict[str, Any]:
    """Read the TOML file of a case.

    Raises
    ------
    UsageError
        There is no such case (QB301).
    """
    if name not in list_cases():
        raise UsageError(
            "QB301",
            name=name,
            found=name,
            expected=", ".join(list_cases()),
            fix=f'load_case(workspace, "{list_cases()[0]}")',
        )
    file = resources.files("qbase.intake.cases") / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _text(raw: dict[str, Any]) -> Text:
    return Text(raw["zh"], raw["en"])
