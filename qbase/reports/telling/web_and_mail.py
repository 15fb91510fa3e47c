"""The two ways a notice leaves: JSON to an address, or a mail. One attempt each; what fails raises."""

from __future__ import annotations

import email.message
import http.client
import json
import pathlib
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from qbase.reports.telling.notice_settings import Mail, Webhook
from qbase.reports.telling.notices import Notice, body_of, text_of, title_of

SECONDS = 5.0
BUSY = 429


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuse redirects: urllib would carry the token to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Return nothing, which makes the answer an error."""


def post(webhook: Webhook, notices: Sequence[Notice], link: str) -> None:
    """Send notices to a webhook as one JSON document.

    Raises
    ------
    OSError
        It cannot be reached, or does not answer with 2xx (`urllib.error.HTTPError`).
    """
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "qbase"}
    if webhook.token:
        headers["Authorization"] = f"Bearer {webhook.token}"
    data = json.dumps(body_of(notices, link), ensure_ascii=False).encode()
    request = urllib.request.Request(webhook.url, data=data, headers=headers, method="POST")  # noqa: S310
    try:
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=_trust(webhook.ca)))
        with opener.open(request, timeout=SECONDS):
            pass
    except http.client.HTTPException as error:
        raise ConnectionError(type(error).__name__) from error


def mail(settings: Mail, notices: Sequence[Notice], link: str) -> None:
    """Send notices as one mail.

    Raises
    ------
    OSError
        The server cannot be reached or refuses (`smtplib.SMTPException`).
    """
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = title_of(notices), settings.sender, ", ".join(settings.to)
    message.set_content(text_of(notices, link))
    # without a context of ours smtplib believes any certificate
    context = _trust(settings.ca)
    server: smtplib.SMTP
    if settings.security == "tls":
        server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=SECONDS)
    with server:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, settings.password)
        refused = server.send_message(message)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)


def _trust(ca: pathlib.Path | None) -> ssl.SSLContext:
    """Return the context in which a server proves its name: before the authorities declared, else those known here."""
    return ssl.create_default_context(cafile=ca)


def may_pass(error: OSError) -> bool:
    """Whether it is worth trying again."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code == BUSY
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    # a certificate is no better a moment later
    never = smtplib.SMTPNotSupportedError | smtplib.SMTPRecipientsRefused | ssl.SSLCertVerificationError
    return not isinstance(reason, never)
