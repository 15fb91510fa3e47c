"""The parameters of a report as the fields of a form, and what was filled in as values for a run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.text import Text
from qbase.core.values import EMPTY
from qbase.lake.entity_names import NAMED, read_names
from qbase.reports import Parameter, check_params, read_parameters, read_spec, read_words
from qbase.reports.asking.run_arguments import written

if TYPE_CHECKING:
    from qbase.lake import Workspace

Kind = Literal["choice", "flag", "whole", "number", "suggested", "text"]
SUBJECT, ENTITY = "subject", "entity"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a form.

    Parameters
    ----------
    name : str
        Of the parameter.
    kind : {"choice", "flag", "whole", "number", "suggested", "text"}
        What it is filled in with: one of ``choices``, yes or no, a whole number, a number, a text with suggestions, or
        a text as it is typed on the command line.
    help : Text
        What it means.
    value : Any
        What it holds at first, as the field takes it.
    choices : tuple
        Values to choose from, or suggested names.
    low, high : float or None
        Ends of the range.
    hint : str
        Type and range, as `qbase inspect` shows them.

    Examples
    --------
    >>> from qbase.explore import build_field
    >>> from qbase.core import Text
    >>> from qbase.reports import Parameter
    >>> build_field(Parameter(name="level", base="float", default=0.95, low=0.5, high=0.999)).kind
    'number'
    """

    name: str
    kind: Kind
    help: Text
    value: Any
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    hint: str = ""


def build_field(parameter: Parameter, *, given: Any = ..., names: Sequence[str] = ()) -> Field:
    """Build the field of a parameter.

    Parameters
    ----------
    parameter : Parameter
        As the letter declares it.
    given : Any
        What the specification gives; the default of the letter where it gives nothing.
    names : sequence of str
        Names to suggest.

    Returns
    -------
    Field

    Examples
    --------
    >>> from qbase.explore import build_field
    >>> from qbase.reports import Parameter
    >>> build_field(Parameter(name="freq", base="str", default="Q", choices=("Q", "H", "A")), given="A")
    Field(name='freq', kind='choice', help=Text(zh='', en=''), value='A', choices=('Q', 'H', 'A'), low=None, high=None,
          hint='freq: str, Q | H | A')
    """
    value = parameter.default if given is ... else given
    value = None if value is ... else value
    common: dict[str, Any] = {"name": parameter.name, "help": parameter.help, "hint": parameter.describe()}
    if parameter.choices and not parameter.many:
        choices = (None, *parameter.choices) if parameter.optional else parameter.choices
        return Field(kind="choice", value=value if value in choices else choices[0], choices=choices, **common)
    # a number that may be empty is typed: a spinner cannot be empty
    is_plain = not parameter.many and not parameter.optional and value is not None
    if is_plain and parameter.base == "bool":
        return Field(kind="flag", value=value, **common)
    if is_plain and parameter.base in {"int", "float"}:
        kind: Kind = "whole" if parameter.base == "int" else "number"
        low, high = (None if isinstance(end, str) else end for end in (parameter.low, parameter.high))
        return Field(kind=kind, value=value, low=low, high=high, **common)
    typed = "" if value is None else value if isinstance(value, str) else shlex.split(written(value))[0]
    return Field(kind="suggested" if names else "text", value=typed, choices=tuple(names), **common)


def read_form(workspace: Workspace, report_id: str) -> tuple[Field, ...]:
    """Read the form of a report: its parameters in order, filled in as its specification says.

    Parameters
    ----------
    workspace : Workspace
        Where report and names are.
    report_id : str
        File stem of the specification.

    Returns
    -------
    tuple of Field

    Raises
    ------
    UsageError
        There is no such report (QB801), or its parameters do not hold (QB802-QB809).

    Examples
    --------
    >>> from qbase.explore import read_form
    >>> from qbase.lake import open_workspace
    >>> [(field.name, field.kind) for field in read_form(open_workspace(), "trends")][:3]
    [('indicator', 'text'), ('entity', 'choice'), ('subject', 'suggested')]
    """
    spec = read_spec(workspace, report_id)
    parameters = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
    entity = next((spec.params.get(ENTITY, p.default) for p in parameters if p.name == ENTITY), None)
    return tuple(
        build_field(
            p,
            given=spec.params.get(p.name, ...),
            names=_names(workspace, str(entity)) if p.name == SUBJECT else (),
        )
        for p in parameters
    )


def form_values(
    parameters: Sequence[Parameter], filled: Mapping[str, Any], *, report_id: str, planned: Mapping[str, Any] = EMPTY
) -> dict[str, Any]:
    """Read what was filled into a form as typed values, checked as a run checks them.

    Parameters
    ----------
    parameters : sequence of Parameter
        Of the report.
    filled : mapping
        Name of a field -> what it holds; text of a typed field is read as the command line reads it.
    report_id : str
        For the messages.
    planned : mapping
        What the specification gives, for fields that are not named.

    Returns
    -------
    dict
        Name -> value.

    Raises
    ------
    UsageError
        A value does not hold (QB803-QB807).

    Examples
    --------
    >>> from qbase.explore.viewing.form_fields import form_values
    >>> from qbase.reports import Parameter
    >>> years = Parameter(name="years", base="int", many="list", default=[2024])
    >>> form_values([years], {"years": "2023,2024"}, report_id="mine")
    {'years': [2023, 2024]}
    """
    declared = {p.name: p for p in parameters}
    values: dict[str, Any] = {}
    for name, value in filled.items():
        parameter = declared.get(name)
        is_typed = isinstance(value, str) and parameter is not None and not (parameter.choices and not parameter.many)
        values |= read_words(parameters, [f"{name}={value}"], report_id=report_id) if is_typed else {name: value}
    check_params(parameters, {**planned, **values}, report_id=report_id)
    return values


def _names(workspace: Workspace, entity: str) -> tuple[str, ...]:
    """Return the names of all entities of a kind, sorted by code; the code follows where a name is not alone."""
    if entity not in NAMED:
        return ()
    found = read_names(workspace, entity, workspace.snapshot())
    told = [name.zh for name in found.values()]
    return tuple(
        name.zh if told.count(name.zh) == 1 else code for code, name in sorted(found.items(), key=lambda item: item[0])
    )
