"""Which machine this is: a file lock says something about runners of the same one only."""

from __future__ import annotations

import functools
import pathlib
import platform

BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def host_of() -> str:
    """Return the name of this machine, with the id of its boot where the system has one (Linux)."""
    try:
        boot = BOOT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        boot = ""
    return f"{platform.node()}/{boot}"
