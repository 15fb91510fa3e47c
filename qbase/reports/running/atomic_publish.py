"""Published files appear together: all staged and synced first, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping

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
    staged: dict[pathlib.Path, pathlib.Path] = {}
    before: dict[pathlib.Path, pathlib.Path] = {}

    def replace() -> None:
        done: list[pathlib.Path] = []
        try:
            for path, new in staged.items():
                os.replace(new, path)
                done.append(path)
                if len(done) == 1:
                    fault("one_file_replaced")
        except OSError:
            _put_back(done, before)
            raise
        for folder in {path.parent for path in contents}:
            _sync_folder(folder)

    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
            staged[path] = pathlib.Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            if path.exists():
                before[path] = staged[path].with_suffix(".before.part")
                _keep(path, before[path])
        yield replace
    finally:
        for file_name in (*staged.values(), *before.values()):
            file_name.unlink(missing_ok=True)


def _keep(path: pathlib.Path, old: pathlib.Path) -> None:
    """Keep what stands in a place, without a copy where the disk knows links."""
    try:
        os.link(path, old)
    except OSError:
        shutil.copyfile(path, old)


def _put_back(done: Iterable[pathlib.Path], before: Mapping[pathlib.Path, pathlib.Path]) -> None:
    """Let what stood there appear again: all files are the new ones, or none is."""
    for path in done:
        if path in before:
            os.replace(before[path], path)
        else:
            path.unlink(missing_ok=True)


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
    # the files are out, and their content was synced before: what a power cut could still take back is their names,
    # which `qbase verify --all` would find; a report that everybody can read is not told as failed
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
