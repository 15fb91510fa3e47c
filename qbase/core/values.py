"""Small frozen values everybody speaks: where a number comes from, what it measures, how sure it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeVar

from qbase.core.errors import DataError
from qbase.core.text import Text

Key = str | int | float
Uncertainty = Literal["design", "model", "randomisation", "none_full_count"]
Better = Literal["up", "down", "none"]
Role = Literal["outcome", "instrument", "context"]
Grade = Literal["strong", "moderate", "limited"]
State = Literal["running", "ok", "failed", "unchanged"]

K = TypeVar("K")
T = TypeVar("T")


class ReadOnly(dict[K, T]):
    """A dict that refuses changes; unlike `types.MappingProxyType` it pickles and goes to JSON."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("values of the house are frozen; build a new one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (dict(self),))


def freeze(mapping: Mapping[K, T]) -> ReadOnly[K, T]:
    """Return a read-only copy of a mapping."""
    return ReadOnly(mapping)


EMPTY: ReadOnly[str, Any] = freeze({})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a number rests on.

    Parameters
    ----------
    path : str
        File name as received (never an absolute path) or the name of a table.
    sha256 : str
        Of the bytes received; empty for a table of the lake.
    producer, licence : str
        Who made it, and under which terms.
    retrieved_on : str
        ISO date, or empty when unknown.
    snapshot : str
        Snapshot of the lake it was read from, ``S0003``; empty outside the lake.
    title : Text or None
        Name of a table for readers.

    Examples
    --------
    >>> from qbase.core import Source, Text
    >>> source = Source(path="inspections", snapshot="S0003", title=Text("监督抽查", "Supervision inspections"))
    >>> source.label.zh, source.snapshot
    ('监督抽查', 'S0003')
    """

    path: str
    sha256: str = ""
    producer: str = ""
    retrieved_on: str = ""
    licence: str = ""
    snapshot: str = ""
    title: Text | None = None

    @property
    def label(self) -> Text:
        """Name for readers: the title of a table, or the path."""
        return self.title or Text(self.path, self.path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indicator:
    """One definition of a measured quality, for SQL, labels, axes and tables.

    Parameters
    ----------
    id : str
        ``D1.batch``: the part before the dot is the clause's line in the catalogue.
    clause : str
        The clause of the policy text it measures; empty when it measures none.
    name : Text
        Name in Chinese and English.
    unit : str
        A key of `qbase.core.numbers.UNITS`: ``pct``, ``count``, ``log_points`` …
    better : {"up", "down", "none"}
        Which direction is an improvement.
    role : {"outcome", "instrument", "context"}
        Role in the evaluation.
    formula : str
        In words or SQL.
    counted : str
        What its n counts, a key of `qbase.core.numbers.UNITS`: ``batch``, ``firm``.
    short : Text or None
        Shorter name for sentences and headlines, where ``name`` tells a whole method; see `label`.

    Examples
    --------
    >>> from qbase.core import Indicator, Text
    >>> name, short = Text("监督抽查批次合格率", "Batch pass rate of inspections"), Text("合格率", "pass rate")
    >>> rate = Indicator(id="D1.batch", name=name, short=short, unit="pct", better="up")
    >>> rate.label.en, rate.unit, rate.counted
    ('pass rate', 'pct', 'batch')
    """

    id: str
    name: Text
    unit: str
    better: Better
    role: Role = "outcome"
    clause: str = ""
    formula: str = ""
    counted: str = "batch"
    short: Text | None = None

    @property
    def label(self) -> Text:
        """Name in sentences, headlines and on axes."""
        return self.short or self.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its doubt.

    Parameters
    ----------
    term : str
        ``rate``, ``att``, ``change`` …
    key : mapping
        What the term is about: entity, period, event_time, group …
    value : float
        In the unit of the result.
    std_error, ci_low, ci_high : float or None
        Same unit; absent only for a full count.
    joint_low, joint_high : float or None
        Simultaneous interval over the terms of one family.
    ci_level : float
        0.95 unless said otherwise.
    p_value : float or None
        Two-sided, against 0.
    n_obs, n_clusters : int or None
        Observations behind it; groups of the clustered covariance.
    uncertainty : {"design", "model", "randomisation", "none_full_count"}
        Kind of doubt. ``none_full_count`` says that everything was counted.

    Raises
    ------
    DataError
        The interval is missing though it is not a full count, a standard error is 0 or negative,
        a number is not finite, or the value lies outside its interval (QB110).

    Examples
    --------
    >>> from qbase.core import Estimate
    >>> change = Estimate(term="change", value=1.8, ci_low=-21.8, ci_high=26.0, n_obs=42, key={"entity": "K003"})
    >>> change.covers_zero
    True
    >>> Estimate(term="rate", value=93.3)
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB110] estimate rate has no sound interval
      found     no interval
      expected  a finite value inside a finite interval, standard error above 0 or absent
      to fix    report the term as missing, or as a full count where everything was counted
    """

    term: str
    value: float
    key: Mapping[str, Key] = dataclasses.field(default_factory=dict)
    std_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    joint_low: float | None = None
    joint_high: float | None = None
    ci_level: float = 0.95
    p_value: float | None = None
    n_obs: int | None = None
    n_clusters: int | None = None
    uncertainty: Uncertainty = "model"

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", freeze(self.key))
        fault = _fault(self)
        if fault:
            raise DataError(
                "QB110",
                term=self.term,
                found=fault,
                expected="a finite value inside a finite interval, standard error above 0 or absent",
                fix="report the term as missing, or as a full count where everything was counted",
            )

    @property
    def covers_zero(self) -> bool:
        """Whether the interval covers 0 (False for a full count that is not 0)."""
        if self.ci_low is None or self.ci_high is None:
            return self.value == 0
        return self.ci_low <= 0 <= self.ci_high

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            field.name: dict(self.key) if field.name == "key" else getattr(self, field.name)
            for field in dataclasses.fields(self)
        }


def _fault(e: Estimate) -> str:
    numbers = [e.value, e.std_error, e.ci_low, e.ci_high, e.joint_low, e.joint_high, e.p_value]
    if any(x is not None and not math.isfinite(x) for x in numbers):
        return "a number that is not finite"
    if e.std_error is not None and e.std_error <= 0:
        return f"std_error = {e.std_error:g}"
    if (e.ci_low is None) != (e.ci_high is None):
        return "half an interval"
    if e.ci_low is None or e.ci_high is None:
        return "" if e.uncertainty == "none_full_count" else "no interval"
    slack = 1e-9 * max(1.0, abs(e.value))
    if not e.ci_low - slack <= e.value <= e.ci_high + slack:
        return f"value {e.value:g} outside {e.ci_low:g} to {e.ci_high:g}"
    return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check that says in words what it found.

    Parameters
    ----------
    name : str
        ``enough_clusters`` …
    passed : bool or None
        None is for information only.
    text : Text
        One sentence per language.
    table : object or None
        An optional `pandas.DataFrame` behind it.

    Examples
    --------
    >>> from qbase.core import CheckResult, Text
    >>> text = Text("只有 6 个产业集群", "only 6 clusters")
    >>> CheckResult(name="enough_clusters", passed=False, text=text).payload()
    {'name': 'enough_clusters', 'passed': False, 'text': {'zh': '只有 6 个产业集群', 'en': 'only 6 clusters'}}
    """

    name: str
    passed: bool | None
    text: Text
    table: Any = None

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "passed": self.passed, "text": self.text.payload()}


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
    tables, may_use : tuple of str
        Tables of the lake whose versions enter the fingerprint: those needed, those used where loaded (``*``: any).
    profile : {"internal", "external", "statutory_public"}
        Who may read it.
    seed : int
        Combined with the sha256 of report and parameters.
    limits, schedule : Limits, mapping
        Time, memory and output of one run; rule and time zone, empty when it runs on request only.

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
        Logical date, ISO; with the spec it names a slot.
    state : {"running", "ok", "failed", "unchanged"}
        Owned by the ledger; run.json is its copy.
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

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in plain.items():
            if isinstance(value, Mapping):
                plain[name] = dict(value)
        return {**plain, "outputs": list(self.outputs)}
