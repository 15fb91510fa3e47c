"""Small frozen values about runs: what is to be run, within which limits, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.text import Text

if TYPE_CHECKING:
    from qbase.core.errors import Lang

State = Literal["queued", "leased", "running", "verifying", "ok", "failed", "unchanged"]
"""In this order; ``ok`` is published, and the last three are ends."""
UNFINISHED: tuple[State, ...] = ("queued", "leased", "running", "verifying")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run may use: seconds, megabytes of memory and of output.

    Examples
    --------
    >>> from qbase.core import Limits
    >>> Limits(seconds=120)
    Limits(seconds=120, memory_mb=4096, output_mb=5)
    """

    seconds: int = 600
    memory_mb: int = 4096
    output_mb: int = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportSpec:
    """One notebook fanned out over parameters.

    Parameters
    ----------
    report_id : str
        File stem of the spec; the handle on the command line.
    notebook : str
        Path below the workspace, ``notebooks/20_quality_trends.ipynb``.
    title : Text
        Title of the report.
    params : mapping
        JSON-typed values by name.
    tables : tuple of str
        Declared inputs: tables of the lake whose versions enter the fingerprint.
    may_use : tuple of str
        Tables that enter the same way where they were loaded, and are not missed where they were not (``*``: any).
    profile : {"internal", "external", "statutory_public"}
        Who may read it.
    seed : int
        Combined with the sha256 of report and parameters.
    limits : Limits
        Time, memory and output of one run.
    schedule : mapping
        Name of a schedule -> its table, see docs/scheduling.md; empty when it runs on request only.
    fan_out : mapping
        ``matrix``, ``list`` or ``query`` of the runs a batch makes; empty for one run.
    follows_last : bool
        Whether the letter reads what its last edition said; its results are then an input like a table.

    Examples
    --------
    >>> from qbase.core import ReportSpec, Text
    >>> spec = ReportSpec(
    ...     report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb",
    ...     title=Text("质量走势", "Quality trends"), params={"subject": "K003"},
    ... )
    >>> spec.profile, spec.limits.seconds, spec.params
    ('internal', 600, {'subject': 'K003'})
    """

    report_id: str
    notebook: str
    title: Text
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tables: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    profile: Literal["internal", "external", "statutory_public"] = "internal"
    seed: int = 20220810
    limits: Limits = Limits()
    schedule: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fan_out: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    follows_last: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is known of one run; written whatever happens.

    Parameters
    ----------
    run_id, report_id : str
        ``run_id`` is also the sentinel that `record` writes into results.json.
    notebook : str
        Path below the workspace.
    params : mapping
        As they were checked and given to the notebook.
    slot : str
        Logical date, ISO; with report and parameters it names a slot.
    state : {"queued", "leased", "running", "verifying", "ok", "failed", "unchanged"}
        Owned by the ledger; run.json is its copy. ``leased``: a runner holds the slot; ``ok``: published.
    fingerprint : str
        Of notebook source, params, declared tables, code, template and lock.
    commit : str
        Of the project, or empty.
    versions : mapping
        Library -> version.
    snapshot : str
        Snapshot of the lake.
    started_at : str
        ISO with offset.
    seconds : float
        Monotonic duration.
    outputs : tuple of str
        Paths below the workspace.
    error : mapping or None
        ``cell``, ``code``, ``text``.
    lang : {"zh", "en"}
        Which language its page shows first.
    is_forced : bool
        Asked for even where nothing changed, also by whoever goes on with it after its runner died.

    Examples
    --------
    >>> from qbase.core import RunRecord
    >>> run = RunRecord(
    ...     run_id="R0007", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", slot="2026-10-01",
    ...     params={"subject": "K003"}, state="failed", fingerprint="", commit="", versions={}, snapshot="S0012",
    ...     started_at="2026-10-01T06:00:00+08:00", error={"cell": 5, "code": "QB502", "text": ""},
    ... )
    >>> run.state, run.payload()["error"]
    ('failed', {'cell': 5, 'code': 'QB502', 'text': ''})
    """

    run_id: str
    report_id: str
    notebook: str
    params: Mapping[str, Any]
    slot: str
    state: State
    fingerprint: str
    commit: str
    versions: Mapping[str, str]
    snapshot: str
    started_at: str
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None
    lang: Lang = "zh"
    is_forced: bool = False

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON; how it was asked for only where that was not the usual way."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in plain.items():
            if isinstance(value, Mapping):
                plain[name] = dict(value)
        for name, usual in (("lang", "zh"), ("is_forced", False)):
            if plain[name] == usual:
                del plain[name]
        return {**plain, "outputs": list(self.outputs)}
