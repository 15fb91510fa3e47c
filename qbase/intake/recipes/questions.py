"""What qbase will not guess: a question, and the flag that answers it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from typing import NoReturn

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.intake.recipes.recipe_model import Recipe
from qbase.tables import Contract, find_contract, find_contracts, normalise_header, read_contract

NEAR = 0.6
KINDS = ("column", "sheet", "contract", "unit_line", "share", "numerator_only", "midnight", "year")
PAIRS = ("column", "sheet", "contract", "year")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """A statement to accept or to reject.

    Parameters
    ----------
    key : str
        What `--accept` or `--reject` takes: ``column:样品编码=sample_no``.
    text : Text
        The statement in words.
    """

    key: str
    text: Text


def ask(questions: Sequence[Question], table: str) -> None:
    """Raise when there is something to ask.

    Raises
    ------
    DataError
        With all questions and the flags that answer them (QB360).
    """
    if not questions:
        return
    flags = " ".join(f'--accept "{question.key}"' for question in questions)
    raise DataError(
        "QB360",
        table=table,
        count=len(questions),
        found="; ".join(f"{question.key} ({question.text.zh} / {question.text.en})" for question in questions),
        expected=" | ".join(("--accept …", "--reject …")),
        fix=f"qbase load FILE {flags}",
    )


def ask_which(sheet: str, tables: Sequence[str]) -> NoReturn:
    """Raise because a sheet fits several tables equally well: one of them has to be accepted.

    Raises
    ------
    DataError
        With one answer per table (QB360).
    """
    keys = [f"sheet:{sheet}={table}" for table in tables]
    names = [read_contract(table).name_text for table in tables]
    said = [f"{key} ({name.zh} / {name.en})" for key, name in zip(keys, names, strict=True)]
    raise DataError(
        "QB360",
        table=" / ".join(tables),
        count=1,
        found="; ".join(said),
        expected=" | ".join(f'--accept "{key}"' for key in keys),
        fix=f'qbase load FILE --accept "{keys[0]}"',
    )


def find_table(headers: Sequence[str], recipe: Recipe, sheet: str) -> str | None:
    """Return the table headers belong to, or the one a person said; ask when a sheet fits several equally well.

    Parameters
    ----------
    headers : sequence of str
        As they stand.
    recipe : Recipe
        With the answers given.
    sheet : str
        Name of the sheet; empty for a file without sheets.

    Returns
    -------
    str or None
        None when no table fits.
    """
    if not sheet:
        return find_contract(headers)
    said = sorted(a.removeprefix(f"sheet:{sheet}=") for a in recipe.accept if a.startswith(f"sheet:{sheet}="))
    fitting = said or [t for t in find_contracts(headers) if f"sheet:{sheet}={t}" not in recipe.reject]
    if len(fitting) > 1:
        ask_which(sheet, fitting)
    return fitting[0] if fitting else None


def near_headers(
    unknown: Iterable[str], missing: Sequence[str], contract: Contract, recipe: Recipe
) -> tuple[Question, ...]:
    """Return a question per missing column when each has one unknown header that resembles it; else none.

    Parameters
    ----------
    unknown : iterable of str
        Headers that mean nothing.
    missing : sequence of str
        Required columns without a header.
    contract : Contract
        Of the table.
    recipe : Recipe
        Its rejected answers are not asked again.

    Returns
    -------
    tuple of Question
    """
    free = [header for header in unknown if header.strip()]
    questions = []
    for column in missing:
        rejected = {answer for answer in recipe.reject if answer.endswith(f"={column}")}
        likely = [h for h in free if f"column:{_plain(h)}={column}" not in rejected]
        ranked = sorted(likely, key=lambda header: _likeness(header, column, contract), reverse=True)
        if not ranked or _likeness(ranked[0], column, contract) < NEAR:
            return ()
        free.remove(ranked[0])
        text = contract.column(column).text
        said = Text(f"“{_plain(ranked[0])}”就是“{text.zh}”", f"header {_plain(ranked[0])} is “{text.en}”")
        questions.append(Question(key=f"column:{_plain(ranked[0])}={column}", text=said))
    return tuple(questions)


def _plain(header: str) -> str:
    return " ".join(header.split())


def _likeness(header: str, column: str, contract: Contract) -> float:
    name = normalise_header(header)
    known = [normalise_header(h) for h in contract.column(column).headers]
    inside = max((len(k) / len(name) for k in known if k in name or name in k), default=0.0)
    alike = max(difflib.SequenceMatcher(None, name, k).ratio() for k in known)
    return max(alike, min(inside, 1 / inside) if inside else 0.0)


def check_answers(answers: Iterable[str]) -> frozenset[str]:
    """Return the answers; refuse one that answers no question qbase asks.

    Raises
    ------
    UsageError
        An unknown kind (QB361).
    """
    given = frozenset(answers)
    for answer in sorted(given):
        kind, colon, rest = answer.partition(":")
        sound = kind in KINDS and (kind not in PAIRS or ("=" in rest and colon))
        if not sound:
            near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.4)
            raise UsageError(
                "QB361",
                answer=answer,
                found=answer,
                expected="column:HEADER=COLUMN | sheet:SHEET=TABLE | contract:TABLE=VERSION | unit_line:UNIT | "
                "share:COLUMN | numerator_only | midnight:COLUMN | year:FILE=YYYY",
                fix=f"--accept {near[0] if near else KINDS[0]}…",
            )
    return given


def with_answers(recipe: Recipe, accept: Iterable[str], reject: Iterable[str]) -> Recipe:
    """Return a recipe with further answers; what is said last holds.

    Parameters
    ----------
    recipe : Recipe
        With the answers given before.
    accept, reject : iterable of str
        As `check_answers` takes them.

    Returns
    -------
    Recipe
    """
    yes, no = check_answers(accept), check_answers(reject)
    return dataclasses.replace(recipe, accept=(recipe.accept - no) | yes, reject=(recipe.reject - yes) | no)
