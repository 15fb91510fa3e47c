"""Notices over TLS: a server proves its name before it hears a word, by a declared file of authorities if any."""

from __future__ import annotations

import http.server
import pathlib
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from qbase.core.errors import UsageError
from qbase.core.results.run_values import RunRecord
from qbase.lake import Workspace
from qbase.reports.telling import sent_notices
from qbase.reports.telling.notice_settings import FILE, read_settings
from qbase.reports.telling.sent_notices import tell_runs

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make certificates")
REQUEST = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
NAMES = {"here": "IP:127.0.0.1", "elsewhere": "DNS:elsewhere.example"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Make certificates that nobody signed but their own key, for this machine and for another name."""
    folder = tmp_path_factory.mktemp("keys")
    for name, who in NAMES.items():
        subprocess.run(
            [*REQUEST, "-subj", f"/CN={name}", "-addext", f"subjectAltName={who}", "-keyout", f"{name}.key", "-out",
             f"{name}.pem"], cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
    return folder


def context_of(keys: pathlib.Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    return context


class Server(socketserver.ThreadingTCPServer):
    """A server of this machine that keeps what it is sent; with ``at_once`` it begins with TLS."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, talk: Any, context: ssl.SSLContext, *, at_once: bool, offers: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), talk)
        self.context, self.at_once, self.offers = context, at_once, offers
        self.heard: list[bytes] = []

    def was_told(self) -> bool:
        """Return whether a word of a notice, or of a mail, was said to it."""
        return any(b"QB811" in heard or heard[:4] in {b"MAIL", b"Subj"} for heard in self.heard)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.at_once:
            request = self.context.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that does not believe the certificate hangs up."""


class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Smtp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            server.heard.append(line)
            if word == b"EHLO" and server.offers and not isinstance(self.request, ssl.SSLSocket):
                self.wfile.write(b"250-here\r\n250 STARTTLS\r\n")
            elif word == b"STAR":
                self.wfile.write(b"220 go on\r\n")
                self.finish()
                self.request = server.context.wrap_socket(self.request, server_side=True)
                self.setup()
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (text := self.rfile.readline()) != b".\r\n":
                    server.heard.append(text)
                self.wfile.write(b"250 kept\r\n")
            else:
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
                if word == b"QUIT":
                    break
        self.request.close()


def serve(server: Server) -> Iterator[Server]:
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
    for name in ("QBASE_WEBHOOK_URL", "QBASE_WEBHOOK_TOKEN", "QBASE_MAIL_PASSWORD", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sent_notices, "PAUSES", (0.0, 0.0))
    return Workspace.create(tmp_path / "home")


def told(home: Workspace, settings: str) -> list[str]:
    (home.root / FILE).write_text(settings, encoding="utf-8")
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    run = RunRecord(
        run_id="R1", report_id="trends", params={}, versions={}, state="failed", slot="2026-10-01",
        started_at="2026-10-01T06:00:00+08:00", error={"code": "QB811"}, **known,
    )  # fmt: skip
    return tell_runs(home, [run])


def mail(server: Server, security: str) -> str:
    where = f'host = "127.0.0.1"\nport = {server.server_address[1]}\nsecurity = "{security}"\n'
    return f'[mail]\nto = ["a@b.cn"]\nfrom = "c@d.cn"\n{where}'


def settings_of(server: Server, way: str) -> str:
    if way == "webhook":
        return f'[webhook]\nurl = "https://127.0.0.1:{server.server_address[1]}/"\n'
    return mail(server, way)


@pytest.mark.parametrize("way", ["webhook", "tls", "starttls"])
def test_a_certificate_is_believed_only_from_a_declared_authority(
    home: Workspace, keys: pathlib.Path, way: str
) -> None:
    talk: Any = Web if way == "webhook" else Smtp
    name = "webhook" if way == "webhook" else "mail"
    for server in serve(Server(talk, context_of(keys, "here"), at_once=way != "starttls")):
        (line,) = told(home, settings_of(server, way))
        # told once: it would be no better a moment later
        assert line.startswith(f"{name}: attempt 1 of 3 failed: ")
        assert not server.was_told()
        shutil.copy(keys / "here.pem", home.root / "office.pem")
        assert told(home, settings_of(server, way) + 'ca = "office.pem"\n') == [f"{name}: 1 sent"]
        assert server.was_told()
    # what a believed authority signs for another name is another server's
    for server in serve(Server(talk, context_of(keys, "elsewhere"), at_once=way != "starttls")):
        (line,) = told(home, settings_of(server, way) + f'ca = "{keys}/elsewhere.pem"\n')
        assert " failed: " in line
        assert not server.was_told()


def test_a_server_that_offers_no_tls_hears_nothing(home: Workspace, keys: pathlib.Path) -> None:
    for server in serve(Server(Smtp, context_of(keys, "here"), at_once=False, offers=False)):
        assert told(home, mail(server, "starttls")) == ["mail: attempt 1 of 3 failed: SMTPNotSupportedError"]
        assert not server.was_told()


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"])
def test_a_file_of_authorities_that_is_none_is_told(tmp_path: pathlib.Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "office.pem").write_text(text, encoding="ascii")
    (tmp_path / FILE).write_text('[webhook]\nurl = "https://hook.example"\nca = "office.pem"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"\[webhook\] ca") as caught:
        read_settings(tmp_path, {})
    assert caught.value.code == "QB875"
