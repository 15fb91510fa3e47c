"""Verification of a finished report: ten checks that need nothing but the file, and the record for two of them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import RunError, UsageError
from qbase.core.values import CheckResult
from qbase.release.verifying import content_checks, form_checks
from qbase.release.verifying.page_reading import read_page


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What the checks found.

    Parameters
    ----------
    checks : tuple of CheckResult
        In order; ``passed`` is None where a check had nothing to compare with.

    Examples
    --------
    >>> from qbase.core import CheckResult, Text
    >>> from qbase.release import Verification
    >>> text = Text("页面引用外部图片", "the page loads an image from outside")
    >>> found = Verification(checks=(CheckResult(name="no_request", passed=False, text=text),))
    >>> [check.text.en for check in found.failed]
    ['the page loads an image from outside']
    """

    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed; a page whose numbers were compared with nothing has not."""
        return all(check.passed is True for check in self.checks)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def unproven(self) -> tuple[CheckResult, ...]:
        """The checks that had nothing to compare with."""
        return tuple(check for check in self.checks if check.passed is None)

    def require(self) -> Verification:
        """Return itself when every check passed.

        Raises
        ------
        RunError
            A check failed, or had no record to compare with (QB771).
        """
        if not self.passed:
            short = (*self.failed, *self.unproven)
            raise RunError(
                "QB771",
                names=", ".join(c.name for c in short),
                found="; ".join(c.text.en for c in short),
                expected="every check passed",
                fix="see each check with qbase verify, correct the letter and run it again",
            )
        return self

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"passed": self.passed, "checks": [check.payload() for check in self.checks]}


def verify_report(
    path: str | pathlib.Path, *, record: Mapping[str, Any] | None = None, written: bytes | None = None
) -> Verification:
    """Verify a finished report.

    Parameters
    ----------
    path : str or Path
        One HTML file.
    record : mapping or None
        ``results.json`` of its run; without it the two checks that compare with the record say so, and the page
        does not pass.
    written : bytes or None
        The page as its run wrote it, compared byte by byte where it is given.

    Returns
    -------
    Verification
        one_file, no_request, no_script, alt_text, captions, both_languages, intervals, numbers, glyphs,
        contrast_and_private; with ``written`` also as_written.

    Raises
    ------
    UsageError
        The file is missing or is no text (QB770).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.release import verify_report
    >>> page = '<!DOCTYPE html><html lang="zh"><body><img src="https://example.org/rate.png"></body></html>'
    >>> _ = pathlib.Path("bare.html").write_text(page, "utf-8")
    >>> [check.name for check in verify_report("bare.html").failed]
    ['no_request', 'no_script', 'alt_text', 'glyphs', 'contrast_and_private']
    """
    try:
        source = pathlib.Path(path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "QB770",
            found=f"{pathlib.Path(path).name}: {type(error).__name__}",
            expected="an HTML file in UTF-8",
            fix="qbase verify reports/site/<report>.html",
        ) from error
    found = verify_html(source, record=record)
    if written is None:
        return found
    return Verification(checks=(*found.checks, content_checks.check_as_written(source, written)))


def verify_html(source: str, *, record: Mapping[str, Any] | None = None) -> Verification:
    """Verify the text of a report before it is written; as `verify_report` does for a file."""
    page = read_page(source)
    plain = json.loads(json.dumps(record)) if record is not None else None
    return Verification(
        checks=(
            form_checks.check_one_file(page),
            form_checks.check_no_request(page),
            form_checks.check_no_script(page),
            form_checks.check_alt_text(page),
            form_checks.check_captions(page),
            form_checks.check_both_languages(page),
            content_checks.check_intervals(page, plain),
            content_checks.check_numbers(page, plain),
            content_checks.check_glyphs(page),
            content_checks.check_contrast_and_private(page),
        )
    )
