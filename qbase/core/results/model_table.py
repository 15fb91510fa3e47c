"""A result as the maketables package reads it: coefficients, and what stands below them.

The package asks any object for these by name, escapes nothing, and sets the same cells in LaTeX, Typst, HTML and Word;
so a character that is a command in one of them is replaced by its full-width form, which is text in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from qbase.core.markup import shown_language
from qbase.core.results.shown_cards import name_estimate

if TYPE_CHECKING:
    from qbase.core.results.sayable import SayableResult

WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in '\\{}[]&%$#_~^<>*@`"|/'})
LEVEL = 0.95
COLUMNS = ["b", "se", "p", "p_value", "ci95l", "ci95u"]


class ModelTable:
    """What `maketables.ETable` asks of a model, read off a result."""

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return build_model_table(cast("SayableResult", self))

    @property
    def __maketables_depvar__(self) -> str:
        return clean_cell(cast("SayableResult", self).outcome.label[shown_language()])

    def __maketables_stat__(self, key: str) -> Any:
        sizes = {e.n_obs for e in cast("SayableResult", self).estimates}
        return sizes.pop() if key == "N" and len(sizes) == 1 else None


def build_model_table(result: SayableResult) -> pd.DataFrame:
    """Return one row per estimate: ``b``, ``se``, ``p_value`` and the ends of the interval, ``ci95l`` and ``ci95u``.

    An interval of another level has no such ends; error and p value are empty where the method gives none. ``p``, from
    which the package makes stars, is empty throughout.
    """
    lang = shown_language()
    rows: dict[str, list[float | None]] = {}
    for e in result.estimates:
        name = clean_cell(name_estimate(result, e)[lang])
        same = sum(other.partition(" (")[0] == name for other in rows)
        ends = (e.ci_low, e.ci_high) if e.ci_level == LEVEL else (None, None)
        rows[f"{name} ({same + 1})" if same else name] = [e.value, e.std_error, None, e.p_value, *ends]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS, dtype=float)
    return table.rename_axis("Coefficient")


def clean_cell(text: str) -> str:
    """Return a text that is no command of LaTeX, Typst or HTML."""
    return text.translate(WIDE)
