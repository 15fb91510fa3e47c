"""Rows set aside: list them, send them back as a workbook, read their file again after something was corrected."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.export.people_workbook import write_sheet
from qbase.intake.accounting.reasons import explain_reason
from qbase.intake.linking.after_load import add_links
from qbase.intake.loading.file_loading import take
from qbase.intake.loading.received_file import Received
from qbase.intake.loading.replaced_files import find_delivery
from qbase.intake.loading.stored_rows import SET_ASIDE
from qbase.intake.recipes.questions import with_answers
from qbase.intake.recipes.recipe_book import read_recipe
from qbase.intake.recipes.recipe_model import TIDY
from qbase.intake.recipes.recipe_toml import save_answers
from qbase.intake.shaping.stated_counts import find_own_rules, find_rules, recheck_counts

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.intake.accounting.load_report import LoadReport
    from qbase.lake import Workspace

COLUMNS = ("file_name", "table", "sheet", "row_no", "reasons", "raw", "delivery_sha256")
_SQL = f"SELECT delivery_sha256, sheet, row_no, reasons, raw FROM {SET_ASIDE} WHERE verdict = 'quarantined'"  # noqa: S608
_HEADS = {
    "zh": ("文件", "表", "工作表", "行号", "原因", "代码"),
    "en": ("File", "Table", "Sheet", "Row", "Reason", "Code"),
}


def list_quarantine(workspace: Workspace, delivery: str | None = None) -> pd.DataFrame:
    """Return the rows that are set aside now.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    delivery : str or None
        sha256 of one delivery, or its first eight digits; None lists all.

    Returns
    -------
    pandas.DataFrame
        ``file_name table sheet row_no reasons raw delivery_sha256``; ``raw`` is the row verbatim as a JSON list.

    Raises
    ------
    UsageError
        There is no such delivery (QB344).

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from qbase.intake import list_quarantine, load_files
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> towns = {"区划代码": ["990023101", "9900"], "乡镇名称": ["望埭镇", "枫浦镇"], "县名称": "桐屿县"}
    >>> pd.DataFrame(towns).to_csv("乡镇隔离.csv", index=False)
    >>> reports = load_files(home, "乡镇隔离.csv")
    >>> list_quarantine(home)[["table", "row_no", "reasons", "raw"]]
       table  row_no            reasons                     raw
    0  towns       3  town_code:pattern  ["9900", "枫浦镇", "桐屿县"]
    """
    if not workspace.has_table(SET_ASIDE):
        return pd.DataFrame(columns=list(COLUMNS))
    wanted = None if delivery is None else find_delivery(workspace, delivery, fix="qbase quarantine list")
    rows = workspace.query(_SQL)
    known = workspace.deliveries().set_index("sha256")[["file_name", "table", "by_table"]]
    known = known[~known.index.duplicated(keep="last")]
    rows = rows.join(known, on="delivery_sha256", how="inner")
    rows["table"] = list(map(_table_of, rows["sheet"], rows["table"], rows["by_table"]))
    if wanted is not None:
        rows = rows[rows["delivery_sha256"] == wanted]
    return rows.sort_values(["file_name", "sheet", "row_no"], ignore_index=True)[list(COLUMNS)]


def _table_of(sheet: str, table: str, by_table: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table a sheet of a delivery belongs to."""
    return next((name for name, part in by_table.items() if sheet in part["sheets"]), table)


def export_quarantine(
    workspace: Workspace, path: pathlib.Path, *, delivery: str | None = None, lang: Lang = "zh"
) -> int:
    """Write the rows that are set aside into a workbook; no text of theirs can become a formula.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    path : Path
        The ``.xlsx`` to write, whole or not at all.
    delivery : str or None
        Of one delivery only.
    lang : {"zh", "en"}
        Language of headers and reasons.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        Nothing is set aside (QB345), or more than a sheet can hold (QB190).
    SetupError
        The file cannot be written (QB346).

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> import openpyxl
    >>> import pandas as pd
    >>> from qbase.intake import export_quarantine, load_files
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> towns = {"区划代码": ["990023101", "9900"], "乡镇名称": ["望埭镇", "枫浦镇"], "县名称": "桐屿县"}
    >>> pd.DataFrame(towns).to_csv("乡镇退回.csv", index=False)
    >>> reports = load_files(home, "乡镇退回.csv")
    >>> export_quarantine(home, pathlib.Path("退回.xlsx"))
    1
    >>> [cell.value for cell in openpyxl.load_workbook("退回.xlsx").active[2]][3:5]
    [3, '区划代码：格式不符']
    """
    rows = list_quarantine(workspace, delivery)
    if rows.empty:
        raise DataError("QB345", found="0", expected=">= 1", fix="qbase quarantine list")
    cells = [json.loads(raw) for raw in rows["raw"]]
    width = max(map(len, cells))
    told = [
        "; ".join(explain_reason(code, table)[lang] for code in reasons.split())
        for reasons, table in zip(rows["reasons"], rows["table"], strict=True)
    ]
    frame = rows[["file_name", "table", "sheet", "row_no"]].assign(told=told, code=rows["reasons"])
    frame.columns = pd.Index(_HEADS[lang])
    verbatim = pd.DataFrame([[*row, *[""] * (width - len(row))] for row in cells], columns=range(1, width + 1))
    sheet = pd.concat([frame.reset_index(drop=True), verbatim], axis=1)
    write_sheet("隔离" if lang == "zh" else "Quarantine", sheet, path, "qbase quarantine export")
    return len(rows)


def retry_quarantine(
    workspace: Workspace,
    delivery: str,
    *,
    recipe: str | None = None,
    accept: Iterable[str] = (),
    reject: Iterable[str] = (),
) -> LoadReport:
    """Read a delivery again, after its recipe, its contract or the register of firms was corrected.

    The new reading takes the place of the old one in a new snapshot; the accounting is that of all rows again.

    Parameters
    ----------
    workspace : Workspace
        Where it lies.
    delivery : str
        sha256, or its first eight digits.
    recipe : str or None
        As for `load_files`; None is the recipe it was read with, and leaves the producer as it is.
    accept, reject : iterable of str
        Answers, as for `load_files`; a reading that goes well saves them in ``data/recipes``.

    Returns
    -------
    LoadReport
        When the file is refused now, the old reading stays.

    Raises
    ------
    UsageError
        There is no such delivery (QB344) or recipe (QB302); an answer to no question (QB361).
    DataError
        The recipe file is not sound (QB303).

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from qbase.intake import load_files, retry_quarantine
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> towns = {"区划代码": ["990023101", "9900"], "乡镇名称": ["望埭镇", "枫浦镇"], "县名称": "桐屿县"}
    >>> pd.DataFrame(towns).to_csv("乡镇重读.csv", index=False)
    >>> report = load_files(home, "乡镇重读.csv")[0]
    >>> again = retry_quarantine(home, report.sha256)
    >>> again.verdict, again.accepted, again.quarantined
    ('QUARANTINED', 1, 1)
    """
    sha256 = find_delivery(workspace, delivery, fix="qbase quarantine list")
    row = workspace.deliveries(sha256=sha256).iloc[-1]
    name = str(row["recipe"])
    plan = read_recipe(recipe if recipe is not None else None if name == TIDY.name else name, workspace.root)
    accept, reject = tuple(accept), tuple(reject)
    plan = with_answers(plan, accept, reject)
    if row["producer"] and recipe is None:  # perhaps said at the load, and no recipe knows it
        plan = dataclasses.replace(plan, producer=str(row["producer"]))
    stored = next(file for file in (workspace.raw / sha256[:2] / sha256).iterdir() if file.is_file())
    others = tuple(sha for sha in row["replaces"] if sha != sha256)
    source = Received(
        name=str(row["file_name"]), sha256=sha256, stored=stored, replaces=others, attempt=int(row["attempt"]) + 1
    )
    rules = find_rules(workspace)
    taken, plan = take(workspace, source, plan)
    linked = add_links(workspace, [taken])
    (report,) = recheck_counts(workspace, linked, [*rules, *find_own_rules(plan, linked)])
    if report.error is not None:  # to load the same bytes would be answered with what is known of them
        fix = report.error["fix"].replace("qbase load FILE", f"qbase quarantine retry {sha256[:8]}")
        return dataclasses.replace(report, error={**report.error, "fix": fix})
    if accept or reject:
        save_answers(workspace.root, plan, recipe)
    return report
