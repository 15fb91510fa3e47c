"""Published results and whether ours print the same digits."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.numbers import MINUS, number
from qbase.core.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Key, freeze
from qbase.indicators.suggest import suggest_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrintedEstimate:
    """One estimate as printed; the digits of the strings are the precision claimed."""

    term: str
    value: str
    std_error: str = ""
    key: Mapping[str, Key] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", freeze(self.key))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """A published result.

    Parameters
    ----------
    source : Text
        Where it is printed.
    estimates : tuple of PrintedEstimate
        As printed.
    n_obs : int or None
        Observations, when printed.
    """

    source: Text
    estimates: tuple[PrintedEstimate, ...]
    n_obs: int | None = None


@functools.cache
def _catalogue() -> dict[str, Published]:
    raw = tomllib.loads(resources.files("qbase.effects").joinpath("published.toml").read_text(encoding="utf-8"))
    return {name: _read_entry(entry) for name, entry in raw.items()}


def _read_entry(entry: dict[str, Any]) -> Published:
    return Published(
        source=Text(entry["zh"], entry["en"]),
        n_obs=entry["n_obs"],
        estimates=tuple(_read_estimate(row) for row in entry["estimate"]),
    )


def _read_estimate(row: dict[str, Key]) -> PrintedEstimate:
    key = {name: value for name, value in row.items() if name not in {"term", "value", "std_error"}}
    return PrintedEstimate(
        term=str(row["term"]), value=str(row["value"]), std_error=str(row.get("std_error", "")), key=key
    )


def read_published(name: str) -> Published:
    """Return a published result of the catalogue.

    Parameters
    ----------
    name : str
        ``us_scrap_grants``.

    Raises
    ------
    UsageError
        There is none of that name (QB523).
    """
    catalogue = _catalogue()
    if name not in catalogue:
        raise UsageError(
            "QB523",
            name=name,
            found=repr(name),
            expected=" | ".join(catalogue),
            fix=suggest_names(name, catalogue),
        )
    return catalogue[name]


def check_published(result: Result, published: str | Published) -> CheckResult:
    """Check that estimates round to the digits printed elsewhere.

    Parameters
    ----------
    result : Result
        Ours.
    published : str or Published
        A name of the catalogue, or a result typed in by its user.

    Returns
    -------
    CheckResult
        ``published``; True when every printed digit and the number of observations agree. Its table holds
        what was printed beside what was computed.

    Raises
    ------
    UsageError
        There is no published result of that name (QB523).
    DataError
        The result has no such estimate (QB141).
    """
    reference = read_published(published) if isinstance(published, str) else published
    rows = [row for printed in reference.estimates for row in _compare(result, printed)]
    ours = {result.find(p.term, **p.key).n_obs for p in reference.estimates}
    if reference.n_obs is not None:
        same_n = ours == {reference.n_obs}
        rows.append(("n", str(reference.n_obs), ", ".join(str(n) for n in ours), same_n))
    table = pd.DataFrame(rows, columns=["what", "printed", "computed", "agrees"])
    passed = bool(table["agrees"].all())
    return CheckResult(name="published", passed=passed, text=_text(reference, table, passed), table=table)


def _compare(result: Result, printed: PrintedEstimate) -> list[tuple[str, str, str, bool]]:
    estimate = result.find(printed.term, **printed.key)
    name = printed.term + "".join(f" {k}={v}" for k, v in printed.key.items())
    rows = [(name, *_digits(printed.value, estimate.value))]
    if printed.std_error:
        if estimate.std_error is None:
            raise DataError(
                "QB141", term=name, found="no standard error", expected=printed.std_error, fix="compare values only"
            )
        rows.append((f"{name} std_error", *_digits(printed.std_error, estimate.std_error)))
    return rows


def _digits(printed: str, computed: float) -> tuple[str, str, bool]:
    plain = printed.replace(MINUS, "-")
    decimals = len(plain.partition(".")[2])
    # half a unit of the last printed digit; ties may round either way
    agrees = abs(computed - float(plain)) <= 0.5 * 10**-decimals + 1e-12
    return number(float(plain), decimals), number(computed, decimals), agrees


def _text(reference: Published, table: pd.DataFrame, passed: bool) -> Text:
    source = reference.source
    if passed:
        shown = ", ".join(f"{row.printed}" for row in table.itertuples() if row.what != "n")
        size = "" if reference.n_obs is None else f"; n = {reference.n_obs:,}"
        return Text(
            f"与已发表结果逐位一致（{shown}{size}；{source.zh}）。",
            f"Agrees with the published result to every printed digit ({shown}{size}; {source.en}).",
        )
    off = [f"{row.what}: {row.computed} ≠ {row.printed}" for row in table.itertuples() if not row.agrees]
    listed = join([Text(o, o) for o in off], zh="；", en="; ")
    return Text(
        f"与已发表结果不一致（{listed.zh}；{source.zh}）。",
        f"Differs from the published result ({listed.en}; {source.en}).",
    )
