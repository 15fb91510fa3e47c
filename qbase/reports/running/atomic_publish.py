"""Published files appear together: all staged and synced first, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping

from qbase.lake.storage.fault_points import fault


@contextlib.contextmanager
def stage_files(contents: Mapping[pathlib.Path, bytes]) -> Iterator[Callable[[], None]]:
    """Write several files beside those they are to replace; give the function that lets them appear.

    Parameters
    ----------
    contents : mapping
        Path -> bytes; they appear in this order.

    Raises
    ------
    OSError
        The disk is full, the folder is not writable, a limit was hit. The old files stand as they were.
    """
    staged: dict[pathlib.Path, str] = {}

    def replace() -> None:
        for number, (path, name) in enumerate(staged.items()):
            os.replace(name, path)
            if number == 0:
                fault("one_file_replaced")
        for folder in {path.parent for path in contents}:
            _sync_folder(folder)

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
        yield replace
    finally:
        for name in staged.values():
            pathlib.Path(name).unlink(missing_ok=True)


def publish_files(contents: Mapping[pathlib.Path, bytes]) -> None:
    """Replace several files; when any cannot be staged, none is touched.

    Parameters
    ----------
    contents : mapping
        Path -> bytes; they appear in this order.

    Raises
    ------
    OSError
        As `stage_files`.
    """
    with stage_files(contents) as replace:
        replace()


def _sync_folder(folder: pathlib.Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
