"""Short names of questions: the same in every run, free of quotes and of Chinese, so that scripts can say them."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from qbase.core.errors import DataError
from qbase.core.text import Text

if TYPE_CHECKING:
    from qbase.intake.recipes.recipe_model import Recipe

Read = TypeVar("Read")
SHOWN = 5
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_ID = re.compile(r"[a-z_]+(?::[A-Za-z0-9_.-]{1,40}){2,}")


def question_id(key: str) -> str:
    """Return the id of a question: its kind, what can be typed as it stands, and six digits for what cannot."""
    kind, _, rest = key.partition(":")
    left, _, right = rest.rpartition("=")
    plain = [part for part in (left, right) if part and _PLAIN.fullmatch(part)]
    other = [
        hashlib.sha256(part.encode()).hexdigest()[:6] for part in (left, right) if part and not _PLAIN.fullmatch(part)
    ]
    return ":".join([kind, *plain, *other])


def is_question_id(answer: str) -> bool:
    """Say whether an answer is written as an id of two parts or more."""
    return _ID.fullmatch(answer) is not None


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

    @property
    def id(self) -> str:
        """What `--accept` or `--reject` takes as well: ``column:sample_no:83412a``."""
        return question_id(self.key)

    def payload(self) -> dict[str, str]:
        """Return plain values for JSON."""
        return {"id": self.id, "answer": self.key, "text_zh": self.text.zh, "text_en": self.text.en}


class UndecidedError(DataError):
    """A file cannot be read before somebody decides something.

    Parameters
    ----------
    code, **facts
        As for every error of qbase.
    questions : sequence of Question
        What is to be decided.
    """

    def __init__(self, code: str, *, questions: Sequence[Question], **facts: Any) -> None:
        super().__init__(code, **facts)
        self.table = str(facts.get("table", ""))
        self.questions = tuple(questions)

    def payload(self) -> dict[str, Any]:
        """Return the error as plain values, its questions among them."""
        return {**super().payload(), "questions": [question.payload() for question in self.questions]}


def answer_by_id(recipe: Recipe, questions: Iterable[Question]) -> Recipe:
    """Return a recipe in which the ids of these questions became the answers they stand for."""
    keys = {question.id: question.key for question in questions}
    yes, no = (frozenset(keys.get(answer, answer) for answer in given) for given in (recipe.accept, recipe.reject))
    return dataclasses.replace(recipe, accept=yes, reject=no)


def read_answered(read: Callable[[Recipe], Read], recipe: Recipe) -> tuple[Read, Recipe]:
    """Read with the answers of a recipe; a question whose id is among them is answered as soon as it comes up.

    Returns
    -------
    tuple of (what was read, Recipe)
        The recipe holds the answers in full.

    Raises
    ------
    UndecidedError
        A question nobody answered.
    """
    while True:
        try:
            return read(recipe), recipe
        except UndecidedError as asked:
            answered = answer_by_id(recipe, asked.questions)
            if answered == recipe:
                raise
            recipe = answered


def open_ids(recipe: Recipe) -> list[str]:
    """Return the ids among the answers of a recipe that stand for no question so far.

    Contracts are compared after the file is read, and the id of that question says all there is to say.
    """
    given = recipe.accept | recipe.reject
    return sorted(a for a in given if "=" not in a and is_question_id(a) and not a.startswith("contract:"))


def check_no_open_ids(recipe: Recipe, file: str, questions: Iterable[Question] = ()) -> None:
    """Refuse an id that no question of a file has.

    Raises
    ------
    DataError
        With the ids that come nearest (QB390).
    """
    left = open_ids(recipe)
    if not left:
        return
    asked = [question.id for question in questions]
    settled = [question_id(answer) for answer in sorted(recipe.accept | recipe.reject) if answer not in left]
    near = difflib.get_close_matches(left[0], [*asked, *settled], n=SHOWN, cutoff=0.3)
    raise DataError(
        "QB390",
        file=file,
        answer=left[0],
        found=", ".join(left),
        expected=" | ".join(asked or near) or "-",
        fix=f"qbase load FILE --accept {near[0]}" if asked and near else "qbase load FILE",
    )
