"""A call that failed: four lines or a JSON document, and the exit code of its class."""

from __future__ import annotations

import datetime
import errno
import itertools
import json
import os
import pathlib
import tempfile
import traceback

import typer

from qbase.cli.speaking.shell import four_lines
from qbase.core.errors import Lang, QbaseError, RunError, SetupError, UsageError
from qbase.core.lazy import VERSION

REFUSALS = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EMFILE)
INTERRUPTED = 130


def tell_failure(error: BaseException, words: list[str], lang: Lang) -> int:
    """Say what went wrong and return the exit code.

    Parameters
    ----------
    error : BaseException
        What ended the call.
    words : list of str
        Words of the call.
    lang : {"zh", "en"}
        Language of the call.

    Raises
    ------
    BaseException
        The error itself, where it is a fault of the house and ``QBASE_DEBUG`` is 1.
    """
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    if isinstance(error, QbaseError):
        return _tell(error, words, lang)
    if isinstance(error, typer.TyperException):
        return _tell(_usage(error), words, lang)
    if os.environ.get("QBASE_DEBUG") == "1":
        raise error
    return _tell(_outside(error) or _internal(error, words), words, lang)


def _tell(error: QbaseError, words: list[str], lang: Lang) -> int:
    if "--json" in words:
        typer.echo(json.dumps({"error": error.payload()}, ensure_ascii=False, indent=2))
    else:
        typer.echo(four_lines(error.payload(), lang), err=True)
    return error.exit_code


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "qbase"
    expected = context.get_usage().removeprefix("Usage: ") if context else "qbase COMMAND"
    found = " ".join(error.format_message().split())
    return UsageError("QB902", found=found, expected=" ".join(expected.split()), fix=f"{path} --help")


def _outside(error: BaseException) -> SetupError | None:
    """Return what to say when the machine refused, or None when the fault is ours."""
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return None
    found = f"{error.strerror}: {error.filename or 'stdout'}"
    fix = "free disk space or correct the permissions, then: qbase doctor"
    return SetupError("QB907", found=found, expected="a writable disk with room", fix=fix)


def _internal(error: BaseException, words: list[str]) -> RunError:
    moment = datetime.datetime.now().astimezone()
    log = _log_folder(words) / f"error-{moment:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    trace = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{moment.isoformat()} qbase {VERSION} {words}\n{trace}", encoding="utf-8")
        shown = str(log)
    except OSError as unwritten:
        shown = f"{unwritten.strerror}; QBASE_DEBUG=1 qbase {' '.join(words)}"
    first = (str(error).strip().splitlines() or [""])[0][:200]
    found = f"{type(error).__name__}: {first}"
    return RunError("QB999", found=found, expected="no error of this kind", fix=f"report it with its log: {shown}")


def _log_folder(words: list[str]) -> pathlib.Path:
    given = [w.partition("=")[2] for w in words if w.startswith("--home=")]
    given += [b for a, b in itertools.pairwise(words) if a == "--home"]
    homes = [*given, os.environ.get("QBASE_HOME", ""), *map(str, (pathlib.Path.cwd(), *pathlib.Path.cwd().parents))]
    for home in filter(None, homes):
        if (pathlib.Path(home) / "reports" / "specs").is_dir():
            return pathlib.Path(home).resolve() / "reports" / "runs"
    return pathlib.Path(tempfile.gettempdir())
