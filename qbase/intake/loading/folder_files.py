"""Which of the files named, or lying in a folder, are deliveries; what programs leave beside them is not."""

from __future__ import annotations

import fnmatch
import os
import pathlib
from collections.abc import Iterable

LEFT_BEHIND = (
    "~$*", ".~*", "~*.tmp", "~wr*", "._*", ".ds_store", "thumbs.db", "ehthumbs*.db", "desktop.ini", "icon\r", "*.lnk",
    "*.tmp", "*.temp", "*.lock", "*.lck", "*.part", "*.partial", "*.crdownload", "*.download", "*.swp",
)  # fmt: skip
"""Names, in small letters, of locks of open workbooks, of what Windows and macOS write into folders, of files that are
still being received."""
FOLDERS = ("__macosx", "$recycle.bin", "system volume information", "@eadir")
NEVER_EMPTY = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods", ".bz2", ".gz", ".zip")
"""A delivery of no bytes is worth an error; any other file of none is a marker of some program."""


def find_files(paths: Iterable[pathlib.Path], raw: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Return the files to load, and those left aside.

    Parameters
    ----------
    paths : iterable of Path
        Files; a folder stands for the files in it and in its folders, but not in hidden ones.
    raw : Path
        Deliveries as received: those come in the order they were received.

    Returns
    -------
    tuple of (list of Path, list of Path)
    """
    files: list[pathlib.Path] = []
    left: list[pathlib.Path] = []
    for path in paths:
        if not path.is_dir():
            (left if is_left_behind(path) else files).append(path)
            continue
        kept: list[pathlib.Path] = []
        for file in sorted(_walk(path)):
            is_aside = file.name.startswith(".") or not file.is_file() or is_left_behind(file)
            (left if is_aside else kept).append(file)
        if path.resolve().is_relative_to(raw.resolve()):
            kept.sort(key=lambda file: file.stat().st_mtime_ns)
        files += kept
    return files, left


def is_left_behind(path: pathlib.Path) -> bool:
    """Return whether a file was left by a program and is no delivery; a name that does not exist is none."""
    name = path.name.lower()
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_BEHIND):
        return True
    return path.is_file() and not path.stat().st_size and not name.endswith(NEVER_EMPTY)


def _walk(folder: pathlib.Path) -> Iterable[pathlib.Path]:
    """Return everything but folders, not looking into hidden folders and those of the system."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name.lower() not in FOLDERS]
        yield from (pathlib.Path(place, name) for name in names)
