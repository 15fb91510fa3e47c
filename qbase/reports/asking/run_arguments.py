"""What a run is given: checked against what its letter declares, before any kernel starts."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from qbase.core.errors import UsageError
from qbase.reports.asking.letter_parameters import Parameter, as_declared, fault, read_one
from qbase.reports.asking.report_spec import PROFILES

# "yeer" is near "year"; "clster" is not near "last"
NEAR = 0.7
ANY = "REPORT"
PROFILE = "profile"
CODES = {"type": "QB805", "range": "QB806", "json": "QB807"}


def check_params(parameters: Sequence[Parameter], given: Mapping[str, Any], *, report_id: str = ANY) -> dict[str, Any]:
    """Check given values against the declared parameters and fill in the defaults.

    Parameters
    ----------
    parameters : sequence of Parameter
        As `read_parameters` returns them.
    given : mapping
        Name -> value. Nothing is coerced but whole numbers where float is declared.
    report_id : str
        For the messages.

    Returns
    -------
    dict
        Every declared parameter with a JSON-typed value, in the order of the cell.

    Raises
    ------
    UsageError
        Unknown name (QB803), missing value (QB804), wrong type (QB805), outside range or
        choices (QB806), for readers outside whom the letter has no page for (QB913), not JSON or not finite (QB807).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import check_params, read_parameters
    >>> parameters = read_parameters(open_workspace().root / "notebooks/trends.ipynb")
    >>> values = check_params(parameters, {"level": 0.9}, report_id="trends")
    >>> values["indicator"], values["level"], values["subject"]
    ('D1.batch', 0.9, None)
    >>> check_params(parameters[:2], {"county": "firm"}, report_id="trends")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB803] report "trends" has no parameter "county"
      found     -p county=firm
      expected  indicator · entity
      to fix    qbase inspect trends
    """
    declared = {p.name: p for p in parameters}
    for name, value in given.items():
        if name not in declared:
            raise _unknown(declared, name, value, report_id)
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name not in given and parameter.required:
            raise UsageError(
                "QB804",
                report=report_id,
                name=name,
                found=f"no -p {name}=…",
                expected=parameter.describe(),
                fix=_again(declared, given, report_id),
            )
        value = given.get(name, parameter.default)
        wrong = fault(parameter, value)
        if wrong:
            raise wrong_value(parameter, value, wrong, report_id, _again(declared, given, report_id))
        values[name] = as_declared(parameter, value)
    return values


def read_words(parameters: Sequence[Parameter], words: Sequence[str], *, report_id: str = ANY) -> dict[str, Any]:
    """Read ``name=value`` words of the command line by the declared types alone.

    Text stays text: ``code=007`` is "007" and ``answer=no`` is "no". A list is ``a,b`` or JSON, a map
    ``key:value,key:value`` or JSON; an empty value is null where the type allows null.

    Parameters
    ----------
    parameters : sequence of Parameter
        As `read_parameters` returns them.
    words : sequence of str
        What followed each ``-p``.
    report_id : str
        For the messages.

    Returns
    -------
    dict
        Name -> typed value, not yet checked for range.

    Raises
    ------
    UsageError
        A word without ``=`` (QB823), an unknown name (QB803), a value that is not of the type (QB805), one name
        twice (QB829).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_parameters, read_words
    >>> parameters = read_parameters(open_workspace().root / "notebooks/trends.ipynb")
    >>> read_words(parameters, ["indicator=D1.finding", "level=0.9"])
    {'indicator': 'D1.finding', 'level': 0.9}
    """
    declared = {p.name: p for p in parameters}
    values: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            near = difflib.get_close_matches(name, declared, n=1)
            fix = f"-p {near[0] if near else 'name'}=…"
            raise UsageError("QB823", word=word, found=f"-p {word}", expected="-p name=value", fix=fix)
        if name not in declared:
            raise _unknown(declared, name, text, report_id)
        if name in values:
            raise _twice(declared[name], words, report_id)
        try:
            values[name] = _read(declared[name], text)
        except ValueError:
            raise wrong_value(declared[name], text, "type", report_id) from None
    return values


def read_grid(parameters: Sequence[Parameter], words: Sequence[str], *, report_id: str = ANY) -> dict[str, list[Any]]:
    """Read ``name=value,value`` words of the command line by the declared types alone.

    Parameters
    ----------
    parameters : sequence of Parameter
        As `read_parameters` returns them.
    words : sequence of str
        What followed each ``--grid``.
    report_id : str
        For the messages.

    Returns
    -------
    dict
        Name -> typed values in the order given, not yet checked for range.

    Raises
    ------
    UsageError
        No list of values, or one name twice (QB843), an unknown name (QB803), a value that is not of the type (QB805).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_grid, read_parameters
    >>> parameters = read_parameters(open_workspace().root / "notebooks/trends.ipynb")
    >>> read_grid(parameters, ["subject=K001,K003", "level=0.9,0.95"])
    {'subject': ['K001', 'K003'], 'level': [0.9, 0.95]}
    """
    declared = {p.name: p for p in parameters}
    grid: dict[str, list[Any]] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if sign and name and name not in declared:
            raise _unknown(declared, name, text, report_id)
        parameter = declared.get(name)
        if not sign or parameter is None or name in grid or not text.strip():
            raise _no_grid(word, name, "--grid name=value,value; each name once", declared)
        try:
            grid[name] = _several(parameter, text)
        except ValueError:
            raise wrong_value(parameter, text, "type", report_id) from None
        if not grid[name]:
            raise _no_grid(word, name, "at least one value", declared)
    return grid


def example(parameter: Parameter) -> str:
    """Return a value worth typing: the default, a choice or an end of the range."""
    value = parameter.default
    if parameter.required or value is None:
        ends = [end for end in (*parameter.choices[:1], parameter.low, parameter.high) if end is not None]
        value = ends[0] if ends else {"str": "…", "int": 1, "float": 1.0, "bool": True}[parameter.base]
        value = {"list": [value], "dict": {"…": value}}.get(parameter.many, value)
    return written(value)


def written(value: Any) -> str:
    """Write a value as it is typed after ``name=``; quoted when a shell would cut it."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and value and all(isinstance(v, str) and not set(v) & set(",[]\"'") for v in value):
        text = ",".join(value)
    return shlex.quote(text) if set(text) & set(" \"'()[]{}$&;|<>*?#\\`!~") else text


def _read(parameter: Parameter, text: str) -> Any:
    if parameter.optional and not text:
        return None
    if not parameter.many:
        return _one(parameter, text)
    if text[:1] in {"[", "{"}:
        return json.loads(text, object_pairs_hook=_once)
    items = [item.strip() for item in text.split(",")] if text.strip() else []
    if parameter.many == "list":
        return [_one(parameter, item) for item in items]
    pairs = [item.rpartition(":") for item in items]
    if not all(sign for _, sign, _ in pairs):
        raise ValueError(text)
    return _once([(key.strip(), _one(parameter, value.strip())) for key, _, value in pairs])


def _several(parameter: Parameter, text: str) -> list[Any]:
    """Return the values of a grid: JSON, or parted by commas where a value is no list itself."""
    if text[:1] == "[":
        found = json.loads(text, object_pairs_hook=_once)
        return list(dict.fromkeys(found)) if all(isinstance(v, str | int | float | None) for v in found) else found
    if parameter.many:
        raise ValueError(text)
    return list(dict.fromkeys(_read(parameter, item.strip()) for item in text.split(",")))


def _no_grid(word: str, name: str, expected: str, declared: Mapping[str, Parameter]) -> UsageError:
    near = difflib.get_close_matches(name, declared, n=1)
    fix = f"--grid {near[0] if near else 'name'}=…,…"
    return UsageError("QB843", word=word, found=f"--grid {word}", expected=expected, fix=fix)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a map; a key that stands twice has no value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(pairs)
    return found


def _one(parameter: Parameter, text: str) -> Any:
    value = read_one(parameter.base, text)
    if value is None:
        raise ValueError(text)
    return value


def _unknown(declared: Mapping[str, Parameter], name: str, value: Any, report_id: str) -> UsageError:
    near = difflib.get_close_matches(name, declared, n=1, cutoff=NEAR)
    inspect = f"qbase inspect {report_id}"
    typed = value if isinstance(value, str) else written(value) if value is None else _short(value)
    fix = f"qbase run {report_id} -p {near[0]}={typed}        (all parameters: {inspect})" if near else inspect
    expected = declared[near[0]].describe() if near else " · ".join(declared) or "no parameters"
    return UsageError("QB803", report=report_id, name=name, found=f"-p {name}={typed}", expected=expected, fix=fix)


def _twice(parameter: Parameter, words: Sequence[str], report_id: str) -> UsageError:
    name, many = parameter.name, {"list": "a,b", "dict": "a:1,b:2"}.get(parameter.many, "…")
    once = {word.partition("=")[0]: word for word in words}
    return UsageError(
        "QB829",
        name=name,
        found=" ".join(f"-p {word}" for word in words if word.partition("=")[0] == name),
        expected=f"one -p {name}={many}",
        fix=" ".join([f"qbase run {report_id}", *(f"-p {shlex.quote(word)}" for word in once.values())]),
    )


def _again(declared: Mapping[str, Parameter], given: Mapping[str, Any], report_id: str) -> str:
    """Return a line that goes through: what was given and holds, a value for what is missing or does not."""
    words = []
    for name, value in given.items():
        parameter = declared[name]
        is_sound = not fault(parameter, value)
        if not is_sound or json.dumps(value) != json.dumps(None if parameter.required else parameter.default):
            words.append(f"-p {name}={written(value) if is_sound else example(parameter)}")
    words += [f"-p {n}={example(p)}" for n, p in declared.items() if p.required and n not in given]
    return " ".join([f"qbase run {report_id}", *words])


def wrong_value(parameter: Parameter, value: Any, wrong: str, report_id: str, fix: str = "") -> UsageError:
    """Return what to say of a value that breaks a rule of `fault`."""
    if parameter.name == PROFILE and wrong == "range" and value in PROFILES:
        return _inside_only(parameter, value, report_id)
    return UsageError(
        CODES[wrong],
        name=parameter.name,
        found=f"{parameter.name} = {_short(value)}",
        expected=parameter.describe(),
        fix=fix or f"qbase run {report_id} -p {parameter.name}={example(parameter)}",
    )


def _inside_only(parameter: Parameter, value: Any, report_id: str) -> UsageError:
    """Return why a letter has no page for outside, in the words of its own parameter, and which page there is."""
    return UsageError(
        "QB913",
        report=report_id,
        found=f"{parameter.name} = {_short(value)}",
        expected=f"{parameter.name} = {', '.join(parameter.choices)} ({parameter.help.en})",
        fix=f"qbase run trends -p {parameter.name}={value} after qbase release pattern: rates, changes and targets",
    )


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:79] + "…"
