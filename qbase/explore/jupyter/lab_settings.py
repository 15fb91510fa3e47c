"""The private settings of JupyterLab over one workspace: nothing of the user's own is read or changed."""

from __future__ import annotations

import json
import pathlib
import shutil
import sys
from typing import TYPE_CHECKING, Any

from qbase.core.errors import SetupError
from qbase.core.whole_files import write_atomic
from qbase.explore.jupyter.lab_tiles import EXTENSION, build_extension

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace

FOLDER = ".qbase/lab"
LOCALES: dict[Lang, str] = {"zh": "zh_CN", "en": "en"}
OFF = ("@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension:plugin")


def write_settings(workspace: Workspace, lang: Lang) -> dict[str, str]:
    """Write the settings below the workspace and return the environment that makes JupyterLab read them alone.

    Parameters
    ----------
    workspace : Workspace
        Gets the folder *.qbase/lab*, which keeps itself out of a version control.
    lang : {"zh", "en"}
        Of the interface.

    Returns
    -------
    dict of str to str
        Name -> value.

    Raises
    ------
    SetupError
        The folder cannot be written (QB973).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.explore.jupyter.lab_settings import write_settings
    >>> from qbase.lake import open_workspace
    >>> environment = write_settings(open_workspace(), "zh")
    >>> config = pathlib.Path(environment["JUPYTER_CONFIG_DIR"])
    >>> (config / "labconfig/default_setting_overrides.json").read_text("utf-8").count("zh_CN")
    1
    """
    folder = workspace.root / FOLDER
    files: dict[str, Any] = {
        "config/jupyter_server_config.json": _server(folder),
        "config/jupyter_lab_config.json": _server(folder),
        "config/labconfig/page_config.json": {"disabledExtensions": dict.fromkeys(OFF, True)},
        "config/labconfig/default_setting_overrides.json": _overrides(lang),
        "data/kernels/python3/kernel.json": _kernel(),
    }
    try:
        write_atomic(workspace.root / ".qbase" / ".gitignore", "*\n")
        for name, value in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / name, json.dumps(value, ensure_ascii=False, indent=1) + "\n")
        shutil.rmtree(folder / "labextensions", ignore_errors=True)
        for path, text in build_extension(lang).items():
            target = folder / "labextensions" / EXTENSION / path
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, text)
        for name in ("settings", "workspaces", "runtime"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            "QB973",
            found=f"{error.strerror or type(error).__name__}: {FOLDER}",
            expected="a workspace folder that can be written",
            fix="correct the permissions of the folder, or work in a copy of it",
        ) from error
    return {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_NO_CONFIG": "",
        "JUPYTER_PATH": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "QBASE_HOME": str(workspace.root),
        "QBASE_LANG": lang,
    }


def _server(folder: pathlib.Path) -> dict[str, Any]:
    return {
        "LabApp": {
            "extra_labextensions_path": [str(folder / "labextensions")],
            "extension_manager": "readonly",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        },
        "LabServerApp": {"allowed_extensions_uris": "", "blocked_extensions_uris": ""},
    }


def _overrides(lang: Lang) -> dict[str, Any]:
    return {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/translation-extension:plugin": {"locale": LOCALES[lang]},
    }


def _kernel() -> dict[str, Any]:
    """Return the kernel of this very Python, under the name the letters ask for."""
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "qbase",
        "language": "python",
        "metadata": {"debugger": True},
    }
