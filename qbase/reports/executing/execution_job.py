"""One execution of a notebook as values: what goes in, and what is known when it ends, however it ends."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from nbformat import NotebookNode

EngineName = Literal["kernel", "fork"]
ENGINES: tuple[EngineName, ...] = ("kernel", "fork")


@dataclasses.dataclass(kw_only=True)
class Job:
    """One execution: what goes in, and what is known when it ends, however it ends.

    Parameters
    ----------
    notebook : NotebookNode
        Source; papermill works on a copy.
    params : dict
        Values to inject, JSON types only.
    root : Path
        Working folder of the kernel.
    folder : Path
        Run folder; ``log.txt`` goes there.
    environment : mapping
        Added to the allowed part of this process's environment.
    seconds : int
        Limit of the whole run.
    output_mb : int
        Limit of what the cells may show; an execution far above it is ended.
    engine : {"kernel", "fork"}
        A kernel of its own, or a fork of a process that holds the libraries already.
    on_cell : callable
        Called with (cells begun, code cells).
    """

    notebook: NotebookNode
    params: dict[str, Any]
    root: pathlib.Path
    folder: pathlib.Path
    environment: Mapping[str, str]
    seconds: int
    output_mb: int = 0
    engine: EngineName = "kernel"
    on_cell: Callable[[int, int], None] = lambda done, total: None
    executed: NotebookNode | None = None
    running: int | None = None
    started: bool = False
    group: int | None = None
    shown: int = 0
    exceeded: bool = False
    thread_errors: list[dict[str, str]] = dataclasses.field(default_factory=list)
    exception: Exception | None = None
