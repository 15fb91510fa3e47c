"""Files of what is kept beside the lake: named by their content, and as many as there is room for."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib

import pyarrow as pa


def kept_name(key: str, data: bytes | pa.Buffer, ending: str) -> str:
    """Return the name of a file: the key of the value, and the hash of the content, by which damage is noticed."""
    return f"{key}.{hashlib.sha256(data).hexdigest()}.{ending}"


def make_room(folder: pathlib.Path, key: str, *, keep: str, most_files: int, most_bytes: int) -> None:
    """Remove what is damaged or has not been used for longest; another process may be doing the same.

    Parameters
    ----------
    folder : Path
        Where they lie.
    key : str
        Of the value just written: its other files are stale.
    keep : str
        Name of the file just written; files of another ending are left alone.
    most_files, most_bytes : int
        So many stay, and so much.
    """
    used = []
    for path in folder.glob(f"*{pathlib.Path(keep).suffix}"):
        with contextlib.suppress(OSError):
            seen = path.stat()
            used.append((path.name == keep, seen.st_mtime_ns, seen.st_size, path))
    total = 0
    for place, (is_new, _, size, path) in enumerate(sorted(used, reverse=True)):
        total += size
        is_stale = path.name.startswith(key) or place >= most_files or total > most_bytes
        if is_stale and not is_new:
            path.unlink(missing_ok=True)
