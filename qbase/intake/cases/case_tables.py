"""What a case's own file becomes: one builder a case, each of which checks that the data are the published ones."""

from __future__ import annotations

import bz2
import csv
import io
import math
from collections.abc import Callable
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa

from qbase.core.errors import DataError
from qbase.intake.cases.case_description import Case

EQUAL = 1e-6  # the packages store logarithms in single precision
Rows = list[dict[str, str]]


def read_source(content: bytes, data: dict[str, Any]) -> Rows:
    """Read a case's file as text, by column.

    Parameters
    ----------
    content : bytes
        The file.
    data : dict
        ``[data]`` of the case file: ``form`` (``csv.bz2``, ``csv`` or ``dta``), ``separator``, ``columns``.
    """
    if data["form"] == "dta":
        frame = pd.read_stata(io.BytesIO(content), columns=list(data["columns"].values()), convert_categoricals=False)
        return [{str(k): "" if pd.isna(v) else repr(v.item()) for k, v in row.items()} for row in _records(frame)]
    text = (bz2.decompress(content) if data["form"] == "csv.bz2" else content).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=data.get("separator", ",")))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): list(frame[name].to_numpy()) for name in frame.columns}
    return [{name: values[i] for name, values in columns.items()} for i in range(len(frame))]


def build_scrap_grants(rows: list[dict[str, str]], case: Case, data: dict[str, Any]) -> pa.Table:
    """Build the table of the scrap-grants case and check it against what was published.

    The source's ``grant`` is 1 in the year of the award only; the first such year makes it absorbing. Its lag is
    missing in 1987, when nobody had a grant yet; with event times no lag is needed.

    Parameters
    ----------
    rows : list of dict
        The source, as text.
    case : Case
        Description.
    data : dict
        ``[data]`` of the case file: names of the source's columns, expected rows.

    Returns
    -------
    pyarrow.Table
        ``firm_id, year, scrap, log_scrap, has_grant_award, first_grant_year``, one row per firm and year.

    Raises
    ------
    DataError
        Rows, observations or values are not the published ones (QB305).
    """
    name = data["columns"]
    keys = [(str(int(float(row[name["firm"]]))), int(row[name["year"]])) for row in rows]
    has_award = [row[name["grant"]] == "1" for row in rows]
    scrap = [_number(row[name["scrap"]]) for row in rows]
    log_scrap = [_number(row[name["log_scrap"]]) for row in rows]
    first = {firm: year for (firm, year), given in sorted(zip(keys, has_award, strict=True), reverse=True) if given}
    n_obs = sum(value is not None for value in log_scrap)
    found = f"{len(rows)} rows, {len(set(keys))} firm-years, {n_obs} observations"
    if (len(rows), len(set(keys)), n_obs) != (data["rows"], data["rows"], case.n_obs):
        _refuse(case, data, found, f"{data['rows']} rows, {data['rows']} firm-years, {case.n_obs} observations")
    for value, log_value in zip(scrap, log_scrap, strict=True):
        if (value is None) != (log_value is None) or (
            value is not None and log_value is not None and abs(math.log(value) - log_value) > EQUAL
        ):
            _refuse(case, data, f"scrap {value}, log {log_value}", "log = ln(scrap)")
    return pa.table(
        {
            case.entity: pa.array([firm for firm, _ in keys], pa.string()),
            case.period: pa.array([year for _, year in keys], pa.int64()),
            "scrap": pa.array(scrap, pa.float64()),
            case.outcome_column: pa.array(log_scrap, pa.float64()),
            "has_grant_award": pa.array(has_award, pa.bool_()),
            case.adoption_column: pa.array([first.get(firm) for firm, _ in keys], pa.int64()),
        }
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def build_prop99(rows: Rows, case: Case, data: dict[str, Any]) -> pa.Table:
    """Build the table of the Proposition 99 case.

    Returns
    -------
    pyarrow.Table
        ``state, year, packs_per_head, first_treated_year``, one row per state and year.

    Raises
    ------
    DataError
        Rows or the treated are not the published ones (QB305).
    """
    name = data["columns"]
    keys = [(row[name["state"]], int(row[name["year"]])) for row in rows]
    first = _first(keys, [row[name["treated"]] == "1" for row in rows])
    _check_size(case, data, keys, first)
    return pa.table(
        {
            case.entity: pa.array([state for state, _ in keys], pa.string()),
            case.period: pa.array([year for _, year in keys], pa.int64()),
            case.outcome_column: pa.array([float(row[name["packs"]]) for row in rows], pa.float64()),
            case.adoption_column: pa.array([first.get(state) for state, _ in keys], pa.int64()),
        }
    )


def build_castle_doctrine(rows: Rows, case: Case, data: dict[str, Any]) -> pa.Table:
    """Build the table of the castle-doctrine case.

    The source's ``post`` is 1 from the first whole year under the law; the published decomposition counts from the
    year in which the law came into force, one year before.

    Returns
    -------
    pyarrow.Table
        ``state_id, year, homicide, log_homicide, first_law_year``, one row per state and year.

    Raises
    ------
    DataError
        Rows, the treated or values are not the published ones (QB305).
    """
    name = data["columns"]
    keys = [(str(int(row[name["state"]])), int(row[name["year"]])) for row in rows]
    whole_year = _first(keys, [row[name["after"]] == "1" for row in rows])
    _check_size(case, data, keys, whole_year)
    homicide, log_homicide = ([float(row[name[what]]) for row in rows] for what in ("homicide", "log_homicide"))
    for value, log_value in zip(homicide, log_homicide, strict=True):
        if abs(math.log(value) - log_value) > EQUAL:
            _refuse(case, data, f"homicide {value}, log {log_value}", "log = ln(homicide)")
    return pa.table(
        {
            case.entity: pa.array([state for state, _ in keys], pa.string()),
            case.period: pa.array([year for _, year in keys], pa.int64()),
            "homicide": pa.array(homicide, pa.float64()),
            case.outcome_column: pa.array(log_homicide, pa.float64()),
            case.adoption_column: pa.array(
                [whole_year[state] - 1 if state in whole_year else None for state, _ in keys], pa.int64()
            ),
        }
    )


BUILDERS: dict[str, Callable[[Rows, Case, dict[str, Any]], pa.Table]] = {
    "us_castle_doctrine": build_castle_doctrine,
    "us_prop99": build_prop99,
    "us_scrap_grants": build_scrap_grants,
}


def _first(keys: list[tuple[str, int]], is_treated: list[bool]) -> dict[str, int]:
    ordered = sorted(zip(keys, is_treated, strict=True), reverse=True)
    return {entity: year for (entity, year), treated in ordered if treated}


def _check_size(case: Case, data: dict[str, Any], keys: list[tuple[str, int]], first: dict[str, int]) -> None:
    found = (len(keys), len(set(keys)), len(first))
    if found != (data["rows"], data["rows"], data["treated"]):
        _refuse(
            case,
            data,
            f"{found[0]} rows, {found[1]} entity-years, {found[2]} treated",
            f"{data['rows']} rows, {data['rows']} entity-years, {data['treated']} treated",
        )


def _refuse(case: Case, data: dict[str, Any], found: str, expected: str) -> NoReturn:
    raise DataError("QB305", name=case.name, found=found, expected=expected, fix=str(data["pinned"]))
