"""The options every command takes."""

from __future__ import annotations

import pathlib
from typing import Annotated, Literal

import typer

from qbase.cli.speaking.option_words import OPTIONS

Home = Annotated[pathlib.Path | None, typer.Option("--home", metavar=OPTIONS["--home"][0], help=OPTIONS["--home"][1])]
AsJson = Annotated[bool, typer.Option("--json", help=OPTIONS["--json"][1])]
Quiet = Annotated[bool, typer.Option("--quiet", help=OPTIONS["--quiet"][1])]
Speech = Annotated[Literal["zh", "en"] | None, typer.Option("--lang", help=OPTIONS["--lang"][1])]
Version = Annotated[bool, typer.Option("--version", help=OPTIONS["--version"][1])]
OnCluster = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="在 Dask 的工作进程上运行，如 tcp://主机:8786（代替 --jobs） | "
        "run on the workers of a Dask scheduler, tcp://HOST:8786 (instead of --jobs)",
    ),
]
