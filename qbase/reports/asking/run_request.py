"""A run that has been asked for, read and checked before anything is started."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.run_values import ReportSpec
from qbase.core.text import Text, join, same
from qbase.reports.asking.asked_words import ask
from qbase.reports.asking.letter_parameters import Parameter, parse_cells, read_notebook
from qbase.reports.asking.letter_reading import check_letter
from qbase.reports.asking.page_names import key_of, name_page
from qbase.reports.asking.report_spec import read_spec
from qbase.reports.asking.run_arguments import PROFILE, check_params
from qbase.reports.asking.subject_names import SUBJECT, KnownSubjects, Subject, entity_of

if TYPE_CHECKING:
    from qbase.lake import Workspace

INTERNAL = "internal"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A run that has been checked: specification, source and values.

    ``spec.params`` holds what was chosen, by the specification or the caller; ``params`` every value, defaults too.
    ``page_id`` is the stem of the page: the report's id, with the choices where they are the caller's, so that a look
    at another cluster never replaces the report of the specification. ``page_key`` is what of it stays when a name
    changes, ``former_keys`` what it was while its subject had a code made by rule. ``names`` puts values into words:
    the name of the subject.
    """

    spec: ReportSpec
    document: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    params: dict[str, Any]
    page_id: str
    page_key: str = ""
    names: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    former_keys: tuple[str, ...] = ()

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Cells of the source notebook."""
        return list(self.document["cells"])

    @property
    def injected(self) -> dict[str, Any]:
        """Values that differ from the defaults of the cell."""
        defaults = {p.name: p.default for p in self.parameters}
        return {n: v for n, v in self.params.items() if defaults[n] is ... or json.dumps(v) != json.dumps(defaults[n])}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Letter:
    """A report's specification and notebook, read and checked once for however many runs are asked of it."""

    spec: ReportSpec
    document: Mapping[str, Any]
    parameters: tuple[Parameter, ...]


def read_request(workspace: Workspace, report_id: str, params: Mapping[str, Any]) -> Request:
    """Read and check everything a run needs, before anything is started (QB801-QB809, QB827-QB831)."""
    return ask_letter(workspace, read_letter(workspace, report_id), params)


def read_letter(workspace: Workspace, report_id: str) -> Letter:
    """Read and check what all runs of a report have in common (QB801, QB802, QB808, QB809, QB827, QB828)."""
    spec = read_spec(workspace, report_id)
    document = read_notebook(workspace.root / spec.notebook, shown=spec.notebook)
    parameters = parse_cells(document["cells"], shown=spec.notebook)
    check_letter(document["cells"], parameters, shown=spec.notebook)
    return Letter(spec=spec, document=document, parameters=parameters)


def ask_letter(
    workspace: Workspace, letter: Letter, params: Mapping[str, Any], *, known: KnownSubjects | None = None
) -> Request:
    """Check what one run is given and give it its name (QB803-QB807, QB830, QB831).

    Parameters
    ----------
    workspace : Workspace
        Whose tables know the names of subjects.
    letter : Letter
        As `read_letter` returns it.
    params : mapping
        What the caller chose.
    known : KnownSubjects, optional
        Subjects that were read before; for many runs.
    """
    spec, parameters = _with_profile(letter.spec, letter.parameters), letter.parameters
    known = known or KnownSubjects(workspace)
    values = check_params(parameters, {**spec.params, **params}, report_id=spec.report_id)
    subject = _subject(known, parameters, values, spec)
    if subject is not None:
        values[SUBJECT] = subject.code
    other = _chosen(parameters, spec, params, values)
    if subject is not None and other.get(SUBJECT) and _is_planned(known, parameters, spec, subject):
        del other[SUBJECT]
    apart = subject if SUBJECT in other else None
    rest = {name: value for name, value in other.items() if name != SUBJECT or subject is None}
    return Request(
        spec=dataclasses.replace(
            spec,
            profile=values.get(PROFILE, spec.profile),
            title=_title(spec.title, subject, rest, parameters),
            params={**{n: values[n] for n in spec.params}, **other},
        ),
        document=letter.document,
        parameters=parameters,
        params=values,
        page_id=name_page(spec.report_id, apart, rest),
        page_key=key_of(spec.report_id, apart, rest),
        names={} if subject is None else {SUBJECT: subject.said},
        former_keys=_former_keys(spec.report_id, apart, rest),
    )


def _with_profile(spec: ReportSpec, parameters: Sequence[Parameter]) -> ReportSpec:
    """Return the specification with its readers as a parameter of the letter, which alone can keep things from them.

    Raises
    ------
    UsageError
        The page is for outside, and the letter knows no readers (QB717).
    """
    if spec.profile == INTERNAL:
        return spec
    if all(p.name != PROFILE for p in parameters):
        raise UsageError(
            "QB717",
            report=spec.report_id,
            profile=spec.profile,
            found=f"no parameter {PROFILE} in {spec.notebook}",
            expected=f'{PROFILE}: str = "{INTERNAL}", read by protect(…, {PROFILE}={PROFILE})',
            fix=f'{PROFILE} = "{INTERNAL}" in {spec.report_id}.toml, or give the letter the parameter',
        )
    return dataclasses.replace(spec, params={PROFILE: spec.profile, **spec.params})


def _former_keys(report_id: str, subject: Subject | None, rest: Mapping[str, Any]) -> tuple[str, ...]:
    codes = () if subject is None else subject.former
    return tuple(key_of(report_id, dataclasses.replace(subject, code=code), rest) for code in codes if subject)


def _subject(
    known: KnownSubjects, parameters: Sequence[Parameter], values: Mapping[str, Any], spec: ReportSpec
) -> Subject | None:
    entity = entity_of(parameters, values)
    word = values.get(SUBJECT)
    if not entity or not word:
        return None
    subject = known.find(entity, word, report_id=spec.report_id)
    # the heading and the address of a page that leaves the house name no firm
    is_inside = entity != "firm_id" or values.get(PROFILE, spec.profile) == INTERNAL
    return subject if is_inside else dataclasses.replace(subject, name=same(subject.code))


def _chosen(
    parameters: Sequence[Parameter], spec: ReportSpec, params: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the caller chose otherwise than the specification and the letter would."""
    # what the caller leaves to the specification, read by the declared types; required ones may be the caller's alone
    planned = check_params(parameters, {**params, **spec.params}, report_id=spec.report_id)
    defaults = {p.name: p.default for p in parameters if p.name not in spec.params and p.default is not ...}
    planned = {**{name: planned[name] for name in spec.params}, **defaults}
    return {n: values[n] for n in params if n not in planned or json.dumps(values[n]) != json.dumps(planned[n])}


def _is_planned(known: KnownSubjects, parameters: Sequence[Parameter], spec: ReportSpec, subject: Subject) -> bool:
    """Whether the specification names the same subject in other words: its name."""
    declared = {p.name: p.default for p in parameters}
    word, entity = spec.params.get(SUBJECT, declared.get(SUBJECT)), entity_of(parameters, spec.params)
    if not isinstance(word, str) or entity is None:
        return False
    return [s.code for s in known.match(entity, word)] == [subject.code]


def _title(title: Text, subject: Subject | None, rest: Mapping[str, Any], parameters: Sequence[Parameter]) -> Text:
    """Return the title of a page: it names its subject, then what else was chosen for it."""
    if subject is not None and subject.name.zh not in title.zh:
        title += Text(f"：{subject.said.zh}", f": {subject.said.en}")
    if not rest:
        return title
    declared = {p.name: p for p in parameters}
    chosen = join([ask(name, value, declared[name]).said for name, value in rest.items()], zh="；", en="; ")
    return title + Text(f"（{chosen.zh}）", f" ({chosen.en})")
