"""What qbase will not guess: a question, and the flag that answers it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from typing import NoReturn

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.intake.recipes import notice_lists
from qbase.intake.recipes.question_ids import Question as Question  # asked for here by those who ask
from qbase.intake.recipes.question_ids import UndecidedError, is_question_id, question_id
from qbase.intake.recipes.recipe_model import Recipe
from qbase.tables import Contract, find_contract, find_contracts, list_contracts, normalise_header, read_contract

NEAR = 0.6
KINDS = (
    "column", "sheet", "contract", "unit_line", "share", "numerator_only", "towns", "clusters", "nothing", "midnight",
    "year", "continues", "recheck",
)  # fmt: skip
TOWN_LINKS = "town_links"
"""Kind of the questions that are not about a file: their answers go into a diary, and into no recipe."""
PAIRS = ("column", "sheet", "contract", "nothing", "year")


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
    raise UndecidedError(
        "QB360",
        questions=questions,
        table=table,
        count=len(questions),
        found="; ".join(_say(question) for question in questions),
        expected=" | ".join(f"--accept {question.id}" for question in questions) + " | --reject …",
        fix=f"qbase load FILE {flags}",
    )


def ask_which(sheet: str, tables: Sequence[str]) -> NoReturn:
    """Raise because a sheet fits several tables equally well: one of them has to be accepted.

    Raises
    ------
    DataError
        With one answer per table (QB360).
    """
    questions = [Question(key=f"sheet:{sheet}={table}", text=read_contract(table).name_text) for table in tables]
    ask_one(questions, " / ".join(tables))


def ask_one(questions: Sequence[Question], table: str) -> NoReturn:
    """Raise because one of several answers has to be accepted.

    Raises
    ------
    DataError
        With all of them; the flag shown accepts the first (QB360).
    """
    raise UndecidedError(
        "QB360",
        questions=questions,
        table=table,
        count=1,
        found="; ".join(_say(question) for question in questions),
        expected=" | ".join(f'--accept "{question.key}"' for question in questions),
        fix=f'qbase load FILE --accept "{questions[0].key}"',
    )


def _say(question: Question) -> str:
    id_first = "" if question.id == question.key else f"{question.id}: "
    return f"{id_first}{question.key} ({question.text.zh} / {question.text.en})"


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
        return find_contract(headers) or (notice_lists.TABLE if notice_lists.is_notice(headers) else None)
    said = sorted(a.removeprefix(f"sheet:{sheet}=") for a in recipe.accept if a.startswith(f"sheet:{sheet}="))
    fitting = said or [t for t in find_contracts(headers) if f"sheet:{sheet}={t}" not in recipe.reject]
    if len(fitting) > 1:
        ask_which(sheet, fitting)
    if not fitting and notice_lists.is_notice(headers):
        return notice_lists.TABLE
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
        An unknown kind (QB361), or a column no table has (QB391).
    """
    given = frozenset(answers)
    for answer in sorted(given):
        kind, colon, rest = answer.partition(":")
        sound = kind in KINDS and (kind not in PAIRS or ("=" in rest and colon) or is_question_id(answer))
        if not sound:
            near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.4)
            raise UsageError(
                "QB361",
                answer=answer,
                found=answer,
                expected="column:HEADER=COLUMN | sheet:SHEET=TABLE | contract:TABLE=VERSION | unit_line:UNIT | "
                "share:COLUMN | numerator_only | towns:NAME+NAME | clusters:TOWN 28+TOWN 28 | nothing:COLUMN=WORD | "
                "midnight:COLUMN | year:FILE=YYYY | continues:SHEET | recheck:SIGN | "
                "town_links:MADE:OFFICIAL | KIND:ID",
                fix=f"--accept {near[0] if near else KINDS[0]}…",
            )
        if kind == "column" and "=" in rest:
            _check_column(answer, rest.rpartition("=")[2])
    return given


def _check_column(answer: str, column: str) -> None:
    """Refuse an answer that takes a header for a column no table has."""
    known = sorted({name for table in list_contracts() for name in read_contract(table).column_names})
    if column not in known:
        near = difflib.get_close_matches(column, known, n=3, cutoff=0.4)
        raise UsageError(
            "QB391",
            answer=answer,
            column=column,
            found=answer,
            expected=" | ".join(near or known[:12]),
            fix=f'--accept "{answer.rpartition("=")[0]}={near[0]}"' if near else "qbase table",
        )


def part_answers(answers: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the answers about files, and those about towns."""
    given = tuple(answers)
    of_towns = tuple(answer for answer in given if answer.startswith(f"{TOWN_LINKS}:"))
    return tuple(answer for answer in given if answer not in of_towns), of_towns


def with_answers(recipe: Recipe, accept: Iterable[str], reject: Iterable[str]) -> Recipe:
    """Return a recipe with further answers; what is said last holds.

    Parameters
    ----------
    recipe : Recipe
        With the answers given before.
    accept, reject : iterable of str
        As `check_answers` takes them; the id of a question answered before stands for it.

    Returns
    -------
    Recipe
    """
    known = {question_id(answer): answer for answer in recipe.accept | recipe.reject}
    yes, no = (frozenset(known.get(a, a) for a in check_answers(given)) for given in (accept, reject))
    return dataclasses.replace(recipe, accept=(recipe.accept - no) | yes, reject=(recipe.reject - yes) | no)


def accepted_names(recipe: Recipe, kind: str) -> frozenset[str]:
    """Return the names that answers of a kind agree to, such as ``towns:石桥镇+河口镇``."""
    return _names_of(recipe.accept, kind)


def rejected_names(recipe: Recipe, kind: str) -> frozenset[str]:
    """Return the names that answers of a kind refuse."""
    return _names_of(recipe.reject, kind)


def _names_of(answers: Iterable[str], kind: str) -> frozenset[str]:
    given = [answer.removeprefix(f"{kind}:") for answer in answers if answer.startswith(f"{kind}:")]
    return frozenset(name for names in given for name in names.split("+"))
