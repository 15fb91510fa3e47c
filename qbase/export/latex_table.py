"""A table of LaTeX whose cells are text: nothing in them is a command."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import MINUS

ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", MINUS: "$-$", "…": r"\ldots{}", "–": "--", "\u00a0": "~",
    "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip
HEAD = "% needs booktabs; with Chinese text: XeLaTeX or LuaLaTeX with ctex, and T1 fonts for quotation marks\n"


def write_latex(frame: pd.DataFrame, *, caption: str = "", note: str = "") -> str:
    r"""Return a frame as a LaTeX table in the style of booktabs.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is not written; numbers keep six digits that count, columns of numbers are set to the right.
    caption, note : str
        Above and below the table; empty ones are left out.

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.export import write_latex
    >>> print(write_latex(pd.DataFrame({"A & B": ["100 %"], "pp": [-1.5]})))
    % needs booktabs; with Chinese text: XeLaTeX or LuaLaTeX with ctex, and T1 fonts for quotation marks
    \begin{table}[htbp]
    \centering
    \begin{tabular}{lr}
    \toprule
    A \& B & pp \\
    \midrule
    100 \% & $-$1.5 \\
    \bottomrule
    \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    sides = "".join("r" if pd.api.types.is_numeric_dtype(dtype) else "l" for dtype in frame.dtypes)
    rows = [" & ".join(escape_latex(str(c)) for c in frame.columns)]
    rows += [" & ".join(map(_cell, row)) for row in frame.itertuples(index=False, name=None)]
    # a row that begins with a bracket would be the length of the line or line break before it
    rows = [("{}" if row.startswith(("[", "*")) else "") + row for row in rows]
    lines = [r"\begin{table}[htbp]", r"\centering"]
    lines += [rf"\caption{{{escape_latex(caption)}}}"] if caption else []
    lines += [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", rows[0] + r" \\", r"\midrule"]
    lines += [row + r" \\" for row in rows[1:]]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {escape_latex(note)}"] if note else []
    return HEAD + "\n".join([*lines, r"\end{table}"]) + "\n"


def escape_latex(text: str) -> str:
    r"""Return a text as LaTeX prints it.

    >>> escape_latex("50 % & $x$ −1.8")
    '50 \\% \\& \\$x\\$ $-$1.8'
    """
    return "".join(ESCAPES.get(c, c) for c in text if c >= " " or c in "\n\r\t")


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, numbers.Real | np.number) and not isinstance(value, bool | np.bool_):
        return escape_latex(f"{float(value):.6g}".replace("-", MINUS))
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return escape_latex(str(value))
