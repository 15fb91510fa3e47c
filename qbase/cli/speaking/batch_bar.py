"""The bar of a batch on a terminal: how many are done, how many failed, how long it will take."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qbase.cli.speaking.shell import Shell

Advance = Callable[[bool], None]


@contextmanager
def batch_bar(shell: Shell, total: int) -> Iterator[Advance]:
    """Give a callback to be told of each run that ended, and whether it failed; silent where nobody watches."""
    if shell.quiet or shell.as_json or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda has_failed: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    failed, left = shell.text("失败", "failed"), shell.text("剩余", "left")
    columns = (
        TextColumn(shell.text("报告", "reports")),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(failed + " {task.fields[failed]}"),
        TextColumn(left),
        TimeRemainingColumn(),
    )
    # results go to stdout: where that is no terminal they must not be drawn into the one of the bar
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=total, failed=0)
        count = 0

        def advance(has_failed: bool) -> None:
            nonlocal count
            count += has_failed
            bar.update(task, advance=1, failed=count)

        yield advance
