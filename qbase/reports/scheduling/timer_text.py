"""What a systemd timer or a line of crontab says to look at the clock every few minutes, as text alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

EVERY_MINUTES = 5
UNIT = "qbase-schedule"


def systemd_units(words: Sequence[str], *, about: str) -> dict[str, str]:
    """Return the two units of a user timer: file name -> text.

    Parameters
    ----------
    words : sequence of str
        The command and its arguments.
    about : str
        What it is for, one line.

    Returns
    -------
    dict of str to str
        A stop ends the scheduler alone and lets the run under way end: ``KillMode=mixed``.
    """
    command = " ".join(_unit_word(word) for word in words)
    service = [
        "[Unit]",
        f"Description={about.replace('%', '%%')}",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command}",
        "KillMode=mixed",
        "TimeoutStopSec=1h",
    ]
    timer = [
        "[Unit]",
        f"Description={about.replace('%', '%%')}",
        "",
        "[Timer]",
        f"OnCalendar=*:0/{EVERY_MINUTES}",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return {f"{UNIT}.service": "\n".join([*service, ""]), f"{UNIT}.timer": "\n".join([*timer, ""])}


def crontab_line(words: Sequence[str]) -> str:
    """Return a line of crontab; cron would read a bare per cent sign as the end of the command.

    Parameters
    ----------
    words : sequence of str
        The command and its arguments.
    """
    return f"*/{EVERY_MINUTES} * * * * {shlex.join(words)}".replace("%", "\\%")


def _unit_word(word: str) -> str:
    """Quote a word as systemd reads it: per cent signs begin a specifier, dollar signs a variable."""
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{inner}"'
