"""Patterns in the lake: one for each snapshot, preset and period, written once, each naming the one before it."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import secrets
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import code, parse_period
from qbase.core.whole_files import write_atomic
from qbase.indicators import read_contributors
from qbase.lake.storage.locks import hold_lock
from qbase.release.disclosing.disclosure_pattern import DisclosurePattern, plan_pattern
from qbase.release.disclosing.disclosure_presets import read_disclosure_preset
from qbase.release.disclosing.linked_cells import build_linked_cells

if TYPE_CHECKING:
    from qbase.lake import Workspace

FOLDER = ".patterns"
OUTCOME = "D1.batch"
"""The rate whose counts patterns are made of."""
_TOLD = ("outcome", "period", "snapshot", "preset", "previous")


def build_pattern(
    workspace: Workspace, period: str, *, preset: str = "cn_default", snapshot: str | None = None
) -> DisclosurePattern:
    """Return the pattern of a snapshot, preset and period: as it was stored, or planned and stored now.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections, and the patterns in ``.patterns``.
    period : str
        Last quarter; the pattern is of its year to date.
    preset : str
        As for `read_disclosure_preset`.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    DisclosurePattern
        It is handed every earlier pattern of its year, those of other presets with them: an office that changes its
        preset has shown what it has shown.

    Raises
    ------
    UsageError
        No such preset (QB753), a period that is none (QB101).
    DataError
        Nothing was inspected (QB756); what was shown before gives a cell away (QB757); a stored pattern is damaged
        (QB758); a later pattern exists, so that this one would be made without knowing what was shown since (QB759).

    Examples
    --------
    >>> import pathlib, shutil, tempfile
    >>> from qbase.lake import Workspace, open_workspace
    >>> from qbase.release import build_pattern
    >>> copy = pathlib.Path(tempfile.mkdtemp(), "home")
    >>> workspace = Workspace(root=shutil.copytree(open_workspace().root, copy))
    >>> pattern = build_pattern(workspace, "2025Q1")
    >>> pattern.period, pattern.preset, pattern.previous
    ('2025Q1', 'cn_default-1', '')
    >>> build_pattern(workspace, "2025Q1").content == pattern.content
    True
    """
    rules, when = read_disclosure_preset(preset), parse_period(period, "Q")
    at = workspace.snapshot(snapshot)
    with hold_lock(workspace.lake / FOLDER / "lock"):
        earlier = list_patterns(workspace, rules.edition, when.year)
        for stored in earlier:
            if (stored.period, stored.snapshot) == (code(when), at.id):
                return stored
        late = [p for p in earlier if p.period > code(when) or workspace.snapshot(p.snapshot).number > at.number]
        if late:
            raise DataError(
                "QB759",
                found=f"{late[-1].period} of {late[-1].snapshot}",
                expected=f"nothing after {code(when)} of {at.id}",
                fix=f"qbase release pattern --period {late[-1].period} --preset {preset}",
            )
        counts = read_contributors(workspace, snapshot=at.id, first=f"{when.year}Q1", last=code(when))
        shown = [*_list_others(workspace, rules.edition, when.year), *earlier]
        planned = plan_pattern(build_linked_cells(counts), rules, outcome=OUTCOME, snapshot=at.id, earlier=shown)
        # a year whose last quarters hold nothing is asked for by its last quarter all the same
        previous = earlier[-1].content if earlier else ""
        pattern = dataclasses.replace(planned, period=code(when), previous=previous)
        write_atomic(_path(workspace, pattern), _to_bytes(pattern))
    return pattern


def list_patterns(workspace: Workspace, preset: str, year: int) -> list[DisclosurePattern]:
    """Return the stored patterns of a year in the order they were made.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    preset : str
        Edition of the rules: ``cn_default-1``.
    year : int
        Of their quarters.

    Raises
    ------
    DataError
        A file is damaged, or one of the row is missing (QB758).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import list_patterns
    >>> list_patterns(open_workspace(), "cn_default-1", 1999)
    []
    """
    found = sorted((workspace.lake / FOLDER).glob(f"{OUTCOME}~{preset}~{year}Q?~*.parquet"))
    following = {pattern.previous: pattern for pattern in map(_read, found)}
    chain: list[DisclosurePattern] = []
    last = ""
    while last in following:
        chain.append(following[last])
        last = chain[-1].content
    if len(chain) != len(found):
        raise _damaged(f"{len(chain)} of {len(found)} patterns of {year} follow one another")
    return chain


def _list_others(workspace: Workspace, preset: str, year: int) -> list[DisclosurePattern]:
    """Return the stored patterns of a year under any other preset."""
    found = (workspace.lake / FOLDER).glob(f"{OUTCOME}~*~{year}Q?~*.parquet")
    editions = sorted({path.name.split("~")[1] for path in found} - {preset})
    return [pattern for edition in editions for pattern in list_patterns(workspace, edition, year)]


def find_pattern(workspace: Workspace, snapshot: str, preset: str, year: int) -> DisclosurePattern:
    """Return the last stored pattern of a snapshot for a year.

    Raises
    ------
    DataError
        There is none (QB763), or a file is damaged (QB758).
    """
    stored = [p for p in list_patterns(workspace, preset, year) if p.snapshot == snapshot]
    if not stored:
        name = preset.rpartition("-")[0]
        raise DataError(
            "QB763",
            year=year,
            found=f"no pattern {preset} of {year} in {snapshot}",
            expected="a pattern made before anything is shown",
            fix=f"qbase release pattern --period {year}Q4 --preset {name}",
        )
    return stored[-1]


def read_pattern_marks(workspace: Workspace, snapshot: str) -> str:
    """Return the marks of all stored patterns of a snapshot as one text, for the fingerprint of a run.

    A mark is drawn at random when a pattern is stored. The hash of its content would let a reader of the page try what
    the few withheld counts may be until it fits.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    snapshot : str
        Of the run.

    Returns
    -------
    str
        Empty where there is none.

    Raises
    ------
    DataError
        A file is damaged (QB758).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import read_pattern_marks
    >>> read_pattern_marks(open_workspace(), "S0001")
    ''
    """
    found = sorted((workspace.lake / FOLDER).glob(f"*~{snapshot}.parquet"))
    return " ".join(_open(path)[1]["mark"] for path in found)


def check_outcomes(outcomes: list[str]) -> None:
    """Refuse what no pattern is made of.

    Raises
    ------
    UsageError
        An indicator is asked for that patterns do not cover (QB764).
    """
    if outcomes != [OUTCOME]:
        raise UsageError(
            "QB764",
            found=", ".join(outcomes),
            expected=OUTCOME,
            fix=f'build_panel(workspace, "{OUTCOME}") for clusters or towns, by quarter, sampling="naive"',
        )


def _path(workspace: Workspace, pattern: DisclosurePattern) -> pathlib.Path:
    name = f"{pattern.outcome}~{pattern.preset}~{pattern.period}~{pattern.snapshot}.parquet"
    return workspace.lake / FOLDER / name


def _to_bytes(pattern: DisclosurePattern) -> bytes:
    table = pa.Table.from_pandas(pattern.cells, preserve_index=False)
    told = {name: str(getattr(pattern, name)) for name in (*_TOLD, "content")} | {"mark": secrets.token_hex(16)}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **told}), buffer)
    return buffer.getvalue()


def _read(path: pathlib.Path) -> DisclosurePattern:
    return _open(path)[0]


def _open(path: pathlib.Path) -> tuple[DisclosurePattern, dict[str, str]]:
    """Return a stored pattern and what its file tells of it."""
    try:
        table = pq.read_table(path)
        told = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        pattern = DisclosurePattern(cells=table.to_pandas(), **{name: told[name] for name in _TOLD})
    except (OSError, pa.ArrowException, KeyError, UnicodeDecodeError) as problem:
        raise _damaged(f"{path.name}: {type(problem).__name__}") from problem
    if pattern.content != told.get("content") or not told.get("mark"):
        raise _damaged(f"{path.name} is not what was written")
    return pattern, told


def _damaged(found: str) -> DataError:
    return DataError(
        "QB758",
        found=found,
        expected="the patterns as they were written, none missing",
        fix="put data/lake/.patterns back from a backup; nothing is shown outside until then",
    )
