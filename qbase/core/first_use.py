"""What a process reads once: kept from its first use, and read before the fork where a process serves many runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_known: list[Callable[[], object]] = []


def read_once(function: Callable[[], T]) -> Callable[[], T]:
    """Keep what a function without arguments returns, and let `prepare` call it ahead of its first use."""
    kept = functools.cache(function)
    _known.append(kept)
    return kept


def prepare() -> None:
    """Call every function that is kept so; they read files of the package and nothing else."""
    for function in _known:
        function()
