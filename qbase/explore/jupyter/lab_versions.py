"""Whether JupyterLab is there, and recent enough to be safe."""

from __future__ import annotations

from importlib import metadata

from qbase.core.errors import SetupError

NEEDED = {
    "jupyterlab": "4.6.6",
    "jupyter-server": "2.20.0",
    "nbconvert": "7.17.1",
    "mistune": "3.3.0",
    "ipywidgets": "8.1",
}
"""The first versions without the published weaknesses of those before them: scripts stored in a notebook that run in
the server's own name, files read through attachments."""
INSTALL = "python -m pip install --upgrade 'qbase[lab]'"


def check_versions(needed: dict[str, str] | None = None) -> dict[str, str]:
    """Check that JupyterLab and its server are installed and not too old.

    Parameters
    ----------
    needed : dict of str to str or None
        Package -> first version that will do; those of the house when None.

    Returns
    -------
    dict of str to str
        Package -> version installed.

    Raises
    ------
    SetupError
        One is not installed (QB971), or too old (QB972).

    Examples
    --------
    >>> from qbase.explore.jupyter.lab_versions import check_versions
    >>> check_versions({"nbconvert": "99"})
    Traceback (most recent call last):
        ...
    qbase.core.errors.SetupError: error[QB972] nbconvert is too old to serve notebooks safely
    ...
    """
    from packaging.version import Version

    found: dict[str, str] = {}
    for name, first in (NEEDED if needed is None else needed).items():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise SetupError(
                "QB971", found=f"no package {name}", expected="qbase with its extra lab", fix=INSTALL
            ) from None
        if Version(found[name]) < Version(first):
            raise SetupError(
                "QB972", package=name, found=f"{name} {found[name]}", expected=f"{name} >= {first}", fix=INSTALL
            )
    return found
