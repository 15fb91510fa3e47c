"""An executed letter becomes one HTML file: no script, no request, both languages, both themes, phone and paper."""

from __future__ import annotations

import base64
import datetime
import functools
import html
import json
import pathlib
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jinja2 import StrictUndefined
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbformat import NotebookNode
from nbformat.validator import iter_validate

from qbase.core.errors import RunError
from qbase.core.results.decision import is_next_step
from qbase.core.results.run_values import ReportSpec, RunRecord
from qbase.core.results.sentences import GRADES
from qbase.core.shown import fonts, palette
from qbase.core.shown.glossary import read_glossary
from qbase.core.shown.row_intervals import place_row_intervals
from qbase.core.text import Text, join, same, split_sentences
from qbase.release.verifying.form_checks import CSP
from qbase.release.verifying.page_glyphs import find_missing, name_characters
from qbase.release.verifying.shown_bundles import table_csv
from qbase.reports.asking.asked_words import Asked, read_asked, written
from qbase.reports.rendering.bundle_payloads import check_accounts
from qbase.reports.rendering.cell_outputs import as_inert
from qbase.reports.rendering.letter_cells import NUMERALS, leave_inside
from qbase.reports.rendering.page_fonts import font_faces
from qbase.reports.rendering.page_parts import Letter, read_letter
from qbase.reports.rendering.sentence_marks import emphasise, keep_together, mark_head, said_values

Lang = Literal["zh", "en"]

TEMPLATES = pathlib.Path(__file__).parent / "template"
FONT_SLOT, FAMILY = "@qbase-font@", "QB Sans"
PROFILES = {
    "internal": Text("内部资料", "Internal"),
    "external": Text("对外发布", "For release"),
    "statutory_public": Text("依法公开", "Statutory publication"),
}
DOTS = {"strong": 3, "moderate": 2, "limited": 1}


def render_report(
    notebook: NotebookNode,
    *,
    spec: ReportSpec,
    run: RunRecord,
    results: Mapping[str, Any],
    lang: Lang = "zh",
    names: Mapping[str, Text] | None = None,
) -> str:
    """Render an executed letter as one HTML file.

    Parameters
    ----------
    notebook : NotebookNode
        Executed, outputs inside.
    spec : ReportSpec
        Title and profile.
    run : RunRecord
        Parameters, snapshot, versions: what the page says about its origin.
    results : mapping
        ``results.json`` of the run.
    lang : {"zh", "en"}
        Which language shows first; both are in the file.
    names : mapping, optional
        What to say for a value, by the name of its parameter: the name of the subject.

    Returns
    -------
    str
        The same inputs give the same text, run id and time apart.

    Raises
    ------
    RunError
        A bundle is ill-formed (QB850, QB851) or a drawing unclean (QB760, QB761), a section lacks a language (QB853),
        ids collide (QB854), there are two conclusions (QB855), the font lacks a character (QB852), or a result does not
        say what it stands on (QB856).

    Examples
    --------
    >>> import nbformat
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_spec, render_report
    >>> known = dict.fromkeys(("run_id", "notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    >>> run = RunRecord(report_id="trends", params={}, versions={}, state="ok", started_at="2026-01-31T02:00Z", **known)
    >>> spec = read_spec(open_workspace(), "trends")
    >>> page = render_report(nbformat.v4.new_notebook(), spec=spec, run=run, results={}, lang="en")
    >>> page[page.index("<title>") : page.index("</title>")]
    '<title>How the batch pass rate is changing | 批次合格率的变化'
    """
    check_accounts((*results.get("results", ()), *results.get("scorecards", ())))
    for error in iter_validate(notebook, relax_add_props=True):  # type: ignore[no-untyped-call]
        raise error
    context = build_context(notebook, spec, run, results, lang=lang, names=names)
    return with_font(fill("report.html.j2", context), context["title"])


def build_context(
    notebook: NotebookNode,
    spec: ReportSpec,
    run: RunRecord,
    results: Mapping[str, Any],
    *,
    lang: Lang,
    names: Mapping[str, Text] | None,
) -> dict[str, Any]:
    """Return what the template of a report is filled with, of the cells that its readers may see.

    Parameters
    ----------
    notebook, spec, run, results, lang, names
        As `render_report` takes them.
    """
    entries = (*results.get("results", ()), *results.get("scorecards", ()))
    spoken = {text["zh"]: entry["name"] for entry in entries for text in entry["sentences"]}
    notebook = leave_inside(notebook, is_inside=spec.profile == "internal")
    letter = read_letter(notebook, run_id=run.run_id, spoken=spoken)
    asked = read_asked(notebook, run.params, names)
    return {
        "lang": lang,
        "title": spec.title,
        "letter": letter,
        "chapters": _chapters(letter),
        "kick": PROFILES[spec.profile],
        "fictional": is_fictional(results),
        "run": run,
        "parameters": asked,
        "given": given_of(spec, asked)[:4],
        "when": date_of(run.slot or run.started_at),
        "glossary": _glossary(notebook, letter),
        "checks": [c for r in results.get("results", ()) for c in r["checks"]],
        "failed_beside": failed_beside(results, [Text(**item.text) for item in letter.failed]),
        "quantities": {t["zh"]: said_values(r) for r in results.get("results", ()) for t in r["sentences"]},
        "annex": join(_annexed(letter), zh="、", en=", "),
        "sources": results.get("sources", ()),
        "facts": _facts(letter, run),
        "command": command_of(run),
    }


def given_of(spec: ReportSpec, asked: tuple[Asked, ...]) -> list[Asked]:
    """Return what was chosen for a report; the defaults of its letter stand in the provenance."""
    return [a for a in asked if not a.is_empty and (a.name in spec.params or not a.is_default)]


def is_fictional(results: Mapping[str, Any]) -> bool:
    """Whether a source says that its data are made up."""
    producers = [str(s.get("producer", "")).lower() for s in results.get("sources", ())]
    return any("fictional" in p or "虚构" in p for p in producers)


def date_of(moment: str) -> Text:
    """Return the day of an ISO moment in words; what is no date stays as it is."""
    try:
        day = datetime.date.fromisoformat(moment[:10])
    except ValueError:
        return same(moment)
    return Text(f"{day.year} 年 {day.month} 月 {day.day} 日", f"{day.day} {day:%B} {day.year}")


def fill(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of the house; nbconvert would copy and check a notebook that no template asks for."""
    page = {**context, "css": _css(context["title"]), "csp": CSP}
    return str(_exporter(template).template.render(resources={"page": page})).lstrip("\r\n")


def with_font(page: str, title: Text) -> str:
    """Embed the fonts that draw the characters of a page.

    Raises
    ------
    RunError
        Neither the font nor the reader's own fonts draw a character (QB852).
    """
    text = html.unescape(page)
    missing = find_missing(text, fonts.covered())
    if missing:
        place = text.index(missing[0])
        raise RunError(
            "QB852",
            characters=name_characters(missing),
            found="… " + " ".join(text[max(0, place - 12) : place + 13].split()) + " …",
            expected=f"characters of {fonts.FAMILY}",
            fix=f"correct the text in report {title.en}, or write the character in another way",
        )
    return page.replace(FONT_SLOT, font_faces(set(text), FAMILY), 1)


@functools.cache
def _exporter(template: str) -> Any:
    exporter = TemplateExporter(  # type: ignore[no-untyped-call]
        template_paths=[str(TEMPLATES)], template_file=template
    )
    environment = exporter.environment
    environment.autoescape = True
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    highlight = Highlight2HTML(extra_formatter_options={"nowrap": True})  # type: ignore[no-untyped-call]
    environment.filters |= {
        "code": lambda source: as_inert(highlight(source, language="python3")),
        "emphasise": emphasise,
        "headed": mark_head,
        "is_next": is_next_step,
        "together": keep_together,
        "intervals": place_row_intervals,
        "json": _single_quoted,
        "csv": lambda payload: base64.b64encode(table_csv(payload)).decode(),
        "slug": lambda name: re.sub(r"[^\w.-]+", "_", str(name)).strip("_.") or "table",
        "svg": Markup,
        "dots": lambda grade: DOTS.get(grade, 0),
        "grade": lambda grade: GRADES[grade],
    }
    return exporter


def failed_beside(results: Mapping[str, Any], said: Sequence[Text]) -> list[Text]:
    """Return what failed and the conclusion does not say: checks of recorded results, sentence by sentence."""
    known = {part.zh for text in said for part in split_sentences(text)}
    left: list[Text] = []
    for check in (c for r in results.get("results", ()) for c in r["checks"] if c["passed"] is False):
        # one that was said with the sample it is on before it has been said
        new = [p for p in split_sentences(Text(**check["text"])) if not any(k.endswith(p.zh) for k in known)]
        known |= {part.zh for part in new}
        left += [join(new, zh="", en=" ")] if new else []
    return left


def _css(title: Text) -> Markup:
    sheet = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    slots = {
        "/*LIGHT*/": palette.css_variables(palette.LIGHT) + ";",
        "/*DARK*/": palette.css_variables(palette.DARK) + ";",
        '"TITLE-ZH"': _css_string(title.zh),
        '"TITLE-EN"': _css_string(title.en),
    }
    sheet = re.sub(r"/\*\s.*?\*/\n?", "", sheet, flags=re.DOTALL)
    for slot, value in slots.items():
        sheet = sheet.replace(slot, value)
    return as_inert(sheet)


def _single_quoted(value: object) -> Markup:
    """Return JSON for an attribute in single quotes: a table of a thousand rows has too many double ones."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return as_inert(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;"))


def _css_string(text: str) -> str:
    """Return a CSS string in which nothing but letters and digits stands unescaped."""
    return '"' + "".join(c if c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'


def _chapters(letter: Letter) -> list[tuple[str, Text]]:
    """Return (anchor, numbered title) of every second-level heading of the page, in order."""
    titles = [("overview", Text("指标总览", "Key indicators"))] if letter.tiles else []
    titles += [(s.anchor, s.title) for s in letter.sections]
    if letter.further_limits and not any(s.holds_limits for s in letter.sections):
        titles.append(("limits", Text("局限", "Limits")))
    titles += [("terms", Text("术语", "Terms")), ("origin", Text("溯源", "Provenance"))]
    return [(anchor, Text(f"{_numeral(i)}、{t.zh}", f"{i} {t.en}")) for i, (anchor, t) in enumerate(titles, start=1)]


def _annexed(letter: Letter) -> list[Text]:
    """Return the titles of the annex."""
    main = {s.anchor for s in letter.sections if not s.annex} | {"overview"}
    return [Text(t.zh.partition("、")[2], t.en.partition(" ")[2]) for a, t in _chapters(letter) if a not in main]


def _numeral(i: int) -> str:
    tens, ones = divmod(i, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else NUMERALS[tens - 1] + "十")
    return head + (NUMERALS[ones - 1] if ones else "")


def _glossary(notebook: NotebookNode, letter: Letter) -> list[tuple[Text, Text]]:
    """Return the terms that the page uses."""
    words = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    blocks = [*letter.figures, *(b for s in letter.sections for b in s.blocks)]
    words += [json.dumps(_without_drawings(b.payload), ensure_ascii=False) for b in blocks]
    decided = [i for block in letter.decisions for i in block.items]
    items = [i for i in (letter.lead, *letter.findings, *decided, *letter.failed, *letter.limits) if i]
    words += [i.text[lang] for i in items for lang in ("zh", "en")]
    words += [json.dumps(t, ensure_ascii=False) for t in letter.tiles]
    text = "\n".join(words).lower()
    used = {"snapshot"} | ({"evidence"} if any(i.grade for i in items) else set())
    return [
        (name, definition)
        for term, (name, definition) in read_glossary().items()
        if term in used or name.zh.lower() in text or name.en.lower() in text
    ]


def _without_drawings(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in {"drawings", "data"}}


def _facts(letter: Letter, run: RunRecord) -> list[tuple[Text, str]]:
    known = {"run", "data snapshot", "source", "state"}
    facts = [
        (Text("报告", "Report"), run.report_id),
        (Text("运行", "Run"), run.run_id),
        (Text("时间", "Time"), run.started_at + (f" · {run.seconds:.1f} s" if run.seconds else "")),
        (Text("笔记本", "Notebook"), run.notebook),
        (Text("数据版本", "Data snapshot"), run.snapshot),
        (Text("版本库提交", "Commit"), run.commit[:12]),
        (Text("指纹", "Fingerprint"), run.fingerprint[:16]),
        (Text("环境", "Environment"), " · ".join(f"{n} {v}" for n, v in run.versions.items())),
    ]
    facts += [
        (Text(f["label"]["zh"], f["label"]["en"]), f["value"])
        for f in letter.facts
        if f["label"]["en"].lower() not in known
    ]
    return [(label, value) for label, value in facts if value]


def command_of(run: RunRecord) -> str:
    """Return the line that repeats the run."""
    given = [f"-p {shlex.quote(f'{name}={written(value)}')}" for name, value in sorted(run.params.items())]
    return " ".join([f"qbase run {shlex.quote(run.report_id)}", *given])
