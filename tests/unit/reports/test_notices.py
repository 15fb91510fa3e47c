"""Notices: off without an address, nothing of the house in them, retried within bounds, never a reason to fail."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import http.server
import json
import pathlib
import smtplib
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from qbase.core import RunRecord
from qbase.core.errors import DataError, UsageError
from qbase.lake import Workspace, add_run, list_runs
from qbase.reports import Job, run_many, run_report
from qbase.reports.batching import run_batch
from qbase.reports.telling import sent_notices
from qbase.reports.telling.notice_settings import FILE, read_settings
from qbase.reports.telling.notices import MOST, Notice, body_of, notice_of
from qbase.reports.telling.sent_notices import tell, tell_runs

FIRM = "云泽恒达阀门有限公司"
SECRET = "s3cret-token"  # noqa: S105


class Hook(http.server.ThreadingHTTPServer):
    """A webhook on this machine: keeps what it is sent, answers with the codes it was given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.codes = [204]
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.to = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.seen.append((dict(self.headers), body))
        code = server.codes.pop(0) if len(server.codes) > 1 else server.codes[0]
        self.send_response(code)
        if code == 302:
            self.send_header("Location", server.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Post(socketserver.ThreadingTCPServer):
    """A mail server on this machine that speaks just enough SMTP and keeps what it is sent."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[tuple[list[str], bytes]] = []
        self.refuses = b""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        to: list[str] = []
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"MAIL" and server.refuses:
                self.wfile.write(server.refuses)
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                server.mails.append((to, b"".join(lines)))
                self.wfile.write(b"250 kept\r\n")
            else:
                if word == b"RCPT":
                    to.append(line.decode().strip())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def hook() -> Iterator[Hook]:
    yield from _served(Hook())


@pytest.fixture
def post() -> Iterator[Post]:
    yield from _served(Post())


def _served(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("QBASE_WEBHOOK_URL", "QBASE_WEBHOOK_TOKEN", "QBASE_MAIL_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sent_notices, "PAUSES", (0.0, 0.0))
    return Workspace.create(tmp_path / "home")


def failed(**changes: Any) -> RunRecord:
    error = {"code": "QB811", "text": f"KeyError: {FIRM}", "found": f"row of {FIRM}", "cell": f"3: read('{FIRM}')"}
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    run = RunRecord(
        run_id="R1", report_id="trends", params={"entity": "cluster_id", "subject": "K003", "name": FIRM}, versions={},
        state="failed", slot="2026-10-01", started_at="2026-10-01T06:00:00+08:00", error=error, **known,
    )  # fmt: skip
    return dataclasses.replace(run, **changes)


def write_settings(home: Workspace, text: str) -> None:
    (home.root / FILE).write_text(text, encoding="utf-8")


def test_without_an_address_nothing_is_sent_and_nothing_is_said(home: Workspace, hook: Hook) -> None:
    assert tell_runs(home, [failed()]) == []
    write_settings(home, '[notices]\non = ["failed"]\n')
    assert tell_runs(home, [failed()]) == []
    assert hook.seen == []
    assert list(home.runs.iterdir()) == []


def test_a_webhook_hears_of_a_failure_and_of_nothing_in_it(
    home: Workspace, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n[notices]\nlink = "https://bureau.example/q"\n')
    monkeypatch.setenv("QBASE_WEBHOOK_TOKEN", SECRET)
    assert tell_runs(home, [failed(), None, failed(state="ok", error=None)]) == ["webhook: 1 sent"]
    ((headers, body),) = hook.seen
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert FIRM not in body.decode()
    told = json.loads(body)
    assert told["counts"] == {"failed": 1, "late": 0, "moved": 0}
    assert told["notices"] == [
        {
            "kind": "failed", "report_id": "trends", "subject": "K003", "slot": "2026-10-01", "state": "failed",
            "run_id": "R1", "code": "QB811", "moved": 0, "turned": 0, "link": "https://bureau.example/q/index.html",
        }
    ]  # fmt: skip
    assert "QB811" in told["text"]
    log = (home.runs / "notices.log").read_text("utf-8")
    assert "webhook: 1 sent" in log
    assert SECRET not in log
    assert hook.url not in log


def test_late_and_moved_are_told_with_counts(home: Workspace, hook: Hook) -> None:
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n[notices]\non = ["late", "moved"]\n')
    folder = home.runs / "trends" / "R1"
    folder.mkdir(parents=True)
    (folder / "moved.json").write_text(json.dumps({"moved": 3, "turned": 1, "numbers": [{"whom": FIRM}]}), "utf-8")
    tell_runs(home, [failed(state="ok", error=None)], is_late=True)
    told = json.loads(hook.seen[0][1])
    assert told["counts"] == {"failed": 0, "late": 1, "moved": 1}
    assert [(n["kind"], n["moved"], n["turned"]) for n in told["notices"]] == [("late", 0, 0), ("moved", 3, 1)]
    assert told["notices"][1]["link"] == "reports/site/moved.html"
    assert FIRM not in hook.seen[0][1].decode()
    assert "sent" in (folder / "log.txt").read_text("utf-8")
    # what is not asked for is not told
    assert tell_runs(home, [failed()]) == []


@pytest.mark.parametrize(
    ("params", "subject"),
    [
        ({"subject": "K003"}, "K003"),
        ({"subject": "990023101", "entity": "town_code"}, "990023101"),
        ({"subject": "F0001", "entity": "firm_id"}, ""),
        ({"subject": "91330681MA2BDXXXX7"}, ""),
        ({"subject": FIRM}, ""),
        ({}, ""),
    ],
)
def test_a_firm_is_not_named_even_by_its_code(params: dict[str, Any], subject: str) -> None:
    assert notice_of(failed(params=params), "failed").subject == subject


def test_a_server_in_trouble_is_tried_three_times_and_no_more(home: Workspace, hook: Hook) -> None:
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    hook.codes = [503, 429, 204]
    assert tell_runs(home, [failed()])[-1] == "webhook: 1 sent"
    assert len(hook.seen) == 3
    hook.codes, hook.seen = [500], []
    lines = tell_runs(home, [failed()])
    assert lines == [f"webhook: attempt {n} of 3 failed: HTTPError 500" for n in (1, 2, 3)]
    assert len(hook.seen) == 3
    # it is down: a batch does not wait for it again and again
    assert tell_runs(home, [failed()]) == ["webhook: attempt 1 of 1 failed: HTTPError 500"]
    hook.codes = [204]
    assert tell_runs(home, [failed()]) == ["webhook: 1 sent"]


def test_what_will_not_pass_is_not_tried_again(home: Workspace, hook: Hook) -> None:
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    hook.codes = [404]
    assert tell_runs(home, [failed()]) == ["webhook: attempt 1 of 3 failed: HTTPError 404"]
    assert len(hook.seen) == 1


def test_a_redirect_is_not_followed_with_the_token(
    home: Workspace, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in _served(Hook()):
        hook.codes, hook.to = [302], other.url
        monkeypatch.setenv("QBASE_WEBHOOK_URL", hook.url)
        monkeypatch.setenv("QBASE_WEBHOOK_TOKEN", SECRET)
        assert tell_runs(home, [failed()]) == ["webhook: attempt 1 of 3 failed: HTTPError 302"]
        assert other.seen == []


def test_an_address_where_nobody_listens_fails_nothing(home: Workspace) -> None:
    with socket.socket() as taken:
        # bound and not listening: nobody else can take the port meanwhile
        taken.bind(("127.0.0.1", 0))
        write_settings(home, f'[webhook]\nurl = "http://127.0.0.1:{taken.getsockname()[1]}/"\n')
        lines = tell_runs(home, [failed()])
    assert [line.partition(": attempt")[0] for line in lines] == ["webhook"] * 3
    assert "URLError" in lines[0]


def test_a_mail_says_the_same(home: Workspace, post: Post) -> None:
    write_settings(
        home,
        '[mail]\nto = ["a@bureau.example", "b@bureau.example"]\nfrom = "qbase@bureau.example"\nhost = "127.0.0.1"\n'
        f'port = {post.port}\nsecurity = "none"\n',
    )
    assert tell_runs(home, [failed()]) == ["mail: 1 sent"]
    ((to, raw),) = post.mails
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert len(to) == 2
    assert message["Subject"] == "qbase: 1 失败 failed"
    text = message.get_content()
    assert "trends · K003 · 2026-10-01 · QB811 · R1 · reports/site/index.html" in text
    assert FIRM not in text


def test_a_mail_server_that_refuses_for_now_is_tried_again_and_one_that_refuses_is_not(
    home: Workspace, post: Post
) -> None:
    write_settings(
        home, f'[mail]\nto = ["a@b.cn"]\nfrom = "c@d.cn"\nhost = "127.0.0.1"\nport = {post.port}\nsecurity = "none"\n'
    )
    post.refuses = b"451 later\r\n"
    assert len(tell_runs(home, [failed()])) == 3
    (home.runs / ".notices-down-mail").unlink()
    post.refuses = b"550 never\r\n"
    lines = tell_runs(home, [failed()])
    assert lines == ["mail: attempt 1 of 3 failed: SMTPSenderRefused 550"]


def test_a_mail_server_has_to_prove_who_it_is_before_the_password_is_said(
    home: Workspace, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def starttls(self: smtplib.SMTP, *, context: ssl.SSLContext) -> None:
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        said.append("starttls")

    monkeypatch.setattr(smtplib.SMTP, "starttls", starttls)
    monkeypatch.setattr(smtplib.SMTP, "login", lambda self, user, password: said.append(f"{user} {password}"))
    monkeypatch.setenv("QBASE_MAIL_PASSWORD", SECRET)
    write_settings(
        home,
        f'[mail]\nto = ["a@b.cn"]\nfrom = "c@d.cn"\nhost = "127.0.0.1"\nport = {post.port}\nuser = "me"\n',
    )
    assert tell_runs(home, [failed()]) == ["mail: 1 sent"]
    assert said == ["starttls", f"me {SECRET}"]
    # a server that cannot encrypt hears neither password nor notice
    monkeypatch.undo()
    monkeypatch.setenv("QBASE_MAIL_PASSWORD", SECRET)
    assert tell_runs(home, [failed()]) == ["mail: attempt 1 of 3 failed: SMTPNotSupportedError"]
    assert len(post.mails) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[webhok]\n", "[webhok]"),
        ('[webhook]\naddress = "x"\n', "[webhook] address"),
        ('[webhook]\nurl = "file:///etc/passwd"\n', "[webhook] url"),
        ('[webhook]\nurl = "https://hook.example/?key=abc123"\n', "[webhook] url with a key"),
        ('[mail]\nto = ["a@b.cn"]\n', "[mail] without from · host"),
        ('[mail]\nto = ["a@b.cn\\nBcc: x@y.cn"]\nfrom = "c@d.cn"\nhost = "h"\n', "[mail] to · from"),
        ('[mail]\nto = ["a@b.cn"]\nfrom = "c@d.cn"\nhost = "h"\nsecurity = "ssl"\n', "[mail] security"),
        ('[mail]\nto = ["a@b.cn"]\nfrom = "c@d.cn"\nhost = "h"\nuser = "u"\n', "[mail] user"),
        ('[mail]\npassword = "abc123"\n', "[mail] password"),
        ('[notices]\non = ["often"]\n', "on = ['often']"),
        ("on =", "TOMLDecodeError"),
    ],
)
def test_settings_that_do_not_hold_are_told_and_nothing_is_sent(home: Workspace, text: str, found: str) -> None:
    write_settings(home, text)
    with pytest.raises(UsageError) as caught:
        read_settings(home.root)
    assert caught.value.code == "QB875"
    assert caught.value.found == found
    assert "abc123" not in str(caught.value)
    (line,) = tell_runs(home, [failed()])
    assert line.startswith("not sent: QB875")


def test_a_token_does_not_travel_over_an_open_line(home: Workspace) -> None:
    environment = {"QBASE_WEBHOOK_URL": "http://hook.example/x", "QBASE_WEBHOOK_TOKEN": SECRET}
    with pytest.raises(UsageError) as caught:
        read_settings(home.root, environment)
    assert SECRET not in str(caught.value)
    shown = repr(read_settings(home.root, {**environment, "QBASE_WEBHOOK_URL": "https://hook.example/x"}))
    assert SECRET not in shown
    assert "hook.example" not in shown


def test_a_batch_is_one_message_with_its_first_notices(home: Workspace, hook: Hook) -> None:
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    notices = [Notice(kind="failed", report_id=f"r{i}") for i in range(MOST + 10)]
    assert tell(home, notices) == [f"webhook: {MOST + 10} sent"]
    told = json.loads(hook.seen[0][1])
    assert told == body_of(notices, "reports/site/")
    assert (len(told["notices"]), told["left_out"], told["counts"]["failed"]) == (MOST, 10, MOST + 10)


def write_report(home: Workspace) -> None:
    """Write a report whose declared table was never loaded, so that its run is recorded as failed at once."""
    source = "half: float = 5.0  # 半宽 | half-width | 0.1..50"
    cells = [
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": source,
            "outputs": [],
            "execution_count": None,
        },
        {"cell_type": "code", "metadata": {}, "source": "half", "outputs": [], "execution_count": None},
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (home.notebooks / "trends.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    spec = 'notebook = "notebooks/trends.ipynb"\ntitle_zh = "走势"\ntitle_en = "Trends"\ntables = ["t"]\n'
    (home.specs / "trends.toml").write_text(spec, encoding="utf-8")


def test_a_run_that_fails_tells_itself_and_a_dead_one_is_told_by_the_next(home: Workspace, hook: Hook) -> None:
    write_report(home)
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    add_run(home, failed(run_id="R0", state="running", error=None))
    with pytest.raises(DataError, match="QB810"):
        run_report(home, "trends")
    told = [[(n["run_id"], n["code"]) for n in json.loads(body)["notices"]] for _, body in hook.seen]
    assert told == [[("R0", "QB818")], [(list_runs(home, "trends")[0].run_id, "QB810")]]


def test_a_batch_in_forks_is_told_once(home: Workspace, hook: Hook) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("forks need Linux")
    write_report(home)
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    jobs = [Job(report_id="trends", slot=day) for day in ("2026-10-01", "2026-10-02")]
    outcomes = run_many(home, jobs, jobs_at_once=2, engine="fork")
    assert [outcome.error and outcome.error.code for outcome in outcomes] == ["QB810", "QB810"]
    ((_, body),) = hook.seen
    assert json.loads(body)["counts"]["failed"] == 2


def test_a_batch_that_finds_no_forks_is_not_told_twice(
    home: Workspace, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_batch, "fan_out", lambda *given: False)
    write_report(home)
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    jobs = [Job(report_id="trends", slot=day) for day in ("2026-10-01", "2026-10-02")]
    outcomes = run_many(home, jobs, jobs_at_once=2, engine="fork")
    assert [outcome.error and outcome.error.code for outcome in outcomes] == ["QB810", "QB810"]
    assert sum(json.loads(body)["counts"]["failed"] for _, body in hook.seen) == 2


def test_a_notice_that_cannot_be_sent_changes_nothing_of_the_run(home: Workspace, hook: Hook) -> None:
    write_report(home)
    hook.codes = [500]
    write_settings(home, f'[webhook]\nurl = "{hook.url}"\n')
    with pytest.raises(DataError, match="QB810"):
        run_report(home, "trends")
    (record,) = list_runs(home, "trends")
    assert record.state == "failed"
    assert record.error is not None
    assert record.error["code"] == "QB810"
    log = (home.runs / "trends" / record.run_id / "log.txt").read_text(encoding="utf-8")
    assert log.count("failed: HTTPError 500") == 3
