"""What a report rests on, as one hash: notebook source, parameters, declared tables, code, template, lock."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from qbase.core.lazy import PACKAGE, VERSION
from qbase.reports.asking.letter_parameters import source_of, tags_of

LIBRARIES = ("pandas", "statsmodels", "pyfixest", "duckdb", "deltalake", "papermill")
CODE = ("*.py", "*.toml", "*.sql")
LANGUAGE = "lang"


def fingerprint_of(
    cells: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    tables: Mapping[str, int],
    root: pathlib.Path,
    *,
    last: str = "",
    patterns: str = "",
) -> str:
    """Return the fingerprint of a run that has not been made yet.

    Parameters
    ----------
    cells : sequence
        Cells of the source notebook; outputs and counters do not count.
    params : mapping
        Checked values. ``lang`` only sets which language shows first and does not count.
    tables : mapping
        Version of each declared table.
    root : Path
        Workspace; its lock file counts, and without one the installed versions do.
    last : str
        Hash of what the last edition said, where the letter reads it.
    patterns : str
        Hashes of what is withheld, where the page leaves the house.

    Returns
    -------
    str
        sha256. The code part covers every module of qbase, which is wider than the import closure
        of one letter: a run too many, never a stale report.
    """
    source = [[cell["cell_type"], source_of(dict(cell)), tags_of(dict(cell))] for cell in cells]
    return _sha256(
        {
            "notebook": source,
            "params": content_params(params),
            "tables": dict(tables),
            "code": code_hash(),
            "template": template_hash(),
            "lock": lock_hash(root),
            **({"last": last} if last else {}),
            **({"patterns": patterns} if patterns else {}),
        }
    )


def seed_of(seed: int, report_id: str, params: Mapping[str, Any]) -> int:
    """Return the seed of a run, below 2**32: the spec's seed and the sha256 of report and parameters, nothing else."""
    digest = _sha256([report_id, content_params(params)])
    return (seed + int(digest[:8], 16)) % 2**32


def content_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that change what a report says: all but the language shown first."""
    return {name: value for name, value in params.items() if name != LANGUAGE}


@functools.cache
def code_hash() -> str:
    """Return the hash of the qbase that is installed."""
    return _hash_files([path for pattern in CODE for path in PACKAGE.rglob(pattern)])


@functools.cache
def template_hash() -> str:
    """Return the hash of the report's template."""
    folder = PACKAGE / "reports" / "rendering" / "template"
    return _hash_files([path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts])


def lock_hash(root: pathlib.Path) -> str:
    """Return the hash of the lock file of a workspace, else of the versions installed."""
    lock = root / "locks" / "run.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else _sha256(versions())


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("qbase", VERSION), ("python", platform.python_version())]
    found += [(name, importlib.metadata.version(name)) for name in LIBRARIES]
    return (*found, ("code", code_hash()[:12]))


def versions() -> dict[str, str]:
    """Return the versions a run record carries."""
    return dict(_versions())


def commit_of(root: pathlib.Path) -> str:
    """Return the git commit of a workspace, or an empty text where there is none."""
    # a batch asks for every run, and a process that finds nothing costs as much as one that does
    if "GIT_DIR" not in os.environ and not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return ""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _hash_files(paths: list[pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _sha256(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
