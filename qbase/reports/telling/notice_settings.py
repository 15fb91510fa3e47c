"""Where notices go: ``notify.toml`` of the workspace and the environment. Without an address nothing is sent."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import ssl
import tomllib
import urllib.parse
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import UsageError
from qbase.reports.telling.notices import KINDS

FILE = "notify.toml"
KEYS: dict[str, dict[str, type]] = {
    "notices": {"on": list, "link": str},
    "webhook": {"url": str, "ca": str},
    "mail": {"to": list, "from": str, "host": str, "port": int, "security": str, "user": str, "ca": str},
}
SECURITY = ("starttls", "tls", "none")
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
WEBHOOK_URL, WEBHOOK_TOKEN, MAIL_PASSWORD = "QBASE_WEBHOOK_URL", "QBASE_WEBHOOK_TOKEN", "QBASE_MAIL_PASSWORD"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Webhook:
    """An address that takes JSON; it and its token may be secret, so neither is ever shown.

    ``ca`` is the file of the authorities whose certificates are believed; those of this machine where it is None.
    """

    url: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(default="", repr=False)
    ca: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail server and who receives."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    security: str
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    ca: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoticeSettings:
    """What is told, where to, and the address of the site that links begin with."""

    on: tuple[str, ...] = tuple(KINDS)
    link: str = "reports/site/"
    webhook: Webhook | None = None
    mail: Mail | None = None

    @property
    def is_off(self) -> bool:
        """Whether no address is configured."""
        return self.webhook is None and self.mail is None


def read_settings(root: pathlib.Path, environment: Mapping[str, str] = os.environ) -> NoticeSettings:
    """Read where notices go.

    Parameters
    ----------
    root : Path
        The workspace.
    environment : mapping
        ``QBASE_WEBHOOK_URL``, and the secrets ``QBASE_WEBHOOK_TOKEN`` and ``QBASE_MAIL_PASSWORD``.

    Raises
    ------
    UsageError
        The file is no TOML, has an unknown key or a wrong value, or holds a secret (QB875).
    """
    raw = _read(root / FILE)
    notices, web, mail = (raw.get(section, {}) for section in KEYS)
    on = tuple(notices.get("on", KINDS))
    if not set(on) <= set(KINDS):
        raise _bad(f"on = {list(on)}", " · ".join(KINDS))
    link = notices.get("link", NoticeSettings.link)
    return NoticeSettings(
        on=on,
        link=link if link.endswith("/") else f"{link}/",
        webhook=_webhook(web.get("url", ""), environment, _authorities(root, "webhook", web)),
        mail=_mail(mail, environment, _authorities(root, "mail", mail)) if mail else None,
    )


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _bad(type(error).__name__, "TOML in UTF-8") from error
    for section, values in raw.items():
        if section not in KEYS or not isinstance(values, dict):
            raise _bad(f"[{section}]", " · ".join(f"[{name}]" for name in KEYS))
        for name, value in values.items():
            if name not in KEYS[section] or type(value) is not KEYS[section][name]:
                # the value may be a secret in the wrong place, and is not shown
                raise _bad(f"[{section}] {name}", " · ".join(KEYS[section]))
    return raw


def _authorities(root: pathlib.Path, section: str, given: Mapping[str, Any]) -> pathlib.Path | None:
    """Return the file of authorities that a section declares, below the workspace where the path is relative."""
    if "ca" not in given:
        return None
    path = root / str(given["ca"])
    try:
        is_some = bool(ssl.create_default_context(cafile=path).get_ca_certs())
    except (OSError, ValueError) as error:
        raise _bad(f"[{section}] ca: {type(error).__name__}", "a readable file of certificates in PEM") from error
    if not is_some:
        raise _bad(f"[{section}] ca", "certificates of authorities, in PEM")
    return path


def _webhook(written: str, environment: Mapping[str, str], ca: pathlib.Path | None) -> Webhook | None:
    url, token = environment.get(WEBHOOK_URL, "") or written, environment.get(WEBHOOK_TOKEN, "")
    if not url:
        return None
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _bad("[webhook] url", "http://… or https://…")
    if url == written and (parts.query or parts.password):
        raise _bad("[webhook] url with a key", f"an address with a key in {WEBHOOK_URL}")
    if token and parts.scheme == "http" and parts.hostname not in LOCAL:
        raise _bad(f"{WEBHOOK_TOKEN} for an http address", "https://…")
    return Webhook(url=url, token=token, ca=ca)


def _mail(given: Mapping[str, Any], environment: Mapping[str, str], ca: pathlib.Path | None) -> Mail:
    lacking = [name for name in ("to", "from", "host") if not given.get(name)]
    if lacking:
        raise _bad(f"[mail] without {' · '.join(lacking)}", "to · from · host")
    addresses = [*given["to"], given["from"]]
    if not all(isinstance(a, str) and "@" in a and a.isprintable() for a in addresses):
        raise _bad("[mail] to · from", "addresses name@host")
    security = given.get("security", "starttls")
    if security not in SECURITY:
        raise _bad("[mail] security", " · ".join(SECURITY))
    user, password = given.get("user", ""), environment.get(MAIL_PASSWORD, "")
    if user and (security == "none" or not password):
        # a password over an open line would be read by anyone on the way
        raise _bad("[mail] user", f"security starttls or tls, and the password in {MAIL_PASSWORD}")
    port = given.get("port", {"starttls": 587, "tls": 465, "none": 25}[security])
    return Mail(
        to=tuple(given["to"]), sender=given["from"], host=given["host"], port=port, security=security, user=user,
        password=password, ca=ca,
    )  # fmt: skip


def _bad(found: str, expected: str) -> UsageError:
    return UsageError("QB875", file=FILE, found=found, expected=expected, fix=f"correct {FILE}, or remove it")
