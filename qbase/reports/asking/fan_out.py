"""The section ``[fan_out]`` of a specification: one notebook run for every choice of a matrix, a list or a query."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import DataError, QbaseError, UsageError

if TYPE_CHECKING:
    from qbase.core.results.run_values import ReportSpec
    from qbase.lake import Workspace
    from qbase.reports.asking.letter_parameters import Parameter

KINDS = ("matrix", "list", "query")
EVERY = "*"
MOST_RUNS = 100_000
"""A product of a few lists is large before one notices."""

Choice = Mapping[str, Any]


def check_section(section: Mapping[str, Any], *, shown: str) -> None:
    """Check that a section names one kind of fan-out and holds what it takes.

    Parameters
    ----------
    section : mapping
        As the file has it; empty where there is none.
    shown : str
        How messages name the file.

    Raises
    ------
    UsageError
        It does not hold (QB840).
    """
    if not section:
        return
    if len(section) != 1 or not set(section) <= set(KINDS):
        wrong = next((name for name in section if name not in KINDS), " + ".join(section))
        near = difflib.get_close_matches(wrong, KINDS, n=1)
        raise _bad(shown, f"[fan_out] {wrong}", "one of matrix · list · query", f"{wrong} -> {(near or KINDS)[0]}")
    kind, value = next(iter(section.items()))
    wanted, is_sound = {
        "matrix": ("matrix = {name = [value, …], …}, no list empty", _is_matrix(value)),
        "list": ("list = [{name = value, …}, …], every table with the same names", _is_list(value)),
        "query": ('query = "SELECT … AS name FROM …"', isinstance(value, str) and bool(value.strip())),
    }[kind]
    if not is_sound:
        raise _bad(shown, f"{kind} = {value!r}"[:120], wanted, f"correct [fan_out] of {shown}")


def list_choices(workspace: Workspace, spec: ReportSpec, parameters: Sequence[Parameter]) -> list[Choice]:
    """Return what a specification fans out over: the values of every run, as far as the section sets them.

    Parameters
    ----------
    workspace : Workspace
        Whose tables a query reads.
    spec : ReportSpec
        With its section.
    parameters : sequence of Parameter
        Of its letter.

    Returns
    -------
    list of mapping
        One without values where nothing is fanned out. A matrix in its own order, a list as it stands, the rows of a
        query sorted and distinct.

    Raises
    ------
    UsageError
        A name is no parameter (QB840), a query gives no list of runs (QB841), or there are too many (QB844).
    DataError
        A table that a query may read is not loaded (QB810).
    """
    if not spec.fan_out:
        return [{}]
    kind, value = next(iter(spec.fan_out.items()))
    if kind == "matrix":
        check_count(math.prod(map(len, value.values())), spec.report_id)
        choices: list[Choice] = combine(value)
    else:
        choices = [dict(row) for row in value] if kind == "list" else _ask(workspace, spec, value)
        check_count(len(choices), spec.report_id)
    declared = [p.name for p in parameters]
    for name in choices[0]:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            fix = f"{name} -> {near[0]}" if near else f"qbase inspect {spec.report_id}"
            raise _bad(f"{spec.report_id}.toml", f"[fan_out] {name}", " · ".join(declared) or "no parameters", fix)
    return choices


def combine(values: Mapping[str, Sequence[Any]]) -> list[Choice]:
    """Return every combination of some lists; the last name changes fastest."""
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def check_count(count: int, report_id: str) -> None:
    """Refuse more runs than anyone can mean (QB844).

    Raises
    ------
    UsageError
        There are too many (QB844).
    """
    if count > MOST_RUNS:
        raise UsageError(
            "QB844",
            report=report_id,
            found=f"{count:,}",
            expected=f"at most {MOST_RUNS:,}",
            fix=f"fewer values in [fan_out] of {report_id}.toml or in --grid, or parts of it by -p",
        )


def _ask(workspace: Workspace, spec: ReportSpec, sql: str) -> list[Choice]:
    """Return the rows of a query over the declared tables, and over nothing else."""
    declared = [*spec.tables, *(t for t in spec.may_use if t != EVERY)]
    now = workspace.snapshot()
    missing = [table for table in spec.tables if table not in now.versions]
    if missing:
        raise DataError(
            "QB810",
            report=spec.report_id,
            found=f"no table {' · '.join(missing)}",
            expected=" · ".join(spec.tables),
            fix=f"qbase load FILE…  or  qbase demo, then qbase run {spec.report_id}",
        )
    seen = dataclasses.replace(now, versions={t: now.versions[t] for t in declared if t in now.versions})
    fix = f"correct query under [fan_out] of {spec.report_id}.toml"
    try:
        found = workspace.arrow(sql, snapshot=seen)
    except QbaseError as error:
        expected = f"a query on: {' · '.join(declared) or '(tables = [])'}"
        raise _no_list(spec, f"{error.code}: {error.found}", expected, fix) from error
    names = found.column_names
    if not found.num_rows or not all(names) or len(set(names)) != len(names):
        raise _no_list(spec, f"{found.num_rows} rows of {' · '.join(names)}", "at least one row, each name once", fix)
    rows = {tuple(row.values()) for row in _plain(spec, found.to_pylist(), fix)}
    # null first, and never held against a value
    ordered = sorted(rows, key=lambda row: tuple((value is not None, value) for value in row))
    return [dict(zip(names, row, strict=True)) for row in ordered]


def _plain(spec: ReportSpec, rows: Iterable[Mapping[str, Any]], fix: str) -> Iterable[Mapping[str, Any]]:
    for row in rows:
        for name, value in row.items():
            if value is not None and type(value) not in {str, int, float, bool}:
                found = f"{name}: {type(value).__name__} {value}"
                raise _no_list(spec, found, "text, numbers or booleans", f"cast({name} AS varchar), or {fix}")
        yield row


def _is_matrix(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(v, list) and v for v in value.values())


def _is_list(value: Any) -> bool:
    is_rows = isinstance(value, list) and bool(value) and all(isinstance(row, dict) and row for row in value)
    return is_rows and all(set(row) == set(value[0]) for row in value)


def _bad(shown: str, found: str, expected: str, fix: str) -> UsageError:
    return UsageError("QB840", file=shown, found=found, expected=expected, fix=fix)


def _no_list(spec: ReportSpec, found: str, expected: str, fix: str) -> UsageError:
    return UsageError("QB841", report=spec.report_id, found=found, expected=expected, fix=fix)
