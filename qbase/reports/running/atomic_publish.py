"""Published files appear together: all staged and synced first, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping


def publish_files(contents: Mapping[pathlib.Path, bytes]) -> None:
    """Replace several files of one folder; when any cannot be staged, none is touched.

    Parameters
    ----------
    contents : mapping
        Path -> bytes.

    Raises
    ------
    OSError
        The disk is full, the folder is not writable, a limit was hit. The old files stand as they were.
    """
    staged: dict[pathlib.Path, str] = {}
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
            staged[path] = name
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
        _replace_all(staged)
    finally:
        for name in staged.values():
            pathlib.Path(name).unlink(missing_ok=True)
    for folder in {path.parent for path in contents}:
        _sync_folder(folder)


def _replace_all(staged: Mapping[pathlib.Path, str]) -> None:
    """Let all files appear; when one cannot, those that did are as they were before."""
    kept: dict[pathlib.Path, pathlib.Path | None] = {}
    try:
        for path, name in staged.items():
            kept[path] = _keep_old(path, name)
            os.replace(name, path)
    except OSError:
        for path, old in kept.items():
            if old is not None:
                os.replace(old, path)
            elif not pathlib.Path(staged[path]).exists():
                path.unlink(missing_ok=True)
        raise
    finally:
        for old in filter(None, kept.values()):
            old.unlink(missing_ok=True)


def _keep_old(path: pathlib.Path, name: str) -> pathlib.Path | None:
    """Give a published file a second name for as long as others beside it are replaced; None where there is none."""
    old = pathlib.Path(name).with_suffix(".old.part")
    try:
        os.link(path, old)
    except FileNotFoundError:
        return None
    except OSError:
        # a disk without second names
        shutil.copyfile(path, old)
    return old


def _sync_folder(folder: pathlib.Path) -> None:
    if os.name != "posix":
        return
    # the files are out, and their content was synced before: what a power cut could still take back is their names,
    # which `qbase verify --all` would find; a report that everybody can read is not told as failed
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
