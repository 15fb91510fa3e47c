"""Notices are sent, tried again a few times, and told in the log; whatever happens, the run goes on."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import QbaseError
from qbase.reports.telling.notice_settings import NoticeSettings, read_settings
from qbase.reports.telling.notices import Notice, notice_of

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace

PAUSES = (0.5, 2.0)
"""Seconds before the second and the third attempt; there is no fourth."""
QUIET_SECONDS = 60.0
"""After a failure an address is tried once a notice only, so that a batch does not wait for a server that is down."""
DOWN = ".notices-down"
LOG = "notices.log"


def tell_runs(workspace: Workspace, records: Iterable[RunRecord | None], *, is_late: bool = False) -> list[str]:
    """Tell of the runs among some that failed, came late or moved beyond an interval.

    Parameters
    ----------
    workspace : Workspace
        Whose ``notify.toml`` says where to; without an address nothing is sent.
    records : iterable of RunRecord or None
        As they ended; None where nothing was started.
    is_late : bool
        Whether they ran after their time.

    Returns
    -------
    list of str
        What the log says of it.
    """
    found = [notice for record in records if record is not None for notice in _notices(workspace, record, is_late)]
    return tell(workspace, found)


def tell(workspace: Workspace, notices: Sequence[Notice]) -> list[str]:
    """Send notices by every way that is configured; nothing that goes wrong is raised.

    Returns
    -------
    list of str
        What the log says of it; no address and no secret is in it.
    """
    if not notices:
        return []
    try:
        settings = read_settings(workspace.root)
        wanted = [notice for notice in notices if notice.kind in settings.on]
        lines = [] if settings.is_off or not wanted else _send(workspace, settings, wanted)
    except QbaseError as error:
        lines = [f"not sent: {error.code} {error.what_en}: {error.found}"]
    except Exception as error:
        # a message of an error may quote an address or a password
        lines = [f"not sent: {type(error).__name__}"]
    _log(workspace, notices, lines)
    return lines


def _notices(workspace: Workspace, record: RunRecord, is_late: bool) -> list[Notice]:
    from qbase.reports.comparing.earlier_runs import folder_of, read_json
    from qbase.reports.comparing.moved_numbers import FILE

    found = [notice_of(record, "failed")] if record.state == "failed" else []
    found += [notice_of(record, "late")] if is_late else []
    moves = read_json(folder_of(workspace, record) / FILE) if record.state == "ok" else {}
    if moves:
        found.append(notice_of(record, "moved", moved=int(moves["moved"]), turned=int(moves["turned"])))
    return found


def _send(workspace: Workspace, settings: NoticeSettings, notices: Sequence[Notice]) -> list[str]:
    # a run with nothing to tell does not load what speaks to other machines
    from qbase.reports.telling.web_and_mail import mail, post

    ways: list[tuple[str, Callable[[], None]]] = []
    if settings.webhook is not None:
        webhook = settings.webhook
        ways.append(("webhook", lambda: post(webhook, notices, settings.link)))
    if settings.mail is not None:
        server = settings.mail
        ways.append(("mail", lambda: mail(server, notices, settings.link)))
    return [line for name, way in ways for line in _attempt(workspace, name, way, len(notices))]


def _attempt(workspace: Workspace, name: str, way: Callable[[], None], n: int) -> list[str]:
    """Try one way as often as is allowed; return a line for each attempt."""
    from qbase.reports.telling.web_and_mail import may_pass

    mark = workspace.runs / f"{DOWN}-{name}"
    is_down = mark.exists() and time.time() - mark.stat().st_mtime < QUIET_SECONDS
    pauses = (0.0,) if is_down else (0.0, *PAUSES)
    lines = []
    for number, pause in enumerate(pauses, 1):
        time.sleep(pause)
        try:
            way()
        except OSError as error:
            lines.append(f"{name}: attempt {number} of {len(pauses)} failed: {_plain(error)}")
            if not may_pass(error):
                break
        else:
            mark.unlink(missing_ok=True)
            return [*lines, f"{name}: {n} sent"]
    mark.touch()
    return lines


def _plain(error: OSError) -> str:
    """Return what failed, in words that hold neither address nor secret."""
    code = getattr(error, "code", None) or getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code or ''}".strip()


def _log(workspace: Workspace, notices: Sequence[Notice], lines: Sequence[str]) -> None:
    if not lines:
        return
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = "".join(f"{now} notice {line}\n" for line in lines)
    folders = [workspace.runs / n.report_id / n.run_id for n in notices if n.run_id]
    paths = [folder / "log.txt" for folder in folders if folder.is_dir()] or [workspace.runs / LOG]
    for path in dict.fromkeys(paths):
        try:
            with path.open("a", encoding="utf-8") as log:
                log.write(text)
        except OSError:
            # a full disk is told by the run itself
            continue
