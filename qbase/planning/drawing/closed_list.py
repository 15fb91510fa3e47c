"""The closed list of firms as an office keeps it: a workbook or a text file with three columns."""

from __future__ import annotations

import pathlib

import pandas as pd

from qbase.core.errors import DataError
from qbase.planning.drawing.drawn_firms import LIST

WORDS = {
    "firm_id": ("firm_id", "firm", "企业", "企业代码", "企业编号"),
    "entity": ("entity", "cluster", "cluster_id", "集群", "集群代码", "集群编号"),
    "stratum": ("stratum", "层", "分层"),
}
ENCODINGS = ("utf-8-sig", "gb18030")


def read_closed_list(path: pathlib.Path) -> pd.DataFrame:
    r"""Read a list of firms from a file.

    Parameters
    ----------
    path : pathlib.Path
        ``.csv`` (UTF-8 or GB 18030) or ``.xlsx``, with a column each for the firm (企业), its cluster (集群) and its
        stratum (层), such as ``B-small``; others are left out.

    Returns
    -------
    pandas.DataFrame
        Columns firm_id, entity, stratum, as text; one row a firm.

    Raises
    ------
    DataError
        It cannot be read, a column is missing, or a cell is empty (QB627).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.planning import read_closed_list
    >>> path = pathlib.Path("list.csv")
    >>> _ = path.write_text("企业,集群,层\n0012,K001,B-small\n", encoding="utf-8")
    >>> read_closed_list(path).values.tolist()
    [['0012', 'K001', 'B-small']]
    """
    rows = _rows(path)
    heads = {str(head).strip(): head for head in rows.columns}
    own = {name: next((heads[word] for word in words if word in heads), None) for name, words in WORDS.items()}
    if missing := [name for name, head in own.items() if head is None]:
        raise _refused(path, f"no column {', '.join(missing)}", " · ".join(" | ".join(WORDS[name]) for name in missing))
    found = pd.DataFrame({name: rows[own[name]].astype(str).str.strip() for name in LIST})
    if (empty := (found == "").any(axis=1)).any():
        raise _refused(path, f"an empty cell in row {int(empty.to_numpy().argmax()) + 2}", "no empty cell")
    return found


def _rows(path: pathlib.Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".xlsx":
            return pd.read_excel(path, dtype=str, engine="openpyxl").fillna("")
        text = path.read_bytes()
        for encoding in ENCODINGS:
            try:
                text.decode(encoding)
            except UnicodeDecodeError:
                continue
            return pd.read_csv(path, dtype=str, encoding=encoding, keep_default_na=False)
    except (OSError, ValueError, KeyError) as error:
        raise _refused(path, type(error).__name__, "a file .csv or .xlsx") from error
    raise _refused(path, "another encoding", " | ".join(ENCODINGS))


def _refused(path: pathlib.Path, found: str, expected: str) -> DataError:
    return DataError(
        "QB627", found=f"{path.name}: {found}", expected=expected, fix=f"correct {path.name}, then draw again"
    )
