"""The command ``qbase`` for typer: of all verbs only the one that is called is imported and built."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from qbase.cli.speaking.first_page import ABOUT, Sections, write_first_page
from qbase.cli.speaking.language import SEPARATOR, part
from qbase.cli.speaking.option_words import OPTIONS
from qbase.cli.speaking.plain_values import stand_before
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech, Version
from qbase.cli.speaking.shell import shell_of
from qbase.core.errors import Lang, UsageError
from qbase.core.lazy import VERSION

ROOM = "qbase.cli"


class Verbs(Mapping[str, Any]):
    """Verb -> command, built when it is looked up.

    Parameters
    ----------
    sections : mapping
        The table of verbs.
    lang : {"zh", "en"}
        Language of their help.
    """

    def __init__(self, sections: Sections, lang: Lang) -> None:
        self.sections, self.lang = sections, lang
        self._rows = {name: row for verbs in sections.values() for name, row in verbs.items()}

    def __getitem__(self, name: str) -> Any:
        module, function, summary = self._rows[name]
        app = _app()
        app.command(name, cls=VerbCommand, help=summary)(getattr(importlib.import_module(f"{ROOM}.{module}"), function))
        return _translated(typer.main.get_command(app), self.lang)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows


class VerbCommand(TyperCommand):
    """One verb."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return options and arguments, whose plain values need no judge."""
        return stand_before(super().get_params(ctx))


class VerbGroup(TyperGroup):
    """Lists the verbs from their table, and answers a misspelt one with the four lines."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the verb, whose plain values need no judge."""
        return stand_before(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the verbs; none is built for it."""
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command or say which one was meant (QB901).

        Raises
        ------
        UsageError
            There is no such command (QB901).
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.commands, n=1)
            raise UsageError(
                "QB901",
                word=args[0],
                found=f"qbase {args[0]}",
                expected=" · ".join(self.commands),
                fix=f"qbase {' '.join([near[0], *args[1:]])}" if near else "qbase --help",
            )
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """Return the first page of help."""
        verbs: Any = self.commands
        return write_first_page(verbs.sections, verbs.lang)


def call_verb(sections: Sections, words: Sequence[str], lang: Lang) -> int:
    """Run the verb of a call and return its exit code; errors pass.

    Parameters
    ----------
    sections : mapping
        The table of verbs.
    words : sequence of str
        Words after ``qbase``.
    lang : {"zh", "en"}
        Language of help.
    """
    code = build_group(sections, lang).main(args=list(words), prog_name="qbase", standalone_mode=False)
    return code if isinstance(code, int) else 0


def build_group(sections: Sections, lang: Lang) -> Any:
    """Return the command ``qbase`` with its help in one language."""
    app = _app(cls=VerbGroup, help=ABOUT, add_completion=True)
    app.callback(invoke_without_command=True)(_root)
    group: Any = typer.main.get_command(app)
    for option in group.params:
        # typer's own two, in its words
        option.help = OPTIONS.get(max(option.opts, key=len), ("", option.help))[1]
    group = _translated(group, lang)
    group.commands = Verbs(sections, lang)
    return group


def _app(**how: Any) -> typer.Typer:
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, **({"add_completion": False} | how))


def _translated(command: Any, lang: Lang) -> Any:
    command.help = part(command.help or "", lang)
    for option in command.params:
        if SEPARATOR in (getattr(option, "help", None) or ""):
            option.help = part(option.help, lang)
    return command


def _root(
    ctx: typer.Context,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
    version: Version = False,
) -> None:
    ctx.obj = shell_of(ctx, home, as_json, quiet, lang)
    if version:
        ctx.obj.out(f"qbase {VERSION}")
        ctx.obj.document({"qbase": VERSION})
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
