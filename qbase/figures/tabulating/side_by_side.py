"""Several results as columns beside each other: the table that papers and reviewers know."""

from __future__ import annotations

import pandas as pd

from qbase.core.coverage import HIDDEN
from qbase.core.errors import DataError
from qbase.core.markup import shown_language
from qbase.core.numbers import UNITS_SHORT, count, level_text, number
from qbase.core.results.result import Result, distinct_checks
from qbase.core.results.sentences import digits_of
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.figures.surface.figure_words import bracket, capital, model_of, row_label

ITEM = Text("项目", "Item")
METHOD, SUBJECT = Text("方法", "Method"), Text("对象", "Subject")
UNIT, LEVEL = Text("单位", "Unit"), Text("置信水平", "Confidence level")
CHECKS = Text("检查（未通过 / 全部）", "Checks (failed / all)")


def tabulate_side_by_side(*results: Result, every: bool = False, lang: str | None = None) -> pd.DataFrame:
    """Set several results beside each other, a column each: estimate, interval below it, n, method and checks.

    Parameters
    ----------
    *results : Result
        In the order of the columns.
    every : bool
        All estimates instead of the spoken ones.
    lang : {"zh", "en"} or None
        None takes the language JupyterLab shows.

    Returns
    -------
    pandas.DataFrame
        Every cell is text; `qbase.export.write_table` writes it as a workbook or as LaTeX. ``…`` stands where a result
        is withheld, an empty cell where it has no such estimate.

    Raises
    ------
    DataError
        No result was given (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_side_by_side
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> changes = [estimate_change(panel, "D1.batch", entity=k) for k in ("K001", "K003")]
    >>> tabulate_side_by_side(*changes).iloc[:3].values.tolist()
    [['2025 Q4 vs 2024 Q4', '−10.7', '+1.8'], ['', '(−36.9 to 14.5)', '(−21.8 to 26.0)'], ['n', '37', '42']]
    """
    if not results:
        raise DataError("QB707", found="0 results", expected="at least one", fix="tabulate_side_by_side(result, …)")
    said = lang or shown_language()
    columns = [_estimates(result, every, said) for result in results]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows: list[list[str]] = []
    for label in labels:
        rows.append([label, *(_first(r, c, label) for r, c in zip(results, columns, strict=True))])
        rows.append(["", *(c[label][1] if label in c else "" for c in columns)])
    rows += [["n", *map(_sizes, results)], *([word[said], *cells] for word, cells in _below(results, said))]
    heads = [f"({i}) {result.outcome.label[said]}" for i, result in enumerate(results, start=1)]
    return pd.DataFrame(rows, columns=[ITEM[said], *heads])


def _spoken(result: Result, every: bool) -> list[Estimate]:
    return list(result.estimates) if every else [result.estimates[i] for i in result.spoken]


def _estimates(result: Result, every: bool, lang: str) -> dict[str, tuple[str, str]]:
    """Return label -> estimate and its interval, as they are written."""
    found = {}
    for e in _spoken(result, every):
        digits = digits_of(result, e)
        value = number(e.value, digits, sign=result.estimand not in {"level", "need"})
        found[row_label(result, e, several=False)[lang]] = (value, f"({bracket(e, digits, level=False)[lang]})")
    return found


def _first(result: Result, column: dict[str, tuple[str, str]], label: str) -> str:
    if label in column:
        return column[label][0]
    return HIDDEN if "withheld" in result.settings and not result.estimates else ""


def _sizes(result: Result) -> str:
    sizes = {e.n_obs for e in _spoken(result, every=False) if e.n_obs is not None}
    return " / ".join(count(n) for n in sorted(sizes))


def _below(results: tuple[Result, ...], lang: str) -> list[tuple[Text, list[str]]]:
    levels = [" / ".join(sorted({level_text(e.ci_level) for e in r.estimates})) for r in results]
    checks = []
    for result in results:
        made = [c for c in distinct_checks(result) if c.passed is not None]
        checks.append(f"{sum(c.passed is False for c in made)} / {len(made)}")
    return [
        (UNIT, [UNITS_SHORT[r.unit][lang] for r in results]),
        (LEVEL, levels),
        (SUBJECT, [capital(r.subject)[lang] for r in results]),
        (METHOD, [capital(model_of(r))[lang] for r in results]),
        (CHECKS, checks),
    ]
