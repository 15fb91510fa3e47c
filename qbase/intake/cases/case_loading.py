"""Load a case: the package's own data file becomes a delivery like any other."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import SetupError
from qbase.intake.accounting.load_report import LoadReport, report_of
from qbase.intake.cases.case_description import read_case, read_case_file
from qbase.intake.cases.case_tables import BUILDERS, read_source
from qbase.lake import Delivery, Workspace


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
    path = _find_file(data)
    sha256, stored = workspace.store_raw(path)
    seen = workspace.deliveries()
    is_known = bool(((seen["sha256"] == sha256) & (seen["verdict"] != "REJECTED")).any())
    rows = read_source(stored.read_bytes(), data)
    table = BUILDERS[name](rows, case, data)
    delivery = Delivery(
        sha256=sha256,
        file_name=path.name,
        table=case.table,
        recipe=case.name,
        producer=f"{case.producer} {importlib.metadata.version(data.get('distribution', data['package']))}",
        licence=case.licence,
        verdict="OK",
        rows_seen=len(rows) + 1,
        listed=1,
        accepted=len(rows),
        reasons={"header": 1},
    )
    snapshot = workspace.commit(delivery, {case.table: table})
    return report_of(delivery, snapshot=snapshot.id, already=is_known)


def _find_file(data: Mapping[str, Any]) -> pathlib.Path:
    """Find the file without importing the package, whose code is of no use here."""
    package, file = data["package"], data["file"]
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        path = pathlib.Path(folder, file)
        if path.is_file():
            return path
    fix = f"pip install qbase[{data['extra']}]" if "extra" in data else f"pip install {package}"
    raise SetupError("QB304", package=package, found="-", expected=f"{package}/{file}", fix=fix)
