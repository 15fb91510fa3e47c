"""Files are written whole or not at all, and only what is a file is opened."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import tempfile
from typing import BinaryIO


def write_atomic(path: pathlib.Path, content: str | bytes) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written; the old file is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def open_ordinary(path: pathlib.Path) -> BinaryIO:
    """Open a file for reading; a pipe, a socket or a device, which may never answer or never end, is refused.

    Parameters
    ----------
    path : pathlib.Path
        What to open; a link is followed.

    Raises
    ------
    OSError
        It cannot be opened, or is no file; ``strerror`` says what it is.
    """
    # without waiting: a pipe nobody writes to would never open
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags)
    kind = other_than_file(os.fstat(handle).st_mode)
    if kind:
        os.close(handle)
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    return os.fdopen(handle, "rb")


def other_than_file(mode: int) -> str:
    """Return what something is that is not a file; empty for a file.

    Parameters
    ----------
    mode : int
        ``st_mode`` of its status.
    """
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
