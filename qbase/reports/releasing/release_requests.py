"""Requests to release a page: asked for by one account, seen and decided by another, final, in the ledger."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.lake import ReleaseStep, add_release_step, list_release_steps
from qbase.lake.ledger.ledger_entries import now
from qbase.release import find_named_firms, read_disclosure_preset, read_office_preset
from qbase.reports.asking.page_names import read_meta
from qbase.reports.releasing.accounts import read_account
from qbase.reports.releasing.automatic_checks import find_reasons
from qbase.reports.releasing.context_records import build_contexts
from qbase.reports.running.published_pages import find_pages, read_recorded

if TYPE_CHECKING:
    from qbase.lake import Workspace

FOLDER = "released"
OPEN = ("requested", "reviewed")
SHARED = "shared"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """A request and what became of it.

    Parameters
    ----------
    steps : tuple of ReleaseStep
        In order; the first is the request.

    Examples
    --------
    >>> from qbase.lake import ReleaseStep
    >>> from qbase.reports import Release
    >>> known = dict.fromkeys(("page", "report_id", "run_id", "html_sha256", "profile", "preset", "at"), "")
    >>> steps = [ReleaseStep(request_id="A0001", action=a, account=a, **known) for a in ("requested", "reviewed")]
    >>> release = Release(steps=tuple(steps))
    >>> release.request_id, release.state, release.author
    ('A0001', 'reviewed', 'requested')
    """

    steps: tuple[ReleaseStep, ...]

    @property
    def asked(self) -> ReleaseStep:
        """The request."""
        return self.steps[0]

    @property
    def request_id(self) -> str:
        """Its id."""
        return self.asked.request_id

    @property
    def author(self) -> str:
        """Account that asked."""
        return self.asked.account

    @property
    def state(self) -> str:
        """``requested``, ``reviewed``, ``approved``, ``rejected`` or ``withdrawn``; the last two are final."""
        return [step.action for step in self.steps if step.action != SHARED][-1]

    @property
    def contexts(self) -> list[dict[str, Any]]:
        """One record for every table and figure."""
        found: list[dict[str, Any]] = json.loads(self.asked.content)
        return found

    def when(self, action: str) -> str:
        """Return when a step was first taken; empty for never."""
        return next((step.at for step in self.steps if step.action == action), "")

    def file(self, workspace: Workspace) -> pathlib.Path:
        """Return the copy of the page that is decided on."""
        return workspace.root / "reports" / FOLDER / f"{self.asked.html_sha256}.html"

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        steps = [{"action": s.action, "account": s.account, "at": s.at, "reason": s.reason} for s in self.steps]
        kept = ("page", "report_id", "run_id", "html_sha256", "profile", "preset")
        told = {name: getattr(self.asked, name) for name in kept}
        return {"request_id": self.request_id, "state": self.state, **told, "steps": steps, "contexts": self.contexts}


def list_releases(workspace: Workspace) -> list[Release]:
    """Return all requests in the order they were asked.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import list_releases
    >>> list_releases(open_workspace())
    []
    """
    return _group(list_release_steps(workspace))


def find_release(workspace: Workspace, request_id: str) -> Release:
    """Return one request.

    Raises
    ------
    UsageError
        There is none of that id (QB775).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import find_release
    >>> find_release(open_workspace(), "A0001")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB775] there is no request "A0001"
      found     0 requests
      expected  an id such as A0001
      to fix    qbase release list
    """
    return _pick(list_releases(workspace), request_id)


def queue_release(workspace: Workspace, report: str) -> Release:
    """Ask that a published page may leave the house, after the automatic checks; a copy of it is kept for the decision.

    Parameters
    ----------
    workspace : Workspace
        Whose site.
    report : str
        A report, or one of its pages, as for `find_pages`.

    Returns
    -------
    Release
        Of the state ``requested``.

    Raises
    ------
    UsageError
        No such page or several (QB776), or one for the house (QB772).
    DataError
        The page is not what its run wrote (QB778), or the checks send it back (QB773).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import queue_release
    >>> queue_release(open_workspace(), "nothing")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB776] "nothing" is not one published page
      found     no page
      expected  one published page
      to fix    qbase run nothing -p profile=external
    """
    page = _find_page(workspace, report)
    meta, recorded, data = read_meta(page), read_recorded(workspace, page), page.read_bytes()
    profile, digest = str(meta.get("profile", "")), hashlib.sha256(data).hexdigest()
    if profile not in ("external", "statutory_public"):
        raise UsageError(
            "QB772", page=page.stem, found=f"profile {profile or 'unknown'}", expected="external | statutory_public",
            fix=f"qbase run {meta.get('report_id', report)} -p profile=external",
        )  # fmt: skip
    if recorded.record is None or recorded.written != data or meta.get("html_sha256") != digest:
        raise DataError(
            "QB778", page=page.stem, found="a page or record that differs from its run",
            expected="the page as its run wrote it", fix=f"qbase run {meta.get('report_id', report)} --force",
        )  # fmt: skip
    rules = read_disclosure_preset(read_office_preset(workspace))
    key, source = str(meta["key"]), data.decode("utf-8")
    before = [r for r in list_releases(workspace) if r.asked.page == key and r.state == "approved"]
    contexts = build_contexts(source, recorded.record, rules, before[-1].contexts if before else ())
    reasons = find_reasons(source, recorded.record, rules, contexts, name=page.name)
    if firms := find_named_firms(workspace, source, profile=profile):
        told = ", ".join(firms[:3]) + (f" +{len(firms) - 3}" if len(firms) > 3 else "")
        reasons.append(Text(f"企业名称：{told}", f"names of firms: {told}"))
    if reasons:
        raise DataError(
            "QB773", page=page.stem, found="; ".join(dict.fromkeys(r.en for r in reasons)),
            expected="rounded and redacted counts, context, data behind every figure, one HTML file, no names of firms",
            fix="correct the letter or the preset, and run it again",
        )  # fmt: skip
    write_atomic(workspace.root / "reports" / FOLDER / f"{digest}.html", data)

    def ask(steps: Sequence[ReleaseStep]) -> ReleaseStep:
        known = _group(steps)
        same = [r for r in known if r.asked.html_sha256 == digest and r.state in (*OPEN, "approved")]
        if same:
            _refuse(same[0], "requested")
        return ReleaseStep(
            request_id=f"A{len(known) + 1:04d}", page=key, report_id=str(meta["report_id"]),
            run_id=str(meta["run_id"]), html_sha256=digest, profile=profile, preset=rules.edition, action="requested",
            account=read_account(), at=now(), content=json.dumps(contexts, ensure_ascii=False),
        )  # fmt: skip

    return find_release(workspace, add_release_step(workspace, ask).request_id)


def claim_review(workspace: Workspace, request_id: str) -> Release:
    """Note that this account looks at the page; whoever decides has looked.

    Raises
    ------
    UsageError
        No such request (QB775), the account asked for it (QB774), or it is decided (QB777).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import claim_review
    >>> claim_review(open_workspace(), "A0001")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB775] there is no request "A0001"
      found     0 requests
      expected  an id such as A0001
      to fix    qbase release list
    """
    return _take(workspace, request_id, "reviewed", OPEN)


def decide_release(
    workspace: Workspace, request_id: str, decision: Literal["approved", "rejected"], *, reason: str = ""
) -> Release:
    """Approve or reject a request; the decision is final, but what was approved can be withdrawn.

    Raises
    ------
    UsageError
        No such request (QB775), the account asked for it or has not looked (QB774), it is decided (QB777), or a
        rejection gives no reason (QB779).
    DataError
        The copy that was looked at is gone or another (QB778).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import decide_release
    >>> decide_release(open_workspace(), "A0001", "approved")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB775] there is no request "A0001"
      found     0 requests
      expected  an id such as A0001
      to fix    qbase release list
    """
    return _take(workspace, request_id, decision, OPEN, reason=reason, is_reason_asked=decision == "rejected")


def close_release(workspace: Workspace, request_id: str, *, reason: str) -> Release:
    """Withdraw a request, or a page that was approved; where it was shared, a notice takes its place.

    Raises
    ------
    UsageError
        No such request (QB775), it is closed (QB777), or no reason is given (QB779).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import close_release
    >>> close_release(open_workspace(), "A0001", reason="a count was wrong")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB775] there is no request "A0001"
      found     0 requests
      expected  an id such as A0001
      to fix    qbase release list
    """
    return _take(workspace, request_id, "withdrawn", (*OPEN, "approved"), reason=reason, is_reason_asked=True)


def _take(
    workspace: Workspace,
    request_id: str,
    action: str,
    states: Sequence[str],
    *,
    reason: str = "",
    is_reason_asked: bool = False,
) -> Release:
    account, words = read_account(), reason.strip()
    if is_reason_asked and not words:
        raise UsageError(
            "QB779", action=action, found="no reason", expected="why, in words", fix='--reason "…"'
        )  # fmt: skip

    def step(steps: Sequence[ReleaseStep]) -> ReleaseStep:
        release = _pick(_group(steps), request_id)
        if release.state not in states:
            _refuse(release, action)
        if action != "withdrawn":
            _check_eyes(release, account, has_looked=action == "reviewed")
        if action == "approved":
            check_copy(workspace, release)
        return dataclasses.replace(
            release.asked, action=action, account=account, at=now(), reason=words, content="{}"
        )  # fmt: skip

    add_release_step(workspace, step)
    return find_release(workspace, request_id)


def _check_eyes(release: Release, account: str, *, has_looked: bool) -> None:
    found = "this account asked for it" if account.casefold() == release.author.casefold() else ""
    looked = {s.account for s in release.steps if s.action == "reviewed"}
    if not found and not has_looked and account not in looked:
        found = "this account has not looked at it"
    if found:
        raise UsageError(
            "QB774", request=release.request_id, found=found,
            expected="another account than that of the author, which has looked first",
            fix=f"qbase release review {release.request_id}, as another person",
        )  # fmt: skip


def check_copy(workspace: Workspace, release: Release) -> None:
    """Refuse a kept copy that is not, byte by byte, the page that was asked for.

    Raises
    ------
    DataError
        It is gone or another (QB778).
    """
    file = release.file(workspace)
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != release.asked.html_sha256:
        raise DataError(
            "QB778", page=release.asked.page, found="a copy that is gone or changed",
            expected="the page as it was asked for", fix=f"qbase release reject {release.request_id} --reason …",
        )  # fmt: skip


def _group(steps: Sequence[ReleaseStep]) -> list[Release]:
    found: dict[str, list[ReleaseStep]] = {}
    for step in steps:
        found.setdefault(step.request_id, []).append(step)
    return [Release(steps=tuple(own)) for own in found.values()]


def _pick(releases: Sequence[Release], request_id: str) -> Release:
    for release in releases:
        if release.request_id == request_id:
            return release
    raise UsageError(
        "QB775", request=request_id, found=f"{len(releases)} requests", expected="an id such as A0001",
        fix="qbase release list",
    )  # fmt: skip


def _find_page(workspace: Workspace, report: str) -> pathlib.Path:
    pages = find_pages(workspace, report)
    if len(pages) != 1:
        named = " · ".join(page.stem for page in pages[:4])
        raise UsageError(
            "QB776", report=report, found=named or "no page", expected="one published page",
            fix=f"qbase release request {pages[0].stem}" if pages else f"qbase run {report} -p profile=external",
        )  # fmt: skip
    return pages[0]


def _refuse(release: Release, action: str) -> NoReturn:
    raise UsageError(
        "QB777", request=release.request_id, action=action, found=f"{release.request_id} is {release.state}",
        expected="a request that is open", fix=f"qbase release show {release.request_id}",
    )  # fmt: skip
