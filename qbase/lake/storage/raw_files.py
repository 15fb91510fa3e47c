"""Deliveries as received: stored once by content, read-only."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile
from typing import BinaryIO

from qbase.core.errors import UsageError
from qbase.core.whole_files import open_ordinary
from qbase.lake.storage.fault_points import fault
from qbase.lake.storage.locks import unwritable_error

CHUNK = 1024 * 1024


def store_file(
    raw: pathlib.Path, path: pathlib.Path, *, identity: str = "", name: str = ""
) -> tuple[str, pathlib.Path]:
    """Copy a file to ``raw/<first two>/<sha256>/<name>``; the same bytes are stored once.

    The hash is taken from the bytes that are copied, so it holds even when the file changes meanwhile.

    Parameters
    ----------
    raw : pathlib.Path
        Folder of the deliveries.
    path : pathlib.Path
        File to store.
    identity : str
        64 hexadecimal digits to store it under instead of its sha256, where another delivery has the same bytes.
    name : str
        Its name as received; that of the path when empty.

    Returns
    -------
    tuple of (str, pathlib.Path)
        sha256, or the identity given, and where the file stands.

    Raises
    ------
    UsageError
        There is no such file, or it cannot be read: a pipe, a folder, no permission (QB208).
    SetupError
        The copy cannot be written (QB207).
    """
    try:
        source = open_ordinary(path)
    except OSError as error:
        raise UsageError(
            "QB208",
            file=path.name,
            found=f"{path}: {error.strerror}",
            expected="a file that can be read",
            fix="check the name, or write it into a file first: qbase load FILE",
        ) from error
    try:
        with source:
            sha256, copy = _copy(source, raw)
        fault("raw_copied")
        sha256 = identity or sha256
        stored = _place(copy, raw / sha256[:2] / sha256, name or path.name)
    except OSError as error:
        raise unwritable_error("data/raw", str(error)) from error
    fault("raw_stored")
    return sha256, stored


def _copy(source: BinaryIO, raw: pathlib.Path) -> tuple[str, pathlib.Path]:
    raw.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=raw, prefix=".", suffix=".part")
    digest = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as part:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                part.write(chunk)
            part.flush()
            os.fsync(part.fileno())
        os.chmod(name, 0o444)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise
    return digest.hexdigest(), pathlib.Path(name)


def _place(copy: pathlib.Path, folder: pathlib.Path, name: str) -> pathlib.Path:
    """Move the copy to its place; when the bytes are there already, under whatever name, drop it."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(folder.iterdir())
    if there:
        copy.unlink()
        return there[0]
    copy.replace(folder / name)
    return folder / name
