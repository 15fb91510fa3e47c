"""What the options of every call are called and mean, as text alone: the first page of help needs no typer."""

from __future__ import annotations

OPTIONS = {
    "--home": (
        "DIR",
        "工作区（默认 $QBASE_HOME，否则向上最近的含 reports/specs 的文件夹） | "
        "workspace (default $QBASE_HOME, else the nearest folder upward with reports/specs)",
    ),
    "--json": ("", "在标准输出给出一个 JSON 文档 | one JSON document on stdout"),
    "--quiet": ("", "不显示进度 | no progress on stderr"),
    "--lang": ("<zh|en>", "语言（默认取自 LANG） | language (default from LANG)"),
    "--version": ("", "版本 | version"),
    "--install-completion": ("", "为这个 shell 装上按 Tab 补全 | install completion by Tab for this shell"),
    "--show-completion": ("", "显示补全的脚本 | show its script, to copy or adapt"),
    "--help": ("", "Show this message and exit."),
}
"""Option -> what stands behind it, and its help, ``中文 | English``."""
