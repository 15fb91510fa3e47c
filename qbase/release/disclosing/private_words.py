"""What a reader must never see: places on this machine, who runs it, and what its environment keeps secret."""

from __future__ import annotations

import functools
import getpass
import math
import os
import pathlib
import re
import socket
import urllib.parse
from collections import Counter
from collections.abc import Mapping

SYSTEM_FOLDERS = "root|home|tmp|usr|var|opt|etc|mnt|srv|private|Users|Volumes|proc|data0?1?|work|workspace|builds"
_POSIX = re.compile(rf"(?<![\w./:~-])/(?:{SYSTEM_FOLDERS})/[\w.@+-]+(?:/[\w.@+-]*)*")
_WINDOWS = re.compile(r"(?<![\w])[A-Za-z]:\\(?:Users|Windows|Program Files|ProgramData|Documents)[^\s\"'<>|]*")
_CREDENTIALS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]+:([^\s/@\"'<>]+)@")
_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|DSN|CONNECTION|AUTH)", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_\-+=.]{24,}\Z")
FIXED = ("Traceback (most recent call last)", "site-packages", "dist-packages")
# such names say nothing about a person or a machine, and are words of their own
COMMON = frozenset({
    "root", "user", "users", "admin", "runner", "ubuntu", "debian", "nobody", "daemon", "jovyan", "docker", "builder",
    "vagrant", "default", "guest", "test", "localhost", "local", "host", "server", "machine", "container",
})  # fmt: skip
SHORTEST_SECRET = 7
BITS_OF_A_TOKEN = 3.5


def scan_private(text: str, *, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what in a text must not leave the house, in words; empty when nothing was found.

    Looked for: the home folder, absolute paths, host and user name, values of environment variables that look
    secret, connection strings with a password, tracebacks and library folders.

    Parameters
    ----------
    text : str
        Text of a report or of a log excerpt; leave out ``data:`` addresses, whose bytes spell anything.
    environment : mapping or None
        Name -> value; the environment of this process by default.

    Returns
    -------
    list of str
        One line per finding. A secret is named by its variable, never quoted.

    Examples
    --------
    >>> from qbase.release import scan_private
    >>> scan_private("read from postgresql://office:geheim@db.local/lake", environment={})
    ['address with a password']
    >>> scan_private("sent with key abcdefgh12345", environment={"REGISTRY_TOKEN": "abcdefgh12345"})
    ['value of the environment variable REGISTRY_TOKEN']
    """
    found = [f"text “{mark}”" for mark in FIXED if mark in text]
    home = str(pathlib.Path.home())
    if len(home) > 1 and re.search(re.escape(home) + r"(?![\w-])", text):
        found.append("home folder")
    found += [f"path {m}" for m in dict.fromkeys(_POSIX.findall(text) + _WINDOWS.findall(text))]
    found += [f"{what} {name}" for what, name in _identities() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    if _CREDENTIALS.search(text):
        found.append("address with a password")
    values = os.environ if environment is None else environment
    found += [
        f"value of the environment variable {n}" for n, v in sorted(values.items()) if _secret(n, v) and v in text
    ]
    found += [
        f"password in the environment variable {n}" for n, v in sorted(values.items()) if _shows_password(v, text)
    ]
    return found


def _shows_password(value: str, text: str) -> bool:
    """Whether a text holds the password of an address, as it is or as the address spells it."""
    spelled = [word for word in _CREDENTIALS.findall(value) if len(word) >= SHORTEST_SECRET]
    return any(word in text or urllib.parse.unquote(word) in text for word in spelled)


@functools.cache
def _identities() -> tuple[tuple[str, str], ...]:
    host = socket.gethostname()
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # a container without a passwd entry has no user name that could leak
        user = ""
    names = (("host name", host), ("user name", user))
    return tuple((what, name) for what, name in names if len(name) > 3 and name.lower() not in COMMON)


def _secret(name: str, value: str) -> bool:
    if len(value) < SHORTEST_SECRET or name.startswith("QBASE_"):
        return False
    return bool(_SECRET_NAME.search(name) or _CREDENTIALS.search(value) or _random(value))


def _random(value: str) -> bool:
    """Whether a value is drawn like a token: long, letters and digits, many different characters."""
    if not _TOKEN.match(value) or not (any(c.isdigit() for c in value) and any(c.isalpha() for c in value)):
        return False
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(p * math.log2(p) for p in shares) > BITS_OF_A_TOKEN
