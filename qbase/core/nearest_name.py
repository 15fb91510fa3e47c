"""The nearest known name to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest_names(word: object, known: Iterable[str], *, shown: int = 8) -> str:
    """Return what to type instead: the nearest names, else the known names themselves.

    Parameters
    ----------
    word : str
        What was typed.
    known : iterable of str
        Names that exist.
    shown : int
        At most so many names when none is near.

    Returns
    -------
    str
        ``D1.batch?`` when one is near, else ``D1.batch | D1.firm``.
    """
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(str(word).casefold(), folded, n=2, cutoff=0.6)
    if near:
        return " | ".join(folded[n] for n in near) + "?"
    more = f" | … ({len(names)})" if len(names) > shown else ""
    return " | ".join(names[:shown]) + more
