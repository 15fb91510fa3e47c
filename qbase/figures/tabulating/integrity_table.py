"""The integrity signals as a table: questions to verify, pattern by pattern, and nobody accused."""

from __future__ import annotations

from qbase.core.errors import DataError
from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.figures.surface.figure_words import account_data, sentences, source_note
from qbase.figures.tabulating.check_names import check_name
from qbase.figures.tabulating.estimate_columns import NONE

TO_VERIFY = Text("需核实", "To verify")
QUIET = Text("未见异常", "Nothing stands out")
TOO_FEW = Text("资料不足，未检验", "Too few records: not tested")


def tabulate_integrity(result: Result) -> Table:
    """Tabulate the patterns that were looked for: how many places, how many stand out and have to be verified.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.check_integrity`.

    Returns
    -------
    Table
        One row per pattern. Data: pattern, places, signals, passed.

    Raises
    ------
    DataError
        The result has no patterns (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_integrity
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import check_integrity, read_watch_tables
    >>> tabulate_integrity(check_integrity(read_watch_tables(open_workspace())))
    Patterns in the inspection records that may have to be verified
    Pattern | Looked at | Stand out | Verdict
    Failures by level of the inspection | 3 | 0 | Nothing stands out
    Random draws and firms without failures | 12 | 0 | Nothing stands out
    Items dropped after failures | 12 | 0 | Nothing stands out
    Laboratories changed after failures | 12 | 0 | Nothing stands out
    Shares of laboratories by year | 12 | 0 | Nothing stands out
    Missing numbers of samples | 150 | 4 | To verify
    """
    patterns = [check for check in result.checks if "is_signal" in check.table]
    if not patterns:
        raise DataError(
            "QB707", found="0 patterns", expected="check_integrity(…)", fix="tabulate_integrity(check_integrity(…))"
        )
    places = [len(check.table) for check in patterns]
    signals = [int(check.table["is_signal"].sum()) for check in patterns]
    return Table(
        name="integrity",
        caption=Text("抽查记录中可能需要核实的情形", "Patterns in the inspection records that may have to be verified"),
        columns=(
            Column(label=Text("情形", "Pattern")),
            Column(label=Text("检验处数", "Looked at"), numeric=True),
            Column(label=Text("突出处数", "Stand out"), numeric=True),
            Column(label=Text("结论", "Verdict")),
        ),
        rows=tuple(
            (check_name(check.name), count(n) if n else NONE, count(k) if n else NONE, _verdict(check))
            for check, n, k in zip(patterns, places, signals, strict=True)
        ),
        note=sentences(source_note(result)),
        data={
            "pattern": [check.name for check in patterns],
            "places": places,
            "signals": signals,
            "passed": [check.passed for check in patterns],
            **account_data([result.coverage] * len(patterns)),
        },
    )


def _verdict(check: CheckResult) -> Text:
    return TOO_FEW if check.passed is None else QUIET if check.passed else TO_VERIFY
