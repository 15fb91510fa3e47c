"""A published page by name; the file of another form out, written whole, or a reason why not."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, cast, get_args

from qbase.core.errors import Lang, RunError, SetupError, UsageError
from qbase.core.whole_files import write_atomic
from qbase.release import verify_report
from qbase.reports.asking.page_names import read_meta
from qbase.reports.forms.form_reading import read_form
from qbase.reports.running.published_pages import read_recorded

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.forms.form_parts import Form

FormName = Literal["pdf", "docx", "xlsx", "md"]
FIRST_DAY = "1980-01-01"
FORMS: tuple[FormName, ...] = get_args(FormName)


def render_form(workspace: Workspace, page: pathlib.Path, to: FormName, *, lang: Lang = "zh") -> bytes:
    """Return a published page in another form.

    Parameters
    ----------
    workspace : Workspace
        Whose runs hold the record of the page.
    page : Path
        HTML of a finished report.
    to : {"pdf", "docx", "xlsx", "md"}
        Which form.
    lang : {"zh", "en"}
        Which of its languages; nothing of the other is in the form.

    Returns
    -------
    bytes
        The same page gives the same bytes.

    Raises
    ------
    RunError
        The page does not verify (QB880), or holds a character that the font of a PDF lacks (QB881).
    UsageError
        It only points to the page of another name (QB965).
    SetupError
        A PDF was asked for and typst is not installed (QB882).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports.forms.finished_forms import render_form
    >>> page = pathlib.Path("edited.html")
    >>> _ = page.write_text('<!DOCTYPE html><html lang="zh"><body><h1>81.8%</h1></body></html>', "utf-8")
    >>> render_form(open_workspace(), page, "md")
    Traceback (most recent call last):
        ...
    qbase.core.errors.RunError: error[QB880] the page edited does not verify, so no other form is made of it
      found     no_script, glyphs, contrast_and_private, intervals, numbers
      expected  every check passed
      to fix    qbase verify edited.html
    """
    return _writer(to)(_read(workspace, page, to, lang))


def write_form(
    workspace: Workspace, page: pathlib.Path, to: FormName, path: pathlib.Path, *, lang: Lang = "zh"
) -> pathlib.Path:
    """Write a published page in another form; as `render_form`.

    Parameters
    ----------
    workspace, page, to, lang
        See `render_form`.
    path : Path
        The file, or (without an ending) the folder in which it gets the name of its page.

    Returns
    -------
    Path
        What was written, whole.

    Raises
    ------
    SetupError
        The file cannot be written (QB883).
    """
    data = render_form(workspace, page, to, lang=lang)
    target = path if path.suffix and not path.is_dir() else path / f"{page.stem}.{lang}.{to}"
    try:
        write_atomic(target, data)
    except OSError as error:
        raise SetupError(
            "QB883",
            file=target.name,
            found=error.strerror or type(error).__name__,
            expected=f"FILE.{to}",
            fix=f"qbase render {page.stem} --to {to} --out FILE.{to}",
        ) from error
    return target


def _read(workspace: Workspace, page: pathlib.Path, to: FormName, lang: Lang) -> Form:
    found = read_recorded(workspace, page)
    if found.moved_to:
        raise UsageError(
            "QB965",
            page=page.stem,
            found=f"{page.stem} → {found.moved_to}",
            expected="REPORT [SUBJECT]",
            fix=f"qbase render {found.moved_to} --to {to}",
        )
    outcome = verify_report(page, record=found.record, written=found.written)
    if not outcome.passed:
        raise RunError(
            "QB880",
            page=page.stem,
            found=", ".join(check.name for check in (*outcome.failed, *outcome.unproven)),
            expected="every check passed",
            fix=f"qbase verify {page.name}",
        )
    source = (found.written or page.read_bytes()).decode()
    return read_form(source, lang, day=_day(read_meta(page), str((found.record or {}).get("sentinel", ""))))


def _day(meta: Mapping[str, object], run_id: str) -> str:
    """Return the logical date of a page; of one that stands apart from the site, the day on which its run began."""
    for moment in (str(meta.get("slot", ""))[:10], run_id[:8]):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(moment).isoformat()
    return FIRST_DAY


def _writer(to: FormName) -> Callable[[Form], bytes]:
    """Return the function that writes a form; a form loads what it needs and nothing of the others."""
    if to == "pdf":
        from qbase.reports.forms.pdf_form import write_pdf

        return write_pdf
    if to == "docx":
        from qbase.reports.forms.word_form import write_word

        return write_word
    if to == "xlsx":
        from qbase.reports.forms.workbook_form import write_workbook

        return write_workbook
    from qbase.reports.forms.markdown_form import write_markdown

    return cast("Callable[[Form], bytes]", lambda form: write_markdown(form).encode())
