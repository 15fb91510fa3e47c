"""ipywidgets where it is installed, and choices as it takes them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from qbase.core.errors import SetupError
from qbase.core.markup import shown_language
from qbase.core.text import Text


def widgets() -> Any:
    """Return the library of widgets.

    Raises
    ------
    SetupError
        It is not installed (QB971).
    """
    try:
        return importlib.import_module("ipywidgets")
    except ImportError as error:
        raise SetupError(
            "QB971",
            found=f"no module {error.name}",
            expected="qbase with its extra lab",
            fix="python -m pip install 'qbase[lab]'",
        ) from error


def options(choices: Iterable[tuple[Text, Any]]) -> list[tuple[str, Any]]:
    """Return choices with their label in the language JupyterLab shows first; labels that repeat get their value."""
    told = [(label[shown_language()], value) for label, value in choices]
    labels = [label for label, _ in told]
    return [(label if labels.count(label) == 1 else f"{label} ({value})", value) for label, value in told]
