"""The ledger of a workspace that can only be read: SQLite reads a copy, as a write-ahead log needs a place to write.

``immutable=1`` would do without a copy, but it leaves out what still stands in the log.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import tempfile

TRIES = 5
State = tuple[tuple[int, int], ...]


def is_writable(path: pathlib.Path) -> bool:
    """Return whether SQLite can write a file and its log beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def readable_path(path: pathlib.Path) -> pathlib.Path:
    """Return where a ledger can be read: the file itself, or a copy as it is now where nothing can be written.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file, which exists.

    Raises
    ------
    OSError
        The file cannot be read, or there is no room for the copy.
    """
    return path if is_writable(path) else pathlib.Path(_copy(path, _state(path)).name) / path.name


@functools.lru_cache(maxsize=8)
def _copy(path: pathlib.Path, state: State) -> tempfile.TemporaryDirectory[str]:
    """Copy file and log once per process and state; while somebody else writes them, copy again."""
    folder = tempfile.TemporaryDirectory(prefix="qbase-ledger-")
    for _ in range(TRIES):
        for part in _parts(path):
            shutil.copyfile(part, pathlib.Path(folder.name) / part.name)
        copied, state = state, _state(path)
        if copied == state:
            break
    return folder


def _state(path: pathlib.Path) -> State:
    return tuple((part.stat().st_size, part.stat().st_mtime_ns) for part in _parts(path))


def _parts(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the file and its log; the log is read again by whoever opens the copy."""
    log = path.with_name(f"{path.name}-wal")
    return [path, log] if log.exists() else [path]
