"""The tiles of JupyterLab's launcher: new letters, the explorer, loading a delivery.

JupyterLab takes tiles from extensions in the browser alone. Ours is one script as it stands, without a build: it speaks
the two calls (`init`, `get`) by which JupyterLab loads any extension, and borrows the launcher from it.
"""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from qbase.core.lazy import VERSION
from qbase.core.text import Text
from qbase.explore.workspace_making import build_notebook, fill_spec, read_template

if TYPE_CHECKING:
    from qbase.core.errors import Lang

EXTENSION = "qbase-tiles"
SCRIPT = "remoteEntry.js"
STEM = "@STEM@"
CATEGORY = "qbase"
TILES: tuple[tuple[str, str, Text], ...] = (
    ("trends", "↗", Text("新建走势信", "New trends letter")),
    ("effects", "Δ", Text("新建效果信", "New effects letter")),
    ("scorecard", "◆", Text("新建评分卡", "New scorecard")),
    ("explorer", "⌕", Text("看数工具", "Explorer")),
    ("delivery", "⇩", Text("载入收到的文件", "Load a delivery")),
)
STANDING = {"explorer": "notebooks/01_explorer.ipynb"}
"""What a tile opens instead of writing it anew, where the workspace has it."""


def build_extension(lang: Lang) -> dict[str, str]:
    """Build the files of the extension that shows the tiles.

    Parameters
    ----------
    lang : {"zh", "en"}
        Of their names.

    Returns
    -------
    dict of str to str
        Path below the folder of the extension -> text.

    Examples
    --------
    >>> from qbase.explore.jupyter.lab_tiles import build_extension
    >>> sorted(build_extension("zh"))
    ['package.json', 'static/remoteEntry.js']
    """
    script = resources.files("qbase.explore.jupyter.tiles").joinpath("launcher_tiles.js").read_text(encoding="utf-8")
    shown = [tile_payload(name, sign, label[lang]) for name, sign, label in TILES]
    # </script> and line separators cannot stand in a script as they are
    data = json.dumps({"category": CATEGORY, "extension": EXTENSION, "stem": STEM, "tiles": shown}).replace(
        "</", "<\\/"
    )
    package = {
        "name": EXTENSION,
        "version": VERSION,
        "description": "Tiles of the launcher",
        "license": "MIT",
        "jupyterlab": {"extension": True, "_build": {"load": f"static/{SCRIPT}", "extension": "./extension"}},
    }
    return {"package.json": json.dumps(package, indent=1) + "\n", f"static/{SCRIPT}": script.replace("/*DATA*/", data)}


def tile_payload(name: str, sign: str, label: str) -> dict[str, Any]:
    """Return what a tile says and writes: a notebook, and the specification where it is a letter."""
    template = _read(name)
    payload: dict[str, Any] = {
        "name": name,
        "sign": sign,
        "label": label,
        "notebook": build_notebook(template),
        "standing": STANDING.get(name, ""),
        "spec": "",
    }
    if "spec" in template:
        written = fill_spec(template, "", "base")
        payload["spec"] = written.replace(f'"notebooks/{template["notebook"]}"', f'"notebooks/{STEM}.ipynb"')
    return payload


def _read(name: str) -> dict[str, Any]:
    own = resources.files("qbase.explore.jupyter.tiles").joinpath(f"{name}.toml")
    return tomllib.loads(own.read_text(encoding="utf-8")) if own.is_file() else read_template(name)
