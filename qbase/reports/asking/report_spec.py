"""Specifications: one TOML file under ``reports/specs`` fans one notebook out over parameters."""

from __future__ import annotations

import datetime
import difflib
import pathlib
import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.run_values import Limits, ReportSpec
from qbase.core.text import Text
from qbase.core.values import freeze
from qbase.reports.asking.fan_out import check_section

if TYPE_CHECKING:
    from qbase.lake import Workspace

TYPES: dict[str, str] = {
    "notebook": "text",
    "title_zh": "text",
    "title_en": "text",
    "tables": "list of text",
    "may_use": "list of text",
    "profile": "text",
    "seed": "whole number",
    "params": "table",
    "limits": "table",
    "schedule": "table",
    "fan_out": "table",
    "follows_last": "true or false",
}
REQUIRED = ("notebook", "title_zh", "title_en")
LIMITS = ("seconds", "memory_mb", "output_mb")
PROFILES = ("internal", "external", "statutory_public")
# the handle is a file name, a URL and a word on the command line
HANDLE = re.compile(r"[^\W_][\w-]{0,79}")
# files of the gallery stand beside the pages
RESERVED = ("index", "feed", "moved")


def find_specs(workspace: Workspace) -> dict[str, pathlib.Path]:
    """Find the specifications of a workspace, subfolders included.

    Parameters
    ----------
    workspace : Workspace
        Where to look.

    Returns
    -------
    dict of str to Path
        Report id -> file, sorted by id.

    Raises
    ------
    UsageError
        Two files share a name, or a name cannot be a handle (QB802).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import find_specs
    >>> {report_id: path.name for report_id, path in find_specs(open_workspace()).items()}
    {'effects': 'effects.toml', 'trends': 'trends.toml'}
    """
    found: dict[str, pathlib.Path] = {}
    for path in sorted(workspace.specs.rglob("*.toml")):
        name = path.stem
        if not HANDLE.fullmatch(name) or name.lower() in RESERVED:
            raise _bad(workspace, path, f"file name {path.name}", "letters, digits, _ and -", f"rename {path.name}")
        if name in found:
            shown = _below(workspace, found[name])
            raise _bad(workspace, path, f"the same name as {shown}", "one name, one report", f"rename {path.name}")
        found[name] = path
    return dict(sorted(found.items()))


def list_specs(workspace: Workspace) -> list[ReportSpec]:
    """Read every specification of a workspace, sorted by report id.

    Raises
    ------
    UsageError
        A file does not hold (QB802).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import list_specs
    >>> [(spec.report_id, spec.title.en) for spec in list_specs(open_workspace())]
    [('effects', 'The effect of the policy'), ('trends', 'How the batch pass rate is changing')]
    """
    return [read_spec_file(workspace, path) for path in find_specs(workspace).values()]


def read_spec(workspace: Workspace, report_id: str) -> ReportSpec:
    """Read one specification by its report id.

    Parameters
    ----------
    workspace : Workspace
        Where it lives.
    report_id : str
        File stem, ``quality_trends``.

    Returns
    -------
    ReportSpec
        Frozen and typed.

    Raises
    ------
    UsageError
        No such report (QB801), or the file does not hold (QB802).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_spec
    >>> spec = read_spec(open_workspace(), "trends")
    >>> spec.notebook, spec.tables, spec.profile
    ('notebooks/trends.ipynb', ('inspections',), 'internal')
    """
    found = find_specs(workspace)
    if report_id in found:
        return read_spec_file(workspace, found[report_id])
    near = difflib.get_close_matches(report_id, found, n=1)
    raise UsageError(
        "QB801",
        report=report_id,
        found=report_id,
        expected=" · ".join(found) or f"a specification under {_below(workspace, workspace.specs)}",
        fix=f"qbase run {near[0]}" if near else "qbase list",
    )


def read_spec_file(workspace: Workspace, path: pathlib.Path) -> ReportSpec:
    """Read one specification file; unknown keys and wrong types are refused (QB802).

    Raises
    ------
    UsageError
        The file is unreadable, lacks a key, or has an unknown key or a wrong type (QB802), or its fan-out is none
        (QB840).
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(workspace, path, str(error), "TOML in UTF-8", f"correct {_below(workspace, path)}") from error
    _check_keys(workspace, path, raw, TYPES)
    for name in REQUIRED:
        if name not in raw:
            raise _bad(workspace, path, f"no {name}", " · ".join(REQUIRED), f'add {name} = "…"')
    for name, value in raw.items():
        _check_type(workspace, path, name, value)
    _check_choices(workspace, path, raw)
    check_section(raw.get("fan_out", {}), shown=_below(workspace, path))
    return ReportSpec(
        report_id=path.stem,
        notebook=raw["notebook"],
        title=Text(raw["title_zh"], raw["title_en"]),
        params=freeze(raw.get("params", {})),
        tables=tuple(raw.get("tables", ())),
        may_use=tuple(raw.get("may_use", ())),
        profile=raw.get("profile", "internal"),
        seed=raw.get("seed", ReportSpec.seed),
        limits=Limits(**raw.get("limits", {})),
        schedule=freeze(raw.get("schedule", {})),
        fan_out=freeze(raw.get("fan_out", {})),
        follows_last=raw.get("follows_last", False),
    )


def _check_keys(workspace: Workspace, path: pathlib.Path, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"{name} -> {near[0]}" if near else f"remove {name}"
            raise _bad(workspace, path, name, " · ".join(known), fix)


def _check_type(workspace: Workspace, path: pathlib.Path, name: str, value: Any) -> None:
    wanted = TYPES[name]
    good = {
        "text": isinstance(value, str) and bool(value.strip()),
        "list of text": isinstance(value, list) and all(isinstance(item, str) for item in value),
        "whole number": type(value) is int,
        "true or false": type(value) is bool,
        "table": isinstance(value, dict),
    }[wanted]
    if not good:
        raise _bad(workspace, path, f"{name} = {value!r}", f"{name}: {wanted}", f"correct {name}")
    if name in {"params", "schedule", "fan_out"} and _has_date(value):
        raise _bad(workspace, path, f"a bare date under [{name}]", "text in quotes", 'day = "2024-01-31"')


def _check_choices(workspace: Workspace, path: pathlib.Path, raw: Mapping[str, Any]) -> None:
    notebook = pathlib.PurePosixPath(raw["notebook"])
    if notebook.is_absolute() or ".." in notebook.parts or notebook.suffix != ".ipynb" or "\\" in raw["notebook"]:
        wanted = "a path below the workspace, ending in .ipynb"
        raise _bad(workspace, path, f'notebook = "{notebook}"', wanted, 'notebook = "notebooks/….ipynb"')
    if raw.get("profile", "internal") not in PROFILES:
        near = difflib.get_close_matches(raw["profile"], PROFILES, n=1)
        fix = f'profile = "{near[0] if near else PROFILES[0]}"'
        raise _bad(workspace, path, f'profile = "{raw["profile"]}"', " · ".join(PROFILES), fix)
    limits = raw.get("limits", {})
    _check_keys(workspace, path, limits, dict.fromkeys(LIMITS))
    for name, value in limits.items():
        if type(value) is not int or value < 1:
            raise _bad(workspace, path, f"{name} = {value!r}", f"{name}: whole number, 1..", f"correct {name}")


def _has_date(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_date, value.values()))
    if isinstance(value, list):
        return any(map(_has_date, value))
    return isinstance(value, datetime.date | datetime.time)


def _below(workspace: Workspace, path: pathlib.Path) -> str:
    return path.relative_to(workspace.root).as_posix()


def _bad(workspace: Workspace, path: pathlib.Path, found: str, expected: str, fix: str) -> UsageError:
    return UsageError("QB802", file=_below(workspace, path), found=found, expected=expected, fix=fix)
