"""A letter run without qbase, by papermill or by hand: its parameters held against what it declares."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import UsageError
from qbase.reports.asking.letter_parameters import Parameter, fault, parse_source
from qbase.reports.asking.run_arguments import example, wrong_value


def check_given(names: Mapping[str, Any] | None = None) -> None:
    """Check that the parameters of this letter hold what they declare, whoever set them.

    ``qbase run`` checks before it starts a kernel. ``papermill -p subject 3`` makes a number of a code, and an edited
    cell may hold anything; called in the first cell below the parameters, this says so in four lines.

    Parameters
    ----------
    names : mapping, optional
        Names of the letter, with ``In`` as IPython keeps its cells; those of the caller by default. Where there are no
        cells, as in a script, nothing is declared and nothing checked.

    Raises
    ------
    UsageError
        A value has another type (QB805), is outside its range or choices (QB806), or is no JSON value (QB807).

    Examples
    --------
    >>> from qbase.reports import check_given
    >>> cells = ['subject: str | None = "K001"  # 对象 | subject']
    >>> check_given({"In": cells, "subject": "K003"})
    >>> check_given({"In": cells, "subject": 3})
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB805] parameter "subject" has the wrong type
      found     subject = 3
      expected  subject: str | None
      to fix    papermill -r subject 3, or qbase run REPORT -p subject=3
    """
    if names is None:
        frame = inspect.currentframe()
        names = frame.f_back.f_globals if frame is not None and frame.f_back is not None else {}
    for parameter in _declared(names.get("In", ())):
        value = names.get(parameter.name, parameter.default)
        wrong = fault(parameter, None if value is ... else value)
        if wrong:
            raise wrong_value(parameter, value, wrong, "REPORT", _fix(parameter, value))


def _declared(cells: Any) -> list[Parameter]:
    """Return what the cells declare that hold nothing but parameters; of one name the cell that ran last."""
    found: dict[str, Parameter] = {}
    for source in cells:
        try:
            parameters = parse_source(source, shown="parameters")
        except UsageError:
            continue
        found |= {parameter.name: parameter for parameter in parameters}
    return list(found.values())


def _fix(parameter: Parameter, value: Any) -> str:
    name = parameter.name
    if parameter.base == "str" and not parameter.many and type(value) in {int, float}:
        # papermill reads numbers where it can, and 007 becomes 7; -r leaves text as it is
        return f"papermill -r {name} {value}, or qbase run REPORT -p {name}={value}"
    wanted = example(parameter)
    if parameter.many:
        return f"papermill -y '{name}: {wanted.strip(chr(39))}', or qbase run REPORT -p {name}={wanted}"
    return f"papermill -p {name} {wanted}, or qbase run REPORT -p {name}={wanted}"
