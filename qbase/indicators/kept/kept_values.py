"""Panels, and what is read beside them, are kept beside the lake: a batch of a thousand subjects builds each once.

A value is named by the state of the data, the call and the code that makes it; what lies under that name is that value
or nothing. It can always be built again: a file that is damaged, foreign or gone changes nothing but the time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from qbase.core.lazy import PACKAGE, read_once
from qbase.core.whole_files import write_atomic
from qbase.indicators.kept.kept_files import kept_name, make_room
from qbase.indicators.kept.value_bytes import from_buffer, to_bytes

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

T = TypeVar("T")
FOLDER = ".panels"
ROOMS = ("core", "tables", "stats", "compute", "lake", "intake", "indicators")
"""The code a value may depend on: a correction there must not be answered with values of before."""
CODE = ("*.py", "*.toml", "*.sql")
LIBRARIES = ("pandas", "numpy", "pyarrow", "duckdb", "scipy")

MOST_FILES = 256
MOST_BYTES = 500 * 2**20
WAIT_SECONDS = 120.0
"""So long another process is given to build what is needed here as well."""


def keep_value(
    workspace: Workspace,
    kind: str,
    asked: tuple[object, ...],
    at: Snapshot,
    build: Callable[[], T],
    *,
    rooms: tuple[str, ...] = (),
) -> T:
    """Return a value as it was built before, or build and keep it.

    Parameters
    ----------
    workspace : Workspace
        Values are kept in the folder ``.panels`` of its lake.
    kind : str
        What it is: ``panel``.
    asked : tuple
        The arguments of the call; their ``repr`` tells them apart.
    at : Snapshot
        What it is built from.
    build : callable
        Builds it; what it raises is raised, and nothing is kept.
    rooms : tuple of str
        Whose code it depends on, beside this room and those below it.
    """
    folder = workspace.lake / FOLDER
    key = _key(workspace, kind, asked, at, rooms)
    found = _read(folder, key)
    if found is None:
        with _alone(folder, key):
            found = _read(folder, key)
            if found is None:
                built = build()
                # a workspace that can only be read, or a full disk, is no reason not to answer
                with contextlib.suppress(OSError):
                    _write(folder, key, built)
                return built
    return found[0]  # type: ignore[no-any-return]


def _key(workspace: Workspace, kind: str, asked: tuple[object, ...], at: Snapshot, rooms: tuple[str, ...]) -> str:
    state = data_state(workspace, at)
    return hashlib.sha256(repr([_code(), *map(_code_of, rooms), kind, asked, state]).encode()).hexdigest()


def data_state(workspace: Workspace, at: Snapshot) -> list[object]:
    """Return what tells one state of the data from another: two that are equal give the same panels."""
    # deliveries that brought no row belong to the snapshot before, and coverage counts those that were refused
    return [at.id, at.created_at, at.delivery, sorted(at.versions.items()), _deliveries(workspace, at)]


def _deliveries(workspace: Workspace, at: Snapshot) -> int:
    query = "SELECT max(number) FROM deliveries WHERE snapshot <= :number"
    with workspace.book.glancing() as connection:
        row = None if connection is None else connection.execute(query, {"number": at.number}).fetchone()
    return int(row[0] or 0) if row else 0


@read_once
def _code() -> str:
    """Return the hash of the code that builds, and the versions of the libraries that reckon."""
    libraries = [(name, importlib.metadata.version(name)) for name in LIBRARIES]
    return repr([*map(_code_of, ROOMS), libraries])


@functools.cache
def _code_of(room: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in CODE for path in (PACKAGE / room).rglob(pattern)):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _read(folder: pathlib.Path, key: str) -> tuple[Any] | None:
    for path in sorted(folder.glob(f"{key}.*.arrow")):
        with contextlib.suppress(OSError, pa.ArrowException, ValueError, KeyError, TypeError, IndexError):
            with pa.memory_map(str(path)) as file:
                buffer = file.read_buffer()
                # the name carries the hash of the content: what was changed or cut short is not trusted
                if path.name != kept_name(key, buffer, "arrow"):
                    continue
                value = from_buffer(buffer)
            with contextlib.suppress(OSError):
                os.utime(path)
            return (value,)
    return None


def _write(folder: pathlib.Path, key: str, value: object) -> None:
    data = to_bytes(value)
    if data is None:
        return
    name = kept_name(key, data, "arrow")
    write_atomic(folder / name, data)
    make_room(folder, key, keep=name, most_files=MOST_FILES, most_bytes=MOST_BYTES)


@contextlib.contextmanager
def _alone(folder: pathlib.Path, key: str) -> Iterator[None]:
    """Let one process build a value while the others wait for it, as long as they would for a slow one."""
    try:
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f".{key[:2]}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except (ImportError, OSError):
        yield
        return
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while True:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)
