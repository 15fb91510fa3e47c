"""Two hundred doubtful names in a spreadsheet: out with an empty column, back with accept or reject in it."""

from __future__ import annotations

import dataclasses
import pathlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.export.people_workbook import write_sheet
from qbase.intake.finding.file_grids import read_grids
from qbase.intake.linking.link_decisions import (
    Decision,
    decision_rows,
    explain_method,
    list_links,
    read_firms,
    read_states,
    standing,
)
from qbase.intake.linking.link_diary import write_links
from qbase.intake.recipes.recipe_model import TIDY

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace

SHOWN_SAMPLES = 5
HEADS: Mapping[str, tuple[str, str]] = {
    "decision": ("决定", "Decision"),
    "name_printed": ("印制名称", "Name printed"),
    "uscc_printed": ("印制代码", "Code printed"),
    "name_known": ("候选企业", "Candidate"),
    "firm_id": ("候选企业编号", "Firm id"),
    "score": ("相似度", "Score"),
    "reason": ("存疑原因", "Why in doubt"),
    "sample_count": ("批次数", "Batches"),
    "samples": ("抽样编号", "Samples"),
    "days": ("抽样日期", "Sample dates"),
    "id": ("编号", "Id"),
}
WORDS: Mapping[str, Decision] = {"accept": "accept", "接受": "accept", "reject": "reject", "拒绝": "reject"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileDecided:
    """What a file of decisions changed.

    Parameters
    ----------
    accepted, rejected, blank : int
        Rows of the file by what they say.
    samples : int
        Samples with a new row in the diary.
    snapshot : str
        Snapshot that holds them.

    Examples
    --------
    >>> from qbase.intake import FileDecided
    >>> FileDecided(accepted=41, rejected=7, blank=12, samples=95, snapshot="S0013")
    FileDecided(accepted=41, rejected=7, blank=12, samples=95, snapshot='S0013')
    """

    accepted: int
    rejected: int
    blank: int
    samples: int
    snapshot: str


def export_links(workspace: Workspace, path: pathlib.Path, *, lang: Lang = "zh") -> int:
    """Write the doubtful links into a workbook with an empty column for decisions; no cell can become a formula.

    Parameters
    ----------
    workspace : Workspace
        Where they wait.
    path : Path
        The ``.xlsx`` to write, whole or not at all.
    lang : {"zh", "en"}
        Language of headers and reasons.

    Returns
    -------
    int
        Rows written, one per printed firm and candidate.

    Raises
    ------
    DataError
        Nothing is in doubt (QB359), or more than a sheet can hold (QB190).
    SetupError
        The file cannot be written (QB346).

    Examples
    --------
    >>> import pathlib
    >>> import shutil
    >>> import openpyxl
    >>> from qbase.intake import export_links, load_files
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_export_links"))
    >>> left_out = "delivery_sha256, sheet, row_no, uscc"
    >>> sql = f"SELECT * EXCLUDE ({left_out}) FROM inspections WHERE sample_no = 'YZ2024Q4G0012'"
    >>> doubtful = home.query(sql).assign(sample_no="B1", firm_name="桐屿华佳化纤厂")
    >>> doubtful.to_csv("doubtful_export.csv", index=False)
    >>> reports = load_files(home, "doubtful_export.csv")
    >>> export_links(home, pathlib.Path("doubts.xlsx"))
    1
    >>> [cell.value for cell in openpyxl.load_workbook("doubts.xlsx").active[2]][1:7]
    ['桐屿华佳化纤厂', None, '桐屿华佳化纤有限公司', 'F00222', 70.6, '字号相同，组织形式或分支机构不同']
    """
    groups = list_links(workspace)
    if not groups:
        raise DataError("QB359", found="0", expected=">= 1", fix="qbase links list --decided")
    position = 0 if lang == "zh" else 1
    rows = [
        {
            **{name: getattr(group, name) for name in ("name_printed", "uscc_printed", "name_known", "firm_id", "id")},
            "decision": "",
            "score": group.score,
            "reason": explain_method(group.method)[lang],
            "sample_count": len(group.samples),
            "samples": " ".join(group.samples[:SHOWN_SAMPLES]) + (" …" if len(group.samples) > SHOWN_SAMPLES else ""),
            "days": " – ".join(dict.fromkeys((group.first_day, group.last_day))),
        }
        for group in groups
    ]
    sheet = pd.DataFrame(rows, columns=list(HEADS)).rename(
        columns={name: told[position] for name, told in HEADS.items()}
    )
    write_sheet("待确认企业" if lang == "zh" else "Doubtful firms", sheet, path, "qbase links export")
    return len(rows)


def decide_file(workspace: Workspace, path: pathlib.Path, *, decided_by: str = "user") -> FileDecided:
    """Take the decisions of a spreadsheet, all of them or none.

    Parameters
    ----------
    workspace : Workspace
        Where the doubts wait.
    path : Path
        A file of `export_links`, ``.xlsx`` or saved as CSV. 接受 or accept and 拒绝 or reject decide, an empty cell
        leaves the row for later; another firm id beside 接受 links to that firm.
    decided_by : str
        Who decides.

    Returns
    -------
    FileDecided

    Raises
    ------
    UsageError
        There is no such file (QB208).
    DataError
        It cannot be read, has no columns of decisions (QB353), or a row cannot be taken (QB354).
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> import pathlib
    >>> import shutil
    >>> import pandas as pd
    >>> from qbase.intake import decide_file, list_links, load_files
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_decide_file"))
    >>> left_out = "delivery_sha256, sheet, row_no, uscc"
    >>> sql = f"SELECT * EXCLUDE ({left_out}) FROM inspections WHERE sample_no = 'YZ2024Q4G0012'"
    >>> home.query(sql).assign(sample_no="B1", firm_name="桐屿华佳化纤厂").to_csv("doubtful_file.csv", index=False)
    >>> reports = load_files(home, "doubtful_file.csv")
    >>> answers = {"编号": [group.id for group in list_links(home)], "决定": "接受"}
    >>> pd.DataFrame(answers).to_csv("answers.csv", index=False)
    >>> done = decide_file(home, pathlib.Path("answers.csv"), decided_by="Li")
    >>> done.accepted, done.samples, list_links(home, "decided")[0].name_known
    (1, 1, '桐屿华佳化纤有限公司')
    """
    if not path.is_file():
        raise UsageError(
            "QB208", file=path.name, found=str(path), expected="*.xlsx, *.csv", fix="qbase links export FILE.xlsx"
        )
    at = workspace.snapshot()
    states: dict[str, list[dict[str, Any]]] = {}
    for state in read_states(workspace, at):
        states.setdefault(state["id"], []).append(state)
    lines = _read_rows(path)
    firms = read_firms(
        workspace,
        at,
        [line.get("firm_id") or state["firm_id"] for line in lines for state in states.get(line["id"], [])],
    )
    rows: list[dict[str, Any]] = []
    counts, places = {"accept": 0, "reject": 0, "": 0}, dict[str, str]()
    for cells in lines:
        said = _read_decision(path, cells)
        counts[said or ""] += 1
        if said is None:
            continue
        first = places.setdefault(cells["id"], cells["row"])
        if first != cells["row"]:
            raise _refused(path, cells, f"{cells['id']} = {first}", "every id once")
        here, firm = _standing(path, cells, states, said), cells.get("firm_id") if said == "accept" else None
        try:
            rows += decision_rows(here, firm, said, decided_by, firms)
        except (DataError, UsageError) as error:
            raise _refused(path, cells, error.found, error.expected) from error
    snapshot = write_links(workspace, rows)
    return FileDecided(
        accepted=counts["accept"], rejected=counts["reject"], blank=counts[""], samples=len(rows), snapshot=snapshot.id
    )


def _read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    """Return the rows below the headers, by the name of the column, with their number in the file."""
    wanted = {told.casefold(): name for name, both in HEADS.items() for told in both}
    for grid in read_grids(path, path.name, TIDY):
        lines = grid.rows(range(len(grid)))
        for position, line in enumerate(lines):
            places = {wanted[_plain(cell)]: i for i, cell in enumerate(line) if _plain(cell) in wanted}
            if {"id", "decision"} <= set(places):
                return [
                    {name: _cell(row, i) for name, i in places.items()} | {"row": str(grid.row_no(n))}
                    for n, row in enumerate(lines[position + 1 :], start=position + 1)
                    if any(cell.strip() for cell in row)
                ]
    heads = [both for name, both in HEADS.items() if name in ("decision", "id")]
    raise DataError(
        "QB353",
        file=path.name,
        found=path.name,
        expected=", ".join(" / ".join(both) for both in heads),
        fix="qbase links export FILE.xlsx",
    )


def _plain(cell: str) -> str:
    return unicodedata.normalize("NFKC", cell).strip().casefold()


def _cell(row: Sequence[str], position: int) -> str:
    return row[position].strip() if position < len(row) else ""


def _read_decision(path: pathlib.Path, cells: Mapping[str, str]) -> Decision | None:
    said = _plain(cells["decision"])
    if not said:
        return None
    if said not in WORDS:
        raise _refused(path, cells, cells["decision"], "接受 / accept, 拒绝 / reject")
    return WORDS[said]


def _standing(
    path: pathlib.Path, cells: Mapping[str, str], states: Mapping[str, list[dict[str, Any]]], said: Decision
) -> Sequence[dict[str, Any]]:
    """Return the samples a row is about: those still in doubt; what was decided the same way meanwhile is no matter."""
    here = standing(states.get(cells["id"], []))
    if not here:
        raise _refused(path, cells, cells["id"] or "–", "an id of qbase links list")
    decided = [state for state in here if state["decision"] not in ("doubt", said)]
    if decided:
        found = f"{cells['id']}: {decided[0]['decision']} ({decided[0]['decided_by']})"
        raise _refused(path, cells, found, "a link that is still in doubt")
    return here


def _refused(path: pathlib.Path, cells: Mapping[str, str], found: str, expected: str) -> DataError:
    return DataError(
        "QB354",
        file=path.name,
        row=cells["row"],
        found=f"{path.name}:{cells['row']}: {found}",
        expected=expected,
        fix=f"qbase links decide {path.name}",
    )
