"""JupyterLab over a workspace: this machine alone, a token, settings of its own."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.explore.jupyter.lab_settings import write_settings
from qbase.explore.jupyter.lab_versions import check_versions

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace

HERE = "127.0.0.1"
PORT = 8888
NO_TOKEN = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE")


def run_lab(
    workspace: Workspace,
    *,
    lang: Lang = "zh",
    ip: str = HERE,
    port: int = PORT,
    opens_browser: bool = True,
    is_for_others: bool = False,
    more: Sequence[str] = (),
) -> None:
    """Run JupyterLab with a workspace open until it is ended.

    Parameters
    ----------
    workspace : Workspace
        What is open.
    lang : {"zh", "en"}
        Of the interface, and what figures and tables show first.
    ip : str
        Address to listen on.
    port : int
        0 takes a free one; where it is taken, the next free one serves.
    opens_browser : bool
        Whether a browser is opened.
    is_for_others : bool
        Whether an address that other machines reach is meant.
    more : sequence of str
        Further words for JupyterLab; what is said here wins over them.

    Raises
    ------
    UsageError
        The address is reached by other machines, which was not asked for, or is none (QB974).
    SetupError
        JupyterLab is missing or too old (QB971, QB972), or its settings cannot be written (QB973).

    Examples
    --------
    >>> from qbase.explore import run_lab
    >>> from qbase.lake import open_workspace
    >>> run_lab(open_workspace(), ip="0.0.0.0")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB974] JupyterLab would be open to other machines at 0.0.0.0
    ...
    """
    check_address(ip, is_for_others)
    check_versions()
    environment = write_settings(workspace, lang)
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.update(environment)
    for name in NO_TOKEN:
        if not os.environ.get(name):
            # an empty one would switch the token off
            os.environ.pop(name, None)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(argv=lab_words(workspace, ip=ip, port=port, opens_browser=opens_browser, more=more))


def check_address(ip: str, is_for_others: bool) -> None:
    """Refuse an address that other machines reach, unless it is meant.

    Parameters
    ----------
    ip : str
        Address to listen on.
    is_for_others : bool
        Whether it is meant.

    Raises
    ------
    UsageError
        It is, and was not meant, or is no address (QB974).
    """
    try:
        is_here = ip == "localhost" or ipaddress.ip_address(ip).is_loopback
    except ValueError:
        is_here = False
    if not is_here and not is_for_others:
        fix = f"qbase lab        (or, where other machines are meant: qbase lab --ip {ip} --open-to-others)"
        raise UsageError("QB974", ip=ip, found=f"--ip {ip}", expected=HERE, fix=fix)


def lab_words(workspace: Workspace, *, ip: str, port: int, opens_browser: bool, more: Sequence[str] = ()) -> list[str]:
    """Return the words JupyterLab is started with.

    Parameters
    ----------
    workspace, ip, port, opens_browser, more
        As for `run_lab`.
    """
    words = [
        *more,
        f"--ServerApp.root_dir={workspace.root}",
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={opens_browser}",
    ]
    # inside a container there is often nobody but root
    return [*words, "--ServerApp.allow_root=True"] if hasattr(os, "geteuid") and os.geteuid() == 0 else words
