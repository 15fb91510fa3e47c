"""The year that the name of a sheet or a file gives to quarters without one; asked where a name has several."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qbase.core.text import Text
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.cell_values import narrow

_YEARS = re.compile(r"(?<!\d)((?:19|20)\d{2})(?: ?[-—–~～至到/、] ?((?:19|20)\d{2}))? ?年", re.ASCII)
_BARE = re.compile(r"(?<![\d〔\[(])((?:19|20)\d{2})(?!\d|[〕\])]?\d*号)", re.ASCII)


def years_in(name: str) -> tuple[str, ...]:
    """Return the years a name may be about: those before 年, else numbers that could be years and are no dates.

    Examples
    --------
    >>> years_in("20230115_2022年宏观.csv"), years_in("云发〔2024〕12号_2023年宏观.csv")
    (('2022',), ('2023',))
    >>> years_in("2025年报送2014年.csv"), years_in("macro_2021.csv"), years_in("20230115.csv")
    (('2025', '2014'), ('2021',), ())
    """
    plain = narrow(name)
    said = [year for match in _YEARS.finditer(plain) for year in match.groups() if year]
    return tuple(dict.fromkeys(said or _BARE.findall(plain)))


def find_years(sheet: str, file: str, recipe: Recipe) -> tuple[str, ...]:
    """Return the years of the name that has any, the sheet's first; the one answered where somebody said which."""
    years = years_in(sheet) or years_in(file)
    said = [year for year in years if f"year:{file}={year}" in recipe.accept]
    return tuple(said) or tuple(year for year in years if f"year:{file}={year}" not in recipe.reject)


def year_of_titles(titles: Iterable[str]) -> str:
    """Return the one year that the lines above a table name before 年; nothing where they name several.

    Examples
    --------
    >>> year_of_titles(["某县2022年监督抽查明细"]), year_of_titles(["2022年明细", "2023年1月印发"])
    ('2022', '')
    """
    years = {year for title in titles for year in years_in(title)}
    return years.pop() if len(years) == 1 else ""


def ask_year(sheet: str, file: str, recipe: Recipe, table: str, *, beside: frozenset[str] = frozenset()) -> None:
    """Ask which year is meant; ``beside`` are years that other rows of the column state themselves.

    Raises
    ------
    DataError
        The name has several years, or another than rows beside those that lean on it (QB360).
    """
    years = find_years(sheet, file, recipe)
    is_answered = any(f"year:{file}={year}" in recipe.accept for year in years)
    if not is_answered and (len(years) > 1 or (years and beside - set(years))):
        # the latest is most often the year of sending: the answer that the error offers is the other one
        year = min(years)
        text = Text(f"“{file}”的季度是 {year} 年的", f"the quarters of {file} are those of {year}")
        ask([Question(key=f"year:{file}={year}", text=text)], table)
