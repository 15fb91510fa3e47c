"""One writer at a time: a lock that the system releases when its holder dies."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

from qbase.core.errors import SetupError

WAIT_SECONDS = 600.0


@contextlib.contextmanager
def hold_lock(path: pathlib.Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a lake while the block runs.

    An exclusive transaction on an empty SQLite file: it works on every system, and a killed holder
    leaves nothing behind.

    Parameters
    ----------
    path : pathlib.Path
        Lock file.
    wait_seconds : float
        How long to wait for another holder.

    Raises
    ------
    SetupError
        The lock file cannot be opened (QB207), or somebody else holds it too long (QB206).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise unwritable_error(path.name, str(error)) from error
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise busy_error(path.name, wait_seconds) from error
            raise unwritable_error(path.name, str(error)) from error
        yield
    finally:
        connection.close()


def busy_error(name: str, seconds: float) -> SetupError:
    """Return the error for a file that somebody else holds too long."""
    return SetupError(
        "QB206",
        found=f"{name} held for {seconds:.0f} s",
        expected="one writer at a time, each for a short while",
        fix="wait for the other command to end, then type this one again",
    )


def lost_error(name: str) -> SetupError:
    """Return the error for a lock that was lost: somebody else wrote meanwhile, or might have."""
    return SetupError(
        "QB206",
        found=f"{name}: the lock was lost on the way, somebody else may have written",
        expected="one writer at a time; nothing of this one counts",
        fix="type the same command again",
    )


def unwritable_error(name: str, found: str) -> SetupError:
    """Return the error for a lake that cannot be written or opened."""
    return SetupError(
        "QB207",
        found=f"{name}: {found}",
        expected="a folder data/ that can be read and written, on a disk with free space",
        fix="check owner and free space of the workspace, then type the same command again",
    )
