"""The options every command takes."""

from __future__ import annotations

import pathlib
from typing import Annotated, Literal

import typer

Home = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="工作区（默认 $QBASE_HOME，否则向上最近的含 reports/specs 的文件夹） | "
        "workspace (default $QBASE_HOME, else the nearest folder upward with reports/specs)",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="在标准输出给出一个 JSON 文档 | one JSON document on stdout")]
Quiet = Annotated[bool, typer.Option("--quiet", help="不显示进度 | no progress on stderr")]
Speech = Annotated[
    Literal["zh", "en"] | None,
    typer.Option("--lang", help="语言（默认取自 LANG） | language (default from LANG)"),
]
