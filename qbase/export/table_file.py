"""A panel, a result or a frame as the file a colleague opens: of a spreadsheet, Stata, R or LaTeX."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping

import pandas as pd

from qbase.core.errors import DataError, SetupError, UsageError
from qbase.core.markup import shown_language
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.export.flat_frames import IS_WITHHELD, flatten_panel, flatten_result, mark_withheld
from qbase.export.inert_csv import write_csv
from qbase.export.inert_workbook import write_xlsx
from qbase.export.latex_table import write_latex
from qbase.export.stata_file import write_stata

SUFFIXES = (".csv", ".xlsx", ".tex", ".dta", ".parquet")
FIRMS = "firm_id"
WORDS: Mapping[str, Text] = {
    "name_zh": Text("名称（中文）", "name in Chinese"), "name_en": Text("名称（英文）", "name in English"),
    "period": Text("期", "period"), "cluster_id": Text("产业集群", "industrial cluster"),
    "town_code": Text("乡镇", "town"), "records_seen": Text("在案批数", "records on record"),
    "records_counted": Text("计入批数", "records counted"), "records_lost": Text("未能计入批数", "records lost"),
    "files_refused": Text("被拒收的文件数", "files refused"), "outcome": Text("结果指标", "outcome"),
    IS_WITHHELD: Text("按披露规则不公开", "withheld to protect firms"),
    "subject_zh": Text("对象（中文）", "subject in Chinese"), "subject_en": Text("对象（英文）", "subject in English"),
    "method": Text("方法", "method"), "term": Text("项", "term"), "entity": Text("主体", "entity"),
    "name": Text("名称", "name"), "estimate": Text("估计值", "estimate"), "std_error": Text("标准误", "standard error"),
    "conf_low": Text("区间下限", "lower end of interval"), "conf_high": Text("区间上限", "upper end of interval"),
    "level": Text("置信水平", "confidence level"), "p_value": Text("p 值", "p value"),
    "n": Text("观测数", "observations"), "unit": Text("单位", "unit"), "event_time": Text("事件时间", "event time"),
    "uncertainty": Text("不确定性的来源", "kind of doubt"),
}  # fmt: skip
COMPANIONS: Mapping[str, Text] = {
    "n": Text("检验数", "tested"), "k": Text("合格数", "passed"), "n_firms": Text("企业数", "firms"),
    "n_eff": Text("有效样本量", "effective n"), "lo": Text("区间下限", "lower end"),
    "hi": Text("区间上限", "upper end"), "num": Text("分子", "numerator"), "den": Text("分母", "denominator"),
}  # fmt: skip


def write_table(
    value: Panel | Result | pd.DataFrame, path: pathlib.Path | str, *, lang: str | None = None
) -> pathlib.Path:
    """Write a panel, a result or a frame as its suffix says: ``.csv .xlsx .tex .dta .parquet``, whole or not at all.

    Text never becomes a formula of a spreadsheet or a command of LaTeX. A Stata file has legal names, labels of
    variables in words and, for a panel, the names of entities as value labels and ``time`` as a date; ``.parquet`` is
    for R (``arrow::read_parquet``) and Python.

    Parameters
    ----------
    value : Panel, Result or pandas.DataFrame
        A protected panel shows ``…`` where a value is withheld; files of numbers leave it out, and ``is_withheld`` is
        1 there.
    path : pathlib.Path or str
        The file to write.
    lang : {"zh", "en"} or None
        Of labels; None takes the language JupyterLab shows.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    UsageError
        The suffix is none of these (QB193).
    DataError
        The rows are firms, which do not leave the house (QB194); more than a sheet holds (QB190).
    SetupError
        The file cannot be written (QB195).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.export import write_table
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> back = pd.read_stata(write_table(panel, "rates.dta"))
    >>> bool((back["D1_batch"] == panel["D1.batch"].to_numpy()).all()), back["cluster_id"].iloc[0]
    (True, 'Qingzhao polyester fibre cluster')
    """
    path, said = pathlib.Path(path), lang or shown_language()
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            "QB193", suffix=path.suffix or path.name, found=str(path), expected=" | ".join(SUFFIXES),
            fix=f'write_table(…, "{path.with_suffix(".csv").name}")',
        )  # fmt: skip
    _refuse_firms(value)
    table = _flat(value)
    data = _bytes_of(value, table, suffix, said)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise SetupError(
            "QB195", path=path.name, found=f"{path}: {error.strerror}", expected="a folder that can be written",
            fix=f'write_table(…, "{path.name}")',
        ) from error  # fmt: skip
    return path


def _bytes_of(value: object, table: pd.DataFrame, suffix: str, lang: str) -> bytes:
    if suffix == ".parquet":
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if suffix == ".dta":
        return _stata(value, table, lang)
    shown = mark_withheld(table)
    if suffix == ".tex":
        return write_latex(shown, caption=_title(value)[lang]).encode("utf-8")
    return write_csv(shown) if suffix == ".csv" else write_xlsx({"table": shown})


def _flat(value: Panel | Result | pd.DataFrame) -> pd.DataFrame:
    if isinstance(value, Panel):
        return flatten_panel(value)
    return flatten_result(value) if isinstance(value, Result) else value


def _refuse_firms(value: Panel | Result | pd.DataFrame) -> None:
    if isinstance(value, Panel):
        rows, is_firms = len(value), value.entity == FIRMS
    elif isinstance(value, Result):
        rows = sum("entity" in e.key for e in value.estimates)
        is_firms = rows > 0 and value.settings.get("entity_kind") == FIRMS
    else:
        rows, is_firms = len(value), FIRMS in value.columns
    if is_firms:
        raise DataError(
            "QB194", found=f"{rows} rows by {FIRMS}", expected="rows by cluster_id or town_code",
            fix='build_panel(workspace, "D1.batch", entity="cluster_id")',
        )  # fmt: skip


def _title(value: object) -> Text:
    if isinstance(value, Result):
        subject, outcome = value.subject, value.outcome.label
        return Text(f"{subject.zh}：{outcome.zh}", f"{subject.en}: {outcome.en}")
    if isinstance(value, Panel):
        names = [i.label for i in value.indicators.values()]
        return Text("、".join(n.zh for n in names), ", ".join(n.en for n in names))
    return Text("", "")


def _stata(value: object, table: pd.DataFrame, lang: str) -> bytes:
    labels = {name: words[lang] for name, words in WORDS.items()}
    named: dict[str, dict[str, str]] = {}
    freq = ""
    if isinstance(value, Panel):
        freq = value.freq
        named[value.entity] = {e: value.label(e)[lang] for e in set(table[value.entity])}
        # the code stays beside the number that carries the name
        place = int(str(table.columns.get_loc(value.entity))) + 1
        table = table.copy()
        table.insert(place, "code", table[value.entity])
        labels |= {"code": Text("代码", "code")[lang]}
        for i, indicator in value.indicators.items():
            own = indicator.label[lang]
            labels |= {i: own} | {f"{i}__{c}": f"{own}{Text('：', ': ')[lang]}{w[lang]}" for c, w in COMPANIONS.items()}
    return write_stata(table, labels=labels, named=named, freq=freq, title=_title(value)[lang])
