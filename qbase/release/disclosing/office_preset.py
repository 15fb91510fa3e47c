"""Which preset an office publishes under: one for all its pages, as two side by side would tell more than either."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from qbase.core.errors import DataError
from qbase.release.disclosing.disclosure_presets import list_disclosure_presets

if TYPE_CHECKING:
    from qbase.lake import Workspace

FILE = "release.toml"
DEFAULT = "cn_default"


def read_office_preset(workspace: Workspace) -> str:
    """Return the preset of disclosure control of a workspace.

    Parameters
    ----------
    workspace : Workspace
        May have a file ``release.toml`` with one line, ``preset = "opensafely"``.

    Returns
    -------
    str
        ``cn_default`` where there is no such file.

    Raises
    ------
    DataError
        The file cannot be read, says something else, or names no preset (QB716).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import read_office_preset
    >>> read_office_preset(open_workspace())
    'cn_default'
    """
    path = workspace.root / FILE
    if not path.exists():
        return DEFAULT
    known = list_disclosure_presets()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _bad(str(problem), known) from problem
    if set(told) != {"preset"} or told["preset"] not in known:
        raise _bad(", ".join(f"{key} = {value!r}" for key, value in told.items()) or "an empty file", known)
    return str(told["preset"])


def _bad(found: str, known: list[str]) -> DataError:
    return DataError(
        "QB716", found=found, expected=" | ".join(f'preset = "{name}"' for name in known), fix=f"edit {FILE}"
    )
