"""Where the ledger of a workspace is: in its file, or on a server named by ``data/ledger.toml`` or ``$QBASE_LEDGER``.

The file says which ledger belongs to the workspace, by a number of its own; the variable how to reach it from here. A
password comes from the variable or from the password file of PostgreSQL, and is in no text this module makes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping

from qbase.core.errors import SetupError, UsageError
from qbase.core.whole_files import write_atomic

VARIABLE = "QBASE_LEDGER"
FORM = "postgresql+pg8000://USER@HOST:5432/DATABASE"
SCHEMES = ("postgresql+pg8000", "postgresql")
SOCKET = "unix_sock"
PORT = 5432
_REMARK = "# where the ledger of this workspace is, and the number it carries; no password is ever in here\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerAddress:
    """A database of PostgreSQL.

    Parameters
    ----------
    user, database : str
        Who asks, and which database holds the ledger; it holds no other.
    host : str
        Name of the server; empty with a socket.
    port : int
        Where it listens.
    socket : str
        Path of its Unix socket, or empty.
    password : str
        Empty where the server asks for none, or the password file has it.
    """

    user: str
    database: str
    host: str = ""
    port: int = PORT
    socket: str = ""
    password: str = dataclasses.field(default="", repr=False)

    def __str__(self) -> str:
        """Return the address without its password."""
        import urllib.parse

        quoted = urllib.parse.quote
        at = "" if self.socket else f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORT or self.socket else f":{self.port}"
        query = f"?{SOCKET}={quoted(self.socket)}" if self.socket else ""
        return f"{SCHEMES[0]}://{quoted(self.user, safe='')}@{at}{port}/{quoted(self.database, safe='')}{query}"


def read_address(text: str) -> LedgerAddress:
    """Read an address as SQLAlchemy spells it.

    Parameters
    ----------
    text : str
        ``postgresql+pg8000://user:password@host:5432/database``, or with ``?unix_sock=/path`` and no host.

    Raises
    ------
    SetupError
        It is no such address (QB240); what was given is not repeated, as a password may be in it.
    """
    # whose ledger is a file does not pay for it
    import urllib.parse

    try:
        parts = urllib.parse.urlsplit(text.strip())
        query = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        found = LedgerAddress(
            user=urllib.parse.unquote(parts.username or ""),
            password=urllib.parse.unquote(parts.password or ""),
            host=parts.hostname or "",
            port=parts.port or PORT,
            database=urllib.parse.unquote(parts.path.removeprefix("/")),
            socket=query.pop(SOCKET, ""),
        )
        is_whole = bool(found.user and found.database and (found.host or found.socket)) and not (
            query or parts.fragment
        )
        problem = "" if is_whole and parts.scheme in SCHEMES else "an address that lacks a part or has one too many"
    except ValueError:
        problem = "a text that is no address"
    if problem:
        # outside of the block above: what urllib says may quote the password, and would be kept as the context
        raise SetupError(
            "QB240",
            found=problem,
            expected=FORM,
            fix=f"correct {VARIABLE} or data/ledger.toml; in a password write @ : / ? # % as %40 %3A %2F %3F %23 %25",
        )
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Marker:
    """What ``data/ledger.toml`` says.

    Parameters
    ----------
    url : str
        Address without a password.
    id : str
        Number of the ledger: a database with another one belongs to another workspace.
    """

    url: str
    id: str


def marker_of(ledger: pathlib.Path) -> pathlib.Path:
    """Return where a workspace says that its ledger is on a server: beside the file the ledger would be."""
    return ledger.with_name("ledger.toml")


def read_marker(path: pathlib.Path) -> Marker | None:
    """Read what a workspace says of its ledger; None when that is a file.

    Raises
    ------
    SetupError
        The file cannot be read (QB240).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise _unread(path, type(error).__name__) from error
    import tomllib

    try:
        found = tomllib.loads(text)
        return Marker(url=str(found["url"]), id=str(found["id"]))
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise _unread(path, f"{type(error).__name__}: {error}") from error


def write_marker(path: pathlib.Path, marker: Marker) -> None:
    """Say in a workspace where its ledger is from now on."""
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in dataclasses.asdict(marker).items()
    ]
    write_atomic(path, _REMARK + "".join(lines))


def find_address(marker: pathlib.Path, environment: Mapping[str, str] = os.environ) -> LedgerAddress | None:
    """Return where the ledger of a workspace is; None when it is a file.

    Parameters
    ----------
    marker : pathlib.Path
        ``data/ledger.toml`` of the workspace.
    environment : mapping
        What may name the address, with or without a password.

    Raises
    ------
    SetupError
        It names no address (QB240).
    """
    named = environment.get(VARIABLE, "")
    if named:
        return read_address(named)
    known = read_marker(marker)
    return None if known is None else read_address(known.url)


def check_words(text: str) -> LedgerAddress:
    """Read an address that was typed as a word of a command, where no password may be.

    Raises
    ------
    UsageError
        It has a password (QB241).
    SetupError
        It is no address (QB240).
    """
    address = read_address(text)
    if address.password:
        raise UsageError(
            "QB241",
            found=f"a password in the address of {address.host or address.socket}",
            expected=f"{FORM}, the password in ~/.pgpass or in {VARIABLE}",
            fix=f"leave the password out here, or export {VARIABLE}=… and: qbase ledger move",
        )
    return address


def find_password(address: LedgerAddress, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the password of an address: its own, or the first that fits in the password file of PostgreSQL.

    Parameters
    ----------
    address : LedgerAddress
        Where to.
    environment : mapping
        ``PGPASSFILE`` names the file, ``~/.pgpass`` by default. As PostgreSQL's own programs do, one that others can
        read is passed over.
    """
    if address.password:
        return address.password
    path = pathlib.Path(environment.get("PGPASSFILE") or pathlib.Path.home() / ".pgpass")
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            return None
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return None
    wanted = (address.host or "localhost", str(address.port), address.database, address.user)
    for line in lines:
        fields = _fields(line)
        if len(fields) == 5 and all(f in ("*", w) for f, w in zip(fields, wanted, strict=False)):
            return fields[4]
    return None


def _fields(line: str) -> list[str]:
    """Return the fields of a line of the password file, where a colon or a backslash is written after a backslash."""
    hidden = line.replace(r"\\", "\0").replace(r"\:", "\1")
    fields = [] if line.startswith("#") else hidden.split(":")
    return [field.replace("\1", ":").replace("\0", "\\") for field in fields]


def _unread(path: pathlib.Path, found: str) -> SetupError:
    return SetupError(
        "QB240",
        found=f"{path.name}: {found}",
        expected=f'url = "{FORM}" and id = "…"',
        fix=f"put back data/{path.name}",
    )
