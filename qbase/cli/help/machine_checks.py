"""What ``qbase doctor`` looks at; every finding comes with its fix."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import locale
import os
import pathlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Literal

from packaging.requirements import Requirement

from qbase.core.errors import QbaseError
from qbase.core.lazy import VERSION
from qbase.core.text import Text, same

State = Literal["good", "bad", "free"]
MARKS: dict[State, str] = {"good": "[✓]", "bad": "[!]", "free": "[–]"}
SAMPLE = "产业集群质量优质产品生产基地合格率 −1.2～3.4 个百分点"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    name, text : Text
        What was looked at, and what was found.
    state : {"good", "bad", "free"}
        Well, to be fixed, or optional and absent.
    fix : str
        What to type; empty when all is well.
    """

    name: Text
    text: Text
    state: State = "good"
    fix: str = ""

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name.payload(), "state": self.state, "text": self.text.payload(), "fix": self.fix}


def examine(home: pathlib.Path | None) -> list[Finding]:
    """Look at the machine: Python, libraries, kernel, font, encoding, workspace, ledger, browser."""
    looks: tuple[Callable[[], Finding], ...] = (
        look_at_python,
        look_at_libraries,
        look_at_kernel,
        look_at_font,
        look_at_encoding,
        lambda: look_at_workspace(home),
        lambda: look_at_ledger(home),
        look_at_browser,
    )
    return [look() for look in looks]


def look_at_python() -> Finding:
    """Say which Python and machine this is."""
    machine = f"qbase {VERSION} · Python {platform.python_version()} · {sys.platform} {platform.machine()}"
    cores = os.cpu_count() or 1
    free = shutil.disk_usage(pathlib.Path.cwd()).free // 2**30
    text = Text(f"{machine} · {cores} 核 · {free} GB 空闲", f"{machine} · {cores} cores · {free} GB free")
    good = sys.version_info >= (3, 11)
    return Finding(
        name=Text("环境", "machine"), text=text, state="good" if good else "bad", fix="" if good else "3.11+"
    )


def look_at_libraries() -> Finding:
    """Compare the libraries installed with the versions qbase asks for."""
    wrong, found = [], []
    for wanted in requirements():
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} – ({wanted.specifier})")
            continue
        found.append(f"{wanted.name} {version}")
        if version not in wanted.specifier:
            wrong.append(f"{wanted.name} {version} ({wanted.specifier})")
    shown = [f for f in found if f.split()[0] in {"pandas", "statsmodels", "pyfixest", "duckdb", "papermill"}]
    name = Text("依赖", "libraries")
    if wrong:
        return Finding(name=name, text=same(" · ".join(wrong)), state="bad", fix="pip install -e .")
    rest = len(found) - len(shown)
    text = Text(" · ".join(shown) + f" · 另 {rest} 个", " · ".join(shown) + f" · {rest} more")
    return Finding(name=name, text=text)


def requirements() -> list[Requirement]:
    """Return what qbase needs to run on this Python, extras left out."""
    found = map(Requirement, importlib.metadata.requires("qbase") or [])
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]


def look_at_kernel() -> Finding:
    """See that notebooks can run on this very Python."""
    name = Text("内核", "kernel")
    try:
        importlib.import_module("ipykernel.kernelapp")
        importlib.import_module("nbclient")
    except ImportError as error:
        return Finding(name=name, text=same(str(error)), state="bad", fix="pip install ipykernel nbclient")
    version = importlib.metadata.version("ipykernel")
    return Finding(name=name, text=Text(f"ipykernel {version}（同一环境）", f"ipykernel {version} (this environment)"))


def look_at_font() -> Finding:
    """Prove the Chinese font: every character of a sample is in it, and the sample can be drawn."""
    from qbase.core.shown.fonts import FAMILY, PACKAGE, font_file, missing_glyphs

    name = Text("中文字体", "Chinese font")
    fix = f"pip install --force-reinstall {PACKAGE}"
    try:
        missing = missing_glyphs(SAMPLE)
        inked = draws(SAMPLE, font_file())
    except (QbaseError, OSError, RuntimeError) as error:
        found = error.found if isinstance(error, QbaseError) else str(error)
        return Finding(name=name, text=same(found), state="bad", fix=fix)
    if missing or not inked:
        text = Text(f"{FAMILY} 缺字：{''.join(missing)}", f"{FAMILY} lacks: {''.join(missing)}")
        return Finding(name=name, text=text, state="bad", fix=fix)
    return Finding(name=name, text=Text(f"{FAMILY}；试绘“{SAMPLE}”无缺字", f"{FAMILY}; drew “{SAMPLE}”, none missing"))


def draws(text: str, font: pathlib.Path) -> bool:
    """Return whether the outlines of a text in a font hold ink for every visible character."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    properties = FontProperties(fname=str(font))
    return all(len(TextPath((0, 0), c, size=10, prop=properties).vertices) > 0 for c in text if not c.isspace())


def look_at_encoding() -> Finding:
    """See that Chinese survives on the terminal and in file names."""
    terminal = (sys.stdout.encoding or "").lower().replace("-", "")
    files = sys.getfilesystemencoding().lower().replace("-", "")
    spoken = ".".join(filter(None, locale.getlocale())) or "C"
    text = same(f"{sys.stdout.encoding} · {sys.getfilesystemencoding()} · {spoken}")
    good = terminal in {"utf8", "gbk", "gb18030", "cp936"} and files == "utf8"
    fix = "" if good else "export PYTHONUTF8=1"
    return Finding(name=Text("编码", "encoding"), text=text, state="good" if good else "bad", fix=fix)


def look_at_workspace(home: pathlib.Path | None) -> Finding:
    """See that there is a workspace, and whether it can be written to: one that cannot is still read."""
    from qbase.lake import open_workspace

    name = Text("工作区", "workspace")
    try:
        root = open_workspace(home).root
    except QbaseError as error:
        return Finding(name=name, text=same(error.found), state="free", fix="qbase new NAME")
    for folder in (root / "data", root / "reports"):
        place = folder if folder.is_dir() else root
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            text = Text(
                f"{root} 只能读（{place}：{error.strerror}）", f"{root} can only be read ({place}: {error.strerror})"
            )
            return Finding(name=name, text=text, state="free", fix=f"chmod u+w {place}")
    return Finding(name=name, text=Text(f"{root} 可写", f"{root} is writable"))


def look_at_ledger(home: pathlib.Path | None) -> Finding:
    """Say where the ledger of the workspace is, and see that it answers."""
    from qbase.lake import find_ledger, open_workspace

    name = Text("账本", "ledger")
    try:
        workspace = open_workspace(home)
    except QbaseError:
        return Finding(name=name, text=Text("还没有工作区", "no workspace yet"), state="free")
    try:
        place = find_ledger(workspace)
    except QbaseError as error:
        text = Text(f"{error.what_zh}：{error.found}", f"{error.what_en}: {error.found}")
        return Finding(name=name, text=text, state="bad", fix=error.fix)
    if not place.rows:
        return Finding(name=name, text=Text(f"{place.address}，还是空的", f"{place.address}, empty yet"))
    held = tuple(place.rows[table] for table in ("snapshots", "deliveries", "runs"))
    return Finding(
        name=name,
        text=Text(
            "{}：{:,} 个数据版本，{:,} 次送达，{:,} 次运行".format(place.address, *held),
            "{}: {:,} snapshots, {:,} deliveries, {:,} runs".format(place.address, *held),
        ),
    )


def look_at_browser() -> Finding:
    """Look for a browser; only the tests and PDF need one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    name = Text("浏览器", "browser")
    if found:
        return Finding(name=name, text=same(found))
    text = Text("未找到 chromium（可选：测试与 PDF）", "no chromium (optional: tests and PDF)")
    return Finding(name=name, text=text, state="free", fix="apt install chromium")
