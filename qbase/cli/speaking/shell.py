"""What a command speaks through: results on stdout, everything else on stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from qbase.cli.speaking.aligned_text import table
from qbase.cli.speaking.language import part, pick_language
from qbase.core.errors import LABELS, Lang

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.running.claimed_run import Progress

STEPS = {
    "load": "载入 | load",
    "cells": "运行单元 | cells",
    "render": "生成页面 | render",
    "verify": "校验 | verify",
    "publish": "发布 | publish",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shell:
    """The manner of one call.

    Parameters
    ----------
    home : Path or None
        ``--home``.
    as_json, quiet : bool
        ``--json``, ``--quiet``.
    lang : {"zh", "en"}
        ``--lang``, else the locale's.
    page_lang : {"zh", "en"}
        What a page shows first: as ``lang``, but Chinese where nothing says.
    """

    home: pathlib.Path | None = None
    as_json: bool = False
    quiet: bool = False
    lang: Lang = "en"
    page_lang: Lang = "zh"

    def text(self, zh: str, en: str) -> str:
        """Return the text in the language of the call."""
        return zh if self.lang == "zh" else en

    def out(self, *lines: str) -> None:
        """Write result lines to stdout; with ``--json`` the document says it all."""
        if not self.as_json:
            for line in lines:
                typer.echo(line)

    def document(self, value: Mapping[str, Any]) -> None:
        """Write the result document to stdout when ``--json`` was asked."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))

    def rows(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """Write an aligned table to stdout."""
        self.out(*table(head, rows, right=right))

    def note(self, line: str) -> None:
        """Write one line of progress or remark to stderr, unless ``--quiet``."""
        if not self.quiet:
            typer.echo(line, err=True)

    def complain(self, error: Mapping[str, str]) -> None:
        """Write the four lines of an error to stderr; ``--quiet`` does not silence them, ``--json`` holds them."""
        if not self.as_json:
            typer.echo(four_lines(error, self.lang), err=True)

    def workspace(self) -> Workspace:
        """Open the workspace of the call."""
        from qbase.lake import open_workspace

        return open_workspace(self.home)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Give a callback (step, done, total): a bar on a terminal, else one plain line a step."""
        if self.quiet:
            yield lambda step, done, total: None
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            with _bar(title, self.lang) as report:
                yield report
        else:
            yield self._plain(title)

    def _plain(self, title: str) -> Progress:
        told: set[str] = set()

        def report(step: str, done: int, total: int) -> None:
            if step not in told:
                told.add(step)
                amount = f" {total}" if total > 1 else ""
                typer.echo(f"{title}  {part(STEPS.get(step, step), self.lang)}{amount}", err=True)

        return report


def four_lines(error: Mapping[str, str], lang: Lang) -> str:
    """Return the four lines of an error from its payload, as `QbaseError.render` writes them."""
    title, *labels = LABELS[lang]
    columns = 9 if lang == "en" else 5
    lines = [f"{title}[{error['code']}] {error[f'what_{lang}']}"]
    names = zip(labels, ("found", "expected", "fix"), strict=True)
    return "\n".join([*lines, *(f"  {label:<{columns}} {error[name]}" for label, name in names)])


@contextmanager
def _bar(title: str, lang: Lang) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)

        def report(step: str, done: int, total: int) -> None:
            words = part(STEPS.get(step, step), lang)
            bar.update(task, description=f"{title}  {words}", completed=done, total=total)

        yield report


def shell_of(context: typer.Context, home: pathlib.Path | None, as_json: bool, quiet: bool, lang: str | None) -> Shell:
    """Merge the options of a command with those given before it (``qbase --lang en list``)."""
    before: Shell = context.obj or Shell(
        lang=pick_language((), os.environ), page_lang=pick_language((), os.environ, otherwise="zh")
    )
    words = () if lang is None else ("--lang", lang)
    return Shell(
        home=home or before.home,
        as_json=as_json or before.as_json,
        quiet=quiet or before.quiet,
        lang=pick_language(words, {}, otherwise=before.lang),
        page_lang=pick_language(words, {}, otherwise=before.page_lang),
    )
