"""A run that has been asked for, read and checked before anything is started."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.results.run_values import ReportSpec
from qbase.core.shown.display import sha256_of
from qbase.core.text import Text, join
from qbase.reports.asking.asked_words import ask
from qbase.reports.asking.letter_parameters import Parameter, parse_cells, read_notebook
from qbase.reports.asking.report_spec import read_spec
from qbase.reports.asking.run_arguments import check_params

if TYPE_CHECKING:
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A run that has been checked: specification, source and values.

    ``spec.params`` holds what was chosen, by the specification or the caller; ``params`` every value, defaults too.
    ``page_id`` is the stem of the page: the report's id, with a mark of the choices where they are the caller's, so
    that a look at another cluster never replaces the report of the specification.
    """

    spec: ReportSpec
    document: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    params: dict[str, Any]
    page_id: str

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Cells of the source notebook."""
        return list(self.document["cells"])

    @property
    def injected(self) -> dict[str, Any]:
        """Values that differ from the defaults of the cell."""
        defaults = {p.name: p.default for p in self.parameters}
        return {n: v for n, v in self.params.items() if defaults[n] is ... or json.dumps(v) != json.dumps(defaults[n])}


def read_request(workspace: Workspace, report_id: str, params: Mapping[str, Any]) -> Request:
    """Read and check everything a run needs, before anything is started (QB801-QB809)."""
    spec = read_spec(workspace, report_id)
    path = workspace.root / spec.notebook
    document = read_notebook(path, shown=spec.notebook)
    parameters = parse_cells(document["cells"], shown=spec.notebook)
    values = check_params(parameters, {**spec.params, **params}, report_id=report_id)
    # what the caller leaves to the specification, read by the declared types; required ones may be the caller's alone
    planned = check_params(parameters, {**params, **spec.params}, report_id=report_id)
    defaults = {p.name: p.default for p in parameters if p.name not in spec.params and p.default is not ...}
    planned = {**{name: planned[name] for name in spec.params}, **defaults}
    other = {n: values[n] for n in params if n not in planned or json.dumps(values[n]) != json.dumps(planned[n])}
    page_id, title = spec.report_id, spec.title
    if other:
        page_id += "~" + sha256_of(other)[:6]
        declared = {p.name: p for p in parameters}
        asked = [ask(name, value, declared[name]) for name, value in other.items()]
        chosen = join([a.said for a in asked], zh="；", en="; ")
        title += Text(f"（{chosen.zh}）", f" ({chosen.en})")
    spec = dataclasses.replace(spec, title=title, params={**{n: values[n] for n in spec.params}, **other})
    return Request(spec=spec, document=document, parameters=parameters, params=values, page_id=page_id)
