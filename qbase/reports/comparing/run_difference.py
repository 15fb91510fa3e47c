"""Two runs compared: what they were asked, what they rest on, and what they found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.compared_numbers import Compared, Fate, compare_records
from qbase.core.results.run_values import RunRecord
from qbase.core.results.told_numbers import kind_of
from qbase.lake import read_run
from qbase.reports.comparing.earlier_runs import (
    content_of,
    find_before,
    folder_of,
    list_family,
    read_json,
    resolve_run,
)
from qbase.reports.comparing.last_results import FILE as LAST_RESULTS
from qbase.reports.comparing.table_difference import TableChange, compare_tables, read_bundles

if TYPE_CHECKING:
    from qbase.lake import Workspace

NOTEBOOK = "run.ipynb"
CONCLUSIONS = ("conclusion", "decision")
Run = tuple[RunRecord, dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """Something named that differs; None where only one of the two runs has it."""

    name: str
    before: Any = None
    after: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """All that tells two runs apart.

    Parameters
    ----------
    before, after : RunRecord
        The two runs.
    params, data, versions : tuple of Change
        What was asked; snapshot, tables, sources and the last edition; packages and code.
    numbers : tuple of Compared
        Every number of both, alike ones too.
    tables : tuple of TableChange
        Every table of both.
    figures : mapping
        Name -> what became of its drawings.
    checks, conclusions : tuple of Change
        Checks with another verdict; sentences of conclusion and decision, and grades, that differ.

    Examples
    --------
    >>> from qbase.core import RunRecord
    >>> from qbase.reports import Difference
    >>> known = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot", "started_at"), "")
    >>> run = RunRecord(run_id="R1", report_id="trends", params={}, versions={}, state="ok", **known)
    >>> parts = dict.fromkeys(("params", "data", "versions", "numbers", "tables", "checks", "conclusions"), ())
    >>> Difference(before=run, after=run, figures={"trend": "changed"}, **parts).is_empty
    False
    """

    before: RunRecord
    after: RunRecord
    params: tuple[Change, ...]
    data: tuple[Change, ...]
    versions: tuple[Change, ...]
    numbers: tuple[Compared, ...]
    tables: tuple[TableChange, ...]
    figures: Mapping[str, Fate]
    checks: tuple[Change, ...]
    conclusions: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both say the same, whatever they rest on."""
        fates = [n.fate for n in self.numbers] + [t.fate for t in self.tables] + list(self.figures.values())
        return set(fates) <= {"same"} and not self.checks and not self.conclusions


def compare_runs(workspace: Workspace, before: str, after: str | None = None) -> Difference:
    """Compare two runs: parameters, data, versions, every estimate and table, figures, checks, conclusions.

    Parameters
    ----------
    workspace : Workspace
        Where they were made.
    before : str
        Id of a run.
    after : str, optional
        Id of the other; by default the run is held against the last published one of its page, or where it is that one
        itself, against the one before.

    Returns
    -------
    Difference
        Numbers and tables that are alike are in it too.

    Raises
    ------
    UsageError
        The ledger has no such run (QB210), a run has no results (QB871), or there is no other to compare with (QB872).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import compare_runs
    >>> compare_runs(open_workspace(), "R9999", "R9998")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB210] the ledger has no run R9999
      found     R9999
      expected  a run of the ledger
      to fix    qbase runs
    """
    first = read_run(workspace, before)
    if after is None:
        return difference_of(workspace, *_with_published(workspace, first))
    return difference_of(workspace, resolve_run(workspace, first), resolve_run(workspace, read_run(workspace, after)))


def difference_of(workspace: Workspace, before: Run, after: Run) -> Difference:
    """Compare two runs given with their records."""
    (a, old), (b, new) = before, after
    shown_a, shown_b = (read_bundles(read_json(folder_of(workspace, run) / NOTEBOOK)) for run in (a, b))
    figures = {name: _fate(old["figures"], new["figures"], name) for name in {**old["figures"], **new["figures"]}}
    return Difference(
        before=a,
        after=b,
        params=_changes(content_of(a), content_of(b)),
        data=_changes(_data(workspace, a, old), _data(workspace, b, new)),
        versions=_changes({**a.versions, "commit": a.commit}, {**b.versions, "commit": b.commit}),
        numbers=tuple(compare_records(old, new)),
        tables=compare_tables(shown_a, shown_b),
        figures=figures,
        checks=_changes(_checks(old), _checks(new)),
        conclusions=_changes(_conclusions(old, shown_a), _conclusions(new, shown_b)),
    )


def _with_published(workspace: Workspace, record: RunRecord) -> tuple[Run, Run]:
    """Return a run beside the published one of its page, the earlier one first."""
    run, document = resolve_run(workspace, record)
    newest = next(list_family(workspace, run), run)
    if newest.run_id != run.run_id:
        return (run, document), resolve_run(workspace, newest)
    earlier = find_before(workspace, run)
    if earlier is None:
        raise UsageError(
            "QB872",
            run=record.run_id,
            found=f"{run.run_id} is the only published run of its page",
            expected="two run ids, or a run whose page was published before",
            fix=f"qbase runs {run.report_id}; qbase diff {run.run_id} OTHER",
        )
    return resolve_run(workspace, earlier), (run, document)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    names = dict.fromkeys((*before, *after))
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _data(workspace: Workspace, run: RunRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run rests on: snapshot, versions of its tables, hashes of its sources, its last edition."""
    versions = workspace.snapshot(run.snapshot).versions if run.snapshot else {}
    last = read_json(folder_of(workspace, run) / LAST_RESULTS)
    used = {s["path"]: s for s in document.get("sources", ())}
    return {
        "snapshot": run.snapshot or None,
        **{f"table {name}": versions[name] for name in used if name in versions},
        **{f"source {name}": s["sha256"][:12] or s["snapshot"] for name, s in used.items() if name not in versions},
        **({"last edition": last.get("run_id") or None} if last else {}),
    }


def _checks(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict of every check, by result and name."""
    found: dict[str, Any] = {}
    for entry in document["results"]:
        whose = _named(entry)
        for check in entry["checks"]:
            found[_next(found, f"{check['name']} · {whose}")] = check["passed"]
    return found


def _conclusions(document: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a run concludes: the sentences of conclusion and decision, and the grade of every sentence."""
    found: dict[str, Any] = {}
    for name in CONCLUSIONS:
        bundle = shown.get(name, {})
        items = [*([bundle["lead"]] if "lead" in bundle else []), *bundle.get("items", bundle.get("findings", ()))]
        for number, item in enumerate(items, 1):
            found[f"{name} {number}"] = {lang: item[lang] for lang in ("zh", "en")}
    for entry in document["results"]:
        grades = [grade for grade in entry["grades"] if grade]
        if grades:
            found[_next(found, f"grade · {_named(entry)}")] = " · ".join(grades)
    return found


def _named(entry: Mapping[str, Any]) -> str:
    name, whom, *chosen = kind_of(entry)
    against = next((value for setting, value in chosen if setting == "against" and value), "")
    return " · ".join(filter(None, (name, whom, against)))


def _next(known: Iterable[str], name: str) -> str:
    """Return a name that is not known yet: results may differ in numbers of their settings alone."""
    times = sum(other == name or other.startswith(f"{name} #") for other in known)
    return name if not times else f"{name} #{times + 1}"


def _fate(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> Fate:
    if name not in before or name not in after:
        return "gone" if name in before else "appeared"
    return "same" if before[name] == after[name] else "changed"
