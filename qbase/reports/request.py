"""A run that has been asked for, read and checked before anything is started."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.values import ReportSpec
from qbase.reports.arguments import check_params
from qbase.reports.parameters import Parameter, parse_cells, read_notebook
from qbase.reports.spec import read_spec

if TYPE_CHECKING:
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A run that has been checked: specification, source and values.

    ``spec.params`` holds what was chosen, by the specification or the caller; ``params`` every value, defaults too.
    """

    spec: ReportSpec
    document: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    params: dict[str, Any]

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
    stated = {**spec.params, **params}
    values = check_params(parameters, stated, report_id=report_id)
    spec = dataclasses.replace(spec, params={name: values[name] for name in stated})
    return Request(spec=spec, document=document, parameters=parameters, params=values)
