"""Which paths can hold tables."""

from __future__ import annotations

import pathlib
import re

from qbase.core.errors import SetupError

# deltalake 1.6 turns paths into URLs: it decodes %41 twice and panics at [ ] ^ |; DuckDB expands * and ?.
_UNSTORABLE = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]|^\\*?]")


def check_path(root: pathlib.Path) -> pathlib.Path:
    """Return a path that can hold tables.

    Raises
    ------
    SetupError
        It holds a character that Delta or DuckDB takes for something else (QB212).
    """
    wrong = [match[0] for part in root.parts[1:] if (match := _UNSTORABLE.search(part))]
    if wrong:
        raise SetupError(
            "QB212",
            found=f"{wrong[0]} in {root}",
            expected="a path without [ ] ^ | * ? \\ and without % before two hexadecimal digits",
            fix="rename the folder, or choose another with --home DIR",
        )
    return root
