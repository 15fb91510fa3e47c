"""Where a value is shown: inside a run or while exploring, and in which language."""

from __future__ import annotations

import os
from typing import Literal


def run_folder() -> str | None:
    """Return ``$QBASE_RUN_DIR``: set inside a run, None while exploring."""
    return os.environ.get("QBASE_RUN_DIR") or None


def shown_language() -> Literal["zh", "en"]:
    """Return the language JupyterLab shows first: ``$QBASE_LANG``, else Chinese."""
    return "en" if os.environ.get("QBASE_LANG", "zh").startswith("en") else "zh"
