"""The first page of help, written from the table of verbs: neither typer nor a command is imported for it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from qbase.cli.speaking.language import part
from qbase.cli.speaking.option_words import OPTIONS

if TYPE_CHECKING:
    from qbase.core.errors import Lang

Sections: TypeAlias = Mapping[str, Mapping[str, tuple[str, str, str]]]
"""Subject -> verb -> (module below `qbase.cli`, function, summary); subject and summary ``中文 | English``."""

ABOUT = "产业集群质量研究工作台 | A workbench for the quality of industrial clusters"
USAGE = "Usage: qbase [OPTIONS] COMMAND [ARGS]..."
NARROWEST, WIDEST = 50, 78


def is_asked(words: Sequence[str]) -> bool:
    """Return whether a call is plainly for the first page: no word, ``--help``, ``--lang``, nothing else."""
    left = iter(words)
    asked = (f"{word}={next(left, '')}" if word == "--lang" else word for word in left)
    return all(word in {"--help", "--lang=zh", "--lang=en"} for word in asked)


def write_first_page(sections: Sections, lang: Lang, *, columns: int | None = None) -> str:
    """Return the first page of help.

    Parameters
    ----------
    sections : mapping
        The table of verbs.
    lang : {"zh", "en"}
        Its language.
    columns : int, optional
        Width of the terminal; that of this one by default.

    Returns
    -------
    str
        Laid out as typer lays out the help of a command, without a last line break.
    """
    width = max(NARROWEST, min(WIDEST, (columns or shutil.get_terminal_size().columns) - 2))
    lines = [USAGE, "", *_wrap(part(ABOUT, lang), width - 2, "  ")]
    options = [(f"{name} {value}".rstrip(), part(words, lang)) for name, (value, words) in OPTIONS.items()]
    lines += ["", "Options:", *_list(options, width)]
    for title, verbs in sections.items():
        summaries = [(name, part(summary, lang)) for name, (_, _, summary) in verbs.items()]
        lines += ["", f"{part(title, lang)}:", *_list(summaries, width)]
    return "\n".join(lines)


def _list(rows: Sequence[tuple[str, str]], width: int) -> Iterable[str]:
    column = max(len(name) for name, _ in rows) + 2
    for name, words in rows:
        first, *more = _wrap(words, width - column - 2, "")
        yield f"  {name:<{column}}{first}"
        yield from (f"  {'':<{column}}{line}" for line in more)


def _wrap(words: str, width: int, indent: str) -> list[str]:
    return [indent + line for line in textwrap.wrap(words, width)]
